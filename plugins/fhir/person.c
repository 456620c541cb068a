/* SPDX-License-Identifier: Apache-2.0 */
#include "person.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define AGE_MAX 90
#define TEXT(literal) ((char *)(uintptr_t)(literal))

static void
fill(const struct map_fact *from, Cairn__Fact *ret)
{
	cairn__fact__init(ret);
	ret->attribute = TEXT(from->attribute);
	if (from->kind == FACT_TEXT) {
		ret->value_case = CAIRN__FACT__VALUE_TEXT;
		ret->text = TEXT(from->text);
	} else if (from->kind == FACT_NUMBER) {
		ret->value_case = CAIRN__FACT__VALUE_NUMBER;
		ret->number = from->number;
	} else {
		ret->value_case = CAIRN__FACT__VALUE_DAY;
		ret->day = from->day;
	}
}

int
person_pack(const struct map_result *result, const char *id, struct buf *out)
{
	Cairn__PatientFacts message = CAIRN__PATIENT_FACTS__INIT;
	Cairn__EntryFacts entry = CAIRN__ENTRY_FACTS__INIT, *entries = &entry;
	Cairn__Fact facts[MAP_FACTS_MAX], *of_patient[MAP_FACTS_MAX], *of_entry[MAP_FACTS_MAX];
	bool patient = strcmp(result->block->entity, "patient") == 0;
	size_t length;

	message.facts = of_patient;
	entry.facts = of_entry;
	for (size_t i = 0; i < result->count; i++) {
		fill(&result->facts[i], &facts[i]);
		if (patient || result->facts[i].of_patient)
			of_patient[message.n_facts++] = &facts[i];
		else
			of_entry[entry.n_facts++] = &facts[i];
	}
	entry.kind = result->block->entity;
	entry.id = TEXT(id);
	entry.withdrawn = result->withdrawn;
	message.entries = &entries;
	message.n_entries = patient ? 0 : 1;
	length = cairn__patient_facts__get_packed_size(&message);
	/* One more, so that there is memory also for a patient of whom nothing is said. */
	if (buf_reserve(out, length + 1) != 0)
		return CAIRN_ELIMIT;
	out->length += cairn__patient_facts__pack(&message, out->data + out->length);
	return 0;
}

/* ---- ages --------------------------------------------------------------------------------- */

static int
years_between(int32_t from, int32_t to)
{
	int from_year, from_month, from_day, year, month, day;

	clock_date(from, &from_year, &from_month, &from_day);
	clock_date(to, &year, &month, &day);
	return year - from_year -
	    (month < from_month || (month == from_month && day < from_day) ? 1 : 0);
}

static int
append_number(Cairn__EntryFacts *entry, const char *attribute, double number)
{
	Cairn__Fact **grown = realloc(entry->facts, (entry->n_facts + 1) * sizeof(Cairn__Fact *));
	Cairn__Fact *fact;

	if (grown == NULL)
		return CAIRN_ENOMEM;
	entry->facts = grown;
	fact = malloc(sizeof *fact);
	if (fact == NULL)
		return CAIRN_ENOMEM;
	cairn__fact__init(fact);
	entry->facts[entry->n_facts++] = fact;
	fact->attribute = strdup(attribute);
	fact->value_case = CAIRN__FACT__VALUE_NUMBER;
	fact->number = number;
	return fact->attribute == NULL ? CAIRN_ENOMEM : 0;
}

static Cairn__Fact *
find(const Cairn__EntryFacts *entry, const char *attribute)
{
	for (size_t i = 0; i < entry->n_facts; i++) {
		if (strcmp(entry->facts[i]->attribute, attribute) == 0)
			return entry->facts[i];
	}
	return NULL;
}

/* Of a diagnosis with its date; the day is still the true one. */
static int
derive(Cairn__EntryFacts *entry, const struct state_person *person)
{
	const Cairn__Fact *date = find(entry, "diagnosis_date");
	int year, month, day, age, code;

	if (date == NULL || date->value_case != CAIRN__FACT__VALUE_DAY)
		return 0;
	clock_date(date->day + person->shift, &year, &month, &day);
	code = append_number(entry, "year_of_diagnosis", year);
	if (code != 0 || person->has_birth == 0 || find(entry, "age_at_diagnosis") != NULL)
		return code;
	age = years_between(person->birth - person->shift, date->day);
	if (age < 0)
		return 0;
	return append_number(entry, "age_at_diagnosis", age > AGE_MAX ? AGE_MAX : age);
}

/* ---- days --------------------------------------------------------------------------------- */

static void
shift(Cairn__Fact **facts, size_t count, int32_t days)
{
	for (size_t i = 0; i < count; i++) {
		if (facts[i]->value_case == CAIRN__FACT__VALUE_DAY)
			facts[i]->day += days;
	}
}

static void
drop_birth_of_the_old(Cairn__PatientFacts *facts, int32_t today)
{
	size_t kept = 0;

	for (size_t i = 0; i < facts->n_facts; i++) {
		Cairn__Fact *fact = facts->facts[i];

		if (strcmp(fact->attribute, "birth_date") == 0 &&
		    years_between(fact->day, today) >= AGE_MAX)
			cairn__fact__free_unpacked(fact, NULL);
		else
			facts->facts[kept++] = fact;
	}
	facts->n_facts = kept;
}

int
person_apply(Cairn__PatientFacts *facts, const struct state_person *person, int32_t today)
{
	int code = 0;

	drop_birth_of_the_old(facts, today);
	for (size_t i = 0; code == 0 && i < facts->n_entries; i++) {
		if (strcmp(facts->entries[i]->kind, "condition") == 0)
			code = derive(facts->entries[i], person);
	}
	shift(facts->facts, facts->n_facts, person->shift);
	for (size_t i = 0; i < facts->n_entries; i++)
		shift(facts->entries[i]->facts, facts->entries[i]->n_facts, person->shift);
	return code;
}
