/* SPDX-License-Identifier: Apache-2.0 */
#include "cohort/maker.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cohort/systems.h"

void
maker_free(Cairn__Expression **node)
{
	if (*node != NULL)
		cairn__expression__free_unpacked(*node, NULL);
}

void
maker_json_free(json_t **json)
{
	json_decref(*json);
}

Cairn__Expression *
maker_node(Cairn__Expression__Operand operand)
{
	Cairn__Expression *node = malloc(sizeof *node);

	if (node == NULL)
		return NULL;
	cairn__expression__init(node);
	node->operand = operand;
	return node;
}

Cairn__Expression *
maker_leaf(const char *attribute, Cairn__Leaf__Operator operator_)
{
	Cairn__Expression *node = maker_node(CAIRN__EXPRESSION__OPERAND__LEAF);

	if (node == NULL)
		return NULL;
	node->leaf = malloc(sizeof *node->leaf);
	if (node->leaf != NULL) {
		cairn__leaf__init(node->leaf);
		node->leaf->operator_ = operator_;
		node->leaf->attribute = strdup(attribute);
	}
	if (node->leaf == NULL || node->leaf->attribute == NULL) {
		cairn__expression__free_unpacked(node, NULL);
		return NULL;
	}
	return node;
}

int
maker_add(Cairn__Expression *parent, Cairn__Expression **child)
{
	Cairn__Expression **children =
	    realloc(parent->children, (parent->n_children + 1) * sizeof *children);

	if (children == NULL)
		return CAIRN_ENOMEM;
	parent->children = children;
	children[parent->n_children++] = *child;
	*child = NULL;
	return 0;
}

/* ---- values ------------------------------------------------------------------------------ */

static Cairn__Scalar *
add_value(Cairn__Leaf *leaf)
{
	Cairn__Scalar **values = realloc(leaf->values, (leaf->n_values + 1) * sizeof *values);
	Cairn__Scalar *value;

	if (values == NULL)
		return NULL;
	leaf->values = values;
	value = malloc(sizeof *value);
	if (value == NULL)
		return NULL;
	cairn__scalar__init(value);
	values[leaf->n_values++] = value;
	return value;
}

/* A date as the language writes it. */
static bool
read_day(const char *text, int32_t *ret)
{
	struct cohort_lexer lexer = {.text = text, .length = strlen(text)};
	struct cohort_token token;

	if (strlen(text) != 10 || cohort_next_token(&lexer, &token, NULL) != 0 ||
	    token.kind != TOKEN_DATE)
		return false;
	*ret = token.day;
	return true;
}

static int
set_text(Cairn__Scalar *value, const char *text, bool coded)
{
	char usual[COHORT_VALUE_MAX];

	if (coded && cohort_code_value(text, usual) == 0)
		text = usual;
	value->text = strdup(text);
	if (value->text == NULL)
		return CAIRN_ENOMEM;
	value->value_case = CAIRN__SCALAR__VALUE_TEXT;
	return 0;
}

int
maker_value(Cairn__Leaf *leaf, const char *text, bool usual)
{
	const struct cohort_attribute *known = cohort_attribute_find(leaf->attribute);
	Cairn__Scalar *value = add_value(leaf);

	if (value == NULL)
		return CAIRN_ENOMEM;
	if (text == NULL)
		return 0;
	if (known == NULL || known->type == COHORT_CODE)
		return set_text(value, text, usual && known != NULL && known->coded);
	if (known->type == COHORT_NUMBER) {
		if (text_to_number(text, &value->number) != 0)
			return CAIRN_EINVAL;
		value->value_case = CAIRN__SCALAR__VALUE_NUMBER;
		return 0;
	}
	if (!read_day(text, &value->day))
		return CAIRN_EINVAL;
	value->value_case = CAIRN__SCALAR__VALUE_DAY;
	return 0;
}

int
maker_number(Cairn__Leaf *leaf, double number)
{
	Cairn__Scalar *value = add_value(leaf);

	if (value == NULL)
		return CAIRN_ENOMEM;
	value->number = number;
	value->value_case = CAIRN__SCALAR__VALUE_NUMBER;
	return 0;
}

static bool
same_value(const Cairn__Scalar *a, const Cairn__Scalar *b)
{
	if (a->value_case != b->value_case)
		return false;
	switch (a->value_case) {
	case CAIRN__SCALAR__VALUE_TEXT:
		return strcmp(a->text, b->text) == 0;
	case CAIRN__SCALAR__VALUE_NUMBER:
		return a->number == b->number;
	case CAIRN__SCALAR__VALUE_DAY:
		return a->day == b->day;
	default:
		return true;
	}
}

bool
maker_same_leaf(const Cairn__Leaf *a, const Cairn__Leaf *b)
{
	if (a->operator_ != b->operator_ || a->n_values != b->n_values ||
	    strcmp(a->attribute, b->attribute) != 0)
		return false;
	for (size_t i = 0; i < a->n_values; i++)
		if (!same_value(a->values[i], b->values[i]))
			return false;
	return true;
}

/* ---- notes ------------------------------------------------------------------------------- */

char *
maker_dump(const json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
	json_t *again;

	if (text == NULL)
		return NULL;
	again = json_loads(text, JSON_DECODE_ANY, NULL);
	if (!json_equal(again, json)) {
		free(text);
		text = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);
	}
	json_decref(again);
	return text;
}

int
maker_set_note(ProtobufCBinaryData *note, const json_t *json)
{
	char *text = maker_dump(json);

	if (text == NULL)
		return CAIRN_ENOMEM;
	if (strlen(text) > COHORT_NOTE_MAX) {
		free(text);
		return CAIRN_ELIMIT;
	}
	free(note->data);
	note->data = (uint8_t *)text;
	note->len = strlen(text);
	return 0;
}

json_t *
maker_note(const ProtobufCBinaryData *note)
{
	if (note->len == 0 || note->len > COHORT_NOTE_MAX)
		return NULL;
	return json_loadb((const char *)note->data, note->len, JSON_REJECT_DUPLICATES, NULL);
}
