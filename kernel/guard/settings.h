/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GUARD_SETTINGS_H
#define GUARD_SETTINGS_H

/* settings.yaml: the numbers and lists of the policy, and who is known at this site. */

#include <stddef.h>

#include <lua.h>

#include <cairn/error.h>

#include "base/buf.h"
#include "config/tree.h"

struct settings {
	struct tree *tree;                     /* NULL without a file */
	struct settings_principal *principals; /* sorted by name */
	size_t count;
};

struct settings_principal {
	const char *name; /* borrowed from the tree, as is the role */
	const char *role;
	unsigned line;
};

struct settings_bytes {
	const void *text; /* may be NULL when there is none */
	size_t length;
	const struct buf *schema; /* of settings.schema.yaml, NULL without one */
};

int settings_parse(
    const struct settings_bytes *bytes, struct settings *ret, struct cairn_error *err);
void settings_fini(struct settings *settings);
const char *settings_role(const struct settings *settings, const char *principal);

/* Sets `settings`, a read-only table, in the table on top; and in the one at `kernel` the function
 * find_setting(name): value and line, or nil and the nearest name. */
void settings_open(lua_State *lua, const struct settings *settings, int kernel);

#endif
