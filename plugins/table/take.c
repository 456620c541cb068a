/* SPDX-License-Identifier: Apache-2.0 */
#include "take.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/text.h"
#include "cohort/systems.h"

struct taking {
	const struct table *table;
	const struct row *row;
	struct report *report;
	bool bad;
};

int
table_header(struct table *table, const struct row *header, struct cairn_error *err)
{
	table->names = calloc(header->count + 1, sizeof(char *));
	for (size_t i = 0; table->names != NULL && i < header->count; i++) {
		table->names[i] = strdup(header->cells[i].text);
		if (table->names[i] == NULL)
			break;
		table->columns++;
	}
	if (table->columns != header->count)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	return mapping_bind(table->mapping, header, err);
}

void
table_fini(struct table *table)
{
	for (size_t i = 0; i < table->columns; i++)
		free(table->names[i]);
	free(table->names);
	mapping_free(table->mapping);
	*table = (struct table){0};
}

static bool
is_missing(const struct mapping *mapping, const char *text)
{
	if (text[0] == 0)
		return true;
	for (size_t i = 0; i < mapping->missing_count; i++) {
		if (strcmp(mapping->missing[i], text) == 0)
			return true;
	}
	return false;
}

/* Identifiers are not shown. */
static bool
identifies(const struct mapping *mapping, size_t column)
{
	return column == mapping->patient.index || column == mapping->issuer_column.index;
}

static void
wrong(struct taking *taking, size_t column, const char *what, const char *advice)
{
	const struct table *table = taking->table;
	const char *text = taking->row->cells[column].text;
	const struct report_place place = {taking->row->line, column + 1, table->names[column]};

	taking->bad = true;
	if (identifies(table->mapping, column))
		report_add(taking->report, place, advice, "the value %s", what);
	else
		report_add(
		    taking->report, place, advice, "'%.*s' %s", REPORT_VALUE_MAX, text, what);
}

/* ---- values ------------------------------------------------------------------------------------
 */

static bool
digits(const char **at, size_t count, int *ret)
{
	int number = 0;

	for (size_t i = 0; i < count; i++, (*at)++) {
		if (**at < '0' || **at > '9')
			return false;
		number = number * 10 + (**at - '0');
	}
	*ret = number;
	return true;
}

/* "31.12.2019" by "DD.MM.YYYY". */
static bool
read_date(const char *text, const char *pattern, int32_t *ret)
{
	int year = 0, month = 0, day = 0;

	while (*pattern != 0) {
		bool fits;

		if (strncmp(pattern, "YYYY", 4) == 0) {
			fits = digits(&text, 4, &year);
			pattern += 4;
		} else if (strncmp(pattern, "MM", 2) == 0) {
			fits = digits(&text, 2, &month);
			pattern += 2;
		} else if (strncmp(pattern, "DD", 2) == 0) {
			fits = digits(&text, 2, &day);
			pattern += 2;
		} else {
			fits = *text++ == *pattern++;
			if (!fits)
				return false;
		}
		if (!fits)
			return false;
	}
	return *text == 0 && clock_days(year, month, day, ret) == 0;
}

static bool
take_date(struct taking *taking, const struct mapping_fact *fact, struct value *value)
{
	char advice[120] = "write it as ";
	size_t used = strlen(advice);

	if (read_date(taking->row->cells[fact->column.index].text, fact->date, &value->day))
		return true;
	text_copy(advice + used, sizeof advice - used, fact->date);
	wrong(taking, fact->column.index, "is no such date", advice);
	return false;
}

static bool
read_number(const char *text, char decimal, double *ret)
{
	char plain[64];
	size_t length = strlen(text);

	if (length >= sizeof plain || (decimal == ',' && strchr(text, '.') != NULL))
		return false;
	memcpy(plain, text, length + 1);
	if (decimal == ',' && strchr(plain, ',') != NULL)
		*strchr(plain, ',') = '.';
	return text_to_number(plain, ret) == 0;
}

/* 90 stands for 90 and older: few are, and their age says who they are. */
#define OLDEST 90

static bool
is_age(const struct cohort_attribute *attribute)
{
	return strcmp(attribute->name, "age_at_diagnosis") == 0;
}

static const char *
mapped(const struct mapping_fact *fact, const char *text)
{
	for (size_t i = 0; i < fact->code_count; i++) {
		if (strcmp(fact->codes[i].from, text) == 0)
			return fact->codes[i].to;
	}
	return NULL;
}

static bool
take_number(struct taking *taking, const struct mapping_fact *fact, struct value *value)
{
	const struct cohort_attribute *attribute = fact->attribute;
	const char *text = taking->row->cells[fact->column.index].text;
	const char *code = mapped(fact, text);
	char decimal = code != NULL ? '.' : taking->table->mapping->decimal;
	char advice[COHORT_RANGE_MAX + 40] = "it is to be within ";

	if (!read_number(code != NULL ? code : text, decimal, &value->number)) {
		wrong(taking, fact->column.index, "is no number",
		    taking->table->mapping->decimal == ','
			? "the mapping says `decimal: ,`; a marker of what is missing goes "
			  "below `missing`"
			: "a decimal comma is said with `decimal: ,`; a marker of what is missing "
			  "goes below `missing`");
		return false;
	}
	value->number *= fact->factor;
	if (is_age(attribute) && value->number > OLDEST && value->number <= attribute->max)
		value->number = OLDEST;
	if (value->number >= attribute->min && value->number <= attribute->max)
		return true;
	cohort_range_text(attribute, advice + strlen(advice));
	wrong(taking, fact->column.index, "is out of range; is the unit right?", advice);
	return false;
}

/* As the attribute's list writes it. */
static const char *
listed(const struct cohort_attribute *attribute, const char *text)
{
	for (size_t i = 0; attribute->codes[i] != NULL; i++) {
		if (strcasecmp(attribute->codes[i], text) == 0)
			return attribute->codes[i];
	}
	return NULL;
}

static bool
take_code(struct taking *taking, const struct mapping_fact *fact, struct value *value)
{
	const struct cohort_attribute *attribute = fact->attribute;
	size_t column = fact->column.index;
	const char *text =
	    column == MAPPING_NO_COLUMN ? fact->value : taking->row->cells[column].text;
	const char *code = column == MAPPING_NO_COLUMN ? text : mapped(fact, text);
	char coded[COHORT_VALUE_MAX];

	if (code == NULL && fact->code_count > 0) {
		wrong(taking, column, "is not among the codes of the mapping",
		    "add it to `codes`, or to `missing`");
		return false;
	}
	if (code == NULL)
		code = text;
	if (attribute->codes != NULL && listed(attribute, code) == NULL) {
		wrong(taking, column, "is no value of this attribute",
		    "say below `codes` what it means (cairn cohort fields NAME lists the values)");
		return false;
	}
	if (attribute->codes != NULL) {
		code = listed(attribute, code);
	} else if (attribute->coded) {
		bool bare = fact->prefix != NULL && fact->code_count == 0 && fact->value == NULL;

		if ((bare ? cohort_code(fact->prefix, code, coded)
			  : cohort_code_value(code, coded)) != 0) {
			wrong(taking, column, "is no code",
			    bare ? "one code a cell, without spaces"
				 : "say the code system (prefix: icd10), or write prefix:code");
			return false;
		}
		code = coded;
	} else if (!cohort_is_value_text(code)) {
		wrong(taking, column, "is too long, or has control characters", "shorten it");
		return false;
	}
	value->text = strdup(code);
	return value->text != NULL;
}

static bool
take_value(struct taking *taking, const struct mapping_fact *fact, struct value *value)
{
	switch (fact->attribute->type) {
	case COHORT_DAY:
		return take_date(taking, fact, value);
	case COHORT_NUMBER:
		return take_number(taking, fact, value);
	default:
		return take_code(taking, fact, value);
	}
}

/* ---- groups -------------------------------------------------------------------------------------
 */

/* What no column says is no reason for an entry. */
static void
take_group(struct taking *taking, const struct mapping_group *group, struct taken *taken)
{
	struct taken_group *own = &taken->groups[taken->count];
	bool stated = false;

	own->values = calloc(group->fact_count + 3, sizeof *own->values);
	if (own->values == NULL)
		return;
	own->group = group;
	for (size_t i = 0; i < group->fact_count; i++) {
		const struct mapping_fact *fact = &group->facts[i];
		struct value *value = &own->values[own->count];

		if (fact->column.index != MAPPING_NO_COLUMN &&
		    is_missing(
			taking->table->mapping, taking->row->cells[fact->column.index].text)) {
			if (fact->required)
				wrong(taking, fact->column.index, "is missing",
				    "the mapping says `required: true`");
			continue;
		}
		value->attribute = fact->attribute;
		if (!take_value(taking, fact, value))
			continue;
		stated = stated || fact->column.index != MAPPING_NO_COLUMN;
		own->count++;
	}
	taken->count++;
	if (stated || (own->count > 0 && group->fact_count == own->count))
		return;
	for (size_t i = 0; i < own->count; i++)
		free(own->values[i].text);
	own->count = 0;
}

static char *
take_key(const struct row *row, const struct mapping_group *group)
{
	BUF_AUTO key = {.max = CSV_ROW_MAX};

	for (size_t i = 0; i < group->key_count; i++) {
		const struct row_cell *cell = &row->cells[group->keys[i].index];

		if (buf_append(&key, cell->text, cell->length) != 0 ||
		    buf_append(&key, "\x1f", 1) != 0)
			return NULL;
	}
	return strdup(key.length == 0 ? "" : buf_text(&key));
}

static char *
identifier(struct taking *taking, const struct mapping_column *column)
{
	const struct row_cell *cell = &taking->row->cells[column->index];

	if (is_missing(taking->table->mapping, cell->text))
		wrong(taking, column->index, "is missing", "each row is to say whose it is");
	else if (cell->length > TAKE_IDENTIFIER_MAX)
		wrong(taking, column->index, "is too long", "an identifier has at most 256 bytes");
	else
		return strdup(cell->text);
	return NULL;
}

static bool
is_empty(const struct row *row)
{
	for (size_t i = 0; i < row->count; i++) {
		if (row->cells[i].length > 0)
			return false;
	}
	return true;
}

static void
fill(struct taking *taking, struct taken *taken)
{
	const struct mapping *mapping = taking->table->mapping;

	taken->line = taking->row->line;
	taken->identifier = identifier(taking, &mapping->patient);
	taken->issuer = mapping->issuer_column.index != MAPPING_NO_COLUMN
	    ? identifier(taking, &mapping->issuer_column)
	    : strdup(mapping->issuer != NULL ? mapping->issuer : "");
	for (size_t g = 0; g < mapping->group_count; g++) {
		take_group(taking, &mapping->groups[g], taken);
		if (taken->count == g + 1)
			taken->groups[g].key = take_key(taking->row, &mapping->groups[g]);
	}
}

static bool
whole(const struct taken *taken, size_t groups)
{
	if (taken->identifier == NULL || taken->issuer == NULL || taken->count != groups)
		return false;
	for (size_t i = 0; i < groups; i++) {
		if (taken->groups[i].key == NULL)
			return false;
	}
	return true;
}

int
take_row(
    const struct table *table, const struct row *row, struct report *report, struct taken **ret)
{
	struct taking taking = {.table = table, .row = row, .report = report};
	struct taken *taken;

	if (is_empty(row))
		return CAIRN_ENOTFOUND;
	if (row->count != table->columns) {
		report_add(report, (struct report_place){row->line, 0, ""},
		    "a separator is missing or too much; a cell that has one goes in quotes",
		    "the row has %zu cells and the header has %zu", row->count, table->columns);
		return CAIRN_EINVAL;
	}
	taken = calloc(1, sizeof *taken);
	if (taken == NULL)
		return CAIRN_ENOMEM;
	taken->groups = calloc(table->mapping->group_count, sizeof *taken->groups);
	if (taken->groups != NULL)
		fill(&taking, taken);
	if (taking.bad || taken->groups == NULL || !whole(taken, table->mapping->group_count)) {
		taken_free(taken);
		return taking.bad ? CAIRN_EINVAL : CAIRN_ENOMEM;
	}
	*ret = taken;
	return 0;
}

void
taken_free(struct taken *taken)
{
	if (taken == NULL)
		return;
	for (size_t g = 0; g < taken->count; g++) {
		for (size_t i = 0; i < taken->groups[g].count; i++)
			free(taken->groups[g].values[i].text);
		free(taken->groups[g].values);
		free(taken->groups[g].key);
	}
	free(taken->groups);
	free(taken->identifier);
	free(taken->issuer);
	free(taken);
}
