/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COHORT_POPULATION_H
#define COHORT_POPULATION_H

/*
 * For the tests: seeded random hospitals, as messages for the index and as a plain list that is
 * searched item by item.  The search knows nothing of the index: it is what the index must equal.
 */

#include <stdbool.h>

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

#define PATIENTS 12 /* of whom something may be stated beside images */
#define NOBODY 1000U
#define RECORD_KINDS 4
#define NO_KIND 100U /* the facts of the patient itself */
#define STATEMENT_RECORDS 4

/* What one source states of one entry, or of the patient. */
struct record {
	unsigned patient, source, kind, id;
	bool withdrawn;
	struct item_fact facts[ITEM_FACTS_MAX];
	size_t fact_count;
};

/* One PatientFacts. */
struct statement {
	unsigned patient, source, replaces;
	int days; /* of what it replaces */
	bool withdrawn;
	struct item_fact facts[ITEM_FACTS_MAX];
	size_t fact_count;
	struct record records[STATEMENT_RECORDS];
	size_t record_count;
};

struct population {
	struct item *items;
	size_t count, capacity;
	struct record *records;
	size_t record_count;
	unsigned alias[PATIENTS]; /* 0, or 1 + the successor */
	int alias_days[PATIENTS];
};

enum attribute_kind { CODE, NUMBER, DAY };

struct population_attribute {
	const char *name;
	enum attribute_kind kind;
	unsigned level; /* where it is usually stated; 4: entries */
	const char *texts[5];
	const char *unseen; /* may be asked for, and nobody has it */
};

extern const struct population_attribute attributes[];
#define STUDY_DATE 7
#define STUDY_DAY 8

const char *record_kind(unsigned kind);

uint64_t random_next(uint64_t *seed);
size_t random_below(uint64_t *seed, size_t limit);

struct item random_item(uint64_t *seed);
/* Adds the item, in place of the one with the same instance number where there is one. */
void population_put(struct population *population, const struct item *item);
void population_remove(struct population *population, unsigned instance);
struct statement random_statement(uint64_t *seed);
void population_state(struct population *population, const struct statement *statement);
/* The number under which a patient is known now. */
unsigned population_resolve(const struct population *population, unsigned patient);
void population_fini(struct population *population);

/* As messages; the caller frees the batch with batch_free(). */
Cairn__FactBatch *batch_new(const struct item *items, size_t count);
Cairn__FactBatch *batch_of_statement(const struct statement *statement);
void batch_free(Cairn__FactBatch *batch);

/* An expression over the attributes of random_item(), as text. */
void random_expression(uint64_t *seed, unsigned depth, char *ret, size_t size);

/* How many entities of `level` satisfy the expression, by looking at everything (naive.c). */
size_t population_count(
    const struct population *population, const Cairn__Expression *expression, unsigned level);

#endif
