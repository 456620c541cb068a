/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/lent.h"

#include <stdlib.h>
#include <string.h>

#include <cairn/error.h>

static int
compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void
drop_doubles(struct lent *lent)
{
	size_t kept = 0;

	qsort(lent->paths, lent->count, sizeof *lent->paths, compare);
	for (size_t i = 0; i < lent->count; i++) {
		if (kept > 0 && strcmp(lent->paths[kept - 1], lent->paths[i]) == 0)
			free(lent->paths[i]);
		else
			lent->paths[kept++] = lent->paths[i];
	}
	lent->count = kept;
}

/* "/a/b" becomes "/a", "/a" becomes "/". */
static void
to_folder(char *path)
{
	char *slash = strrchr(path, '/');

	slash[slash == path ? 1 : 0] = 0;
}

int
lent_cover(struct lent *ret, char *const *paths, size_t count)
{
	struct lent lent = {.paths = calloc(count + 1, sizeof(char *))};

	if (lent.paths == NULL)
		return CAIRN_ENOMEM;
	for (; lent.count < count; lent.count++) {
		lent.paths[lent.count] = strdup(paths[lent.count]);
		if (lent.paths[lent.count] == NULL) {
			lent_fini(&lent);
			return CAIRN_ENOMEM;
		}
	}
	drop_doubles(&lent);
	while (lent.count > LENT_MAX) {
		for (size_t i = 0; i < lent.count; i++)
			to_folder(lent.paths[i]);
		drop_doubles(&lent);
	}
	*ret = lent;
	return 0;
}

void
lent_fini(struct lent *lent)
{
	for (size_t i = 0; i < lent->count; i++)
		free(lent->paths[i]);
	free(lent->paths);
	*lent = (struct lent){0};
}
