/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OBJECTS_COMMIT_H
#define OBJECTS_COMMIT_H

/*
 * Group commit.  A thread of its own appends what the loop hands over: all that is there when it
 * comes back from its last sync are one group, written by one call and made durable by one sync.
 * The order between puts is not kept; nobody may depend on it.
 */

#include "objects/ahead.h"
#include "objects/digest.h"
#include "objects/tail.h"

struct objects_commit {
	uv_thread_t appender;
	bool started;
	uv_mutex_t lock; /* over the lists and `stop` */
	uv_cond_t wake;
	struct put_list fresh; /* to be appended */
	struct put_list done;  /* to be answered by the loop */
	struct objects_ahead ahead;
	uv_cond_t idle; /* ahead.active is no more */
	bool stop;
	uv_async_t *async;
	enum objects_durability durability;
	/* The appender's own. */
	struct objects_tail tail;
	struct scan_worker worker;
	struct objects_digest digest; /* has a lock of its own */
};

/* durability, async and tail are set by the caller. */
int objects_commit_start(struct objects_commit *commit, struct cairn_error *err);
/* Ends the threads when the lists are empty, which the caller has seen to. */
void objects_commit_stop(struct objects_commit *commit);

/* From the loop. */
/* There is more of `put`, which may be written ahead if nobody else sends (`alone`); cheap to call
 * after every piece. */
void objects_commit_advance(struct objects_commit *commit, struct objects_put *put, bool alone);
/* Nobody looks at the bytes of `put` any more when this returns. */
void objects_commit_withdraw(struct objects_commit *commit, struct objects_put *put);
void objects_commit_push(struct objects_commit *commit, struct objects_put *put);
struct put_list objects_commit_done(struct objects_commit *commit);

#endif
