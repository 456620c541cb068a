/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TABLE_MAPPING_H
#define TABLE_MAPPING_H

/*
 * What a table's columns mean: a YAML file (table.md describes it), checked with line and "did you
 * mean".  Nothing is guessed from data here.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cairn/error.h>

#include "cohort/expr.h"
#include "csv.h"

#define MAPPING_FILE_MAX ((size_t)1 << 20)
#define MAPPING_FACTS_MAX 512
#define MAPPING_GROUPS_MAX 128
#define MAPPING_NAME_MAX 64
#define MAPPING_NO_COLUMN SIZE_MAX

enum mapping_format { MAPPING_BY_NAME, MAPPING_CSV, MAPPING_TSV, MAPPING_XLSX };

struct mapping_code {
	char *from, *to;
};

struct mapping_column {
	char *name;    /* NULL: none */
	size_t index;  /* once the header is known */
	unsigned line; /* of the mapping */
};

/* One attribute, from a column or a constant. */
struct mapping_fact {
	const struct cohort_attribute *attribute;
	unsigned line;
	struct mapping_column column;
	char *value;  /* without a column */
	char *prefix; /* of codes in the column */
	char *date;   /* "DD.MM.YYYY" */
	char *unit;
	double factor;
	bool required;
	struct mapping_code *codes;
	size_t code_count;
};

/* The first is about the patient; each other one makes an entry. */
struct mapping_group {
	enum cohort_entity entity;
	char *name; /* tells entries of one row apart; the kind where it is not said */
	unsigned line;
	struct mapping_fact *facts;
	size_t fact_count;
	struct mapping_column *keys;
	size_t key_count;
};

struct mapping {
	char *path;
	char name[MAPPING_NAME_MAX + 1];
	enum mapping_format format;
	char separator, decimal; /* 0: by the format; '.' */
	bool latin;
	char *sheet;
	char **missing;
	size_t missing_count;
	struct mapping_column patient, issuer_column;
	char *issuer;
	struct mapping_group groups[MAPPING_GROUPS_MAX];
	size_t group_count;
};

/* `text` ends with a zero.  CAIRN_EINVAL: "PATH:LINE: what; what to do". */
int mapping_parse(struct mapping **ret, const char *path, const char *text, size_t length,
    struct cairn_error *err);
void mapping_free(struct mapping *mapping);

/* Finds the columns.  CAIRN_EINVAL for one that is not there (with "did you mean"), or twice. */
int mapping_bind(struct mapping *mapping, const struct row *header, struct cairn_error *err);

/* Whether a pattern of YYYY, MM, DD and separators has each once. */
bool mapping_date_well_formed(const char *pattern);

#endif
