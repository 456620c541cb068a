/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GUARD_FILES_H
#define GUARD_FILES_H

/* The files of policies/ as bytes: what the guard loads, and what its digest names. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cairn/error.h>

#include "base/buf.h"
#include "guard/policy.h"

#define FILES_MAX 64

struct files {
	struct policy_file items[FILES_MAX]; /* *.lua, in order of name */
	size_t count;
	bool has_settings, has_schema;
	struct buf settings, schema;
	uint8_t digest[32]; /* over names and bytes, the prelude's included */
};

/* Into a zeroed one; files_fini() in any case. */
int files_read(struct files *files, const char *dir, struct cairn_error *err);
void files_fini(struct files *files);

/* Name (borrowed) and SHA-256 of the index-th file; false past the end. */
bool files_get(const struct files *files, size_t index, const char **ret_name, uint8_t ret[32]);

#endif
