/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A backup in a folder: DIR/20261124T150405.123Z/, made as DIR/.partial-XXXXXX and renamed when it
 * is whole and on the disk.  Each is complete in itself; an object segment that has not changed
 * since the one before is a hard link to it, so that it costs nothing.
 */
#include "cli/backup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"

#define CHUNK ((size_t)1 << 20)
#define LOOK_EVERY ((uint64_t)64 << 20)
#define MIB ((uint64_t)1 << 20)
#define PARTIAL ".partial-"

struct folder {
	char dir[PATH_MAX], path[PATH_MAX], before[PATH_MAX];
	struct backup_list last; /* of the backup before */
	int lock;
};

/* ---- copying ---------------------------------------------------------------------------- */

int
backup_pace(struct backup_pace *pace, uint64_t bytes, struct cairn_error *err)
{
	struct statvfs fs;
	uint64_t now = clock_monotonic_ns(), due;

	if (pace->began_ns == 0)
		pace->began_ns = now;
	pace->bytes += bytes;
	if (pace->dir != NULL && pace->bytes - pace->looked >= LOOK_EVERY) {
		pace->looked = pace->bytes;
		if (statvfs(pace->dir, &fs) == 0 &&
		    fs.f_bavail * fs.f_frsize / MIB < BACKUP_RESERVE_MB)
			return cairn_error_set(err, CAIRN_ELIMIT,
			    "less than %d MiB are left on the disk of %s; nothing was kept",
			    BACKUP_RESERVE_MB, pace->dir);
	}
	if (pace->bytes_per_s == 0)
		return 0;
	due = pace->began_ns + pace->bytes / pace->bytes_per_s * 1000000000u +
	    pace->bytes % pace->bytes_per_s * 1000000000u / pace->bytes_per_s;
	if (due > now) {
		const struct timespec pause = {
		    (time_t)((due - now) / 1000000000u), (long)((due - now) % 1000000000u)};

		nanosleep(&pause, NULL);
	}
	return 0;
}

int
backup_write_fd(void *arg, const uint8_t *bytes, size_t length, struct cairn_error *err)
{
	const int *fd = arg;

	return file_write_all(*fd, bytes, length) == 0
	    ? 0
	    : cairn_error_set(err, CAIRN_EIO, "cannot write: %s", strerror(errno));
}

static int
copy_chunks(int from, uint64_t size, EVP_MD_CTX *digest, struct backup_pace *pace,
    int (*write)(void *arg, const uint8_t *bytes, size_t length, struct cairn_error *err),
    void *arg, uint8_t *chunk, struct cairn_error *err)
{
	uint64_t at = 0;

	while (at < size) {
		size_t want = size - at < CHUNK ? (size_t)(size - at) : CHUNK;
		ssize_t got = read(from, chunk, want);
		int code;

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return cairn_error_set(err, CAIRN_EIO, "cannot read: %s", strerror(errno));
		if (got == 0)
			return cairn_error_set(err, CAIRN_EAGAIN, "it became shorter meanwhile");
		EVP_DigestUpdate(digest, chunk, (size_t)got);
		code = write == NULL ? 0 : write(arg, chunk, (size_t)got, err);
		if (code == 0)
			code = backup_pace(pace, (uint64_t)got, err);
		if (code != 0)
			return code;
		at += (uint64_t)got;
		/* What the node reads should stay in memory, not what we read once. */
		posix_fadvise(from, 0, (off_t)at, POSIX_FADV_DONTNEED);
	}
	return 0;
}

int
backup_copy(int from, uint64_t size, struct backup_pace *pace,
    int (*write)(void *arg, const uint8_t *bytes, size_t length, struct cairn_error *err),
    void *arg, char ret_sha256[65], struct cairn_error *err)
{
	EVP_MD_CTX *digest = EVP_MD_CTX_new();
	uint8_t *chunk = malloc(CHUNK), hash[32];
	int code =
	    digest == NULL || chunk == NULL || EVP_DigestInit_ex(digest, EVP_sha256(), NULL) != 1
	    ? cairn_error_set(err, CAIRN_ENOMEM, "out of memory")
	    : copy_chunks(from, size, digest, pace, write, arg, chunk, err);

	if (code == 0 && EVP_DigestFinal_ex(digest, hash, NULL) == 1)
		text_hex(hash, sizeof hash, ret_sha256);
	EVP_MD_CTX_free(digest);
	free(chunk);
	return code;
}

static int
remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	(void)st, (void)kind, (void)where;
	return remove(path);
}

void
backup_remove_tree(const char *path)
{
	nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- the folder ------------------------------------------------------------------------- */

int
backup_place(const char *folder, const char *name, char ret[PATH_MAX], struct cairn_error *err)
{
	char *slash;
	int code = file_join(ret, PATH_MAX, folder, name);

	if (code != 0)
		return cairn_error_set(err, code, "the path is too long: %s", name);
	slash = strrchr(ret, '/');
	*slash = 0;
	code = file_mkdirs(ret, 0700, err);
	*slash = '/';
	return code;
}

static int
dir_file(struct backup_sink *sink, int fd, struct backup_entry *entry, struct cairn_error *err)
{
	struct folder *folder = sink->self;
	char path[PATH_MAX];
	FD_AUTO to = -1;
	int code = backup_place(folder->path, entry->path, path, err);

	if (code != 0)
		return code;
	to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (to < 0)
		return cairn_error_set(err, CAIRN_EIO, "cannot make %s: %s", path, strerror(errno));
	code = backup_copy(fd, entry->size, &sink->pace, backup_write_fd, &to, entry->sha256, err);
	if (code == 0 && fdatasync(to) != 0)
		code =
		    cairn_error_set(err, CAIRN_EIO, "cannot write %s: %s", path, strerror(errno));
	return code == 0 ? 0 : cairn_error_prefix(err, code, "%s", entry->path);
}

static int
dir_name(struct backup_sink *sink, const struct backup_entry *entry, struct cairn_error *err)
{
	struct folder *folder = sink->self;
	char path[PATH_MAX];
	int code = backup_place(folder->path, entry->path, path, err);

	if (code != 0)
		return code;
	if (entry->kind == BACKUP_FOLDER)
		return file_mkdirs(path, 0700, err);
	return symlink(entry->target, path) == 0
	    ? 0
	    : cairn_error_set(err, CAIRN_EIO, "cannot make %s: %s", path, strerror(errno));
}

static bool
dir_keep(struct backup_sink *sink, struct backup_entry *entry)
{
	struct folder *folder = sink->self;
	const struct backup_entry *last = backup_list_find(&folder->last, entry->path);
	char from[PATH_MAX], to[PATH_MAX];
	struct stat st;

	if (last == NULL || last->kind != BACKUP_FILE || last->size != entry->size ||
	    last->mtime_ns != entry->mtime_ns ||
	    file_join(from, sizeof from, folder->before, entry->path) != 0 ||
	    stat(from, &st) != 0 || (uint64_t)st.st_size != entry->size ||
	    backup_place(folder->path, entry->path, to, NULL) != 0 || link(from, to) != 0)
		return false;
	memcpy(entry->sha256, last->sha256, sizeof entry->sha256);
	sink->linked += entry->size;
	return true;
}

static int
finish(struct backup_sink *sink, const struct backup_list *list, struct cairn_error *err)
{
	struct folder *folder = sink->self;
	char path[PATH_MAX];
	char *text = backup_list_text(list);
	int code = text == NULL ? cairn_error_set(err, CAIRN_ENOMEM, "cannot list the backup")
				: file_join(path, sizeof path, folder->path, BACKUP_LIST);

	rmdir(sink->scratch);
	/* The list is made last, and the folder gets its name last. */
	if (code == 0)
		code = file_write(path, text, strlen(text), 0600, err);
	free(text);
	if (code == 0)
		code = file_join(path, sizeof path, folder->dir, list->taken);
	if (code == 0 && rename(folder->path, path) != 0)
		code = cairn_error_set(err, CAIRN_EIO, "cannot make %s: %s", path, strerror(errno));
	if (code == 0)
		code = file_sync_dir(folder->dir, err);
	if (code == 0)
		snprintf(sink->name_shown, sizeof sink->name_shown, "%.4095s", path);
	return code;
}

static int
dir_end(struct backup_sink *sink, const struct backup_list *list, struct cairn_error *err)
{
	struct folder *folder = sink->self;
	int code = list == NULL ? 0 : finish(sink, list, err);

	if (list == NULL || code != 0)
		backup_remove_tree(folder->path);
	backup_list_fini(&folder->last);
	file_close(&folder->lock);
	free(folder);
	return code;
}

/* The newest one that is whole, and what a backup that was killed left behind. */
static void
look_around(struct folder *folder)
{
	struct dirent **names = NULL;
	int count = scandir(folder->dir, &names, NULL, alphasort);

	for (int i = 0; i < count; i++) {
		char path[PATH_MAX];
		struct backup_list list = {0};

		if (file_join(path, sizeof path, folder->dir, names[i]->d_name) != 0) {
		} else if (strncmp(names[i]->d_name, PARTIAL, strlen(PARTIAL)) == 0) {
			backup_remove_tree(path);
		} else if (names[i]->d_name[0] != '.' && backup_list_read(path, &list, NULL) == 0) {
			backup_list_fini(&folder->last);
			folder->last = list;
			memcpy(folder->before, path, sizeof path);
		}
		free(names[i]);
	}
	free(names);
}

static int
lock_folder(struct folder *folder, struct cairn_error *err)
{
	folder->lock = open(folder->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder->lock < 0)
		return cairn_error_set(
		    err, CAIRN_EIO, "cannot open %s: %s", folder->dir, strerror(errno));
	if (flock(folder->lock, LOCK_EX | LOCK_NB) != 0)
		return cairn_error_set(
		    err, CAIRN_EEXIST, "another backup is being made in %s", folder->dir);
	return 0;
}

static int
open_folder(
    struct folder *folder, struct backup_sink *sink, const char *dir, struct cairn_error *err)
{
	int code = file_mkdirs(dir, 0700, err);

	if (code == 0 && realpath(dir, folder->dir) == NULL)
		code = cairn_error_set(err, CAIRN_EIO, "cannot use %s: %s", dir, strerror(errno));
	if (code == 0)
		code = lock_folder(folder, err);
	if (code != 0)
		return code;
	look_around(folder);
	if (file_join(folder->path, PATH_MAX, folder->dir, PARTIAL "XXXXXX") != 0 ||
	    mkdtemp(folder->path) == NULL ||
	    file_join(sink->scratch, sizeof sink->scratch, folder->path, ".scratch") != 0 ||
	    mkdir(sink->scratch, 0700) != 0)
		return cairn_error_set(
		    err, CAIRN_EIO, "cannot write into %s: %s", folder->dir, strerror(errno));
	return 0;
}

int
backup_dir_open(struct backup_sink *ret, const char *dir, struct cairn_error *err)
{
	struct folder *folder = calloc(1, sizeof *folder);
	struct backup_sink *sink = ret;
	int code;

	if (folder == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	folder->lock = -1;
	code = open_folder(folder, sink, dir, err);
	if (code != 0) {
		backup_list_fini(&folder->last);
		file_close(&folder->lock);
		free(folder);
		return code;
	}
	sink->self = folder;
	sink->pace.dir = folder->dir;
	sink->file = dir_file;
	sink->name = dir_name;
	sink->keep = dir_keep;
	sink->end = dir_end;
	return 0;
}
