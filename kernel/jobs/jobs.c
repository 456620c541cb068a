/* SPDX-License-Identifier: Apache-2.0 */
#include "jobs/jobs.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "jobs/state.h"

#define ATTEMPTS_MAX 8
#define BACKOFF_MS 200
#define QUEUE_MAX 1000000
#define PUT_MAX 65536 /* jobs in one call */

/* ---- queues ----------------------------------------------------------------------------- */

struct queue *
jobs_queue_find(struct jobs *jobs, const char *name)
{
	for (size_t i = 0; i < jobs->queue_count; i++)
		if (strcmp(jobs->queues[i]->name, name) == 0)
			return jobs->queues[i];
	return NULL;
}

uint64_t
queue_alive(const struct queue *queue)
{
	return queue->ready.count + queue->delayed + queue->marking + queue->taken + queue->putting;
}

void
queue_wake_later(struct jobs *jobs, struct queue *queue)
{
	queue->wake = true;
	uv_async_send(&jobs->async);
}

/* Queues get their numbers in the order in which they are first used. */
static int
queue_add(struct jobs *jobs, const char *name, struct queue **ret, struct cairn_error *err)
{
	struct queue *queue;

	if (jobs->queue_count == QUEUES_MAX)
		return cairn_error_set(
		    err, CAIRN_ELIMIT, "there are %d queues already", QUEUES_MAX);
	queue = calloc(1, sizeof *queue);
	if (queue == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "no memory for a queue");
	queue->number = (uint16_t)jobs->queue_count;
	text_copy(queue->name, sizeof queue->name, name);
	jobs->queues[jobs->queue_count++] = queue;
	*ret = queue;
	return 0;
}

static int
queue_get(struct jobs *jobs, const char *name, struct queue **ret, struct cairn_error *err)
{
	struct queue *queue = jobs_queue_find(jobs, name);
	struct op *op;
	int code;

	if (queue == NULL) {
		op = op_new(OP_QUEUE, 0);
		if (op == NULL)
			return cairn_error_set(err, CAIRN_ENOMEM, "no memory for a queue");
		code = queue_add(jobs, name, &queue, err);
		if (code != 0) {
			op_free(op);
			return code;
		}
		op->queue = queue->number;
		text_copy(op->text, sizeof op->text, name);
		jobs_submit(jobs, op);
	}
	*ret = queue;
	return 0;
}

/* ---- putting ---------------------------------------------------------------------------- */

static int
check_entry(const struct jobs_put_entry *entry, struct cairn_error *err)
{
	if (entry->queue == NULL || entry->queue[0] == 0 ||
	    strnlen(entry->queue, QUEUE_NAME_MAX + 1) > QUEUE_NAME_MAX)
		return cairn_error_set(
		    err, CAIRN_EINVAL, "a queue's name has 1 to %d characters", QUEUE_NAME_MAX);
	if (entry->key == NULL || strnlen(entry->key, JOBS_KEY_MAX + 1) > JOBS_KEY_MAX)
		return cairn_error_set(
		    err, CAIRN_EINVAL, "a job's key has at most %d bytes", JOBS_KEY_MAX);
	if (entry->length > JOBS_BODY_MAX)
		return cairn_error_set(err, CAIRN_ELIMIT, "a job of %zu bytes (at most %u)",
		    entry->length, JOBS_BODY_MAX);
	return 0;
}

/* Counts the job in, with room in the heap for the time when it will be ready. */
static int
admit(struct jobs *jobs, const struct jobs_put_entry *entry, uint16_t *ret_queue,
    struct cairn_error *err)
{
	struct queue *queue = NULL;
	int code = queue_get(jobs, entry->queue, &queue, err);

	if (code != 0)
		return code;
	if (queue_alive(queue) + queue->dead >= jobs->queue_max)
		return cairn_error_set(err, CAIRN_ELIMIT,
		    "the queue %s is full (%llu jobs, %llu dead)", queue->name,
		    (unsigned long long)(queue_alive(queue) + queue->dead),
		    (unsigned long long)queue->dead);
	if (heap_reserve(&queue->ready, (size_t)queue_alive(queue) + 1) != 0)
		return cairn_error_set(err, CAIRN_ENOMEM, "no memory for a job");
	queue->putting++;
	*ret_queue = queue->number;
	return 0;
}

static int
put_admitted(
    struct jobs *jobs, struct op *op, jobs_durable_fn durable, void *arg, struct cairn_error *err)
{
	if (op == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "no memory for jobs");
	op->durable = durable;
	op->arg = arg;
	if (worker_submit(&jobs->worker, op) == 0)
		return 0;
	op_free(op);
	return cairn_error_set(
	    err, CAIRN_ELIMIT, "too many jobs wait for the disk; try again later");
}

int
jobs_put(struct jobs *jobs, const struct jobs_put_entry *entries, size_t count,
    jobs_durable_fn durable, void *arg, struct cairn_error *err)
{
	uint16_t *queues;
	size_t admitted = 0;
	int code = 0;

	if (jobs->closing)
		return cairn_error_set(err, CAIRN_ECANCELLED, "the node is stopping");
	if (count > PUT_MAX)
		return cairn_error_set(
		    err, CAIRN_ELIMIT, "%zu jobs at once (at most %d)", count, PUT_MAX);
	for (size_t i = 0; i < count && code == 0; i++)
		code = check_entry(&entries[i], err);
	if (code != 0)
		return code;
	queues = calloc(count + 1, sizeof *queues);
	if (queues == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "no memory for jobs");
	while (code == 0 && admitted < count) {
		code = admit(jobs, &entries[admitted], &queues[admitted], err);
		admitted += code == 0;
	}
	if (code == 0)
		code = put_admitted(jobs, op_new_put(entries, queues, count), durable, arg, err);
	for (size_t i = 0; code != 0 && i < admitted; i++)
		jobs->queues[queues[i]]->putting--;
	free(queues);
	return code;
}

/* ---- what comes back from the worker ---------------------------------------------------- */

static void
on_put(struct jobs *jobs, const struct op *op)
{
	for (size_t i = 0; i < op->count; i++) {
		struct queue *queue = jobs->queues[op->jobs[i].queue];

		queue->putting--;
		if (op->code != 0 || op->jobs[i].id == 0)
			continue;
		heap_push(&queue->ready,
		    (struct job_item){
			.order = op->jobs[i].id, .id = op->jobs[i].id, .queue = queue->number});
		queue->wake = true;
	}
	if (op->durable != NULL)
		op->durable(op->arg, op->code, op->code == 0 ? "" : op->text);
}

static void
on_mark(struct jobs *jobs, const struct op *op)
{
	for (size_t i = 0; i < op->count; i++) {
		struct job_item item = op->items[i];
		struct queue *queue = jobs->queues[item.queue];

		item.attempt--; /* it is counted again when the job is handed out */
		item.flags = (uint16_t)((item.flags & ~JOB_STRICT) | JOB_MARKED | JOB_STATED);
		queue->marking--;
		heap_push(&queue->ready, item);
		queue->wake = true;
	}
}

static void
on_done(struct jobs *jobs, const struct op *op)
{
	for (size_t i = 0; i < op->count; i++) {
		struct table_entry *entry = table_find(&jobs->taken, op->items[i].id);

		if (entry != NULL)
			table_remove(&jobs->taken, entry);
	}
}

static void
wake_queues(struct jobs *jobs)
{
	for (size_t i = 0; i < jobs->queue_count && !jobs->closing; i++) {
		struct queue *queue = jobs->queues[i];

		if (!queue->wake)
			continue;
		queue->wake = false;
		if (queue->ready.count > 0 && jobs->wake != NULL)
			jobs->wake(jobs->wake_arg, queue->name);
	}
}

static void
free_jobs(uv_handle_t *handle)
{
	struct jobs *jobs = handle->data;
	void (*closed)(void *arg) = jobs->closed;
	void *closed_arg = jobs->closed_arg;

	if (--jobs->handles_open > 0)
		return;
	if (jobs->read_txn != NULL)
		mdb_txn_abort(jobs->read_txn);
	journal_close(&jobs->worker.journal);
	for (size_t i = 0; i < jobs->queue_count; i++) {
		heap_fini(&jobs->queues[i]->ready);
		free(jobs->queues[i]);
	}
	heap_fini(&jobs->delayed);
	table_fini(&jobs->taken);
	op_list_free(&jobs->worker.waiting);
	free(jobs);
	if (closed != NULL)
		closed(closed_arg);
}

static void
close_handles(struct jobs *jobs)
{
	uv_close((uv_handle_t *)&jobs->timer, free_jobs);
	uv_close((uv_handle_t *)&jobs->async, free_jobs);
}

static void
on_async(uv_async_t *async)
{
	struct jobs *jobs = async->data;
	bool finished = false;
	struct op_list ops = worker_collect(&jobs->worker, &finished);

	for (struct op *op = ops.first, *next; op != NULL; op = next) {
		next = op->next;
		if (op->type == OP_PUT)
			on_put(jobs, op);
		else if (op->type == OP_MARK)
			on_mark(jobs, op);
		else if (op->type == OP_DONE)
			on_done(jobs, op);
		else if (op->type == OP_REVIVE || op->type == OP_DROP)
			jobs_dead_done(jobs, op);
		op_free(op);
	}
	wake_queues(jobs);
	if (finished && !uv_is_closing((uv_handle_t *)async)) {
		worker_fini(&jobs->worker);
		close_handles(jobs);
	}
}

void
jobs_submit(struct jobs *jobs, struct op *op)
{
	worker_submit(&jobs->worker, op); /* only puts are refused */
}

void
jobs_submit_or_free(struct jobs *jobs, struct op *op)
{
	if (op->count > 0)
		jobs_submit(jobs, op);
	else
		op_free(op);
}

/* ---- back-off --------------------------------------------------------------------------- */

static void
on_timer(uv_timer_t *timer)
{
	struct jobs *jobs = timer->data;
	uint64_t now = clock_monotonic_ms();

	while (heap_top(&jobs->delayed) != NULL && heap_top(&jobs->delayed)->order <= now) {
		struct job_item item = heap_pop(&jobs->delayed);
		struct queue *queue = jobs->queues[item.queue];

		item.order = item.id;
		queue->delayed--;
		heap_push(&queue->ready, item);
		queue->wake = true;
	}
	jobs_schedule(jobs);
	wake_queues(jobs);
}

void
jobs_schedule(struct jobs *jobs)
{
	const struct job_item *top = heap_top(&jobs->delayed);
	uint64_t now = clock_monotonic_ms();

	if (top == NULL || jobs->closing)
		uv_timer_stop(&jobs->timer);
	else
		uv_timer_start(&jobs->timer, on_timer, top->order > now ? top->order - now : 0, 0);
}

/* ---- opening and closing ---------------------------------------------------------------- */

static int
found_queue(void *arg, uint16_t number, const struct queue_row *row)
{
	struct jobs *jobs = arg;
	struct queue *queue = NULL;

	if (number != jobs->queue_count || jobs_queue_find(jobs, row->name) != NULL)
		return CAIRN_ECORRUPT;
	if (queue_add(jobs, row->name, &queue, NULL) != 0)
		return CAIRN_ENOMEM;
	queue->done = row->done;
	queue->taken_up_to = row->taken_up_to;
	return 0;
}

/* Was with a node that died in its last attempt.  The thread that will write this has not begun. */
static int
bury_found(struct jobs *jobs, struct job_item item)
{
	struct op *op = op_new(OP_STATE, 1);

	if (op == NULL)
		return CAIRN_ENOMEM;
	item.flags = 0;
	op->items[0] = item;
	op->state = STATE_DEAD;
	text_copy(op->text, sizeof op->text, "the node died while it had it");
	op_list_append(&jobs->worker.waiting, op);
	return 0;
}

static int
found_job(void *arg, struct job_item item, bool dead)
{
	struct jobs *jobs = arg;
	struct queue *queue = jobs->queues[item.queue];

	if (!dead && (item.flags & JOB_SUSPECT) != 0 && item.attempt >= jobs->attempts_max) {
		int code = bury_found(jobs, item);

		if (code != 0)
			return code;
		dead = true;
	}
	if (dead) {
		queue->dead++;
		return 0;
	}
	if (heap_reserve(&queue->ready, queue->ready.count + 1) != 0)
		return CAIRN_ENOMEM;
	heap_push(&queue->ready, item);
	queue->suspects += (item.flags & JOB_SUSPECT) != 0;
	return 0;
}

static void
set_options(struct jobs *jobs, const struct jobs_options *options)
{
	jobs->attempts_max = options->attempts_max == 0 ? ATTEMPTS_MAX : options->attempts_max;
	jobs->backoff_ms = options->backoff_ms == 0 ? BACKOFF_MS : options->backoff_ms;
	jobs->queue_max = options->queue_max == 0 ? QUEUE_MAX : options->queue_max;
}

static int
open_journal(struct jobs *jobs, const struct jobs_options *options, struct cairn_error *err)
{
	const struct journal_found found = {jobs, found_queue, found_job};
	int code = journal_open(&jobs->worker.journal, options, &found, err), rc;

	if (code != 0)
		return code;
	for (size_t i = 0; i < jobs->queue_count; i++) {
		jobs->queues[i]->cautious = 1 + jobs->queues[i]->suspects / 8;
		jobs->queues[i]->wake = true;
	}
	rc = mdb_txn_begin(jobs->worker.journal.store.env, NULL, MDB_RDONLY, &jobs->read_txn);
	if (rc != 0)
		return cairn_error_set(err, CAIRN_EIO, "reading jobs: %s", mdb_strerror(rc));
	mdb_txn_reset(jobs->read_txn);
	return 0;
}

/* A handle that was begun must be closed by the loop, so that a failure after this point frees
 * later. */
static int
start(struct jobs *jobs, uv_loop_t *loop, struct cairn_error *err)
{
	int code;

	uv_timer_init(loop, &jobs->timer); /* cannot fail */
	jobs->timer.data = jobs;
	jobs->handles_open = 1;
	if (uv_async_init(loop, &jobs->async, on_async) != 0) {
		uv_close((uv_handle_t *)&jobs->timer, free_jobs);
		return cairn_error_set(err, CAIRN_ENOMEM, "no memory for jobs");
	}
	jobs->async.data = jobs;
	jobs->handles_open = 2;
	code = worker_start(&jobs->worker, &jobs->async, err);
	if (code != 0)
		close_handles(jobs);
	else
		uv_async_send(&jobs->async); /* wakes the queues that have something */
	return code;
}

int
jobs_open(struct jobs **ret, uv_loop_t *loop, const struct jobs_options *options, jobs_wake_fn wake,
    void *arg, struct cairn_error *err)
{
	struct jobs *jobs = calloc(1, sizeof *jobs);
	int code;

	if (jobs == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "no memory for jobs");
	set_options(jobs, options);
	jobs->wake = wake;
	jobs->wake_arg = arg;
	jobs->worker.journal.store.lock_fd = -1;
	code = open_journal(jobs, options, err);
	if (code != 0) {
		jobs->handles_open = 1;
		free_jobs(&(uv_handle_t){.data = jobs});
		return code;
	}
	code = start(jobs, loop, err);
	if (code == 0)
		*ret = jobs;
	return code;
}

void
jobs_close(struct jobs *jobs, void (*closed)(void *arg), void *arg)
{
	struct op *op = op_new(OP_CLEAN, 0);

	jobs->closing = true;
	jobs->closed = closed;
	jobs->closed_arg = arg;
	uv_timer_stop(&jobs->timer);
	if (op != NULL)
		jobs_submit(jobs, op);
	else
		log_warning("jobs",
		    "no memory to close in order; ignoring: what is in flight will count "
		    "as an attempt");
	worker_stop(&jobs->worker);
}
