/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JSON_RECORDS_H
#define JSON_RECORDS_H

/*
 * One record after the other out of a stream, in bounded memory: the lines of NDJSON, or of one
 * document the elements of a FHIR Bundle's `entry`, so that a Bundle of any size never lies in
 * memory as a whole.  What arrives is fed; what is whole is taken.  The pieces are cut by brackets
 * and quotes only: whoever takes one parses it, and what is between them is checked here or in the
 * envelope.
 *
 *     records_feed(), then records_next() until CAIRN_EAGAIN; at the end records_end(), and
 *     records_next() until CAIRN_ENOTFOUND.
 */

#include <stdbool.h>

#include "base/buf.h"
#include "cairn/error.h"

enum records_format {
	RECORDS_LINES,   /* NDJSON: empty lines are left out */
	RECORDS_DOCUMENT /* one JSON document */
};

struct record {
	const char *text; /* JSON_PADDING bytes are readable behind it */
	size_t length;
	uint64_t offset; /* of its first byte in the stream */
	uint64_t line;   /* of that, from 1 */
	bool envelope;   /* the Bundle itself, with an empty `entry`; comes last */
	bool entry;      /* an element of `entry` */
};

struct records;

/* `record_max`: bytes of one record, and of a document that is no Bundle, or whose resourceType
 * does not precede its entry. */
int records_new(
    struct records **ret, enum records_format format, size_t record_max, struct cairn_error *err);
void records_free(struct records *records);

/* Takes all of `bytes`.  CAIRN_ENOMEM; CAIRN_ELIMIT when a record is too large. */
int records_feed(
    struct records *records, const void *bytes, size_t length, struct cairn_error *err);
void records_end(struct records *records);

/* `*ret` is valid until the next call of any function.  CAIRN_EAGAIN: more is needed.
 * CAIRN_ENOTFOUND: the end.  CAIRN_EINVAL: between the records is what may not be there.
 * CAIRN_ELIMIT. */
int records_next(struct records *records, struct record *ret, struct cairn_error *err);

/* The stream's first byte that was not handed out: where reading may begin again (of lines). */
uint64_t records_position(const struct records *records);

#endif
