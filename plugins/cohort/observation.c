/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A laboratory result as HL7 v2 sends it, as an entry of the kind "observation".  The sender gives
 * no identifier, so that the same code, day and value are the same observation: one that is sent
 * again, or first preliminary and then final, is there once.
 */
#include "entry.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/sha.h>

#include "cohort/expr.h"
#include "cohort/systems.h"

#define OBSERVATION_FACTS 5

static void
add_text(Cairn__EntryFacts *entry, const char *attribute, const char *text)
{
	Cairn__Fact *fact = malloc(sizeof *fact);

	if (fact == NULL)
		return;
	cairn__fact__init(fact);
	fact->attribute = strdup(attribute);
	fact->value_case = CAIRN__FACT__VALUE_TEXT;
	fact->text = strdup(text);
	entry->facts[entry->n_facts++] = fact;
}

static void
add_code(Cairn__EntryFacts *entry, const char *attribute, const char *system, const char *code)
{
	char text[COHORT_VALUE_MAX];

	if (code[0] == 0)
		return;
	if (system[0] == 0)
		add_text(entry, attribute, code);
	else if (cohort_code(system, code, text) == 0)
		add_text(entry, attribute, text);
}

static void
add_number(Cairn__EntryFacts *entry, const char *attribute, double number, bool day)
{
	Cairn__Fact *fact = malloc(sizeof *fact);

	if (fact == NULL)
		return;
	cairn__fact__init(fact);
	fact->attribute = strdup(attribute);
	fact->value_case = day ? CAIRN__FACT__VALUE_DAY : CAIRN__FACT__VALUE_NUMBER;
	if (day)
		fact->day = (int32_t)number;
	else
		fact->number = number;
	entry->facts[entry->n_facts++] = fact;
}

/* A value that is only known to be below or above another one is no number that can be compared. */
static void
add_value(Cairn__EntryFacts *entry, const Cairn__Observation *o)
{
	if (o->value_case == CAIRN__OBSERVATION__VALUE_CODED)
		add_code(entry, "observation_result", o->coded->system, o->coded->code);
	if (o->value_case == CAIRN__OBSERVATION__VALUE_TEXT && o->text[0] != 0)
		add_text(entry, "observation_result", o->text);
	if (o->value_case != CAIRN__OBSERVATION__VALUE_QUANTITY || !isfinite(o->quantity->value) ||
	    (o->quantity->comparator[0] != 0 && strcmp(o->quantity->comparator, "=") != 0))
		return;
	add_number(entry, "observation_value", o->quantity->value, false);
	if (o->quantity->unit[0] != 0)
		add_text(entry, "observation_unit", o->quantity->unit);
}

/* Of everything but the status. */
static int
set_id(Cairn__EntryFacts *entry, const Cairn__Observation *observation)
{
	Cairn__Observation copy = *observation;
	uint8_t *packed, digest[SHA256_DIGEST_LENGTH];
	char id[33];
	size_t length;

	copy.status = (char *)(uintptr_t)protobuf_c_empty_string;
	length = cairn__observation__get_packed_size(&copy);
	packed = malloc(length + 1);
	if (packed == NULL)
		return CAIRN_ENOMEM;
	cairn__observation__pack(&copy, packed);
	SHA256(packed, length, digest);
	free(packed);
	for (size_t i = 0; i < 16; i++)
		snprintf(id + 2 * i, 3, "%02x", digest[i]);
	entry->id = strdup(id);
	return entry->id != NULL ? 0 : CAIRN_ENOMEM;
}

static bool
is_complete(const Cairn__EntryFacts *entry)
{
	for (size_t i = 0; i < entry->n_facts; i++)
		if (entry->facts[i]->attribute == NULL ||
		    (entry->facts[i]->value_case == CAIRN__FACT__VALUE_TEXT &&
			entry->facts[i]->text == NULL))
			return false;
	return entry->kind != NULL && entry->id != NULL;
}

int
observation_entry(const Cairn__Observation *o, Cairn__EntryFacts **ret)
{
	Cairn__EntryFacts *entry = malloc(sizeof *entry);
	int code;

	if (entry == NULL)
		return CAIRN_ENOMEM;
	cairn__entry_facts__init(entry);
	entry->kind = strdup("observation");
	entry->facts = calloc(OBSERVATION_FACTS, sizeof(void *));
	code = entry->facts == NULL ? CAIRN_ENOMEM : set_id(entry, o);
	if (code == 0) {
		/* Deleted, wrong, or not to be had (HL7 table 0085). */
		entry->withdrawn = o->status[0] != 0 && strchr("DWX", o->status[0]) != NULL;
		add_code(entry, "observation", o->system, o->code);
		add_value(entry, o);
		if (o->day != 0)
			add_number(entry, "observation_date", o->day, true);
		code = is_complete(entry) ? 0 : CAIRN_ENOMEM;
	}
	if (code != 0) {
		observation_free(entry);
		return code;
	}
	*ret = entry;
	return 0;
}

void
observation_free(Cairn__EntryFacts *entry)
{
	if (entry != NULL)
		cairn__entry_facts__free_unpacked(entry, NULL);
}
