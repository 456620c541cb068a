/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The disk is waited for on a worker thread, one turn at a time.  A turn takes all steps that wait
 * and does them in one transaction, so that they share its sync; when one fails, all is undone and
 * each is done in a transaction of its own.
 */
#include <stdlib.h>

#include "private.h"

#define RETRY_MS 50

static int
finish(struct facts *facts, MDB_txn *txn, int code, struct cairn_error *err)
{
	int rc;

	if (code == 0)
		code = store_totals_write(facts, txn, err);
	if (code != 0) {
		mdb_txn_abort(txn);
		return code;
	}
	rc = mdb_txn_commit(txn);
	return rc == 0 ? 0 : store_error(rc, "keeping what is stated", err);
}

/* Steps from `first` to before `end`, all or none. */
static int
run(struct facts *facts, struct facts_step *first, const struct facts_step *end,
    struct cairn_error *err)
{
	const struct facts_totals before = facts->totals;
	MDB_txn *txn;
	int code = 0, rc = mdb_txn_begin(facts->env, NULL, 0, &txn);

	if (rc != 0)
		return store_error(rc, "keeping what is stated", err);
	for (struct facts_step *step = first; code == 0 && step != end; step = step->next) {
		step->err = (struct cairn_error){0};
		code = step->run(facts, txn, step);
		if (code != 0)
			*err = step->err;
	}
	code = finish(facts, txn, code, err);
	if (code != 0) {
		facts->totals = before;
		facts->totals_dirty = false;
	}
	return code;
}

static void
work(void *arg)
{
	struct facts *facts = arg;
	struct cairn_error err = {0};
	int code = run(facts, facts->turn, NULL, &err);

	for (struct facts_step *step = facts->turn; step != NULL; step = step->next) {
		step->code = 0;
		step->err = (struct cairn_error){0};
		if (code != 0) {
			step->code = run(facts, step, step->next, &err);
			step->err = err;
			step->err.code = step->code;
		}
	}
}

static void start(struct facts *facts);
static void on_retry(uv_timer_t *timer);

static void
after(void *arg)
{
	struct facts *facts = arg;
	struct facts_step *step = facts->turn;

	facts->turn = NULL;
	facts->working = false;
	facts->shown = facts->totals;
	if (facts->between != NULL)
		facts->between(facts->between_arg);
	while (step != NULL) {
		struct facts_step *next = step->next;

		step->after(facts, step);
		step = next;
	}
	start(facts);
	work_rest(facts);
}

static void
start(struct facts *facts)
{
	if (facts->working || facts->waiting == NULL)
		return;
	facts->turn = facts->waiting;
	facts->waiting = NULL;
	facts->waiting_end = &facts->waiting;
	facts->working = true;
	if (cairn_work(facts->cairn, work, after, facts) != 0) {
		cairn_log(CAIRN_LOG_WARNING, "facts: no worker thread; trying again");
		facts->working = false;
		facts->waiting = facts->turn;
		facts->turn = NULL;
		for (facts->waiting_end = &facts->waiting; *facts->waiting_end != NULL;)
			facts->waiting_end = &(*facts->waiting_end)->next;
		uv_timer_start(&facts->retry, on_retry, RETRY_MS, 0);
	}
}

static void
on_retry(uv_timer_t *timer)
{
	start(timer->data);
}

void
work_add(struct facts *facts, struct facts_step *step)
{
	step->next = NULL;
	*facts->waiting_end = step;
	facts->waiting_end = &step->next;
	start(facts);
}

static void
closed(uv_handle_t *handle)
{
	struct facts *facts = handle->data;

	facts->handles--;
	work_rest(facts);
}

void
work_close_timer(struct facts *facts, uv_timer_t *timer)
{
	(void)facts;
	uv_close((uv_handle_t *)timer, closed);
}

/* What waits for the disk goes on; then the timers, last of all the one that may be needed for it.
 * An answer that is still awaited finds `closed`. */
void
work_rest(struct facts *facts)
{
	if (!facts->closing || facts->working || facts->waiting != NULL)
		return;
	if (!facts->retry_closed) {
		facts->retry_closed = true;
		work_close_timer(facts, &facts->retry);
		return;
	}
	if (facts->handles > 0 || facts->closed)
		return;
	facts->closed = true;
	mdb_env_close(facts->env);
	facts->on_closed(facts->closed_arg);
	if (facts->calls == 0)
		facts_free(facts);
}
