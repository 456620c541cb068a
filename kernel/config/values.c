/* SPDX-License-Identifier: Apache-2.0 */
/* A whole file against its schema: nested maps are walked, dotted keys are looked up. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "config/schema.h"

struct loader {
	const struct tree *tree;
	const struct config_schema *schema;
	struct config_values values;
	struct cairn_error *err;
};

void
config_values_fini(struct config_values *values)
{
	for (size_t i = 0; i < values->count; i++)
		schema_value_fini(&values->values[i]);
	free(values->values);
	*values = (struct config_values){0};
}

const struct config_value *
config_find(const struct config_values *values, const char *key)
{
	for (size_t i = 0; i < values->count; i++) {
		if (strcmp(values->values[i].option->key, key) == 0)
			return &values->values[i];
	}
	return NULL;
}

static bool
option_find(const struct config_schema *schema, const char *key, size_t *ret)
{
	for (size_t i = 0; i < schema->count; i++) {
		if (strcmp(schema->options[i].key, key) == 0) {
			*ret = i;
			return true;
		}
	}
	return false;
}

/* What `option` has after "prefix.", or NULL when it lies elsewhere. */
static const char *
below(const struct config_option *option, const char *prefix)
{
	size_t length = strlen(prefix);

	if (length == 0)
		return option->key;
	if (strncmp(option->key, prefix, length) != 0 || option->key[length] != '.')
		return NULL;
	return option->key + length + 1;
}

static bool
is_group(const struct config_schema *schema, const char *key)
{
	for (size_t i = 0; i < schema->count; i++) {
		if (below(&schema->options[i], key) != NULL)
			return true;
	}
	return false;
}

/* Names the keys that `prefix` may hold, for "did you mean". */
static int
unknown_key(struct loader *l, const struct tree_node *node, const char *prefix)
{
	char(*names)[SCHEMA_KEY_MAX + 1] = calloc(l->schema->count + 1, sizeof *names);
	const char **known = calloc(l->schema->count + 1, sizeof *known);
	size_t count = 0;
	int code = CAIRN_ENOMEM;

	for (size_t i = 0; names != NULL && known != NULL && i < l->schema->count; i++) {
		const char *rest = below(&l->schema->options[i], prefix);
		size_t length = rest == NULL ? 0 : strcspn(rest, ".");

		if (length == 0 || length > SCHEMA_KEY_MAX)
			continue;
		memcpy(names[count], rest, length);
		known[count] = names[count];
		count++;
	}
	if (names != NULL && known != NULL)
		code =
		    schema_unknown_key(l->tree, node, known, *prefix == 0 ? NULL : prefix, l->err);
	else
		cairn_error_set(l->err, code, "%s: out of memory", l->tree->origin);
	free(names);
	free(known);
	return code;
}

static int load_map(struct loader *l, const struct tree_node *map, const char *prefix);

static int
load_group(struct loader *l, const struct tree_node *node, const char *key)
{
	char found[TREE_FOUND_MAX];

	if (tree_is_null(node))
		return 0; /* `deid:` with every option below it commented out */
	if (node->kind != TREE_MAP)
		return tree_error(l->tree, node, l->err,
		    "'%s' holds options of its own and must be a map of keys, found %s", key,
		    tree_found(node, found));
	return load_map(l, node, key);
}

static int
load_key(struct loader *l, const struct tree_node *node, const char *prefix)
{
	char key[2 * SCHEMA_KEY_MAX + 2];
	size_t at;

	/* The prefix is a group's name, hence shorter than an option's key. */
	snprintf(key, sizeof key, "%s%s%s", prefix, *prefix == 0 ? "" : ".", node->key);
	if (strchr(node->key, '.') != NULL)
		return unknown_key(l, node, prefix);
	if (option_find(l->schema, key, &at))
		return schema_check(
		    l->tree, node, &l->schema->options[at], &l->values.values[at], l->err);
	if (is_group(l->schema, key))
		return load_group(l, node, key);
	return unknown_key(l, node, prefix);
}

/* Recurses as deep as the schema's keys have dots, at most TREE_DEPTH_MAX. */
static int
load_map(struct loader *l, const struct tree_node *map, const char *prefix)
{
	int code = 0;

	for (const struct tree_node *at = map->first; at != NULL && code == 0; at = at->next)
		code = load_key(l, at, prefix);
	return code;
}

static int
load_fallback(const struct tree *file, const struct config_option *option, struct config_value *ret,
    struct cairn_error *err)
{
	char origin[SCHEMA_KEY_MAX + 32];
	struct tree *tree;
	int code;

	if (option->fallback == NULL)
		return cairn_error_set(err, CAIRN_EINVAL, "%s: missing key '%s'%s%s", file->origin,
		    option->key, option->help == NULL ? "" : ": ",
		    option->help == NULL ? "" : option->help);
	snprintf(origin, sizeof origin, "default of %s", option->key);
	code = tree_parse(option->fallback, strlen(option->fallback), origin, &tree, err);
	if (code != 0)
		return code;
	code = schema_check(tree, tree->root, option, ret, err);
	if (code == 0)
		ret->line = 0;
	tree_free(tree);
	return code;
}

int
schema_load(const struct tree *tree, const struct config_schema *schema, struct config_values *ret,
    struct cairn_error *err)
{
	struct loader l = {.tree = tree, .schema = schema, .err = err};
	int code;

	if (tree->root->kind != TREE_MAP)
		return tree_error(tree, tree->root, err, "expected lines of the form 'key: value'");
	l.values.values = calloc(schema->count + 1, sizeof *l.values.values);
	if (l.values.values == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "%s: out of memory", tree->origin);
	l.values.count = schema->count;
	code = load_map(&l, tree->root, "");
	for (size_t i = 0; i < schema->count && code == 0; i++) {
		if (l.values.values[i].option == NULL)
			code = load_fallback(tree, &schema->options[i], &l.values.values[i], err);
	}
	if (code != 0)
		config_values_fini(&l.values);
	else
		*ret = l.values;
	return code;
}

int
config_load(const char *path, const struct config_schema *schema, struct config_values *ret,
    struct cairn_error *err)
{
	struct tree *tree;
	int code = tree_read(path, NULL, &tree, err);

	if (code != 0)
		return code;
	code = schema_load(tree, schema, ret, err);
	tree_free(tree);
	return code;
}
