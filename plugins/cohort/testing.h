/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COHORT_TESTING_H
#define COHORT_TESTING_H

/* For the tests: an index in a directory of its own, and what every test does with one.  Whatever
 * fails here fails the test. */

#include "base/test.h"
#include "index.h"
#include "population.h"

struct fixture {
	struct test_dir dir;
	struct index *index;
};

void fixture_open(struct fixture *f);
/* With options of one's own; their `dir` is not looked at. */
void fixture_open_with(struct fixture *f, struct index_options options);
void fixture_reopen(struct fixture *f);
void fixture_close(struct fixture *f);

/* One transaction. */
struct index_applied fixture_put(struct fixture *f, const struct item *items, size_t count);
/* The same of a batch, which is freed. */
struct index_applied fixture_put_batch(struct fixture *f, Cairn__FactBatch *batch);

/* Random, but each of another instance, so that the order of arrival cannot matter by contract. */
void distinct_items(struct item *items, size_t count);

/* The caller frees it with cairn__expression__free_unpacked(). */
Cairn__Expression *parsed(const char *text);

/* Fails the test where the count fails. */
struct index_count count_of(struct fixture *f, const Cairn__Expression *expression, unsigned level);
/* Fails also for criteria that are not known. */
uint64_t count_text(struct fixture *f, const char *text, unsigned level);

#endif
