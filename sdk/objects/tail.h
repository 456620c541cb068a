/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OBJECTS_TAIL_H
#define OBJECTS_TAIL_H

/*
 * The segment that is being appended to; used by one thread.
 *
 * A write that failed is taken back by cutting the file.  After a failed sync nobody knows which
 * pages reached the disk, and a second sync that succeeds proves nothing: the segment ends where
 * the last good sync left it, a new one is begun, and its header says so.
 */

#include <sys/uio.h>

#include "objects/dirs.h"

/* What touches the disk, so that tests can make it fail. */
struct objects_io {
	ssize_t (*pwritev)(int fd, const struct iovec *iov, int count, off_t offset);
	int (*datasync)(int fd);
};

extern const struct objects_io objects_io_system;

struct objects_tail {
	const struct objects_dirs *dirs;
	const struct objects_io *io;
	uint64_t segment_size;
	int fd;      /* -1: the next group needs a new segment */
	uint32_t id; /* of the last segment, open or not; 0 before the first */
	uint32_t generation;
	uint64_t salt;
	uint64_t at;  /* end of what is written and acknowledged, or will be */
	bool suspect; /* a sync of acknowledged records failed and was not made good */
	uint64_t
	    blank; /* where the zeros end that are in the file behind `at`; less: there are none */
};

/* Makes room for a group of `need` bytes: begins a new segment where there is none or it is full.
 */
int objects_tail_ready(struct objects_tail *tail, uint64_t need);
/* Is there room for `need` bytes without beginning a new segment? */
bool objects_tail_fits(const struct objects_tail *tail, uint64_t need);
/* Writes `from` bytes behind the end; the bytes count only after objects_tail_advance. */
int objects_tail_write(struct objects_tail *tail, uint64_t from, struct iovec *iov, size_t count);
/* Has the disk begin with what was written there, so that the sync has less to do. */
void objects_tail_hurry(const struct objects_tail *tail, uint64_t from, uint64_t length);
/* Writes zeros behind a group of `length` bytes, once in a while, so that the same sync finds their
 * place on the disk.  What is then written over them is synced without a change to the file's
 * metadata, which takes most of the time that a small group costs.  A file that is closed has none
 * left; after a crash recovery cuts them off. */
void objects_tail_blank(struct objects_tail *tail, uint64_t length);
void objects_tail_advance(struct objects_tail *tail, uint64_t length);
int objects_tail_sync(struct objects_tail *tail);
/* After a failed write, or one that came to nothing: cuts off what is behind tail->at, or gives the
 * segment up. */
void objects_tail_cut(struct objects_tail *tail);
/* After a failed sync: gives the segment up. */
void objects_tail_poison(struct objects_tail *tail);
void objects_tail_close(struct objects_tail *tail);

#endif
