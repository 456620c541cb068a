/* SPDX-License-Identifier: Apache-2.0 */
/* What is about one entity (same, at least, variant), and what is about two some days apart. */
#include "cohort/parser.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

#define ENTITIES "study, series, condition, observation, procedure, medication, specimen or variant"

/* The word or symbol behind the next token, without taking anything. */
static bool
is_followed_by(const struct parser *p, enum cohort_token_kind kind, const char *text)
{
	struct cohort_lexer lexer = p->lexer;
	struct cohort_token token;

	return cohort_next_token(&lexer, &token, NULL) == 0 && token.kind == kind &&
	    strcasecmp(token.text, text) == 0;
}

static bool
at_variant(const struct parser *p)
{
	return parser_at_word(p, "variant") && is_followed_by(p, TOKEN_SYMBOL, "(");
}

static bool
at_least(const struct parser *p)
{
	return parser_at_word(p, "at") && is_followed_by(p, TOKEN_WORD, "least");
}

bool
parser_at_group(const struct parser *p)
{
	return parser_at_word(p, "same") || at_least(p) || at_variant(p);
}

/* ---- entities ---------------------------------------------------------------------------- */

static const char *
entity_at(const void *arg, size_t index)
{
	const bool *plural = arg;
	enum cohort_entity entity = (enum cohort_entity)index;

	if (index >= COHORT_ENTITIES)
		return NULL;
	if (!cohort_entity_groups(entity))
		return "";
	return *plural ? cohort_entity_plural(entity) : cohort_entity_name(entity);
}

/* Takes the entity's name, in either number. */
static int
parse_entity(struct parser *p, bool plural, Cairn__Expression *node)
{
	const char *near;
	char *name;

	for (unsigned i = 0; i < COHORT_ENTITIES; i++) {
		enum cohort_entity entity = (enum cohort_entity)i;

		if (!cohort_entity_groups(entity) ||
		    (!parser_at_word(p, cohort_entity_name(entity)) &&
			!parser_at_word(p, cohort_entity_plural(entity))))
			continue;
		name = strdup(cohort_entity_name(entity));
		if (name == NULL)
			return parser_out_of_memory(p);
		node->entity = name;
		return parser_advance(p);
	}
	near = p->token.kind == TOKEN_WORD ? text_suggest(p->token.text, entity_at, &plural) : NULL;
	if (near == NULL || near[0] == 0)
		return parser_unexpected(p, ENTITIES);
	return cohort_error_at(p->lexer.text, p->token.at, p->err,
	    "expected " ENTITIES ", found \"%.40s\"; did you mean \"%s\"?", p->token.text, near);
}

static int
parse_whole(struct parser *p, const char *expected, long least, long most, int32_t *ret)
{
	double number = p->token.number;

	if (p->token.kind != TOKEN_NUMBER)
		return parser_unexpected(p, expected);
	if (number != floor(number) || number < (double)least || number > (double)most)
		return cohort_error_at(p->lexer.text, p->token.at, p->err,
		    "expected %s: a whole number from %ld to %ld", expected, least, most);
	*ret = (int32_t)number;
	return parser_advance(p);
}

/* ---- same, at least ---------------------------------------------------------------------- */

static int
parse_inside(struct parser *p, Cairn__Expression *node)
{
	NODE_AUTO child = NULL;
	int code = parser_parentheses(p, &child);

	return code != 0 ? code : parser_add_child(p, node, &child);
}

static int
parse_same(struct parser *p, Cairn__Expression *node)
{
	int code = parser_advance(p);

	if (code == 0)
		code = parse_entity(p, false, node);
	return code != 0 ? code : parse_inside(p, node);
}

static int
parse_at_least(struct parser *p, Cairn__Expression *node)
{
	int32_t number = 0;
	int code = parser_advance(p);

	if (code == 0)
		code = parser_advance(p);
	if (code == 0)
		code =
		    parse_whole(p, "how many, after \"at least\"", 1, COHORT_AT_LEAST_MAX, &number);
	node->number = (uint32_t)number;
	if (code == 0)
		code = parse_entity(p, true, node);
	return code != 0 ? code : parse_inside(p, node);
}

/* ---- variant ----------------------------------------------------------------------------- */

/* `attribute = VALUE`, where the next token is the value. */
static int
parse_equal(struct parser *p, const char *attribute, Cairn__Expression **ret)
{
	NODE_AUTO node = NULL;
	int code = parser_new_leaf(p, attribute, &node);

	if (code == 0)
		code = parser_value(p, node->leaf, false);
	if (code != 0)
		return code;
	*ret = node;
	node = NULL;
	return 0;
}

/* Behind "variant (": GENE [, CHANGE] ")". */
static int
parse_gene(struct parser *p, Cairn__Expression **ret)
{
	NODE_AUTO gene = NULL;
	NODE_AUTO change = NULL;
	NODE_AUTO both = NULL;
	int code = parse_equal(p, "gene", &gene);

	if (code == 0 && parser_at_symbol(p, ",")) {
		code = parser_advance(p);
		if (code == 0)
			code = parse_equal(p, "protein_change", &change);
		if (code == 0)
			code = parser_new_node(p, CAIRN__EXPRESSION__OPERAND__AND, &both);
		if (code == 0)
			code = parser_add_child(p, both, &gene);
		if (code == 0)
			code = parser_add_child(p, both, &change);
	}
	if (code == 0)
		code = parser_expect_symbol(p, ")", "\",\" and a protein change, or \")\"");
	if (code != 0)
		return code;
	*ret = both != NULL ? both : gene;
	both = gene = NULL;
	return 0;
}

static int
parse_variant(struct parser *p, Cairn__Expression *node)
{
	NODE_AUTO child = NULL;
	int code = parser_advance(p);

	node->entity = strdup("variant");
	if (node->entity == NULL) {
		node->entity = (char *)protobuf_c_empty_string;
		return parser_out_of_memory(p);
	}
	if (code == 0)
		code = parser_advance(p);
	if (code == 0)
		code = parse_gene(p, &child);
	return code != 0 ? code : parser_add_child(p, node, &child);
}

int
parser_group(struct parser *p, Cairn__Expression **ret)
{
	NODE_AUTO node = NULL;
	bool number = at_least(p);
	int code = parser_new_node(p,
	    number ? CAIRN__EXPRESSION__OPERAND__AT_LEAST : CAIRN__EXPRESSION__OPERAND__SAME,
	    &node);

	if (code == 0)
		code = number       ? parse_at_least(p, node)
		    : at_variant(p) ? parse_variant(p, node)
				    : parse_same(p, node);
	if (code != 0)
		return code;
	*ret = node;
	node = NULL;
	return 0;
}

/* ---- within ------------------------------------------------------------------------------ */

#define DAYS "a number of days"

static int
parse_end(struct parser *p, int32_t *ret, bool *ret_open)
{
	*ret_open = parser_at_symbol(p, "*");
	if (*ret_open)
		return parser_advance(p);
	return parse_whole(p, DAYS, -COHORT_WINDOW_MAX, COHORT_WINDOW_MAX, ret);
}

/* The same days, counted the other way. */
static void
turn_round(Cairn__Window *window)
{
	Cairn__Window was = *window;

	window->from = -was.to;
	window->open_from = was.open_to;
	window->to = -was.from;
	window->open_to = was.open_from;
}

/* Behind the days.  One number alone begins at the entity itself, or as far to its other side. */
static int
parse_side(struct parser *p, bool alone, Cairn__Window *window)
{
	bool of = parser_at_word(p, "of"), after = parser_at_word(p, "after");

	if (!of && !after && !parser_at_word(p, "before"))
		return parser_unexpected(p, "\"before\", \"after\" or \"of\"");
	if (alone)
		window->from = of ? -window->to : 0;
	if (after)
		turn_round(window);
	return parser_advance(p);
}

static int
parse_days(struct parser *p, Cairn__Window *window)
{
	bool open = false, alone;
	int32_t end = 0;
	size_t at = p->token.at;
	int code = parse_end(p, &end, &open);

	if (code != 0)
		return code;
	alone = !parser_at_word(p, "to");
	if (alone && (open || end < 0))
		return cohort_error_at(p->lexer.text, at, p->err,
		    "one number of days is 0 or more; two are written \"30 to 90 days\"");
	if (alone) {
		window->to = end;
	} else {
		window->from = end;
		window->open_from = open;
		code = parser_advance(p);
		if (code == 0)
			code = parse_end(p, &window->to, &open);
		window->open_to = open;
	}
	if (code == 0 && !cohort_is_window(window))
		return cohort_error_at(p->lexer.text, at, p->err,
		    "a window goes from fewer to more days and has an end: \"30 to 90 days\"");
	if (code == 0 && !parser_at_word(p, "days") && !parser_at_word(p, "day"))
		return parser_unexpected(p, "\"days\"");
	if (code == 0)
		code = parser_advance(p);
	return code != 0 ? code : parse_side(p, alone, window);
}

int
parser_window(struct parser *p, Cairn__Expression **ret)
{
	NODE_AUTO node = NULL;
	int code = parser_new_node(p, CAIRN__EXPRESSION__OPERAND__WITHIN, &node);

	if (code != 0)
		return code;
	node->window = malloc(sizeof *node->window);
	if (node->window == NULL)
		return parser_out_of_memory(p);
	cairn__window__init(node->window);
	code = parser_advance(p);
	if (code == 0)
		code = parse_days(p, node->window);
	if (code != 0)
		return code;
	*ret = node;
	node = NULL;
	return 0;
}
