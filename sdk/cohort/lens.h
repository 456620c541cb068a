/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COHORT_LENS_H
#define COHORT_LENS_H

/*
 * The abstract syntax tree of Lens (samply/lens, src/types/ast.ts), as EUCAIM's explorer sends it,
 * to and from the cohort language.
 *
 *   group  {"operand": "AND" | "OR" | "XOR" | "NOT", "children": [...]}
 *   leaf   {"key": KEY, "type": TYPE, "value": string | number | [...] | {"min"?, "max"?}}
 *   TYPE   EQUALS NOT_EQUALS IN BETWEEN LOWER_THAN GREATER_THAN CONTAINS
 *
 * Also in an envelope {"ast": ..., "id": ...}.  A key is one of the dialect's table or a field's
 * own name; the values of the table are the only ones of its keys.  A key or value that is not
 * known is an error that names it: dropped, it would widen the answer.  "C50.%" on a coded field is
 * the code and all below it; % in any other text stands for any characters.
 *
 * What has no meaning (other members, their order, a group of one) is kept in notes, so that what
 * was read is written again byte for byte (as compact JSON), unless the tree was changed since.
 *
 * Lens cannot say: same, at least, within; exists; * inside of something; a text with % in it that
 * stands for itself.  Such a tree is refused with the reason.  `<=` and `>=` become BETWEEN with an
 * open end.
 */

#include <cairn/error.h>

#include "cairn/cohort.pb-c.h"
#include "cohort/dialect.h"

#define LENS_BYTES_MAX (1 << 20)
#define LENS_DEPTH_MAX 64

/* `ret` passes cohort_check(). */
int lens_parse(const struct dialect *dialect, const char *json, size_t length,
    Cairn__Expression **ret, struct cairn_error *err);
/* Compact JSON; malloc'ed. */
int lens_print(const struct dialect *dialect, const Cairn__Expression *expression, char **ret,
    struct cairn_error *err);

#endif
