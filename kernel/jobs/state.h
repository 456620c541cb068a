/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JOBS_STATE_H
#define JOBS_STATE_H

/*
 * What the loop knows of jobs: ids and attempts of those that are ready (a heap for each queue),
 * wait for their back-off (one heap) or are taken (a table).  Bodies stay in LMDB until they are
 * taken.
 *
 * Suspects.  A consumer that dies gives back everything it had, and one of these jobs may be what
 * killed it.  So that the innocent ones do not end as dead letters beside it, a queue with suspects
 * hands out an eighth as many at a time as were with the consumer that died, down to one, and a
 * suspect's last attempt is made alone.
 */

#include <stdbool.h>

#include <uv.h>

#include "jobs/heap.h"
#include "jobs/jobs.h"
#include "jobs/store.h"
#include "jobs/table.h"
#include "jobs/worker.h"

struct queue {
	char name[QUEUE_NAME_MAX + 1];
	uint16_t number;
	struct heap ready;
	uint64_t putting; /* accepted, not on disk */
	uint64_t delayed;
	uint64_t marking; /* their next attempt is on its way to the disk */
	uint64_t taken;
	uint64_t dead;
	uint64_t done;
	uint64_t suspects; /* alive */
	uint64_t cautious; /* how many may be out while there are suspects */
	uint64_t taken_up_to;
	bool alone_out; /* a suspect is making its last attempt */
	bool wake;
};

struct jobs {
	uv_async_t async;
	uv_timer_t timer;
	struct worker worker;
	MDB_txn *read_txn; /* reset between uses */
	unsigned attempts_max;
	unsigned backoff_ms;
	uint64_t queue_max;
	jobs_wake_fn wake;
	void *wake_arg;
	struct queue *queues[QUEUES_MAX];
	size_t queue_count;
	struct heap delayed;
	struct table taken;
	uint64_t taken_count; /* without those that are finishing */
	bool closing;
	unsigned handles_open;
	void (*closed)(void *arg);
	void *closed_arg;
};

struct queue *jobs_queue_find(struct jobs *jobs, const char *name);

/* Jobs that are in memory or on the way there. */
uint64_t queue_alive(const struct queue *queue);

/* Wakes the queue's consumer from the loop, not from inside the caller's call. */
void queue_wake_later(struct jobs *jobs, struct queue *queue);

/* dead.c: an OP_REVIVE or OP_DROP is on disk. */
void jobs_dead_done(struct jobs *jobs, const struct op *op);

/* Hands `op` to the worker. */
void jobs_submit(struct jobs *jobs, struct op *op);
void jobs_submit_or_free(struct jobs *jobs, struct op *op); /* frees one without items */

/* Sets the timer for the first job that waits for its back-off. */
void jobs_schedule(struct jobs *jobs);

#endif
