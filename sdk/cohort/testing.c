/* SPDX-License-Identifier: Apache-2.0 */
#include "cohort/testing.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cohort/expr.h"

static uint64_t
next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

size_t
testing_below(uint64_t *seed, size_t limit)
{
	return (size_t)(next_random(seed) % limit);
}

static char *
random_text(uint64_t *seed)
{
	static const char *const texts[] = {"CT", "and", "NOT", "5", "2020-01-01", "x y", "\"",
	    "\\", "", "\xc3\xa9t\xc3\xa9", "1.2.840", "a:b/c", "(", "*", "-", "1e5", "+1",
	    "2020-99-99"};

	return strdup(texts[testing_below(seed, sizeof texts / sizeof texts[0])]);
}

static void
random_value(uint64_t *seed, unsigned type, bool in_range, Cairn__Scalar *value)
{
	cairn__scalar__init(value);
	if (type == 0) {
		value->value_case = CAIRN__SCALAR__VALUE_TEXT;
		value->text = random_text(seed);
	} else if (type == 1) {
		value->value_case = CAIRN__SCALAR__VALUE_NUMBER;
		value->number = in_range ? (double)testing_below(seed, 150001) / 1000
					 : ((double)testing_below(seed, 1000000) - 500000) /
			(double)(1 + testing_below(seed, 1000));
	} else {
		value->value_case = CAIRN__SCALAR__VALUE_DAY;
		value->day = (int32_t)testing_below(seed, 3652058) - 719162;
	}
}

static void
set_ends(Cairn__Leaf *leaf, uint64_t *seed)
{
	Cairn__Scalar *low = leaf->values[0], *high = leaf->values[1];
	bool swap = low->value_case == CAIRN__SCALAR__VALUE_NUMBER ? low->number > high->number
								   : low->day > high->day;

	if (swap) {
		leaf->values[0] = high;
		leaf->values[1] = low;
	}
	if (testing_below(seed, 3) == 0)
		cairn__scalar__init(leaf->values[testing_below(seed, 2)]);
}

static Cairn__Leaf *
random_leaf(uint64_t *seed)
{
	static const char *const names[3] = {"model", "age", "study_date"};
	static const char *const unknown[3] = {"zodiac", "x.y_1", "a"};
	unsigned type = (unsigned)testing_below(seed, 3);
	bool known = testing_below(seed, 2) == 0;
	Cairn__Leaf *leaf = malloc(sizeof *leaf);
	size_t count = 1;

	cairn__leaf__init(leaf);
	leaf->attribute = strdup(known ? names[type] : unknown[testing_below(seed, 3)]);
	do
		leaf->operator_ = (Cairn__Leaf__Operator)testing_below(seed, 11);
	while (!cohort_type_takes((enum cohort_type)type, leaf->operator_) ||
	    (known && leaf->operator_ == CAIRN__LEAF__OPERATOR__UNDER));
	if (leaf->operator_ == CAIRN__LEAF__OPERATOR__EXISTS)
		count = 0;
	if (leaf->operator_ == CAIRN__LEAF__OPERATOR__IN ||
	    leaf->operator_ >= CAIRN__LEAF__OPERATOR__UNDER)
		count = 1 + testing_below(seed, 5);
	if (leaf->operator_ == CAIRN__LEAF__OPERATOR__BETWEEN)
		count = 2;
	leaf->values = calloc(count + 1, sizeof *leaf->values);
	for (leaf->n_values = 0; leaf->n_values < count; leaf->n_values++) {
		leaf->values[leaf->n_values] = malloc(sizeof(Cairn__Scalar));
		random_value(seed, type, known, leaf->values[leaf->n_values]);
	}
	if (leaf->operator_ == CAIRN__LEAF__OPERATOR__BETWEEN)
		set_ends(leaf, seed);
	return leaf;
}

static Cairn__Window *
random_window(uint64_t *seed)
{
	Cairn__Window *window = malloc(sizeof *window);
	size_t which = testing_below(seed, 5);

	cairn__window__init(window);
	window->from = (int32_t)testing_below(seed, 21) - 10;
	window->to = window->from + (int32_t)testing_below(seed, 20);
	if (which == 0)
		window->to = -(window->from = -(int32_t)testing_below(seed, 9));
	window->open_from = which == 1;
	window->open_to = which == 2;
	if (window->open_from)
		window->from = 0;
	if (window->open_to)
		window->to = 0;
	return window;
}

static char *
random_entity(uint64_t *seed)
{
	enum cohort_entity entity;

	do
		entity = (enum cohort_entity)testing_below(seed, COHORT_ENTITIES);
	while (!cohort_entity_groups(entity));
	return strdup(cohort_entity_name(entity));
}

Cairn__Expression *
testing_tree(uint64_t *seed, unsigned depth)
{
	Cairn__Expression *node = malloc(sizeof *node);
	size_t count = 0;

	cairn__expression__init(node);
	node->operand = depth == 0 ? CAIRN__EXPRESSION__OPERAND__LEAF
				   : (Cairn__Expression__Operand)testing_below(seed, 9);
	if (node->operand == CAIRN__EXPRESSION__OPERAND__LEAF)
		node->leaf = random_leaf(seed);
	else if (node->operand <= CAIRN__EXPRESSION__OPERAND__XOR)
		count = 2 + testing_below(seed, 3);
	else if (node->operand == CAIRN__EXPRESSION__OPERAND__WITHIN)
		count = 2;
	else if (node->operand != CAIRN__EXPRESSION__OPERAND__ALL)
		count = 1;
	if (node->operand == CAIRN__EXPRESSION__OPERAND__SAME ||
	    node->operand == CAIRN__EXPRESSION__OPERAND__AT_LEAST)
		node->entity = random_entity(seed);
	if (node->operand == CAIRN__EXPRESSION__OPERAND__AT_LEAST)
		node->number = 1 + (uint32_t)testing_below(seed, 3);
	if (node->operand == CAIRN__EXPRESSION__OPERAND__WITHIN)
		node->window = random_window(seed);
	node->children = calloc(count + 1, sizeof(void *));
	for (; node->n_children < count; node->n_children++)
		node->children[node->n_children] = testing_tree(seed, depth - 1);
	return node;
}

static const char *
random_code(uint64_t *seed, const struct cohort_attribute *field)
{
	static const char *const coded[] = {
	    "icd10:C50", "icd10:C34.1", "snomed:254837009", "snomed:7", "http://x.org/y|Z"};
	static const char *const free_text[] = {"SIEMENS%", "GE", "GE %", "A B", "x%y", "5", "MR"};
	size_t count = 0;

	if (field->coded)
		return coded[testing_below(seed, 5)];
	if (strcmp(field->name, "sop_class") == 0)
		return "1.2.840.10008.5.1.4.1.1.2";
	if (field->codes == NULL)
		return free_text[testing_below(seed, 7)];
	while (field->codes[count] != NULL)
		count++;
	return field->codes[testing_below(seed, count)];
}

static Cairn__Scalar *
random_of(uint64_t *seed, const struct cohort_attribute *field)
{
	Cairn__Scalar *value = malloc(sizeof *value);
	double span = field->max - field->min;

	cairn__scalar__init(value);
	if (field->type == COHORT_CODE) {
		value->value_case = CAIRN__SCALAR__VALUE_TEXT;
		value->text = strdup(random_code(seed, field));
		return value;
	}
	cohort_range_end(field, field->min + (double)testing_below(seed, span > 9 ? 9 : 2), value);
	return value;
}

/* A field of the table with values that it takes, in order where there are two. */
static Cairn__Leaf *
known_leaf(uint64_t *seed)
{
	const struct cohort_attribute *field;
	Cairn__Leaf *leaf = malloc(sizeof *leaf);
	size_t count = 1;

	do
		field = cohort_attribute_at(testing_below(seed, COHORT_ATTRIBUTES));
	while (field->withheld);
	cairn__leaf__init(leaf);
	leaf->attribute = strdup(field->name);
	do
		leaf->operator_ = (Cairn__Leaf__Operator)testing_below(seed, 11);
	while (!cohort_attribute_takes(field, leaf->operator_) ||
	    leaf->operator_ == CAIRN__LEAF__OPERATOR__LE ||
	    leaf->operator_ == CAIRN__LEAF__OPERATOR__GE);
	if (leaf->operator_ == CAIRN__LEAF__OPERATOR__EXISTS)
		count = 0;
	if (leaf->operator_ == CAIRN__LEAF__OPERATOR__IN ||
	    leaf->operator_ >= CAIRN__LEAF__OPERATOR__UNDER)
		count += testing_below(seed, 3);
	if (leaf->operator_ == CAIRN__LEAF__OPERATOR__BETWEEN)
		count = 2;
	leaf->values = calloc(count + 1, sizeof(void *));
	for (; leaf->n_values < count; leaf->n_values++)
		leaf->values[leaf->n_values] = random_of(seed, field);
	if (leaf->operator_ == CAIRN__LEAF__OPERATOR__BETWEEN)
		set_ends(leaf, seed);
	return leaf;
}

Cairn__Expression *
testing_lens_tree(uint64_t *seed, unsigned depth)
{
	Cairn__Expression *node = malloc(sizeof *node);
	size_t count = 0;

	cairn__expression__init(node);
	node->operand = depth == 0 ? CAIRN__EXPRESSION__OPERAND__LEAF
				   : (Cairn__Expression__Operand)testing_below(seed, 5);
	if (node->operand == CAIRN__EXPRESSION__OPERAND__LEAF)
		node->leaf = known_leaf(seed);
	else
		count = node->operand == CAIRN__EXPRESSION__OPERAND__NOT
		    ? 1
		    : 2 + testing_below(seed, 2);
	node->children = calloc(count + 1, sizeof(void *));
	for (; node->n_children < count; node->n_children++)
		node->children[node->n_children] = testing_lens_tree(seed, depth - 1);
	return node;
}

/* Leaves of the table, and at the end perhaps a variant; with one that Beacon reads otherwise (IN
 * of one value, an open range) left out. */
Cairn__Expression *
testing_conjunction(uint64_t *seed)
{
	Cairn__Expression *all = malloc(sizeof *all), *child;
	size_t count = 2 + testing_below(seed, 2);

	cairn__expression__init(all);
	all->operand = CAIRN__EXPRESSION__OPERAND__AND;
	all->children = calloc(count + 1, sizeof(void *));
	while (all->n_children < count) {
		child = testing_lens_tree(seed, 0);
		if (child->leaf->operator_ == CAIRN__LEAF__OPERATOR__IN ||
		    child->leaf->operator_ == CAIRN__LEAF__OPERATOR__BETWEEN ||
		    child->leaf->operator_ == CAIRN__LEAF__OPERATOR__EXISTS ||
		    child->leaf->n_values > 1)
			cairn__expression__free_unpacked(child, NULL);
		else
			all->children[all->n_children++] = child;
	}
	if (testing_below(seed, 2) == 0)
		cohort_parse("variant (EGFR, L858R)", &all->children[all->n_children++], NULL);
	return all;
}
