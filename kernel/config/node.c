/* SPDX-License-Identifier: Apache-2.0 */
/* node.yaml.  Its schema is written as a plugin's is. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "config/example.h"
#include "config/schema.h"
#include "link/issuers.h"
#include "observe/address.h"

static const char node_schema[] =
    "id: {type: string, min: 1, max: 63, help: 'The name of this node in the network and in its "
    "ledger: a-z, 0-9, dots and hyphens.'}\n"
    "name: {type: string, default: '', max: 200, help: 'The name of this node for people. "
    "Empty: the id.'}\n"
    "role: {type: string, default: site, choices: [site, hub], help: 'site: a hospital that holds "
    "data. hub: the coordination node.'}\n"
    "project: {type: string, default: local, min: 1, max: 63, help: 'The project that pseudonyms "
    "belong to: a patient has other pseudonyms in every project. Do not change it once data has "
    "been received.'}\n"
    "plugin_dir: {type: string, default: /usr/lib/cairn/plugins, min: 1, max: 1000, help: 'Where "
    "the plugins (shared objects) are. A relative path starts at this folder.'}\n"
    "restart_limit: {type: integer, default: 10, min: 1, max: 1000, help: 'So many crashes of one "
    "plugin within restart_window_s, and it is not started again until an operator asks.'}\n"
    "restart_window_s: {type: integer, default: 60, min: 1, max: 86400, help: 'In seconds.'}\n"
    "stop_timeout_ms: {type: integer, default: 10000, min: 100, max: 600000, help: 'A plugin that "
    "has not stopped after so many milliseconds is killed.'}\n"
    "heartbeat_ms: {type: integer, default: 5000, min: 100, max: 60000, help: 'Every plugin is "
    "asked for a sign of life this often, in milliseconds.'}\n"
    "heartbeat_limit_ms: {type: integer, default: 15000, min: 100, max: 600000, help: 'A plugin "
    "that gave no sign of life for so many milliseconds hangs; it is killed and started again as "
    "after a crash. Not while it is under a debugger.'}\n"
    "log_size_kb: {type: integer, default: 10240, min: 64, max: 1048576, help: 'When the log of a "
    "plugin would become larger than this, log/NAME.log is renamed to log/NAME.log.1, that to .2, "
    "and so on.'}\n"
    "log_files: {type: integer, default: 5, min: 1, max: 100, help: 'So many log files are kept of "
    "each plugin; together they never take more than log_files times log_size_kb.'}\n"
    "log_format: {type: string, default: text, choices: [text, json], help: 'How the node and its "
    "plugins write their logs. text: a line for people. json: an object a line, for programs.'}\n"
    "metrics: {type: string, default: '', max: 1000, help: 'Where figures for Prometheus are "
    "shown, on this machine only: 127.0.0.1:9464, or the path of a Unix socket (a relative one "
    "starts at this folder). Empty: nowhere. They say how much and how fast, never who.'}\n"
    "core_files: {type: bool, default: false, help: 'Whether a process of the node that crashes "
    "leaves a core file where the system puts those. It is a copy of the memory: it holds patient "
    "data and keys.'}\n"
    "sandbox: {type: string, default: best, choices: [best, require], help: 'Every plugin is "
    "confined to what it was granted. best: by what this machine can enforce, and the log says "
    "what "
    "it cannot. require: plugins do not start where anything cannot be enforced.'}\n"
    "import_dirs: {type: list, default: [], max: 16, help: 'Absolute "
    "paths of folders that plugins which write to the object store may always read, file by "
    "file, "
    "for instance one that is watched. What cairn import names needs no entry: it is lent for as "
    "long as the command runs. The home of the node is never lent.'}\n"
    "plugin_memory_mb: {type: integer, default: 8192, min: 256, max: 4194304, help: 'The most "
    "memory "
    "that one plugin may take, in MiB.'}\n"
    "plugin_disk_mb: {type: integer, default: 1048576, min: 1, max: 1073741824, help: 'The most "
    "that one plugin may keep in its folder under state, and in any one file, in MiB. One that is "
    "beyond is stopped.'}\n"
    "plugin_user: {type: integer, default: 59900, min: 0, max: 2000000000, help: 'Where the node "
    "runs as root, each plugin runs as a user of its own, from this number on (64 of them). 0: all "
    "as root, without its privileges.'}\n"
    "issuers: {type: list, default: [], max: 1000, help: 'Assigning authorities of patient "
    "numbers, accessions and samples that are one and the same under several names, as "
    "ALIAS=CANONICAL; =CANONICAL says whose the numbers without an authority are. Case does not "
    "matter here. Set it before data come: what was received under an alias keeps the pseudonym "
    "that it had.'}\n"
    "interpreters: {type: list, default: [/usr/bin/python3, lua, sh], max: 32, help: 'The programs "
    "that may run plugins which are no shared objects: absolute paths, and lua and sh for the "
    "hosts "
    "that come with Cairn.'}\n";

static int
load_schema(struct config_schema *ret, struct cairn_error *err)
{
	struct tree *tree;
	int code =
	    tree_parse(node_schema, sizeof node_schema - 1, "schema of node.yaml", &tree, err);

	if (code != 0)
		return code;
	code = schema_parse(tree, tree->root, ret, err);
	tree_free(tree);
	return code;
}

static int
check_word(const struct config_values *values, const char *key, struct cairn_error *err)
{
	const struct config_value *value = config_find(values, key);
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789.-";

	if (strspn(value->text, letters) == strlen(value->text) && value->text[0] != '.' &&
	    value->text[0] != '-')
		return 0;
	return cairn_error_set(err, CAIRN_EINVAL,
	    "node.yaml:%u: '%s' must be made of a-z, 0-9, '.' and '-' and begin with a letter or "
	    "digit, found the text '%s'",
	    value->line, key, value->text);
}

static char *
take_text(struct config_values *values, const char *key)
{
	for (size_t i = 0; i < values->count; i++) {
		char *text = values->values[i].text;

		if (strcmp(values->values[i].option->key, key) != 0)
			continue;
		values->values[i].text = NULL;
		return text;
	}
	return NULL;
}

static char *
absolute(const char *home, char *path)
{
	BUF_AUTO buf = {.max = 8192};
	char *joined;

	if (path[0] == '/')
		return path;
	joined = buf_append_format(&buf, "%s/%s", home, path) != 0 || buf_text(&buf) == NULL
	    ? NULL
	    : strdup(buf_text(&buf));
	free(path);
	return joined;
}

static char **
take_list(struct config_values *values, const char *key)
{
	for (size_t i = 0; i < values->count; i++) {
		char **items = values->values[i].items;

		if (strcmp(values->values[i].option->key, key) != 0)
			continue;
		values->values[i].items = NULL;
		values->values[i].item_count = 0;
		return items;
	}
	return NULL;
}

static int
take_metrics(struct node_config *config, struct config_values *values, struct cairn_error *err)
{
	const struct config_value *value = config_find(values, "metrics");
	unsigned line = value->line;
	int code;

	config->metrics = take_text(values, "metrics");
	if (config->metrics == NULL || config->metrics[0] == 0)
		return config->metrics == NULL ? CAIRN_ENOMEM : 0;
	if (strchr(config->metrics, '/') != NULL)
		config->metrics = absolute(config->home, config->metrics);
	if (config->metrics == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "node.yaml: out of memory");
	code = address_check(config->metrics, err);
	return code == 0 ? 0 : cairn_error_prefix(err, code, "node.yaml:%u", line);
}

static unsigned
take_unsigned(const struct config_values *values, const char *key)
{
	return (unsigned)config_find(values, key)->integer;
}

static int
fill(struct node_config *config, struct config_values *values, struct cairn_error *err)
{
	int code = check_word(values, "id", err);

	if (code == 0)
		code = check_word(values, "project", err);
	if (code != 0)
		return code;
	config->id = take_text(values, "id");
	config->name = take_text(values, "name");
	if (config->name[0] == 0) {
		free(config->name);
		config->name = strdup(config->id);
	}
	config->role = take_text(values, "role");
	config->project = take_text(values, "project");
	config->plugin_dir = absolute(config->home, take_text(values, "plugin_dir"));
	config->restart_limit = take_unsigned(values, "restart_limit");
	config->restart_window_s = take_unsigned(values, "restart_window_s");
	config->stop_timeout_ms = take_unsigned(values, "stop_timeout_ms");
	config->heartbeat_ms = take_unsigned(values, "heartbeat_ms");
	config->heartbeat_limit_ms = take_unsigned(values, "heartbeat_limit_ms");
	config->log_size_kb = take_unsigned(values, "log_size_kb");
	config->log_files = take_unsigned(values, "log_files");
	config->sandbox_require = strcmp(config_find(values, "sandbox")->text, "require") == 0;
	config->import_dirs = take_list(values, "import_dirs");
	config->plugin_memory_mb = take_unsigned(values, "plugin_memory_mb");
	config->plugin_disk_mb = take_unsigned(values, "plugin_disk_mb");
	config->plugin_user = take_unsigned(values, "plugin_user");
	config->interpreters = take_list(values, "interpreters");
	config->log_json = strcmp(config_find(values, "log_format")->text, "json") == 0;
	config->core_files = config_find(values, "core_files")->boolean;
	config->issuers = take_list(values, "issuers");
	code = issuers_check(config->issuers, err);
	if (code != 0)
		return cairn_error_prefix(
		    err, code, "node.yaml:%u", config_find(values, "issuers")->line);
	code = take_metrics(config, values, err);
	if (code != 0)
		return code;
	if (config->name == NULL || config->plugin_dir == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "node.yaml: out of memory");
	return 0;
}

static int
load_values(const char *path, const struct config_schema *schema, struct config_values *ret,
    struct cairn_error *err)
{
	struct tree *tree;
	int code = tree_read(path, "node.yaml", &tree, err);

	if (code != 0)
		return code;
	code = schema_load(tree, schema, ret, err);
	tree_free(tree);
	return code;
}

static int
load_file(struct node_config *config, struct cairn_error *err)
{
	struct config_schema schema = {0};
	struct config_values values = {0};
	char path[4096];
	int code = file_join(path, sizeof path, config->home, "node.yaml");

	if (code != 0)
		return cairn_error_set(err, code, "%s: the path is too long", config->home);
	if (!file_exists(path))
		return cairn_error_set(err, CAIRN_ENOTFOUND,
		    "%s holds no node.yaml; `cairn init %s` makes a node there", config->home,
		    config->home);
	code = load_schema(&schema, err);
	if (code == 0)
		code = load_values(path, &schema, &values, err);
	if (code == 0)
		code = fill(config, &values, err);
	config_values_fini(&values);
	schema_fini(&schema);
	return code;
}

/* An operator may have several homes. */
static int
name_path(const char *home, struct cairn_error *err)
{
	struct cairn_error cause = *err;

	if (strncmp(cause.text, "node.yaml", 9) != 0)
		return cause.code;
	return cairn_error_set(err, cause.code, "%s/%s", home, cause.text);
}

int
node_config_load(const char *home, struct node_config **ret, struct cairn_error *err)
{
	struct node_config *config = calloc(1, sizeof *config);
	int code;

	if (config == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "node.yaml: out of memory");
	/* Absolute, because hosts are started in directories of their own. */
	config->home = realpath(home, NULL);
	if (config->home == NULL)
		code = cairn_error_set(err, CAIRN_ENOTFOUND,
		    "%s: no such folder; `cairn init %s` makes a node there", home, home);
	else
		code = load_file(config, err);
	if (code != 0 && err != NULL)
		code = name_path(config->home == NULL ? home : config->home, err);
	if (code != 0)
		node_config_free(config);
	else
		*ret = config;
	return code;
}

void
node_config_free(struct node_config *config)
{
	if (config == NULL)
		return;
	free(config->home);
	free(config->id);
	free(config->name);
	free(config->role);
	free(config->project);
	free(config->plugin_dir);
	free(config->metrics);
	for (char **at = config->import_dirs; at != NULL && *at != NULL; at++)
		free(*at);
	free(config->import_dirs);
	for (char **at = config->issuers; at != NULL && *at != NULL; at++)
		free(*at);
	free(config->issuers);
	for (char **at = config->interpreters; at != NULL && *at != NULL; at++)
		free(*at);
	free(config->interpreters);
	free(config);
}

/* ---- the example ------------------------------------------------------------------------ */

/* As a YAML text between double quotes; NULL when out of memory. */
static char *
quoted(const char *text)
{
	BUF_AUTO buf = {.max = EXAMPLE_TEXT_MAX};
	int code = buf_append_text(&buf, "\"");

	for (; *text != 0 && code == 0; text++) {
		if (*text == '"' || *text == '\\')
			code = buf_append_text(&buf, "\\");
		if (code == 0)
			code = buf_append(&buf, text, 1);
	}
	if (code == 0)
		code = buf_append_text(&buf, "\"");
	return code != 0 || buf_text(&buf) == NULL ? NULL : strdup(buf_text(&buf));
}

static int
append_example(struct buf *buf, const struct example_given *given, struct cairn_error *err)
{
	struct config_schema schema = {0};
	int code = load_schema(&schema, err);

	if (code != 0)
		return code;
	code = buf_append_text(buf,
	    "# This node. `cairn check` says whether the file is right.\n"
	    "# Every option stands below, those not set yet with their default; remove the '#' "
	    "before\n# one to change it.\n");
	if (code == 0)
		code = example_schema(buf, &schema, given);
	schema_fini(&schema);
	return code;
}

int
node_config_example(const char *id, const char *name, const char *plugin_dir, char **ret_text,
    struct cairn_error *err)
{
	BUF_AUTO buf = {.max = EXAMPLE_TEXT_MAX};
	char *texts[3];
	struct example_given given[] = {{"id", NULL}, {"name", NULL}, {"plugin_dir", NULL}, {0}};
	int code;

	if (!schema_text_is_plain(id) || !schema_text_is_plain(name) ||
	    !schema_text_is_plain(plugin_dir))
		return cairn_error_set(
		    err, CAIRN_EINVAL, "id, name and plugin_dir must be single lines of text");
	texts[0] = quoted(id);
	texts[1] = quoted(name);
	texts[2] = quoted(plugin_dir);
	for (size_t i = 0; i < 3; i++)
		given[i].yaml = texts[i];
	code = texts[0] == NULL || texts[1] == NULL || texts[2] == NULL
	    ? CAIRN_ENOMEM
	    : append_example(&buf, given, err);
	for (size_t i = 0; i < 3; i++)
		free(texts[i]);
	return example_take(&buf, code, ret_text, err);
}
