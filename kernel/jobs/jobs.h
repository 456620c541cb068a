/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JOBS_JOBS_H
#define JOBS_JOBS_H

/*
 * Durable jobs: at least once, acknowledged, retried with back-off, dead-lettered.  Kept in LMDB so
 * that neither a killed plugin nor a killed kernel loses one; puts and acknowledgements are
 * committed in groups on a worker thread.
 *
 * A job is ready, taken (by one consumer, in memory only: after a restart it is ready again), or
 * dead.  A taken job goes by jobs_done(), jobs_retry() or jobs_release().  Operations get to the
 * disk in the order in which they are asked, so that a put which is durable vouches for every
 * acknowledgement before it.  Loop thread only.
 *
 * Jobs that were with a consumer (or a node) that died are suspects: one of them may be what killed
 * it.  While a queue has some, jobs_take() hands out few at a time, and a suspect's last attempt is
 * made alone, so that others do not become dead letters beside it; `wake` says when there is more.
 * After a node that did not close, an attempt is on disk before its job is handed out.
 */

#include <stdint.h>

#include <uv.h>

#include <cairn/error.h>

#include "base/buf.h"

struct jobs;

#define JOBS_KEY_MAX 128
#define JOBS_BODY_MAX (4u << 20)

struct jobs_options {
	const char *dir;
	unsigned attempts_max;    /* 0 means 8; then the job is a dead letter */
	unsigned backoff_ms;      /* 0 means 200; doubles with each attempt, at most 60 s */
	uint64_t keys_remembered; /* per queue; 0 means 100,000 */
	uint64_t queue_max;       /* jobs in one queue; 0 means 1,000,000; more is CAIRN_ELIMIT */
	size_t map_size_max;      /* bytes; 0 means 64 GiB of address space */
};

struct jobs_put_entry {
	const char *queue;
	const char *key; /* "" for none; seen before: accepted and dropped */
	const void *body;
	size_t length;
};

struct jobs_taken {
	uint64_t id;
	char key[JOBS_KEY_MAX + 1];
	uint8_t *body; /* the caller frees */
	size_t length;
	unsigned attempt; /* 1 the first time */
};

typedef void (*jobs_durable_fn)(void *arg, int code, const char *text);
/* Called on the loop when `queue` may have something to take. */
typedef void (*jobs_wake_fn)(void *arg, const char *queue);

int jobs_open(struct jobs **ret, uv_loop_t *loop, const struct jobs_options *options,
    jobs_wake_fn wake, void *arg, struct cairn_error *err);

/* All or none.  `durable` is called on the loop once they are on disk, or could not be put there:
 * CAIRN_ELIMIT when `map_size_max` is reached, CAIRN_EIO on a full disk.  At most 65,536 jobs.
 * CAIRN_ELIMIT at once for a full queue (dead letters count), for more than 256 queues, and when
 * 256 MiB wait for the disk. */
int jobs_put(struct jobs *jobs, const struct jobs_put_entry *entries, size_t count,
    jobs_durable_fn durable, void *arg, struct cairn_error *err);

/* Takes up to `max` ready jobs, oldest first.  `*ret_count` may be 0.  Never blocks on the disk. */
int jobs_take(struct jobs *jobs, const char *queue, struct jobs_taken *ret, size_t max,
    size_t *ret_count, struct cairn_error *err);

/* These cannot fail: what a full disk refuses is kept and written later.  Unknown ids are ignored.
 * The reason (127 bytes are kept) must not hold patient data. */
void jobs_done(struct jobs *jobs, const uint64_t *ids, size_t count);
void jobs_retry(struct jobs *jobs, const uint64_t *ids, size_t count, const char *reason);
/* The consumer is gone: ready again at once.  Counts as an attempt, so that a job that kills its
 * consumer ends as a dead letter. */
void jobs_release(struct jobs *jobs, const uint64_t *ids, size_t count);

struct jobs_stats {
	char queue[64];
	uint64_t ready; /* with those that wait for their back-off */
	uint64_t taken;
	uint64_t dead;
	uint64_t done; /* since the node's birth */
};

/* Fills at most `max`; returns how many queues there are. */
size_t jobs_stats_get(struct jobs *jobs, struct jobs_stats *ret, size_t max);

/* One line per job for `cairn job list`: state is "ready", "taken" or "dead". */
struct jobs_info {
	uint64_t id;
	char queue[64];
	char key[JOBS_KEY_MAX + 1];
	const char *state;
	unsigned attempt;
	char reason[128]; /* of the last retry */
	uint64_t put_ms;  /* wall clock; 0: put by a version that did not note it */
};

/* Fills at most `max`, lowest id first; returns how many it filled. */
size_t jobs_list(struct jobs *jobs, struct jobs_info *ret, size_t max);

/* Which dead letters: one job, or all of a queue (at most JOBS_DEAD_MAX at once). */
struct jobs_dead {
	uint64_t id;
	const char *queue; /* NULL: the job `id` */
};

#define JOBS_DEAD_MAX 65536

/* Ready again as if never tried; its last reason stays until there is another.  `*ret_count` says
 * how many.  CAIRN_ENOTFOUND when there is none. */
int jobs_revive(
    struct jobs *jobs, const struct jobs_dead *which, size_t *ret_count, struct cairn_error *err);
/* Gone for good. */
int jobs_drop(
    struct jobs *jobs, const struct jobs_dead *which, size_t *ret_count, struct cairn_error *err);

/* Commits what waits, calls `closed` on the loop, frees.  Taken jobs are ready after a restart; an
 * orderly close is no attempt. */
void jobs_close(struct jobs *jobs, void (*closed)(void *arg), void *arg);

#endif
