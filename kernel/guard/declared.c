/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/declared.h"

#include <string.h>

#include "config/schema.h"

#define MAPS_MAX 32

struct declared {
	struct config_schema schema;
	const char *maps[MAPS_MAX]; /* borrowed from the schema's tree */
	size_t map_count;
};

static bool
is_map(const struct tree_node *option)
{
	const struct tree_node *type = option->kind == TREE_MAP ? tree_find(option, "type") : NULL;

	return type != NULL && type->kind == TREE_SCALAR && strcmp(type->text, "map") == 0;
}

static int
take_map(const struct tree *tree, const struct tree_node *option, struct declared *declared,
    struct cairn_error *err)
{
	static const char *const known[] = {"type", "help", NULL};

	if (declared->map_count == MAPS_MAX)
		return tree_error(tree, option, err, "more than %d maps", MAPS_MAX);
	declared->maps[declared->map_count++] = option->key;
	return schema_known_keys(tree, option, known, option->key, err);
}

/* Takes the maps out of the tree: what remains is what a manifest's schema may hold.  The nodes
 * stay the tree's. */
static int
take_maps(struct tree *tree, struct declared *declared, struct cairn_error *err)
{
	struct tree_node **at = &tree->root->first;
	int code = 0;

	while (*at != NULL && code == 0) {
		if (!is_map(*at)) {
			at = &(*at)->next;
			continue;
		}
		code = take_map(tree, *at, declared, err);
		*at = (*at)->next;
		tree->root->count--;
	}
	return code;
}

/* A number that matters stands in settings.yaml, where an officer reads it. */
static int
check_option(const struct tree *tree, const struct tree_node *option, struct cairn_error *err)
{
	if (strchr(option->key, '.') != NULL)
		return tree_error(tree, option, err,
		    "setting '%s': a key has no dot; declare a map instead", option->key);
	if (option->kind == TREE_MAP && tree_find(option, "default") != NULL)
		return tree_error(tree, option, err,
		    "setting '%s' must have no default: what counts stands in settings.yaml",
		    option->key);
	return 0;
}

static int
read_schema(struct tree *tree, struct declared *declared, struct cairn_error *err)
{
	int code;

	if (tree->root->kind != TREE_MAP)
		return tree_error(
		    tree, tree->root, err, "expected lines of the form 'KEY: {type: ...}'");
	code = take_maps(tree, declared, err);
	for (const struct tree_node *at = tree->root->first; at != NULL && code == 0; at = at->next)
		code = check_option(tree, at, err);
	return code != 0 ? code : schema_parse(tree, tree->root, &declared->schema, err);
}

static const char *
next_key(const void *arg, size_t index)
{
	const struct declared *declared = arg;
	static const char *const own[] = {"principals", "permits"};

	if (index < 2)
		return own[index];
	index -= 2;
	if (index < declared->map_count)
		return declared->maps[index];
	index -= declared->map_count;
	return index < declared->schema.count ? declared->schema.options[index].key : NULL;
}

static bool
is_declared(const struct declared *declared, const char *key)
{
	for (size_t i = 0; next_key(declared, i) != NULL; i++) {
		if (strcmp(next_key(declared, i), key) == 0)
			return true;
	}
	return false;
}

static int
check_present(const struct tree *settings, const struct declared *declared, struct cairn_error *err)
{
	for (size_t i = 0; i < declared->schema.count; i++) {
		const struct config_option *option = &declared->schema.options[i];
		const struct tree_node *node = tree_find(settings->root, option->key);
		struct config_value value = {0};
		int code;

		if (node == NULL)
			return cairn_error_set(err, CAIRN_EINVAL, "%s: missing key '%s'%s%s",
			    settings->origin, option->key, option->help == NULL ? "" : ": ",
			    option->help == NULL ? "" : option->help);
		code = schema_check(settings, node, option, &value, err);
		if (code != 0)
			return code;
		schema_value_fini(&value);
	}
	for (size_t i = 0; i < declared->map_count; i++) {
		const struct tree_node *node = tree_find(settings->root, declared->maps[i]);

		if (node != NULL && node->kind != TREE_MAP)
			return tree_error(settings, node, err, "'%s' must be a map", node->key);
	}
	return 0;
}

static int
check_settings(
    const struct tree *settings, const struct declared *declared, struct cairn_error *err)
{
	char advice[SCHEMA_ADVICE_MAX];

	/* Unknown keys first: a misspelt one is also a missing one, and this says which. */
	for (const struct tree_node *at = settings->root->first; at != NULL; at = at->next) {
		if (!is_declared(declared, at->key))
			return tree_error(settings, at, err,
			    "unknown key '%s'%s (keys are "
			    "declared in " DECLARED_FILE ")",
			    at->key, schema_advice(at->key, next_key, declared, advice));
	}
	return check_present(settings, declared, err);
}

int
declared_check(
    const void *schema, size_t length, const struct tree *settings, struct cairn_error *err)
{
	struct declared declared = {0};
	struct tree *tree;
	int code = tree_parse(schema, length, DECLARED_FILE, &tree, err);

	if (code != 0)
		return code;
	code = read_schema(tree, &declared, err);
	if (code == 0)
		code = check_settings(settings, &declared, err);
	schema_fini(&declared.schema);
	tree_free(tree);
	return code;
}
