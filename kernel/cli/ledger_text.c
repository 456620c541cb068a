/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/ledger_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/buf.h"
#include "cairn/cohort.pb-c.h"
#include "cohort/expr.h"

#define SUMMARY_MAX 8192
#define DEPTH_MAX 70

/* ---- expressions ------------------------------------------------------------------------ */

static int
enum_value(const ProtobufCEnumDescriptor *type, const json_t *name, int otherwise)
{
	const ProtobufCEnumValue *value = json_is_string(name)
	    ? protobuf_c_enum_descriptor_get_value_by_name(type, json_string_value(name))
	    : NULL;

	return value == NULL ? otherwise : value->value;
}

static char *
copy(const json_t *text)
{
	return strdup(json_is_string(text) ? json_string_value(text) : "");
}

static Cairn__Scalar *
read_scalar(const json_t *from)
{
	Cairn__Scalar *scalar = calloc(1, sizeof *scalar);
	const json_t *number = json_object_get(from, "number");
	const json_t *day = json_object_get(from, "day");

	if (scalar == NULL)
		return NULL;
	cairn__scalar__init(scalar);
	if (json_is_number(number)) {
		scalar->value_case = CAIRN__SCALAR__VALUE_NUMBER;
		scalar->number = json_number_value(number);
	} else if (json_is_integer(day)) {
		scalar->value_case = CAIRN__SCALAR__VALUE_DAY;
		scalar->day = (int32_t)json_integer_value(day);
	} else {
		scalar->value_case = CAIRN__SCALAR__VALUE_TEXT;
		scalar->text = copy(json_object_get(from, "text"));
	}
	return scalar;
}

static Cairn__Leaf *
read_leaf(const json_t *from)
{
	const json_t *values = json_object_get(from, "values");
	Cairn__Leaf *leaf = calloc(1, sizeof *leaf);
	size_t count = json_array_size(values);

	if (leaf == NULL)
		return NULL;
	cairn__leaf__init(leaf);
	leaf->attribute = copy(json_object_get(from, "attribute"));
	leaf->operator_ = (Cairn__Leaf__Operator)enum_value(
	    &cairn__leaf__operator__descriptor, json_object_get(from, "operator"), 0);
	leaf->values = count == 0 ? NULL : calloc(count, sizeof(Cairn__Scalar *));
	for (size_t i = 0; leaf->values != NULL && i < count; i++) {
		leaf->values[i] = read_scalar(json_array_get(values, i));
		leaf->n_values += leaf->values[i] != NULL;
	}
	return leaf;
}

/* Recurses at most DEPTH_MAX levels; NULL for what is no expression. */
static Cairn__Expression *
read_expression(const json_t *from, unsigned depth)
{
	const json_t *children = json_object_get(from, "children");
	Cairn__Expression *expression;
	size_t count = json_array_size(children);

	if (!json_is_object(from) || depth > DEPTH_MAX ||
	    (expression = calloc(1, sizeof *expression)) == NULL)
		return NULL;
	cairn__expression__init(expression);
	expression->operand = (Cairn__Expression__Operand)enum_value(
	    &cairn__expression__operand__descriptor, json_object_get(from, "operand"), 0);
	expression->entity = copy(json_object_get(from, "entity"));
	if (json_is_object(json_object_get(from, "leaf")))
		expression->leaf = read_leaf(json_object_get(from, "leaf"));
	expression->children = count == 0 ? NULL : calloc(count, sizeof(Cairn__Expression *));
	for (size_t i = 0; expression->children != NULL && i < count; i++) {
		Cairn__Expression *child = read_expression(json_array_get(children, i), depth + 1);

		if (child != NULL)
			expression->children[expression->n_children++] = child;
	}
	return expression;
}

char *
ledger_text_expression(const char *json)
{
	json_t *from = json_loads(json, 0, NULL);
	Cairn__Expression *expression = read_expression(from, 0);
	char *text = NULL;

	if (expression != NULL && cohort_print(expression, &text, NULL) != 0)
		text = NULL;
	if (expression != NULL)
		cairn__expression__free_unpacked(expression, NULL);
	json_decref(from);
	return text;
}

/* ---- one line --------------------------------------------------------------------------- */

static const char *
field(const Cairn__Record *record, const char *name)
{
	for (size_t i = 0; i < record->n_fields; i++) {
		if (strcmp(record->fields[i]->name, name) == 0)
			return record->fields[i]->value;
	}
	return NULL;
}

static void
append(struct buf *buf, const char *between, const char *text, const char *after)
{
	if (text == NULL)
		return;
	if (buf->length > 0)
		buf_append_text(buf, between);
	buf_append_text(buf, text);
	buf_append_text(buf, after);
}

/* A number that left, however many zeros the record spares. */
static void
append_answer(struct buf *buf, const Cairn__Record *record, const char *kind)
{
	const char *count = field(record, "count");

	if (strcmp(kind, "EXACT") == 0 && strcmp(record->subject, "cohort.count") == 0)
		append(buf, ": ", count == NULL ? "0" : count, "");
	else if (strcmp(kind, "ROUNDED") == 0)
		append(buf, ": about ", count == NULL ? "0" : count, "");
	else if (strcmp(kind, "SUPPRESSED") == 0)
		append(buf, ": ", "suppressed", "");
	else if (strcmp(kind, "UNSUPPORTED") == 0)
		append(buf, ": unsupported: ", field(record, "criteria"), "");
	append(buf, " ", field(record, "level"), "");
	append(buf, ": ", field(record, "instances"), " instances");
}

static void
append_numbers(struct buf *buf, const Cairn__Record *record)
{
	static const char *const names[][2] = {{"files_done", " files"}, {"imported", " imported"},
	    {"duplicates", " held already"}, {"stored", " stored"}, {"held", " held already"},
	    {"refused", " refused"}, {"bytes", " bytes"}};

	append(buf, ", ", field(record, "paths"), "");
	append(buf, ", from ", field(record, "calling"), "");
	append(buf, " at ", field(record, "peer"), "");
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		const char *value = field(record, names[i][0]);

		if (value != NULL && strcmp(value, "0") != 0)
			append(buf, ", ", value, names[i][1]);
	}
}

char *
ledger_text_summary(const Cairn__Record *record)
{
	struct buf buf = {.max = SUMMARY_MAX};
	const char *expression = field(record, "expression"), *kind = field(record, "kind");
	char *text = expression == NULL ? NULL : ledger_text_expression(expression);
	char *ret;

	append(&buf, "", text, "");
	if (kind != NULL)
		append_answer(&buf, record, kind);
	append_numbers(&buf, record);
	free(text);
	ret = buf_text(&buf) == NULL ? strdup("") : strdup(buf_text(&buf));
	buf_fini(&buf);
	return ret;
}
