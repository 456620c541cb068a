/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VCF_QUERY_H
#define VCF_QUERY_H

/*
 * Who carries a variant of which an expression is true: all of it of one variant in one sample, as
 * it stands inside `same variant (..)`.  NOT is of the variant: who carries one that is another.
 * Sets of patients (and, or, not outside) are joined by the cohort engine.
 */

#include "cairn/cohort.pb-c.h"
#include "shelf.h"

#define QUERY_DEPTH_MAX 32
#define QUERY_CRITERIA_MAX 16

struct query_answer {
	uint8_t *carriers, *called; /* bits of the shelf's patients */
	size_t bytes;
	char *criteria[QUERY_CRITERIA_MAX]; /* what cannot be evaluated */
	size_t criteria_count;
};

/* CAIRN_EINVAL for what is no expression, CAIRN_ENOMEM. */
int query_run(const struct shelf *shelf, const Cairn__Expression *expression,
    struct query_answer *ret, struct cairn_error *err);
void query_answer_fini(struct query_answer *answer);

#endif
