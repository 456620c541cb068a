/* SPDX-License-Identifier: Apache-2.0 */
#include "objects/mend.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define BLOCK ((size_t)256 * 1024)

static int
rewrite(int fd, uint8_t *block, uint64_t at, uint64_t length)
{
	while (length > 0) {
		size_t piece = length < BLOCK ? (size_t)length : BLOCK;

		if (objects_read_at(fd, block, piece, at) != 0 ||
		    pwrite(fd, block, piece, (off_t)at) != (ssize_t)piece)
			return CAIRN_EIO;
		at += piece;
		length -= piece;
	}
	return 0;
}

static int
rewrite_records(struct scan *scan)
{
	uint8_t *block = malloc(BLOCK);
	uint64_t damaged = 0;
	struct record record;
	int code = block == NULL ? CAIRN_ENOMEM : 0;

	while (code == 0 && (code = objects_scan_good(scan, &record, &damaged)) == 0) {
		if (record.kind == RECORD_OBJECT && objects_scan_object(scan->fd, &record) != 0)
			continue;
		code = rewrite(scan->fd, block, record.at, objects_record_size(&record));
	}
	free(block);
	return code == CAIRN_ENOTFOUND ? 0 : code;
}

int
objects_mend(const struct objects_dirs *dirs, const struct objects_io *io, uint32_t segment,
    uint64_t from, uint64_t to)
{
	struct scan scan;
	int code = objects_dirs_scan(dirs, segment, 0, O_RDWR, &scan);

	if (code != 0)
		return code;
	if (to < scan.end)
		scan.end = to;
	if (from > scan.at)
		scan.at = from;
	code = rewrite_records(&scan);
	if (code == 0 && io->datasync(scan.fd) != 0)
		code = CAIRN_EIO;
	close(scan.fd);
	return code;
}
