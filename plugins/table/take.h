/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TABLE_TAKE_H
#define TABLE_TAKE_H

/* A row becomes values, as its mapping says; what does not fit is reported. */

#include "cairn/facts.pb-c.h"
#include "mapping.h"
#include "report.h"

#define TAKE_IDENTIFIER_MAX 256

struct value {
	const struct cohort_attribute *attribute;
	double number;
	int32_t day; /* the true date */
	char *text;  /* of a code */
};

struct taken_group {
	const struct mapping_group *group;
	struct value *values;
	size_t count;
	char *key; /* what tells it from others with the same values */
};

struct taken {
	uint64_t line;
	char *identifier, *issuer;
	struct taken_group *groups;
	size_t count;
};

struct table {
	struct mapping *mapping;
	size_t columns; /* of the header */
	char **names;
};

/* Remembers the header's names. */
int table_header(struct table *table, const struct row *header, struct cairn_error *err);
void table_fini(struct table *table);

/* 0; CAIRN_EINVAL when something was reported; CAIRN_ENOTFOUND for a row without anything in it. */
int take_row(
    const struct table *table, const struct row *row, struct report *report, struct taken **ret);
void taken_free(struct taken *taken);

/* As facts about a patient of this pseudonym.  The caller frees it with
 * cairn__patient_facts__free_unpacked(); NULL when memory is out. */
Cairn__PatientFacts *taken_facts(
    const struct taken *taken, const char *table, const char *pseudonym, int32_t shift);

#endif
