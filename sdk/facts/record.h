/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FACTS_RECORD_H
#define FACTS_RECORD_H

/*
 * What is said of one patient, as the items of a packed PatientFacts: facts, observations,
 * pseudonyms it replaces, entries.  An item points into the packed bytes; nothing is unpacked, so
 * that comparing, joining and telling apart are work on byte strings.
 *
 * Statements, what is kept and what is told are all of this one form, always packed by us, hence
 * with fields in order.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cairn/error.h>

#include "base/buf.h"
#include "cairn/facts.pb-c.h"

#define RECORD_ITEMS_MAX 262144u /* about one patient */

struct record_span {
	const uint8_t *at;
	size_t length;
};

struct record_item {
	struct record_span key;   /* what it is about: the attribute; kind and id, as packed */
	struct record_span whole; /* with its tag and length */
	uint32_t order;           /* in which it was added */
	uint16_t round;           /* of those with the same key the highest round counts */
	uint8_t field;            /* of PatientFacts */
	bool withdrawn;           /* an entry that is no longer stated */
};

struct record {
	struct record_item *items;
	size_t count, capacity;
};

void record_fini(struct record *record);

/* Checks a statement and appends it, packed, to `buf`. */
int record_pack(const Cairn__PatientFacts *patient, struct buf *buf, struct cairn_error *err);

/* What a packed PatientFacts says beside its items. */
struct record_head {
	struct record_span patient;
	bool withdrawn;
};

/* Adds the items of packed bytes, which must outlive `record`.  `ret_head` may be NULL.
 * CAIRN_ECORRUPT, CAIRN_ELIMIT (RECORD_ITEMS_MAX), CAIRN_ENOMEM. */
int record_add(struct record *record, const void *bytes, size_t length, uint16_t round,
    struct record_head *ret_head);

/* Sorts, and leaves of each key what counts; entries that are withdrawn go, too. */
void record_settle(struct record *record);

/* Appends the items, packed. */
int record_write(const struct record *record, struct buf *buf);

/* Says how `now` differs from `before`, both settled, as packed PatientFacts of at most about
 * `chunk` bytes each, by calling `tell` for each; never when they are the same.  `again` is told in
 * any case: an item of `now`, or NULL. */
struct record_difference {
	const char *patient;
	size_t chunk;
	const struct record_item *again;
	int (*tell)(void *arg, const struct buf *message, struct cairn_error *err);
	void *arg;
};
int record_differ(const struct record *before, const struct record *now,
    const struct record_difference *difference, struct cairn_error *err);

/* How many entries it has. */
size_t record_entries(const struct record *record);

/* ---- the wire format of protobuf ---------------------------------------------------------- */

#define WIRE_VARINT 0
#define WIRE_BYTES 2

int wire_put_bytes(struct buf *buf, unsigned field, const void *bytes, size_t length);
int wire_put_number(struct buf *buf, unsigned field, uint64_t number);

#endif
