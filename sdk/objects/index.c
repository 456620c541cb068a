/* SPDX-License-Identifier: Apache-2.0 */
#include "objects/index.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "objects/crc32c.h"
#include "objects/le.h"

/* Only address space; room for some 50 million objects. */
#define MAP_SIZE ((size_t)16 << 30)
#define READERS_MAX 126
#define ENTRY_SIZE 76
#define NAME_MAX_ 128

struct objects_index {
	MDB_env *env;
	MDB_dbi objects; /* key -> entry */
	MDB_dbi meta;    /* one letter, name -> numbers */
	char path[PATH_MAX];
	dev_t dev;
	ino_t ino;
};

struct index_read {
	struct objects_index *index;
	MDB_txn *txn;
};

struct index_write {
	struct objects_index *index;
	MDB_txn *txn;
};

static int
code_of(int rc)
{
	switch (rc) {
	case 0:
		return 0;
	case MDB_NOTFOUND:
		return CAIRN_ENOTFOUND;
	case MDB_MAP_FULL:
		return CAIRN_ELIMIT;
	case ENOMEM:
		return CAIRN_ENOMEM;
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
	case MDB_INVALID:
	case MDB_VERSION_MISMATCH:
	case MDB_INCOMPATIBLE:
	case MDB_BAD_TXN:
		return CAIRN_ECORRUPT;
	default:
		return CAIRN_EIO;
	}
}

void
objects_index_entry(const struct record *record, uint32_t segment, struct index_entry *ret)
{
	*ret = (struct index_entry){.kind = record->kind,
	    .segment = segment,
	    .logical = record->logical,
	    .physical = record->at,
	    .length = record->length,
	    .target = record->target};
	memcpy(ret->sha256, record->sha256, 32);
}

void
objects_index_ref(const char *key, const struct index_entry *entry, struct objects_ref *ret)
{
	memset(ret, 0, sizeof *ret);
	memcpy(ret->key, key, strnlen(key, OBJECTS_KEY_MAX));
	memcpy(ret->sha256, entry->sha256, 32);
	ret->segment = entry->segment;
	ret->offset = entry->logical + RECORD_HEADER_SIZE;
	ret->length = entry->length;
}

/* ---- opening ---------------------------------------------------------------------------- */

/* A file cut short would end the process with SIGBUS at the first page that is not there. */
static int
check_size(struct objects_index *index)
{
	MDB_envinfo info;
	MDB_stat stat;
	struct stat st;

	if (mdb_env_info(index->env, &info) != 0 || mdb_env_stat(index->env, &stat) != 0 ||
	    fstatat(AT_FDCWD, index->path, &st, 0) != 0)
		return CAIRN_EIO;
	index->dev = st.st_dev;
	index->ino = st.st_ino;
	if (stat.ms_psize == 0 || info.me_last_pgno > (uint64_t)st.st_size / stat.ms_psize ||
	    (info.me_last_pgno + 1) * stat.ms_psize > (uint64_t)st.st_size)
		return CAIRN_ECORRUPT;
	return 0;
}

static int
open_tables(struct objects_index *index, bool writer)
{
	unsigned create = writer ? MDB_CREATE : 0;
	MDB_txn *txn;
	int rc = mdb_txn_begin(index->env, NULL, writer ? 0 : MDB_RDONLY, &txn);

	if (rc != 0)
		return rc;
	rc = mdb_dbi_open(txn, "objects", create, &index->objects);
	if (rc == 0)
		rc = mdb_dbi_open(txn, "meta", create, &index->meta);
	if (rc != 0) {
		mdb_txn_abort(txn);
		return rc;
	}
	return mdb_txn_commit(txn);
}

static int
open_env(struct objects_index *index, const char *path, bool writer)
{
	int dead = 0;
	int rc = mdb_env_create(&index->env);

	if (rc == 0)
		rc = mdb_env_set_mapsize(index->env, MAP_SIZE);
	if (rc == 0)
		rc = mdb_env_set_maxdbs(index->env, 4);
	if (rc == 0)
		rc = mdb_env_set_maxreaders(index->env, READERS_MAX);
	if (rc == 0)
		rc = mdb_env_open(index->env, path, MDB_NOTLS | (writer ? 0 : MDB_RDONLY), 0640);
	/* What the header of the file claims is checked before a page is touched. */
	if (rc == 0 && check_size(index) != 0)
		rc = MDB_CORRUPTED;
	if (rc == 0)
		mdb_reader_check(index->env, &dead);
	if (rc == 0)
		rc = open_tables(index, writer);
	return rc;
}

int
objects_index_open(
    struct objects_index **ret, const char *dir, bool writer, struct cairn_error *err)
{
	char path[PATH_MAX - 16];
	struct objects_index *index = calloc(1, sizeof *index);
	int rc;

	if (index == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "no memory for the object index");
	if (file_join(path, sizeof path, dir, "index") != 0 ||
	    file_join(index->path, sizeof index->path, path, "data.mdb") != 0) {
		free(index);
		return cairn_error_set(err, CAIRN_ELIMIT, "path is too long: %s", dir);
	}
	if (writer && mkdir(path, 0750) != 0 && errno != EEXIST) {
		free(index);
		return cairn_error_set(
		    err, CAIRN_EIO, "cannot create %s: %s", path, strerror(errno));
	}
	rc = open_env(index, path, writer);
	if (rc != 0) {
		objects_index_close(index);
		return cairn_error_set(err, rc == ENOENT ? CAIRN_ENOTFOUND : code_of(rc),
		    "cannot open object index %s: %s", path, mdb_strerror(rc));
	}
	*ret = index;
	return 0;
}

void
objects_index_close(struct objects_index *index)
{
	if (index == NULL)
		return;
	if (index->env != NULL)
		mdb_env_close(index->env);
	free(index);
}

int
objects_index_remove(const char *dir, struct cairn_error *err)
{
	static const char *const names[] = {"index/data.mdb", "index/lock.mdb"};
	char path[PATH_MAX];

	for (size_t i = 0; i < 2; i++) {
		if (file_join(path, sizeof path, dir, names[i]) != 0)
			return cairn_error_set(err, CAIRN_ELIMIT, "path is too long: %s", dir);
		if (unlink(path) != 0 && errno != ENOENT)
			return cairn_error_set(
			    err, CAIRN_EIO, "cannot remove %s: %s", path, strerror(errno));
	}
	return 0;
}

bool
objects_index_replaced(const struct objects_index *index)
{
	struct stat st;

	return stat(index->path, &st) != 0 || st.st_dev != index->dev || st.st_ino != index->ino;
}

/* ---- values ----------------------------------------------------------------------------- */

static void
entry_encode(const struct index_entry *entry, uint8_t ret[ENTRY_SIZE])
{
	le_put(ret, 4, entry->segment);
	le_put(ret + 4, 8, entry->logical);
	le_put(ret + 12, 8, entry->physical);
	le_put(ret + 20, 8, entry->length);
	memcpy(ret + 28, entry->sha256, 32);
	le_put(ret + 60, 8, entry->target);
	le_put(ret + 68, 4, entry->kind);
	le_put(ret + 72, 4, objects_crc32c(0, ret, 72));
}

static int
entry_decode(const MDB_val *value, struct index_entry *ret)
{
	const uint8_t *at = value->mv_data;

	if (value->mv_size != ENTRY_SIZE || le_get(at + 72, 4) != objects_crc32c(0, at, 72))
		return CAIRN_ECORRUPT;
	ret->segment = (uint32_t)le_get(at, 4);
	ret->logical = le_get(at + 4, 8);
	ret->physical = le_get(at + 12, 8);
	ret->length = le_get(at + 20, 8);
	memcpy(ret->sha256, at + 28, 32);
	ret->target = le_get(at + 60, 8);
	ret->kind = (enum record_kind)le_get(at + 68, 4);
	return 0;
}

static int
look(MDB_txn *txn, MDB_dbi dbi, const char *key, struct index_entry *ret)
{
	MDB_val k = {.mv_size = strlen(key), .mv_data = (void *)(uintptr_t)key}, v;
	int rc = mdb_get(txn, dbi, &k, &v);

	return rc != 0 ? code_of(rc) : entry_decode(&v, ret);
}

/* Meta values: a 32-bit and a 64-bit number under KIND:NAME. */
static int
meta_get(MDB_txn *txn, MDB_dbi dbi, const char *name, struct objects_cursor *ret)
{
	MDB_val k = {.mv_size = strlen(name), .mv_data = (void *)(uintptr_t)name}, v;
	int rc = mdb_get(txn, dbi, &k, &v);

	if (rc != 0)
		return code_of(rc);
	if (v.mv_size != 12)
		return CAIRN_ECORRUPT;
	ret->segment = (uint32_t)le_get(v.mv_data, 4);
	ret->offset = le_get((const uint8_t *)v.mv_data + 4, 8);
	return 0;
}

static int
meta_put(MDB_txn *txn, MDB_dbi dbi, const char *name, const struct objects_cursor *value)
{
	uint8_t bytes[12];
	MDB_val k = {.mv_size = strlen(name), .mv_data = (void *)(uintptr_t)name};
	MDB_val v = {.mv_size = sizeof bytes, .mv_data = bytes};

	le_put(bytes, 4, value->segment);
	le_put(bytes + 4, 8, value->offset);
	return code_of(mdb_put(txn, dbi, &k, &v, 0));
}

static void
segment_key(char kind, uint32_t segment, char ret[NAME_MAX_])
{
	snprintf(ret, NAME_MAX_, "%c:%u", kind, segment);
}

/* ---- reading ---------------------------------------------------------------------------- */

int
objects_index_read_new(struct objects_index *index, struct index_read **ret)
{
	struct index_read *read = calloc(1, sizeof *read);
	int rc;

	if (read == NULL)
		return CAIRN_ENOMEM;
	read->index = index;
	rc = mdb_txn_begin(index->env, NULL, MDB_RDONLY, &read->txn);
	if (rc != 0) {
		free(read);
		return code_of(rc);
	}
	mdb_txn_reset(read->txn);
	*ret = read;
	return 0;
}

void
objects_index_read_free(struct index_read *read)
{
	if (read == NULL)
		return;
	mdb_txn_abort(read->txn);
	free(read);
}

int
objects_index_read_begin(struct index_read *read)
{
	return code_of(mdb_txn_renew(read->txn));
}

void
objects_index_read_end(struct index_read *read)
{
	mdb_txn_reset(read->txn);
}

int
objects_index_get(struct index_read *read, const char *key, struct index_entry *ret)
{
	return look(read->txn, read->index->objects, key, ret);
}

int
objects_index_watermark(struct index_read *read, struct objects_cursor *ret)
{
	return meta_get(read->txn, read->index->meta, "w:", ret);
}

int
objects_index_cursor(struct index_read *read, const char *name, struct objects_cursor *ret)
{
	char key[NAME_MAX_];

	snprintf(key, sizeof key, "c:%s", name);
	return meta_get(read->txn, read->index->meta, key, ret);
}

int
objects_index_generation(struct index_read *read, uint32_t segment, uint32_t *ret)
{
	struct objects_cursor value = {0};
	char key[NAME_MAX_];
	int code;

	segment_key('g', segment, key);
	code = meta_get(read->txn, read->index->meta, key, &value);
	if (code != 0 && code != CAIRN_ENOTFOUND)
		return code;
	*ret = value.segment;
	return 0;
}

int
objects_index_dead(struct index_read *read, uint32_t segment, uint64_t *ret)
{
	struct objects_cursor value = {0};
	char key[NAME_MAX_];
	int code;

	segment_key('d', segment, key);
	code = meta_get(read->txn, read->index->meta, key, &value);
	if (code != 0 && code != CAIRN_ENOTFOUND)
		return code;
	*ret = value.offset;
	return 0;
}

int
objects_index_count(struct index_read *read, uint64_t *ret)
{
	MDB_stat stat;
	int rc = mdb_stat(read->txn, read->index->objects, &stat);

	if (rc == 0)
		*ret = stat.ms_entries;
	return code_of(rc);
}

/* ---- writing ---------------------------------------------------------------------------- */

int
objects_index_write_begin(struct objects_index *index, struct index_write **ret)
{
	struct index_write *write = calloc(1, sizeof *write);
	int rc, dead = 0;

	if (write == NULL)
		return CAIRN_ENOMEM;
	/* A reader killed in the middle would keep old pages from being used again. */
	mdb_reader_check(index->env, &dead);
	write->index = index;
	rc = mdb_txn_begin(index->env, NULL, 0, &write->txn);
	if (rc != 0) {
		free(write);
		return code_of(rc);
	}
	*ret = write;
	return 0;
}

int
objects_index_put(struct index_write *write, const char *key, const struct index_entry *entry)
{
	uint8_t bytes[ENTRY_SIZE];
	MDB_val k = {.mv_size = strlen(key), .mv_data = (void *)(uintptr_t)key};
	MDB_val v = {.mv_size = sizeof bytes, .mv_data = bytes};

	entry_encode(entry, bytes);
	return code_of(mdb_put(write->txn, write->index->objects, &k, &v, 0));
}

int
objects_index_look(struct index_write *write, const char *key, struct index_entry *ret)
{
	return look(write->txn, write->index->objects, key, ret);
}

int
objects_index_delete(struct index_write *write, const char *key, uint32_t segment, uint64_t logical)
{
	MDB_val k = {.mv_size = strlen(key), .mv_data = (void *)(uintptr_t)key};
	struct index_entry entry;
	int code = objects_index_look(write, key, &entry);

	if (code != 0)
		return code;
	if (entry.segment != segment || entry.logical != logical)
		return CAIRN_ENOTFOUND;
	return code_of(mdb_del(write->txn, write->index->objects, &k, NULL));
}

int
objects_index_set_watermark(struct index_write *write, const struct objects_cursor *watermark)
{
	return meta_put(write->txn, write->index->meta, "w:", watermark);
}

int
objects_index_set_cursor(
    struct index_write *write, const char *name, const struct objects_cursor *cursor)
{
	char key[NAME_MAX_];

	snprintf(key, sizeof key, "c:%s", name);
	return meta_put(write->txn, write->index->meta, key, cursor);
}

int
objects_index_set_generation(struct index_write *write, uint32_t segment, uint32_t generation)
{
	struct objects_cursor value = {.segment = generation};
	char key[NAME_MAX_];

	segment_key('g', segment, key);
	return meta_put(write->txn, write->index->meta, key, &value);
}

int
objects_index_set_dead(struct index_write *write, uint32_t segment, uint64_t bytes)
{
	struct objects_cursor value = {.offset = bytes};
	char key[NAME_MAX_];

	segment_key('d', segment, key);
	return meta_put(write->txn, write->index->meta, key, &value);
}

int
objects_index_add_dead(struct index_write *write, uint32_t segment, uint64_t bytes)
{
	struct objects_cursor value = {0};
	char key[NAME_MAX_];
	int code;

	segment_key('d', segment, key);
	code = meta_get(write->txn, write->index->meta, key, &value);
	if (code != 0 && code != CAIRN_ENOTFOUND)
		return code;
	value.offset += bytes;
	return meta_put(write->txn, write->index->meta, key, &value);
}

int
objects_index_commit(struct index_write *write)
{
	int code = code_of(mdb_txn_commit(write->txn));

	free(write);
	return code;
}

void
objects_index_abort(struct index_write *write)
{
	mdb_txn_abort(write->txn);
	free(write);
}
