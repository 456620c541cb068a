/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens of the cohort language, and errors that point into the text. */
#include "cohort/private.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"

#define EXCERPT_BEFORE 60
#define EXCERPT_AFTER 40

static bool
is_word_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	    (c != 0 && strchr("._:/+-", c) != NULL);
}

static bool
is_continuation(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

/* The text around `at` on one line, then a caret under it.  Columns count characters. */
static void
excerpt(const char *text, size_t at, char *ret, size_t size)
{
	size_t from = at > EXCERPT_BEFORE ? at - EXCERPT_BEFORE : 0;
	size_t length = strlen(text), to, used = 0, spaces = 0;

	to = length - at > EXCERPT_AFTER ? at + EXCERPT_AFTER : length;
	while (from > 0 && is_continuation(text[from]))
		from--;
	while (to < length && is_continuation(text[to]))
		to++;
	for (size_t i = from; i < to && used + 1 < size; i++) {
		ret[used++] = (unsigned char)text[i] < ' ' || text[i] == 127 ? ' ' : text[i];
		spaces += i < at && !is_continuation(text[i]);
	}
	ret[used] = 0;
	snprintf(ret + used, size - used, "\n  %*s^", (int)spaces, "");
}

int
cohort_error_at(const char *text, size_t at, struct cairn_error *err, const char *format, ...)
{
	char what[240], where[240];
	size_t column = 1;
	va_list args;

	for (size_t i = 0; i < at; i++)
		column += !is_continuation(text[i]);
	va_start(args, format);
	vsnprintf(what, sizeof what, format, args);
	va_end(args);
	excerpt(text, at, where, sizeof where);
	return cairn_error_set(err, CAIRN_EINVAL, "column %zu: %s\n  %s", column, what, where);
}

static bool
is_date(const char *text, int32_t *ret_day)
{
	int part[3] = {0};

	if (strlen(text) != 10)
		return false;
	for (size_t i = 0, n = 0; i < 10; i++) {
		if (i == 4 || i == 7) {
			if (text[i] != '-')
				return false;
			n++;
		} else if (text[i] < '0' || text[i] > '9') {
			return false;
		} else {
			part[n] = part[n] * 10 + (text[i] - '0');
		}
	}
	*ret_day = INT32_MIN;
	clock_days(part[0], part[1], part[2], ret_day);
	return true;
}

static int
word_token(struct cohort_lexer *lexer, struct cohort_token *ret, struct cairn_error *err)
{
	const char *start = lexer->text + lexer->at;
	size_t length = 0;

	while (is_word_char(start[length]))
		length++;
	if (length > COHORT_VALUE_MAX)
		return cohort_error_at(lexer->text, lexer->at, err,
		    "a word has at most %d characters", COHORT_VALUE_MAX);
	memcpy(ret->text, start, length);
	ret->text[length] = 0;
	ret->length = length;
	ret->kind = TOKEN_WORD;
	if (is_date(ret->text, &ret->day)) {
		if (ret->day == INT32_MIN)
			return cohort_error_at(lexer->text, lexer->at, err,
			    "the date %s does not exist: dates are year-month-day, from "
			    "0001-01-01 to 9999-12-31",
			    ret->text);
		ret->kind = TOKEN_DATE;
	} else if (text_to_number(ret->text, &ret->number) == 0) {
		ret->kind = TOKEN_NUMBER;
	}
	lexer->at += length;
	return 0;
}

static int
quoted_token(struct cohort_lexer *lexer, struct cohort_token *ret, struct cairn_error *err)
{
	const char *text = lexer->text;
	size_t i = lexer->at + 1, used = 0;

	for (; text[i] != 0 && text[i] != '"'; i++) {
		if (text[i] == '\\') {
			i++;
			if (text[i] != '"' && text[i] != '\\')
				return cohort_error_at(text, i - 1, err,
				    "inside quotes a backslash stands before \" or \\ only");
		}
		if (used == COHORT_VALUE_MAX)
			return cohort_error_at(
			    text, lexer->at, err, "a value has at most %d bytes", COHORT_VALUE_MAX);
		ret->text[used++] = text[i];
	}
	if (text[i] == 0)
		return cohort_error_at(text, lexer->at, err, "this quote is never closed");
	ret->text[used] = 0;
	if (!cohort_is_value_text(ret->text))
		return cohort_error_at(text, lexer->at, err,
		    "a quoted value must be UTF-8 without control characters");
	ret->kind = TOKEN_QUOTED;
	ret->length = i + 1 - lexer->at;
	lexer->at = i + 1;
	return 0;
}

static int
symbol_token(struct cohort_lexer *lexer, struct cohort_token *ret, struct cairn_error *err)
{
	const char *at = lexer->text + lexer->at;
	size_t length = strchr("!<>", at[0]) != NULL && at[1] == '=' ? 2 : 1;

	if (strchr("(),*=<>", at[0]) == NULL && length == 1) {
		if (at[0] == '!')
			return cohort_error_at(lexer->text, lexer->at, err,
			    "unexpected \"!\"; did you mean \"!=\" or \"not\"?");
		return cohort_error_at(lexer->text, lexer->at, err,
		    "unexpected character; text with special characters goes in double quotes");
	}
	memcpy(ret->text, at, length);
	ret->text[length] = 0;
	ret->length = length;
	ret->kind = TOKEN_SYMBOL;
	lexer->at += length;
	return 0;
}

int
cohort_next_token(struct cohort_lexer *lexer, struct cohort_token *ret, struct cairn_error *err)
{
	char c;

	lexer->at += strspn(lexer->text + lexer->at, " \t\r\n");
	ret->at = lexer->at;
	ret->length = 0;
	ret->text[0] = 0;
	c = lexer->text[lexer->at];
	if (c == 0) {
		ret->kind = TOKEN_END;
		return 0;
	}
	if (c == '"')
		return quoted_token(lexer, ret, err);
	if (is_word_char(c))
		return word_token(lexer, ret, err);
	return symbol_token(lexer, ret, err);
}
