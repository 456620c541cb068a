/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COHORT_TABLE_H
#define COHORT_TABLE_H

/* Distinct patients of a cohort by value: exact numbers, for those who control what is said. */

#include "index.h"

#define BREAKDOWN_VALUES_MAX 100   /* of one attribute in a table */
#define BREAKDOWN_LOOKED_MAX 10000 /* of one attribute in the index */
#define DISTRIBUTION_BINS_MAX 100

struct index_value {
	char text[INDEX_TEXT_MAX + 1];
	uint64_t count; /* of the cohort's patients */
};

struct index_breakdown {
	struct index_value *rows, *columns; /* the most frequent first */
	size_t row_count, column_count;     /* one column without values for one attribute */
	uint64_t *cells;                    /* row by row */
	bool truncated;
	char **criteria; /* as in struct index_count */
	size_t criteria_count;
};

/* `attributes`: one or two.  CAIRN_EINVAL for a date, CAIRN_ELIMIT for one with too many values. */
int index_breakdown(struct index *index, const Cairn__Expression *expression,
    const struct index_asking *asking, const char *const *attributes, size_t count, size_t limit,
    struct index_breakdown *ret, struct cairn_error *err);
void index_breakdown_fini(struct index_breakdown *breakdown);

struct index_bins {
	double from, to; /* in: `to` is in the last bin */
	size_t count;    /* in */
	uint64_t patients[DISTRIBUTION_BINS_MAX];
	char **criteria;
	size_t criteria_count;
};

int index_distribution(struct index *index, const Cairn__Expression *expression,
    const struct index_asking *asking, const char *attribute, struct index_bins *bins,
    struct cairn_error *err);
/* One end of a bin. */
double index_bin_end(const struct index_bins *bins, size_t i);

/* Which cells of a table must not be shown (suppress.c): those below `min_cell`, and more, until in
 * each row and each column what is hidden is nothing or at least `min_cell` patients in two cells,
 * and no hidden cell follows from the totals of rows and columns.  Zeros are neither hidden nor
 * shown: they are as if they were not there. */
int table_suppress(
    const uint64_t *cells, size_t rows, size_t columns, uint64_t min_cell, bool *ret_hidden);

#endif
