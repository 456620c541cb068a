/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a count would be made: the expression and its operands, each with what it would count alone
 * and where that comes from.  Every number passes the same rules as a count; where counts are held
 * against each other (release.h) there is none, since so many at once would use up what can be
 * told.
 */
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "carriers.h"
#include "cohort/expr.h"

#define STEPS_MAX 64 /* each is a question of its own */

struct explanation {
	struct index *index;
	const struct answer_question *q;
	const Cairn__Expression *whole;
	Cairn__Level level;
	Cairn__ExplainAnswer *answer;
	const Cairn__Expression *variants[CARRIERS_MAX];
	size_t variant_count;
	struct cairn_error *err;
};

static const char *
how_leaf(const Cairn__Leaf *leaf)
{
	switch (leaf->operator_) {
	case CAIRN__LEAF__OPERATOR__UNDER:
		return "values below the code, then index";
	case CAIRN__LEAF__OPERATOR__LIKE:
		return "scan of the values, then index";
	case CAIRN__LEAF__OPERATOR__EQ:
	case CAIRN__LEAF__OPERATOR__IN:
		return "index";
	default:
		return "range of the index";
	}
}

static const char *
how(const struct explanation *x, const Cairn__Expression *node)
{
	for (size_t i = 0; i < x->variant_count; i++)
		if (x->variants[i] == node)
			return "index and genomics.carriers";
	switch (node->operand) {
	case CAIRN__EXPRESSION__OPERAND__LEAF:
		return how_leaf(node->leaf);
	case CAIRN__EXPRESSION__OPERAND__SAME:
		return "among its entities, then carried over";
	case CAIRN__EXPRESSION__OPERAND__WITHIN:
		return "join of dates";
	case CAIRN__EXPRESSION__OPERAND__AT_LEAST:
		return "entities counted by patient or study";
	case CAIRN__EXPRESSION__OPERAND__ALL:
		return "all that is present";
	default:
		return "sets";
	}
}

static int
fill_number(struct explanation *x, const Cairn__Expression *node, Cairn__ExplainStep *step)
{
	const struct answer_rules *rules = &x->q->rules;
	struct index_count count = {0};
	int code;

	step->kind = CAIRN__COUNT_ANSWER__KIND__SUPPRESSED;
	if (answer_is_held(rules))
		return 0;
	code = index_count_part(x->index, x->whole, node, x->level, &x->q->asking, &count, x->err);
	if (code != 0)
		return code;
	if (count.patients >= rules->min_cell) {
		step->kind = rules->round > 1 ? CAIRN__COUNT_ANSWER__KIND__ROUNDED
					      : CAIRN__COUNT_ANSWER__KIND__EXACT;
		step->count = rules->round > 1 ? answer_rounded(count.count, rules) : count.count;
	}
	index_count_fini(&count);
	return 0;
}

static int
add_step(struct explanation *x, const Cairn__Expression *node, unsigned depth)
{
	Cairn__ExplainStep *step;
	char *what = NULL;
	int code = cohort_print(node, &what, x->err);

	if (code != 0)
		return code;
	step = malloc(sizeof *step);
	if (step == NULL) {
		free(what);
		return cairn_error_set(x->err, CAIRN_ENOMEM, "out of memory");
	}
	cairn__explain_step__init(step);
	x->answer->steps[x->answer->n_steps++] = step;
	step->depth = depth;
	step->what = what;
	step->how = strdup(how(x, node));
	if (step->how == NULL)
		return cairn_error_set(x->err, CAIRN_ENOMEM, "out of memory");
	return fill_number(x, node, step);
}

/* The tree has passed cohort_check(), which bounds the recursion.  Beyond STEPS_MAX operands are
 * left out: their whole is there. */
static int
add_steps(struct explanation *x, const Cairn__Expression *node, unsigned depth)
{
	int code = x->answer->n_steps == STEPS_MAX ? 0 : add_step(x, node, depth);

	for (size_t i = 0; i < node->n_children && code == 0; i++)
		code = add_steps(x, node->children[i], depth + 1);
	return code;
}

/* Unknown criteria first: then there are no numbers. */
static int
fill(struct explanation *x)
{
	Cairn__ExplainAnswer *answer = x->answer;
	struct index_count count = {0};
	int code = index_count(x->index, x->whole, x->level, &x->q->asking, &count, x->err);

	if (code != 0)
		return code;
	answer->level = x->level;
	if (count.criteria_count > 0) {
		answer->kind = CAIRN__COUNT_ANSWER__KIND__UNSUPPORTED;
		answer->criteria = count.criteria; /* moved */
		answer->n_criteria = count.criteria_count;
		return 0;
	}
	index_count_fini(&count);
	answer->steps = calloc(STEPS_MAX, sizeof(void *));
	if (answer->steps == NULL)
		return cairn_error_set(x->err, CAIRN_ENOMEM, "out of memory");
	code = add_steps(x, x->whole, 0);
	if (code != 0)
		return code;
	answer->kind = answer->steps[0]->kind;
	answer->plan_only = answer_is_held(&x->q->rules);
	answer->rounded_to = x->q->rules.round > 1 ? x->q->rules.round : 0;
	answer->min_cell = x->q->rules.min_cell;
	return 0;
}

int
answer_explain(
    struct index *index, const struct answer_question *q, struct buf *ret, struct cairn_error *err)
{
	struct explanation x = {.index = index, .q = q, .err = err};
	const Cairn__ExplainRequest *request;
	MESSAGE_AUTO message = NULL;
	MESSAGE_AUTO reply = NULL;
	int code = answer_unpack(&cairn__explain_request__descriptor, q, &message, err);

	if (code != 0)
		return code;
	request = (const Cairn__ExplainRequest *)message;
	code = answer_check(request->expression, err);
	if (code != 0)
		return code;
	x.answer = malloc(sizeof *x.answer);
	if (x.answer == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	cairn__explain_answer__init(x.answer);
	reply = &x.answer->base;
	x.whole = request->expression;
	x.level = request->level;
	if (q->asking.carriers != NULL && !q->asking.carriers->none)
		x.variant_count = carriers_nodes(x.whole, x.variants);
	if (x.variant_count > CARRIERS_MAX)
		x.variant_count = CARRIERS_MAX;
	code = fill(&x);
	return code != 0 ? code : answer_pack(reply, ret, err);
}
