/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/file.h"
#include "objects/engine.h"
#include "objects/scan.h"
#include "objects/spill.h"

#define MIB ((uint64_t)1 << 20)
#define POOL_MAX ((size_t)32 << 20)

static uint64_t
or_default(uint64_t value, uint64_t otherwise)
{
	return value == 0 ? otherwise : value;
}

static void
take_options(
    struct objects *objects, const struct objects_options *options, const struct objects_io *io)
{
	objects->io = io == NULL ? objects_io_system : *io;
	objects->durability = options->durability;
	objects->layout = options->layout;
	objects->segment_size = or_default(options->segment_size, 1024 * MIB);
	objects->large_size = or_default(options->large_size, 16 * MIB);
	objects->memory_max = or_default(options->memory_max, 64 * MIB);
	objects->disk_reserve = or_default(options->disk_reserve, 64 * MIB);
	objects->pool.cached_max =
	    objects->memory_max < POOL_MAX ? (size_t)objects->memory_max : POOL_MAX;
	objects->commit.durability = objects->durability;
	objects->commit.async = &objects->async;
	objects->commit.tail = (struct objects_tail){.dirs = &objects->dirs,
	    .io = &objects->io,
	    .segment_size = objects->segment_size,
	    .fd = -1};
	objects->checkpoint.dirs = &objects->dirs;
	objects->checkpoint.io = &objects->io;
	objects->checkpoint.async = &objects->async;
	objects->checkpoint.commit = &objects->commit;
	objects->checkpoint.durability = objects->durability;
}

static int
take_lock(struct objects *objects, struct cairn_error *err)
{
	objects->lock = openat(objects->dirs.root, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	if (objects->lock < 0)
		return cairn_error_set(err, CAIRN_EIO, "cannot create the lock of %s: %s",
		    objects->dirs.path, strerror(errno));
	if (flock(objects->lock, LOCK_EX | LOCK_NB) != 0)
		return cairn_error_set(
		    err, CAIRN_EAGAIN, "another process writes to %s", objects->dirs.path);
	return 0;
}

static int
open_parts(struct objects *objects, const char *dir, struct cairn_error *err)
{
	int code = objects_dirs_open(&objects->dirs, dir, true, err);

	if (code == 0)
		code = take_lock(objects, err);
	if (code == 0 && objects_pending_new(&objects->pending) != 0)
		code = cairn_error_set(err, CAIRN_ENOMEM, "no memory for the object store");
	if (code == 0)
		objects->batch = calloc(1, sizeof *objects->batch);
	if (code == 0 && objects->batch == NULL)
		code = cairn_error_set(err, CAIRN_ENOMEM, "no memory for the object store");
	if (code == 0)
		code = objects_recover(objects, err);
	return code;
}

/* The threads have nothing to wake the loop for before the first put, so the handles can come last:
 * a handle that was started could not simply be freed should something fail after it. */
static int
start_threads(struct objects *objects, struct cairn_error *err)
{
	int code;

	objects->async.data = objects;
	objects->timer.data = objects;
	objects->checkpoint.index = objects->index;
	code = objects_commit_start(&objects->commit, err);
	if (code == 0)
		code = objects_checkpoint_start(&objects->checkpoint, err);
	if (code == 0 && uv_async_init(objects->loop, &objects->async, objects_flow_async) != 0)
		code = cairn_error_set(err, CAIRN_EIO, "cannot watch the object store's threads");
	if (code != 0)
		return code;
	uv_timer_init(objects->loop, &objects->timer);
	uv_unref((uv_handle_t *)&objects->async);
	uv_unref((uv_handle_t *)&objects->timer);
	objects->handles = 2;
	return 0;
}

int
objects_open_io(struct objects **ret, uv_loop_t *loop, const struct objects_options *options,
    const struct objects_io *io, struct cairn_error *err)
{
	struct objects *objects = calloc(1, sizeof *objects);
	int code;

	if (objects == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "no memory for the object store");
	objects->loop = loop;
	objects->lock = -1;
	objects->dirs.root = objects->dirs.segments = objects->dirs.blobs = -1;
	objects->dirs.files = objects->dirs.incoming = -1;
	take_options(objects, options, io);
	code = open_parts(objects, options->dir, err);
	if (code == 0)
		code = start_threads(objects, err);
	if (code != 0) {
		objects_free(objects);
		return code;
	}
	*ret = objects;
	return 0;
}

int
objects_open(struct objects **ret, uv_loop_t *loop, const struct objects_options *options,
    struct cairn_error *err)
{
	return objects_open_io(ret, loop, options, NULL, err);
}

void
objects_free(struct objects *objects)
{
	objects_commit_stop(&objects->commit);
	objects_checkpoint_stop(&objects->checkpoint);
	objects_tail_close(&objects->commit.tail);
	objects_outbox_fini(objects);
	objects_index_read_free(objects->read);
	objects_index_close(objects->index);
	objects_batch_free(objects->batch);
	objects_batch_free(objects->again);
	objects_pending_free(objects->pending);
	objects_chunk_pool_fini(&objects->pool);
	objects_dirs_close(&objects->dirs);
	file_close(&objects->lock);
	free(objects);
}

void
objects_close(struct objects *objects, void (*closed)(void *arg), void *arg)
{
	objects->closing = true;
	objects->closed = closed;
	objects->closed_arg = arg;
	uv_timer_stop(&objects->timer);
	uv_ref((uv_handle_t *)&objects->async);
	uv_async_send(&objects->async);
}

bool
objects_has(struct objects *objects, const char *key)
{
	struct index_entry entry;

	return objects_key_valid(key, strlen(key)) && objects_locate(objects, key, &entry) == 0;
}

uint64_t
objects_count(struct objects *objects)
{
	return objects->count;
}

int
objects_compact(struct objects *objects, unsigned dead_percent, objects_compact_fn done, void *arg,
    struct cairn_error *err)
{
	if (objects->closing)
		return cairn_error_set(err, CAIRN_ECANCELLED, "the object store is closing");
	if (dead_percent > 100)
		return cairn_error_set(err, CAIRN_EINVAL, "%u percent", dead_percent);
	if (objects->compact != NULL)
		return cairn_error_set(err, CAIRN_EAGAIN, "a compaction is running");
	objects->compact = calloc(1, sizeof *objects->compact);
	if (objects->compact == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "no memory for a compaction");
	objects->compact->dead_percent = dead_percent;
	objects->compact_done = done;
	objects->compact_arg = arg;
	objects_flow_owe(objects);
	objects_checkpoint_compact(&objects->checkpoint, objects->compact);
	return 0;
}

/* ---- erasing ---------------------------------------------------------------------------- */

/* Opens the entry's segment at its record.  Place and generation have to come from one state of the
 * index, since compaction changes both. */
static int
open_record(
    struct objects *objects, const char *key, const struct index_entry *entry, struct scan *ret)
{
	struct index_entry now;
	uint32_t generation = 0;
	uint64_t at = entry->physical;
	int code = objects_index_read_begin(objects->read);

	if (code != 0)
		return code;
	code = objects_index_generation(objects->read, entry->segment, &generation);
	if (objects_index_get(objects->read, key, &now) == 0 && now.segment == entry->segment &&
	    now.logical == entry->logical)
		at = now.physical;
	objects_index_read_end(objects->read);
	if (code == 0)
		code = objects_dirs_scan(&objects->dirs, entry->segment, generation, O_RDONLY, ret);
	if (code == 0)
		ret->at = at;
	return code;
}

/* The tombstone names the file that goes with the object. */
static int
find_file(struct objects *objects, const struct index_entry *entry, struct objects_put *put)
{
	struct record record;
	struct scan scan;
	uint8_t *meta = NULL;
	int code = open_record(objects, put->record.key, entry, &scan);

	if (code != 0)
		return code;
	code = objects_scan_next(&scan, &record);
	if (code == 0)
		code = objects_scan_meta(scan.fd, &record, &meta);
	close(scan.fd);
	if (code != 0)
		return code;
	put->path = strdup((const char *)meta);
	put->record.path_length = record.path_length;
	free(meta);
	return put->path == NULL ? CAIRN_ENOMEM : 0;
}

static int
aim(struct objects *objects, struct objects_put *put, const struct index_entry *entry)
{
	char name[SPILL_NAME_MAX];

	put->record.target_segment = entry->segment;
	put->record.target = entry->logical;
	if (entry->kind == RECORD_BLOB) {
		objects_spill_name(put->record.key, entry->target, name);
		put->blob = strdup(name);
		return put->blob == NULL ? CAIRN_ENOMEM : 0;
	}
	return entry->kind == RECORD_FILE ? find_file(objects, entry, put) : 0;
}

static int
mark_erasing(struct objects *objects, struct objects_put *put, const struct index_entry *entry)
{
	put->pending = objects_pending_find(objects->pending, put->record.key);
	put->was_pending = put->pending != NULL;
	if (put->pending == NULL)
		put->pending =
		    objects_pending_add(objects->pending, put->record.key, PENDING_ERASING);
	if (put->pending == NULL)
		return CAIRN_ENOMEM;
	put->pending->state = PENDING_ERASING;
	put->pending->entry = *entry;
	return 0;
}

int
objects_erase(struct objects *objects, const char *key, objects_durable_fn done, void *arg,
    struct cairn_error *err)
{
	struct pending_entry *pending = objects_pending_find(objects->pending, key);
	struct index_entry entry;
	struct objects_put *put;
	int code;

	if (objects->closing)
		return cairn_error_set(err, CAIRN_ECANCELLED, "the object store is closing");
	if (pending != NULL && pending->state != PENDING_DURABLE &&
	    pending->state != PENDING_APPENDED)
		return cairn_error_set(err, CAIRN_EAGAIN, "an object of this key is under way");
	code = objects_key_valid(key, strlen(key)) ? objects_locate(objects, key, &entry)
						   : CAIRN_ENOTFOUND;
	if (code != 0)
		return cairn_error_set(err, code, "no such object");
	put = calloc(1, sizeof *put);
	if (put == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "no memory to erase an object");
	put->objects = objects;
	put->record.kind = RECORD_TOMBSTONE;
	memcpy(put->record.key, key, strlen(key));
	put->durable = done;
	put->arg = arg;
	code = aim(objects, put, &entry);
	if (code == 0)
		code = objects_put_meta(put, NULL, 0);
	if (code == 0)
		code = mark_erasing(objects, put, &entry);
	if (code != 0) {
		objects_put_free(put);
		return cairn_error_set(err, code, "cannot erase an object");
	}
	objects_flow_push(objects, put);
	return 0;
}
