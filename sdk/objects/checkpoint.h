/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OBJECTS_CHECKPOINT_H
#define OBJECTS_CHECKPOINT_H

/*
 * The thread that writes the index.  The loop gathers what became durable in the log in a batch and
 * hands it over; the thread commits it together with the new watermark and hands it back.
 */

#include "objects/commit.h"
#include "objects/compact.h"

#define CURSOR_NAME_MAX 63
#define CURSORS_MAX 64

struct checkpoint_item {
	char key[OBJECTS_KEY_MAX + 1];
	bool erase;
	struct index_entry entry; /* of the object, also when it is erased */
	uint64_t dead;            /* bytes that die with it */
	objects_durable_fn done;  /* of an erasure */
	void *arg;
};

struct checkpoint_cursor {
	char name[CURSOR_NAME_MAX + 1];
	struct objects_cursor cursor;
	bool dirty;
};

struct checkpoint_batch {
	struct checkpoint_item *items;
	size_t count;
	size_t room;
	uint64_t bytes;
	struct objects_cursor watermark;
	struct checkpoint_cursor cursors[CURSORS_MAX];
	size_t cursors_count;
	int code;
};

struct checkpoint {
	uv_thread_t thread;
	bool started;
	uv_mutex_t lock;
	uv_cond_t wake;
	struct checkpoint_batch *work;     /* loop to thread */
	struct checkpoint_batch *finished; /* thread to loop */
	struct compact *compact;           /* loop to thread */
	struct compact *compacted;         /* thread to loop */
	int compact_code;
	bool stop;
	/* Set before the start. */
	const struct objects_dirs *dirs;
	const struct objects_io *io;
	struct objects_index *index;
	struct objects_commit *commit;
	uv_async_t *async;
	enum objects_durability durability;
	/* The thread's own. */
	struct objects_cursor
	    synced;   /* with process durability: the log up to here is on the disk */
	bool suspect; /* a sync failed and was not made good */
};

/* Room for one more; NULL when out of memory. */
struct checkpoint_item *objects_batch_add(struct checkpoint_batch *batch);
void objects_batch_free(struct checkpoint_batch *batch);

/* Applies a batch to the index in one transaction. */
int objects_batch_apply(const struct checkpoint_batch *batch, struct objects_index *index);

int objects_checkpoint_start(struct checkpoint *checkpoint, struct cairn_error *err);
void objects_checkpoint_stop(struct checkpoint *checkpoint);
void objects_checkpoint_give(struct checkpoint *checkpoint, struct checkpoint_batch *batch);
struct checkpoint_batch *objects_checkpoint_take(struct checkpoint *checkpoint);
void objects_checkpoint_compact(struct checkpoint *checkpoint, struct compact *compact);
struct compact *objects_checkpoint_compacted(struct checkpoint *checkpoint, int *ret_code);

#endif
