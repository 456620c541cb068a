/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OBJECTS_SEGMENT_H
#define OBJECTS_SEGMENT_H

/*
 * The bytes of a segment.  All integers are little-endian, all reserved bytes zero.
 *
 * segment header, 64 bytes                    record header, 192 bytes, at a multiple of 8
 *   0   8  "CAIRNSEG"                           0   8  the segment's salt
 *   8   4  version, 1                           8   2  version, 1
 *  12   4  id                                  10   1  kind (enum record_kind)
 *  16   4  generation                          11   1  length of the key, 1..64
 *  20   4  reserved                            12   2  length of the path, 0..1024
 *  24   8  salt, random                        14   2  reserved
 *  32   8  where the segment before ends       16   4  length of the note, 0..1 MiB
 *  40   4  applied: segment                    20   4  CRC-32C of path and note
 *  44   4  reserved                            24   8  length of the object
 *  48   8  applied: offset                     32   8  logical offset of this record
 *  56   4  reserved                            40  32  SHA-256 of the object
 *  60   4  CRC-32C of bytes 0..59              72   4  target: segment
 *                                              76   4  reserved
 * after the record header:                     80   8  target: offset, or blob
 *   the object (kind RECORD_OBJECT only)       88   8  wall clock in ms
 *   path, note                                 96   1  1: digest is late (below)
 *                                              97  23  reserved
 *   zeros up to a multiple of 8               120  64  key, zeros after it
 *                                             184   4  reserved
 *                                             188   4  CRC-32C of bytes 0..187
 *
 * The salt is new for every segment file and known to nobody outside, so that bytes inside an
 * object cannot pass for a record when a damaged segment is searched for the next good one.
 *
 * The logical offset is where the record stood when it was first written.  Compaction moves records
 * within a segment and keeps it, so cursors and references stay valid.  Each compaction makes the
 * segment's next generation in a file of its own; `applied` is the place in the log up to which
 * erasures have been carried out in it.
 *
 * A tombstone erases its key; `target` says which record it killed, the path which file goes.  A
 * RECORD_BLOB's object is in blobs/KEY-BLOB (BLOB as 16 hexadecimal digits), a RECORD_FILE's in
 * files/PATH.
 *
 * Hashing takes most of the time that storing a large object costs, so it is done after the answer.
 * Such a record was written before its SHA-256 was known: byte 96 is 1, and bytes 40..71 hold the
 * CRC-32C of the object, then zeros.  The index has the digest.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "objects/store.h"

#define SEGMENT_HEADER_SIZE 64
#define RECORD_HEADER_SIZE 192
#define RECORD_ALIGN 8
#define RECORD_PATH_MAX 1024
#define RECORD_OBJECT_MAX ((uint64_t)1 << 46)

struct segment_header {
	uint32_t id;
	uint32_t generation;
	uint64_t salt;
	uint64_t previous_end; /* bytes of the segment before that count; 0 for the first */
	struct objects_cursor applied;
};

enum record_kind {
	RECORD_OBJECT = 1,
	RECORD_BLOB = 2,
	RECORD_FILE = 3,
	RECORD_TOMBSTONE = 4,
};

struct record {
	enum record_kind kind;
	char key[OBJECTS_KEY_MAX + 1];
	uint16_t path_length;
	uint32_t note_length;
	uint32_t meta_crc;
	uint64_t length; /* of the object, wherever it is */
	uint64_t logical;
	bool late;           /* the record on disk has object_crc and no sha256 */
	uint32_t object_crc; /* CRC-32C of the object, if late */
	uint8_t sha256[32];
	uint32_t target_segment;
	uint64_t target;
	uint64_t wall_ms;
	uint64_t at; /* where its header is in the file; not stored */
};

/* A key is 1..64 of [A-Za-z0-9._-] and does not begin with a dot: it becomes part of file names. */
bool objects_key_valid(const char *key, size_t length);

void objects_segment_encode(const struct segment_header *header, uint8_t ret[SEGMENT_HEADER_SIZE]);
/* CAIRN_ECORRUPT, or CAIRN_EUNSUPPORTED for a version that we do not know. */
int objects_segment_decode(const uint8_t bytes[SEGMENT_HEADER_SIZE], struct segment_header *ret);

void objects_record_encode(
    const struct record *record, uint64_t salt, uint8_t ret[RECORD_HEADER_SIZE]);
/* Everything but `at`.  CAIRN_ECORRUPT. */
int objects_record_decode(
    const uint8_t bytes[RECORD_HEADER_SIZE], uint64_t salt, struct record *ret);

/* Sizes of a record within limits; none of these can overflow. */
uint64_t objects_record_inline(const struct record *record); /* object bytes in the segment */
uint64_t objects_record_meta(const struct record *record);   /* path and note, padded */
uint64_t objects_record_size(const struct record *record);   /* all of it */

#endif
