/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a tree must hold before anybody walks it.  The walk is iterative over an explicit stack of
 * stated depth, so that a hostile tree cannot exhaust ours.
 */
#include "cohort/private.h"

#include <string.h>

static const char *
type_text(Cairn__Scalar__ValueCase type)
{
	return type == CAIRN__SCALAR__VALUE_NUMBER ? "a number"
	    : type == CAIRN__SCALAR__VALUE_DAY     ? "a date (2026-01-31)"
						   : "a word or quoted text";
}

/* Each as the attribute may have it, where it is known, and all of one type; open ends only where
 * allowed. */
static int
check_values(const Cairn__Leaf *leaf, bool open_ends, struct cairn_error *err)
{
	Cairn__Scalar__ValueCase type = CAIRN__SCALAR__VALUE__NOT_SET;

	for (size_t i = 0; i < leaf->n_values; i++) {
		const Cairn__Scalar *value = leaf->values[i];
		int code;

		if (open_ends && value->value_case == CAIRN__SCALAR__VALUE__NOT_SET)
			continue;
		code = cohort_check_value(leaf->attribute, leaf->operator_, value, NULL, err);
		if (code != 0)
			return code;
		if (type == CAIRN__SCALAR__VALUE__NOT_SET)
			type = value->value_case;
		if (value->value_case != type)
			return cairn_error_set(err, CAIRN_EINVAL,
			    "the values of %s are not all alike: expected %s", leaf->attribute,
			    type_text(type));
	}
	if (open_ends && type == CAIRN__SCALAR__VALUE__NOT_SET)
		return cairn_error_set(err, CAIRN_EINVAL,
		    "both ends of between are open; use \"%s exists\"", leaf->attribute);
	return 0;
}

static int
check_between(const Cairn__Leaf *leaf, struct cairn_error *err)
{
	const Cairn__Scalar *low = leaf->values[0], *high = leaf->values[1];
	char from[COHORT_SCALAR_MAX], to[COHORT_SCALAR_MAX];
	bool empty =
	    (low->value_case == CAIRN__SCALAR__VALUE_NUMBER &&
		high->value_case == CAIRN__SCALAR__VALUE_NUMBER && low->number > high->number) ||
	    (low->value_case == CAIRN__SCALAR__VALUE_DAY &&
		high->value_case == CAIRN__SCALAR__VALUE_DAY && low->day > high->day);

	if (!empty)
		return 0;
	cohort_scalar_text(low, from);
	cohort_scalar_text(high, to);
	return cairn_error_set(err, CAIRN_EINVAL,
	    "between takes the lower end first: from %s to %s there is nothing", from, to);
}

static bool
has_type(const Cairn__Leaf *leaf, Cairn__Scalar__ValueCase type)
{
	for (size_t i = 0; i < leaf->n_values; i++)
		if (leaf->values[i]->value_case == type)
			return true;
	return false;
}

/* Codes have no order, and nothing but codes is below or like another. */
static int
check_operator(const Cairn__Leaf *leaf, struct cairn_error *err)
{
	const struct cohort_attribute *known = cohort_attribute_find(leaf->attribute);
	bool text = has_type(leaf, CAIRN__SCALAR__VALUE_TEXT);

	if (known != NULL && known->withheld)
		return cairn_error_set(err, CAIRN_EINVAL,
		    "%s is kept to compute ages and is not asked about; use age or "
		    "age_at_diagnosis",
		    leaf->attribute);
	if (text && !cohort_type_takes(COHORT_CODE, leaf->operator_))
		return cairn_error_set(err, CAIRN_EINVAL,
		    "%s has no order: use =, !=, in, like or exists", leaf->attribute);
	if (!text && leaf->n_values > 0 && !cohort_type_takes(COHORT_NUMBER, leaf->operator_))
		return cairn_error_set(err, CAIRN_EINVAL,
		    "%s: \"%s\" without parentheses is for codes and text", leaf->attribute,
		    cohort_operator_text(leaf->operator_));
	if (known != NULL && known->type == COHORT_CODE && !known->coded &&
	    leaf->operator_ == CAIRN__LEAF__OPERATOR__UNDER)
		return cairn_error_set(err, CAIRN_EINVAL,
		    "nothing is below a value of %s: put the list in parentheses", leaf->attribute);
	return 0;
}

static bool
takes_many(Cairn__Leaf__Operator operator_)
{
	return operator_ == CAIRN__LEAF__OPERATOR__IN ||
	    operator_ == CAIRN__LEAF__OPERATOR__UNDER || operator_ == CAIRN__LEAF__OPERATOR__LIKE;
}

int
cohort_check_leaf(const Cairn__Leaf *leaf, struct cairn_error *err)
{
	bool between = leaf->operator_ == CAIRN__LEAF__OPERATOR__BETWEEN;
	size_t least = 1, most = 1;
	int code;

	if (!cohort_is_attribute_name(leaf->attribute))
		return cairn_error_set(err, CAIRN_EINVAL,
		    "a criterion's name is not lower-case letters, digits, dots and underscores");
	if ((unsigned)leaf->operator_ > CAIRN__LEAF__OPERATOR__LIKE)
		return cairn_error_set(err, CAIRN_EINVAL, "unknown operator %d on %s",
		    (int)leaf->operator_, leaf->attribute);
	if (leaf->operator_ == CAIRN__LEAF__OPERATOR__EXISTS)
		least = most = 0;
	else if (between)
		least = most = 2;
	else if (takes_many(leaf->operator_))
		most = COHORT_NODES_MAX;
	if (leaf->n_values < least || leaf->n_values > most)
		return cairn_error_set(err, CAIRN_EINVAL, "%zu values on %s are too %s",
		    leaf->n_values, leaf->attribute, leaf->n_values < least ? "few" : "many");
	if (leaf->note.len > COHORT_NOTE_MAX)
		return cairn_error_set(
		    err, CAIRN_ELIMIT, "a note is longer than %d bytes", COHORT_NOTE_MAX);
	code = check_values(leaf, between, err);
	if (code == 0)
		code = check_operator(leaf, err);
	return code == 0 && between ? check_between(leaf, err) : code;
}

static bool
is_grouping(const char *name)
{
	enum cohort_entity entity;

	return cohort_entity_find(name, &entity) && cohort_entity_groups(entity);
}

bool
cohort_is_window(const Cairn__Window *window)
{
	if (window->open_from && window->open_to)
		return false;
	if ((window->open_from && window->from != 0) || (window->open_to && window->to != 0))
		return false;
	if (!window->open_from && !window->open_to && window->from > window->to)
		return false;
	return window->from >= -COHORT_WINDOW_MAX && window->from <= COHORT_WINDOW_MAX &&
	    window->to >= -COHORT_WINDOW_MAX && window->to <= COHORT_WINDOW_MAX;
}

/* What only some nodes have, and those must have: an entity, a number, a window. */
static int
check_members(const Cairn__Expression *node, struct cairn_error *err)
{
	bool same = node->operand == CAIRN__EXPRESSION__OPERAND__SAME;
	bool least = node->operand == CAIRN__EXPRESSION__OPERAND__AT_LEAST;
	bool within = node->operand == CAIRN__EXPRESSION__OPERAND__WITHIN;

	if ((same || least) != (node->entity[0] != 0))
		return cairn_error_set(err, CAIRN_EINVAL,
		    "\"same\" and \"at least\" are about an entity, and nothing else is");
	if ((same || least) && !is_grouping(node->entity))
		return cairn_error_set(err, CAIRN_EINVAL,
		    "\"%s\" is about a study, series, condition, observation, procedure, "
		    "medication, specimen or variant",
		    same ? "same" : "at least");
	if (least ? node->number < 1 || node->number > COHORT_AT_LEAST_MAX : node->number != 0)
		return cairn_error_set(err, CAIRN_EINVAL,
		    "\"at least\" takes a number from 1 to %d", COHORT_AT_LEAST_MAX);
	if (within != (node->window != NULL))
		return cairn_error_set(
		    err, CAIRN_EINVAL, "\"within\" has a window of days, and nothing else has");
	if (within && !cohort_is_window(node->window))
		return cairn_error_set(err, CAIRN_EINVAL,
		    "a window goes from fewer to more days, up to %d, and is not open at both ends",
		    COHORT_WINDOW_MAX);
	return 0;
}

static int
check_node(const Cairn__Expression *node, struct cairn_error *err)
{
	static const struct {
		size_t least, most;
	} arity[] = {{0, 0}, {2, COHORT_NODES_MAX}, {2, COHORT_NODES_MAX}, {2, COHORT_NODES_MAX},
	    {1, 1}, {1, 1}, {0, 0}, {2, 2}, {1, 1}};
	bool leaf = node->operand == CAIRN__EXPRESSION__OPERAND__LEAF;
	int code;

	if ((unsigned)node->operand > CAIRN__EXPRESSION__OPERAND__AT_LEAST)
		return cairn_error_set(err, CAIRN_EINVAL, "unknown operand %d", (int)node->operand);
	if (node->n_children < arity[node->operand].least ||
	    node->n_children > arity[node->operand].most)
		return cairn_error_set(err, CAIRN_EINVAL, "%zu operands where %zu are expected",
		    node->n_children, arity[node->operand].least);
	if (leaf != (node->leaf != NULL))
		return cairn_error_set(err, CAIRN_EINVAL,
		    leaf ? "a leaf without a criterion" : "a criterion outside a leaf");
	if (node->note.len > COHORT_NOTE_MAX)
		return cairn_error_set(
		    err, CAIRN_ELIMIT, "a note is longer than %d bytes", COHORT_NOTE_MAX);
	code = check_members(node, err);
	return code == 0 && leaf ? cohort_check_leaf(node->leaf, err) : code;
}

struct level {
	const Cairn__Expression *node;
	size_t next; /* child to visit */
};

int
cohort_check(const Cairn__Expression *expression, struct cairn_error *err)
{
	struct level stack[COHORT_DEPTH_MAX];
	const Cairn__Expression *node = expression;
	size_t depth = 0, nodes = 0;

	for (;;) {
		int code = check_node(node, err);

		nodes += 1 + (node->leaf != NULL ? node->leaf->n_values : 0);
		if (code != 0)
			return code;
		if (nodes > COHORT_NODES_MAX || depth == COHORT_DEPTH_MAX)
			return cairn_error_set(err, CAIRN_ELIMIT,
			    "the expression is larger than %d criteria and values, or deeper than "
			    "%d",
			    COHORT_NODES_MAX, COHORT_DEPTH_MAX);
		stack[depth++] = (struct level){node, 0};
		while (depth > 0 && stack[depth - 1].next == stack[depth - 1].node->n_children)
			depth--;
		if (depth == 0)
			return 0;
		node = stack[depth - 1].node->children[stack[depth - 1].next++];
	}
}

/* Iterative as well; a tree that was never checked is only followed to the maximal depth. */
const char *
cohort_unknown_attribute(const Cairn__Expression *expression, const char **ret_suggestion)
{
	struct level stack[COHORT_DEPTH_MAX];
	const Cairn__Expression *node = expression;
	size_t depth = 0;

	for (;;) {
		if (node->leaf != NULL && cohort_attribute_find(node->leaf->attribute) == NULL) {
			*ret_suggestion = cohort_attribute_suggest(node->leaf->attribute);
			return node->leaf->attribute;
		}
		if (depth < COHORT_DEPTH_MAX)
			stack[depth++] = (struct level){node, 0};
		while (depth > 0 && stack[depth - 1].next == stack[depth - 1].node->n_children)
			depth--;
		if (depth == 0)
			return NULL;
		node = stack[depth - 1].node->children[stack[depth - 1].next++];
	}
}
