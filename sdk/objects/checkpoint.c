/* SPDX-License-Identifier: Apache-2.0 */
#include "objects/checkpoint.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "objects/mend.h"

#define BATCH_MAX ((size_t)1 << 20)

struct checkpoint_item *
objects_batch_add(struct checkpoint_batch *batch)
{
	if (batch->count == batch->room) {
		size_t room = batch->room == 0 ? 256 : batch->room * 2;
		struct checkpoint_item *items = NULL;

		if (room <= BATCH_MAX)
			items = realloc(batch->items, room * sizeof *items);
		if (items == NULL)
			return NULL;
		batch->items = items;
		batch->room = room;
	}
	batch->items[batch->count] = (struct checkpoint_item){0};
	return &batch->items[batch->count++];
}

void
objects_batch_free(struct checkpoint_batch *batch)
{
	if (batch == NULL)
		return;
	free(batch->items);
	free(batch);
}

static int
apply_item(struct index_write *write, const struct checkpoint_item *item)
{
	struct index_entry old;
	int code;

	if (!item->erase) {
		code = objects_index_look(write, item->key, &old);
		/* Only the log can bring a second record of one key: the last one counts. */
		if (code == 0 &&
		    (old.segment != item->entry.segment || old.logical != item->entry.logical))
			code = objects_index_add_dead(write, old.segment,
			    RECORD_HEADER_SIZE + (old.kind == RECORD_OBJECT ? old.length : 0));
		if (code != 0 && code != CAIRN_ENOTFOUND)
			return code;
		return objects_index_put(write, item->key, &item->entry);
	}
	code = objects_index_delete(write, item->key, item->entry.segment, item->entry.logical);
	if (code == 0)
		code = objects_index_add_dead(write, item->entry.segment, item->dead);
	return code == CAIRN_ENOTFOUND ? 0 : code;
}

int
objects_batch_apply(const struct checkpoint_batch *batch, struct objects_index *index)
{
	struct index_write *write;
	int code = objects_index_write_begin(index, &write);

	if (code != 0)
		return code;
	for (size_t i = 0; code == 0 && i < batch->count; i++)
		code = apply_item(write, &batch->items[i]);
	for (size_t i = 0; code == 0 && i < batch->cursors_count; i++)
		code = objects_index_set_cursor(
		    write, batch->cursors[i].name, &batch->cursors[i].cursor);
	if (code == 0 && batch->watermark.segment != 0)
		code = objects_index_set_watermark(write, &batch->watermark);
	if (code != 0) {
		objects_index_abort(write);
		return code;
	}
	return objects_index_commit(write);
}

/* The index may only speak of what is on the disk.  Segments before the watermark's were synced
 * when they were finished. */
static int
sync_segment(struct checkpoint *checkpoint, const struct checkpoint_batch *batch)
{
	const struct objects_cursor *mark = &batch->watermark;
	FD_AUTO fd = -1;

	if (checkpoint->durability == OBJECTS_POWER || mark->segment == 0 || batch->count == 0)
		return 0;
	if (checkpoint->synced.segment != mark->segment) {
		checkpoint->synced = (struct objects_cursor){.segment = mark->segment};
		checkpoint->suspect = false;
	}
	fd = objects_dirs_segment(checkpoint->dirs, mark->segment, 0, O_RDONLY);
	if (fd < 0)
		return CAIRN_EIO;
	if (!checkpoint->suspect && checkpoint->io->datasync(fd) != 0)
		checkpoint->suspect = true;
	if (checkpoint->suspect &&
	    objects_mend(checkpoint->dirs, checkpoint->io, mark->segment, checkpoint->synced.offset,
		mark->offset) != 0)
		return CAIRN_EIO;
	checkpoint->suspect = false;
	checkpoint->synced = *mark;
	return 0;
}

static void
checkpoint_main(void *arg)
{
	struct checkpoint *checkpoint = arg;

	uv_mutex_lock(&checkpoint->lock);
	for (;;) {
		struct checkpoint_batch *batch = checkpoint->work;

		if (batch != NULL) {
			checkpoint->work = NULL;
			uv_mutex_unlock(&checkpoint->lock);
			batch->code = sync_segment(checkpoint, batch);
			if (batch->code == 0)
				batch->code = objects_batch_apply(batch, checkpoint->index);
			uv_mutex_lock(&checkpoint->lock);
			checkpoint->finished = batch;
			uv_async_send(checkpoint->async);
		} else if (checkpoint->compact != NULL) {
			struct compact *compact = checkpoint->compact;
			int code;

			checkpoint->compact = NULL;
			uv_mutex_unlock(&checkpoint->lock);
			code = objects_compact_run(compact);
			uv_mutex_lock(&checkpoint->lock);
			checkpoint->compacted = compact;
			checkpoint->compact_code = code;
			uv_async_send(checkpoint->async);
		} else if (checkpoint->stop) {
			break;
		} else {
			uv_cond_wait(&checkpoint->wake, &checkpoint->lock);
		}
	}
	uv_mutex_unlock(&checkpoint->lock);
}

int
objects_checkpoint_start(struct checkpoint *checkpoint, struct cairn_error *err)
{
	if (uv_mutex_init(&checkpoint->lock) != 0 || uv_cond_init(&checkpoint->wake) != 0 ||
	    uv_thread_create(&checkpoint->thread, checkpoint_main, checkpoint) != 0)
		return cairn_error_set(err, CAIRN_ENOMEM, "cannot start the store's index thread");
	checkpoint->started = true;
	return 0;
}

void
objects_checkpoint_stop(struct checkpoint *checkpoint)
{
	if (!checkpoint->started)
		return;
	uv_mutex_lock(&checkpoint->lock);
	checkpoint->stop = true;
	uv_cond_signal(&checkpoint->wake);
	uv_mutex_unlock(&checkpoint->lock);
	uv_thread_join(&checkpoint->thread);
	uv_cond_destroy(&checkpoint->wake);
	uv_mutex_destroy(&checkpoint->lock);
	checkpoint->started = false;
}

void
objects_checkpoint_give(struct checkpoint *checkpoint, struct checkpoint_batch *batch)
{
	uv_mutex_lock(&checkpoint->lock);
	checkpoint->work = batch;
	uv_cond_signal(&checkpoint->wake);
	uv_mutex_unlock(&checkpoint->lock);
}

struct checkpoint_batch *
objects_checkpoint_take(struct checkpoint *checkpoint)
{
	struct checkpoint_batch *batch;

	uv_mutex_lock(&checkpoint->lock);
	batch = checkpoint->finished;
	checkpoint->finished = NULL;
	uv_mutex_unlock(&checkpoint->lock);
	return batch;
}

void
objects_checkpoint_compact(struct checkpoint *checkpoint, struct compact *compact)
{
	compact->dirs = checkpoint->dirs;
	compact->io = checkpoint->io;
	compact->index = checkpoint->index;
	uv_mutex_lock(&checkpoint->lock);
	checkpoint->compact = compact;
	uv_cond_signal(&checkpoint->wake);
	uv_mutex_unlock(&checkpoint->lock);
}

struct compact *
objects_checkpoint_compacted(struct checkpoint *checkpoint, int *ret_code)
{
	struct compact *compact;

	uv_mutex_lock(&checkpoint->lock);
	compact = checkpoint->compacted;
	checkpoint->compacted = NULL;
	*ret_code = checkpoint->compact_code;
	uv_mutex_unlock(&checkpoint->lock);
	return compact;
}
