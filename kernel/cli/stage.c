/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/stage.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

#define DEPTH_MAX 16 /* descriptors that the walk may hold */

int
stage_begin(struct stage *ret, const char *dir, struct cairn_error *err)
{
	struct stat st;
	bool existed = stat(dir, &st) == 0;
	int code = file_mkdirs(dir, 0700, err);

	if (code != 0)
		return code;
	*ret = (struct stage){.made_home = !existed};
	if (realpath(dir, ret->home) == NULL ||
	    file_join(ret->path, sizeof ret->path, ret->home, ".init-XXXXXX") != 0 ||
	    mkdtemp(ret->path) == NULL) {
		cairn_error_set(err, CAIRN_EIO, "cannot write into %s: %s", dir, strerror(errno));
		if (!existed)
			rmdir(dir);
		return CAIRN_EIO;
	}
	return 0;
}

static int
remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	(void)st;
	(void)kind;
	(void)where;
	return remove(path);
}

static void
remove_tree(const char *path)
{
	nftw(path, remove_one, DEPTH_MAX, FTW_DEPTH | FTW_PHYS);
}

void
stage_abort(struct stage *stage)
{
	remove_tree(stage->path);
	if (stage->made_home)
		rmdir(stage->home);
}

static int
paths_of(const struct stage *stage, const char *name, char from[PATH_MAX], char to[PATH_MAX])
{
	return file_join(from, PATH_MAX, stage->path, name) != 0 ||
		file_join(to, PATH_MAX, stage->home, name) != 0
	    ? CAIRN_ELIMIT
	    : 0;
}

typedef int (*each_fn)(const struct stage *stage, const char *name, struct cairn_error *err);

static int
is_free(const struct stage *stage, const char *name, struct cairn_error *err)
{
	char from[PATH_MAX], to[PATH_MAX];
	struct stat st;

	if (paths_of(stage, name, from, to) != 0)
		return cairn_error_set(err, CAIRN_ELIMIT, "the path is too long: %s", stage->home);
	if (lstat(to, &st) == 0)
		return cairn_error_set(err, CAIRN_EEXIST,
		    "%s is there already; nothing was changed. Name a new or an empty folder", to);
	return 0;
}

static int
move(const struct stage *stage, const char *name, struct cairn_error *err)
{
	char from[PATH_MAX], to[PATH_MAX];

	if (paths_of(stage, name, from, to) != 0)
		return cairn_error_set(err, CAIRN_ELIMIT, "the path is too long: %s", stage->home);
	if (rename(from, to) != 0)
		return cairn_error_set(err, CAIRN_EIO, "cannot make %s: %s", to, strerror(errno));
	return 0;
}

static int
each(const struct stage *stage, const char *except, each_fn fn, struct cairn_error *err)
{
	struct dirent **names = NULL;
	int count = scandir(stage->path, &names, NULL, alphasort);
	int code = count < 0 ? cairn_error_set(err, CAIRN_EIO, "cannot read %s", stage->path) : 0;

	for (int i = 0; i < count; i++) {
		const char *name = names[i]->d_name;

		if (code == 0 && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
		    strcmp(name, except) != 0)
			code = fn(stage, name, err);
		free(names[i]);
	}
	free(names);
	return code;
}

int
stage_commit(struct stage *stage, const char *last, struct cairn_error *err)
{
	int code = each(stage, "", is_free, err);

	if (code == 0)
		code = each(stage, last, move, err);
	if (code == 0)
		code = move(stage, last, err);
	if (code != 0)
		stage_abort(stage);
	else
		rmdir(stage->path);
	return code;
}
