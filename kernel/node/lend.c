/* SPDX-License-Identifier: Apache-2.0 */
#include "node/lend.h"

#include <stdlib.h>
#include <string.h>

#include "node/subjects.h"
#include "sandbox/watch.h"

struct lend {
	struct lend *next;
	struct node_plugin *plugin;
	char path[];
};

static int
lend_one(struct node_plugin *plugin, struct lend **list, const char *path, struct cairn_error *err)
{
	size_t length = strlen(path);
	struct lend *lend;
	int code = 0;

	if (path[0] != '/' || length > SANDBOX_PATH_MAX)
		return cairn_error_set(err, CAIRN_EINVAL, "%.200s is no absolute path", path);
	lend = malloc(sizeof *lend + length + 1);
	if (lend == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	lend->plugin = plugin;
	memcpy(lend->path, path, length + 1);
	lend->next = *list;
	*list = lend;
	for (size_t i = 0; code == 0 && i < NODE_WATCHES_MAX; i++) {
		if (plugin->watches[i] != NULL)
			code = watch_lend(plugin->watches[i], path, err);
	}
	return code;
}

int
lend_paths(struct node *node, struct lend **list, const char *subject, char *const *paths,
    size_t count, struct cairn_error *err)
{
	const struct manifest_serve *serve;
	struct node_plugin *plugin = subjects_handler(node, subject, &serve);
	int code = 0;

	if (plugin == NULL)
		return 0; /* the call itself says so */
	if (count > LEND_PATHS_MAX)
		return cairn_error_set(err, CAIRN_ELIMIT, "%zu paths are lent at once; at most %d",
		    count, LEND_PATHS_MAX);
	for (size_t i = 0; code == 0 && i < count; i++)
		code = lend_one(plugin, list, paths[i], err);
	return code;
}

/* A plugin that was disabled meanwhile is still in the node's list: nobody is freed before the
 * node. */
void
lend_end(struct lend **list)
{
	while (*list != NULL) {
		struct lend *lend = *list;

		*list = lend->next;
		for (size_t i = 0; i < NODE_WATCHES_MAX; i++) {
			if (lend->plugin->watches[i] != NULL)
				watch_take_back(lend->plugin->watches[i], lend->path);
		}
		free(lend);
	}
}
