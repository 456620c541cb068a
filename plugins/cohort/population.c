/* SPDX-License-Identifier: Apache-2.0 */
#include "population.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- attributes -------------------------------------------------------------------------- */

enum kind { CODE, NUMBER, DAY };

static const struct {
	const char *name;
	enum kind kind;
	unsigned level; /* where it is usually stated */
	const char *texts[5];
	const char *unseen; /* may be asked for, and nobody has it */
} attributes[] = {
    {"modality", CODE, 2, {"CT", "MR", "mr", "MG", "ct"}, "US"},
    {"body_part", CODE, 2, {"CHEST", "BREAST", "HEAD", "chest", "LEG"}, "unseen"},
    {"sex", CODE, 0, {"female", "male", "FEMALE", "female", "male"}, "other"},
    {"lesion", CODE, 0, {"icd10:C34", "icd10:C50", "x y", "icd10:c34", "\xc3\xa9"}, "unseen"},
    {"slice_thickness", NUMBER, 2, {0}, NULL}, {"age", NUMBER, 1, {0}, NULL},
    {"volume", NUMBER, 3, {0}, NULL}, {"study_date", DAY, 1, {0}, NULL},
    {"study_day", NUMBER, 1, {0}, NULL}, /* never stated: follows from study_date */
};

#define STATED 8
#define ATTRIBUTES 9
#define STUDY_DATE 7
#define STUDY_DAY 8

uint64_t
random_next(uint64_t *seed)
{
	uint64_t z = (*seed += 0x9e3779b97f4a7c15U);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9U;
	z = (z ^ z >> 27) * 0x94d049bb133111ebU;
	return z ^ z >> 31;
}

size_t
random_below(uint64_t *seed, size_t limit)
{
	return (size_t)(random_next(seed) % limit);
}

/* Values cluster, so that equality and ends of ranges are hit. */
static double
random_number(uint64_t *seed, unsigned attribute)
{
	switch (attribute) {
	case 4:
		return (double)random_below(seed, 12) / 4;
	case 5:
		return (double)random_below(seed, 100);
	case 6:
		return ((double)random_below(seed, 4000) - 2000) / 7;
	case STUDY_DAY:
		return (double)random_below(seed, 40);
	default:
		return 18000 + (double)random_below(seed, 40);
	}
}

/* ---- items ------------------------------------------------------------------------------- */

struct item
random_item(uint64_t *seed)
{
	struct item item = {.fact_count = random_below(seed, 9)};

	item.path[0] = (unsigned)random_below(seed, 9);
	item.path[1] = (unsigned)random_below(seed, 3);
	item.path[2] = (unsigned)random_below(seed, 3);
	item.path[3] = (unsigned)random_below(seed, 100);
	for (size_t i = 0; i < item.fact_count; i++) {
		struct item_fact *fact = &item.facts[i];

		fact->attribute = (unsigned)random_below(seed, STATED);
		fact->level = attributes[fact->attribute].level;
		if (random_below(seed, 10) == 0)
			fact->level = (unsigned)random_below(seed, 4);
		fact->text = (unsigned)random_below(seed, 5);
		fact->number = random_number(seed, fact->attribute);
	}
	return item;
}

void
population_remove(struct population *population, unsigned instance)
{
	for (size_t i = 0; i < population->count; i++)
		if (population->items[i].path[3] == instance)
			population->items[i--] = population->items[--population->count];
}

void
population_put(struct population *population, const struct item *item)
{
	population_remove(population, item->path[3]);
	if (population->count == population->capacity) {
		population->capacity = population->capacity * 2 + 16;
		population->items =
		    realloc(population->items, population->capacity * sizeof *population->items);
		if (population->items == NULL)
			return;
	}
	population->items[population->count++] = *item;
}

void
population_fini(struct population *population)
{
	free(population->items);
	*population = (struct population){0};
}

/* ---- messages ---------------------------------------------------------------------------- */

static char *
numbered(const char *prefix, unsigned number)
{
	char text[32];

	snprintf(text, sizeof text, "%s%u", prefix, number);
	return strdup(text);
}

static Cairn__Fact *
new_fact(const struct item_fact *from)
{
	Cairn__Fact *fact = malloc(sizeof *fact);

	cairn__fact__init(fact);
	fact->attribute = strdup(attributes[from->attribute].name);
	switch (attributes[from->attribute].kind) {
	case CODE:
		fact->value_case = CAIRN__FACT__VALUE_TEXT;
		fact->text = strdup(attributes[from->attribute].texts[from->text]);
		break;
	case NUMBER:
		fact->value_case = CAIRN__FACT__VALUE_NUMBER;
		fact->number = from->number;
		break;
	default:
		fact->value_case = CAIRN__FACT__VALUE_DAY;
		fact->day = (int32_t)from->number;
	}
	return fact;
}

static Cairn__InstanceFacts *
new_instance(const struct item *item)
{
	Cairn__InstanceFacts *facts = malloc(sizeof *facts);

	cairn__instance_facts__init(facts);
	facts->patient = numbered("patient-", item->path[0]);
	facts->study = numbered("2.25.1", item->path[1]);
	facts->series = numbered("2.25.2", item->path[2]);
	facts->instance = numbered("2.25.3", item->path[3]);
	facts->patient_facts = calloc(ITEM_FACTS_MAX, sizeof(void *));
	facts->study_facts = calloc(ITEM_FACTS_MAX, sizeof(void *));
	facts->series_facts = calloc(ITEM_FACTS_MAX, sizeof(void *));
	facts->instance_facts = calloc(ITEM_FACTS_MAX, sizeof(void *));
	for (size_t i = 0; i < item->fact_count; i++) {
		Cairn__Fact *fact = new_fact(&item->facts[i]);

		switch (item->facts[i].level) {
		case 0:
			facts->patient_facts[facts->n_patient_facts++] = fact;
			break;
		case 1:
			facts->study_facts[facts->n_study_facts++] = fact;
			break;
		case 2:
			facts->series_facts[facts->n_series_facts++] = fact;
			break;
		default:
			facts->instance_facts[facts->n_instance_facts++] = fact;
		}
	}
	return facts;
}

Cairn__FactBatch *
batch_new(const struct item *items, size_t count)
{
	Cairn__FactBatch *batch = malloc(sizeof *batch);

	cairn__fact_batch__init(batch);
	batch->instances = calloc(count + 1, sizeof(void *));
	for (; batch->n_instances < count; batch->n_instances++)
		batch->instances[batch->n_instances] = new_instance(&items[batch->n_instances]);
	return batch;
}

void
batch_free(Cairn__FactBatch *batch)
{
	cairn__fact_batch__free_unpacked(batch, NULL);
}

/* ---- expressions ------------------------------------------------------------------------- */

static void
random_value(uint64_t *seed, unsigned attribute, char *ret, size_t size)
{
	double number = random_number(seed, attribute);

	if (attributes[attribute].kind == CODE)
		snprintf(ret, size, "\"%s\"",
		    random_below(seed, 12) == 0
			? attributes[attribute].unseen
			: attributes[attribute].texts[random_below(seed, 5)]);
	else if (attributes[attribute].kind == NUMBER)
		snprintf(ret, size, "%.17g", number);
	else
		snprintf(ret, size, "2019-%02u-%02u", (unsigned)((int)number - 18000) / 28 + 4,
		    (unsigned)((int)number - 18000) % 28 + 1);
}

static void
random_leaf(uint64_t *seed, char *ret, size_t size)
{
	static const char *const operators[] = {"=", "!=", "<", "<=", ">", ">="};
	unsigned attribute = (unsigned)random_below(seed, ATTRIBUTES);
	bool code = attributes[attribute].kind == CODE;
	const char *name = attributes[attribute].name;
	char a[64], b[64];

	random_value(seed, attribute, a, sizeof a);
	random_value(seed, attribute, b, sizeof b);
	switch (random_below(seed, code ? 4 : 6)) {
	case 0:
		snprintf(ret, size, "%s exists", name);
		break;
	case 1:
		snprintf(ret, size, "%s in (%s, %s)", name, a, b);
		break;
	case 2:
	case 3:
		snprintf(
		    ret, size, "%s %s %s", name, operators[random_below(seed, code ? 2 : 6)], a);
		break;
	default:
		if (random_below(seed, 3) == 0)
			snprintf(a, sizeof a, "*");
		else if (random_below(seed, 3) == 0)
			snprintf(b, sizeof b, "*");
		else if (attributes[attribute].kind == DAY ? strcmp(a, b) > 0
							   : strtod(a, NULL) > strtod(b, NULL))
			snprintf(a, sizeof a, "%s", b);
		snprintf(ret, size, "%s between %s and %s", name, a, b);
	}
}

void
random_expression(uint64_t *seed, unsigned depth, char *ret, size_t size)
{
	static const char *const words[] = {"and", "or", "xor"};
	const char *word = words[random_below(seed, 3)];
	size_t used = 0, children = 2 + random_below(seed, 2);

	if (depth == 0 || random_below(seed, 4) == 0) {
		if (random_below(seed, 20) == 0)
			snprintf(ret, size, "*");
		else
			random_leaf(seed, ret, size);
		return;
	}
	switch (random_below(seed, 4)) {
	case 0:
		used = (size_t)snprintf(ret, size, "not (");
		children = 1;
		break;
	case 1:
		used = (size_t)snprintf(
		    ret, size, "same %s (", random_below(seed, 2) == 0 ? "study" : "series");
		children = 1;
		break;
	default:
		used = (size_t)snprintf(ret, size, "(");
	}
	for (size_t i = 0; i < children; i++) {
		if (i > 0)
			used += (size_t)snprintf(ret + used, size - used, " %s ", word);
		random_expression(seed, depth - 1, ret + used, size - used);
		used += strlen(ret + used);
	}
	snprintf(ret + used, size - used, ")");
}

/* ---- the naive answer -------------------------------------------------------------------- */

static bool
shares(const struct item *a, const struct item *b, unsigned level)
{
	for (unsigned i = 0; i <= level; i++)
		if (a->path[i] != b->path[i])
			return false;
	return true;
}

/* -1, 0, 1; text that differs is 1. */
static int
compare(const struct item_fact *fact, const Cairn__Scalar *value)
{
	double number = value->value_case == CAIRN__SCALAR__VALUE_DAY ? value->day : value->number;

	if (value->value_case == CAIRN__SCALAR__VALUE_TEXT)
		return strcasecmp(attributes[fact->attribute].texts[fact->text], value->text) != 0;
	return fact->number < number ? -1 : fact->number > number;
}

static bool
satisfies(const struct item_fact *fact, const Cairn__Leaf *leaf)
{
	if (strcmp(attributes[fact->attribute].name, leaf->attribute) != 0)
		return false;
	switch (leaf->operator_) {
	case CAIRN__LEAF__OPERATOR__EXISTS:
		return true;
	case CAIRN__LEAF__OPERATOR__IN:
		for (size_t i = 0; i < leaf->n_values; i++)
			if (compare(fact, leaf->values[i]) == 0)
				return true;
		return false;
	case CAIRN__LEAF__OPERATOR__BETWEEN:
		return (leaf->values[0]->value_case == CAIRN__SCALAR__VALUE__NOT_SET ||
			   compare(fact, leaf->values[0]) >= 0) &&
		    (leaf->values[1]->value_case == CAIRN__SCALAR__VALUE__NOT_SET ||
			compare(fact, leaf->values[1]) <= 0);
	case CAIRN__LEAF__OPERATOR__EQ:
		return compare(fact, leaf->values[0]) == 0;
	case CAIRN__LEAF__OPERATOR__NE:
		return compare(fact, leaf->values[0]) != 0;
	case CAIRN__LEAF__OPERATOR__LT:
		return compare(fact, leaf->values[0]) < 0;
	case CAIRN__LEAF__OPERATOR__LE:
		return compare(fact, leaf->values[0]) <= 0;
	case CAIRN__LEAF__OPERATOR__GT:
		return compare(fact, leaf->values[0]) > 0;
	default:
		return compare(fact, leaf->values[0]) >= 0;
	}
}

/* Whether the item states a matching fact, and at which levels; study_day is worked out here. */
static unsigned
matching_levels(const struct population *p, const struct item *item, const Cairn__Leaf *leaf)
{
	unsigned levels = 0;

	for (size_t i = 0; i < item->fact_count; i++) {
		struct item_fact day = item->facts[i];
		double first = day.number;

		if (satisfies(&item->facts[i], leaf))
			levels |= 1U << item->facts[i].level;
		if (day.attribute != STUDY_DATE || day.level != 1)
			continue;
		for (size_t j = 0; j < p->count; j++)
			for (size_t k = 0; k < p->items[j].fact_count; k++)
				if (p->items[j].path[0] == item->path[0] &&
				    p->items[j].facts[k].attribute == STUDY_DATE &&
				    p->items[j].facts[k].level == 1 &&
				    p->items[j].facts[k].number < first)
					first = p->items[j].facts[k].number;
		day.attribute = STUDY_DAY;
		day.number -= first;
		if (satisfies(&day, leaf))
			levels |= 1U << 1;
	}
	return levels;
}

/* ret[i]: is the entity of this level to which item i belongs in the set? */
static void
search(const struct population *p, const Cairn__Expression *node, unsigned level, bool *ret)
{
	bool *child = calloc(p->count + 1, sizeof *child);
	unsigned inner = strcmp(node->entity, "study") == 0 ? 1 : 2;

	for (size_t i = 0; i < p->count; i++)
		ret[i] = node->operand == CAIRN__EXPRESSION__OPERAND__ALL;
	for (size_t j = 0; node->leaf != NULL && j < p->count; j++) {
		unsigned levels = matching_levels(p, &p->items[j], node->leaf);

		for (size_t i = 0; i < p->count; i++)
			for (unsigned at = 0; at < 4; at++)
				if ((levels >> at & 1) != 0 &&
				    shares(&p->items[i], &p->items[j], at < level ? at : level))
					ret[i] = true;
	}
	for (size_t c = 0; c < node->n_children; c++) {
		bool same = node->operand == CAIRN__EXPRESSION__OPERAND__SAME;

		search(p, node->children[c], same ? inner : level, child);
		for (size_t i = 0; i < p->count; i++) {
			if (node->operand == CAIRN__EXPRESSION__OPERAND__NOT)
				ret[i] = !child[i];
			else if (node->operand == CAIRN__EXPRESSION__OPERAND__AND)
				ret[i] = child[i] && (c == 0 || ret[i]);
			else if (node->operand == CAIRN__EXPRESSION__OPERAND__OR)
				ret[i] |= child[i];
			else if (node->operand == CAIRN__EXPRESSION__OPERAND__XOR)
				ret[i] ^= child[i];
			for (size_t j = 0; same && j < p->count; j++)
				if (child[j] &&
				    shares(
					&p->items[i], &p->items[j], inner < level ? inner : level))
					ret[i] = true;
		}
	}
	free(child);
}

size_t
population_count(const struct population *p, const Cairn__Expression *expression, unsigned level)
{
	bool *in = calloc(p->count + 1, sizeof *in);
	size_t count = 0;

	search(p, expression, level, in);
	for (size_t i = 0; i < p->count; i++) {
		bool first = true;

		for (size_t j = 0; j < i; j++)
			first &= !shares(&p->items[i], &p->items[j], level);
		count += in[i] && first;
	}
	free(in);
	return count;
}
