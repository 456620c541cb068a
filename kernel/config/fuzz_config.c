/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a configuration file, against a schema with every type. */
#include <string.h>

#include "config/schema.h"

static const char schema_text[] =
    "ae_title: {type: string, default: CAIRN, min: 1, max: 16}\n"
    "listen.port: {type: integer, default: 11112, min: 1, max: 65535}\n"
    "deid.options: {type: list, choices: [clean-pixel, retain-uids], default: []}\n"
    "ratio: {type: number, default: 0.5, min: 0, max: 1}\n"
    "strict: {type: bool, default: true}\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config_schema schema = {0};
	struct config_values values = {0};
	struct tree *tree = NULL;

	if (tree_parse(schema_text, sizeof schema_text - 1, "schema", &tree, NULL) != 0 ||
	    schema_parse(tree, tree->root, &schema, NULL) != 0)
		__builtin_trap();
	tree_free(tree);
	if (tree_parse(data, size, "f", &tree, NULL) == 0) {
		if (schema_load(tree, &schema, &values, NULL) == 0)
			config_values_fini(&values);
		tree_free(tree);
	}
	schema_fini(&schema);
	return 0;
}
