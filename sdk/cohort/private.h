/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COHORT_PRIVATE_H
#define COHORT_PRIVATE_H

/* What the parts of the cohort language share: lexer, names, and the rules for a leaf. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cohort/expr.h"

enum cohort_token_kind {
	TOKEN_END,
	TOKEN_WORD,   /* attribute, keyword or bare value */
	TOKEN_QUOTED, /* text holds the contents without quotes and escapes */
	TOKEN_NUMBER,
	TOKEN_DATE,
	TOKEN_SYMBOL, /* one of ( ) , * = != < <= > >= */
};

struct cohort_token {
	enum cohort_token_kind kind;
	size_t at;     /* byte offset in the text */
	size_t length; /* bytes as written */
	char text[COHORT_VALUE_MAX + 1];
	double number;
	int32_t day;
};

struct cohort_lexer {
	const char *text;
	size_t length;
	size_t at;
};

int cohort_next_token(
    struct cohort_lexer *lexer, struct cohort_token *ret, struct cairn_error *err);

/* `format` says what is wrong at byte `at`; adds the column, the text and a caret below. */
int cohort_error_at(const char *text, size_t at, struct cairn_error *err, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

bool cohort_is_keyword(const char *word); /* any case */
const char *cohort_keyword_at(size_t index);

/* A value of the attribute `name` under an operator.  `written` is how a person spelled it; NULL:
 * as we would. */
int cohort_check_value(const char *name, Cairn__Leaf__Operator operator_,
    const Cairn__Scalar *value, const char *written, struct cairn_error *err);
/* Attribute name, operator, number and types of values.  Without a place in a text. */
int cohort_check_leaf(const Cairn__Leaf *leaf, struct cairn_error *err);

/* Has an end, and from is not after to. */
bool cohort_is_window(const Cairn__Window *window);

extern const struct cohort_attribute cohort_attributes[COHORT_ATTRIBUTES];

bool cohort_sop_class_find(const char *keyword, char *ret_uid, size_t size);
bool cohort_sop_class_is_uid(const char *text);
const char *cohort_sop_class_suggest(const char *word);

#endif
