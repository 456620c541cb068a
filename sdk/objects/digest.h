/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OBJECTS_DIGEST_H
#define OBJECTS_DIGEST_H

/*
 * The SHA-256 of large objects, made after they were answered.  Hashing half a megabyte takes as
 * long as receiving, rewriting and appending it together, so the sender need not wait for it: the
 * record has a CRC-32C, the index gets the digest.  A thread of low priority reads the records back
 * from the log (from the page cache, as a rule), checks the CRC and hashes, in the order of the
 * log.
 *
 * While objects keep coming it stays off the processor, for a second and DIGEST_REST_BYTES at most:
 * so a burst is taken at full speed.  Whoever sends more than DIGEST_LAG_BYTES ahead of it is held
 * back to the speed of hashing, because the appender then does it itself.
 */

#include <uv.h>

#include "objects/dirs.h"
#include "objects/put_list.h"

/* Also what is hashed again when the store is opened after a crash: less than a second. */
#define DIGEST_LAG_BYTES ((uint64_t)1024 << 20)
#define DIGEST_REST_BYTES ((uint64_t)768 << 20)
#define DIGEST_LAG_ITEMS 16384

/* The segment that a thread read last. */
struct digest_segment {
	int fd; /* -1: none */
	uint32_t id;
	uint32_t generation;
};

struct objects_digest {
	uv_thread_t thread;
	bool started;
	uv_mutex_t lock; /* over the lists, `bytes` and `stop` */
	uv_cond_t wake;
	struct put_list late;
	uint64_t bytes;     /* of `late` */
	uint64_t began_ns;  /* when the first of `late` came after there was none */
	uint64_t pushed_ns; /* when the last one came */
	bool resting;       /* the thread looks again by itself */
	struct put_list done;
	bool stop;
	struct scan_worker worker;     /* the thread's */
	struct digest_segment segment; /* the thread's */
	struct scan_worker helper;     /* the appender's */
	struct digest_segment helped;  /* the appender's */
	/* Set before the start. */
	const struct objects_dirs *dirs;
	uv_async_t *async;
};

int objects_digest_start(struct objects_digest *digest);
/* Ends the thread; what is still late stays so.  Harmless if it was not started. */
void objects_digest_stop(struct objects_digest *digest);

/* From the loop: a put whose record is in the log. */
void objects_digest_push(struct objects_digest *digest, struct objects_put *put);
/* From the loop: those whose digest is known, or which have a code. */
struct put_list objects_digest_done(struct objects_digest *digest);

/* From the appender: is so much late that it must help?  And its help, of one object. */
bool objects_digest_behind(struct objects_digest *digest);
void objects_digest_help(struct objects_digest *digest);

#endif
