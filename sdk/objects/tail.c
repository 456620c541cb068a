/* SPDX-License-Identifier: Apache-2.0 */
#include "objects/tail.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/log.h"
#include "objects/mend.h"

#define IOV_BATCH 1024
#define PAGE 4096
#define BLANK_PIECE 65536
#define BLANK_PIECES 16

const struct objects_io objects_io_system = {.pwritev = pwritev, .datasync = fdatasync};

/* All bytes; moves through `iov`, which is used up. */
static int
write_all(const struct objects_io *io, int fd, uint64_t at, struct iovec *iov, size_t count)
{
	while (count > 0) {
		int batch = count < IOV_BATCH ? (int)count : IOV_BATCH;
		ssize_t wrote = io->pwritev(fd, iov, batch, (off_t)at);

		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote < 0)
			return CAIRN_EIO;
		at += (uint64_t)wrote;
		while (count > 0 && (size_t)wrote >= iov->iov_len) {
			wrote -= (ssize_t)iov->iov_len;
			iov++;
			count--;
		}
		if (count > 0) {
			iov->iov_base = (uint8_t *)iov->iov_base + wrote;
			iov->iov_len -= (size_t)wrote;
		}
	}
	return 0;
}

static int
begin_segment(struct objects_tail *tail, int fd, const struct segment_header *header)
{
	uint8_t bytes[SEGMENT_HEADER_SIZE];
	struct iovec iov = {.iov_base = bytes, .iov_len = sizeof bytes};

	objects_segment_encode(header, bytes);
	if (write_all(tail->io, fd, 0, &iov, 1) != 0 || tail->io->datasync(fd) != 0 ||
	    fsync(tail->dirs->segments) != 0)
		return CAIRN_EIO;
	return 0;
}

static int
new_segment(struct objects_tail *tail)
{
	struct segment_header header = {.id = tail->id + 1, .previous_end = tail->at};
	int fd;

	if (tail->id == UINT32_MAX)
		return CAIRN_ELIMIT;
	if (getrandom(&header.salt, sizeof header.salt, 0) != (ssize_t)sizeof header.salt)
		return CAIRN_EIO;
	fd = objects_dirs_segment(tail->dirs, header.id, 0, O_RDWR | O_CREAT | O_TRUNC);
	if (fd < 0)
		return CAIRN_EIO;
	/* A file that could not be made is made anew by the next attempt, under the same number. */
	if (begin_segment(tail, fd, &header) != 0) {
		close(fd);
		return CAIRN_EIO;
	}
	tail->fd = fd;
	tail->id = header.id;
	tail->generation = 0;
	tail->salt = header.salt;
	tail->at = SEGMENT_HEADER_SIZE;
	return 0;
}

static void
drop_blank(struct objects_tail *tail)
{
	if (tail->fd >= 0 && tail->blank > tail->at && ftruncate(tail->fd, (off_t)tail->at) != 0)
		log_warning("objects", "cannot cut the unused end off segment %u: %s", tail->id,
		    strerror(errno));
	tail->blank = 0;
}

/* Every segment but the last is on the disk, whatever the durability: so recovery need look for
 * torn records only at the end. */
static int
finish_segment(struct objects_tail *tail)
{
	drop_blank(tail);
	if (!tail->suspect && tail->io->datasync(tail->fd) != 0)
		tail->suspect = true;
	if (tail->suspect &&
	    objects_mend(tail->dirs, tail->io, tail->id, SEGMENT_HEADER_SIZE, tail->at) != 0)
		return CAIRN_EIO;
	tail->suspect = false;
	objects_tail_close(tail);
	return 0;
}

bool
objects_tail_fits(const struct objects_tail *tail, uint64_t need)
{
	return tail->fd >= 0 &&
	    (tail->at <= SEGMENT_HEADER_SIZE ||
		(tail->at < tail->segment_size && need <= tail->segment_size - tail->at));
}

int
objects_tail_ready(struct objects_tail *tail, uint64_t need)
{
	if (tail->fd >= 0 && !objects_tail_fits(tail, need)) {
		int code = finish_segment(tail);

		if (code != 0)
			return code;
	}
	return tail->fd >= 0 ? 0 : new_segment(tail);
}

int
objects_tail_write(struct objects_tail *tail, uint64_t from, struct iovec *iov, size_t count)
{
	return write_all(tail->io, tail->fd, tail->at + from, iov, count);
}

void
objects_tail_hurry(const struct objects_tail *tail, uint64_t from, uint64_t length)
{
	uint64_t begin = (tail->at + from) / PAGE * PAGE;
	uint64_t end = (tail->at + from + length) / PAGE * PAGE;

	/* The last page is not full yet: it would have to be written twice. */
	if (end > begin)
		(void)sync_file_range(
		    tail->fd, (off_t)begin, (off_t)(end - begin), SYNC_FILE_RANGE_WRITE);
}

void
objects_tail_blank(struct objects_tail *tail, uint64_t length)
{
	static const uint8_t zeros[BLANK_PIECE];
	struct iovec iov[BLANK_PIECES];
	uint64_t from = tail->at + length;

	if (from <= tail->blank)
		return;
	for (size_t i = 0; i < BLANK_PIECES; i++)
		iov[i] = (struct iovec){(void *)(uintptr_t)zeros, BLANK_PIECE};
	/* Nothing rests on it, and a failure is not tried again at once. */
	(void)write_all(tail->io, tail->fd, from, iov, BLANK_PIECES);
	tail->blank = from + (uint64_t)BLANK_PIECE * BLANK_PIECES;
}

void
objects_tail_advance(struct objects_tail *tail, uint64_t length)
{
	tail->at += length;
}

int
objects_tail_sync(struct objects_tail *tail)
{
	return tail->io->datasync(tail->fd) != 0 ? CAIRN_EIO : 0;
}

void
objects_tail_cut(struct objects_tail *tail)
{
	tail->blank = 0;
	if (tail->fd >= 0 && ftruncate(tail->fd, (off_t)tail->at) != 0)
		objects_tail_close(tail);
}

void
objects_tail_poison(struct objects_tail *tail)
{
	/* Cutting drops the pages that may never have been written, so that no later process can
	 * read them from memory and take them for durable. */
	objects_tail_cut(tail);
	objects_tail_close(tail);
}

void
objects_tail_close(struct objects_tail *tail)
{
	drop_blank(tail);
	if (tail->fd >= 0)
		close(tail->fd);
	tail->fd = -1;
}
