/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COHORT_DIALECT_H
#define COHORT_DIALECT_H

/*
 * Names and values of another query language, as lines of a table:
 *
 *   key TAB value TAB attribute TAB how TAB our value      ("#" begins a comment)
 *
 * `how` is "=", "under" or "like"; "*" (with "*" for both values) where the key takes any number or
 * date.  Several of our values are separated by " | ".  One key may belong to several attributes;
 * the value tells which.  EUCAIM's table (eucaim.tsv) is built in.
 */

#include <stdbool.h>
#include <stddef.h>

#include <cairn/error.h>

#include "cairn/cohort.pb-c.h"

#define DIALECT_ROWS_MAX 20000
#define DIALECT_BYTES_MAX (4 << 20)
#define DIALECT_VALUES_MAX 8 /* of one row */

struct dialect_row {
	const char *key, *value, *attribute;
	Cairn__Leaf__Operator how;
	bool range;
	const char *values[DIALECT_VALUES_MAX];
	size_t value_count;
};

struct dialect;

/* The built-in table, and behind it the lines of a site's file (NULL: none), which may add to it.
 * A wrong line is refused with its number. */
int dialect_open(struct dialect **ret, const char *path, struct cairn_error *err);
void dialect_free(struct dialect *dialect);

/* NULL past the end. */
const struct dialect_row *dialect_at(const struct dialect *dialect, size_t index);
/* The row of the key and this value; where the key takes any number, value NULL finds it. */
const struct dialect_row *dialect_find(
    const struct dialect *dialect, const char *key, const char *value);
bool dialect_has_key(const struct dialect *dialect, const char *key);
/* The key or value of the table that was probably meant, or NULL. */
const char *dialect_suggest_key(const struct dialect *dialect, const char *key);

#endif
