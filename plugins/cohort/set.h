/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COHORT_SET_H
#define COHORT_SET_H

/*
 * Sets of entity numbers.  On disk a set is cut into blocks of 65,536 numbers; a block's container
 * is an ascending list of 16-bit numbers while that is the smaller form, and a bitset otherwise. In
 * memory, while a query runs, a set is one bitset over all blocks.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SET_BLOCK_BITS 65536U
#define SET_BLOCK_WORDS (SET_BLOCK_BITS / 64)
#define SET_BLOCK_BYTES (SET_BLOCK_BITS / 8)

/* ---- containers: `words` is one block of SET_BLOCK_WORDS --------------------------------- */

/* Adds what a stored container holds.  false when its length is impossible. */
bool container_or(uint64_t *words, const void *stored, size_t length);
/* The smaller form into `ret` (SET_BLOCK_BYTES); its length, 0 when nothing is set. */
size_t container_store(const uint64_t *words, uint8_t *ret);

/* Changes a list, or nothing (`length` 0), into a longer or shorter list.  The changes ascend, each
 * number once, and together with the list they stay below SET_BLOCK_BYTES.  Returns the new
 * length. */
struct container_change {
	uint16_t low;
	bool set;
};

size_t container_merge(const void *stored, size_t length, const struct container_change *changes,
    size_t count, uint8_t *ret);

/* ---- sets in memory ---------------------------------------------------------------------- */

struct set {
	uint64_t *words;
	size_t blocks;
};

static inline bool
set_has(const struct set *set, uint32_t id)
{
	size_t word = id / 64;

	return word < set->blocks * SET_BLOCK_WORDS && (set->words[word] >> (id % 64) & 1) != 0;
}

static inline void
set_add(struct set *set, uint32_t id)
{
	set->words[id / 64] |= (uint64_t)1 << (id % 64);
}

void set_and(struct set *set, const struct set *other);
void set_or(struct set *set, const struct set *other);
void set_xor(struct set *set, const struct set *other);
/* set := other without set */
void set_complement(struct set *set, const struct set *other);
uint64_t set_count(const struct set *set);
/* The first member that is at least `from`; false when there is none. */
bool set_next(const struct set *set, uint64_t from, uint32_t *ret);

#endif
