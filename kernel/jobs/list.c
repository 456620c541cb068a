/* SPDX-License-Identifier: Apache-2.0 */
#include "jobs/jobs.h"

#include <stdio.h>
#include <string.h>

#include "jobs/state.h"
#include "ledger/env.h"

size_t
jobs_stats_get(struct jobs *jobs, struct jobs_stats *ret, size_t max)
{
	for (size_t i = 0; i < jobs->queue_count && i < max; i++) {
		const struct queue *queue = jobs->queues[i];

		ret[i] = (struct jobs_stats){
		    .ready = queue->ready.count + queue->delayed + queue->marking,
		    .taken = queue->taken,
		    .dead = queue->dead,
		    .done = queue->done};
		snprintf(ret[i].queue, sizeof ret[i].queue, "%s", queue->name);
	}
	return jobs->queue_count;
}

/* What the disk says, but for the jobs that the loop knows to be taken.  False for a job whose end
 * is on its way to the disk, and for one that cannot be read. */
static bool
describe(struct jobs *jobs, const MDB_val *key, const MDB_val *value, struct jobs_info *ret)
{
	struct jobs_info info = {.state = "ready"};
	const struct table_entry *entry;
	struct record record;
	struct state state;
	bool found;

	if (!env_key_get(key, &info.id) || record_decode(value, &record) != 0 ||
	    record.queue >= jobs->queue_count ||
	    jobstore_state(&jobs->worker.journal.store, jobs->read_txn, info.id, &state, &found) !=
		0)
		return false;
	entry = table_find(&jobs->taken, info.id);
	if (entry != NULL && entry->finishing)
		return false;
	if (entry != NULL)
		info.state = "taken";
	else if ((state.flags & STATE_DEAD) != 0)
		info.state = "dead";
	info.put_ms = record.put_ms;
	info.attempt = entry != NULL ? entry->attempt : state.attempt;
	snprintf(info.queue, sizeof info.queue, "%s", jobs->queues[record.queue]->name);
	memcpy(info.key, record.key, record.key_length);
	memcpy(info.reason, state.reason, sizeof info.reason);
	*ret = info;
	return true;
}

size_t
jobs_list(struct jobs *jobs, struct jobs_info *ret, size_t max)
{
	MDB_cursor *cursor;
	MDB_val key, value;
	size_t count = 0;

	if (mdb_txn_renew(jobs->read_txn) != 0)
		return 0;
	if (mdb_cursor_open(jobs->read_txn, jobs->worker.journal.store.jobs, &cursor) == 0) {
		while (count < max && mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0)
			count += describe(jobs, &key, &value, &ret[count]);
		mdb_cursor_close(cursor);
	}
	mdb_txn_reset(jobs->read_txn);
	return count;
}
