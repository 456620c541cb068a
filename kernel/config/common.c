/* SPDX-License-Identifier: Apache-2.0 */
/* What holds for every plugin, whatever its manifest says: options of the node, types, masks. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "config/schema.h"
#include "registry.h"

/* Only what nobody waits for an answer of may be left out without a word. */
static const char may_be_open[] =
    "on_failure: {type: string, default: closed, choices: [closed, open, stop], help: 'What the "
    "node does while this plugin is down, also when it cannot even start. closed: calls to its "
    "subjects fail at once with the reason. open: the node goes on without it; what it would "
    "have been told is dropped and counted, and nobody is alarmed. stop: the node stops in "
    "order when the plugin cannot be started, or crashes so often that it is given up.'}\n";
static const char may_not_be_open[] =
    "on_failure: {type: string, default: closed, choices: [closed, stop], help: 'What the node "
    "does while this plugin is down, also when it cannot even start. closed: calls to its "
    "subjects fail at once with the reason. stop: the node stops in order when the plugin "
    "cannot be started, or crashes so often that it is given up. (open, to go on without it, is "
    "for plugins of the kind sink or policy.)'}\n";

static bool
may_open(const char *kind)
{
	return strcmp(kind, "sink") == 0 || strcmp(kind, "policy") == 0;
}

static int
check_free(const struct config_schema *schema, const char *key, const char *origin,
    struct cairn_error *err)
{
	for (size_t i = 0; i < schema->count; i++) {
		if (strcmp(schema->options[i].key, key) == 0)
			return cairn_error_set(err, CAIRN_EINVAL,
			    "%s: the option '%s' is the node's own; the plugin must give its own "
			    "another name",
			    origin, key);
	}
	return 0;
}

static int
append(struct config_schema *schema, struct config_schema *more)
{
	size_t count = schema->count + more->count;
	struct config_option *all = realloc(schema->options, count * sizeof *all);

	if (all == NULL)
		return CAIRN_ENOMEM;
	memcpy(all + schema->count, more->options, more->count * sizeof *all);
	schema->options = all;
	schema->count = count;
	free(more->options);
	*more = (struct config_schema){0};
	return 0;
}

int
schema_add_common(
    struct config_schema *schema, const char *kind, const char *origin, struct cairn_error *err)
{
	const char *text = may_open(kind) ? may_be_open : may_not_be_open;
	struct config_schema common = {0};
	struct tree *tree;
	int code = tree_parse(text, strlen(text), "options of every plugin", &tree, err);

	if (code != 0)
		return code;
	code = schema_parse(tree, tree->root, &common, err);
	tree_free(tree);
	for (size_t i = 0; code == 0 && i < common.count; i++)
		code = check_free(schema, common.options[i].key, origin, err);
	if (code == 0 && append(schema, &common) != 0)
		code = cairn_error_set(err, CAIRN_ENOMEM, "%s: out of memory", origin);
	schema_fini(&common);
	return code;
}

/* ---- types ------------------------------------------------------------------------------ */

static int
check_type(const struct manifest *manifest, const struct manifest_serve *serve, const char *key,
    const char *type, struct cairn_error *err)
{
	if (type == NULL || proto_registry_find(type) != NULL)
		return 0;
	return cairn_error_set(err, CAIRN_EUNSUPPORTED,
	    "plugin '%s' serves '%s' with `%s: %s`, a message type that this kernel does not know; "
	    "correct the name in the plugin's manifest (the types are in proto/cairn/*.proto), or "
	    "update Cairn if the plugin is for a newer one",
	    manifest->name, serve->subject, key, type);
}

int
manifest_types_check(const struct manifest *manifest, struct cairn_error *err)
{
	int code = 0;

	for (size_t i = 0; code == 0 && i < manifest->serve_count; i++) {
		const struct manifest_serve *serve = &manifest->serves[i];

		code = check_type(manifest, serve, "request", serve->request, err);
		if (code == 0)
			code = check_type(manifest, serve, "answer", serve->answer, err);
	}
	return code;
}

/* ---- masks ------------------------------------------------------------------------------ */

int
plugin_mask_path(const char *home, const char *name, char *ret, size_t size)
{
	int wrote = snprintf(ret, size, "%s/plugins/masked/%s", home, name);

	return wrote < 0 || (size_t)wrote >= size ? CAIRN_ELIMIT : 0;
}

int
plugin_mask_check(const char *home, const char *name, struct cairn_error *err)
{
	char path[PATH_MAX];

	if (plugin_mask_path(home, name, path, sizeof path) != 0 || !file_exists(path))
		return 0;
	return cairn_error_set(err, CAIRN_EFORBIDDEN,
	    "plugin '%s' is masked: it cannot be enabled until `cairn plugin unmask %s` (`cairn "
	    "plugin "
	    "why %s` says who masked it, and why)",
	    name, name, name);
}
