/* SPDX-License-Identifier: Apache-2.0 */
/* The values of a row as facts: dates shifted, ages and years computed, entries named. */
#include <stdlib.h>
#include <string.h>

#include <openssl/sha.h>

#include "base/clock.h"
#include "base/text.h"
#include "take.h"

#define AGE_MAX 90 /* stands for 90 and older */
#define ID_BYTES 16

static const struct value *
find(const struct taken_group *group, const char *name)
{
	for (size_t i = 0; i < group->count; i++) {
		if (strcmp(group->values[i].attribute->name, name) == 0)
			return &group->values[i];
	}
	return NULL;
}

static int
age_between(int32_t birth, int32_t day)
{
	int by, bm, bd, y, m, d;

	clock_date(birth, &by, &bm, &bd);
	clock_date(day, &y, &m, &d);
	return y - by - (m < bm || (m == bm && d < bd));
}

static Cairn__Fact *
fact_new(const char *attribute)
{
	Cairn__Fact *fact = malloc(sizeof *fact);

	if (fact == NULL)
		return NULL;
	cairn__fact__init(fact);
	fact->attribute = strdup(attribute);
	return fact;
}

static Cairn__Fact *
number_fact(const char *attribute, double number)
{
	Cairn__Fact *fact = fact_new(attribute);

	if (fact != NULL) {
		fact->value_case = CAIRN__FACT__VALUE_NUMBER;
		fact->number = number;
	}
	return fact;
}

static Cairn__Fact *
fact_of(const struct value *value, int32_t shift)
{
	Cairn__Fact *fact = fact_new(value->attribute->name);

	if (fact == NULL)
		return NULL;
	if (value->attribute->type == COHORT_DAY) {
		fact->value_case = CAIRN__FACT__VALUE_DAY;
		fact->day = value->day + shift;
	} else if (value->attribute->type == COHORT_NUMBER) {
		fact->value_case = CAIRN__FACT__VALUE_NUMBER;
		fact->number = value->number;
	} else {
		fact->value_case = CAIRN__FACT__VALUE_TEXT;
		fact->text = strdup(value->text);
	}
	return fact;
}

/* Room for what is computed, too. */
static bool
add_facts(const struct taken_group *group, int32_t shift, Cairn__Fact ***ret, size_t *ret_count)
{
	*ret = calloc(group->count + 3, sizeof **ret);
	if (*ret == NULL)
		return false;
	for (size_t i = 0; i < group->count; i++) {
		(*ret)[*ret_count] = fact_of(&group->values[i], shift);
		if ((*ret)[*ret_count] == NULL)
			return false;
		(*ret_count)++;
	}
	return true;
}

/* Of a condition with its date: the year (of the shifted date) and, with the patient's birth, the
 * age (of the true ones), where no column says them. */
static bool
add_computed(const struct taken *taken, const struct taken_group *group, int32_t shift,
    Cairn__EntryFacts *entry)
{
	const struct value *date = find(group, "diagnosis_date");
	const struct value *birth = find(&taken->groups[0], "birth_date");
	int year, month, day, age;

	if (date == NULL)
		return true;
	if (find(group, "year_of_diagnosis") == NULL) {
		clock_date(date->day + shift, &year, &month, &day);
		entry->facts[entry->n_facts] = number_fact("year_of_diagnosis", year);
		if (entry->facts[entry->n_facts] == NULL)
			return false;
		entry->n_facts++;
	}
	if (birth == NULL || find(group, "age_at_diagnosis") != NULL)
		return true;
	age = age_between(birth->day, date->day);
	if (age < 0)
		return true;
	entry->facts[entry->n_facts] =
	    number_fact("age_at_diagnosis", age > AGE_MAX ? AGE_MAX : age);
	if (entry->facts[entry->n_facts] == NULL)
		return false;
	entry->n_facts++;
	return true;
}

static int
add_part(struct buf *all, const void *bytes, size_t length)
{
	uint64_t size = length;
	int code = buf_append(all, &size, sizeof size);

	return code != 0 || length == 0 ? code : buf_append(all, bytes, length);
}

static int
add_value(struct buf *all, const struct value *value)
{
	const char *text = value->text == NULL ? "" : value->text;
	int code = add_part(all, value->attribute->name, strlen(value->attribute->name));

	if (code == 0)
		code = add_part(all, &value->number, sizeof value->number);
	if (code == 0)
		code = add_part(all, &value->day, sizeof value->day);
	return code != 0 ? code : add_part(all, text, strlen(text));
}

/* By the pseudonym, which nobody else can compute, and what the row says: a row that moves in the
 * file stays the same entry.  With a key, that and nothing else. */
static char *
entry_id(const struct taken_group *group, const char *table, const char *pseudonym)
{
	const char *const texts[] = {table, pseudonym, group->group->name, group->key};
	uint8_t digest[SHA256_DIGEST_LENGTH];
	BUF_AUTO all = {.max = 2 * CSV_ROW_MAX};
	char *id;
	int code = 0;

	for (size_t i = 0; code == 0 && i < sizeof texts / sizeof texts[0]; i++)
		code = add_part(&all, texts[i], strlen(texts[i]));
	for (size_t i = 0; code == 0 && group->group->key_count == 0 && i < group->count; i++)
		code = add_value(&all, &group->values[i]);
	id = code == 0 ? malloc(2 * ID_BYTES + 1) : NULL;
	if (id == NULL)
		return NULL;
	SHA256(all.data, all.length, digest);
	text_hex(digest, ID_BYTES, id);
	return id;
}

static bool
add_entry(const struct taken *taken, const struct taken_group *group, const char *table,
    int32_t shift, Cairn__PatientFacts *patient)
{
	Cairn__EntryFacts *entry = malloc(sizeof *entry);

	if (entry == NULL)
		return false;
	cairn__entry_facts__init(entry);
	patient->entries[patient->n_entries++] = entry;
	entry->kind = strdup(cohort_entity_name(group->group->entity));
	entry->id = entry_id(group, table, patient->patient);
	return entry->kind != NULL && entry->id != NULL &&
	    add_facts(group, shift, &entry->facts, &entry->n_facts) &&
	    add_computed(taken, group, shift, entry);
}

Cairn__PatientFacts *
taken_facts(const struct taken *taken, const char *table, const char *pseudonym, int32_t shift)
{
	Cairn__PatientFacts *patient = malloc(sizeof *patient);
	bool whole;

	if (patient == NULL)
		return NULL;
	cairn__patient_facts__init(patient);
	patient->patient = strdup(pseudonym);
	patient->entries = calloc(taken->count + 1, sizeof *patient->entries);
	whole = patient->patient != NULL && patient->entries != NULL &&
	    add_facts(&taken->groups[0], shift, &patient->facts, &patient->n_facts);
	for (size_t g = 1; whole && g < taken->count; g++) {
		if (taken->groups[g].count > 0)
			whole = add_entry(taken, &taken->groups[g], table, shift, patient);
	}
	if (whole)
		return patient;
	cairn__patient_facts__free_unpacked(patient, NULL);
	return NULL;
}
