/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COHORT_EXPR_H
#define COHORT_EXPR_H

/*
 * The cohort language's text spelling: to and from the syntax tree (proto/cairn/cohort.proto).
 *
 *   expression := term { ("or" | "xor") term }        or and xor bind alike, left to right; mixing
 *   term       := factor { "and" factor }             them without parentheses is an error
 *   factor     := "not" factor | "(" expression ")" | "same" ("study" | "series") "(" expression ")"
 *               | "*" | leaf
 *   leaf       := attribute ("=" | "!=" | "<" | "<=" | ">" | ">=") value
 *               | attribute "between" value "and" value      both included
 *               | attribute "in" "(" value { "," value } ")"
 *               | attribute "exists"
 *   value      := number | word | "quoted text" | date (2026-01-31) | "*" (open end of between)
 *
 * Words are case-insensitive keywords; attributes are lower-case names with dots and underscores.
 */

#include <stddef.h>

#include <cairn/error.h>

#include "cairn/cohort.pb-c.h"

#define COHORT_TEXT_MAX 65536
#define COHORT_DEPTH_MAX 64
#define COHORT_NODES_MAX 4096

/* CAIRN_EINVAL with the column, what was found, what was expected (and "did you mean"); a second
 * line with the text and a third with a caret.  The caller frees the tree with
 * cairn__expression__free_unpacked(). */
int cohort_parse(const char *text, Cairn__Expression **ret, struct cairn_error *err);

/* Canonical text: parses back to an equal tree.  malloc'ed. */
int cohort_print(const Cairn__Expression *expression, char **ret, struct cairn_error *err);

/* Depth, node count, arity, operators and value types of a tree that came from outside. */
int cohort_check(const Cairn__Expression *expression, struct cairn_error *err);

/* ---- the imaging attributes ------------------------------------------------------------- */

enum cohort_type { COHORT_CODE, COHORT_NUMBER, COHORT_DAY };
enum cohort_entity { COHORT_PATIENT, COHORT_STUDY, COHORT_SERIES, COHORT_INSTANCE };

/* modality (CODE, series), body_part (CODE, series, upper case), manufacturer (CODE, series),
 * model (CODE, series), slice_thickness (NUMBER, series, mm), study_date (DAY, study, shifted),
 * age (NUMBER, study, years at imaging), sex (CODE, patient: female male other),
 * sop_class (CODE, series: UID; the name is accepted in text). */
struct cohort_attribute {
	const char *name;
	enum cohort_type type;
	enum cohort_entity entity;
	const char *unit; /* UCUM, "" when none */
	const char *help;
};

const struct cohort_attribute *cohort_attribute_find(const char *name);
const struct cohort_attribute *cohort_attribute_at(size_t index); /* NULL past the end */

#endif
