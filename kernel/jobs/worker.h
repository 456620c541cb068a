/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JOBS_WORKER_H
#define JOBS_WORKER_H

/* The thread that commits.  All that waits is one group; while it is on its way to the disk the
 * next one gathers. */

#include <stdbool.h>

#include <uv.h>

#include "jobs/journal.h"
#include "jobs/op.h"

#define WORKER_PUT_BYTES_MAX (256u << 20)
#define WORKER_PUT_JOBS_MAX 262144

struct worker {
	struct journal journal; /* the thread's, once started */
	uv_thread_t thread;
	uv_mutex_t mutex;
	uv_cond_t cond;
	uv_async_t *async; /* sent when there is something to collect */

	/* Under the mutex. */
	struct op_list waiting;
	struct op_list finished_ops;
	size_t put_bytes; /* of puts that are not on disk */
	size_t put_jobs;
	bool stopping;
	bool finished;
};

/* The journal is open. */
int worker_start(struct worker *worker, uv_async_t *async, struct cairn_error *err);

/* Takes `op`.  CAIRN_ELIMIT (a put only) when too much waits; then `op` is the caller's still. */
int worker_submit(struct worker *worker, struct op *op);

/* Operations that are on disk, or puts that failed.  `*ret_finished`: the thread has ended. */
struct op_list worker_collect(struct worker *worker, bool *ret_finished);

/* Commits what waits, then ends. */
void worker_stop(struct worker *worker);

/* After the thread has ended: joins it. */
void worker_fini(struct worker *worker);

#endif
