/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a value may be.  A value that its attribute cannot have is an error that says what was
 * written, what that was read as, and what is permitted: counted as nobody, it would look like an
 * answer.
 */
#include "cohort/private.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/text.h"
#include "cohort/systems.h"

#define WRITTEN_MAX 40 /* bytes of a wrong value that an error repeats */
#define CODES_LISTED 6 /* codes that an error lists; of more, the first few */
#define CODE_MAX 32    /* longest code that is worth a suggestion */

/* ---- text -------------------------------------------------------------------------------- */

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

/* ---- spelling ---------------------------------------------------------------------------- */

/* The shortest digits that read back as the same number. */
static void
number_text(double number, char *ret, size_t size)
{
	double again;

	for (int digits = 6; digits <= 17; digits++) {
		snprintf(ret, size, "%.*g", digits, number);
		if (text_to_number(ret, &again) == 0 && again == number)
			break;
	}
}

void
cohort_scalar_text(const Cairn__Scalar *value, char ret[COHORT_SCALAR_MAX])
{
	int year, month, day;

	switch (value->value_case) {
	case CAIRN__SCALAR__VALUE_NUMBER:
		number_text(value->number, ret, COHORT_SCALAR_MAX);
		break;
	case CAIRN__SCALAR__VALUE_DAY:
		clock_date(value->day, &year, &month, &day);
		snprintf(ret, COHORT_SCALAR_MAX, "%04d-%02d-%02d", year, month, day);
		break;
	default:
		snprintf(ret, COHORT_SCALAR_MAX, "*");
	}
}

void
cohort_range_end(const struct cohort_attribute *attribute, double end, Cairn__Scalar *ret)
{
	cairn__scalar__init(ret);
	if (attribute->type == COHORT_DAY) {
		ret->value_case = CAIRN__SCALAR__VALUE_DAY;
		ret->day = (int32_t)end;
	} else {
		ret->value_case = CAIRN__SCALAR__VALUE_NUMBER;
		ret->number = end;
	}
}

void
cohort_range_text(const struct cohort_attribute *attribute, char ret[COHORT_RANGE_MAX])
{
	char low[COHORT_SCALAR_MAX], high[COHORT_SCALAR_MAX];
	Cairn__Scalar end;

	cohort_range_end(attribute, attribute->min, &end);
	cohort_scalar_text(&end, low);
	cohort_range_end(attribute, attribute->max, &end);
	cohort_scalar_text(&end, high);
	snprintf(ret, COHORT_RANGE_MAX, "%s to %s", low, high);
}

/* ---- what an attribute takes ------------------------------------------------------------- */

static bool
is_sop_class(const struct cohort_attribute *attribute)
{
	return strcmp(attribute->name, "sop_class") == 0;
}

static void
codes_text(const struct cohort_attribute *attribute, char *ret, size_t size)
{
	size_t count = 0, used = 0;

	while (attribute->codes[count] != NULL)
		count++;
	if (count > CODES_LISTED)
		used = (size_t)snprintf(ret, size, "one of %zu codes such as ", count);
	for (size_t i = 0; i < count && i < CODES_LISTED && used < size; i++)
		used += (size_t)snprintf(
		    ret + used, size - used, "%s%s", i > 0 ? ", " : "", attribute->codes[i]);
}

static void
takes_text(const struct cohort_attribute *attribute, char *ret, size_t size)
{
	char range[COHORT_RANGE_MAX];

	if (attribute->type == COHORT_CODE) {
		if (attribute->codes != NULL)
			codes_text(attribute, ret, size);
		else
			snprintf(ret, size, "%s",
			    is_sop_class(attribute) ? "a UID or the keyword of a storage SOP class"
				: attribute->coded  ? "a code with its system, such as icd10:C34.1"
						    : "text");
		return;
	}
	cohort_range_text(attribute, range);
	if (attribute->type == COHORT_DAY)
		snprintf(ret, size, "a date (2026-01-31) from %s", range);
	else
		snprintf(ret, size, "a number%s%s from %s",
		    attribute->unit_name[0] != 0 ? " of " : "", attribute->unit_name, range);
}

/* ---- the code that was meant ------------------------------------------------------------- */

struct code_list {
	const char *const *codes;
};

static const char *
code_at(const void *arg, size_t index)
{
	const struct code_list *list = arg;

	return list->codes[index];
}

/* In the case that the list is written in, because an edit distance minds the case. */
static bool
fold_like(const char *code, const char *word, char ret[CODE_MAX + 1])
{
	bool upper = code[0] >= 'A' && code[0] <= 'Z';
	size_t i;

	for (i = 0; word[i] != 0; i++) {
		char c = word[i];

		if (i == CODE_MAX)
			return false;
		if (upper && c >= 'a' && c <= 'z')
			c = (char)(c - 'a' + 'A');
		else if (!upper && c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		ret[i] = c;
	}
	ret[i] = 0;
	return true;
}

/* The only code that begins like this ("M" for male), else the nearest. */
static const char *
suggest_listed(const struct cohort_attribute *attribute, const char *word)
{
	struct code_list list = {attribute->codes};
	const char *begins = NULL;
	char folded[CODE_MAX + 1];
	size_t count = 0;

	if (word[0] == 0 || !fold_like(attribute->codes[0], word, folded))
		return NULL;
	for (size_t i = 0; attribute->codes[i] != NULL; i++) {
		if (strncasecmp(attribute->codes[i], word, strlen(word)) != 0)
			continue;
		begins = attribute->codes[i];
		count++;
	}
	return count == 1 ? begins : text_suggest(folded, code_at, &list);
}

static const char *
prefix_at(const void *arg, size_t index)
{
	(void)arg;
	return cohort_system_at(index);
}

/* Another spelling of a coded value: "ICD10:c501" is "icd10:C50.1"; "icd:C34" may be "icd10:C34".
 */
static bool
suggest_coded(const char *text, char ret[COHORT_VALUE_MAX])
{
	const char *colon = strchr(text, ':'), *near;
	char prefix[CODE_MAX + 1];

	if (cohort_code_value(text, ret) == 0)
		return true;
	if (colon == NULL || colon - text > CODE_MAX)
		return false;
	snprintf(prefix, sizeof prefix, "%.*s", (int)(colon - text), text);
	near = text_suggest(prefix, prefix_at, NULL);
	return near != NULL && cohort_code(near, colon + 1, ret) == 0;
}

/* ---- checks ------------------------------------------------------------------------------ */

/* As facts have it; engines do not mind the case. */
static bool
is_coded(const char *text)
{
	char usual[COHORT_VALUE_MAX];

	return cohort_code_value(text, usual) == 0 && strcasecmp(usual, text) == 0;
}

static bool
is_code(const struct cohort_attribute *attribute, const char *text)
{
	if (is_sop_class(attribute))
		return cohort_sop_class_is_uid(text);
	if (attribute->coded)
		return is_coded(text);
	if (attribute->codes == NULL)
		return true;
	for (size_t i = 0; attribute->codes[i] != NULL; i++)
		if (strcasecmp(attribute->codes[i], text) == 0)
			return true;
	return false;
}

static bool
is_permitted(const struct cohort_attribute *attribute, const Cairn__Scalar *value)
{
	switch (value->value_case) {
	case CAIRN__SCALAR__VALUE_TEXT:
		return attribute->type == COHORT_CODE && is_code(attribute, value->text);
	case CAIRN__SCALAR__VALUE_NUMBER:
		return attribute->type == COHORT_NUMBER && value->number >= attribute->min &&
		    value->number <= attribute->max;
	default:
		return attribute->type == COHORT_DAY && value->day >= attribute->min &&
		    value->day <= attribute->max;
	}
}

/* What a value was read as, where its spelling does not say so: ", which is text". */
static void
read_as(const struct cohort_attribute *attribute, const Cairn__Scalar *value, const char *written,
    char *ret, size_t size)
{
	char text[COHORT_SCALAR_MAX];

	ret[0] = 0;
	if (value->value_case == CAIRN__SCALAR__VALUE_TEXT) {
		if (attribute->type != COHORT_CODE)
			snprintf(ret, size, ", which is text");
		return;
	}
	cohort_scalar_text(value, text);
	if (attribute->type == COHORT_CODE)
		snprintf(ret, size, ", which is no text");
	else if ((attribute->type == COHORT_DAY) != (value->value_case == CAIRN__SCALAR__VALUE_DAY))
		snprintf(ret, size, ", which is a %s",
		    value->value_case == CAIRN__SCALAR__VALUE_DAY ? "date" : "number");
	else if (strcmp(text, written) != 0)
		snprintf(ret, size, ", which is %s", text);
}

/* A prefix that ends with a whole character. */
static int
shown_length(const char *text)
{
	size_t length = strnlen(text, WRITTEN_MAX + 1);

	if (length <= WRITTEN_MAX)
		return (int)length;
	length = WRITTEN_MAX;
	while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80)
		length--;
	return (int)length;
}

static int
refuse(const struct cohort_attribute *attribute, const Cairn__Scalar *value, const char *written,
    struct cairn_error *err)
{
	char takes[COHORT_RANGE_MAX + 64], is[60], spelled[COHORT_SCALAR_MAX];
	char coded[COHORT_VALUE_MAX];
	const char *guess = NULL;
	int shown;

	if (written == NULL) {
		cohort_scalar_text(value, spelled);
		written = value->value_case == CAIRN__SCALAR__VALUE_TEXT ? value->text : spelled;
	}
	shown = shown_length(written);
	takes_text(attribute, takes, sizeof takes);
	read_as(attribute, value, written, is, sizeof is);
	if (attribute->codes != NULL && value->value_case == CAIRN__SCALAR__VALUE_TEXT)
		guess = suggest_listed(attribute, value->text);
	else if (attribute->coded && value->value_case == CAIRN__SCALAR__VALUE_TEXT &&
	    suggest_coded(value->text, coded))
		guess = coded;
	return cairn_error_set(err, CAIRN_EINVAL, "%s takes %s; you wrote \"%.*s%s\"%s%s%.100s%s",
	    attribute->name, takes, shown, written, written[shown] != 0 ? "..." : "", is,
	    guess != NULL ? "; did you mean \"" : "", guess != NULL ? guess : "",
	    guess != NULL ? "\"?" : "");
}

/* What holds for a value of any attribute. */
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
		if (value->day < COHORT_DAY_MIN || value->day > COHORT_DAY_MAX)
			return cairn_error_set(err, CAIRN_EINVAL,
			    "a date is outside the years 1 to 9999: day %d from 1970-01-01",
			    (int)value->day);
		return 0;
	default:
		return cairn_error_set(err, CAIRN_EINVAL, "a value is missing");
	}
}

/* A pattern stands for many values; of a closed list, one must be like it. */
static int
check_pattern(const struct cohort_attribute *known, const char *pattern, struct cairn_error *err)
{
	if (known->coded && strchr(pattern, ':') == NULL)
		return cairn_error_set(err, CAIRN_EINVAL,
		    "%s like: the pattern begins with the code's system, such as \"icd10:C5%%\"",
		    known->name);
	for (size_t i = 0; known->codes != NULL; i++) {
		if (known->codes[i] == NULL)
			return cairn_error_set(err, CAIRN_EINVAL,
			    "%s has no value that is like \"%.40s\"", known->name, pattern);
		if (cohort_like(pattern, known->codes[i]))
			break;
	}
	return 0;
}

int
cohort_check_value(const char *name, Cairn__Leaf__Operator operator_, const Cairn__Scalar *value,
    const char *written, struct cairn_error *err)
{
	const struct cohort_attribute *known = cohort_attribute_find(name);
	int code = check_scalar(value, err);

	if (code == 0 && operator_ == CAIRN__LEAF__OPERATOR__LIKE && known != NULL &&
	    known->type == COHORT_CODE && value->value_case == CAIRN__SCALAR__VALUE_TEXT)
		return check_pattern(known, value->text, err);
	if (code != 0 || known == NULL || is_permitted(known, value))
		return code;
	return refuse(known, value, written, err);
}
