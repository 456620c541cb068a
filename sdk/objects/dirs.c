/* SPDX-License-Identifier: Apache-2.0 */
#include "objects/dirs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"

#define SEGMENTS_MAX ((size_t)1 << 20)

static int
open_sub(int root, const char *name, bool create)
{
	if (create && mkdirat(root, name, 0750) != 0 && errno != EEXIST)
		return -1;
	return openat(root, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int
objects_dirs_open(struct objects_dirs *dirs, const char *path, bool create, struct cairn_error *err)
{
	*dirs = (struct objects_dirs){
	    .root = -1, .segments = -1, .blobs = -1, .files = -1, .incoming = -1};
	if (!text_copy(dirs->path, sizeof dirs->path, path))
		return cairn_error_set(err, CAIRN_ELIMIT, "path is too long: %s", path);
	if (create && file_mkdirs(path, 0750, err) != 0)
		return CAIRN_EIO;
	dirs->root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirs->root >= 0)
		dirs->segments = open_sub(dirs->root, "segments", create);
	if (dirs->segments >= 0)
		dirs->blobs = open_sub(dirs->root, "blobs", create);
	if (dirs->blobs >= 0)
		dirs->files = open_sub(dirs->root, "files", create);
	if (dirs->files >= 0)
		dirs->incoming = open_sub(dirs->root, "incoming", create);
	if (dirs->incoming < 0 || (create && fsync(dirs->root) != 0)) {
		int code = errno == ENOENT ? CAIRN_ENOTFOUND : CAIRN_EIO;

		cairn_error_set(
		    err, code, "cannot open object store %s: %s", path, strerror(errno));
		objects_dirs_close(dirs);
		return code;
	}
	return 0;
}

void
objects_dirs_close(struct objects_dirs *dirs)
{
	file_close(&dirs->root);
	file_close(&dirs->segments);
	file_close(&dirs->blobs);
	file_close(&dirs->files);
	file_close(&dirs->incoming);
	*dirs = (struct objects_dirs){
	    .root = -1, .segments = -1, .blobs = -1, .files = -1, .incoming = -1};
}

int
objects_dirs_segment(const struct objects_dirs *dirs, uint32_t id, uint32_t generation, int flags)
{
	char name[SEGMENT_NAME_MAX];

	objects_segment_name(id, generation, name);
	return openat(dirs->segments, name, flags | O_CLOEXEC | O_NOFOLLOW, 0640);
}

int
objects_dirs_scan(
    const struct objects_dirs *dirs, uint32_t id, uint32_t generation, int flags, struct scan *ret)
{
	struct scan scan;
	int fd = objects_dirs_segment(dirs, id, generation, flags);
	int code;

	if (fd < 0)
		return errno == ENOENT ? CAIRN_ENOTFOUND : CAIRN_EIO;
	code = objects_scan_init(&scan, fd, UINT64_MAX);
	if (code == 0 && scan.salvaged) {
		scan.header.id = id;
		scan.header.generation = generation;
	}
	if (code == 0 && (scan.header.id != id || scan.header.generation != generation))
		code = CAIRN_ECORRUPT;
	if (code != 0) {
		close(fd);
		return code;
	}
	*ret = scan;
	return 0;
}

uint64_t
objects_dirs_end(const struct objects_dirs *dirs, uint32_t next, uint32_t generation)
{
	struct scan scan;
	uint64_t end;

	if (objects_dirs_scan(dirs, next, generation, O_RDONLY, &scan) != 0)
		return UINT64_MAX;
	end = scan.header.previous_end;
	close(scan.fd);
	return end == 0 ? UINT64_MAX : end;
}

/* The name is taken only if writing the numbers again gives the same name. */
static bool
parse_name(const char *name, struct segment_file *ret)
{
	char again[SEGMENT_NAME_MAX];
	char *end;
	unsigned long id, generation = 0;

	if (name[0] < '0' || name[0] > '9' || strlen(name) >= SEGMENT_NAME_MAX)
		return false;
	id = strtoul(name, &end, 10);
	if (*end == '-')
		generation = strtoul(end + 1, &end, 10);
	if (id == 0 || id > UINT32_MAX || generation > UINT32_MAX)
		return false;
	objects_segment_name((uint32_t)id, (uint32_t)generation, again);
	if (strcmp(again, name) != 0)
		return false;
	*ret = (struct segment_file){(uint32_t)id, (uint32_t)generation};
	return true;
}

static int
compare(const void *a, const void *b)
{
	const struct segment_file *x = a, *y = b;

	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return x->generation < y->generation ? -1 : x->generation > y->generation;
}

static int
list_into(DIR *dir, int fd, bool clean, struct segment_file **list, size_t *count)
{
	struct dirent *entry;
	size_t room = 0;

	while ((entry = readdir(dir)) != NULL) {
		size_t length = strlen(entry->d_name);

		if (clean && length > 4 && strcmp(entry->d_name + length - 4, ".new") == 0)
			unlinkat(fd, entry->d_name, 0);
		if (*count == room) {
			struct segment_file *more;

			room = room == 0 ? 64 : room * 2;
			more = room > SEGMENTS_MAX ? NULL : realloc(*list, room * sizeof **list);
			if (more == NULL)
				return CAIRN_ENOMEM;
			*list = more;
		}
		if (parse_name(entry->d_name, *list + *count))
			*count += 1;
	}
	return 0;
}

int
objects_dirs_list(
    const struct objects_dirs *dirs, bool clean, struct segment_file **ret, size_t *ret_count)
{
	int fd = openat(dirs->segments, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct segment_file *list = NULL;
	size_t count = 0;
	int code;

	if (dir == NULL) {
		file_close(&fd);
		return CAIRN_EIO;
	}
	code = list_into(dir, fd, clean, &list, &count);
	closedir(dir);
	if (code != 0) {
		free(list);
		return code;
	}
	if (count > 0)
		qsort(list, count, sizeof *list, compare);
	*ret = list;
	*ret_count = count;
	return 0;
}
