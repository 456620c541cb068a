/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GUARD_DECLARED_H
#define GUARD_DECLARED_H

/*
 * settings.schema.yaml: what settings.yaml must hold, each key with type, range and help, as in a
 * plugin's manifest; and besides the types there, `type: map`, whose contents are the rules'
 * business.  `principals` and `permits` are the kernel's and need no entry.
 */

#include "config/config.h"
#include "config/tree.h"

#define DECLARED_FILE "settings.schema.yaml"

/* Checks the settings against the schema's bytes; either error names its file and line. */
int declared_check(
    const void *schema, size_t length, const struct tree *settings, struct cairn_error *err);

#endif
