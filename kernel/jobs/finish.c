/* SPDX-License-Identifier: Apache-2.0 */
#include "jobs/jobs.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "jobs/state.h"

/* How a taken job leaves its consumer: done, to be tried again later, or because the consumer
 * died. */

#define BACKOFF_MAX_MS 60000

/* The job is with its consumer no more.  While there are suspects others wait for that. */
static void
leave(struct jobs *jobs, struct table_entry *entry)
{
	struct queue *queue = jobs->queues[entry->queue];

	queue->taken--;
	jobs->taken_count--;
	queue->alone_out = false;
	if (queue->suspects > 0)
		queue_wake_later(jobs, queue);
}

static void
clear_suspect(struct queue *queue, struct table_entry *entry)
{
	queue->suspects -= (entry->flags & JOB_SUSPECT) != 0;
	entry->flags = (uint8_t)(entry->flags & ~JOB_SUSPECT);
}

static struct table_entry *
find_taken(struct jobs *jobs, uint64_t id)
{
	struct table_entry *entry = jobs->closing ? NULL : table_find(&jobs->taken, id);

	return entry == NULL || entry->finishing ? NULL : entry;
}

static struct job_item
item_of(const struct table_entry *entry)
{
	return (struct job_item){.order = entry->id,
	    .id = entry->id,
	    .attempt = entry->attempt,
	    .queue = entry->queue,
	    .flags = entry->flags};
}

void
jobs_done(struct jobs *jobs, const uint64_t *ids, size_t count)
{
	struct op *op = op_new(OP_DONE, count);

	if (op == NULL) {
		log_error(
		    "jobs", "no memory for acknowledgements; ignoring: the jobs will come again");
		return;
	}
	op->count = 0;
	for (size_t i = 0; i < count; i++) {
		struct table_entry *entry = find_taken(jobs, ids[i]);

		if (entry == NULL)
			continue;
		op_add_item(op, item_of(entry));
		clear_suspect(jobs->queues[entry->queue], entry);
		leave(jobs, entry);
		entry->finishing = true;
		jobs->queues[entry->queue]->done++;
	}
	jobs_submit_or_free(jobs, op);
}

static uint64_t
backoff(const struct jobs *jobs, uint32_t attempt)
{
	unsigned doublings = attempt - 1 < 16 ? attempt - 1 : 16;
	uint64_t wait = (uint64_t)jobs->backoff_ms << doublings;

	return wait < BACKOFF_MAX_MS ? wait : BACKOFF_MAX_MS;
}

static void
bury(struct jobs *jobs, struct table_entry *entry)
{
	struct queue *queue = jobs->queues[entry->queue];

	log_warning("jobs", "job %llu of queue %s is a dead letter after %u attempts",
	    (unsigned long long)entry->id, queue->name, entry->attempt);
	clear_suspect(queue, entry);
	queue->dead++;
}

static void
wait_for_backoff(struct jobs *jobs, struct table_entry *entry)
{
	struct queue *queue = jobs->queues[entry->queue];
	struct job_item item;

	clear_suspect(queue, entry);
	item = item_of(entry);
	item.flags |= JOB_STATED;
	item.order = clock_monotonic_ms() + backoff(jobs, item.attempt);
	heap_push(&jobs->delayed, item);
	queue->delayed++;
}

static void
be_ready_as_suspect(struct jobs *jobs, struct table_entry *entry)
{
	struct queue *queue = jobs->queues[entry->queue];
	struct job_item item;

	queue->suspects += (entry->flags & JOB_SUSPECT) == 0;
	entry->flags |= JOB_SUSPECT | JOB_STATED;
	item = item_of(entry);
	heap_push(&queue->ready, item);
	queue_wake_later(jobs, queue);
}

/* Two operations: those that stay alive and those that are dead now. */
struct giving_back {
	struct op *alive;
	struct op *dead;
};

static void
give_back(struct jobs *jobs, const uint64_t *ids, size_t count, struct giving_back *ops,
    void (*go_on)(struct jobs *jobs, struct table_entry *entry))
{
	for (size_t i = 0; i < count; i++) {
		struct table_entry *entry = find_taken(jobs, ids[i]);
		bool dead = entry != NULL && entry->attempt >= jobs->attempts_max;

		if (entry == NULL)
			continue;
		if (dead)
			bury(jobs, entry);
		else
			go_on(jobs, entry);
		op_add_item(dead ? ops->dead : ops->alive, item_of(entry));
		leave(jobs, entry);
		table_remove(&jobs->taken, entry);
	}
	jobs_submit_or_free(jobs, ops->dead);
	jobs_submit_or_free(jobs, ops->alive);
	jobs_schedule(jobs);
}

static bool
make_ops(struct giving_back *ops, size_t count, const char *alive_reason, const char *dead_reason)
{
	ops->alive = op_new(OP_STATE, count);
	ops->dead = op_new(OP_STATE, count);
	if (ops->alive == NULL || ops->dead == NULL) {
		op_free(ops->alive);
		op_free(ops->dead);
		log_error(
		    "jobs", "no memory to give jobs back; ignoring: they come after a restart");
		return false;
	}
	ops->alive->count = ops->dead->count = 0;
	ops->dead->state = STATE_DEAD;
	snprintf(ops->alive->text, sizeof ops->alive->text, "%.*s", OP_REASON_MAX, alive_reason);
	snprintf(ops->dead->text, sizeof ops->dead->text, "%.*s", OP_REASON_MAX, dead_reason);
	return true;
}

void
jobs_retry(struct jobs *jobs, const uint64_t *ids, size_t count, const char *reason)
{
	struct giving_back ops;

	if (reason == NULL)
		reason = "";
	if (make_ops(&ops, count, reason, reason))
		give_back(jobs, ids, count, &ops, wait_for_backoff);
}

/* How many of the ids are the queue's; the consumer that died had them all. */
static void
be_cautious(struct jobs *jobs, const uint64_t *ids, size_t count)
{
	uint64_t lost[QUEUES_MAX] = {0};

	for (size_t i = 0; i < count; i++) {
		struct table_entry *entry = find_taken(jobs, ids[i]);

		if (entry != NULL)
			lost[entry->queue]++;
	}
	for (size_t i = 0; i < jobs->queue_count; i++)
		if (lost[i] > 0)
			jobs->queues[i]->cautious = lost[i] < 16 ? 1 : lost[i] / 8;
}

void
jobs_release(struct jobs *jobs, const uint64_t *ids, size_t count)
{
	struct giving_back ops;

	be_cautious(jobs, ids, count);
	if (make_ops(&ops, count, "its consumer died", "its consumers died while they had it"))
		give_back(jobs, ids, count, &ops, be_ready_as_suspect);
}
