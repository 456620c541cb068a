/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happens to puts after they left the API: the committer answers, the loop notes what became
 * durable and gathers it for the index, the caller hears of it.
 */

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "objects/engine.h"
#include "objects/spill.h"

/* A checkpoint is due after so much, or after a while; what is not in the index yet is read from
 * the log when the store is opened, at some gigabyte a second. */
#define CHECKPOINT_ITEMS 16384
#define CHECKPOINT_BYTES ((uint64_t)256 << 20)
#define CHECKPOINT_MS 1000
/* With process durability each checkpoint costs a sync that nobody else needs. */
#define CHECKPOINT_RELAXED 4

/* What a put keeps after it is in the log is little. */
static void
put_drop(struct objects_put *put)
{
	put->objects->memory -= put->memory;
	put->memory = 0;
	objects_chunk_give_all(&put->objects->pool, put->first);
	put->first = put->last = NULL;
	free(put->meta);
	put->meta = NULL;
}

void
objects_put_free(struct objects_put *put)
{
	put_drop(put);
	free(put->path);
	free(put->blob);
	free(put);
}

void
objects_flow_owe(struct objects *objects)
{
	if (objects->busy++ == 0)
		uv_ref((uv_handle_t *)&objects->async);
}

void
objects_flow_paid(struct objects *objects)
{
	if (--objects->busy == 0 && !objects->closing)
		uv_unref((uv_handle_t *)&objects->async);
}

void
objects_flow_push(struct objects *objects, struct objects_put *put)
{
	objects_flow_owe(objects);
	objects_commit_push(&objects->commit, put);
}

/* ---- puts ------------------------------------------------------------------------------- */

static struct checkpoint_item *
batch_item(struct objects *objects, const struct objects_put *put)
{
	struct checkpoint_item *item = objects_batch_add(objects->batch);

	if (item != NULL) {
		memcpy(item->key, put->record.key, sizeof item->key);
		item->entry = put->pending->entry;
		objects->batch->bytes += objects_record_size(&put->record);
	}
	return item;
}

/* The log has it, so the answer is yes even if memory is short: then the index is not told any
 * more, and the next open reads the log from where it stands. */
static void
batch_lost(struct objects *objects)
{
	if (!objects->batch_broken)
		log_error("objects",
		    "no memory to gather for the index of %s; it stays as it is "
		    "until the store is opened again",
		    objects->dirs.path);
	objects->batch_broken = true;
}

/* Erasures are answered when the index has forgotten the key too, so that no reader finds it. */
static void
erased(struct objects *objects, struct objects_put *put)
{
	struct checkpoint_item *item = batch_item(objects, put);

	objects->flush = true;
	objects->count--;
	if (item == NULL) {
		batch_lost(objects);
		if (put->durable != NULL)
			put->durable(put->arg, CAIRN_ENOMEM, NULL);
		objects_flow_paid(objects);
		return;
	}
	item->erase = true;
	item->dead = RECORD_HEADER_SIZE;
	if (item->entry.kind == RECORD_OBJECT)
		item->dead += item->entry.length;
	item->done = put->durable;
	item->arg = put->arg;
}

static void
refused(struct objects *objects, struct objects_put *put)
{
	if (put->code == CAIRN_EIO)
		log_error("objects", "cannot write to %s: %s; nothing of the group was kept",
		    objects->dirs.path, strerror(put->cause));
	if (put->spill != NULL)
		objects_spill_unlink(put);
	if (put->record.kind == RECORD_TOMBSTONE && put->was_pending)
		put->pending->state = PENDING_DURABLE;
	else
		objects_pending_remove(objects->pending, put->pending);
	if (put->durable != NULL)
		put->durable(put->arg, put->code, NULL);
	objects_flow_paid(objects);
}

/* Answers, and gives back what only the writing needed. */
static void
answer(struct objects *objects, struct objects_put *put)
{
	struct objects_ref ref;

	objects_index_entry(&put->record, put->segment, &put->pending->entry);
	put->pending->state = put->record.late ? PENDING_APPENDED : PENDING_DURABLE;
	objects->count++;
	objects_index_ref(put->record.key, &put->pending->entry, &ref);
	if (put->durable != NULL)
		put->durable(put->arg, 0, &ref);
	objects_spill_free(put->spill);
	put->spill = NULL;
	put_drop(put);
}

static void
finish_put(struct objects *objects, struct objects_put *put)
{
	if (put->code != 0) {
		refused(objects, put);
		objects_spill_free(put->spill);
		objects_put_free(put);
		return;
	}
	put->settled = !put->record.late;
	put->after = NULL;
	if (objects->unsettled_last != NULL)
		objects->unsettled_last->after = put;
	else
		objects->unsettled_first = put;
	objects->unsettled_last = put;
	if (put->record.kind != RECORD_TOMBSTONE)
		answer(objects, put);
	if (!put->settled)
		objects_digest_push(&objects->commit.digest, put);
}

/* ---- what is settled -------------------------------------------------------------------- */

/* It was answered, and cannot be read back: the disk or the memory lost it. */
static void
lost(struct objects *objects, struct objects_put *put)
{
	log_error("objects",
	    "%s was stored in segment %u of %s and cannot be read back: %s; send it again",
	    put->record.key, put->segment, objects->dirs.path, cairn_code_text(put->code));
	if (put->pending->state == PENDING_ERASING)
		return; /* just as well */
	objects_pending_remove(objects->pending, put->pending);
	objects->count--;
}

static void
settle(struct objects *objects, struct objects_put *put)
{
	objects->durable = (struct objects_cursor){.segment = put->segment, .offset = put->end};
	if (put->record.kind == RECORD_TOMBSTONE) {
		erased(objects, put);
	} else if (put->code != 0) {
		lost(objects, put);
		objects_flow_paid(objects);
	} else {
		memcpy(put->pending->entry.sha256, put->record.sha256, 32);
		if (put->pending->state == PENDING_APPENDED)
			put->pending->state = PENDING_DURABLE;
		if (batch_item(objects, put) == NULL)
			batch_lost(objects);
		objects_flow_paid(objects);
	}
	objects_put_free(put);
}

/* In the order of the log, up to the first whose digest is not known. */
static void
settle_all(struct objects *objects)
{
	bool any = false;

	while (objects->unsettled_first != NULL && objects->unsettled_first->settled) {
		struct objects_put *put = objects->unsettled_first;

		objects->unsettled_first = put->after;
		if (put->after == NULL)
			objects->unsettled_last = NULL;
		settle(objects, put);
		any = true;
	}
	if (any && objects->notes != NULL && !objects->closing)
		objects->notes(objects->notes_arg);
}

/* ---- batches ---------------------------------------------------------------------------- */

/* The index knows it now: nothing is pending about it, unless something else began since. */
static void
settle_item(struct objects *objects, struct checkpoint_item *item)
{
	struct pending_entry *pending = objects_pending_find(objects->pending, item->key);

	if (pending != NULL &&
	    (item->erase ? pending->state == PENDING_ERASING
			 : pending->state == PENDING_DURABLE &&
			pending->entry.segment == item->entry.segment &&
			pending->entry.logical == item->entry.logical))
		objects_pending_remove(objects->pending, pending);
	if (!item->erase)
		return;
	if (item->done != NULL) {
		struct objects_ref ref;

		objects_index_ref(item->key, &item->entry, &ref);
		item->done(item->arg, 0, &ref);
	}
	objects_flow_paid(objects);
}

static void
give_up_erasures(struct objects *objects, struct checkpoint_batch *batch)
{
	for (size_t i = 0; i < batch->count; i++) {
		if (!batch->items[i].erase)
			continue;
		if (batch->items[i].done != NULL)
			batch->items[i].done(batch->items[i].arg, CAIRN_EIO, NULL);
		objects_flow_paid(objects);
	}
}

static void
finish_batch(struct objects *objects, struct checkpoint_batch *batch)
{
	objects->failed = batch->code != 0;
	if (batch->code != 0 && !objects->closing) {
		log_warning("objects", "cannot write the index of %s: %s; trying again",
		    objects->dirs.path, cairn_code_text(batch->code));
		objects->again = batch;
		return;
	}
	if (batch->code != 0)
		give_up_erasures(objects, batch);
	for (size_t i = 0; batch->code == 0 && i < batch->count; i++)
		settle_item(objects, &batch->items[i]);
	objects_batch_free(batch);
}

static bool
cursors_dirty(const struct objects *objects)
{
	for (size_t i = 0; i < objects->cursors_count; i++)
		if (objects->cursors[i].dirty)
			return true;
	return false;
}

static void
give_batch(struct objects *objects)
{
	struct checkpoint_batch *batch = objects->batch;
	struct checkpoint_batch *next = calloc(1, sizeof *next);

	if (next == NULL)
		return; /* the timer comes again */
	batch->watermark = objects->durable;
	for (size_t i = 0; i < objects->cursors_count; i++) {
		if (objects->cursors[i].dirty)
			batch->cursors[batch->cursors_count++] = objects->cursors[i];
		objects->cursors[i].dirty = false;
	}
	objects->batch = next;
	objects->flush = false;
	objects->checkpointing = true;
	objects_checkpoint_give(&objects->checkpoint, batch);
}

void
objects_flow_schedule(struct objects *objects)
{
	unsigned scale = objects->durability == OBJECTS_POWER ? 1 : CHECKPOINT_RELAXED;
	bool any = objects->batch->count > 0 || cursors_dirty(objects);

	if (objects->checkpointing || objects->batch_broken)
		return;
	if (objects->again != NULL && (!objects->failed || objects->closing)) {
		objects->checkpointing = true;
		objects_checkpoint_give(&objects->checkpoint, objects->again);
		objects->again = NULL;
	} else if (any && objects->again == NULL &&
	    (objects->flush || objects->closing ||
		objects->batch->count >= CHECKPOINT_ITEMS * scale ||
		objects->batch->bytes >= CHECKPOINT_BYTES * scale)) {
		give_batch(objects);
	} else if ((any || objects->again != NULL) && !objects->closing &&
	    !uv_is_active((uv_handle_t *)&objects->timer)) {
		uv_timer_start(&objects->timer, objects_flow_timer, CHECKPOINT_MS * scale, 0);
	}
}

void
objects_flow_timer(uv_timer_t *timer)
{
	struct objects *objects = timer->data;

	objects->flush = true;
	objects->failed = false;
	objects_flow_schedule(objects);
}

/* ---- the end ---------------------------------------------------------------------------- */

static void
handle_closed(uv_handle_t *handle)
{
	struct objects *objects = handle->data;

	if (--objects->handles > 0)
		return;
	if (objects->closed != NULL)
		objects->closed(objects->closed_arg);
	objects_free(objects);
}

void
objects_flow_end_if_idle(struct objects *objects)
{
	if (objects->checkpointing || objects->busy > 0 || objects->again != NULL ||
	    objects->stopped)
		return;
	if ((objects->batch->count > 0 || cursors_dirty(objects)) && !objects->batch_broken &&
	    !objects->failed)
		return;
	objects->stopped = true;
	objects_commit_stop(&objects->commit);
	objects_checkpoint_stop(&objects->checkpoint);
	uv_close((uv_handle_t *)&objects->async, handle_closed);
	uv_close((uv_handle_t *)&objects->timer, handle_closed);
}

static void
finish_compact(struct objects *objects)
{
	int code;
	struct compact *compact = objects_checkpoint_compacted(&objects->checkpoint, &code);
	objects_compact_fn done = objects->compact_done;

	if (compact == NULL)
		return;
	objects->compact = NULL;
	if (done != NULL)
		done(objects->compact_arg, code, &compact->result);
	free(compact);
	objects_flow_paid(objects);
}

void
objects_flow_async(uv_async_t *async)
{
	struct objects *objects = async->data;
	struct put_list done = objects_commit_done(&objects->commit);
	struct checkpoint_batch *batch = objects_checkpoint_take(&objects->checkpoint);
	struct put_list digested = objects_digest_done(&objects->commit.digest);

	while (done.first != NULL)
		finish_put(objects, objects_put_list_take(&done));
	while (digested.first != NULL)
		objects_put_list_take(&digested)->settled = true;
	settle_all(objects);
	if (batch != NULL) {
		objects->checkpointing = false;
		finish_batch(objects, batch);
	}
	finish_compact(objects);
	objects_flow_schedule(objects);
	if (objects->closing)
		objects_flow_end_if_idle(objects);
}
