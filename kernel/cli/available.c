/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/available.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "config/config.h"

static bool
ends_with(const char *name, const char *suffix)
{
	size_t length = strlen(name), tail = strlen(suffix);

	return length > tail && strcmp(name + length - tail, suffix) == 0;
}

int
available_files(const char *folder, const char *suffix,
    int (*each)(void *arg, const char *path, struct cairn_error *err), void *arg,
    struct cairn_error *err)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	char path[PATH_MAX];
	int code = 0;

	if (dir == NULL)
		return cairn_error_set(err, CAIRN_ENOTFOUND,
		    "cannot read %s: %s; is the installation complete?", folder, strerror(errno));
	while (code == 0 && (entry = readdir(dir)) != NULL) {
		if (ends_with(entry->d_name, suffix) &&
		    file_join(path, sizeof path, folder, entry->d_name) == 0)
			code = each(arg, path, err);
	}
	closedir(dir);
	return code;
}

int
available_write(const char *home, const char *shared_object, struct cairn_error *err)
{
	struct manifest *manifest = NULL;
	char path[PATH_MAX];
	char *text = NULL;
	int code = manifest_read(shared_object, &manifest, err);

	if (code == 0 &&
	    snprintf(path, sizeof path, "%s/plugins/available/%s.yaml", home, manifest->name) >=
		(int)sizeof path)
		code = cairn_error_set(err, CAIRN_ELIMIT, "the path is too long: %s", home);
	if (code == 0 && !file_exists(path)) {
		code = manifest_example(manifest, &text, err);
		if (code == 0)
			code = file_write(path, text, strlen(text), 0600, err);
	}
	free(text);
	manifest_free(manifest);
	return code;
}
