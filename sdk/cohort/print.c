/* SPDX-License-Identifier: Apache-2.0 */
/* The canonical text of a tree.  The depth is checked first, so that the recursion is bounded. */
#include "cohort/private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"

/* Longest spelling of 4,096 values of 1,024 bytes, all escaped. */
#define TEXT_MAX (16 << 20)

static bool
is_bare(const char *text)
{
	static const char chars[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "._:/+-";
	double number;

	return text[0] != 0 && strspn(text, chars) == strlen(text) && !cohort_is_keyword(text) &&
	    text_to_number(text, &number) != 0 &&
	    !(strlen(text) == 10 && text[4] == '-' && text[7] == '-');
}

static int
print_text(struct buf *buf, const char *text)
{
	int code;

	if (is_bare(text))
		return buf_append_text(buf, text);
	code = buf_append(buf, "\"", 1);
	for (; *text != 0 && code == 0; text++) {
		if (*text == '"' || *text == '\\')
			code = buf_append(buf, "\\", 1);
		if (code == 0)
			code = buf_append(buf, text, 1);
	}
	return code != 0 ? code : buf_append(buf, "\"", 1);
}

static int
print_value(struct buf *buf, const Cairn__Scalar *value)
{
	char text[COHORT_SCALAR_MAX];

	if (value->value_case == CAIRN__SCALAR__VALUE_TEXT)
		return print_text(buf, value->text);
	cohort_scalar_text(value, text);
	return buf_append_text(buf, text);
}

static int
print_leaf(struct buf *buf, const Cairn__Leaf *leaf)
{
	bool in = leaf->operator_ == CAIRN__LEAF__OPERATOR__IN;
	bool between = leaf->operator_ == CAIRN__LEAF__OPERATOR__BETWEEN;
	int code =
	    buf_append_format(buf, "%s %s", leaf->attribute, cohort_operator_text(leaf->operator_));

	if (code == 0 && leaf->n_values > 0)
		code = buf_append_text(buf, in ? " (" : " ");
	for (size_t i = 0; i < leaf->n_values && code == 0; i++) {
		if (i > 0)
			code = buf_append_text(buf, between ? " and " : ", ");
		if (code == 0)
			code = print_value(buf, leaf->values[i]);
	}
	return code == 0 && in ? buf_append_text(buf, ")") : code;
}

static bool
is_list(const Cairn__Expression *node)
{
	return node->operand == CAIRN__EXPRESSION__OPERAND__AND ||
	    node->operand == CAIRN__EXPRESSION__OPERAND__OR ||
	    node->operand == CAIRN__EXPRESSION__OPERAND__XOR;
}

static bool
is_within(const Cairn__Expression *node)
{
	return node->operand == CAIRN__EXPRESSION__OPERAND__WITHIN;
}

static bool
is_group(const Cairn__Expression *node)
{
	return node->operand == CAIRN__EXPRESSION__OPERAND__SAME ||
	    node->operand == CAIRN__EXPRESSION__OPERAND__AT_LEAST;
}

/* `and` binds tighter than `or` and `xor`; every other list inside another needs parentheses, also
 * one of the same kind, because the tree it parses back to must be the same.  `within` binds
 * tighter than all, and `not` takes a whole `within`. */
static bool
needs_parentheses(const Cairn__Expression *parent, const Cairn__Expression *child)
{
	if (is_group(parent))
		return true;
	if (is_within(parent) &&
	    (is_within(child) || child->operand == CAIRN__EXPRESSION__OPERAND__NOT))
		return true;
	if (!is_list(child))
		return false;
	if (child->operand == CAIRN__EXPRESSION__OPERAND__AND && is_list(parent))
		return parent->operand == CAIRN__EXPRESSION__OPERAND__AND;
	return true;
}

/* FROM to TO days, each "*" where it is open. */
static int
print_days(struct buf *buf, const Cairn__Window *window, const char *side)
{
	char from[16] = "*", to[16] = "*";

	if (!window->open_from)
		snprintf(from, sizeof from, "%d", (int)window->from);
	if (!window->open_to)
		snprintf(to, sizeof to, "%d", (int)window->to);
	return buf_append_format(buf, " within %s to %s days %s ", from, to, side);
}

/* As a person would say it; whatever has no such phrase, as it is. */
static int
print_window(struct buf *buf, const Cairn__Window *window)
{
	bool closed = !window->open_from && !window->open_to;
	Cairn__Window turned = *window;

	if (closed && window->from == -window->to)
		return buf_append_format(buf, " within %d days of ", (int)window->to);
	if (closed && window->from == 0)
		return buf_append_format(buf, " within %d days before ", (int)window->to);
	if (closed && window->to == 0)
		return buf_append_format(buf, " within %d days after ", -(int)window->from);
	if (!window->open_from && window->from >= 0)
		return print_days(buf, window, "before");
	if (window->open_to || window->to > 0)
		return print_days(buf, window, "of");
	turned.from = -window->to;
	turned.open_from = false;
	turned.to = -window->from;
	turned.open_to = window->open_from;
	return print_days(buf, &turned, "after");
}

/* What stands before the operands. */
static int
print_head(struct buf *buf, const Cairn__Expression *node)
{
	enum cohort_entity entity = COHORT_STUDY;

	switch (node->operand) {
	case CAIRN__EXPRESSION__OPERAND__ALL:
		return buf_append_text(buf, "*");
	case CAIRN__EXPRESSION__OPERAND__NOT:
		return buf_append_text(buf, "not ");
	case CAIRN__EXPRESSION__OPERAND__SAME:
		return buf_append_format(buf, "same %s ", node->entity);
	case CAIRN__EXPRESSION__OPERAND__AT_LEAST:
		cohort_entity_find(node->entity, &entity);
		return buf_append_format(buf, "at least %u %s ", (unsigned)node->number,
		    node->number == 1 ? node->entity : cohort_entity_plural(entity));
	default:
		return 0;
	}
}

static int
print_node(struct buf *buf, const Cairn__Expression *node)
{
	static const char *const between[] = {"", " and ", " or ", " xor "};
	int code;

	if (node->operand == CAIRN__EXPRESSION__OPERAND__LEAF)
		return print_leaf(buf, node->leaf);
	code = print_head(buf, node);
	for (size_t i = 0; i < node->n_children && code == 0; i++) {
		bool parentheses = needs_parentheses(node, node->children[i]);

		if (i > 0)
			code = is_within(node) ? print_window(buf, node->window)
					       : buf_append_text(buf, between[node->operand]);
		if (code == 0 && parentheses)
			code = buf_append_text(buf, "(");
		if (code == 0)
			code = print_node(buf, node->children[i]);
		if (code == 0 && parentheses)
			code = buf_append_text(buf, ")");
	}
	return code;
}

int
cohort_print(const Cairn__Expression *expression, char **ret, struct cairn_error *err)
{
	BUF_AUTO buf = {.max = TEXT_MAX};
	int code = cohort_check(expression, err);

	if (code != 0)
		return code;
	code = print_node(&buf, expression);
	if (code == 0 && buf_text(&buf) == NULL)
		code = CAIRN_ENOMEM;
	if (code != 0)
		return cairn_error_set(
		    err, code, "cannot print the expression: %s", cairn_code_text(code));
	*ret = (char *)buf.data;
	buf.data = NULL;
	return 0;
}
