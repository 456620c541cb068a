/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walks through a segment of arbitrary bytes as recovery does.  The first byte of the input says
 * whether checksums are made right first, without which few inputs would get past a header.
 */

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "objects/crc32c.h"
#include "objects/le.h"
#include "objects/scan.h"

#define SALT 0x0123456789abcdefu

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Gives every record that the bytes can be read as its salt and checksums. */
static void
repair(uint8_t *bytes, size_t size)
{
	struct record record;

	memcpy(bytes, "CAIRNSEG\1\0\0\0", 12);
	le_put(bytes + 24, 8, SALT);
	le_put(bytes + 60, 4, objects_crc32c(0, bytes, 60));
	for (size_t at = SEGMENT_HEADER_SIZE; size - at >= RECORD_HEADER_SIZE;) {
		uint8_t *header = bytes + at;
		uint64_t meta, length;

		le_put(header, 8, SALT);
		le_put(header + 8, 2, 1);
		le_put(header + 188, 4, objects_crc32c(0, header, 188));
		if (objects_record_decode(header, SALT, &record) != 0 ||
		    objects_record_size(&record) > size - at)
			return;
		meta = RECORD_HEADER_SIZE + objects_record_inline(&record);
		length = (uint64_t)record.path_length + record.note_length;
		le_put(header + 20, 4, objects_crc32c(0, header + meta, (size_t)length));
		le_put(header + 188, 4, objects_crc32c(0, header, 188));
		at += (size_t)objects_record_size(&record);
	}
}

static void
walk(int fd, size_t size)
{
	struct scan scan;
	struct record record;
	uint64_t damaged = 0, last = 0;

	if (objects_scan_init(&scan, fd, UINT64_MAX) != 0)
		return;
	while (objects_scan_good(&scan, &record, &damaged) == 0) {
		uint8_t *meta = NULL;

		if (record.at < SEGMENT_HEADER_SIZE || record.at < last || scan.at > size ||
		    scan.at != record.at + objects_record_size(&record))
			__builtin_trap();
		last = scan.at;
		if (objects_scan_meta(fd, &record, &meta) == 0 &&
		    strlen((const char *)meta) > record.path_length)
			__builtin_trap();
		free(meta);
		if (record.kind == RECORD_OBJECT)
			objects_scan_object(fd, &record);
	}
	if (damaged > size)
		__builtin_trap();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	FD_AUTO fd = memfd_create("segment", MFD_CLOEXEC);
	uint8_t *bytes;

	if (fd < 0 || size < 1 + SEGMENT_HEADER_SIZE)
		return 0;
	size--;
	bytes = malloc(size);
	memcpy(bytes, data + 1, size);
	if (data[0] & 1)
		repair(bytes, size);
	if (file_write_all(fd, bytes, size) == 0)
		walk(fd, size);
	free(bytes);
	return 0;
}
