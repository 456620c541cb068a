/* SPDX-License-Identifier: Apache-2.0 */
#include "jobs/jobs.h"

#include <stdlib.h>
#include <string.h>

#include "jobs/state.h"
#include "ledger/env.h"

/*
 * Dead letters lie on disk only.  One that is asked for counts as being put until the disk has it;
 * the worker looks again whether it is still dead (it may have been asked for twice) and says so by
 * the item's order: 0 when it was not.
 */

static bool
is_dead(struct jobs *jobs, uint64_t id, const struct queue *queue, uint16_t *ret_queue)
{
	uint8_t number[ENV_KEY_BYTES];
	MDB_val key = {sizeof number, number}, value;
	struct record record;
	struct state state;
	bool found;

	env_key_put(number, id);
	if (jobstore_state(&jobs->worker.journal.store, jobs->read_txn, id, &state, &found) != 0 ||
	    (state.flags & STATE_DEAD) == 0 ||
	    mdb_get(jobs->read_txn, jobs->worker.journal.store.jobs, &key, &value) != 0 ||
	    record_decode(&value, &record) != 0 || record.queue >= jobs->queue_count)
		return false;
	*ret_queue = record.queue;
	return queue == NULL || queue->number == record.queue;
}

static void
collect_one(struct jobs *jobs, struct op *op, const struct queue *queue, uint64_t id)
{
	uint16_t number = 0;

	if (is_dead(jobs, id, queue, &number))
		op_add_item(op, (struct job_item){.order = id, .id = id, .queue = number});
}

static void
collect_all(struct jobs *jobs, struct op *op, const struct queue *queue)
{
	MDB_cursor *cursor;
	MDB_val key, value;
	uint64_t id;

	if (mdb_cursor_open(jobs->read_txn, jobs->worker.journal.store.states, &cursor) != 0)
		return;
	while (op->count < JOBS_DEAD_MAX && mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0) {
		if (env_key_get(&key, &id))
			collect_one(jobs, op, queue, id);
	}
	mdb_cursor_close(cursor);
}

static int
reserve(struct jobs *jobs, const struct op *op)
{
	for (size_t i = 0; i < op->count; i++) {
		struct queue *queue = jobs->queues[op->items[i].queue];

		if (heap_reserve(&queue->ready, (size_t)queue_alive(queue) + op->count) != 0)
			return CAIRN_ENOMEM;
	}
	return 0;
}

static int
submit(struct jobs *jobs, struct op *op, size_t *ret_count, struct cairn_error *err)
{
	if (op->count == 0) {
		op_free(op);
		return cairn_error_set(
		    err, CAIRN_ENOTFOUND, "there is no such dead letter (see: cairn job list)");
	}
	if (reserve(jobs, op) != 0) {
		op_free(op);
		return cairn_error_set(err, CAIRN_ENOMEM, "no memory for jobs");
	}
	for (size_t i = 0; i < op->count; i++)
		jobs->queues[op->items[i].queue]->putting++;
	*ret_count = op->count;
	jobs_submit(jobs, op);
	return 0;
}

static int
ask(struct jobs *jobs, enum op_type type, const struct jobs_dead *which, size_t *ret_count,
    struct cairn_error *err)
{
	struct queue *queue = NULL;
	struct op *op;

	if (jobs->closing)
		return cairn_error_set(err, CAIRN_ECANCELLED, "the node is stopping");
	if (which->queue != NULL && (queue = jobs_queue_find(jobs, which->queue)) == NULL)
		return cairn_error_set(
		    err, CAIRN_ENOTFOUND, "there is no queue '%s' (cairn status)", which->queue);
	op = op_new(type, queue == NULL ? 1 : JOBS_DEAD_MAX);
	if (op == NULL || mdb_txn_renew(jobs->read_txn) != 0) {
		op_free(op);
		return cairn_error_set(err, CAIRN_ENOMEM, "no memory for jobs");
	}
	op->count = 0;
	if (queue == NULL)
		collect_one(jobs, op, NULL, which->id);
	else
		collect_all(jobs, op, queue);
	mdb_txn_reset(jobs->read_txn);
	return submit(jobs, op, ret_count, err);
}

int
jobs_revive(
    struct jobs *jobs, const struct jobs_dead *which, size_t *ret_count, struct cairn_error *err)
{
	return ask(jobs, OP_REVIVE, which, ret_count, err);
}

int
jobs_drop(
    struct jobs *jobs, const struct jobs_dead *which, size_t *ret_count, struct cairn_error *err)
{
	return ask(jobs, OP_DROP, which, ret_count, err);
}

void
jobs_dead_done(struct jobs *jobs, const struct op *op)
{
	for (size_t i = 0; i < op->count; i++) {
		struct job_item item = op->items[i];
		struct queue *queue = jobs->queues[item.queue];

		queue->putting--;
		if (item.order == 0)
			continue; /* another request was first */
		queue->dead--;
		if (op->type == OP_DROP)
			continue;
		item.flags = JOB_STATED;
		heap_push(&queue->ready, item);
		queue->wake = true;
	}
}
