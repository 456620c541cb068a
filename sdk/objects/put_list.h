/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OBJECTS_PUT_LIST_H
#define OBJECTS_PUT_LIST_H

/* One object on its way through the writer's threads, and lists of them.  A put belongs to one
 * thread at a time: whoever took it off a list. */

#include "objects/chunk.h"
#include "objects/pending.h"

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
	uint32_t crc;        /* CRC-32C of the bytes so far */
	uint64_t announced;  /* bytes of which objects_commit_advance() has heard */
	bool hashed;         /* the spill made the digest */
	bool was_pending;    /* an erasure of what the index does not know yet */
	int code;            /* how it ended */
	int cause;           /* errno, if not 0 */
	uint32_t segment;    /* where its record is */
	uint32_t generation;
	uint64_t end;              /* log position behind it */
	struct objects_put *after; /* the loop's: the one behind it in the log */
	bool settled;              /* the loop's: its digest is known */
	objects_durable_fn durable;
	void *arg;
};

struct put_list {
	struct objects_put *first;
	struct objects_put *last;
	size_t count;
};

void objects_put_list_add(struct put_list *list, struct objects_put *put);
void objects_put_list_join(struct put_list *list, struct put_list *more); /* `more` is empty then */
struct objects_put *objects_put_list_take(struct put_list *list);         /* not of an empty one */

#endif
