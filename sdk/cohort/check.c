/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a tree must hold before anybody walks it.  The walk is iterative over an explicit stack of
 * stated depth, so that a hostile tree cannot exhaust ours.
 */
#include "cohort/private.h"

#include <math.h>
#include <string.h>

#define DAY_MIN (-719162) /* 0001-01-01 */
#define DAY_MAX 2932896   /* 9999-12-31 */

static size_t
utf8_length(unsigned char first)
{
	if (first < 0x80)
		return 1;
	if (first >= 0xc2 && first < 0xe0)
		return 2;
	if (first >= 0xe0 && first < 0xf0)
		return 3;
	return first >= 0xf0 && first < 0xf5 ? 4 : 0;
}

/* RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF. */
static bool
is_utf8_char(const unsigned char *at, size_t length)
{
	for (size_t i = 1; i < length; i++)
		if ((at[i] & 0xc0) != 0x80)
			return false;
	if ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] >= 0xa0))
		return false;
	return !(at[0] == 0xf0 && at[1] < 0x90) && !(at[0] == 0xf4 && at[1] >= 0x90);
}

bool
cohort_is_value_text(const char *text)
{
	const unsigned char *at = (const unsigned char *)text;

	if (strlen(text) > COHORT_VALUE_MAX)
		return false;
	while (*at != 0) {
		size_t length = utf8_length(*at);

		if (length == 0 || *at < 0x20 || *at == 0x7f || !is_utf8_char(at, length))
			return false;
		at += length;
	}
	return true;
}

static int
check_scalar(const Cairn__Scalar *value, struct cairn_error *err)
{
	switch (value->value_case) {
	case CAIRN__SCALAR__VALUE_TEXT:
		if (!cohort_is_value_text(value->text))
			return cairn_error_set(err, CAIRN_EINVAL,
			    "a value is not UTF-8, holds control characters or is longer than "
			    "%d bytes",
			    COHORT_VALUE_MAX);
		return 0;
	case CAIRN__SCALAR__VALUE_NUMBER:
		if (!isfinite(value->number))
			return cairn_error_set(err, CAIRN_EINVAL, "a number is not finite");
		return 0;
	case CAIRN__SCALAR__VALUE_DAY:
		if (value->day < DAY_MIN || value->day > DAY_MAX)
			return cairn_error_set(
			    err, CAIRN_EINVAL, "a date is outside the years 1 to 9999");
		return 0;
	default:
		return cairn_error_set(err, CAIRN_EINVAL, "a value is missing");
	}
}

static const char *
type_text(Cairn__Scalar__ValueCase type)
{
	return type == CAIRN__SCALAR__VALUE_NUMBER ? "a number"
	    : type == CAIRN__SCALAR__VALUE_DAY     ? "a date (2026-01-31)"
						   : "a word or quoted text";
}

static Cairn__Scalar__ValueCase
expected_type(const struct cohort_attribute *known, const Cairn__Scalar *value)
{
	static const Cairn__Scalar__ValueCase types[] = {
	    [COHORT_CODE] = CAIRN__SCALAR__VALUE_TEXT,
	    [COHORT_NUMBER] = CAIRN__SCALAR__VALUE_NUMBER,
	    [COHORT_DAY] = CAIRN__SCALAR__VALUE_DAY,
	};

	return known != NULL ? types[known->type] : value->value_case;
}

/* All values of one type, the attribute's where it is known; open ends only where allowed. */
static int
check_types(const Cairn__Leaf *leaf, bool open_ends, struct cairn_error *err)
{
	const struct cohort_attribute *known = cohort_attribute_find(leaf->attribute);
	Cairn__Scalar__ValueCase type = CAIRN__SCALAR__VALUE__NOT_SET;

	for (size_t i = 0; i < leaf->n_values; i++) {
		const Cairn__Scalar *value = leaf->values[i];
		int code;

		if (open_ends && value->value_case == CAIRN__SCALAR__VALUE__NOT_SET)
			continue;
		code = check_scalar(value, err);
		if (code != 0)
			return code;
		if (type == CAIRN__SCALAR__VALUE__NOT_SET)
			type = expected_type(known, value);
		if (value->value_case == type)
			continue;
		return cairn_error_set(err, CAIRN_EINVAL,
		    known != NULL ? "%s takes %s"
				  : "the values of %s are not all alike: expected %s",
		    leaf->attribute, type_text(type));
	}
	if (open_ends && type == CAIRN__SCALAR__VALUE__NOT_SET)
		return cairn_error_set(err, CAIRN_EINVAL,
		    "both ends of between are open; use \"%s exists\"", leaf->attribute);
	return 0;
}

static int
check_between(const Cairn__Leaf *leaf, struct cairn_error *err)
{
	const Cairn__Scalar *low, *high;

	if (leaf->n_values != 2)
		return cairn_error_set(err, CAIRN_EINVAL, "between takes two values");
	low = leaf->values[0];
	high = leaf->values[1];
	if ((low->value_case == CAIRN__SCALAR__VALUE_NUMBER &&
		high->value_case == CAIRN__SCALAR__VALUE_NUMBER && low->number > high->number) ||
	    (low->value_case == CAIRN__SCALAR__VALUE_DAY &&
		high->value_case == CAIRN__SCALAR__VALUE_DAY && low->day > high->day))
		return cairn_error_set(
		    err, CAIRN_EINVAL, "between takes the lower end first: this range is empty");
	return 0;
}

static bool
orders_text(const Cairn__Leaf *leaf)
{
	for (size_t i = 0; i < leaf->n_values; i++)
		if (leaf->values[i]->value_case == CAIRN__SCALAR__VALUE_TEXT)
			return true;
	return false;
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
	if ((unsigned)leaf->operator_ > CAIRN__LEAF__OPERATOR__EXISTS)
		return cairn_error_set(err, CAIRN_EINVAL, "unknown operator %d on %s",
		    (int)leaf->operator_, leaf->attribute);
	if (leaf->operator_ == CAIRN__LEAF__OPERATOR__EXISTS)
		least = most = 0;
	else if (between)
		least = most = 2;
	else if (leaf->operator_ == CAIRN__LEAF__OPERATOR__IN)
		most = COHORT_NODES_MAX;
	if (leaf->n_values < least || leaf->n_values > most)
		return cairn_error_set(err, CAIRN_EINVAL, "%zu values on %s are too %s",
		    leaf->n_values, leaf->attribute, leaf->n_values < least ? "few" : "many");
	code = check_types(leaf, between, err);
	if (code != 0)
		return code;
	if (leaf->operator_ >= CAIRN__LEAF__OPERATOR__LT &&
	    leaf->operator_ != CAIRN__LEAF__OPERATOR__IN && orders_text(leaf))
		return cairn_error_set(
		    err, CAIRN_EINVAL, "%s has no order: use =, !=, in or exists", leaf->attribute);
	return between ? check_between(leaf, err) : 0;
}

static bool
is_entity(const char *entity)
{
	return strcmp(entity, "study") == 0 || strcmp(entity, "series") == 0;
}

static int
check_node(const Cairn__Expression *node, struct cairn_error *err)
{
	static const struct {
		size_t least, most;
	} arity[] = {{0, 0}, {2, COHORT_NODES_MAX}, {2, COHORT_NODES_MAX}, {2, COHORT_NODES_MAX},
	    {1, 1}, {1, 1}, {0, 0}};
	bool leaf = node->operand == CAIRN__EXPRESSION__OPERAND__LEAF;
	bool same = node->operand == CAIRN__EXPRESSION__OPERAND__SAME;

	if ((unsigned)node->operand > CAIRN__EXPRESSION__OPERAND__ALL)
		return cairn_error_set(err, CAIRN_EINVAL, "unknown operand %d", (int)node->operand);
	if (node->n_children < arity[node->operand].least ||
	    node->n_children > arity[node->operand].most)
		return cairn_error_set(err, CAIRN_EINVAL, "%zu operands where %zu are expected",
		    node->n_children, arity[node->operand].least);
	if (leaf != (node->leaf != NULL))
		return cairn_error_set(err, CAIRN_EINVAL,
		    leaf ? "a leaf without a criterion" : "a criterion outside a leaf");
	if (same != (node->entity[0] != 0) || (same && !is_entity(node->entity)))
		return cairn_error_set(err, CAIRN_EINVAL,
		    "\"same\" is about a study or a series, and nothing else is");
	return leaf ? cohort_check_leaf(node->leaf, err) : 0;
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
