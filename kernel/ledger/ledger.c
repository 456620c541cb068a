/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger/ledger.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "ledger/attach.h"
#include "ledger/commit.h"
#include "ledger/record.h"

/*
 * The loop packs entries and queues them; the worker takes all that wait as one group, commits it
 * and hands the same list back.  While it waits for the disk the next group gathers: the slower the
 * disk, the larger the groups.
 */

#define WAITING_MAX 65536
#define WAITING_BYTES_MAX (64u << 20)

struct queue {
	struct pending *first;
	struct pending *last;
};

struct ledger {
	uv_async_t async;
	uv_thread_t thread;
	uv_mutex_t mutex;
	uv_cond_t cond;
	struct committer committer; /* the worker's after ledger_open() */
	_Atomic uint64_t count;

	/* Under the mutex. */
	struct queue waiting;
	struct queue done;
	size_t waiting_count; /* not yet committed, those of the group under way too */
	size_t waiting_bytes;
	bool stopping;
	bool finished; /* the worker has ended */

	/* The loop's. */
	bool closing;
	void (*closed)(void *arg);
	void *closed_arg;
};

static void
queue_append(struct queue *queue, struct pending *first, struct pending *last)
{
	if (queue->first == NULL)
		queue->first = first;
	else
		queue->last->next = first;
	queue->last = last;
}

static struct queue
queue_take(struct queue *queue)
{
	struct queue taken = *queue;

	*queue = (struct queue){0};
	return taken;
}

/* ---- the worker ------------------------------------------------------------------------- */

static void
report(const char *what, int code, const struct cairn_error *err, bool *failing)
{
	if (code != 0 && !*failing)
		log_error("ledger", "%s: %s; trying on with what comes next", what, err->text);
	if (code == 0 && *failing)
		log_info("ledger", "%s: works again", what);
	*failing = code != 0;
}

static void
wait_for_work(struct ledger *ledger)
{
	uint64_t wait_ms = commit_checkpoint_wait_ms(&ledger->committer);

	if (wait_ms == UINT64_MAX)
		uv_cond_wait(&ledger->cond, &ledger->mutex);
	else if (wait_ms > 0)
		uv_cond_timedwait(&ledger->cond, &ledger->mutex, wait_ms * 1000000u);
}

static void
finish_group(struct ledger *ledger, struct queue group)
{
	size_t count = 0, bytes = 0;

	for (struct pending *entry = group.first; entry != NULL; entry = entry->next) {
		count++;
		bytes += entry->length;
	}
	atomic_store(&ledger->count, ledger->committer.state.tree.size);
	uv_mutex_lock(&ledger->mutex);
	ledger->waiting_count -= count;
	ledger->waiting_bytes -= bytes;
	queue_append(&ledger->done, group.first, group.last);
	uv_mutex_unlock(&ledger->mutex);
	uv_async_send(&ledger->async);
}

/* Waits for a group, a checkpoint's time or the end; false at the end. */
static bool
next_group(struct ledger *ledger, struct queue *ret)
{
	bool more;

	uv_mutex_lock(&ledger->mutex);
	while (ledger->waiting.first == NULL && !ledger->stopping &&
	    commit_checkpoint_wait_ms(&ledger->committer) > 0)
		wait_for_work(ledger);
	*ret = queue_take(&ledger->waiting);
	more = ret->first != NULL || !ledger->stopping;
	uv_mutex_unlock(&ledger->mutex);
	return more;
}

static void
work(void *arg)
{
	struct ledger *ledger = arg;
	struct cairn_error err = {0};
	bool failing = false, checkpoint_failing = false;
	struct queue group;

	while (next_group(ledger, &group)) {
		if (group.first != NULL) {
			report("committing records",
			    commit_group(&ledger->committer, group.first, &err), &err, &failing);
			finish_group(ledger, group);
		}
		if (commit_checkpoint_wait_ms(&ledger->committer) == 0)
			report("signing a checkpoint", commit_checkpoint(&ledger->committer, &err),
			    &err, &checkpoint_failing);
	}
	report("signing the last checkpoint", commit_checkpoint(&ledger->committer, &err), &err,
	    &checkpoint_failing);
	uv_mutex_lock(&ledger->mutex);
	ledger->finished = true;
	uv_mutex_unlock(&ledger->mutex);
	uv_async_send(&ledger->async);
}

/* ---- the loop --------------------------------------------------------------------------- */

static void
free_ledger(uv_handle_t *handle)
{
	struct ledger *ledger = handle->data;
	void (*closed)(void *arg) = ledger->closed;
	void *closed_arg = ledger->closed_arg;

	commit_close(&ledger->committer);
	uv_cond_destroy(&ledger->cond);
	uv_mutex_destroy(&ledger->mutex);
	free(ledger);
	if (closed != NULL)
		closed(closed_arg);
}

static void
on_async(uv_async_t *async)
{
	struct ledger *ledger = async->data;
	struct pending *entry, *next;
	bool finished;

	uv_mutex_lock(&ledger->mutex);
	entry = queue_take(&ledger->done).first;
	finished = ledger->finished;
	uv_mutex_unlock(&ledger->mutex);
	for (; entry != NULL; entry = next) {
		next = entry->next;
		if (entry->durable != NULL)
			entry->durable(entry->arg, entry->code, entry->index);
		free(entry);
	}
	if (finished && !uv_is_closing((uv_handle_t *)async)) {
		uv_thread_join(&ledger->thread);
		uv_close((uv_handle_t *)async, free_ledger);
	}
}

static int
start(struct ledger *ledger, uv_loop_t *loop, struct cairn_error *err)
{
	if (uv_mutex_init(&ledger->mutex) != 0)
		return cairn_error_set(err, CAIRN_ENOMEM, "no memory for the ledger");
	if (uv_cond_init(&ledger->cond) != 0) {
		uv_mutex_destroy(&ledger->mutex);
		return cairn_error_set(err, CAIRN_ENOMEM, "no memory for the ledger");
	}
	if (uv_async_init(loop, &ledger->async, on_async) != 0) {
		uv_cond_destroy(&ledger->cond);
		uv_mutex_destroy(&ledger->mutex);
		return cairn_error_set(err, CAIRN_ENOMEM, "no memory for the ledger");
	}
	ledger->async.data = ledger;
	return 0;
}

int
ledger_open(struct ledger **ret, uv_loop_t *loop, const struct ledger_options *options,
    struct cairn_error *err)
{
	struct ledger *ledger = calloc(1, sizeof *ledger);
	int code;

	if (ledger == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "no memory for the ledger");
	code = commit_open(&ledger->committer, options, err);
	if (code == 0) {
		code = start(ledger, loop, err);
		if (code != 0)
			commit_close(&ledger->committer);
	}
	if (code != 0) {
		free(ledger);
		return code;
	}
	atomic_store(&ledger->count, ledger->committer.state.tree.size);
	if (uv_thread_create(&ledger->thread, work, ledger) != 0) {
		uv_close((uv_handle_t *)&ledger->async, free_ledger);
		return cairn_error_set(err, CAIRN_ENOMEM, "cannot start the ledger's thread");
	}
	*ret = ledger;
	return 0;
}

static bool
has_room(const struct ledger *ledger, size_t length)
{
	return ledger->waiting_count < WAITING_MAX &&
	    length <= WAITING_BYTES_MAX - ledger->waiting_bytes;
}

int
ledger_append(struct ledger *ledger, const struct ledger_entry *entry, ledger_durable_fn durable,
    void *arg, struct cairn_error *err)
{
	struct pending *pending;
	uint8_t *bytes;
	size_t length;
	bool room;
	int code;

	if (ledger->closing)
		return cairn_error_set(err, CAIRN_ECANCELLED, "the ledger is closing");
	code = record_pack_body(entry, offsetof(struct pending, body), &bytes, &length, err);
	if (code != 0)
		return code;
	pending = (struct pending *)(void *)bytes;
	*pending = (struct pending){
	    .durable = durable, .arg = arg, .time_ms = clock_wall_ms(), .length = length};
	uv_mutex_lock(&ledger->mutex);
	room = has_room(ledger, length);
	if (room) {
		queue_append(&ledger->waiting, pending, pending);
		ledger->waiting_count++;
		ledger->waiting_bytes += length;
		uv_cond_signal(&ledger->cond);
	}
	uv_mutex_unlock(&ledger->mutex);
	if (room)
		return 0;
	free(bytes);
	return cairn_error_set(err, CAIRN_ELIMIT,
	    "the ledger's disk is too slow: %d records or %u MiB wait for it", WAITING_MAX,
	    WAITING_BYTES_MAX >> 20);
}

uint64_t
ledger_count(const struct ledger *ledger)
{
	return atomic_load(&ledger->count);
}

void
ledger_close(struct ledger *ledger, void (*closed)(void *arg), void *arg)
{
	ledger->closing = true;
	ledger->closed = closed;
	ledger->closed_arg = arg;
	uv_mutex_lock(&ledger->mutex);
	ledger->stopping = true;
	uv_cond_signal(&ledger->cond);
	uv_mutex_unlock(&ledger->mutex);
}

const struct store *
ledger_store(const struct ledger *ledger)
{
	return &ledger->committer.store;
}
