/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COHORT_MAKER_H
#define COHORT_MAKER_H

/* Making trees from the spellings that are JSON, and the notes in them. */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "cohort/private.h"

void maker_free(Cairn__Expression **node);
#define TREE_AUTO __attribute__((cleanup(maker_free))) Cairn__Expression *
void maker_json_free(json_t **json);
#define JSON_AUTO __attribute__((cleanup(maker_json_free))) json_t *

/* NULL: out of memory. */
Cairn__Expression *maker_node(Cairn__Expression__Operand operand);
Cairn__Expression *maker_leaf(const char *attribute, Cairn__Leaf__Operator operator_);
/* Moves `*child` into the parent; 0 or CAIRN_ENOMEM, and then it is still the caller's. */
int maker_add(Cairn__Expression *parent, Cairn__Expression **child);

/* Another value, of the type that the attribute has; an open end where the text is NULL.  Codes are
 * brought to their usual form where `usual`.  CAIRN_EINVAL when the text is none of that type. */
int maker_value(Cairn__Leaf *leaf, const char *text, bool usual);
int maker_number(Cairn__Leaf *leaf, double number);

/* Attribute, operator and values; notes do not count. */
bool maker_same_leaf(const Cairn__Leaf *a, const Cairn__Leaf *b);

/* Compact, members in their order, numbers in the fewest digits; NULL when out of memory. */
char *maker_dump(const json_t *json);
/* CAIRN_ELIMIT when it is longer than a note may be. */
int maker_set_note(ProtobufCBinaryData *note, const json_t *json);
/* The note, when it is a JSON object; a new reference or NULL. */
json_t *maker_note(const ProtobufCBinaryData *note);

#endif
