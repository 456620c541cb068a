/* SPDX-License-Identifier: Apache-2.0 */
#include "population.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- attributes -------------------------------------------------------------------------- */

const struct population_attribute attributes[] = {
    {"modality", CODE, 2, {"CT", "MR", "mr", "MG", "ct"}, "US"},
    {"body_part", CODE, 2, {"CHEST", "BREAST", "HEAD", "chest", "LEG"}, "unseen"},
    {"sex", CODE, 0, {"female", "male", "FEMALE", "female", "male"}, "other"},
    {"lesion", CODE, 0, {"icd10:C34", "icd10:C50", "x y", "icd10:c34", "\xc3\xa9"}, "unseen"},
    {"slice_thickness", NUMBER, 2, {0}, NULL}, {"age", NUMBER, 1, {0}, NULL},
    {"volume", NUMBER, 3, {0}, NULL}, {"study_date", DAY, 1, {0}, NULL},
    {"study_day", NUMBER, 1, {0}, NULL}, /* never stated: follows from study_date */
    {"diagnosis", CODE, 4, {"icd10:C34", "icd10:C34.1", "icd10:C50", "icd10:C50.1", "icd10:c34.9"},
	"icd10:C61"},
    {"laterality", CODE, 4, {"left", "right", "LEFT", "bilateral", "left"}, "right"},
    {"diagnosis_date", DAY, 4, {0}, NULL}, {"observation_value", NUMBER, 4, {0}, NULL},
    {"observation_date", DAY, 4, {0}, NULL},
    {"procedure_kind", CODE, 4, {"surgery", "biopsy", "surgery", "radiotherapy", "other"},
	"imaging"},
    {"procedure_date", DAY, 4, {0}, NULL},
    {"gene", CODE, 4, {"BRCA1", "BRCA2", "EGFR", "brca1", "KRAS"}, "TP53"},
    {"marker", CODE, 4, {"a", "ab", "B", "bb", "abc"}, "unseen"}, /* of entries of any kind */
};

#define STATED 8
#define ATTRIBUTES 18

/* Of entries: kind and attributes. */
static const struct {
	const char *name;
	unsigned attributes[4];
	size_t count;
} kinds[RECORD_KINDS] = {
    {"condition", {9, 10, 11, 17}, 4},
    {"observation", {12, 13, 17}, 3},
    {"procedure", {14, 15, 17}, 3},
    {"variant", {16, 17}, 2},
};

const char *
record_kind(unsigned kind)
{
	return kinds[kind].name;
}

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
	case 12:
		return (double)random_below(seed, 8);
	default:
		return 18000 + (double)random_below(seed, 40);
	}
}

/* ---- items ------------------------------------------------------------------------------- */

static void
random_fact(uint64_t *seed, struct item_fact *fact)
{
	fact->text = (unsigned)random_below(seed, 5);
	fact->number = random_number(seed, fact->attribute);
}

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
		random_fact(seed, fact);
	}
	return item;
}

/* What is added to days that are stated under the number. */
static int
days_of(const struct population *population, unsigned patient)
{
	int days = 0;

	for (; patient < PATIENTS && population->alias[patient] != 0;
	     patient = population->alias[patient] - 1)
		days += population->alias_days[patient];
	return days;
}

static void
move_days(struct item_fact *facts, size_t count, int days)
{
	for (size_t i = 0; i < count; i++)
		if (attributes[facts[i].attribute].kind == DAY)
			facts[i].number += days;
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
	struct item copy = *item;

	copy.path[0] = population_resolve(population, item->path[0]);
	move_days(copy.facts, copy.fact_count, days_of(population, item->path[0]));
	population_remove(population, item->path[3]);
	if (population->count == population->capacity) {
		population->capacity = population->capacity * 2 + 16;
		population->items =
		    realloc(population->items, population->capacity * sizeof *population->items);
		if (population->items == NULL)
			return;
	}
	population->items[population->count++] = copy;
}

void
population_fini(struct population *population)
{
	free(population->items);
	free(population->records);
	*population = (struct population){0};
}

/* ---- records ----------------------------------------------------------------------------- */

struct statement
random_statement(uint64_t *seed)
{
	struct statement s = {.patient = (unsigned)random_below(seed, 12),
	    .source = (unsigned)random_below(seed, 3),
	    .withdrawn = random_below(seed, 6) == 0,
	    .replaces = NOBODY};

	if (random_below(seed, 12) == 0)
		s.replaces = (unsigned)random_below(seed, 12);
	if (random_below(seed, 3) > 0)
		s.days = (int)random_below(seed, 21) - 10;
	if (random_below(seed, 2) == 0) {
		s.facts[0].attribute = random_below(seed, 2) == 0 ? 2 : 3;
		random_fact(seed, &s.facts[0]);
		s.fact_count = 1;
	}
	s.record_count = random_below(seed, STATEMENT_RECORDS + 1);
	for (size_t i = 0; i < s.record_count; i++) {
		struct record *r = &s.records[i];

		r->kind = (unsigned)random_below(seed, RECORD_KINDS);
		r->id = (unsigned)random_below(seed, 6);
		r->withdrawn = random_below(seed, 8) == 0;
		r->fact_count = random_below(seed, 5);
		for (size_t f = 0; f < r->fact_count; f++) {
			r->facts[f].level = 4;
			r->facts[f].attribute =
			    kinds[r->kind].attributes[random_below(seed, kinds[r->kind].count)];
			random_fact(seed, &r->facts[f]);
		}
	}
	return s;
}

unsigned
population_resolve(const struct population *population, unsigned patient)
{
	while (patient < PATIENTS && population->alias[patient] != 0)
		patient = population->alias[patient] - 1;
	return patient;
}

static struct record *
find_record(struct population *p, unsigned patient, unsigned source, unsigned kind, unsigned id)
{
	for (size_t i = 0; i < p->record_count; i++) {
		struct record *r = &p->records[i];

		if (r->patient == patient && r->source == source && r->kind == kind && r->id == id)
			return r;
	}
	return NULL;
}

static struct record *
add_record(struct population *p, unsigned patient, unsigned source, unsigned kind, unsigned id)
{
	struct record *r = find_record(p, patient, source, kind, id);

	if (r != NULL)
		return r;
	p->records = realloc(p->records, (p->record_count + 1) * sizeof *p->records);
	r = &p->records[p->record_count++];
	*r = (struct record){.patient = patient, .source = source, .kind = kind, .id = id};
	return r;
}

static void
drop_record(struct population *p, struct record *r)
{
	*r = p->records[--p->record_count];
}

/* Facts of `from` whose attribute `to` does not have. */
static void
add_missing(struct record *to, const struct record *from)
{
	size_t own = to->fact_count;

	for (size_t i = 0; i < from->fact_count; i++) {
		bool has = false;

		for (size_t j = 0; j < own; j++)
			has |= to->facts[j].attribute == from->facts[i].attribute;
		if (!has && to->fact_count < ITEM_FACTS_MAX)
			to->facts[to->fact_count++] = from->facts[i];
	}
}

static void
merge(struct population *p, const struct statement *s, unsigned patient)
{
	unsigned old = population_resolve(p, s->replaces);
	int days = s->days + days_of(p, s->patient) - days_of(p, s->replaces);

	for (unsigned at = s->patient + 1; at != 0; at = p->alias[at - 1])
		if (at - 1 == s->replaces)
			return;
	if (old == patient) {
		p->alias_days[s->replaces] += days;
		return;
	}
	p->alias[old] = patient + 1;
	p->alias_days[old] = days;
	for (size_t i = 0; i < p->count; i++)
		if (p->items[i].path[0] == old) {
			p->items[i].path[0] = patient;
			move_days(p->items[i].facts, p->items[i].fact_count, days);
		}
	for (size_t i = 0; i < p->record_count; i++) {
		struct record *r = &p->records[i], *has;

		if (r->patient != old)
			continue;
		move_days(r->facts, r->fact_count, days);
		has = find_record(p, patient, r->source, r->kind, r->id);
		if (has == NULL) {
			r->patient = patient;
			continue;
		}
		if (r->kind == NO_KIND)
			add_missing(has, r);
		drop_record(p, r);
		i--;
	}
}

static void
state_facts(struct population *p, const struct statement *s, unsigned patient)
{
	bool bare = !s->withdrawn && s->fact_count + s->record_count == 0 && s->replaces == NOBODY;
	struct record *r, before;

	if (s->fact_count == 0 && !bare)
		return;
	r = add_record(p, patient, s->source, NO_KIND, 0);
	before = *r;
	memcpy(r->facts, s->facts, sizeof s->facts);
	r->fact_count = s->fact_count;
	move_days(r->facts, r->fact_count, days_of(p, s->patient));
	add_missing(r, &before);
}

void
population_state(struct population *p, const struct statement *s)
{
	unsigned patient = population_resolve(p, s->patient);

	if (s->replaces != NOBODY)
		merge(p, s, patient);
	for (size_t i = 0; s->withdrawn && i < p->record_count; i++)
		if (p->records[i].patient == patient && p->records[i].source == s->source)
			drop_record(p, &p->records[i--]);
	state_facts(p, s, patient);
	for (size_t i = 0; i < s->record_count; i++) {
		struct record *r =
		    add_record(p, patient, s->source, s->records[i].kind, s->records[i].id);

		if (s->records[i].withdrawn) {
			drop_record(p, r);
			continue;
		}
		memcpy(r->facts, s->records[i].facts, sizeof r->facts);
		r->fact_count = s->records[i].fact_count;
		move_days(r->facts, r->fact_count, days_of(p, s->patient));
	}
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

static Cairn__EntryFacts *
new_entry(const struct record *record)
{
	Cairn__EntryFacts *entry = malloc(sizeof *entry);

	cairn__entry_facts__init(entry);
	entry->kind = strdup(kinds[record->kind].name);
	entry->id = numbered("id", record->id);
	entry->withdrawn = record->withdrawn;
	entry->facts = calloc(ITEM_FACTS_MAX, sizeof(void *));
	for (; entry->n_facts < record->fact_count; entry->n_facts++)
		entry->facts[entry->n_facts] = new_fact(&record->facts[entry->n_facts]);
	return entry;
}

Cairn__FactBatch *
batch_of_statement(const struct statement *s)
{
	Cairn__FactBatch *batch = batch_new(NULL, 0);
	Cairn__PatientFacts *facts = malloc(sizeof *facts);

	cairn__patient_facts__init(facts);
	batch->source = numbered("source", s->source);
	batch->patients = calloc(1, sizeof(void *));
	batch->patients[batch->n_patients++] = facts;
	facts->patient = numbered("patient-", s->patient);
	facts->withdrawn = s->withdrawn;
	facts->facts = calloc(ITEM_FACTS_MAX, sizeof(void *));
	for (; facts->n_facts < s->fact_count; facts->n_facts++)
		facts->facts[facts->n_facts] = new_fact(&s->facts[facts->n_facts]);
	facts->entries = calloc(STATEMENT_RECORDS, sizeof(void *));
	for (; facts->n_entries < s->record_count; facts->n_entries++)
		facts->entries[facts->n_entries] = new_entry(&s->records[facts->n_entries]);
	if (s->replaces != NOBODY) {
		facts->replaces = calloc(1, sizeof(char *));
		facts->replaces[facts->n_replaces++] = numbered("patient-", s->replaces);
		facts->replaces_days = calloc(1, sizeof(int32_t));
		facts->replaces_days[0] = s->days;
		facts->n_replaces_days = s->days != 0;
	}
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

	if (random_below(seed, 12) == 0) {
		static const char *const manies[] = {"gene like \"brca%\"", "marker like \"%b\"",
		    "diagnosis in icd10:C34", "diagnosis in icd10:C50, icd10:C34.1",
		    "diagnosis like \"icd10:C%\"", "diagnosis in icd10:C61"};

		snprintf(ret, size, "%s", manies[random_below(seed, 6)]);
		return;
	}
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

static size_t
random_group(uint64_t *seed, char *ret, size_t size)
{
	static const char *const same[] = {
	    "study", "series", "condition", "observation", "procedure", "variant"};
	static const char *const many[] = {
	    "studies", "series", "conditions", "observations", "procedures", "variants"};
	size_t which = random_below(seed, 6);

	return random_below(seed, 3) == 0 ? (size_t)snprintf(ret, size, "at least %zu %s (",
						1 + random_below(seed, 3), many[which])
					  : (size_t)snprintf(ret, size, "same %s (", same[which]);
}

static void
random_within(uint64_t *seed, unsigned depth, char *ret, size_t size)
{
	static const char *const words[] = {"before", "after", "of"};
	size_t used = (size_t)snprintf(ret, size, "((");

	random_expression(seed, depth - 1, ret + used, size - used);
	used += strlen(ret + used);
	used += (size_t)snprintf(ret + used, size - used, ") within %u days %s (",
	    (unsigned)random_below(seed, 12), words[random_below(seed, 3)]);
	random_expression(seed, depth - 1, ret + used, size - used);
	used += strlen(ret + used);
	snprintf(ret + used, size - used, "))");
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
	switch (random_below(seed, 6)) {
	case 0:
		used = (size_t)snprintf(ret, size, "not (");
		children = 1;
		break;
	case 1:
	case 2:
		used = random_group(seed, ret, size);
		children = 1;
		break;
	case 3:
		random_within(seed, depth, ret, size);
		return;
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
