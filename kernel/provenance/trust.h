/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROVENANCE_TRUST_H
#define PROVENANCE_TRUST_H

/*
 * HOME/plugins/trust: which files the operator accepted as plugins, and what they may do.  One
 * line each, written by `cairn plugin enable`, `install`, `upgrade` and `remove`:
 *
 *     pin NAME sha256:DIGEST       this file is the plugin NAME; several are several versions
 *     grant NAME CAPABILITY        the plugin NAME may do this
 *
 * Empty lines and lines that begin with '#' are skipped (and not kept when a command writes the
 * file).  Anything else is an error with its line.
 */

#include <stdbool.h>
#include <stddef.h>

#include <cairn/error.h>

#define TRUST_NAME_MAX 32
#define TRUST_VALUE_MAX 255
#define TRUST_LINES_MAX 8192

enum trust_kind { TRUST_PIN, TRUST_GRANT };

struct trust_line {
	enum trust_kind kind;
	char name[TRUST_NAME_MAX + 1];
	char value[TRUST_VALUE_MAX + 1];
};

struct trust {
	struct trust_line *lines;
	size_t count;
};

/* A home without the file trusts nothing: an empty list. */
int trust_load(const char *home, struct trust *ret, struct cairn_error *err);
int trust_parse(const char *text, size_t length, struct trust *ret, struct cairn_error *err);
int trust_save(const char *home, const struct trust *trust, struct cairn_error *err);
void trust_fini(struct trust *trust);

/* Exactly this value; of a grant, also a pattern that covers it ("call:cohort.*"). */
bool trust_has(
    const struct trust *trust, enum trust_kind kind, const char *name, const char *value);
/* How many lines of that kind the plugin has. */
size_t trust_count(const struct trust *trust, enum trust_kind kind, const char *name);
/* The first value of that kind, or NULL. */
const char *trust_first(const struct trust *trust, enum trust_kind kind, const char *name);
/* Does nothing when the line is there. */
int trust_add(struct trust *trust, enum trust_kind kind, const char *name, const char *value,
    struct cairn_error *err);
/* `value` NULL: every line of that kind. */
void trust_remove(struct trust *trust, enum trust_kind kind, const char *name, const char *value);

#endif
