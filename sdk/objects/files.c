/* SPDX-License-Identifier: Apache-2.0 */
#include "objects/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

#define COMPONENT_MAX 200
#define STAGE_NAME 20

bool
objects_path_valid(const char *path)
{
	size_t length = strlen(path), component = 0;

	if (length == 0 || length > RECORD_PATH_MAX)
		return false;
	for (size_t i = 0; i <= length; i++) {
		unsigned char c = (unsigned char)path[i];

		if (c == '/' || c == 0) {
			if (component == 0 || component > COMPONENT_MAX)
				return false;
			component = 0;
			continue;
		}
		if (c < 32 || c == 127 || c == '\\' || (component == 0 && c == '.'))
			return false;
		component++;
	}
	return true;
}

static void
stage_name(uint64_t target, char ret[STAGE_NAME])
{
	snprintf(ret, STAGE_NAME, "%016llx", (unsigned long long)target);
}

/* Walks to the directory of a valid path, one component at a time so that no symbolic link leads
 * out; `*ret_name` is the last component.  A descriptor to close, or -1 with errno. */
static int
walk(const struct objects_dirs *dirs, const char *path, bool create, const char **ret_name)
{
	int at = openat(dirs->files, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const char *slash;

	for (; at >= 0 && (slash = strchr(path, '/')) != NULL; path = slash + 1) {
		char name[COMPONENT_MAX + 1] = {0};
		int next;

		memcpy(name, path, (size_t)(slash - path));
		next = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (next < 0 && errno == ENOENT && create && mkdirat(at, name, 0750) == 0 &&
		    fsync(at) == 0)
			next = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		close(at);
		at = next;
	}
	*ret_name = path;
	return at;
}

/* ---- writing ---------------------------------------------------------------------------- */

static int
stage_write(int fd, const struct objects_put *put, enum objects_durability durability)
{
	int code = 0;

	for (const struct chunk *chunk = put->first; code == 0 && chunk != NULL;
	     chunk = chunk->next)
		code = file_write_all(fd, chunk->bytes, chunk->used);
	if (code == 0 && durability == OBJECTS_POWER && fdatasync(fd) != 0)
		code = CAIRN_EIO;
	return code;
}

static bool
path_taken(
    const struct objects_dirs *dirs, const struct objects_put *put, const struct objects_put *first)
{
	const char *name;
	struct stat st;
	FD_AUTO dir = -1;

	for (; first != put; first = first->next)
		if (first->record.kind == RECORD_FILE && first->code == 0 &&
		    strcmp(first->path, put->path) == 0)
			return true;
	dir = walk(dirs, put->path, false, &name);
	return dir >= 0 && fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static void
stage(const struct objects_dirs *dirs, enum objects_durability durability, struct objects_put *put,
    const struct objects_put *first)
{
	char name[STAGE_NAME];
	const char *unused;
	FD_AUTO dir = -1;
	FD_AUTO fd = -1;

	if (path_taken(dirs, put, first)) {
		put->code = CAIRN_EINVAL;
		put->cause = EEXIST;
		return;
	}
	stage_name(put->record.target, name);
	dir = walk(dirs, put->path, true, &unused);
	fd = dir < 0 ? -1
		     : openat(dirs->incoming, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	if (fd >= 0 && stage_write(fd, put, durability) == 0)
		return;
	put->code = CAIRN_EIO;
	put->cause = errno;
	unlinkat(dirs->incoming, name, 0);
}

void
objects_files_stage(
    const struct objects_dirs *dirs, enum objects_durability durability, struct objects_put *first)
{
	bool any = false;

	for (struct objects_put *put = first; put != NULL; put = put->next) {
		if (put->record.kind != RECORD_FILE)
			continue;
		stage(dirs, durability, put, first);
		any = true;
	}
	if (!any || durability != OBJECTS_POWER || fsync(dirs->incoming) == 0)
		return;
	for (struct objects_put *put = first; put != NULL; put = put->next) {
		if (put->record.kind == RECORD_FILE && put->code == 0)
			put->code = CAIRN_EIO;
	}
}

/* Renames within files/; `sync_dir` when nobody else will sync the directory. */
static int
finish(const struct objects_dirs *dirs, uint64_t target, const char *path, bool sync_dir)
{
	char stage[STAGE_NAME];
	const char *name;
	FD_AUTO dir = walk(dirs, path, true, &name);

	stage_name(target, stage);
	/* Whoever put something else in the way of the path must not keep the store from opening.
	 */
	if (dir < 0)
		return errno == ELOOP || errno == ENOTDIR ? CAIRN_ENOTFOUND : CAIRN_EIO;
	if (renameat(dirs->incoming, stage, dir, name) != 0)
		return errno == ENOENT ? CAIRN_ENOTFOUND : CAIRN_EIO;
	return sync_dir && fsync(dir) != 0 ? CAIRN_EIO : 0;
}

static bool
same_directory(const char *a, const char *b)
{
	const char *x = strrchr(a, '/'), *y = strrchr(b, '/');
	size_t length = x == NULL ? 0 : (size_t)(x - a);

	return length == (y == NULL ? 0 : (size_t)(y - b)) && memcmp(a, b, length) == 0;
}

/* Neighbours in a group mostly go to one directory: the last of a run syncs it for all. */
static bool
last_of_run(const struct objects_put *put)
{
	return put->next == NULL || put->next->record.kind != RECORD_FILE || put->next->code != 0 ||
	    !same_directory(put->path, put->next->path);
}

void
objects_files_publish(
    const struct objects_dirs *dirs, enum objects_durability durability, struct objects_put *first)
{
	for (struct objects_put *put = first; put != NULL; put = put->next) {
		char name[STAGE_NAME];

		if (put->record.kind == RECORD_TOMBSTONE && put->path != NULL && put->code == 0)
			objects_files_remove(dirs, put->path);
		if (put->blob != NULL && put->code == 0)
			unlinkat(dirs->blobs, put->blob, 0);
		if (put->record.kind != RECORD_FILE)
			continue;
		if (put->code == 0) {
			/* The record is durable: should this fail, recovery does it again. */
			put->code = finish(dirs, put->record.target, put->path,
			    durability == OBJECTS_POWER && last_of_run(put));
			put->cause = put->code == 0 ? 0 : errno;
		} else {
			stage_name(put->record.target, name);
			unlinkat(dirs->incoming, name, 0);
		}
	}
}

/* ---- the rest --------------------------------------------------------------------------- */

int
objects_files_finish(const struct objects_dirs *dirs, uint64_t target, const char *path)
{
	int fd;
	int code = objects_path_valid(path) ? finish(dirs, target, path, true) : CAIRN_ECORRUPT;

	if (code != CAIRN_ENOTFOUND)
		return code;
	fd = objects_files_open(dirs, path);
	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

int
objects_files_remove(const struct objects_dirs *dirs, const char *path)
{
	const char *name;
	FD_AUTO dir = -1;

	if (!objects_path_valid(path))
		return CAIRN_ECORRUPT;
	dir = walk(dirs, path, false, &name);
	if (dir < 0)
		return errno == ENOENT ? 0 : CAIRN_EIO;
	if (unlinkat(dir, name, 0) != 0)
		return errno == ENOENT ? 0 : CAIRN_EIO;
	return fsync(dir) != 0 ? CAIRN_EIO : 0;
}

int
objects_files_open(const struct objects_dirs *dirs, const char *path)
{
	const char *name;
	FD_AUTO dir = -1;
	int fd;

	if (!objects_path_valid(path))
		return CAIRN_ECORRUPT;
	dir = walk(dirs, path, false, &name);
	fd = dir < 0 ? -1 : openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? CAIRN_ENOTFOUND
									     : CAIRN_EIO;
	return fd;
}

int
objects_files_clean(const struct objects_dirs *dirs)
{
	int fd = openat(dirs->incoming, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (dir == NULL) {
		file_close(&fd);
		return CAIRN_EIO;
	}
	while ((entry = readdir(dir)) != NULL)
		if (entry->d_name[0] != '.')
			unlinkat(dirs->incoming, entry->d_name, 0);
	closedir(dir);
	return 0;
}
