/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFIG_SCHEMA_H
#define CONFIG_SCHEMA_H

/*
 * Schemas as they stand in a manifest (`config:`) and for node.yaml, and the checking of a file's
 * tree against one.  Private to kernel/config.
 */

#include <cairn/error.h>

#include "config/config.h"
#include "config/tree.h"

#define SCHEMA_OPTIONS_MAX 256
#define SCHEMA_CHOICES_MAX 256
#define SCHEMA_KEY_MAX 128

/* Reads `KEY: {type: ..., default: ..., min: ..., max: ..., choices: [...], help: ...}`, ... */
int schema_parse(const struct tree *tree, const struct tree_node *map, struct config_schema *ret,
    struct cairn_error *err);
void schema_fini(struct config_schema *schema);

/* Adds the options that every plugin has (`on_failure`) to those of a manifest. */
int schema_add_common(
    struct config_schema *schema, const char *kind, const char *origin, struct cairn_error *err);

/* One value against one option. */
int schema_check(const struct tree *tree, const struct tree_node *node,
    const struct config_option *option, struct config_value *ret, struct cairn_error *err);
void schema_value_fini(struct config_value *value);

/* A whole file against a schema; defaults fill what it leaves out. */
int schema_load(const struct tree *tree, const struct config_schema *schema,
    struct config_values *ret, struct cairn_error *err);

/* "from 1 to 65535", "at least 1"; "" without limits. */
void schema_range_text(const struct config_option *option, char *ret, size_t size);
const char *schema_type_text(enum config_type type);

/* One line of printable UTF-8: what may be shown on a terminal or written behind a '#'. */
bool schema_text_is_plain(const char *text);

#define SCHEMA_ADVICE_MAX 160
/* "; did you mean 'WORD'?" with the candidate nearest to `word`, or "". */
const char *schema_advice(const char *word, const char *(*next)(const void *arg, size_t index),
    const void *arg, char ret[SCHEMA_ADVICE_MAX]);
/* The `next` for an array of words that ends in NULL. */
const char *schema_next_word(const void *arg, size_t index);

/* The keys a map may hold.  An unknown one is an error that suggests the nearest; `where` is the
 * map's name for the message, or NULL at the top. */
int schema_known_keys(const struct tree *tree, const struct tree_node *map,
    const char *const *known, const char *where, struct cairn_error *err);
int schema_unknown_key(const struct tree *tree, const struct tree_node *node,
    const char *const *known, const char *where, struct cairn_error *err);

#endif
