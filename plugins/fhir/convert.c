/* SPDX-License-Identifier: Apache-2.0 */
/* What a value of a resource says, brought to the form that the cohort language knows. */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "cohort/expr.h"
#include "cohort/systems.h"
#include "map.h"

#define AGE_MAX 90

static const char *
member(struct json_value value, const char *name)
{
	struct json_value found;
	const char *text = json_get(value, name, &found) ? json_string(found, NULL) : NULL;

	return text == NULL ? "" : text;
}

static bool
print_number(int64_t number, char *ret, size_t size)
{
	return snprintf(ret, size, "%" PRId64, number) < (int)size;
}

bool
map_word(struct json_value value, char *ret, size_t size)
{
	char code[COHORT_VALUE_MAX];
	const char *text = json_string(value, NULL);
	int64_t number;

	if (text != NULL)
		return text_copy(ret, size, text);
	if (json_type(value) == JSON_TRUE || json_type(value) == JSON_FALSE)
		return text_copy(ret, size, json_type(value) == JSON_TRUE ? "true" : "false");
	if (json_integer(value, &number))
		return print_number(number, ret, size);
	return json_type(value) == JSON_OBJECT &&
	    cohort_code(member(value, "system"), member(value, "code"), code) == 0 &&
	    text_copy(ret, size, code);
}

/* ---- dates -------------------------------------------------------------------------------- */

static bool
digits(const char *text, size_t count, int *ret)
{
	int value = 0;

	for (size_t i = 0; i < count; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		value = value * 10 + text[i] - '0';
	}
	*ret = value;
	return true;
}

bool
map_day(const char *text, int32_t *ret)
{
	int year = 0, month = 7, day = 1;
	size_t length = strlen(text);

	if (length < 4 || length > 40 || !digits(text, 4, &year) || year < 1)
		return false;
	if (length >= 7) {
		day = 15;
		if (text[4] != '-' || !digits(text + 5, 2, &month))
			return false;
	} else if (length != 4) {
		return false;
	}
	if (length >= 10) {
		if (text[7] != '-' || !digits(text + 8, 2, &day) ||
		    (length > 10 && text[10] != 'T'))
			return false;
	} else if (length != 4 && length != 7) {
		return false;
	}
	return clock_days(year, month, day, ret) == 0;
}

/* ---- numbers ------------------------------------------------------------------------------ */

/* Of a Quantity without comparator ("<" says less than a number), or of a number. */
static bool
quantity(struct json_value value, const struct mapping_table *units, double *ret)
{
	const struct mapping_pair *pair;
	struct json_value number = value;

	if (json_type(value) == JSON_OBJECT &&
	    (member(value, "comparator")[0] != 0 || !json_get(value, "value", &number)))
		return false;
	if (!json_number(number, ret))
		return false;
	if (units->count == 0)
		return true;
	pair = mapping_table_find(units, member(value, "code"));
	if (pair == NULL)
		pair = mapping_table_find(units, member(value, "unit"));
	if (pair == NULL)
		return false;
	*ret *= pair->factor;
	return true;
}

static void
add_age(struct map_result *result, const struct mapping_fact *fact, struct json_value value)
{
	static const struct mapping_table none;
	double years = 0;

	if (json_type(value) == JSON_OBJECT && strcmp(member(value, "code"), "a") != 0)
		return;
	if (!quantity(value, &none, &years) || years < 0)
		return;
	years = (double)(int)(years > AGE_MAX ? AGE_MAX : years);
	map_add_number(result, fact->attribute, fact->of_patient, years);
}

static void
add_unit(struct map_result *result, const struct mapping_fact *fact, struct json_value value)
{
	const char *unit = member(value, "code");

	if (strcmp(member(value, "system"), "http://unitsofmeasure.org") != 0 ||
	    member(value, "comparator")[0] != 0 || strlen(unit) > 40 || strchr(unit, ' ') != NULL)
		return;
	map_add_text(result, fact->attribute, fact->of_patient, unit);
}

/* ---- words -------------------------------------------------------------------------------- */

static void
add_mapped(struct map_result *result, const struct mapping_fact *fact, struct json_value value)
{
	const struct cohort_attribute *known = cohort_attribute_find(fact->attribute);
	const struct mapping_pair *pair = NULL;
	char word[COHORT_VALUE_MAX];
	const char *to = fact->other;
	double number;

	if (map_word(value, word, sizeof word))
		pair = mapping_table_find(&fact->map, word);
	if (pair != NULL)
		to = pair->to == NULL ? pair->from : pair->to;
	if (to == NULL)
		return;
	if (known != NULL && known->type == COHORT_NUMBER) {
		if (text_to_number(to, &number) == 0)
			map_add_number(result, fact->attribute, fact->of_patient, number);
		return;
	}
	map_add_text(result, fact->attribute, fact->of_patient, to);
}

/* "cT1a", "pN0(sn)", "ypT2", "T1": what the attribute's list has decides whether it is taken. */
static void
add_tnm(struct map_result *result, const struct mapping_fact *fact, struct json_value value)
{
	const char *text = json_string(value, NULL);
	const struct mapping_pair *pair;
	char word[COHORT_VALUE_MAX];
	size_t length;

	if (map_word(value, word, sizeof word) &&
	    (pair = mapping_table_find(&fact->map, word)) != NULL && pair->to != NULL) {
		map_add_text(result, fact->attribute, fact->of_patient, pair->to);
		return;
	}
	if (text == NULL)
		text = member(value, "code");
	text += strspn(text, "cpyra");
	length = strspn(text, "TNMis0123456789Xabcd");
	if (length < 2 || length > 8 || strchr("TNM", text[0]) == NULL)
		return;
	memcpy(word, text, length);
	word[length] = 0;
	map_add_text(result, fact->attribute, fact->of_patient, word);
}

/* ---- genes and variants ------------------------------------------------------------------- */

static void
add_symbol(struct map_result *result, const struct mapping_fact *fact, struct json_value value)
{
	const char *text = member(value, "display");
	size_t length = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZorf0123456789-");

	if (length > 0 && length <= 20 && text[length] == 0 && isupper((unsigned char)text[0]))
		map_add_text(result, fact->attribute, fact->of_patient, text);
}

/* What stands behind "NM_000455.5(STK11):c." or "c.". */
static const char *
behind(struct json_value value, const char *mark)
{
	static const char *const members[] = {"code", "display"};
	const char *text = json_string(value, NULL);

	for (size_t i = 0; text == NULL && i < 2; i++) {
		const char *found = strstr(member(value, members[i]), mark);

		text = found == NULL ? NULL : found;
	}
	return text == NULL || strncmp(text, mark, strlen(mark)) != 0 ? NULL : text + strlen(mark);
}

static const char three[] = "AlaArgAsnAspCysGlnGluGlyHisIleLeuLysMetPheProSerThrTrpTyrValTer";
static const char one[] = "ARNDCQEGHILKMFPSTWYV*";

/* p.Leu858Arg is L858R; p.(Leu858Arg) too. */
static void
add_protein(struct map_result *result, const struct mapping_fact *fact, struct json_value value)
{
	const char *text = behind(value, "p.");
	char word[128];
	size_t length = 0;

	if (text == NULL)
		return;
	text += text[0] == '(';
	while (text[0] != 0 && text[0] != ')' && length + 4 < sizeof word) {
		const char *found = NULL;

		for (size_t i = 0; i + 3 < sizeof three && found == NULL; i += 3) {
			if (strncmp(text, three + i, 3) == 0)
				found = one + i / 3;
		}
		if (found == NULL && !isalnum((unsigned char)text[0]) &&
		    strchr("_*=-?", text[0]) == NULL)
			return;
		word[length++] = found == NULL ? text[0] : *found;
		text += found == NULL ? 1 : 3;
	}
	word[length] = 0;
	map_add_text(result, fact->attribute, fact->of_patient, word);
}

static void
add_coding(struct map_result *result, const struct mapping_fact *fact, struct json_value value)
{
	const char *text = behind(value, "c.");
	char word[128];
	size_t length = text == NULL ? 0 : strspn(text, "0123456789ACGTdelinsup_>+-*=?[];");

	if (length == 0 || length + 3 > sizeof word || (text[length] != 0 && text[length] != ' '))
		return;
	snprintf(word, sizeof word, "c.%.*s", (int)length, text);
	map_add_text(result, fact->attribute, fact->of_patient, word);
}

static void
add_allele(struct map_result *result, const struct mapping_fact *fact, struct json_value value)
{
	const char *text = json_string(value, NULL);
	size_t length = text == NULL ? 0 : strlen(text);

	if (length > 0 && length <= 200 && strspn(text, "ACGTN") == length)
		map_add_text(result, fact->attribute, fact->of_patient, text);
}

/* Versions of NC_000001 to NC_000024 that are GRCh37 and GRCh38. */
static const uint8_t versions37[] = {
    10, 11, 11, 11, 9, 11, 13, 10, 11, 10, 9, 11, 10, 8, 9, 9, 10, 9, 9, 10, 8, 10, 10, 9};
static const uint8_t versions38[] = {
    11, 12, 12, 12, 10, 12, 14, 11, 12, 11, 10, 12, 11, 9, 10, 10, 11, 10, 10, 11, 9, 11, 11, 10};

static void
add_place(struct map_result *result, unsigned chromosome, unsigned version)
{
	char name[16];

	if (chromosome < 1 || chromosome > 24)
		return;
	snprintf(name, sizeof name, "%u", chromosome);
	if (version == versions37[chromosome - 1])
		map_add_text(result, "assembly", false, "GRCh37");
	else if (version == versions38[chromosome - 1])
		map_add_text(result, "assembly", false, "GRCh38");
	else
		return;
	map_add_text(result, "chromosome", false,
	    chromosome == 23       ? "X"
		: chromosome == 24 ? "Y"
				   : name);
}

/* NC_000007.14:g.55191822T>G; others have no simple alleles and are left. */
static void
add_genomic(struct map_result *result, const struct mapping_fact *fact, struct json_value value)
{
	const char *text = json_string(value, NULL);
	unsigned chromosome = 0, version = 0;
	int at = 0, n = 0;
	unsigned long position = 0;
	char bases[2][2] = {"", ""};

	(void)fact;
	if (text == NULL)
		text = member(value, "code");
	if (strncmp(text, "NC_0000", 7) != 0 || strlen(text) > 80)
		return;
	for (at = 7; isdigit((unsigned char)text[at]) && at < 9; at++)
		chromosome = chromosome * 10 + (unsigned)(text[at] - '0');
	if (text[at++] != '.')
		return;
	for (; isdigit((unsigned char)text[at]) && version < 100; at++)
		version = version * 10 + (unsigned)(text[at] - '0');
	if (strncmp(text + at, ":g.", 3) != 0)
		return;
	for (at += 3; isdigit((unsigned char)text[at]) && n < 10; at++, n++)
		position = position * 10 + (unsigned long)(text[at] - '0');
	if (strlen(text + at) != 3 || strchr("ACGT", text[at]) == NULL || text[at + 1] != '>' ||
	    strchr("ACGT", text[at + 2]) == NULL)
		return;
	bases[0][0] = text[at];
	bases[1][0] = text[at + 2];
	add_place(result, chromosome, version);
	map_add_number(result, "position", false, (double)position);
	map_add_text(result, "reference_allele", false, bases[0]);
	map_add_text(result, "alternate_allele", false, bases[1]);
}

static const struct map_fact *
find(const struct map_result *result, const char *attribute)
{
	for (size_t i = 0; i < result->count; i++) {
		if (strcmp(result->facts[i].attribute, attribute) == 0)
			return &result->facts[i];
	}
	return NULL;
}

void
map_finish_variant(struct map_result *result)
{
	const struct map_fact *assembly = find(result, "assembly");
	const struct map_fact *chromosome = find(result, "chromosome");
	const struct map_fact *position = find(result, "position");
	const struct map_fact *reference = find(result, "reference_allele");
	const struct map_fact *alternate = find(result, "alternate_allele");
	char text[COHORT_VALUE_MAX];

	if (assembly == NULL || chromosome == NULL || position == NULL || reference == NULL ||
	    alternate == NULL || find(result, "variant") != NULL)
		return;
	snprintf(text, sizeof text, "%.20s:%.20s:%.0f:%.200s:%.200s", assembly->text,
	    chromosome->text, position->number, reference->text, alternate->text);
	map_add_text(result, "variant", false, text);
}

/* ---- any ---------------------------------------------------------------------------------- */

static void
add_one(struct map_result *result, const struct mapping_fact *fact, struct json_value value)
{
	char code[COHORT_VALUE_MAX];
	double number;
	int32_t day;

	switch (fact->as) {
	case MAPPING_CODE:
		if (json_type(value) == JSON_OBJECT && map_word(value, code, sizeof code))
			map_add_text(result, fact->attribute, fact->of_patient, code);
		break;
	case MAPPING_NUMBER:
		if (quantity(value, &fact->units, &number))
			map_add_number(result, fact->attribute, fact->of_patient, number);
		break;
	case MAPPING_DAY:
		if (json_string(value, NULL) != NULL && map_day(json_string(value, NULL), &day))
			map_add_day(result, fact->attribute, fact->of_patient, day);
		break;
	default:
		break;
	}
}

void
map_convert(struct map_result *result, const struct mapping_fact *fact, struct json_value value)
{
	typedef void adder(struct map_result *, const struct mapping_fact *, struct json_value);
	static adder *const adders[MAPPING_AS_COUNT] = {[MAPPING_CODE] = add_one,
	    [MAPPING_MAP] = add_mapped,
	    [MAPPING_NUMBER] = add_one,
	    [MAPPING_UNIT] = add_unit,
	    [MAPPING_DAY] = add_one,
	    [MAPPING_AGE] = add_age,
	    [MAPPING_TNM] = add_tnm,
	    [MAPPING_SYMBOL] = add_symbol,
	    [MAPPING_PROTEIN] = add_protein,
	    [MAPPING_CODING] = add_coding,
	    [MAPPING_GENOMIC] = add_genomic,
	    [MAPPING_ALLELE] = add_allele};
	struct json_value coding;

	if (json_type(value) == JSON_OBJECT && json_get(value, "coding", &coding)) {
		struct json_walk walk = json_walk(coding);

		while (json_next(&walk))
			adders[fact->as](result, fact, walk.value);
		return;
	}
	adders[fact->as](result, fact, value);
}
