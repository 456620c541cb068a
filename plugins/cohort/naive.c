/* SPDX-License-Identifier: Apache-2.0 */
/* The naive answer: a list of all entities with their facts, gone through for every criterion. */
#include "population.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cohort/expr.h"

#define ENTRY 4
#define ANY (-1)
#define UNDATED (-1e9)

struct thing {
	unsigned level, path[4];
	const char *kind; /* of entries */
	const struct record *record;
	struct item_fact *facts;
	size_t count;
	double day;
};

struct world {
	struct thing *things;
	size_t count;
};

struct place {
	unsigned level;
	const char *kind; /* of entries; NULL: any */
	unsigned scope;
};

/* ---- the list ---------------------------------------------------------------------------- */

static struct thing *
find_thing(struct world *w, unsigned level, const unsigned path[4], const struct record *record)
{
	struct thing *thing;

	for (size_t i = 0; i < w->count; i++) {
		thing = &w->things[i];
		if (thing->level != level || thing->record != record)
			continue;
		if (memcmp(thing->path, path, (level == ENTRY ? 1 : level + 1) * sizeof path[0]) ==
		    0)
			return thing;
	}
	w->things = realloc(w->things, (w->count + 1) * sizeof *w->things);
	thing = &w->things[w->count++];
	*thing = (struct thing){.level = level, .record = record, .day = UNDATED};
	memcpy(thing->path, path, sizeof thing->path);
	return thing;
}

static void
add_fact(struct thing *thing, const struct item_fact *fact)
{
	thing->facts = realloc(thing->facts, (thing->count + 1) * sizeof *thing->facts);
	thing->facts[thing->count++] = *fact;
}

static bool
is_date(const struct thing *thing, const struct item_fact *fact)
{
	const char *name = attributes[fact->attribute].name;

	if (thing->level == 1)
		return fact->attribute == STUDY_DATE;
	if (thing->level != ENTRY || strcmp(thing->kind, "variant") == 0)
		return false;
	if (strcmp(thing->kind, "condition") == 0)
		return strcmp(name, "diagnosis_date") == 0;
	return strncmp(name, thing->kind, strlen(thing->kind)) == 0 &&
	    strstr(name, "_date") != NULL;
}

static void
set_days(struct world *w)
{
	for (size_t i = 0; i < w->count; i++)
		for (size_t f = 0; f < w->things[i].count; f++)
			if (is_date(&w->things[i], &w->things[i].facts[f]) &&
			    (w->things[i].day == UNDATED ||
				w->things[i].facts[f].number < w->things[i].day))
				w->things[i].day = w->things[i].facts[f].number;
}

/* study_day of every date of every study. */
static void
add_study_days(struct world *w)
{
	for (size_t i = 0; i < w->count; i++) {
		struct thing *study = &w->things[i];
		double first = study->day;
		size_t count = study->count;

		if (study->level != 1)
			continue;
		for (size_t j = 0; j < w->count; j++)
			if (w->things[j].level == 1 && w->things[j].path[0] == study->path[0] &&
			    w->things[j].day != UNDATED && w->things[j].day < first)
				first = w->things[j].day;
		for (size_t f = 0; f < count; f++) {
			struct item_fact day = study->facts[f];

			if (day.attribute != STUDY_DATE)
				continue;
			day.attribute = STUDY_DAY;
			day.number -= first;
			add_fact(study, &day);
		}
	}
}

static struct world
make_world(const struct population *p)
{
	struct world w = {0};

	for (size_t i = 0; i < p->count; i++) {
		const struct item *item = &p->items[i];

		for (unsigned level = 0; level < 4; level++)
			find_thing(&w, level, item->path, NULL);
		for (size_t f = 0; f < item->fact_count; f++)
			add_fact(find_thing(&w, item->facts[f].level, item->path, NULL),
			    &item->facts[f]);
	}
	for (size_t i = 0; i < p->record_count; i++) {
		const struct record *r = &p->records[i];
		unsigned path[4] = {r->patient, 0, 0, 0};
		bool patient = r->kind == NO_KIND;
		struct thing *thing = find_thing(&w, 0, path, NULL);

		if (!patient)
			thing = find_thing(&w, ENTRY, path, r);
		if (!patient)
			thing->kind = record_kind(r->kind);
		for (size_t f = 0; f < r->fact_count; f++)
			add_fact(thing, &r->facts[f]);
	}
	set_days(&w);
	add_study_days(&w);
	return w;
}

static void
free_world(struct world *w)
{
	for (size_t i = 0; i < w->count; i++)
		free(w->things[i].facts);
	free(w->things);
}

/* ---- criteria ---------------------------------------------------------------------------- */

/* -1, 0, 1; text that differs is 1. */
static int
compare(const struct item_fact *fact, const Cairn__Scalar *value)
{
	double number = value->value_case == CAIRN__SCALAR__VALUE_DAY ? value->day : value->number;

	if (value->value_case == CAIRN__SCALAR__VALUE_TEXT)
		return strcasecmp(attributes[fact->attribute].texts[fact->text], value->text) != 0;
	return fact->number < number ? -1 : fact->number > number;
}

/* The codes of the tests are ICD-10's, where what is below begins alike; the patterns have one %.
 */
static bool
among(const struct item_fact *fact, const Cairn__Leaf *leaf)
{
	const char *text = attributes[fact->attribute].texts[fact->text];

	for (size_t i = 0; i < leaf->n_values; i++) {
		const char *value = leaf->values[i]->text;
		size_t length;

		if (leaf->operator_ == CAIRN__LEAF__OPERATOR__IN) {
			if (compare(fact, leaf->values[i]) == 0)
				return true;
			continue;
		}
		length = strlen(value);
		if (leaf->operator_ == CAIRN__LEAF__OPERATOR__UNDER
			? strncasecmp(text, value, length) == 0
			: value[0] == '%' ? strlen(text) >= length - 1 &&
			    strcasecmp(text + strlen(text) - (length - 1), value + 1) == 0
					  : strncasecmp(text, value, length - 1) == 0)
			return true;
	}
	return false;
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
	case CAIRN__LEAF__OPERATOR__UNDER:
	case CAIRN__LEAF__OPERATOR__LIKE:
		return among(fact, leaf);
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

static bool
has_match(const struct thing *thing, const Cairn__Leaf *leaf)
{
	for (size_t f = 0; f < thing->count; f++)
		if (satisfies(&thing->facts[f], leaf))
			return true;
	return false;
}

/* Of entries in the table: what kind the attribute is about. */
static const char *
kind_of(const char *attribute)
{
	const struct cohort_attribute *known = cohort_attribute_find(attribute);

	return known != NULL && known->entity > COHORT_INSTANCE ? cohort_entity_name(known->entity)
								: NULL;
}

/* ---- relations --------------------------------------------------------------------------- */

static bool
same_patient(const struct thing *a, const struct thing *b)
{
	return a->path[0] == b->path[0];
}

/* One is the other, or contains it; entries and images meet at the patient. */
static bool
related(const struct thing *a, const struct thing *b)
{
	unsigned level = a->level < b->level ? a->level : b->level;

	if (a->level == ENTRY || b->level == ENTRY)
		return a == b || (a->level != b->level && same_patient(a, b));
	return memcmp(a->path, b->path, (level + 1) * sizeof a->path[0]) == 0;
}

static bool
is_at(const struct thing *thing, const struct place *at)
{
	return thing->level == at->level &&
	    (at->level != ENTRY || at->kind == NULL || strcmp(thing->kind, at->kind) == 0);
}

/* To another place; entries of another kind speak through their patient. */
static void
carry(const struct world *w, const bool *from, const struct place *at, bool *ret)
{
	for (size_t i = 0; i < w->count; i++) {
		const struct thing *x = &w->things[i];

		ret[i] = false;
		for (size_t j = 0; j < w->count && x->level == at->level; j++) {
			const struct thing *t = &w->things[j];
			bool foreign = t->level == ENTRY && at->level == ENTRY &&
			    at->kind != NULL && strcmp(t->kind, at->kind) != 0;

			ret[i] |= from[j] && (foreign ? same_patient(x, t) : related(x, t));
		}
	}
}

static void search(
    const struct world *w, const Cairn__Expression *node, const struct place *at, bool *ret);

/* ---- operators --------------------------------------------------------------------------- */

static void
search_leaf(const struct world *w, const Cairn__Leaf *leaf, const struct place *at, bool *ret)
{
	const char *kind = kind_of(leaf->attribute);
	bool foreign =
	    at->level == ENTRY && at->kind != NULL && kind != NULL && strcmp(kind, at->kind) != 0;

	for (size_t j = 0; j < w->count; j++)
		for (size_t i = 0; has_match(&w->things[j], leaf) && i < w->count; i++)
			if (w->things[i].level == at->level &&
			    (foreign ? same_patient(&w->things[i], &w->things[j])
				     : related(&w->things[i], &w->things[j])))
				ret[i] = true;
}

static struct place
place_of(const char *entity)
{
	struct place place = {1, NULL, 0};

	if (strcmp(entity, "study") == 0)
		return (struct place){1, NULL, 1};
	if (strcmp(entity, "series") == 0)
		return (struct place){2, NULL, 0};
	place.level = ENTRY;
	place.kind = entity;
	return place;
}

/* The entities of a place that satisfy the node. */
static void
search_members(
    const struct world *w, const Cairn__Expression *node, const struct place *at, bool *ret)
{
	search(w, node, at, ret);
	for (size_t i = 0; i < w->count; i++)
		ret[i] &= is_at(&w->things[i], at);
}

static void
search_same(const struct world *w, const Cairn__Expression *node, const struct place *at, bool *ret)
{
	struct place inside = place_of(node->entity);
	bool *set = calloc(w->count + 1, sizeof *set);

	search_members(w, node->children[0], &inside, set);
	carry(w, set, at, ret);
	free(set);
}

static void
search_at_least(
    const struct world *w, const Cairn__Expression *node, const struct place *at, bool *ret)
{
	struct place inside = place_of(node->entity);
	unsigned above = inside.level == 2 && at->scope == 1 ? 1 : 0;
	bool *set = calloc(w->count + 1, sizeof *set), *found = calloc(w->count + 1, sizeof *found);

	search_members(w, node->children[0], &inside, set);
	for (size_t i = 0; i < w->count; i++) {
		size_t count = 0;

		for (size_t j = 0; j < w->count && w->things[i].level == above; j++)
			count += set[j] && related(&w->things[i], &w->things[j]);
		found[i] = w->things[i].level == above && count >= node->number;
	}
	carry(w, found, at, ret);
	free(set);
	free(found);
}

/* Adds what `node` selects of dated entities: bit 0 studies, bit 1 entries of any kind, bit 2 and
 * up entries of a kind. */
static unsigned
selects(const struct world *w, const Cairn__Expression *node)
{
	unsigned bits = 0;
	const char *kind = node->leaf != NULL ? kind_of(node->leaf->attribute) : NULL;

	if (node->operand == CAIRN__EXPRESSION__OPERAND__ALL)
		return 3;
	if (node->operand == CAIRN__EXPRESSION__OPERAND__AT_LEAST)
		return 0;
	if (node->operand == CAIRN__EXPRESSION__OPERAND__WITHIN)
		return selects(w, node->children[0]);
	if (node->operand == CAIRN__EXPRESSION__OPERAND__SAME)
		kind = node->entity;
	if (kind != NULL) {
		for (unsigned k = 0; k < RECORD_KINDS; k++)
			if (strcmp(record_kind(k), kind) == 0)
				return 4U << k;
		return 1;
	}
	if (node->leaf != NULL && cohort_attribute_find(node->leaf->attribute) != NULL)
		return cohort_attribute_find(node->leaf->attribute)->entity != COHORT_PATIENT;
	for (size_t i = 0; node->leaf != NULL && i < w->count; i++)
		for (size_t f = 0; f < w->things[i].count; f++)
			if (strcmp(attributes[w->things[i].facts[f].attribute].name,
				node->leaf->attribute) == 0)
				bits |= w->things[i].level == ENTRY ? 2 : w->things[i].level > 0;
	for (size_t i = 0; i < node->n_children; i++)
		bits |= selects(w, node->children[i]);
	return bits;
}

static void
search_operand(const struct world *w, const Cairn__Expression *node, bool *ret)
{
	unsigned bits = selects(w, node);
	bool *set = calloc(w->count + 1, sizeof *set);

	for (unsigned k = 0; k < RECORD_KINDS + 2; k++) {
		struct place at = {k == 0 ? 1 : ENTRY, k < 2 ? NULL : record_kind(k - 2), 0};

		/* Asked among all entries, kinds need not be asked one by one. */
		if ((bits >> k & 1) == 0 || (k > 1 && (bits & 2) != 0))
			continue;
		memset(set, 0, w->count * sizeof *set);
		search_members(w, node, &at, set);
		for (size_t i = 0; i < w->count; i++)
			ret[i] |= set[i] && w->things[i].day != UNDATED;
	}
	free(set);
}

static void
search_within(
    const struct world *w, const Cairn__Expression *node, const struct place *at, bool *ret)
{
	bool *a = calloc(w->count + 1, sizeof *a), *b = calloc(w->count + 1, sizeof *b);

	search_operand(w, node->children[0], a);
	search_operand(w, node->children[1], b);
	for (size_t i = 0; i < w->count; i++) {
		bool found = false;

		for (size_t j = 0; a[i] && j < w->count; j++) {
			double days = w->things[j].day - w->things[i].day;

			found |= b[j] && same_patient(&w->things[i], &w->things[j]) &&
			    (node->window->open_from || days >= node->window->from) &&
			    (node->window->open_to || days <= node->window->to);
		}
		a[i] = found;
	}
	carry(w, a, at, ret);
	free(a);
	free(b);
}

static void
search_list(const struct world *w, const Cairn__Expression *node, const struct place *at, bool *ret)
{
	bool *child = calloc(w->count + 1, sizeof *child);

	for (size_t c = 0; c < node->n_children; c++) {
		memset(child, 0, w->count * sizeof *child);
		search(w, node->children[c], at, child);
		for (size_t i = 0; i < w->count; i++) {
			if (node->operand == CAIRN__EXPRESSION__OPERAND__NOT)
				ret[i] = w->things[i].level == at->level && !child[i];
			else if (node->operand == CAIRN__EXPRESSION__OPERAND__AND)
				ret[i] = child[i] && (c == 0 || ret[i]);
			else if (node->operand == CAIRN__EXPRESSION__OPERAND__OR)
				ret[i] |= child[i];
			else
				ret[i] ^= child[i];
		}
	}
	free(child);
}

/* ret[i], all false at first: is thing i, of the place's level, in the set? */
static void
search(const struct world *w, const Cairn__Expression *node, const struct place *at, bool *ret)
{
	switch (node->operand) {
	case CAIRN__EXPRESSION__OPERAND__LEAF:
		search_leaf(w, node->leaf, at, ret);
		break;
	case CAIRN__EXPRESSION__OPERAND__ALL:
		for (size_t i = 0; i < w->count; i++)
			ret[i] = w->things[i].level == at->level;
		break;
	case CAIRN__EXPRESSION__OPERAND__SAME:
		search_same(w, node, at, ret);
		break;
	case CAIRN__EXPRESSION__OPERAND__AT_LEAST:
		search_at_least(w, node, at, ret);
		break;
	case CAIRN__EXPRESSION__OPERAND__WITHIN:
		search_within(w, node, at, ret);
		break;
	default:
		search_list(w, node, at, ret);
	}
}

size_t
population_count(const struct population *p, const Cairn__Expression *expression, unsigned level)
{
	struct world w = make_world(p);
	const struct place at = {level, NULL, 0};
	bool *in = calloc(w.count + 1, sizeof *in);
	size_t count = 0;

	search(&w, expression, &at, in);
	for (size_t i = 0; i < w.count; i++)
		count += in[i] && w.things[i].level == level;
	free(in);
	free_world(&w);
	return count;
}
