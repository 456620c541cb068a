/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COHORT_WRITE_H
#define COHORT_WRITE_H

/*
 * One write transaction, private to this directory.
 *
 * Changes to postings are collected and applied in one ordered pass (postings.c).  What a patient's
 * studies and series have, and what is folded to the patient, is never counted up or down: it is
 * collected from the statements before the first change to that patient in this transaction and
 * once more at its end, and the difference becomes postings (collect.c).  So the order of arrival
 * cannot matter, and taking something away is no harder than adding it.  Only an instance's own
 * facts, which nobody else can state, go straight to postings.
 */

#include "base/buf.h"
#include "set.h"
#include "store.h"

/* ---- statements: what one instance states about itself and its parents -------------------- */

/* Packed without padding, so that equal statements are equal bytes: attribute 2, key 8. */
#define FACT_BYTES 10
#define STATEMENT_MAX (4 * (2 + FACT_BYTES * INDEX_FACTS_MAX))

struct fact {
	uint16_t attribute;
	uint64_t key;
};

/* Reads the facts of one level out of a statement's bytes. */
struct fact_reader {
	const uint8_t *at;
	unsigned left;
};

int statement_read(const uint8_t *bytes, size_t length, struct fact_reader ret[4]);
bool fact_next(struct fact_reader *reader, struct fact *ret);

/* What is wrong with an item, a fact or an identifier, or NULL. */
const char *facts_problem(const Cairn__InstanceFacts *facts);
const char *fact_problem(const Cairn__Fact *fact);
const char *identifier_problem(const char *name);
/* As the tables have it; attributes and values that are new get their numbers. */
int fact_encode(struct index_write *write, enum term_level level, const Cairn__Fact *fact,
    struct fact *ret, struct cairn_error *err);
struct fact_cache;
void fact_cache_free(struct fact_cache *cache);
/* Ascending, each once.  Returns how many are left. */
size_t facts_sort(struct fact *facts, size_t count);
/* Two items that state the same, word for word, whoever they are about. */
bool facts_equal(const Cairn__InstanceFacts *a, const Cairn__InstanceFacts *b);
/* The canonical bytes; attributes and values that are new get their numbers. */
int statement_encode(struct index_write *write, const Cairn__InstanceFacts *facts, struct buf *ret,
    struct cairn_error *err);

/* A stored statement is its references (4 bytes) and its bytes. */
int statement_get(struct index_write *write, uint32_t series, uint32_t n, uint32_t *ret_references,
    const uint8_t **ret_bytes, size_t *ret_length);
/* The series' first statement from number `*n` on, which `*n` becomes; CAIRN_ENOTFOUND after the
 * last. */
int statement_next(struct index_write *write, uint32_t series, uint32_t *n,
    uint32_t *ret_references, const uint8_t **ret_bytes, size_t *ret_length);
/* The number of the series' statement with these bytes, or of a new one without references. */
int statement_find(struct index_write *write, uint32_t series, const struct buf *bytes,
    uint32_t *ret_n, uint32_t *ret_references);
/* Removes it when `references` is 0. */
int statement_put(struct index_write *write, uint32_t series, uint32_t n, uint32_t references,
    const uint8_t *bytes, size_t length);

/* ---- pending postings --------------------------------------------------------------------- */

#define POSTINGS_PENDING_MAX (1U << 20)

struct change {
	struct posting posting;
	uint64_t order; /* ascending; the lowest bit says whether to set or to clear */
};

int postings_change(struct index_write *write, const struct posting *posting, bool set);
/* All postings of a fact. */
int postings_change_fact(struct index_write *write, const struct fact *fact, enum term_level level,
    uint32_t id, bool set);
int postings_flush(struct index_write *write);

/* ---- touched patients --------------------------------------------------------------------- */

#define TOUCHED_MAX 65536U
#define TOUCHED_BYTES_MAX ((size_t)16 << 20)
#define COLLECTED_MAX (1U << 24) /* postings of one patient */

struct collected {
	struct posting *postings;
	size_t count, capacity;
};

struct touched {
	uint32_t patient;
	struct collected before;
};

/* Remembers what `patient` has before it changes.  To be called before a statement appears or
 * disappears. */
int touch(struct index_write *write, uint32_t patient);
/* Both, when one change is about two. */
int touch_two(struct index_write *write, uint32_t a, uint32_t b);
/* Turns the differences into postings, and forgets. */
int settle(struct index_write *write);
/* `note_days`: writes the days of the patient's studies to their column. */
int collect(struct index_write *write, uint32_t patient, bool note_days, struct collected *ret);

#define ENTRY_KINDS_MAX 16

struct index_write {
	struct index *index;
	MDB_txn *txn;
	struct counters counters;
	bool changed;
	uint16_t study_date, study_day;        /* attribute numbers */
	uint16_t entry_dates[ENTRY_KINDS_MAX]; /* of the date of each kind; 0: none */
	struct column_chunk chunks[COLUMN_COUNT];
	struct container_change last[SET_BLOCK_BITS]; /* scratch: one container's changes */
	struct change *changes;
	size_t change_count, change_capacity;
	uint64_t order;
	struct touched *touched;
	size_t touched_count, touched_capacity, touched_bytes;
	uint32_t *touched_slots; /* hash table: 0 or 1 + index into `touched` */
	struct buf statement;
	struct fact_cache *cache; /* statement.c */
	MDB_cursor *statements, *entries;
};

#endif
