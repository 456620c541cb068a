/* SPDX-License-Identifier: Apache-2.0 */
#include "jobs/worker.h"

#include <stdio.h>

#include "base/log.h"

#define RETRY_NS 200000000u /* how long operations wait that must get to a full disk */

struct thread {
	struct worker *worker;
	struct op_list held; /* must get to the disk and could not yet */
	bool failing;
};

static void
report(struct thread *thread, int code, const struct cairn_error *err)
{
	if (code != 0 && !thread->failing)
		log_error("jobs", "%s; acknowledgements are kept and tried again", err->text);
	if (code == 0 && thread->failing)
		log_info("jobs", "writing jobs works again");
	thread->failing = code != 0;
}

static void
fail_puts(struct op_list *group, int code, const struct cairn_error *err)
{
	for (struct op *op = group->first; op != NULL; op = op->next) {
		if (op->type != OP_PUT)
			continue;
		op->code = code;
		snprintf(op->text, sizeof op->text, "%.*s", (int)sizeof op->text - 1, err->text);
	}
}

/* What comes back to the loop goes to `done`, what must be tried again to `held`. */
static void
split(struct op_list *group, struct op_list *done, struct op_list *held)
{
	for (struct op *op = group->first, *next; op != NULL; op = next) {
		next = op->next;
		op_list_append(op->type == OP_PUT ? done : held, op);
	}
	*group = (struct op_list){0};
}

static void
commit(struct thread *thread, struct op_list *group, struct op_list *done)
{
	struct journal *journal = &thread->worker->journal;
	struct cairn_error err = {0};
	int code = journal_commit(journal, group, true, &err);

	report(thread, code, &err);
	if (code != 0) {
		fail_puts(group, code, &err);
		code = journal_commit(journal, group, false, &err);
	}
	if (code == 0)
		op_list_join(done, group);
	else
		split(group, done, &thread->held);
}

static void
hand_back(struct worker *worker, struct op_list *done)
{
	size_t bytes = 0, jobs = 0;

	for (struct op *op = done->first; op != NULL; op = op->next) {
		bytes += op->bytes;
		jobs += op->type == OP_PUT ? op->count : 0;
	}
	uv_mutex_lock(&worker->mutex);
	worker->put_bytes -= bytes;
	worker->put_jobs -= jobs;
	op_list_join(&worker->finished_ops, done);
	uv_mutex_unlock(&worker->mutex);
	uv_async_send(worker->async);
}

/* False at the end: nothing waits, and what is held had its last chance. */
static bool
next_group(struct thread *thread, struct op_list *ret)
{
	struct worker *worker = thread->worker;
	bool more;

	uv_mutex_lock(&worker->mutex);
	while (worker->waiting.first == NULL && !worker->stopping) {
		if (thread->held.first == NULL)
			uv_cond_wait(&worker->cond, &worker->mutex);
		else if (uv_cond_timedwait(&worker->cond, &worker->mutex, RETRY_NS) != 0)
			break;
	}
	*ret = op_list_take(&thread->held);
	more = worker->waiting.first != NULL || !worker->stopping;
	op_list_join(ret, &worker->waiting);
	uv_mutex_unlock(&worker->mutex);
	return more;
}

static void
work(void *arg)
{
	struct worker *worker = arg;
	struct thread thread = {.worker = worker};
	struct op_list group;

	while (next_group(&thread, &group)) {
		struct op_list done = {0};

		commit(&thread, &group, &done);
		if (done.first != NULL)
			hand_back(worker, &done);
	}
	if (group.first != NULL) {
		log_error("jobs",
		    "closed with acknowledgements that could not be written; "
		    "those jobs will come again");
		op_list_free(&group);
	}
	uv_mutex_lock(&worker->mutex);
	worker->finished = true;
	uv_mutex_unlock(&worker->mutex);
	uv_async_send(worker->async);
}

int
worker_start(struct worker *worker, uv_async_t *async, struct cairn_error *err)
{
	worker->async = async;
	if (uv_mutex_init(&worker->mutex) != 0)
		return cairn_error_set(err, CAIRN_ENOMEM, "cannot start the jobs' thread");
	if (uv_cond_init(&worker->cond) != 0) {
		uv_mutex_destroy(&worker->mutex);
		return cairn_error_set(err, CAIRN_ENOMEM, "cannot start the jobs' thread");
	}
	if (uv_thread_create(&worker->thread, work, worker) != 0) {
		uv_cond_destroy(&worker->cond);
		uv_mutex_destroy(&worker->mutex);
		return cairn_error_set(err, CAIRN_ENOMEM, "cannot start the jobs' thread");
	}
	return 0;
}

int
worker_submit(struct worker *worker, struct op *op)
{
	size_t jobs = op->type == OP_PUT ? op->count : 0;
	bool room;

	uv_mutex_lock(&worker->mutex);
	room = op->type != OP_PUT ||
	    (worker->put_jobs + jobs <= WORKER_PUT_JOBS_MAX &&
		worker->put_bytes + op->bytes <= WORKER_PUT_BYTES_MAX);
	if (room) {
		worker->put_jobs += jobs;
		worker->put_bytes += op->bytes;
		op_list_append(&worker->waiting, op);
		uv_cond_signal(&worker->cond);
	}
	uv_mutex_unlock(&worker->mutex);
	return room ? 0 : CAIRN_ELIMIT;
}

struct op_list
worker_collect(struct worker *worker, bool *ret_finished)
{
	struct op_list ops;

	uv_mutex_lock(&worker->mutex);
	ops = op_list_take(&worker->finished_ops);
	*ret_finished = worker->finished;
	uv_mutex_unlock(&worker->mutex);
	return ops;
}

void
worker_stop(struct worker *worker)
{
	uv_mutex_lock(&worker->mutex);
	worker->stopping = true;
	uv_cond_signal(&worker->cond);
	uv_mutex_unlock(&worker->mutex);
}

void
worker_fini(struct worker *worker)
{
	uv_thread_join(&worker->thread);
	uv_cond_destroy(&worker->cond);
	uv_mutex_destroy(&worker->mutex);
	op_list_free(&worker->waiting);
	op_list_free(&worker->finished_ops);
}
