/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OBJECTS_ENGINE_H
#define OBJECTS_ENGINE_H

/*
 * The writer's inside, shared by its parts.  Everything here belongs to the loop thread, but for
 * what `commit` and `checkpoint` say of themselves.
 */

#include "objects/checkpoint.h"
#include "objects/scan.h"

/* The segment that objects_next read last, kept open at the place it got to. */
struct outbox {
	bool open;
	bool sealed; /* scan.end is final */
	struct scan scan;
	struct objects_cursor at;
};

struct objects {
	uv_loop_t *loop;
	uv_async_t async;
	uv_timer_t timer;
	unsigned handles; /* still to be closed */

	struct objects_dirs dirs;
	struct objects_io io;
	int lock;
	enum objects_durability durability;
	enum objects_layout layout;
	uint64_t segment_size;
	uint64_t large_size;
	uint64_t memory_max;
	uint64_t disk_reserve;

	struct objects_index *index;
	struct index_read *read;
	struct pending *pending;
	struct chunk_pool pool;
	struct objects_commit commit;
	struct checkpoint checkpoint;

	uint64_t memory; /* of all puts */
	size_t busy;     /* callbacks owed */
	uint64_t count;  /* of objects */
	/* Answered, and either their digest is late or they are behind one of those. */
	struct objects_put *unsettled_first;
	struct objects_put *unsettled_last;
	struct objects_cursor durable; /* end of the log as far as it is settled */
	uint64_t begun;                /* puts since the start */
	size_t receiving;              /* puts that are neither committed nor aborted */
	bool nearly_full;              /* as of the last look */

	struct checkpoint_batch *batch; /* being gathered */
	bool checkpointing;             /* one is with the thread */
	bool flush;                     /* the next one shall not wait */
	bool failed;                    /* the last one failed: not before the timer */
	bool batch_broken;              /* memory was short: nothing goes to the index any more */
	struct checkpoint_batch *again; /* failed, to be tried again */
	struct checkpoint_cursor cursors[CURSORS_MAX];
	size_t cursors_count;
	struct outbox outbox;
	struct compact *compact; /* running */
	objects_compact_fn compact_done;
	void *compact_arg;

	void (*notes)(void *arg); /* objects_next() has more */
	void *notes_arg;

	bool closing;
	bool stopped; /* the threads have ended */
	void (*closed)(void *arg);
	void *closed_arg;
};

/* objects_open with other system calls, for tests; `io` NULL means the system's. */
int objects_open_io(struct objects **ret, uv_loop_t *loop, const struct objects_options *options,
    const struct objects_io *io, struct cairn_error *err);

/* recover.c: opens or rebuilds the index, repairs the tail, sets commit.tail, durable and count. */
int objects_recover(struct objects *objects, struct cairn_error *err);

/* flow.c: what happens to puts and batches after they left the API. */
void objects_flow_async(uv_async_t *async);
void objects_flow_timer(uv_timer_t *timer);
void objects_flow_push(struct objects *objects, struct objects_put *put);
void objects_flow_schedule(struct objects *objects); /* a checkpoint, now or later */
void objects_flow_owe(struct objects *objects);      /* a callback, which keeps the loop alive */
void objects_flow_paid(struct objects *objects);
void objects_flow_end_if_idle(struct objects *objects);
void objects_outbox_fini(struct objects *objects);
int objects_put_meta(struct objects_put *put, const void *note, size_t note_length);
void objects_put_free(struct objects_put *put);
void objects_free(struct objects *objects);

/* Where `key` is, durable: pending first, then the index.  CAIRN_ENOTFOUND. */
int objects_locate(struct objects *objects, const char *key, struct index_entry *ret);

#endif
