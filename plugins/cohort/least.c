/* SPDX-License-Identifier: Apache-2.0 */
/* AT_LEAST: so many entities of a kind below one patient, or below one study inside `same study`.
 */
#include <string.h>

#include "eval.h"

#define SATURATED UINT16_MAX /* more than any number that can be asked for */

enum term_level
eval_at_least_level(const Cairn__Expression *node, enum term_level scope)
{
	int kind;

	return eval_entity(node->entity, &kind) == TERM_SERIES ? scope : TERM_PATIENT;
}

/* The entities that are counted. */
static int
select_entities(
    struct eval *e, const Cairn__Expression *node, enum term_level *ret_level, struct set *ret)
{
	struct context inside = {.scope = TERM_PATIENT};
	struct set set = {0}, own = {0};
	int code;

	inside.level = eval_entity(node->entity, &inside.kind);
	if (inside.level == TERM_STUDY)
		inside.scope = TERM_STUDY;
	code = eval_in(e, node->children[0], &inside, &set);
	if (code == 0 && inside.level == TERM_ENTRY) {
		code = eval_set_new(e, TERM_ENTRY, &own);
		if (code == 0)
			code = eval_kind(e, &own, inside.kind);
		if (code == 0)
			set_and(&set, &own);
		eval_set_free(e, &own);
	}
	if (code != 0) {
		eval_set_free(e, &set);
		return code;
	}
	*ret_level = inside.level;
	*ret = set;
	return 0;
}

struct ancestors {
	struct column_reader first, second;
	enum term_level from, to;
};

static int
ancestor(struct eval *e, struct ancestors *a, uint32_t id, uint32_t *ret)
{
	enum store_column column = a->from == TERM_ENTRY ? COLUMN_ENTRY_PATIENT
	    : a->from == TERM_STUDY                      ? COLUMN_STUDY_PATIENT
							 : COLUMN_SERIES_STUDY;
	int code = eval_column(e, &a->first, column, id, ret);

	if (code != 0 || a->from != TERM_SERIES || a->to == TERM_STUDY)
		return code;
	return eval_column(e, &a->second, COLUMN_STUDY_PATIENT, *ret, ret);
}

static int
count_below(
    struct eval *e, const struct set *set, struct ancestors *a, uint32_t number, struct set *ret)
{
	uint32_t count = e->counters.entities[a->to], id, above;
	uint16_t *counts = eval_memory(e, count, sizeof *counts);
	int code = counts == NULL ? CAIRN_ELIMIT : 0;

	for (uint64_t from = 0; code == 0 && set_next(set, from, &id); from = (uint64_t)id + 1) {
		code = ancestor(e, a, id, &above);
		if (code == 0 && above >= count)
			code = store_corrupt("a parent", e->err);
		if (code != 0)
			break;
		if (counts[above] < SATURATED)
			counts[above]++;
		if (counts[above] >= number)
			set_add(ret, above);
	}
	eval_memory_free(e, counts, count, sizeof *counts);
	return code;
}

int
eval_at_least(
    struct eval *e, const Cairn__Expression *node, const struct context *at, struct set *ret)
{
	enum term_level to = eval_at_least_level(node, at->scope), level = to;
	struct ancestors ancestors = {{STORE_NONE, NULL}, {STORE_NONE, NULL}, TERM_PATIENT, to};
	struct set set = {0}, found = {0};
	int code = select_entities(e, node, &level, &set);

	ancestors.from = level;
	if (code == 0)
		code = eval_set_new(e, to, &found);
	if (code == 0 && node->number == 0)
		code = eval_universe(e, &found, to);
	else if (code == 0)
		code = count_below(e, &set, &ancestors, node->number, &found);
	eval_set_free(e, &set);
	if (code == 0)
		code = eval_move(e, &found, to, at->level);
	if (code != 0)
		eval_set_free(e, &found);
	else
		*ret = found;
	return code;
}
