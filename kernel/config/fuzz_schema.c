/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a schema and, after a line "---8<---", a file against it: every value that is taken
 * is one that its option allows.
 */
#include <string.h>

#include "config/schema.h"

#define CUT "\n---8<---\n"

static bool
is_choice(const struct config_option *option, const char *text)
{
	for (size_t i = 0; option->choices != NULL && option->choices[i] != NULL; i++) {
		if (strcmp(option->choices[i], text) == 0)
			return true;
	}
	return option->choices == NULL;
}

static bool
is_within(const struct config_option *option, double number)
{
	return (!option->has_min || number >= option->min) &&
	    (!option->has_max || number <= option->max);
}

static bool
is_allowed(const struct config_value *value)
{
	switch (value->option->type) {
	case CONFIG_INTEGER:
		return is_within(value->option, (double)value->integer);
	case CONFIG_NUMBER:
		return is_within(value->option, value->number);
	case CONFIG_STRING:
		return is_choice(value->option, value->text);
	case CONFIG_LIST:
		for (size_t i = 0; i < value->item_count; i++) {
			if (!is_choice(value->option, value->items[i]))
				return false;
		}
		return is_within(value->option, (double)value->item_count);
	default:
		return true;
	}
}

static void
load(const struct config_schema *schema, const uint8_t *data, size_t size)
{
	struct config_values values = {0};
	struct tree *tree = NULL;

	if (tree_parse(data, size, "f", &tree, NULL) != 0)
		return;
	if (schema_load(tree, schema, &values, NULL) == 0) {
		if (values.count != schema->count)
			__builtin_trap();
		for (size_t i = 0; i < values.count; i++) {
			if (config_find(&values, schema->options[i].key) != &values.values[i] ||
			    !is_allowed(&values.values[i]))
				__builtin_trap();
		}
		config_values_fini(&values);
	}
	tree_free(tree);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *cut = memmem(data, size, CUT, sizeof CUT - 1);
	size_t first = cut == NULL ? size : (size_t)(cut - data);
	size_t after = cut == NULL ? size : first + sizeof CUT - 1;
	struct config_schema schema = {0};
	struct tree *tree = NULL;
	int code;

	if (tree_parse(data, first, "schema", &tree, NULL) != 0)
		return 0;
	code = tree->root->kind == TREE_MAP ? schema_parse(tree, tree->root, &schema, NULL) : -1;
	tree_free(tree);
	if (code != 0)
		return 0;
	load(&schema, data + after, size - after);
	schema_fini(&schema);
	return 0;
}
