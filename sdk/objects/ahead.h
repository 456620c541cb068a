/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OBJECTS_AHEAD_H
#define OBJECTS_AHEAD_H

/*
 * Writing ahead.  While one sender alone sends a large object, its bytes go to where its record
 * will be as they come, so that little is left to write, and to sync, when the last one is there.
 * The header is written at the end, so until then nothing there is a record.  Whenever another
 * group is to be appended first, what was written ahead is cut off and forgotten: the object is
 * still in memory.
 *
 * `put`, `upto`, `serial` and `active` are under the lock of the commit; the rest is the
 * appender's.
 */

#include "objects/put_list.h"
#include "objects/tail.h"

/* A place in the bytes of a put; chunk NULL is their beginning. */
struct put_mark {
	struct chunk *chunk;
	size_t offset;
};

struct objects_ahead {
	struct objects_put *put; /* NULL: none */
	struct put_mark upto;    /* what may be read; nothing before it changes any more */
	unsigned serial;         /* grows with every put */
	bool active;             /* the appender is at it */

	unsigned writing; /* the serial that the following is about */
	bool failed;      /* to be written as a whole at the end */
	struct put_mark done;
	uint64_t written; /* bytes of the object; their header's place is the tail's end */
};

struct put_mark objects_put_end(const struct objects_put *put);

/* The bytes from `from` to `upto` as pieces; `iov` has room for them (objects_put_chunks() + 1). */
size_t objects_put_pieces(
    const struct objects_put *put, struct put_mark from, struct put_mark upto, struct iovec *iov);
size_t objects_put_chunks(const struct objects_put *put);

/* Is there something for objects_ahead_write() to do?  With the lock held. */
bool objects_ahead_wanted(const struct objects_ahead *ahead);
/* Without the lock, while `active`.  `early`: have the disk begin with it. */
void objects_ahead_write(struct objects_ahead *ahead, struct objects_tail *tail,
    const struct objects_put *put, struct put_mark upto, unsigned serial, bool early);
/* Cuts off what was written. */
void objects_ahead_drop(struct objects_ahead *ahead, struct objects_tail *tail);

#endif
