/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COHORT_EXPR_H
#define COHORT_EXPR_H

/*
 * The cohort language's text spelling: to and from the syntax tree (proto/cairn/cohort.proto).
 *
 *   expression := term { ("or" | "xor") term }        or and xor bind alike, left to right; mixing
 *   term       := factor { "and" factor }             them without parentheses is an error
 *   factor     := "not" factor | "(" expression ")"
 *               | "same" ("study" | "series") "(" expression ")" | "*" | leaf
 *   leaf       := attribute ("=" | "!=" | "<" | "<=" | ">" | ">=") value
 *               | attribute "between" value "and" value      both included
 *               | attribute "in" "(" value { "," value } ")"
 *               | attribute "exists"
 *   value      := number | word | "quoted text" | date (2026-01-31) | "*" (open end of between)
 *
 * Words are case-insensitive keywords; attributes are lower-case names with dots and underscores.
 * A bare word holds letters, digits and . _ : / + -; anything else is quoted, with \" and \\ inside
 * quotes.  For a known CODE attribute a number or date is taken as text (`model = 128`).
 */

#include <stdbool.h>
#include <stddef.h>

#include <cairn/error.h>

#include "cairn/cohort.pb-c.h"

#define COHORT_TEXT_MAX 65536
#define COHORT_DEPTH_MAX 64
#define COHORT_NODES_MAX 4096 /* expressions and values together */
#define COHORT_VALUE_MAX 1024 /* bytes of one value's text */
#define COHORT_NAME_MAX 64    /* bytes of an attribute's name */

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

/* ---- the imaging attributes ------------------------------------------------------------- */

#define COHORT_ATTRIBUTES 10     /* in the table */
#define COHORT_DAY_MIN (-719162) /* 0001-01-01 */
#define COHORT_DAY_MAX 2932896   /* 9999-12-31 */

enum cohort_type { COHORT_CODE, COHORT_NUMBER, COHORT_DAY };
enum cohort_entity { COHORT_PATIENT, COHORT_STUDY, COHORT_SERIES, COHORT_INSTANCE };

/* modality (CODE, series), body_part (CODE, series, upper case), manufacturer (CODE, series),
 * model (CODE, series), slice_thickness (NUMBER, series, mm), study_date (DAY, study, shifted),
 * study_day (NUMBER, study, days since the patient's first study, computed by the engine),
 * age (NUMBER, study, years at imaging), sex (CODE, patient: female male other),
 * sop_class (CODE, series: UID; the name is accepted in text).
 *
 * A value that such an attribute cannot have (a code that is not among its `codes`, a number
 * outside its range, another type) is an error and never a criterion that nobody satisfies.
 *
 * Dates are shifted by up to 365 days per patient, so that only wide windows of study_date mean
 * anything; study_day is exact, because the shift is the same for all studies of a patient.
 * Codes are kept as written; engines compare them without regard to ASCII case. */
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
};

const struct cohort_attribute *cohort_attribute_find(const char *name);
const struct cohort_attribute *cohort_attribute_at(size_t index); /* NULL past the end */
/* The name that was probably meant, or NULL. */
const char *cohort_attribute_suggest(const char *name);

/* As it is written: "=", "between".  "" for no operator at all. */
const char *cohort_operator_text(Cairn__Leaf__Operator operator_);
/* Codes have no order. */
bool cohort_type_takes(enum cohort_type type, Cairn__Leaf__Operator operator_);

#define COHORT_SCALAR_MAX 40
/* A number in the fewest digits, a date, or "*" for an open end; text is not its business. */
void cohort_scalar_text(const Cairn__Scalar *value, char ret[COHORT_SCALAR_MAX]);

#define COHORT_RANGE_MAX 96
/* "0 to 150", "0001-01-01 to 9999-12-31": for a NUMBER or a DAY. */
void cohort_range_text(const struct cohort_attribute *attribute, char ret[COHORT_RANGE_MAX]);
/* One end of it, as a value. */
void cohort_range_end(const struct cohort_attribute *attribute, double end, Cairn__Scalar *ret);

#endif
