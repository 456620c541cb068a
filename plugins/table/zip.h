/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TABLE_ZIP_H
#define TABLE_ZIP_H

/*
 * Parts of a zip archive (APPNOTE 6.3), as streams.  The directory at the end is what counts; parts
 * are stored or deflated; archives of several disks, encrypted ones and those of zip64 are refused.
 * A part yields no more than its directory entry says.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <zlib.h>

#include <cairn/error.h>

#define ZIP_PARTS_MAX 4096
#define ZIP_DIRECTORY_MAX (4u << 20)

struct zip_entry {
	char name[256];
	uint16_t method;
	uint32_t packed, size, offset;
};

struct zip {
	int fd;
	uint64_t length;
	struct zip_entry *entries;
	size_t count;
};

struct zip_part {
	const struct zip *zip;
	const struct zip_entry *entry;
	z_stream stream;
	uint64_t at;   /* in the file */
	uint32_t left; /* packed bytes to be read, bytes to be given */
	uint64_t to_give;
	bool ended;
	uint8_t chunk[16384];
};

int zip_open(struct zip *zip, int fd, struct cairn_error *err);
void zip_close(struct zip *zip);
const struct zip_entry *zip_find(const struct zip *zip, const char *name);

int zip_part_open(struct zip_part *part, const struct zip *zip, const struct zip_entry *entry,
    struct cairn_error *err);
void zip_part_close(struct zip_part *part);
/* 0 bytes at the end. */
int zip_part_read(struct zip_part *part, uint8_t *bytes, size_t size, size_t *ret_length,
    struct cairn_error *err);

#endif
