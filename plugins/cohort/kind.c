/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds of entries.  Their order is part of the index's format. */
#include <string.h>

#include "entry.h"

static const struct {
	const char *name, *date;
} kinds[] = {
    {"condition", "diagnosis_date"},
    {"observation", "observation_date"},
    {"procedure", "procedure_date"},
    {"medication", "medication_date"},
    {"specimen", "specimen_date"},
    {"variant", NULL},
};

#define KINDS (sizeof kinds / sizeof kinds[0])

const char *
kind_name(unsigned kind)
{
	return kind < KINDS ? kinds[kind].name : NULL;
}

int
kind_find(const char *name)
{
	for (unsigned i = 0; i < KINDS; i++)
		if (strcmp(kinds[i].name, name) == 0)
			return (int)i;
	return -1;
}

const char *
kind_date(unsigned kind)
{
	return kind < KINDS ? kinds[kind].date : NULL;
}
