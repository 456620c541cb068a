/* SPDX-License-Identifier: Apache-2.0 */
/* Expressions over sets.  The tree has passed cohort_check(), which bounds the recursion. */
#include "eval.h"

#include <stdlib.h>
#include <string.h>

int
eval_begin(struct eval *e, struct index *index, const atomic_bool *cancel, struct cairn_error *err)
{
	int code, rc;

	*e = (struct eval){
	    .index = index, .cancel = cancel, .bytes_max = index->query_bytes, .err = err};
	rc = mdb_txn_begin(index->env, NULL, MDB_RDONLY, &e->txn);
	if (rc == 0)
		rc = mdb_cursor_open(e->txn, index->postings, &e->postings);
	if (rc == 0)
		rc = mdb_cursor_open(e->txn, index->columns, &e->columns);
	code = rc == 0 ? counters_read(index, e->txn, &e->counters, err)
		       : store_error(rc, "reading the cohort index", err);
	if (code != 0)
		eval_end(e);
	return code;
}

void
eval_end(struct eval *e)
{
	while (e->pool_count > 0)
		free(e->pool[--e->pool_count]);
	if (e->postings != NULL)
		mdb_cursor_close(e->postings);
	if (e->columns != NULL)
		mdb_cursor_close(e->columns);
	if (e->txn != NULL)
		mdb_txn_abort(e->txn);
	*e = (struct eval){0};
}

int
eval_cancelled(const struct eval *e)
{
	if (e->cancel == NULL || !atomic_load_explicit(e->cancel, memory_order_relaxed))
		return 0;
	return cairn_error_set(e->err, CAIRN_ECANCELLED, "the question was withdrawn");
}

/* ---- sets -------------------------------------------------------------------------------- */

/* One that was just given back is still in the cache. */
static uint64_t *
from_pool(struct eval *e, size_t blocks)
{
	if (e->pool_count == 0 || e->pool_blocks != blocks)
		return NULL;
	return memset(e->pool[--e->pool_count], 0, blocks * SET_BLOCK_BYTES);
}

int
eval_set_new(struct eval *e, enum term_level level, struct set *ret)
{
	size_t blocks = ((size_t)e->counters.entities[level] + SET_BLOCK_BITS - 1) / SET_BLOCK_BITS;
	uint64_t *words;

	if (blocks == 0)
		blocks = 1;
	if (blocks * SET_BLOCK_BYTES > e->bytes_max - e->bytes)
		return cairn_error_set(e->err, CAIRN_ELIMIT,
		    "the question needs more than query_mb of memory; ask it in parts");
	words = from_pool(e, blocks);
	if (words == NULL)
		words = calloc(blocks, SET_BLOCK_BYTES);
	if (words == NULL)
		return cairn_error_set(e->err, CAIRN_ENOMEM, "out of memory");
	e->bytes += blocks * SET_BLOCK_BYTES;
	*ret = (struct set){words, blocks};
	return 0;
}

void
eval_set_free(struct eval *e, struct set *set)
{
	if (set->words == NULL)
		return;
	e->bytes -= set->blocks * SET_BLOCK_BYTES;
	if (e->pool_count == 0)
		e->pool_blocks = set->blocks;
	if (e->pool_count < EVAL_POOL && e->pool_blocks == set->blocks)
		e->pool[e->pool_count++] = set->words;
	else
		free(set->words);
	*set = (struct set){0};
}

/* ---- levels ------------------------------------------------------------------------------ */

static enum term_level
entity_level(const Cairn__Expression *same)
{
	return strcmp(same->entity, "study") == 0 ? TERM_STUDY : TERM_SERIES;
}

/* The coarsest level at which the expression can be evaluated so that its answer at any finer level
 * is the descendants of the answer: membership is decided by facts at this level or above, and
 * every set operation commutes with taking the descendants. */
static int
deciding_level(struct eval *e, const Cairn__Expression *node, enum term_level *ret)
{
	enum term_level level = TERM_PATIENT;
	int code = 0;

	if (node->operand == CAIRN__EXPRESSION__OPERAND__LEAF)
		return eval_leaf_level(e, node->leaf, ret);
	for (size_t i = 0; i < node->n_children && code == 0; i++) {
		enum term_level child;

		code = deciding_level(e, node->children[i], &child);
		if (code == 0 && child > level)
			level = child;
	}
	if (node->operand == CAIRN__EXPRESSION__OPERAND__SAME && level > entity_level(node))
		level = entity_level(node);
	if (code == 0)
		*ret = level;
	return code;
}

/* ---- operators --------------------------------------------------------------------------- */

static int evaluate(
    struct eval *e, const Cairn__Expression *node, enum term_level level, struct set *ret);

static int
evaluate_list(struct eval *e, const Cairn__Expression *node, enum term_level level, struct set *ret)
{
	struct set all = {0};
	int code = evaluate(e, node->children[0], level, &all);

	for (size_t i = 1; i < node->n_children && code == 0; i++) {
		struct set next = {0};

		code = evaluate(e, node->children[i], level, &next);
		if (code != 0)
			break;
		if (node->operand == CAIRN__EXPRESSION__OPERAND__AND)
			set_and(&all, &next);
		else if (node->operand == CAIRN__EXPRESSION__OPERAND__OR)
			set_or(&all, &next);
		else
			set_xor(&all, &next);
		eval_set_free(e, &next);
	}
	if (code != 0)
		eval_set_free(e, &all);
	else
		*ret = all;
	return code;
}

static int
evaluate_not(struct eval *e, const Cairn__Expression *node, enum term_level level, struct set *ret)
{
	struct set child = {0}, universe = {0};
	int code = evaluate(e, node->children[0], level, &child);

	if (code == 0)
		code = eval_set_new(e, level, &universe);
	if (code == 0)
		code = eval_universe(e, &universe, level);
	if (code == 0) {
		set_complement(&child, &universe);
		*ret = child;
		child.words = NULL;
	}
	eval_set_free(e, &universe);
	eval_set_free(e, &child);
	return code;
}

static int
evaluate_same(struct eval *e, const Cairn__Expression *node, enum term_level level, struct set *ret)
{
	struct set inside = {0};
	enum term_level at;
	int code = deciding_level(e, node, &at);

	if (code == 0)
		code = evaluate(e, node->children[0], at, &inside);
	if (code == 0)
		code = eval_move(e, &inside, at, level);
	if (code != 0)
		eval_set_free(e, &inside);
	else
		*ret = inside;
	return code;
}

static int
evaluate_simple(
    struct eval *e, const Cairn__Expression *node, enum term_level level, struct set *ret)
{
	struct set set = {0};
	int code = eval_set_new(e, level, &set);

	if (code == 0 && node->operand == CAIRN__EXPRESSION__OPERAND__ALL)
		code = eval_universe(e, &set, level);
	else if (code == 0)
		code = eval_leaf(e, node->leaf, level, &set);
	if (code != 0)
		eval_set_free(e, &set);
	else
		*ret = set;
	return code;
}

static int
evaluate(struct eval *e, const Cairn__Expression *node, enum term_level level, struct set *ret)
{
	int code = eval_cancelled(e);

	if (code != 0)
		return code;
	switch (node->operand) {
	case CAIRN__EXPRESSION__OPERAND__AND:
	case CAIRN__EXPRESSION__OPERAND__OR:
	case CAIRN__EXPRESSION__OPERAND__XOR:
		return evaluate_list(e, node, level, ret);
	case CAIRN__EXPRESSION__OPERAND__NOT:
		return evaluate_not(e, node, level, ret);
	case CAIRN__EXPRESSION__OPERAND__SAME:
		return evaluate_same(e, node, level, ret);
	default:
		return evaluate_simple(e, node, level, ret);
	}
}

int
eval_expression(struct eval *e, const Cairn__Expression *expression, enum term_level level,
    enum term_level *ret_level, struct set *ret)
{
	enum term_level deciding;
	int code = deciding_level(e, expression, &deciding);

	if (code != 0)
		return code;
	if (deciding > level)
		deciding = level;
	code = evaluate(e, expression, deciding, ret);
	if (code == 0)
		*ret_level = deciding;
	return code;
}
