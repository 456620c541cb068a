/* SPDX-License-Identifier: Apache-2.0 */
#include "jobs/jobs.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "jobs/state.h"
#include "ledger/env.h"

#define TAKE_BYTES_MAX (64u << 20) /* of bodies in one call; one job may always be taken */

/* ---- taking ----------------------------------------------------------------------------- */

static bool
is_last_attempt(const struct jobs *jobs, const struct job_item *item)
{
	return item->attempt + 1 >= jobs->attempts_max;
}

/* May the top of the heap go out beside the `out` that are out or on their way? */
static bool
may_go(const struct jobs *jobs, const struct queue *queue, const struct job_item *top, uint64_t out)
{
	if (queue->alone_out)
		return false;
	if (queue->suspects == 0)
		return true;
	if ((top->flags & JOB_SUSPECT) != 0 && is_last_attempt(jobs, top))
		return out == 0;
	return out < queue->cautious;
}

static int
read_record(struct jobs *jobs, uint64_t id, struct record *ret)
{
	uint8_t number[ENV_KEY_BYTES];
	MDB_val key = {sizeof number, number}, value;

	env_key_put(number, id);
	if (mdb_get(jobs->read_txn, jobs->worker.journal.store.jobs, &key, &value) != 0)
		return CAIRN_ECORRUPT;
	return record_decode(&value, ret);
}

static int
copy_job(struct jobs *jobs, const struct job_item *item, struct jobs_taken *ret)
{
	struct jobs_taken taken = {.id = item->id, .attempt = item->attempt + 1};
	struct record record;
	int code = read_record(jobs, item->id, &record);

	if (code != 0)
		return code;
	memcpy(taken.key, record.key, record.key_length);
	taken.length = record.length;
	taken.body = malloc(record.length + 1);
	if (taken.body == NULL)
		return CAIRN_ENOMEM;
	memcpy(taken.body, record.body, record.length);
	*ret = taken;
	return 0;
}

/* One jobs_take() under way. */
struct take {
	struct jobs *jobs;
	struct queue *queue;
	struct jobs_taken *ret;
	size_t max;
	size_t count;
	size_t bytes;
	struct op *marks;  /* strict jobs: handed out once this is on disk */
	struct op *states; /* later attempts: told to the disk while they are under way */
	uint64_t first_up_to;
};

/* True when it must go alone, so that no other is marked beside it. */
static bool
mark(struct take *take, struct job_item item)
{
	bool alone = (item.flags & JOB_SUSPECT) != 0 && is_last_attempt(take->jobs, &item);

	item.attempt++;
	op_add_item(take->marks, item);
	take->queue->marking++;
	return alone;
}

static void
hand_out(struct take *take, struct job_item item)
{
	struct queue *queue = take->queue;

	if ((item.flags & JOB_SUSPECT) != 0 && is_last_attempt(take->jobs, &item))
		queue->alone_out = true;
	item.attempt++;
	if (item.attempt == 1 && (item.flags & JOB_STATED) == 0) {
		take->first_up_to = item.id;
	} else {
		if ((item.flags & JOB_MARKED) == 0)
			op_add_item(take->states, item);
		item.flags |= JOB_STATED;
	}
	table_add(&take->jobs->taken,
	    (struct table_entry){.id = item.id,
		.attempt = item.attempt,
		.queue = item.queue,
		.flags = (uint8_t)(item.flags & (JOB_SUSPECT | JOB_STATED))});
	queue->taken++;
	take->jobs->taken_count++;
}

/* A record that cannot be read must not stand in the way of the others. */
static void
drop_damaged(struct take *take, struct job_item item)
{
	log_error("jobs", "job %llu of queue %s is damaged on disk and was set aside; ignoring it",
	    (unsigned long long)item.id, take->queue->name);
	take->queue->suspects -= (item.flags & JOB_SUSPECT) != 0;
	take->queue->dead++;
}

static int
take_jobs(struct take *take)
{
	struct queue *queue = take->queue;
	const struct job_item *top;

	while ((top = heap_top(&queue->ready)) != NULL && take->bytes < TAKE_BYTES_MAX &&
	    take->count + take->marks->count < take->max &&
	    may_go(take->jobs, queue, top, queue->taken + queue->marking)) {
		int code;

		if ((top->flags & JOB_STRICT) != 0) {
			if (mark(take, heap_pop(&queue->ready)))
				break;
			continue;
		}
		code = copy_job(take->jobs, top, &take->ret[take->count]);
		if (code == CAIRN_ECORRUPT) {
			drop_damaged(take, heap_pop(&queue->ready));
			continue;
		}
		if (code != 0)
			return take->count > 0 ? 0 : code;
		take->bytes += take->ret[take->count++].length;
		hand_out(take, heap_pop(&queue->ready));
	}
	return 0;
}

/* Memory for everything that the jobs will need on their way, so that nothing fails half-way. */
static int
prepare(struct take *take)
{
	struct jobs *jobs = take->jobs;

	if (table_reserve(&jobs->taken, jobs->taken.count + take->max) != 0 ||
	    heap_reserve(
		&jobs->delayed, jobs->delayed.count + (size_t)jobs->taken_count + take->max) != 0)
		return CAIRN_ENOMEM;
	take->marks = op_new(OP_MARK, take->max);
	take->states = op_new(OP_STATE, take->max);
	if (take->marks == NULL || take->states == NULL)
		return CAIRN_ENOMEM;
	take->marks->count = take->states->count = 0;
	take->marks->state = take->states->state = STATE_IN_FLIGHT;
	return 0;
}

static void
submit_watermark(struct take *take)
{
	struct op *op;

	if (take->first_up_to <= take->queue->taken_up_to)
		return;
	take->queue->taken_up_to = take->first_up_to;
	op = op_new(OP_TAKEN, 0);
	if (op == NULL)
		return; /* the next take says it too */
	op->queue = take->queue->number;
	op->taken_up_to = take->first_up_to;
	jobs_submit(take->jobs, op);
}

static int
take_prepared(struct take *take)
{
	struct jobs *jobs = take->jobs;
	int rc = mdb_txn_renew(jobs->read_txn), code;

	if (rc != 0)
		return CAIRN_EIO;
	code = take_jobs(take);
	mdb_txn_reset(jobs->read_txn);
	submit_watermark(take);
	jobs_submit_or_free(jobs, take->marks);
	jobs_submit_or_free(jobs, take->states);
	take->marks = take->states = NULL;
	return code;
}

int
jobs_take(struct jobs *jobs, const char *name, struct jobs_taken *ret, size_t max,
    size_t *ret_count, struct cairn_error *err)
{
	struct take take = {.jobs = jobs, .queue = jobs_queue_find(jobs, name), .ret = ret};
	int code;

	if (take.queue == NULL || jobs->closing || take.queue->ready.count == 0 || max == 0) {
		*ret_count = 0;
		return 0;
	}
	take.max = max < take.queue->ready.count ? max : take.queue->ready.count;
	code = prepare(&take);
	if (code == 0)
		code = take_prepared(&take);
	op_free(take.marks);
	op_free(take.states);
	if (code != 0)
		return cairn_error_set(
		    err, code, "cannot take jobs of queue %s: %s", name, cairn_code_text(code));
	*ret_count = take.count;
	return 0;
}
