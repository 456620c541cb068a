/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COHORT_POPULATION_H
#define COHORT_POPULATION_H

/*
 * For the tests: seeded random hospitals, as messages for the index and as a plain list that is
 * searched item by item.  The search knows nothing of the index: it is what the index must equal.
 */

#include "cairn/cohort.pb-c.h"
#include "cairn/facts.pb-c.h"

#define ITEM_FACTS_MAX 16

struct item_fact {
	unsigned level, attribute;
	double number; /* numbers and days */
	unsigned text; /* codes */
};

/* One instance and its place.  `path` holds the numbers of patient, study, series, instance. */
struct item {
	unsigned path[4];
	struct item_fact facts[ITEM_FACTS_MAX];
	size_t fact_count;
};

struct population {
	struct item *items;
	size_t count, capacity;
};

uint64_t random_next(uint64_t *seed);
size_t random_below(uint64_t *seed, size_t limit);

struct item random_item(uint64_t *seed);
/* Adds the item, in place of the one with the same instance number where there is one. */
void population_put(struct population *population, const struct item *item);
void population_remove(struct population *population, unsigned instance);
void population_fini(struct population *population);

/* As messages; the caller frees the batch with batch_free(). */
Cairn__FactBatch *batch_new(const struct item *items, size_t count);
void batch_free(Cairn__FactBatch *batch);

/* An expression over the attributes of random_item(), as text. */
void random_expression(uint64_t *seed, unsigned depth, char *ret, size_t size);

/* How many entities of `level` satisfy the expression, by looking at every item. */
size_t population_count(
    const struct population *population, const Cairn__Expression *expression, unsigned level);

#endif
