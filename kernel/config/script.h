/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFIG_SCRIPT_H
#define CONFIG_SCRIPT_H

/*
 * Manifests of plugins that are no shared objects: a file NAME.plugin.yaml that says what the ELF
 * section of a shared object says, and which interpreter runs which file.  Private to
 * kernel/config.
 */

#include <stdbool.h>

#include <cairn/error.h>

#include "config/config.h"
#include "config/tree.h"

#define SCRIPT_SUFFIX ".plugin.yaml"

bool script_is_manifest(const char *path);

/* Reads NAME.plugin.yaml; `script` becomes an absolute path beside it, which exists. */
int script_manifest_read(const char *path, struct manifest **ret, struct cairn_error *err);

/* The same, of bytes that were in it. */
int script_manifest_parse(const void *text, size_t length, const char *path, struct manifest **ret,
    struct cairn_error *err);

/* The keys `exec` and `script`, both or none; an error says which is missing. */
int script_keys_read(const struct tree *tree, struct manifest *manifest, struct cairn_error *err);

#endif
