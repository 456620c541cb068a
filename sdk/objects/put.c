/* SPDX-License-Identifier: Apache-2.0 */
/* One object on its way in, until the committer has it. */

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/statvfs.h>

#include "base/clock.h"
#include "objects/crc32c.h"
#include "objects/engine.h"
#include "objects/files.h"
#include "objects/spill.h"

/* Keys that the index has not got yet: a bound for the case that it cannot be written. */
#define PENDING_MAX ((size_t)256 * 1024)
/* The disk is asked this often, and whenever it was nearly full at the last look. */
#define SPACE_CHECK_EVERY 16
/* A large object goes to the disk in pieces of this size. */
#define SPILL_PIECE ((uint64_t)1 << 20)

int
objects_locate(struct objects *objects, const char *key, struct index_entry *ret)
{
	const struct pending_entry *pending = objects_pending_find(objects->pending, key);
	int code;

	if (pending != NULL &&
	    (pending->state == PENDING_DURABLE || pending->state == PENDING_APPENDED)) {
		*ret = pending->entry;
		return 0;
	}
	if (pending != NULL)
		return CAIRN_ENOTFOUND;
	code = objects_index_read_begin(objects->read);
	if (code != 0)
		return code;
	code = objects_index_get(objects->read, key, ret);
	objects_index_read_end(objects->read);
	return code;
}

static int
check_space(struct objects *objects, struct cairn_error *err)
{
	struct statvfs vfs;

	if (objects->nearly_full || objects->begun++ % SPACE_CHECK_EVERY == 0) {
		uint64_t free_bytes;

		if (fstatvfs(objects->dirs.root, &vfs) != 0)
			return cairn_error_set(err, CAIRN_EIO,
			    "cannot ask for the free space of %s", objects->dirs.path);
		free_bytes = (uint64_t)vfs.f_bavail * vfs.f_frsize;
		objects->nearly_full = free_bytes < objects->disk_reserve;
	}
	if (objects->nearly_full)
		return cairn_error_set(err, CAIRN_ELIMIT,
		    "less than %llu MiB are free in %s: make room, then send again",
		    (unsigned long long)(objects->disk_reserve >> 20), objects->dirs.path);
	return 0;
}

static int
check_key(
    struct objects *objects, const char *key, struct objects_ref *ret_ref, struct cairn_error *err)
{
	const struct pending_entry *pending;
	struct index_entry entry;
	int code;

	if (!objects_key_valid(key, strlen(key)))
		return cairn_error_set(err, CAIRN_EINVAL,
		    "not an object key: 1 to %d of letters, "
		    "digits, dot, underscore and hyphen are",
		    OBJECTS_KEY_MAX);
	pending = objects_pending_find(objects->pending, key);
	if (pending != NULL &&
	    (pending->state == PENDING_UNDERWAY || pending->state == PENDING_ERASING))
		return cairn_error_set(err, CAIRN_EAGAIN, "an object of this key is under way");
	code = objects_locate(objects, key, &entry);
	if (code == CAIRN_ENOTFOUND)
		return 0;
	if (code != 0)
		return cairn_error_set(err, code, "cannot read the object index");
	if (ret_ref != NULL)
		objects_index_ref(key, &entry, ret_ref);
	return cairn_error_set(err, CAIRN_EEXIST, "the object is stored already");
}

static int
check_room(struct objects *objects, struct cairn_error *err)
{
	if (objects->closing)
		return cairn_error_set(err, CAIRN_ECANCELLED, "the object store is closing");
	if (objects->memory >= objects->memory_max)
		return cairn_error_set(err, CAIRN_EAGAIN, "%llu MiB of objects are under way",
		    (unsigned long long)(objects->memory >> 20));
	if (objects_pending_count(objects->pending) >= PENDING_MAX)
		return cairn_error_set(err, CAIRN_EAGAIN, "the object index lags behind");
	return check_space(objects, err);
}

static int
set_path(struct objects_put *put, const char *path, struct cairn_error *err)
{
	if (put->objects->layout != OBJECTS_FILES)
		return 0;
	if (path == NULL || !objects_path_valid(path))
		return cairn_error_set(err, CAIRN_EINVAL,
		    "not a usable path for an object: it must be relative and without '..'");
	put->record.kind = RECORD_FILE;
	put->record.path_length = (uint16_t)strlen(path);
	put->path = strdup(path);
	if (put->path == NULL || getrandom(&put->record.target, 8, 0) != 8)
		return cairn_error_set(err, CAIRN_ENOMEM, "no memory for an object");
	return 0;
}

int
objects_begin(struct objects *objects, const char *key, const char *path, struct objects_put **ret,
    struct objects_ref *ret_ref, struct cairn_error *err)
{
	struct objects_put *put;
	int code = check_key(objects, key, ret_ref, err);

	if (code == 0)
		code = check_room(objects, err);
	if (code != 0)
		return code;
	put = calloc(1, sizeof *put);
	if (put == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "no memory for an object");
	put->objects = objects;
	put->record.kind = RECORD_OBJECT;
	memcpy(put->record.key, key, strlen(key));
	code = set_path(put, path, err);
	if (code == 0) {
		put->pending = objects_pending_add(objects->pending, key, PENDING_UNDERWAY);
		if (put->pending == NULL)
			code = cairn_error_set(err, CAIRN_ENOMEM, "no memory for an object");
	}
	if (code != 0) {
		objects_put_free(put);
		return code;
	}
	objects->receiving++;
	*ret = put;
	return 0;
}

/* ---- bytes ------------------------------------------------------------------------------ */

static int
add_chunk(struct objects_put *put, size_t want, struct cairn_error *err)
{
	struct chunk *chunk =
	    objects_chunk_take(&put->objects->pool, want, put->record.length >= CHUNK_SMALL / 2);

	if (chunk == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "no memory for an object");
	if (put->last != NULL)
		put->last->next = chunk;
	else
		put->first = chunk;
	put->last = chunk;
	put->memory += chunk->room;
	put->objects->memory += chunk->room;
	return 0;
}

/* Sends what is in memory to the disk when it is too much: of one object, or of all together.  A
 * tree of files keeps to memory; there memory_max is what an object may have. */
static int
spill_if_large(struct objects_put *put, struct cairn_error *err)
{
	struct objects *objects = put->objects;
	bool tight = objects->memory > objects->memory_max && put->memory >= SPILL_PIECE;

	if (put->spill == NULL) {
		if (put->record.length <= objects->large_size && !tight)
			return 0;
		if (objects->layout == OBJECTS_FILES)
			return put->memory <= objects->memory_max
			    ? 0
			    : cairn_error_set(err, CAIRN_ELIMIT,
				  "an object of a tree of files is larger "
				  "than %llu MiB",
				  (unsigned long long)(objects->memory_max >> 20));
		if (objects_spill_begin(put, err) != 0)
			return CAIRN_EIO;
	} else if (put->memory < SPILL_PIECE && !tight) {
		return 0;
	}
	return objects_spill_more(put, err);
}

int
objects_reserve(struct objects_put *put, size_t want, uint8_t **ret, struct cairn_error *err)
{
	int code;

	if (want > put->objects->large_size)
		return cairn_error_set(err, CAIRN_ELIMIT, "reserving %zu bytes at once", want);
	if (put->last == NULL || put->last->room - put->last->used < want) {
		code = spill_if_large(put, err);
		if (code == 0)
			code = add_chunk(put, want, err);
		if (code != 0)
			return code;
	}
	*ret = put->last->bytes + put->last->used;
	return 0;
}

int
objects_used(struct objects_put *put, size_t length, struct cairn_error *err)
{
	if (length == 0)
		return 0;
	if (put->last == NULL || length > put->last->room - put->last->used)
		return cairn_error_set(err, CAIRN_EINVAL, "more bytes used than were reserved");
	if (put->record.length > RECORD_OBJECT_MAX - length)
		return cairn_error_set(err, CAIRN_ELIMIT, "an object is too large");
	if (put->spill == NULL)
		put->crc = objects_crc32c(put->crc, put->last->bytes + put->last->used, length);
	put->last->used += length;
	put->record.length += length;
	if (put->spill == NULL && put->record.kind == RECORD_OBJECT)
		objects_commit_advance(&put->objects->commit, put, put->objects->receiving == 1);
	return 0;
}

int
objects_write(struct objects_put *put, const void *bytes, size_t length, struct cairn_error *err)
{
	const uint8_t *at = bytes;

	while (length > 0) {
		uint8_t *room = NULL;
		size_t piece;
		int code = objects_reserve(put, 1, &room, err);

		if (code != 0)
			return code;
		piece = put->last->room - put->last->used;
		if (piece > length)
			piece = length;
		memcpy(room, at, piece);
		code = objects_used(put, piece, err);
		if (code != 0)
			return code;
		at += piece;
		length -= piece;
	}
	return 0;
}

/* ---- the end of it ---------------------------------------------------------------------- */

int
objects_put_meta(struct objects_put *put, const void *note, size_t note_length)
{
	struct record *record = &put->record;

	record->note_length = (uint32_t)note_length;
	record->wall_ms = clock_wall_ms();
	put->meta = calloc(1, (size_t)objects_record_meta(record) + 1);
	if (put->meta == NULL)
		return CAIRN_ENOMEM;
	if (record->path_length > 0)
		memcpy(put->meta, put->path, record->path_length);
	if (note_length > 0)
		memcpy(put->meta + record->path_length, note, note_length);
	return 0;
}

int
objects_commit(struct objects_put *put, const void *note, size_t note_length,
    objects_durable_fn durable, void *arg, struct cairn_error *err)
{
	int code = 0;

	if (note_length > OBJECTS_NOTE_MAX)
		code = cairn_error_set(
		    err, CAIRN_ELIMIT, "a note of %zu bytes is too long", note_length);
	else if (put->objects->closing)
		code = cairn_error_set(err, CAIRN_ECANCELLED, "the object store is closing");
	else if (objects_put_meta(put, note, note_length) != 0)
		code = cairn_error_set(err, CAIRN_ENOMEM, "no memory for a note");
	if (code != 0) {
		objects_abort(put);
		return code;
	}
	put->durable = durable;
	put->arg = arg;
	put->objects->receiving--;
	if (put->spill != NULL)
		objects_spill_commit(put);
	else
		objects_flow_push(put->objects, put);
	return 0;
}

void
objects_abort(struct objects_put *put)
{
	if (put == NULL)
		return;
	put->objects->receiving--;
	objects_commit_withdraw(&put->objects->commit, put);
	if (put->spill != NULL)
		objects_spill_abort(put);
	objects_pending_remove(put->objects->pending, put->pending);
	objects_put_free(put);
}
