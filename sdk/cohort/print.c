/* SPDX-License-Identifier: Apache-2.0 */
/* The canonical text of a tree.  The depth is checked first, so that the recursion is bounded. */
#include "cohort/private.h"

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
	int code =
	    buf_append_format(buf, "%s %s", leaf->attribute, cohort_operator_text(leaf->operator_));

	if (code == 0 && leaf->n_values > 0)
		code = buf_append_text(buf, in ? " (" : " ");
	for (size_t i = 0; i < leaf->n_values && code == 0; i++) {
		if (i > 0)
			code = buf_append_text(buf, in ? ", " : " and ");
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

/* `and` binds tighter than `or` and `xor`; every other list inside another needs parentheses, also
 * one of the same kind, because the tree it parses back to must be the same. */
static bool
needs_parentheses(const Cairn__Expression *parent, const Cairn__Expression *child)
{
	if (!is_list(child) || parent->operand == CAIRN__EXPRESSION__OPERAND__SAME)
		return parent->operand == CAIRN__EXPRESSION__OPERAND__SAME;
	if (child->operand == CAIRN__EXPRESSION__OPERAND__AND && is_list(parent))
		return parent->operand == CAIRN__EXPRESSION__OPERAND__AND;
	return true;
}

static int
print_node(struct buf *buf, const Cairn__Expression *node)
{
	static const char *const between[] = {"", " and ", " or ", " xor "};
	int code = 0;

	if (node->operand == CAIRN__EXPRESSION__OPERAND__LEAF)
		return print_leaf(buf, node->leaf);
	if (node->operand == CAIRN__EXPRESSION__OPERAND__ALL)
		return buf_append_text(buf, "*");
	if (node->operand == CAIRN__EXPRESSION__OPERAND__NOT)
		code = buf_append_text(buf, "not ");
	if (node->operand == CAIRN__EXPRESSION__OPERAND__SAME)
		code = buf_append_format(buf, "same %s ", node->entity);
	for (size_t i = 0; i < node->n_children && code == 0; i++) {
		bool parentheses = needs_parentheses(node, node->children[i]);

		if (i > 0)
			code = buf_append_text(buf, between[node->operand]);
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
