/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_BACKUP_H
#define CLI_BACKUP_H

/*
 * A copy of a node's home, taken while it runs, and how it comes back.
 *
 *   backup_list.c  what is in a backup: backup.json, its last file, without which it is none
 *   backup_dir.c   into a folder; what did not change since the backup before is a hard link to it
 *   backup_tar.c   into one file, as tar(1) reads it
 *   backup_take.c  the home, in the order that makes the copy consistent
 *   restore.c      back into a new home, everything compared with its digest
 */

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <jansson.h>

#include <cairn/error.h>

#define BACKUP_LIST "backup.json"
#define BACKUP_FORMAT 1
#define BACKUP_RESERVE_MB 256 /* that a backup leaves free on the disk it is written to */

enum backup_kind { BACKUP_FILE, BACKUP_LINK, BACKUP_FOLDER };

struct backup_entry {
	enum backup_kind kind;
	char *path;   /* in the home */
	char *target; /* of a link */
	mode_t mode;
	uid_t uid;
	gid_t gid;
	uint64_t size;
	int64_t mtime_ns; /* of the file that was copied */
	char sha256[65];
};

struct backup_list {
	struct backup_entry *entries;
	size_t count, room;
	bool keys;
	bool index_stale; /* objects/index does not fit the segments: it is made anew from them */
	char node[64], taken[32];
};

/* Copies what `entry` holds. */
int backup_list_add(
    struct backup_list *list, const struct backup_entry *entry, struct cairn_error *err);
const struct backup_entry *backup_list_find(const struct backup_list *list, const char *path);
void backup_list_sort(struct backup_list *list);
void backup_list_fini(struct backup_list *list);
char *backup_list_text(const struct backup_list *list); /* malloc'ed JSON; NULL without memory */
/* Everything in it is checked: paths lead nowhere else, and no two are one. */
int backup_list_parse(
    const char *text, size_t length, struct backup_list *ret, struct cairn_error *err);
int backup_list_read(const char *dir, struct backup_list *ret, struct cairn_error *err);
/* Relative, without "." and "..". */
bool backup_path_valid(const char *path);

/* ---- where a backup goes ---------------------------------------------------------------- */

struct backup_pace {
	uint64_t bytes_per_s; /* 0: as fast as it goes */
	uint64_t began_ns, bytes, looked;
	const char *dir; /* whose disk must not get full */
};

/* Counts, waits, and fails when the disk gets full. */
int backup_pace(struct backup_pace *pace, uint64_t bytes, struct cairn_error *err);

struct backup_sink {
	struct backup_pace pace;
	void *self;
	/* `entry->size` bytes of `fd`; puts their digest into the entry. */
	int (*file)(
	    struct backup_sink *sink, int fd, struct backup_entry *entry, struct cairn_error *err);
	/* A folder or a link. */
	int (*name)(
	    struct backup_sink *sink, const struct backup_entry *entry, struct cairn_error *err);
	/* True when the file is in the backup before, unchanged, and is in this one now. */
	bool (*keep)(struct backup_sink *sink, struct backup_entry *entry);
	/* The list, then the whole under its name; after a failure, or `list` NULL, nothing is
	 * left. */
	int (*end)(
	    struct backup_sink *sink, const struct backup_list *list, struct cairn_error *err);
	char scratch[4096];    /* a folder for copies on their way; on the backup's disk */
	char name_shown[4096]; /* what was made */
	uint64_t linked;       /* bytes that were kept */
};

int backup_dir_open(struct backup_sink *ret, const char *dir, struct cairn_error *err);
int backup_tar_open(struct backup_sink *ret, const char *file, struct cairn_error *err);

struct backup_options {
	const char *home;
	bool keys;
};

int backup_take(struct backup_sink *sink, const struct backup_options *options,
    struct backup_list *list, struct cairn_error *err);
/* How many bytes a backup has at most. */
uint64_t backup_size(const char *home);

/* ---- and back --------------------------------------------------------------------------- */

/* `from` is a folder with backups (the newest is taken), one of them, or a tar file; `home` must
 * not be there, or be empty.  `*ret` is what was restored. */
int restore_home(const char *from, const char *home, const char *keys, struct backup_list *ret,
    struct cairn_error *err);

/* Copies `size` bytes and makes their digest; CAIRN_EAGAIN when the file is shorter. */
int backup_copy(int from, uint64_t size, struct backup_pace *pace,
    int (*write)(void *arg, const uint8_t *bytes, size_t length, struct cairn_error *err),
    void *arg, char ret_sha256[65], struct cairn_error *err);
int backup_write_fd(void *arg, const uint8_t *bytes, size_t length, struct cairn_error *err);
void backup_remove_tree(const char *path);

/* The path of `name` below `folder`, whose folders exist then. */
int backup_place(const char *folder, const char *name, char ret[PATH_MAX], struct cairn_error *err);

#endif
