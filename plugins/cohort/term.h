/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COHORT_TERM_H
#define COHORT_TERM_H

/*
 * A posting says: entity number `id` has the value `key` of `attribute`, as stated at `level`.  Its
 * two words, written big-endian, sort by attribute, level, coarseness, value, entity; the first 14
 * bytes are the key of the container that holds it.
 *
 * Codes have dictionary numbers as keys.  Numbers and days have the bits of their double, so
 * arranged that unsigned order is numeric order, and are posted four times: exactly, and in buckets
 * that leave out the lowest 42, 46 and 50 bits.  A range is then few containers however many
 * distinct values it spans: whole buckets inside, finer ones and single values at its two ends.
 */

#include <stdint.h>

enum term_level {
	TERM_PATIENT,
	TERM_STUDY,
	TERM_SERIES,
	TERM_INSTANCE,
	TERM_ENTRY,  /* entries of a patient's record, of every kind */
	TERM_FOLDED, /* patients, by facts stated anywhere below them */
};

enum term_type { TERM_CODE, TERM_NUMBER, TERM_DAY };

/* Levels that have entities of their own. */
#define TERM_LEVELS (TERM_ENTRY + 1)

/* Attribute numbers carry their type in the lowest two bits.  Number 0 is the universe: the
 * entities that are present.  Its value is 0, but for entries, and for patients by their entries,
 * where it is the entry's kind (entry.h). */
#define TERM_UNIVERSE 0U
#define TERM_TYPE(attribute) ((enum term_type)((attribute)&3U))

#define TERM_SHIFTS 4
#define TERM_KEY_BYTES 14

struct posting {
	uint64_t major, minor;
};

static inline struct posting
posting_make(uint16_t attribute, enum term_level level, unsigned shift, uint64_t key, uint32_t id)
{
	return (struct posting){
	    (uint64_t)attribute << 48 | (uint64_t)level << 40 | (uint64_t)shift << 32 | key >> 32,
	    key << 32 | id};
}

unsigned term_shift(unsigned i); /* 0, 42, 46, 50 */
uint64_t term_order(double number);
double term_number(uint64_t order); /* the reverse */
void posting_key(const struct posting *posting, uint8_t ret[TERM_KEY_BYTES]);
/* The reverse, without the lowest 16 bits of the entity's number. */
struct posting posting_from_key(const uint8_t key[TERM_KEY_BYTES]);
int posting_compare(const void *a, const void *b); /* for qsort */

/* The four (or one) postings of a fact.  Returns how many. */
unsigned posting_expand(uint16_t attribute, enum term_level level, uint64_t key, uint32_t id,
    struct posting ret[TERM_SHIFTS]);

#endif
