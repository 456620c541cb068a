/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COHORT_TREE_H
#define COHORT_TREE_H

/* Making trees from the spellings that are JSON, and the notes in them. */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "cohort/private.h"

void tree_free(Cairn__Expression **node);
#define TREE_AUTO __attribute__((cleanup(tree_free))) Cairn__Expression *
void tree_json_free(json_t **json);
#define JSON_AUTO __attribute__((cleanup(tree_json_free))) json_t *

/* NULL: out of memory. */
Cairn__Expression *tree_node(Cairn__Expression__Operand operand);
Cairn__Expression *tree_leaf(const char *attribute, Cairn__Leaf__Operator operator_);
/* Moves `*child` into the parent; 0 or CAIRN_ENOMEM, and then it is still the caller's. */
int tree_add(Cairn__Expression *parent, Cairn__Expression **child);

/* Another value, of the type that the attribute has; an open end where the text is NULL.  Codes are
 * brought to their usual form where `usual`.  CAIRN_EINVAL when the text is none of that type. */
int tree_value(Cairn__Leaf *leaf, const char *text, bool usual);
int tree_number(Cairn__Leaf *leaf, double number);

/* Attribute, operator and values; notes do not count. */
bool tree_same_leaf(const Cairn__Leaf *a, const Cairn__Leaf *b);

/* Compact, members in their order, numbers in the fewest digits; NULL when out of memory. */
char *tree_dump(const json_t *json);
/* CAIRN_ELIMIT when it is longer than a note may be. */
int tree_set_note(ProtobufCBinaryData *note, const json_t *json);
/* The note, when it is a JSON object; a new reference or NULL. */
json_t *tree_note(const ProtobufCBinaryData *note);

#endif
