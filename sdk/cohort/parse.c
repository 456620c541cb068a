/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recursive descent over the grammar in expr.h.  The depth of the recursion is counted in
 * parser_factor(), through which every nesting goes, and stops at COHORT_DEPTH_MAX.
 */
#include "cohort/parser.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "cohort/systems.h"

int
parser_advance(struct parser *p)
{
	return cohort_next_token(&p->lexer, &p->token, p->err);
}

bool
parser_at_symbol(const struct parser *p, const char *symbol)
{
	return p->token.kind == TOKEN_SYMBOL && strcmp(p->token.text, symbol) == 0;
}

bool
parser_at_word(const struct parser *p, const char *word)
{
	return p->token.kind == TOKEN_WORD && strcasecmp(p->token.text, word) == 0;
}

static const char *
keyword_at(const void *arg, size_t index)
{
	(void)arg;
	return cohort_keyword_at(index);
}

/* "expected X, found Y", and the keyword that a misspelt word was probably meant to be. */
int
parser_unexpected(struct parser *p, const char *expected)
{
	const struct cohort_token *token = &p->token;
	const char *guess = token->kind == TOKEN_WORD && !cohort_is_keyword(token->text)
	    ? text_suggest(token->text, keyword_at, NULL)
	    : NULL;

	if (token->kind == TOKEN_END)
		return cohort_error_at(
		    p->lexer.text, token->at, p->err, "expected %s, found the end", expected);
	return cohort_error_at(p->lexer.text, token->at, p->err,
	    "expected %s, found \"%.*s\"%s%s%s", expected,
	    token->length > 40 ? 40 : (int)token->length, p->lexer.text + token->at,
	    guess != NULL ? "; did you mean \"" : "", guess != NULL ? guess : "",
	    guess != NULL ? "\"?" : "");
}

int
parser_expect_symbol(struct parser *p, const char *symbol, const char *expected)
{
	return parser_at_symbol(p, symbol) ? parser_advance(p) : parser_unexpected(p, expected);
}

int
parser_out_of_memory(struct parser *p)
{
	return cairn_error_set(p->err, CAIRN_ENOMEM, "out of memory");
}

static int
count_node(struct parser *p)
{
	if (++p->nodes <= COHORT_NODES_MAX)
		return 0;
	return cairn_error_set(p->err, CAIRN_ELIMIT,
	    "the expression has more than %d criteria and values", COHORT_NODES_MAX);
}

int
parser_new_node(struct parser *p, Cairn__Expression__Operand operand, Cairn__Expression **ret)
{
	int code = count_node(p);

	if (code != 0)
		return code;
	*ret = malloc(sizeof **ret);
	if (*ret == NULL)
		return parser_out_of_memory(p);
	cairn__expression__init(*ret);
	(*ret)->operand = operand;
	return 0;
}

void
parser_free_node(Cairn__Expression **node)
{
	if (*node != NULL)
		cairn__expression__free_unpacked(*node, NULL);
}

/* Moves `*child` into `parent`. */
int
parser_add_child(struct parser *p, Cairn__Expression *parent, Cairn__Expression **child)
{
	Cairn__Expression **children =
	    realloc(parent->children, (parent->n_children + 1) * sizeof *children);

	if (children == NULL)
		return parser_out_of_memory(p);
	parent->children = children;
	children[parent->n_children++] = *child;
	*child = NULL;
	return 0;
}

/* ---- values ------------------------------------------------------------------------------ */

/* The name of a SOP class becomes its UID: the tree holds UIDs only. */
static int
sop_class_text(struct parser *p, char *text)
{
	char uid[65];
	const char *guess;

	if (cohort_sop_class_is_uid(text))
		return 0;
	if (cohort_sop_class_find(text, uid, sizeof uid)) {
		memcpy(text, uid, strlen(uid) + 1);
		return 0;
	}
	guess = cohort_sop_class_suggest(text);
	return cohort_error_at(p->lexer.text, p->token.at, p->err,
	    "\"%.64s\" is neither a UID nor a storage SOP class%s%s%s", text,
	    guess != NULL ? "; did you mean \"" : "", guess != NULL ? guess : "",
	    guess != NULL ? "\"?" : "");
}

/* The tree holds codes in the form that facts have; what cannot be brought to it, the check of the
 * value refuses. */
static int
text_value(struct parser *p, const Cairn__Leaf *leaf, Cairn__Scalar *value)
{
	const struct cohort_attribute *known = cohort_attribute_find(leaf->attribute);
	bool pattern = leaf->operator_ == CAIRN__LEAF__OPERATOR__LIKE;
	char usual[COHORT_VALUE_MAX];
	int code = 0;

	if (!pattern && strcmp(leaf->attribute, "sop_class") == 0)
		code = sop_class_text(p, p->token.text);
	else if (!pattern && known != NULL && known->coded &&
	    cohort_code_value(p->token.text, usual) == 0)
		memcpy(p->token.text, usual, strlen(usual) + 1);
	if (code != 0)
		return code;
	value->text = strdup(p->token.text);
	if (value->text == NULL)
		return parser_out_of_memory(p);
	value->value_case = CAIRN__SCALAR__VALUE_TEXT;
	return 0;
}

static int
fill_value(struct parser *p, const Cairn__Leaf *leaf, bool open_end, Cairn__Scalar *value)
{
	const struct cohort_attribute *known = cohort_attribute_find(leaf->attribute);
	enum cohort_token_kind kind = p->token.kind;
	struct cairn_error wrong = {0};
	int code = 0;

	if (open_end && parser_at_symbol(p, "*"))
		return parser_advance(p);
	if (kind == TOKEN_END || kind == TOKEN_SYMBOL)
		return parser_unexpected(p, open_end ? "a value or *" : "a value");
	if (kind == TOKEN_WORD && cohort_is_keyword(p->token.text))
		return parser_unexpected(p, "a value (a keyword as a value goes in double quotes)");
	if ((known != NULL && known->type == COHORT_CODE) || kind == TOKEN_WORD ||
	    kind == TOKEN_QUOTED) {
		code = text_value(p, leaf, value);
	} else if (kind == TOKEN_NUMBER) {
		value->number = p->token.number;
		value->value_case = CAIRN__SCALAR__VALUE_NUMBER;
	} else {
		value->day = p->token.day;
		value->value_case = CAIRN__SCALAR__VALUE_DAY;
	}
	if (code == 0 &&
	    cohort_check_value(leaf->attribute, leaf->operator_, value, p->token.text, &wrong) != 0)
		code = cohort_error_at(p->lexer.text, p->token.at, p->err, "%s", wrong.text);
	return code != 0 ? code : parser_advance(p);
}

int
parser_value(struct parser *p, Cairn__Leaf *leaf, bool open_end)
{
	Cairn__Scalar **values, *value;
	int code = count_node(p);

	if (code != 0)
		return code;
	values = realloc(leaf->values, (leaf->n_values + 1) * sizeof *values);
	if (values == NULL)
		return parser_out_of_memory(p);
	leaf->values = values;
	value = malloc(sizeof *value);
	if (value == NULL)
		return parser_out_of_memory(p);
	cairn__scalar__init(value);
	values[leaf->n_values++] = value;
	return fill_value(p, leaf, open_end, value);
}

/* ---- leaves ------------------------------------------------------------------------------ */

static int
parse_between(struct parser *p, Cairn__Leaf *leaf)
{
	int code = parser_value(p, leaf, true);

	if (code != 0)
		return code;
	if (!parser_at_word(p, "and"))
		return parser_unexpected(p, "\"and\" and the upper end");
	code = parser_advance(p);
	return code != 0 ? code : parser_value(p, leaf, true);
}

static int
parse_set(struct parser *p, Cairn__Leaf *leaf)
{
	int code = parser_expect_symbol(p, "(", "\"(\" and a list of values");

	while (code == 0) {
		code = parser_value(p, leaf, false);
		if (code != 0 || parser_at_symbol(p, ")"))
			break;
		code = parser_expect_symbol(p, ",", "\",\" or \")\"");
	}
	return code != 0 ? code : parser_advance(p);
}

/* One or several values without parentheses: codes with all below them, or patterns. */
static int
parse_bare_list(struct parser *p, Cairn__Leaf *leaf)
{
	int code = parser_value(p, leaf, false);

	while (code == 0 && parser_at_symbol(p, ",")) {
		code = parser_advance(p);
		if (code == 0)
			code = parser_value(p, leaf, false);
	}
	return code;
}

static bool
at_operator(const struct parser *p, unsigned operator_)
{
	const char *text = cohort_operator_text((Cairn__Leaf__Operator)operator_);

	return parser_at_symbol(p, text) || parser_at_word(p, text);
}

static int
parse_comparison(struct parser *p, Cairn__Leaf *leaf)
{
	unsigned operator_ = CAIRN__LEAF__OPERATOR__EQ;
	int code;

	while (operator_ <= CAIRN__LEAF__OPERATOR__LIKE && !at_operator(p, operator_))
		operator_++;
	if (operator_ > CAIRN__LEAF__OPERATOR__LIKE)
		return parser_unexpected(p, "=, !=, <, <=, >, >=, in, like, between or exists");
	leaf->operator_ = (Cairn__Leaf__Operator)operator_;
	code = parser_advance(p);
	if (code == 0 && operator_ == CAIRN__LEAF__OPERATOR__IN && !parser_at_symbol(p, "("))
		leaf->operator_ = CAIRN__LEAF__OPERATOR__UNDER;
	if (code != 0 || leaf->operator_ == CAIRN__LEAF__OPERATOR__EXISTS)
		return code;
	switch (leaf->operator_) {
	case CAIRN__LEAF__OPERATOR__IN:
		return parse_set(p, leaf);
	case CAIRN__LEAF__OPERATOR__UNDER:
	case CAIRN__LEAF__OPERATOR__LIKE:
		return parse_bare_list(p, leaf);
	case CAIRN__LEAF__OPERATOR__BETWEEN:
		return parse_between(p, leaf);
	default:
		return parser_value(p, leaf, false);
	}
}

static int
bad_attribute(struct parser *p)
{
	const char *guess = cohort_attribute_suggest(p->token.text);

	if (p->token.kind != TOKEN_WORD || cohort_is_keyword(p->token.text) || guess == NULL)
		return parser_unexpected(p, "a criterion such as modality = CT");
	return cohort_error_at(p->lexer.text, p->token.at, p->err,
	    "attributes are lower-case names; did you mean \"%s\"?", guess);
}

int
parser_new_leaf(struct parser *p, const char *attribute, Cairn__Expression **ret)
{
	NODE_AUTO node = NULL;
	int code = parser_new_node(p, CAIRN__EXPRESSION__OPERAND__LEAF, &node);

	if (code != 0)
		return code;
	node->leaf = malloc(sizeof *node->leaf);
	if (node->leaf == NULL)
		return parser_out_of_memory(p);
	cairn__leaf__init(node->leaf);
	node->leaf->attribute = strdup(attribute);
	if (node->leaf->attribute == NULL)
		return parser_out_of_memory(p);
	*ret = node;
	node = NULL;
	return 0;
}

static int
parse_leaf(struct parser *p, Cairn__Expression **ret)
{
	NODE_AUTO node = NULL;
	struct cairn_error wrong = {0};
	size_t at;
	int code;

	if (p->token.kind != TOKEN_WORD || !cohort_is_attribute_name(p->token.text))
		return bad_attribute(p);
	code = parser_new_leaf(p, p->token.text, &node);
	if (code != 0)
		return code;
	code = parser_advance(p);
	at = p->token.at;
	if (code == 0)
		code = parse_comparison(p, node->leaf);
	if (code != 0)
		return code;
	if (cohort_check_leaf(node->leaf, &wrong) != 0)
		return cohort_error_at(p->lexer.text, at, p->err, "%s", wrong.text);
	*ret = node;
	node = NULL;
	return 0;
}

/* ---- operators --------------------------------------------------------------------------- */

int
parser_parentheses(struct parser *p, Cairn__Expression **ret)
{
	NODE_AUTO inside = NULL;
	int code = parser_expect_symbol(p, "(", "\"(\"");

	if (code == 0)
		code = parser_expression(p, &inside);
	if (code == 0)
		code = parser_expect_symbol(p, ")", "\"and\", \"or\" or \")\"");
	if (code != 0)
		return code;
	*ret = inside;
	inside = NULL;
	return 0;
}

static int
parse_not(struct parser *p, Cairn__Expression **ret)
{
	NODE_AUTO node = NULL;
	NODE_AUTO child = NULL;
	int code = parser_new_node(p, CAIRN__EXPRESSION__OPERAND__NOT, &node);

	if (code == 0)
		code = parser_advance(p);
	if (code == 0)
		code = parser_factor(p, &child);
	if (code == 0)
		code = parser_add_child(p, node, &child);
	if (code != 0)
		return code;
	*ret = node;
	node = NULL;
	return 0;
}

static int
parse_operand(struct parser *p, Cairn__Expression **ret)
{
	int code;

	if (parser_at_word(p, "not"))
		return parse_not(p, ret);
	if (parser_at_symbol(p, "("))
		return parser_parentheses(p, ret);
	if (parser_at_symbol(p, "*")) {
		code = parser_new_node(p, CAIRN__EXPRESSION__OPERAND__ALL, ret);
		return code != 0 ? code : parser_advance(p);
	}
	return parser_at_group(p) ? parser_group(p, ret) : parse_leaf(p, ret);
}

/* An operand, or two of them some days apart. */
int
parser_factor(struct parser *p, Cairn__Expression **ret)
{
	NODE_AUTO first = NULL;
	NODE_AUTO second = NULL;
	int code;

	if (p->depth == COHORT_DEPTH_MAX)
		return cairn_error_set(p->err, CAIRN_ELIMIT,
		    "the expression is nested deeper than %d", COHORT_DEPTH_MAX);
	p->depth++;
	code = parse_operand(p, &first);
	if (code == 0 && parser_at_word(p, "within")) {
		NODE_AUTO both = NULL;

		code = parser_window(p, &both);
		if (code == 0)
			code = parser_add_child(p, both, &first);
		if (code == 0)
			code = parse_operand(p, &second);
		if (code == 0)
			code = parser_add_child(p, both, &second);
		if (code == 0) {
			first = both;
			both = NULL;
		}
	}
	p->depth--;
	if (code != 0)
		return code;
	*ret = first;
	first = NULL;
	return 0;
}

/* operand { WORD operand }, as one node with all of them as children. */
static int
parse_list(struct parser *p, Cairn__Expression__Operand operand, const char *word,
    int (*parse_each)(struct parser *, Cairn__Expression **), Cairn__Expression **first)
{
	NODE_AUTO list = NULL;
	int code = parser_new_node(p, operand, &list);

	if (code == 0)
		code = parser_add_child(p, list, first);
	while (code == 0 && parser_at_word(p, word)) {
		NODE_AUTO child = NULL;

		code = parser_advance(p);
		if (code == 0)
			code = parse_each(p, &child);
		if (code == 0)
			code = parser_add_child(p, list, &child);
	}
	if (code != 0)
		return code;
	*first = list;
	list = NULL;
	return 0;
}

static int
parse_term(struct parser *p, Cairn__Expression **ret)
{
	NODE_AUTO node = NULL;
	int code = parser_factor(p, &node);

	if (code == 0 && parser_at_word(p, "and"))
		code = parse_list(p, CAIRN__EXPRESSION__OPERAND__AND, "and", parser_factor, &node);
	if (code != 0)
		return code;
	*ret = node;
	node = NULL;
	return 0;
}

int
parser_expression(struct parser *p, Cairn__Expression **ret)
{
	NODE_AUTO node = NULL;
	int code = parse_term(p, &node);

	if (code == 0 && parser_at_word(p, "or"))
		code = parse_list(p, CAIRN__EXPRESSION__OPERAND__OR, "or", parse_term, &node);
	else if (code == 0 && parser_at_word(p, "xor"))
		code = parse_list(p, CAIRN__EXPRESSION__OPERAND__XOR, "xor", parse_term, &node);
	if (code == 0 && (parser_at_word(p, "or") || parser_at_word(p, "xor")))
		code = cohort_error_at(p->lexer.text, p->token.at, p->err,
		    "\"or\" and \"xor\" side by side: put one of them in parentheses");
	if (code != 0)
		return code;
	*ret = node;
	node = NULL;
	return 0;
}

int
cohort_parse(const char *text, Cairn__Expression **ret, struct cairn_error *err)
{
	NODE_AUTO node = NULL;
	struct parser p = {.lexer = {.text = text}, .err = err};
	int code;

	p.lexer.length = strnlen(text, COHORT_TEXT_MAX + 1);
	if (p.lexer.length > COHORT_TEXT_MAX)
		return cairn_error_set(
		    err, CAIRN_ELIMIT, "the expression is longer than %d bytes", COHORT_TEXT_MAX);
	code = parser_advance(&p);
	if (code == 0)
		code = parser_expression(&p, &node);
	if (code == 0 && p.token.kind != TOKEN_END)
		code = parser_unexpected(&p, "\"and\", \"or\", \"xor\" or the end");
	if (code == 0)
		code = cohort_check(node, err);
	if (code != 0)
		return code;
	*ret = node;
	node = NULL;
	return 0;
}
