/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Back into a new home.  Everything is written into HOME.restore-XXXXXX beside it, compared with
 * the digests of the backup's list, and renamed when it is whole: a home is there as it was, or not
 * at all.  Links are made last, so that nothing is written through one.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "cli/backup.h"
#include "cli/tar.h"

#define PAX_MAX 16384
#define LIST_BYTES_MAX ((uint64_t)1 << 30)

struct restoring {
	char home[PATH_MAX], stage[PATH_MAX];
	struct backup_pace pace;
	struct backup_list found; /* in a tar file: what was written, with its digests */
	struct backup_list list;
	bool whole; /* the list was there */
};

/* ---- the new home ----------------------------------------------------------------------- */

static int
is_free(const char *home, struct cairn_error *err)
{
	struct dirent *entry;
	DIR *dir = opendir(home);
	bool empty = true;

	if (dir == NULL)
		return errno == ENOENT
		    ? 0
		    : cairn_error_set(err, CAIRN_EIO, "cannot use %s: %s", home, strerror(errno));
	while ((entry = readdir(dir)) != NULL)
		empty =
		    empty && (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0);
	closedir(dir);
	return empty ? 0
		     : cairn_error_set(err, CAIRN_EEXIST,
			   "%s is not empty; a restore never writes into what is there: name a new "
			   "folder",
			   home);
}

static int
begin(struct restoring *restoring, const char *home, struct cairn_error *err)
{
	char parent[PATH_MAX];
	size_t length = strlen(home);
	char *slash;
	int code = is_free(home, err);

	if (code != 0)
		return code;
	while (length > 1 && home[length - 1] == '/')
		length--;
	if (snprintf(restoring->home, PATH_MAX, "%.*s", (int)length, home) >= PATH_MAX ||
	    snprintf(restoring->stage, PATH_MAX, "%s.restore-XXXXXX", restoring->home) >= PATH_MAX)
		return cairn_error_set(err, CAIRN_ELIMIT, "the path is too long: %s", home);
	memcpy(parent, restoring->home, sizeof parent);
	slash = strrchr(parent, '/');
	if (slash != NULL && slash != parent) {
		*slash = 0;
		code = file_mkdirs(parent, 0755, err);
	}
	if (code == 0 && mkdtemp(restoring->stage) == NULL)
		code = cairn_error_set(
		    err, CAIRN_EIO, "cannot make %s: %s", restoring->stage, strerror(errno));
	return code;
}

static int
write_file(
    struct restoring *restoring, int from, struct backup_entry *entry, struct cairn_error *err)
{
	char path[PATH_MAX];
	FD_AUTO to = -1;
	int code = backup_place(restoring->stage, entry->path, path, err);

	if (code != 0)
		return code;
	to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (to < 0)
		return cairn_error_set(err, CAIRN_EIO, "cannot make %s: %s", path, strerror(errno));
	code = backup_copy(
	    from, entry->size, &restoring->pace, backup_write_fd, &to, entry->sha256, err);
	if (code == 0 && fdatasync(to) != 0)
		code =
		    cairn_error_set(err, CAIRN_EIO, "cannot write %s: %s", path, strerror(errno));
	return code == 0 ? 0 : cairn_error_prefix(err, code, "%s", entry->path);
}

/* ---- from a folder ---------------------------------------------------------------------- */

static int
differs(const char *path, struct cairn_error *err)
{
	return cairn_error_set(err, CAIRN_ECORRUPT,
	    "%s is not what was backed up (its digest differs): this backup is damaged, use "
	    "another; "
	    "nothing was restored",
	    path);
}

static int
copy_from_folder(struct restoring *restoring, const char *dir, struct cairn_error *err)
{
	int code = 0;

	for (size_t i = 0; code == 0 && i < restoring->list.count; i++) {
		struct backup_entry entry = restoring->list.entries[i];
		char path[PATH_MAX];
		struct stat st;
		FD_AUTO fd = -1;

		if (entry.kind != BACKUP_FILE)
			continue;
		if (file_join(path, sizeof path, dir, entry.path) != 0)
			return cairn_error_set(err, CAIRN_ELIMIT, "the path is too long: %s", dir);
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
		if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
			return cairn_error_set(err, CAIRN_ECORRUPT,
			    "%s is missing: this backup is damaged, use another; nothing was "
			    "restored",
			    path);
		if ((uint64_t)st.st_size != entry.size)
			return differs(path, err);
		code = write_file(restoring, fd, &entry, err);
		if (code == 0 && strcmp(entry.sha256, restoring->list.entries[i].sha256) != 0)
			code = differs(path, err);
	}
	return code;
}

/* The folder itself, or the newest whole backup in it: their names sort by time. */
static int
from_folder(struct restoring *restoring, const char *dir, struct cairn_error *err)
{
	struct dirent **names = NULL;
	char path[PATH_MAX];
	int count, code = backup_list_read(dir, &restoring->list, err);

	if (code == 0)
		return copy_from_folder(restoring, dir, err);
	if (code != CAIRN_ENOTFOUND)
		return code;
	count = scandir(dir, &names, NULL, alphasort);
	for (int i = count; i-- > 0;) {
		if (code != 0 && names[i]->d_name[0] != '.' &&
		    file_join(path, sizeof path, dir, names[i]->d_name) == 0)
			code = backup_list_read(path, &restoring->list, NULL);
		free(names[i]);
	}
	free(names);
	return code == 0
	    ? copy_from_folder(restoring, path, err)
	    : cairn_error_set(err, CAIRN_ENOTFOUND, "there is no whole backup in %s", dir);
}

/* ---- from a tar file -------------------------------------------------------------------- */

struct member {
	char path[PATH_MAX];
	char type;
	uint64_t size;
};

static int
damaged(struct cairn_error *err, const char *what)
{
	return cairn_error_set(err, CAIRN_ECORRUPT,
	    "%s: it is no backup, one that did not end, or damaged; nothing was restored", what);
}

static int
get_number(const char *field, size_t size, uint64_t *ret)
{
	uint64_t value = 0;
	size_t i = 0;

	if (((unsigned char)field[0] & 0x80) != 0) {
		for (i = size - 8; i < size; i++)
			value = value << 8 | (unsigned char)field[i];
		*ret = value;
		return value > INT64_MAX ? CAIRN_ECORRUPT : 0;
	}
	for (; i < size && field[i] >= '0' && field[i] <= '7'; i++)
		value = value * 8 + (uint64_t)(field[i] - '0');
	if (i == 0 || (i < size && field[i] != 0 && field[i] != ' '))
		return CAIRN_ECORRUPT;
	*ret = value;
	return 0;
}

static bool
sum_is_right(const struct tar_header *header)
{
	const unsigned char *bytes = (const unsigned char *)header;
	uint64_t said = 0;
	unsigned sum = 0;

	for (size_t i = 0; i < sizeof *header; i++) {
		bool own = i >= offsetof(struct tar_header, checksum) &&
		    i < offsetof(struct tar_header, checksum) + sizeof header->checksum;

		sum += own ? ' ' : bytes[i];
	}
	return get_number(header->checksum, sizeof header->checksum, &said) == 0 && said == sum;
}

/* "27 path=...\n"; of a link the target is in the list. */
static int
read_pax(const struct buf *records, char ret_path[PATH_MAX])
{
	const char *at = (const char *)records->data, *end = at + records->length;

	while (at < end) {
		char *after;
		unsigned long length = strtoul(at, &after, 10);
		size_t head = (size_t)(after - at) + 1;

		if (*after != ' ' || length <= head || length > (size_t)(end - at) ||
		    at[length - 1] != '\n')
			return CAIRN_ECORRUPT;
		if (length > head + 5 && strncmp(at + head, "path=", 5) == 0 &&
		    snprintf(ret_path, PATH_MAX, "%.*s", (int)(length - head - 6), at + head + 5) >=
			PATH_MAX)
			return CAIRN_ELIMIT;
		at += length;
	}
	return 0;
}

static int
skip_padding(int fd, uint64_t size)
{
	char block[TAR_BLOCK];
	size_t over = (size_t)(size % TAR_BLOCK);

	return over == 0 ? 0 : file_read_all(fd, block, TAR_BLOCK - over);
}

static int
read_extended(int fd, uint64_t size, char ret_path[PATH_MAX])
{
	BUF_AUTO records = {.max = PAX_MAX + 1};
	int code = size > PAX_MAX ? CAIRN_ELIMIT : buf_reserve(&records, (size_t)size + 1);

	if (code == 0)
		code = file_read_all(fd, records.data, (size_t)size);
	if (code != 0)
		return code;
	records.length = (size_t)size;
	records.data[size] = 0;
	code = skip_padding(fd, size);
	return code == 0 ? read_pax(&records, ret_path) : code;
}

/* CAIRN_ENOTFOUND at the end. */
static int
next_member(int fd, struct member *ret, struct cairn_error *err)
{
	struct tar_header header;

	ret->path[0] = 0;
	for (;;) {
		if (file_read_all(fd, &header, sizeof header) != 0)
			return damaged(err, "the file ends too early");
		if (header.name[0] == 0)
			return CAIRN_ENOTFOUND;
		if (!sum_is_right(&header) || memcmp(header.magic, "ustar", 5) != 0 ||
		    get_number(header.size, sizeof header.size, &ret->size) != 0)
			return damaged(err, "a header cannot be read");
		if (header.type != 'x')
			break;
		if (read_extended(fd, ret->size, ret->path) != 0)
			return damaged(err, "a header cannot be read");
	}
	ret->type = header.type;
	if (ret->path[0] == 0)
		snprintf(ret->path, sizeof ret->path, "%.100s", header.name);
	return 0;
}

static int
read_list(struct restoring *restoring, int fd, uint64_t size, struct cairn_error *err)
{
	BUF_AUTO text = {.max = (size_t)LIST_BYTES_MAX + 1};
	struct stat st;
	int code;

	/* Before so much memory is taken as a header says. */
	if (fstat(fd, &st) != 0 || (S_ISREG(st.st_mode) && size > (uint64_t)st.st_size))
		return damaged(err, "the file ends too early");
	if (size > LIST_BYTES_MAX || buf_reserve(&text, (size_t)size + 1) != 0)
		return cairn_error_set(err, CAIRN_ELIMIT, "its list is too large");
	if (file_read_all(fd, text.data, (size_t)size) != 0)
		return damaged(err, "the file ends too early");
	code = backup_list_parse((const char *)text.data, (size_t)size, &restoring->list, err);
	restoring->whole = code == 0;
	return code == 0 && skip_padding(fd, size) != 0 ? damaged(err, "the file ends too early")
							: code;
}

static int
take_member(struct restoring *restoring, int fd, struct member *member, struct cairn_error *err)
{
	struct backup_entry entry = {.path = member->path, .size = member->size};
	int code;

	if (strcmp(member->path, BACKUP_LIST) == 0)
		return read_list(restoring, fd, member->size, err);
	if (member->type != '0')
		return 0; /* folders and links are in the list */
	if (!backup_path_valid(member->path))
		return damaged(err, "a path leads elsewhere");
	code = write_file(restoring, fd, &entry, err);
	if (code == CAIRN_EAGAIN || (code == 0 && skip_padding(fd, member->size) != 0))
		return damaged(err, "the file ends too early");
	return code == 0 ? backup_list_add(&restoring->found, &entry, err) : code;
}

static int
compare_found(struct restoring *restoring, struct cairn_error *err)
{
	size_t files = 0;

	backup_list_sort(&restoring->found);
	for (size_t i = 0; i < restoring->list.count; i++) {
		const struct backup_entry *said = &restoring->list.entries[i], *found;

		if (said->kind != BACKUP_FILE)
			continue;
		files++;
		found = backup_list_find(&restoring->found, said->path);
		if (found == NULL || found->size != said->size ||
		    strcmp(found->sha256, said->sha256) != 0)
			return differs(said->path, err);
	}
	return files == restoring->found.count
	    ? 0
	    : damaged(err, "it holds files that its list does not");
}

static int
from_tar(struct restoring *restoring, const char *file, struct cairn_error *err)
{
	FD_AUTO fd = open(file, O_RDONLY | O_CLOEXEC);
	struct member *member = calloc(1, sizeof *member);
	int code = 0;

	if (fd < 0 || member == NULL) {
		free(member);
		return cairn_error_set(
		    err, CAIRN_ENOTFOUND, "cannot read %s: %s", file, strerror(errno));
	}
	while (code == 0 && !restoring->whole) {
		code = next_member(fd, member, err);
		if (code == CAIRN_ENOTFOUND)
			code = damaged(err, "it has no " BACKUP_LIST);
		if (code == 0)
			code = take_member(restoring, fd, member, err);
	}
	free(member);
	code = code == 0 ? compare_found(restoring, err) : code;
	return code == 0 ? 0 : cairn_error_prefix(err, code, "%s", file);
}

/* ---- the end ---------------------------------------------------------------------------- */

/* Where root restores, everything belongs to whom it belonged. */
static int
finish_entry(
    const struct restoring *restoring, const struct backup_entry *entry, struct cairn_error *err)
{
	char path[PATH_MAX];
	int code = backup_place(restoring->stage, entry->path, path, err);

	if (code == 0 && entry->kind == BACKUP_FOLDER)
		code = file_mkdirs(path, 0700, err);
	if (code != 0)
		return code;
	if (entry->kind == BACKUP_LINK && symlink(entry->target, path) != 0)
		return cairn_error_set(err, CAIRN_EIO, "cannot make %s: %s", path, strerror(errno));
	if (geteuid() == 0 && lchown(path, entry->uid, entry->gid) != 0)
		return cairn_error_set(err, CAIRN_EIO, "cannot give %s to user %u: %s", path,
		    (unsigned)entry->uid, strerror(errno));
	if (entry->kind != BACKUP_LINK && chmod(path, entry->mode) != 0)
		return cairn_error_set(
		    err, CAIRN_EIO, "cannot set the mode of %s: %s", path, strerror(errno));
	return 0;
}

static int
finish(struct restoring *restoring, struct cairn_error *err)
{
	static const char *const folders[] = {"run", "log", "intake", "objects/incoming"};
	char path[PATH_MAX];
	int code = 0;

	/* From the back: a folder gets its mode after what is in it. */
	for (size_t i = restoring->list.count; code == 0 && i-- > 0;)
		code = finish_entry(restoring, &restoring->list.entries[i], err);
	for (size_t i = 0; code == 0 && i < sizeof folders / sizeof folders[0]; i++) {
		code = file_join(path, sizeof path, restoring->stage, folders[i]);
		if (code == 0 && i < 3)
			code = file_mkdirs(path, 0700, err);
	}
	if (code == 0 && restoring->list.index_stale &&
	    file_join(path, sizeof path, restoring->stage, "objects/index") == 0)
		backup_remove_tree(path);
	return code;
}

static int
copy_keys(struct restoring *restoring, const char *keys, struct cairn_error *err)
{
	static const char *const names[] = {"node.key", "node.pub", "pseudonym.key"};
	int code = 0;

	for (size_t i = 0; code == 0 && i < sizeof names / sizeof names[0]; i++) {
		BUF_AUTO bytes = {.max = 65536};
		char from[PATH_MAX], name[64], to[PATH_MAX];

		snprintf(name, sizeof name, "keys/%s", names[i]);
		if (file_join(from, sizeof from, keys, names[i]) != 0)
			return cairn_error_set(err, CAIRN_ELIMIT, "the path is too long: %s", keys);
		code = file_read(from, &bytes, err);
		if (code == 0)
			code = backup_place(restoring->stage, name, to, err);
		if (code == 0)
			code = file_write(to, bytes.data, bytes.length,
			    strcmp(names[i], "node.pub") == 0 ? 0644 : 0600, err);
	}
	return code;
}

static int
commit(struct restoring *restoring, struct cairn_error *err)
{
	char parent[PATH_MAX];
	char *slash;

	if (rename(restoring->stage, restoring->home) != 0)
		return cairn_error_set(
		    err, CAIRN_EIO, "cannot make %s: %s", restoring->home, strerror(errno));
	memcpy(parent, restoring->home, sizeof parent);
	slash = strrchr(parent, '/');
	if (slash == NULL)
		return file_sync_dir(".", err);
	slash[slash == parent] = 0;
	return file_sync_dir(parent, err);
}

static int
run(struct restoring *restoring, const char *from, const char *keys, struct cairn_error *err)
{
	struct stat st;
	int code;

	if (stat(from, &st) != 0)
		return cairn_error_set(
		    err, CAIRN_ENOTFOUND, "cannot read %s: %s", from, strerror(errno));
	code = S_ISDIR(st.st_mode) ? from_folder(restoring, from, err)
				   : from_tar(restoring, from, err);
	if (code == 0)
		code = finish(restoring, err);
	if (code == 0 && keys != NULL)
		code = copy_keys(restoring, keys, err);
	return code == 0 ? commit(restoring, err) : code;
}

int
restore_home(const char *from, const char *home, const char *keys, struct backup_list *ret,
    struct cairn_error *err)
{
	struct restoring *restoring = calloc(1, sizeof *restoring);
	int code = restoring == NULL ? cairn_error_set(err, CAIRN_ENOMEM, "out of memory")
				     : begin(restoring, home, err);

	if (code != 0) {
		free(restoring);
		return code;
	}
	code = run(restoring, from, keys, err);
	backup_list_fini(&restoring->found);
	if (code == 0) {
		*ret = restoring->list;
	} else {
		backup_list_fini(&restoring->list);
		backup_remove_tree(restoring->stage);
	}
	free(restoring);
	return code;
}
