/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COHORT_EVAL_H
#define COHORT_EVAL_H

/* A query in one read transaction: expression to set, and sets from level to level. */

#include "set.h"
#include "store.h"

#define EVAL_POOL 8

struct eval {
	const struct index *index;
	MDB_txn *txn;
	MDB_cursor *postings, *columns;
	struct counters counters;
	const atomic_bool *cancel;
	size_t bytes, bytes_max;   /* sets in use, and how much they may use */
	uint64_t *pool[EVAL_POOL]; /* of sets no longer used, all of the size below */
	size_t pool_count, pool_blocks;
	struct cairn_error *err;
};

int eval_begin(
    struct eval *eval, struct index *index, const atomic_bool *cancel, struct cairn_error *err);
void eval_end(struct eval *eval);

/* CAIRN_ECANCELLED when the asker has gone. */
int eval_cancelled(const struct eval *eval);

/* An empty set over the entities of a level; eval_set_free() accepts what was never made. */
int eval_set_new(struct eval *eval, enum term_level level, struct set *ret);
void eval_set_free(struct eval *eval, struct set *set);

/* Adds to `set` (leaf.c). */
int eval_range(struct eval *eval, struct set *set, uint16_t attribute, enum term_level level,
    uint64_t low, uint64_t high);
int eval_universe(struct eval *eval, struct set *set, enum term_level level);
int eval_leaf(struct eval *eval, const Cairn__Leaf *leaf, enum term_level level, struct set *set);
/* The finest level at which the leaf's attribute was ever stated; CAIRN_EUNSUPPORTED when there is
 * no such attribute with values of this type. */
int eval_leaf_level(struct eval *eval, const Cairn__Leaf *leaf, enum term_level *ret);

/* Carries a set from its level to another one (levels.c): to parents, those that contain a member;
 * to children, those that a member contains.  eval_move() replaces `*set`; eval_moved() leaves it
 * and makes a copy when the levels are equal. */
int eval_moved(struct eval *eval, const struct set *set, enum term_level from, enum term_level to,
    struct set *ret);
int eval_move(struct eval *eval, struct set *set, enum term_level from, enum term_level to);
/* How many instances the members of a set of series have. */
int eval_instances(struct eval *eval, const struct set *series, uint64_t *ret);

/* Attributes in reading order, each once, that cannot be evaluated. */
int eval_criteria(struct eval *eval, const Cairn__Expression *expression, struct index_count *ret);

/* The set of `expression` at a level that is `level` or coarser; then the members' descendants at
 * `level` are the answer.  On failure there is no set. */
int eval_expression(struct eval *eval, const Cairn__Expression *expression, enum term_level level,
    enum term_level *ret_level, struct set *ret);

#endif
