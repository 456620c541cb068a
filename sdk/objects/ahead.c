/* SPDX-License-Identifier: Apache-2.0 */
#include "objects/ahead.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

struct put_mark
objects_put_end(const struct objects_put *put)
{
	return (struct put_mark){put->last, put->last == NULL ? 0 : put->last->used};
}

size_t
objects_put_chunks(const struct objects_put *put)
{
	size_t count = 0;

	for (const struct chunk *chunk = put->first; chunk != NULL; chunk = chunk->next)
		count++;
	return count;
}

static size_t
add_piece(struct iovec *iov, struct chunk *chunk, size_t from, size_t upto)
{
	if (upto <= from)
		return 0;
	*iov = (struct iovec){chunk->bytes + from, upto - from};
	return 1;
}

size_t
objects_put_pieces(
    const struct objects_put *put, struct put_mark from, struct put_mark upto, struct iovec *iov)
{
	size_t n = 0;

	if (upto.chunk == NULL)
		return 0;
	if (from.chunk == NULL)
		from = (struct put_mark){put->first, 0};
	for (; from.chunk != upto.chunk; from = (struct put_mark){from.chunk->next, 0})
		n += add_piece(iov + n, from.chunk, from.offset, from.chunk->used);
	return n + add_piece(iov + n, from.chunk, from.offset, upto.offset);
}

bool
objects_ahead_wanted(const struct objects_ahead *ahead)
{
	return ahead->put != NULL &&
	    (ahead->writing != ahead->serial || ahead->done.chunk != ahead->upto.chunk ||
		ahead->done.offset != ahead->upto.offset);
}

void
objects_ahead_drop(struct objects_ahead *ahead, struct objects_tail *tail)
{
	if (ahead->written > 0)
		objects_tail_cut(tail);
	ahead->written = 0;
	ahead->failed = true;
}

/* How many pieces a put may have between two marks is not known to the appender, since the list
 * grows while it looks: it counts as far as the mark. */
static size_t
count_pieces(const struct objects_put *put, struct put_mark from, struct put_mark upto)
{
	const struct chunk *chunk = from.chunk == NULL ? put->first : from.chunk;
	size_t count = 1;

	for (; chunk != upto.chunk; chunk = chunk->next)
		count++;
	return count;
}

static int
write_pieces(
    struct objects_ahead *ahead, struct objects_tail *tail, struct iovec *iov, size_t n, bool early)
{
	uint64_t length = 0, at = RECORD_HEADER_SIZE + ahead->written;

	for (size_t i = 0; i < n; i++)
		length += iov[i].iov_len;
	/* What is there already cannot move to another segment. */
	if (ahead->written > 0 && !objects_tail_fits(tail, at + length))
		return CAIRN_ELIMIT;
	if (ahead->written == 0 && objects_tail_ready(tail, at + length) != 0)
		return CAIRN_EIO;
	if (objects_tail_write(tail, at, iov, n) != 0) {
		objects_tail_cut(tail);
		return CAIRN_EIO;
	}
	if (early)
		objects_tail_hurry(tail, at, length);
	ahead->written += length;
	return 0;
}

void
objects_ahead_write(struct objects_ahead *ahead, struct objects_tail *tail,
    const struct objects_put *put, struct put_mark upto, unsigned serial, bool early)
{
	struct iovec *iov = NULL;

	if (ahead->writing != serial) {
		objects_ahead_drop(ahead, tail);
		ahead->writing = serial;
		ahead->failed = false;
		ahead->done = (struct put_mark){0};
	}
	if (!ahead->failed)
		iov = calloc(count_pieces(put, ahead->done, upto), sizeof *iov);
	if (iov == NULL ||
	    write_pieces(
		ahead, tail, iov, objects_put_pieces(put, ahead->done, upto, iov), early) != 0)
		objects_ahead_drop(ahead, tail);
	free(iov);
	ahead->done = upto;
}
