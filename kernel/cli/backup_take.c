/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The home of a running node, copied so that it can begin again from the copy.  Nothing is stopped;
 * what makes the parts fit is their order.  An instance goes from the segments (where the index
 * knows how far its facts were handed over) to the jobs to a plugin's index, and the copy goes the
 * other way round the circle:
 *
 *   objects/index   first: facts behind its cursor are handed over again, none is missed
 *   jobs            then: what the cursor says was handed over is among them, or was done
 *   plugins' state  then: what is no job any more is in it; what comes twice changes nothing
 *   segments        last: whatever the others speak of is in them; so is all that was
 *                   acknowledged before, for that was written before it was acknowledged
 *   links           then: every pseudonym that the others use leads where it should, and moves of
 *                   facts, which are kept for a week, are told again
 *   the ledger      after everything that it may speak of
 *
 * LMDB environments are copied as of one moment, through LMDB's own locks; other files grow at
 * their end only, or are replaced by a rename.  An instance that is half written at the end of the
 * last segment is cut off when the store is opened, as after a power cut.
 */
#include "cli/backup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <lmdb.h>

#include "base/file.h"

#define DEPTH_MAX 32
#define LIST_AGAIN_MAX 8

struct taking {
	struct backup_sink *sink;
	struct backup_list *list;
	const char *home;
	uint64_t bytes; /* with `sink` NULL only counted */
	bool again;     /* what is in the list is passed over */
	bool vanished;  /* a file was gone before it was opened */
};

static const char *const environments[] = {"objects/index", "state/kernel/jobs"};
static const char links[] = "state/kernel/links";
static const char ledger[] = "state/kernel/ledger";
/* What a running node has for itself, or holds only for a moment. */
static const char *const left_out[] = {"run", "log", "intake", "keys", "ledger.checkpoint",
    "objects/incoming", "objects/index", "objects/segments", "state/kernel/jobs",
    "state/kernel/links", "state/kernel/ledger", NULL};

static bool
is_one_of(const char *const *names, const char *path)
{
	for (size_t i = 0; names[i] != NULL; i++) {
		if (strcmp(names[i], path) == 0)
			return true;
	}
	return false;
}

static void
fill(struct backup_entry *entry, const char *path, const struct stat *st)
{
	*entry = (struct backup_entry){.path = (char *)(uintptr_t)path,
	    .mode = st->st_mode & 07777u,
	    .uid = st->st_uid,
	    .gid = st->st_gid,
	    .size = (uint64_t)st->st_size,
	    .mtime_ns = (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec};
}

/* ---- one file --------------------------------------------------------------------------- */

static bool
is_object(const char *path)
{
	return strncmp(path, "objects/segments/", 17) == 0 ||
	    strncmp(path, "objects/blobs/", 14) == 0 || strncmp(path, "objects/files/", 14) == 0;
}

/* What is gone by now was replaced or erased: the name that came instead is in the folder. */
static int
take_file(struct taking *taking, const char *full, const char *path, struct cairn_error *err)
{
	struct backup_entry entry;
	FD_AUTO fd = open(full, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;
	int code = 0;

	if (fd < 0 && errno == ENOENT) {
		taking->vanished = true;
		return 0;
	}
	if (fd < 0 || fstat(fd, &st) != 0)
		return cairn_error_set(err, CAIRN_EIO, "cannot read %s: %s", full, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return 0;
	fill(&entry, path, &st);
	taking->bytes += entry.size;
	if (taking->sink == NULL)
		return 0;
	if (!is_object(path) || !taking->sink->keep(taking->sink, &entry))
		code = taking->sink->file(taking->sink, fd, &entry, err);
	return code == 0 ? backup_list_add(taking->list, &entry, err) : code;
}

static int
take_name(struct taking *taking, struct backup_entry *entry, struct cairn_error *err)
{
	int code;

	if (taking->sink == NULL)
		return 0;
	code = taking->sink->name(taking->sink, entry, err);
	return code == 0 ? backup_list_add(taking->list, entry, err) : code;
}

static int
take_link(struct taking *taking, const char *full, const char *path, const struct stat *st,
    struct cairn_error *err)
{
	char target[PATH_MAX];
	struct backup_entry entry;
	ssize_t length = readlink(full, target, sizeof target - 1);

	if (length < 0)
		return errno == ENOENT
		    ? 0
		    : cairn_error_set(err, CAIRN_EIO, "cannot read %s: %s", full, strerror(errno));
	target[length] = 0;
	fill(&entry, path, st);
	entry.kind = BACKUP_LINK;
	entry.target = target;
	entry.size = 0;
	return take_name(taking, &entry, err);
}

/* ---- LMDB ------------------------------------------------------------------------------- */

static int
lmdb_failed(const char *path, int rc, struct cairn_error *err)
{
	return cairn_error_set(err, rc == ENOSPC ? CAIRN_ELIMIT : CAIRN_EIO, "cannot copy %s: %s",
	    path, mdb_strerror(rc));
}

/* Only what is in use is copied; an environment that LMDB cannot pack so is copied as it is. */
static int
copy_environment(const char *full, int fd, struct cairn_error *err)
{
	MDB_env *env = NULL;
	int rc = mdb_env_create(&env);

	if (rc == 0)
		rc = mdb_env_open(env, full, MDB_RDONLY | MDB_NOTLS, 0600);
	if (rc == 0) {
		rc = mdb_env_copyfd2(env, fd, MDB_CP_COMPACT);
		if (rc == MDB_INCOMPATIBLE || rc == MDB_CORRUPTED) {
			rc = ftruncate(fd, 0) != 0 || lseek(fd, 0, SEEK_SET) < 0
			    ? errno
			    : mdb_env_copyfd2(env, fd, 0);
		}
	}
	if (env != NULL)
		mdb_env_close(env);
	return rc == 0 ? 0 : lmdb_failed(full, rc, err);
}

static int
take_copied(struct taking *taking, const char *copy, const char *path, const struct stat *original,
    struct cairn_error *err)
{
	char relative[PATH_MAX];
	struct backup_entry entry;
	FD_AUTO fd = open(copy, O_RDONLY | O_CLOEXEC);
	struct stat st;
	int code;

	if (fd < 0 || fstat(fd, &st) != 0)
		return cairn_error_set(err, CAIRN_EIO, "cannot read %s: %s", copy, strerror(errno));
	if (file_join(relative, sizeof relative, path, "data.mdb") != 0)
		return cairn_error_set(err, CAIRN_ELIMIT, "the path is too long: %s", path);
	fill(&entry, relative, original);
	entry.size = (uint64_t)st.st_size;
	code = taking->sink->file(taking->sink, fd, &entry, err);
	return code == 0 ? backup_list_add(taking->list, &entry, err) : code;
}

/* As of one moment, into the scratch folder and from there. */
static int
take_environment(struct taking *taking, const char *full, const char *path, struct cairn_error *err)
{
	char copy[PATH_MAX], data[PATH_MAX];
	struct stat st;
	FD_AUTO fd = -1;
	int code;

	if (file_join(data, sizeof data, full, "data.mdb") != 0)
		return cairn_error_set(err, CAIRN_ELIMIT, "the path is too long: %s", full);
	if (stat(data, &st) != 0)
		return 0; /* it has never been used */
	taking->bytes += (uint64_t)st.st_blocks * 512;
	if (taking->sink == NULL)
		return 0;
	if (file_join(copy, sizeof copy, taking->sink->scratch, "data.mdb") != 0)
		return cairn_error_set(err, CAIRN_ELIMIT, "the path is too long");
	fd = open(copy, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return cairn_error_set(err, CAIRN_EIO, "cannot make %s: %s", copy, strerror(errno));
	code = copy_environment(full, fd, err);
	if (code == 0)
		code = take_copied(taking, copy, path, &st, err);
	unlink(copy);
	return code;
}

/* ---- folders ---------------------------------------------------------------------------- */

static int take_folder(
    struct taking *taking, const char *path, unsigned depth, struct cairn_error *err);

static bool
has(const struct backup_list *list, const char *path)
{
	for (size_t i = 0; i < list->count; i++) {
		if (strcmp(list->entries[i].path, path) == 0)
			return true;
	}
	return false;
}

static int
take_entry(struct taking *taking, const char *path, unsigned depth, struct cairn_error *err)
{
	char full[PATH_MAX];
	struct stat st;

	if (file_join(full, sizeof full, taking->home, path) != 0)
		return cairn_error_set(err, CAIRN_ELIMIT, "the path is too long: %s", path);
	if (lstat(full, &st) != 0)
		return errno == ENOENT
		    ? 0
		    : cairn_error_set(err, CAIRN_EIO, "cannot read %s: %s", full, strerror(errno));
	if (S_ISDIR(st.st_mode))
		return take_folder(taking, path, depth + 1, err);
	if (S_ISLNK(st.st_mode))
		return take_link(taking, full, path, &st, err);
	if (!S_ISREG(st.st_mode) || (taking->again && has(taking->list, path)))
		return 0;
	return take_file(taking, full, path, err);
}

/* Names are read before anything is copied: segments in their order, and those that came while we
 * copied are behind all that was acknowledged when we began. */
static int
take_names(struct taking *taking, const char *full, const char *path, unsigned depth,
    struct cairn_error *err)
{
	struct dirent **names = NULL;
	int count = scandir(full, &names, NULL, alphasort), code = 0;

	if (count < 0)
		return errno == ENOENT
		    ? 0
		    : cairn_error_set(err, CAIRN_EIO, "cannot read %s: %s", full, strerror(errno));
	for (int i = 0; i < count; i++) {
		const char *name = names[i]->d_name;
		char below[PATH_MAX];

		if (code == 0 && strcmp(name, ".") != 0 && strcmp(name, "..") != 0) {
			code = file_join(below, sizeof below, path, name);
			if (code != 0)
				cairn_error_set(
				    err, code, "the path is too long: %s/%s", path, name);
			else if (!is_one_of(left_out, below))
				code = take_entry(taking, below, depth, err);
		}
		free(names[i]);
	}
	free(names);
	return code;
}

/* A folder that holds an environment holds nothing else (but its locks). */
static int
take_folder(struct taking *taking, const char *path, unsigned depth, struct cairn_error *err)
{
	char full[PATH_MAX], data[PATH_MAX];
	struct backup_entry entry;
	struct stat st;
	int code;

	if (depth > DEPTH_MAX)
		return cairn_error_set(err, CAIRN_ELIMIT, "%s lies too deep", path);
	if (file_join(full, sizeof full, taking->home, path) != 0 ||
	    file_join(data, sizeof data, full, "data.mdb") != 0)
		return cairn_error_set(err, CAIRN_ELIMIT, "the path is too long: %s", path);
	if (stat(full, &st) != 0)
		return errno == ENOENT
		    ? 0
		    : cairn_error_set(err, CAIRN_EIO, "cannot read %s: %s", full, strerror(errno));
	fill(&entry, path, &st);
	entry.kind = BACKUP_FOLDER;
	entry.size = 0;
	code = taking->again ? 0 : take_name(taking, &entry, err);
	if (code != 0)
		return code;
	return file_exists(data) ? take_environment(taking, full, path, err)
				 : take_names(taking, full, path, depth, err);
}

/* ---- the home --------------------------------------------------------------------------- */

/* The segment files there are; a compaction exchanges some, which the index, copied before, does
 * not know then. */
static int
list_segments(const char *home, char ***ret, int *ret_count)
{
	char path[PATH_MAX];
	struct dirent **names = NULL;
	char **list;

	*ret = NULL;
	*ret_count = 0;
	if (file_join(path, sizeof path, home, "objects/segments") != 0)
		return CAIRN_ELIMIT;
	*ret_count = scandir(path, &names, NULL, alphasort);
	if (*ret_count <= 0) {
		*ret_count = 0;
		return 0;
	}
	list = calloc((size_t)*ret_count, sizeof *list);
	for (int i = 0; i < *ret_count; i++) {
		if (list != NULL)
			list[i] = strdup(names[i]->d_name);
		free(names[i]);
	}
	free(names);
	*ret = list;
	return list == NULL ? CAIRN_ENOMEM : 0;
}

/* True when each of these is in the backup. */
static bool
holds_segments(struct backup_list *list, char **names, int count)
{
	bool all = true;

	backup_list_sort(list);
	for (int i = 0; i < count; i++) {
		char path[PATH_MAX];
		size_t length = names[i] == NULL ? 0 : strlen(names[i]);

		if (length > 4 && strcmp(names[i] + length - 4, ".seg") == 0 &&
		    file_join(path, sizeof path, "objects/segments", names[i]) == 0 &&
		    backup_list_find(list, path) == NULL)
			all = false;
		free(names[i]);
	}
	free(names);
	return all;
}

/* One that a compaction took away has a successor by now, which comes beside the others. */
static int
take_segments(struct taking *taking, struct cairn_error *err)
{
	int code = 0;

	for (int again = 0; code == 0 && again < LIST_AGAIN_MAX; again++) {
		taking->vanished = false;
		taking->again = again > 0;
		code = take_entry(taking, "objects/segments", 0, err);
		if (code != 0 || !taking->vanished)
			break;
	}
	taking->again = false;
	return code != 0 || !taking->vanished
	    ? code
	    : cairn_error_set(
		  err, CAIRN_EAGAIN, "the object store is being compacted; try again later");
}

static int
take_all(struct taking *taking, const struct backup_options *options, struct cairn_error *err)
{
	static const char *const others[] = {
	    "objects", "node.yaml", "plugins", "policies", "workflows"};
	int code = 0;

	for (size_t i = 0; code == 0 && i < sizeof environments / sizeof environments[0]; i++)
		code = take_folder(taking, environments[i], 0, err);
	if (code == 0)
		code = take_entry(taking, "state", 0, err);
	if (code == 0)
		code = take_segments(taking, err);
	for (size_t i = 0; code == 0 && i < sizeof others / sizeof others[0]; i++)
		code = take_entry(taking, others[i], 0, err);
	/* Whose plugins are trusted is no secret. */
	if (code == 0)
		code = take_entry(taking, options->keys ? "keys" : "keys/publishers", 0, err);
	if (code == 0)
		code = take_folder(taking, links, 0, err);
	return code == 0 ? take_folder(taking, ledger, 0, err) : code;
}

int
backup_take(struct backup_sink *sink, const struct backup_options *options,
    struct backup_list *list, struct cairn_error *err)
{
	struct taking taking = {.sink = sink, .list = list, .home = options->home};
	char **segments;
	int count;
	int code = list_segments(options->home, &segments, &count);

	if (code != 0)
		return cairn_error_set(err, code, "cannot list the segments");
	list->keys = options->keys;
	code = take_all(&taking, options, err);
	list->index_stale = !holds_segments(list, segments, count);
	return code;
}

uint64_t
backup_size(const char *home)
{
	struct taking taking = {.home = home};
	const struct backup_options options = {.home = home, .keys = true};

	take_all(&taking, &options, NULL);
	return taking.bytes;
}
