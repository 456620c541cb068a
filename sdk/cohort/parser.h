/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COHORT_PARSER_H
#define COHORT_PARSER_H

/* The parser of the text spelling, in two files: leaves and lists (parse.c), groups and windows
 * (groups.c). */

#include "cohort/private.h"

struct parser {
	struct cohort_lexer lexer;
	struct cohort_token token; /* the next one, not yet taken */
	unsigned depth;
	size_t nodes;
	struct cairn_error *err;
};

int parser_advance(struct parser *p);
bool parser_at_symbol(const struct parser *p, const char *symbol);
bool parser_at_word(const struct parser *p, const char *word);
/* "expected X, found Y", and the keyword that a misspelt word was probably meant to be. */
int parser_unexpected(struct parser *p, const char *expected);
int parser_expect_symbol(struct parser *p, const char *symbol, const char *expected);
int parser_out_of_memory(struct parser *p);

int parser_new_node(struct parser *p, Cairn__Expression__Operand operand, Cairn__Expression **ret);
int parser_new_leaf(struct parser *p, const char *attribute, Cairn__Expression **ret);
void parser_free_node(Cairn__Expression **node);
#define NODE_AUTO __attribute__((cleanup(parser_free_node))) Cairn__Expression *
/* Moves `*child` into `parent`. */
int parser_add_child(struct parser *p, Cairn__Expression *parent, Cairn__Expression **child);

/* A value of the leaf, which it checks. */
int parser_value(struct parser *p, Cairn__Leaf *leaf, bool open_end);
int parser_factor(struct parser *p, Cairn__Expression **ret);
int parser_expression(struct parser *p, Cairn__Expression **ret);
int parser_parentheses(struct parser *p, Cairn__Expression **ret);

/* At "same", "at least" or "variant (". */
bool parser_at_group(const struct parser *p);
int parser_group(struct parser *p, Cairn__Expression **ret);
/* From "within" to the second operand: a node without children. */
int parser_window(struct parser *p, Cairn__Expression **ret);

#endif
