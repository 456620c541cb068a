/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OBJECTS_COMMIT_H
#define OBJECTS_COMMIT_H

/*
 * Group commit.  Puts that the loop hands over are hashed by one thread and appended by another:
 * all that are hashed when the appender comes back from its last sync are one group, written by one
 * call and made durable by one sync.  Hashing runs while the disk works; an appender with nothing
 * else to do helps hashing.  The order between puts is not kept; nobody may depend on it.
 */

#include <openssl/evp.h>
#include <uv.h>

#include "objects/chunk.h"
#include "objects/pending.h"
#include "objects/tail.h"

struct objects_put {
	struct objects *objects;
	struct objects_put *next;
	struct pending_entry *pending;
	struct record record;
	uint8_t header[RECORD_HEADER_SIZE];
	uint8_t *meta; /* path, note, padding: objects_record_meta() bytes */
	struct chunk *first;
	struct chunk *last;
	char *path;          /* of RECORD_FILE, or of the file that a tombstone removes */
	char *blob;          /* name of the blob that a tombstone removes */
	struct spill *spill; /* of RECORD_BLOB */
	size_t memory;       /* what it counts for under memory_max */
	bool hashed;
	bool was_pending; /* an erasure of what the index does not know yet */
	int code;         /* how it ended */
	int cause;        /* errno, if not 0 */
	uint32_t segment; /* where its record is */
	uint64_t end;     /* log position behind its group */
	objects_durable_fn durable;
	void *arg;
};

struct put_list {
	struct objects_put *first;
	struct objects_put *last;
	size_t count;
};

struct objects_commit {
	uv_thread_t hasher;
	uv_thread_t appender;
	unsigned threads; /* started */
	uv_mutex_t lock;  /* over the lists and `stop` */
	uv_cond_t hash_wake;
	uv_cond_t append_wake;
	struct put_list fresh; /* to be hashed */
	struct put_list ready; /* to be appended */
	struct put_list done;  /* to be answered by the loop */
	bool stop;
	uv_async_t *async;
	EVP_MD *sha256;
	enum objects_durability durability;
	struct objects_tail tail; /* the appender's own */
};

void objects_put_list_add(struct put_list *list, struct objects_put *put);
void objects_put_list_join(struct put_list *list, struct put_list *more); /* `more` is empty then */

/* durability, async and tail are set by the caller. */
int objects_commit_start(struct objects_commit *commit, struct cairn_error *err);
/* Ends the threads when the lists are empty, which the caller has seen to. */
void objects_commit_stop(struct objects_commit *commit);

/* From the loop. */
void objects_commit_push(struct objects_commit *commit, struct objects_put *put);
struct put_list objects_commit_done(struct objects_commit *commit);

#endif
