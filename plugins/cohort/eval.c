/* SPDX-License-Identifier: Apache-2.0 */
/* Expressions over sets.  The tree has passed cohort_check(), which bounds the recursion. */
#include "eval.h"
#include "entry.h"

#include <stdlib.h>
#include <string.h>

int
eval_begin(
    struct eval *e, struct index *index, const struct index_asking *asking, struct cairn_error *err)
{
	int code, rc;

	*e = (struct eval){
	    .index = index, .asking = asking, .bytes_max = index->query_bytes, .err = err};
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
	if (e->asking == NULL || e->asking->cancel == NULL ||
	    !atomic_load_explicit(e->asking->cancel, memory_order_relaxed))
		return 0;
	return cairn_error_set(e->err, CAIRN_ECANCELLED, "the question was withdrawn");
}

void *
eval_memory(struct eval *e, size_t count, size_t size)
{
	void *memory = NULL;

	if (count + 1 > (e->bytes_max - e->bytes) / size) {
		cairn_error_set(e->err, CAIRN_ELIMIT,
		    "the question needs more than query_mb of memory; ask it in parts");
		return NULL;
	}
	memory = calloc(count + 1, size);
	if (memory == NULL)
		cairn_error_set(e->err, CAIRN_ENOMEM, "out of memory");
	else
		e->bytes += (count + 1) * size;
	return memory;
}

void
eval_memory_free(struct eval *e, void *memory, size_t count, size_t size)
{
	if (memory != NULL)
		e->bytes -= (count + 1) * size;
	free(memory);
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

enum term_level
eval_entity(const char *entity, int *ret_kind)
{
	*ret_kind = kind_find(entity);
	if (*ret_kind >= 0)
		return TERM_ENTRY;
	return strcmp(entity, "study") == 0 ? TERM_STUDY : TERM_SERIES;
}

static bool
is_carried(const struct eval *e, const Cairn__Expression *node)
{
	for (size_t i = 0; i < e->variant_count; i++)
		if (e->variants[i] == node)
			return true;
	return false;
}

/* The coarsest level at which the expression can be evaluated so that its answer at any finer level
 * is the descendants of the answer: membership is decided by facts at this level or above, and
 * every set operation commutes with taking the descendants.  Entries decide for patients. */
static int
deciding_level(
    struct eval *e, const Cairn__Expression *node, enum term_level scope, enum term_level *ret)
{
	enum term_level level = TERM_PATIENT, entity;
	int code = 0, kind = KIND_ANY;

	if (node->operand == CAIRN__EXPRESSION__OPERAND__LEAF)
		return eval_leaf_level(e, node->leaf, ret);
	if (node->operand == CAIRN__EXPRESSION__OPERAND__WITHIN)
		return eval_within_level(e, node, ret);
	if (node->operand == CAIRN__EXPRESSION__OPERAND__AT_LEAST) {
		*ret = eval_at_least_level(node, scope);
		return 0;
	}
	entity = TERM_INSTANCE;
	if (node->operand == CAIRN__EXPRESSION__OPERAND__SAME) {
		entity = eval_entity(node->entity, &kind);
		scope = entity == TERM_STUDY ? TERM_STUDY : TERM_PATIENT;
		/* A patient may have no study; a study has a series. */
		level = TERM_STUDY;
	}
	for (size_t i = 0; i < node->n_children && code == 0; i++) {
		enum term_level child;

		code = deciding_level(e, node->children[i], scope, &child);
		if (code == 0 && child > level)
			level = child;
	}
	if (code == 0)
		*ret = entity == TERM_ENTRY ? TERM_PATIENT : level < entity ? level : entity;
	return code;
}

/* ---- operators --------------------------------------------------------------------------- */

static int
evaluate_list(
    struct eval *e, const Cairn__Expression *node, const struct context *at, struct set *ret)
{
	struct set all = {0};
	int code = eval_in(e, node->children[0], at, &all);

	for (size_t i = 1; i < node->n_children && code == 0; i++) {
		struct set next = {0};

		code = eval_in(e, node->children[i], at, &next);
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
evaluate_not(
    struct eval *e, const Cairn__Expression *node, const struct context *at, struct set *ret)
{
	struct set child = {0}, universe = {0};
	int code = eval_in(e, node->children[0], at, &child);

	if (code == 0)
		code = eval_set_new(e, at->level, &universe);
	if (code == 0)
		code = eval_universe(e, &universe, at->level);
	if (code == 0) {
		set_complement(&child, &universe);
		*ret = child;
		child.words = NULL;
	}
	eval_set_free(e, &universe);
	eval_set_free(e, &child);
	return code;
}

/* Only entries of the kind; what is inside speaks of others as well. */
static int
keep_kind(struct eval *e, struct set *set, int kind)
{
	struct set entries = {0};
	int code = eval_set_new(e, TERM_ENTRY, &entries);

	if (code == 0)
		code = eval_kind(e, &entries, kind);
	if (code == 0)
		set_and(set, &entries);
	eval_set_free(e, &entries);
	return code;
}

/* Entries of one kind say something of entries of another through their patient. */
static int
evaluate_same_entry(struct eval *e, const Cairn__Expression *node, const struct context *at,
    int kind, struct set *ret)
{
	const struct context inside = {TERM_ENTRY, kind, TERM_PATIENT};
	struct set set = {0};
	int code = eval_in(e, node->children[0], &inside, &set);

	if (code == 0)
		code = keep_kind(e, &set, kind);
	if (code == 0 && (at->level != TERM_ENTRY || (at->kind != KIND_ANY && at->kind != kind))) {
		code = eval_move(e, &set, TERM_ENTRY, TERM_PATIENT);
		if (code == 0)
			code = eval_move(e, &set, TERM_PATIENT, at->level);
	}
	if (code != 0)
		eval_set_free(e, &set);
	else
		*ret = set;
	return code;
}

static int
evaluate_same(
    struct eval *e, const Cairn__Expression *node, const struct context *at, struct set *ret)
{
	struct context inside = {TERM_PATIENT, KIND_ANY, TERM_PATIENT};
	struct set set = {0};
	int kind, code;

	if (eval_entity(node->entity, &kind) == TERM_ENTRY)
		return evaluate_same_entry(e, node, at, kind, ret);
	if (strcmp(node->entity, "study") == 0)
		inside.scope = TERM_STUDY;
	code = deciding_level(e, node, at->scope, &inside.level);
	if (code == 0)
		code = eval_in(e, node->children[0], &inside, &set);
	if (code == 0)
		code = eval_move(e, &set, inside.level, at->level);
	if (code != 0)
		eval_set_free(e, &set);
	else
		*ret = set;
	return code;
}

static int
evaluate_simple(
    struct eval *e, const Cairn__Expression *node, const struct context *at, struct set *ret)
{
	struct set set = {0};
	int code = eval_set_new(e, at->level, &set);

	if (code == 0 && node->operand == CAIRN__EXPRESSION__OPERAND__ALL)
		code = eval_universe(e, &set, at->level);
	else if (code == 0)
		code = eval_leaf(e, node->leaf, at, &set);
	if (code != 0)
		eval_set_free(e, &set);
	else
		*ret = set;
	return code;
}

static int
evaluate(struct eval *e, const Cairn__Expression *node, const struct context *at, struct set *ret)
{
	int code = eval_cancelled(e);

	if (code != 0)
		return code;
	switch (node->operand) {
	case CAIRN__EXPRESSION__OPERAND__AND:
	case CAIRN__EXPRESSION__OPERAND__OR:
	case CAIRN__EXPRESSION__OPERAND__XOR:
		return evaluate_list(e, node, at, ret);
	case CAIRN__EXPRESSION__OPERAND__NOT:
		return evaluate_not(e, node, at, ret);
	case CAIRN__EXPRESSION__OPERAND__SAME:
		return evaluate_same(e, node, at, ret);
	case CAIRN__EXPRESSION__OPERAND__WITHIN:
		return eval_within(e, node, at, ret);
	case CAIRN__EXPRESSION__OPERAND__AT_LEAST:
		return eval_at_least(e, node, at, ret);
	default:
		return evaluate_simple(e, node, at, ret);
	}
}

int
eval_in(struct eval *e, const Cairn__Expression *node, const struct context *at, struct set *ret)
{
	struct set set = {0};
	int code = evaluate(e, node, at, &set);

	if (code == 0 && is_carried(e, node))
		code = eval_carriers(e, node, at->level, &set);
	if (code != 0)
		eval_set_free(e, &set);
	else
		*ret = set;
	return code;
}

int
eval_expression(struct eval *e, const Cairn__Expression *expression, enum term_level level,
    enum term_level *ret_level, struct set *ret)
{
	struct context at = {TERM_PATIENT, KIND_ANY, TERM_PATIENT};
	int code = deciding_level(e, expression, TERM_PATIENT, &at.level);

	if (code != 0)
		return code;
	if (at.level > level)
		at.level = level;
	code = eval_in(e, expression, &at, ret);
	if (code == 0)
		*ret_level = at.level;
	return code;
}
