/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OBJECTS_SCAN_H
#define OBJECTS_SCAN_H

/*
 * Walking through the records of one segment file.  Positions here are physical.  Everything read
 * is taken for hostile: a record is returned only when its header's checksum holds and all of it
 * lies before `end`.
 */

#include "objects/segment.h"

#include <openssl/evp.h>

struct scan {
	int fd; /* borrowed */
	uint64_t at;
	uint64_t end;
	struct segment_header header;
	bool salvaged; /* the segment header is damaged; only its salt is known */
};

/* "NNNNNNNN.seg", or "NNNNNNNN-G.seg" for generation G > 0. */
#define SEGMENT_NAME_MAX 32
void objects_segment_name(uint32_t id, uint32_t generation, char ret[SEGMENT_NAME_MAX]);

/* All of `length` at `offset`: 0, CAIRN_EIO, or CAIRN_ENOTFOUND when the file ends before. */
int objects_read_at(int fd, void *bytes, size_t length, uint64_t offset);

/* Reads and checks the segment header; `end` is the file's size, or less if the caller says so.  Of
 * a damaged header the salt is recovered from the first record, which repeats it. */
int objects_scan_init(struct scan *scan, int fd, uint64_t end);

/* The record at scan->at, which is moved behind it.  CAIRN_ENOTFOUND at the end; CAIRN_ECORRUPT
 * when no whole record is there (scan->at stays). */
int objects_scan_next(struct scan *scan, struct record *ret);

/* Moves scan->at, which holds no record, to the next whole one.  CAIRN_ENOTFOUND when there is none
 * (scan->at stays). */
int objects_scan_resync(struct scan *scan);

/* Are there only zeros from there to the end?  So they are where a writer had made room. */
bool objects_scan_blank(const struct scan *scan, uint64_t from);

/* The next whole record, over damage, which is counted in `*damaged` bytes.  CAIRN_ENOTFOUND. */
int objects_scan_good(struct scan *scan, struct record *ret, uint64_t *damaged);

/* Path and note of a record, checked; `*ret` is malloc'ed: path, zero, note.  Never NULL at
 * success. */
int objects_scan_meta(int fd, const struct record *record, uint8_t **ret);

/* What one thread needs for summing up again and again. */
#define SCAN_PIECE ((size_t)64 * 1024)
struct scan_worker {
	EVP_MD *sha256;
	EVP_MD_CTX *context;
	uint8_t *piece;
};
int objects_scan_worker_init(struct scan_worker *worker);
void objects_scan_worker_fini(struct scan_worker *worker);

struct scan_place {
	int fd;
	uint64_t offset;
	uint64_t length;
};

struct scan_sums {
	uint8_t sha256[32];
	uint32_t crc;
};

/* Both sums of the bytes there.  CAIRN_ECORRUPT when the file ends before. */
int objects_scan_sums(
    const struct scan_place *place, struct scan_worker *worker, struct scan_sums *ret);

/* The object inside a record against the record's sum, whichever it has; its SHA-256 is filled in.
 */
int objects_scan_object(int fd, struct record *record);

/* SHA-256 over `length` bytes at `offset` against `expected`: 0, CAIRN_ECORRUPT, CAIRN_EIO. */
int objects_scan_digest(int fd, uint64_t offset, uint64_t length, const uint8_t expected[32]);

#endif
