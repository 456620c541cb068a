/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FHIR_MAPPING_H
#define FHIR_MAPPING_H

/*
 * Which facts a resource becomes, as data: lua/mappings/fhir.lua, or a site's copy of it, is run
 * once in a Lua state without libraries that reach outside, and compiled to these structures.  What
 * the file says and how is explained in the file itself.
 */

#include <stdbool.h>
#include <stddef.h>

#include <cairn/error.h>

#define MAPPING_BYTES_MAX ((size_t)1 << 20)
#define MAPPING_BLOCKS_MAX 256
#define MAPPING_FACTS_MAX 1024 /* of a block */
#define MAPPING_PATHS_MAX 8
#define MAPPING_STEPS_MAX 12
#define MAPPING_TESTS_MAX 8

/* One member's name; of an array every element is meant.  With a filter only those elements whose
 * `url` (it has "://") or one of whose `code.coding` is it. */
struct mapping_step {
	char *name;
	char *filter; /* NULL: all */
	bool url;
};

struct mapping_path {
	struct mapping_step steps[MAPPING_STEPS_MAX];
	size_t count;
};

struct mapping_pair {
	char *from, *to;
	double factor; /* of a table of units */
};

/* Sorted by `from`. */
struct mapping_table {
	struct mapping_pair *pairs;
	size_t count;
};

/* One of the values at `path` is in the table. */
struct mapping_test {
	struct mapping_path path;
	struct mapping_table values;
};

struct mapping_tests {
	struct mapping_test tests[MAPPING_TESTS_MAX];
	size_t count;
};

enum mapping_as {
	MAPPING_CODE,    /* Coding or code: prefix:code */
	MAPPING_MAP,     /* through `map` */
	MAPPING_NUMBER,  /* number or Quantity, through `units` where given */
	MAPPING_UNIT,    /* Quantity: its UCUM code */
	MAPPING_DAY,     /* date, dateTime, instant */
	MAPPING_AGE,     /* Age: years, 90 stands for more */
	MAPPING_TNM,     /* "cT1a", "pN0(sn)": T1a, N0 */
	MAPPING_SYMBOL,  /* display or code that is a gene's symbol */
	MAPPING_PROTEIN, /* HGVS p. */
	MAPPING_CODING,  /* HGVS c. */
	MAPPING_GENOMIC, /* HGVS g.: assembly, chromosome, position and alleles */
	MAPPING_ALLELE,  /* letters of DNA */
	MAPPING_AS_COUNT
};

struct mapping_fact {
	char *attribute;
	enum mapping_as as;
	bool of_patient; /* it is stated of the patient, and not of the entry */
	struct mapping_path paths[MAPPING_PATHS_MAX]; /* the first one with a value */
	size_t path_count;
	struct mapping_tests when;
	struct mapping_table map, units;
	char *other; /* for a value that is not in `map`; NULL: no fact */
	int line;
};

struct mapping_block {
	char *resource; /* its type */
	char *entity;   /* "patient" or an entry's kind */
	struct mapping_path subject;
	struct mapping_tests when;      /* all of them, or the next block is looked at */
	struct mapping_tests withdrawn; /* one of them: the source takes it back */
	struct mapping_fact *facts;
	size_t fact_count;
	int line;
};

struct mapping {
	struct mapping_block *blocks;
	size_t count;
	/* What a patient is known by, the first that there is: types of identifiers (table 0203);
	 * "" stands for any. */
	struct mapping_table issuers; /* Identifier.system -> issuer as images carry it */
};

/* `name` is for messages: "mappings/fhir.lua".  CAIRN_EINVAL with "NAME:LINE: ...". */
int mapping_load(struct mapping **ret, const char *name, const char *text, size_t length,
    struct cairn_error *err);
void mapping_free(struct mapping *mapping);

const struct mapping_pair *mapping_table_find(const struct mapping_table *table, const char *from);

/* The mapping that is built in. */
extern const char mapping_default[];
extern const size_t mapping_default_length;

#endif
