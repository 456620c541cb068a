/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COHORT_EXPR_H
#define COHORT_EXPR_H

/*
 * The cohort language's text spelling: to and from the syntax tree (proto/cairn/cohort.proto).
 *
 *   expression := term { ("or" | "xor") term }        or and xor bind alike, left to right; mixing
 *   term       := factor { "and" factor }             them without parentheses is an error
 *   factor     := operand [ "within" window ("of" | "before" | "after") operand ]
 *   operand    := "not" factor | "(" expression ")" | "same" entity "(" expression ")"
 *               | "at" "least" count entities "(" expression ")"
 *               | "variant" "(" gene [ "," protein change ] ")" | "*" | leaf
 *   window     := [ number "to" ] number "days"
 *   entity     := "study" | "series" | "condition" | "observation" | "procedure" | "medication"
 *               | "specimen" | "variant"              entities: the same, or the plural
 *   leaf       := attribute ("=" | "!=" | "<" | "<=" | ">" | ">=" | "like") value
 *               | attribute "between" value "and" value      both included
 *               | attribute "in" "(" value { "," value } ")"
 *               | attribute "in" value                       UNDER: the code or any below it
 *               | attribute "exists"
 *   value      := number | word | "quoted text" | date (2026-01-31) | "*" (open end of between)
 *
 * Words are case-insensitive keywords; attributes are lower-case names with dots and underscores.
 * A bare word holds letters, digits and . _ : / + -; anything else is quoted, with \" and \\ inside
 * quotes.  For a known CODE attribute a number or date is taken as text (`model = 128`).
 *
 * `A within 90 days before B`: an entity of A is 0 to 90 days before one of B, of the same patient;
 * `of`: up to 90 days to either side; `30 to 90 days before`: so far apart.  In the tree the window
 * is B's date less A's.  What no such phrase says (a window from -3 to 5) is written
 * `within -3 to 5 days of B`; an open end is "*".  `not` takes the whole: `not (A within ..)`.
 * `variant (EGFR, L858R)` is `same variant (gene = EGFR and protein_change = L858R)`, and is
 * printed like that; `variant (EGFR)` is `same variant (gene = EGFR)`. `diagnosis in (icd10:C34,
 * icd10:C50)` is the set of exactly these, `diagnosis in icd10:C34` the code and all below it;
 * several such codes, as a tree may hold them, are written `in icd10:C34, icd10:C50` without
 * parentheses.
 */

#include <stdbool.h>
#include <stddef.h>

#include <cairn/error.h>

#include "cairn/cohort.pb-c.h"

#define COHORT_TEXT_MAX 65536
#define COHORT_DEPTH_MAX 64
#define COHORT_NODES_MAX 4096   /* expressions and values together */
#define COHORT_VALUE_MAX 1024   /* bytes of one value's text */
#define COHORT_NAME_MAX 64      /* bytes of an attribute's name */
#define COHORT_NOTE_MAX 4096    /* bytes of a note */
#define COHORT_WINDOW_MAX 55000 /* days; about 150 years */
#define COHORT_AT_LEAST_MAX 10000

/* CAIRN_EINVAL with the column, what was found, what was expected (and "did you mean"); a second
 * line with the text and a third with a caret.  The caller frees the tree with
 * cairn__expression__free_unpacked(). */
int cohort_parse(const char *text, Cairn__Expression **ret, struct cairn_error *err);

/* Canonical text: parses back to an equal tree.  malloc'ed. */
int cohort_print(const Cairn__Expression *expression, char **ret, struct cairn_error *err);

/* Depth, node count, arity, operators and value types of a tree that came from outside.  Types are
 * held against the table below; an attribute that is not in it is no error here. */
int cohort_check(const Cairn__Expression *expression, struct cairn_error *err);

/* Nesting of the packed bytes of a message whose field 1 is an Expression (CountRequest,
 * SelectRequest).  protobuf-c unpacks by recursion without a limit, so that bytes from outside must
 * pass here before they are unpacked.  CAIRN_EINVAL, CAIRN_ELIMIT. */
int cohort_check_packed(const void *bytes, size_t length, struct cairn_error *err);

/* The first attribute (in reading order) that the table below does not know, or NULL; then
 * `*ret_suggestion` is the one that was probably meant, or NULL.  Borrowed. */
const char *cohort_unknown_attribute(
    const Cairn__Expression *expression, const char **ret_suggestion);

/* Lower-case letters, digits, underscores and dots, at most COHORT_NAME_MAX, not a keyword. */
bool cohort_is_attribute_name(const char *name);
/* A value's text: valid UTF-8, no control characters, at most COHORT_VALUE_MAX bytes. */
bool cohort_is_value_text(const char *text);

/* ---- the attributes ---------------------------------------------------------------------- */

#define COHORT_ATTRIBUTES 69     /* in the table */
#define COHORT_DAY_MIN (-719162) /* 0001-01-01 */
#define COHORT_DAY_MAX 2932896   /* 9999-12-31 */

enum cohort_type { COHORT_CODE, COHORT_NUMBER, COHORT_DAY };

/* What an attribute is stated of: the levels of DICOM, in the order of enum Level, and the entries
 * of a patient's record. */
enum cohort_entity {
	COHORT_PATIENT,
	COHORT_STUDY,
	COHORT_SERIES,
	COHORT_INSTANCE,
	COHORT_CONDITION,
	COHORT_OBSERVATION,
	COHORT_PROCEDURE,
	COHORT_MEDICATION,
	COHORT_SPECIMEN,
	COHORT_VARIANT,
	COHORT_ENTITIES
};

/* "condition", "conditions". */
const char *cohort_entity_name(enum cohort_entity entity);
const char *cohort_entity_plural(enum cohort_entity entity);
/* The DAY that says when it was ("diagnosis_date"); NULL for what has no date (patient, variant).
 */
const char *cohort_entity_date(enum cohort_entity entity);
/* By its singular. */
bool cohort_entity_find(const char *name, enum cohort_entity *ret);
/* PATIENT for an entry of the record. */
Cairn__Level cohort_entity_level(enum cohort_entity entity);
/* Whether `same` and `at least` can be about it: every one but patient and instance. */
bool cohort_entity_groups(enum cohort_entity entity);

/* The table itself is in table.c.  study_day is computed by the engine.
 *
 * A value that such an attribute cannot have (a code that is not among its `codes`, a code without
 * its system where `coded`, a number outside its range, another type) is an error and never a
 * criterion that nobody satisfies.
 *
 * Dates are shifted by up to 365 days per patient, so that only wide windows of a date mean
 * anything; study_day and `within` are exact, because the shift is the same for all of a patient.
 * Codes are kept as written, but those of ICD, which are brought to their usual form (systems.h);
 * engines compare them without regard to ASCII case. */
struct cohort_attribute {
	const char *name;
	enum cohort_type type;
	enum cohort_entity entity;
	const char *unit;      /* UCUM, "" when none */
	const char *unit_name; /* for people: "years" */
	const char *help;
	const char *const *codes; /* all that a CODE may be, ends with NULL; NULL: any text */
	double min, max;          /* NUMBER, and DAY in days since 1970-01-01; both included */
	const char *example;      /* a criterion */
	bool coded;               /* CODE: values are "prefix:code" or "URI|code" (systems.h) */
	bool withheld;            /* kept, and refused as a criterion */
};

const struct cohort_attribute *cohort_attribute_find(const char *name);
const struct cohort_attribute *cohort_attribute_at(size_t index); /* NULL past the end */
/* The name that was probably meant, or NULL. */
const char *cohort_attribute_suggest(const char *name);

/* As it is written: "=", "between".  "" for no operator at all. */
const char *cohort_operator_text(Cairn__Leaf__Operator operator_);
/* Codes have no order. */
bool cohort_type_takes(enum cohort_type type, Cairn__Leaf__Operator operator_);
/* Only a coded attribute has codes below others. */
bool cohort_attribute_takes(
    const struct cohort_attribute *attribute, Cairn__Leaf__Operator operator_);
/* Whether the text is like the pattern: % stands for any characters, none too; ASCII case does not
 * matter.  An engine may use it or do the same. */
bool cohort_like(const char *pattern, const char *text);

#define COHORT_SCALAR_MAX 40
/* A number in the fewest digits, a date, or "*" for an open end; text is not its business. */
void cohort_scalar_text(const Cairn__Scalar *value, char ret[COHORT_SCALAR_MAX]);

#define COHORT_RANGE_MAX 96
/* "0 to 150", "0001-01-01 to 9999-12-31": for a NUMBER or a DAY. */
void cohort_range_text(const struct cohort_attribute *attribute, char ret[COHORT_RANGE_MAX]);
/* One end of it, as a value. */
void cohort_range_end(const struct cohort_attribute *attribute, double end, Cairn__Scalar *ret);

#endif
