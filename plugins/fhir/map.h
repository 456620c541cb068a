/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FHIR_MAP_H
#define FHIR_MAP_H

/*
 * One resource through the mapping: its facts, before it is known whose they are.  Days are true
 * days here; person.h shifts them.  Nothing of a resource that is no code, number or date of a
 * stated form becomes a fact.
 */

#include "mapping.h"
#include "json/json.h"

#define MAP_FACTS_MAX 512 /* of one resource */
#define MAP_TEXT_MAX 65536
#define MAP_ID_MAX 256 /* of a reference, and of an identifier */

enum fact_kind { FACT_TEXT, FACT_NUMBER, FACT_DAY };

struct map_fact {
	const char *attribute; /* the mapping's, or static */
	bool of_patient;
	enum fact_kind kind;
	const char *text;
	double number;
	int32_t day;
};

struct map_result {
	const struct mapping_block *block; /* NULL: nothing is taken of such a resource */
	bool withdrawn;
	char type[64], id[MAP_ID_MAX];
	char subject[MAP_ID_MAX]; /* the reference as it stands; "" for none */
	struct map_fact facts[MAP_FACTS_MAX];
	size_t count;
	bool more; /* than that */
	/* Of a Patient: */
	char identifier[MAP_ID_MAX], issuer[MAP_ID_MAX];
	int32_t birth; /* valid with has_birth */
	bool has_birth, has_identifier;
	char texts[MAP_TEXT_MAX];
	size_t used;
};

/* CAIRN_EINVAL when it is no resource. */
int map_resource(const struct mapping *mapping, struct json_value resource, struct map_result *ret,
    struct cairn_error *err);

/* Adds unless the attribute cannot have that value, or the same is there.  `text` is copied. */
void map_add_text(
    struct map_result *result, const char *attribute, bool of_patient, const char *text);
void map_add_number(
    struct map_result *result, const char *attribute, bool of_patient, double number);
void map_add_day(struct map_result *result, const char *attribute, bool of_patient, int32_t day);

/* convert.c: one value of one rule, as facts. */
void map_convert(
    struct map_result *result, const struct mapping_fact *fact, struct json_value value);
/* A Coding (or CodeableConcept's first) as prefix:code; a text, number or truth as itself. */
bool map_word(struct json_value value, char *ret, size_t size);
/* FHIR date, dateTime, instant; of a month its 15th, of a year its 1st of July. */
bool map_day(const char *text, int32_t *ret);
/* `variant` of assembly, chromosome, position and alleles, where it has those. */
void map_finish_variant(struct map_result *result);

#endif
