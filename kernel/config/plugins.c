/* SPDX-License-Identifier: Apache-2.0 */
/* plugins/enabled: one link for each plugin that the node starts. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "config/schema.h"
#include "config/script.h"

#define PLUGINS_MAX 256
#define PATH_TEXT_MAX 4096

struct names {
	char *names[PLUGINS_MAX];
	size_t count;
};

static void
names_fini(struct names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->names[i]);
}

static int
compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int
take_entry(struct names *names, const char *entry, struct cairn_error *err)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
	size_t length = strlen(entry);
	size_t stem = length < 5 ? 0 : length - 5;

	if (entry[0] == '.')
		return 0; /* an editor's, not ours */
	if (stem == 0 || strcmp(entry + stem, ".yaml") != 0 || stem > 32 ||
	    strspn(entry, letters) != stem || entry[0] < 'a')
		return cairn_error_set(err, CAIRN_EINVAL,
		    "plugins/enabled/%s: the name must be that of a plugin and end in .yaml; "
		    "remove "
		    "what does not belong here",
		    entry);
	if (names->count == PLUGINS_MAX)
		return cairn_error_set(err, CAIRN_ELIMIT, "plugins/enabled: more than 256 plugins");
	names->names[names->count] = strndup(entry, stem);
	if (names->names[names->count] == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "plugins/enabled: out of memory");
	names->count++;
	return 0;
}

static int
list_enabled(const char *home, struct names *names, struct cairn_error *err)
{
	char path[PATH_TEXT_MAX];
	const struct dirent *entry;
	DIR *dir;
	int code = file_join(path, sizeof path, home, "plugins/enabled");

	if (code != 0)
		return cairn_error_set(err, code, "%s: the path is too long", home);
	dir = opendir(path);
	if (dir == NULL && errno == ENOENT)
		return 0;
	if (dir == NULL)
		return cairn_error_set(
		    err, CAIRN_EIO, "%s: cannot be read: %s", path, strerror(errno));
	while (code == 0 && (entry = readdir(dir)) != NULL)
		code = take_entry(names, entry->d_name, err);
	closedir(dir);
	qsort(names->names, names->count, sizeof names->names[0], compare);
	return code;
}

int
plugin_file_find(const char *plugin_dir, const char *name, char *ret, size_t size)
{
	static const char *const suffixes[] = {".so", SCRIPT_SUFFIX};
	char relative[96];

	for (size_t i = 0; i < 2 * sizeof suffixes / sizeof *suffixes; i++) {
		const char *suffix = suffixes[i / 2];
		int wrote = i % 2 == 0
		    ? snprintf(relative, sizeof relative, "%s%s", name, suffix)
		    : snprintf(relative, sizeof relative, "%s/%s%s", name, name, suffix);

		if (wrote < 0 || (size_t)wrote >= sizeof relative ||
		    file_join(ret, size, plugin_dir, relative) != 0)
			return CAIRN_ELIMIT;
		if (file_exists(ret))
			return 0;
	}
	return CAIRN_ENOTFOUND;
}

int
plugin_object_find(const struct node_config *node, const char *name, char *ret, size_t size)
{
	static const char *const suffixes[] = {".so", SCRIPT_SUFFIX};

	for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
		int wrote = snprintf(ret, size, "%s/" PLUGIN_STORE "/%s/current/%s%s", node->home,
		    name, name, suffixes[i]);

		if (wrote < 0 || (size_t)wrote >= size)
			return CAIRN_ELIMIT;
		if (file_exists(ret))
			return 0;
	}
	return plugin_file_find(node->plugin_dir, name, ret, size);
}

static int
find_object(const struct node_config *node, const char *name, char ret[PATH_TEXT_MAX],
    struct cairn_error *err)
{
	int code = plugin_object_find(node, name, ret, PATH_TEXT_MAX);

	if (code == 0)
		return 0;
	return cairn_error_set(err, CAIRN_ENOTFOUND,
	    "plugins/enabled/%s.yaml: there is no %s/%s.so and no %s" SCRIPT_SUFFIX
	    " there; install the plugin, or disable it with `cairn plugin disable %s`",
	    name, node->plugin_dir, name, name, name);
}

/* Which programs may run plugins is the site's decision, not the plugin's. */
static int
check_interpreter(
    const struct node_config *node, const struct manifest *manifest, struct cairn_error *err)
{
	if (manifest->interpreter == NULL)
		return 0;
	for (char **at = node->interpreters; at != NULL && *at != NULL; at++) {
		if (strcmp(*at, manifest->interpreter) == 0)
			return 0;
	}
	return cairn_error_set(err, CAIRN_EFORBIDDEN,
	    "%s: wants to be run by '%s', which `interpreters` in node.yaml does not list; add it "
	    "there if this node should run such plugins, or disable it with `cairn plugin disable "
	    "%s`",
	    manifest->path, manifest->interpreter, manifest->name);
}

static int
load_values(const struct node_config *node, const char *name, struct plugin_config *config,
    struct cairn_error *err)
{
	char origin[64];
	char path[PATH_TEXT_MAX];
	struct tree *tree;
	int code;

	snprintf(origin, sizeof origin, "plugins/enabled/%s.yaml", name);
	code = file_join(path, sizeof path, node->home, origin);
	if (code != 0)
		return cairn_error_set(err, code, "%s: the path is too long", node->home);
	if (!file_exists(path))
		return cairn_error_set(err, CAIRN_ENOTFOUND,
		    "%s: the link leads nowhere; `cairn plugin disable %s` and enable it again",
		    origin, name);
	code = tree_read(path, origin, &tree, err);
	if (code != 0)
		return code;
	code = schema_load(tree, &config->manifest->schema, &config->values, err);
	tree_free(tree);
	return code;
}

static int
load_object(const struct node_config *node, const char *name, const char *object,
    struct plugin_config *config, struct cairn_error *err)
{
	int code = plugin_admit(node, name, object, config, err);

	if (code != 0 || config->object->verdict == PROVENANCE_REFUSED)
		return code;
	if (strcmp(config->manifest->name, name) != 0)
		return cairn_error_set(err, CAIRN_EINVAL,
		    "%s: is the plugin '%s', not '%s'; "
		    "file and plugin must have one name",
		    object, config->manifest->name, name);
	code = check_interpreter(node, config->manifest, err);
	return code != 0 ? code : load_values(node, name, config, err);
}

static int
load_plugin(const struct node_config *node, const char *name, struct plugin_config *config,
    struct cairn_error *err)
{
	char object[PATH_TEXT_MAX];
	int code = find_object(node, name, object, err);

	return code != 0 ? code : load_object(node, name, object, config, err);
}

int
plugin_config_load(const struct node_config *node, const char *name, const char *object,
    struct plugin_config *ret, struct cairn_error *err)
{
	struct plugin_config config = {0};
	int code = plugin_mask_check(node->home, name, err);

	if (code == 0)
		code = object == NULL ? load_plugin(node, name, &config, err)
				      : load_object(node, name, object, &config, err);
	if (code == 0)
		code = manifest_types_check(config.manifest, err);
	if (code != 0) {
		plugin_config_fini(&config);
		return code;
	}
	*ret = config;
	return 0;
}

static const struct manifest *
find_server(const struct plugin_config *configs, size_t count, const char *subject)
{
	for (size_t i = 0; i < count; i++) {
		const struct manifest *manifest = configs[i].manifest;

		for (size_t j = 0; j < manifest->serve_count; j++) {
			if (strcmp(manifest->serves[j].subject, subject) == 0)
				return manifest;
		}
	}
	return NULL;
}

/* Which of two plugins answers, and whether the policy is asked, must not hang on their order. */
static int
check_subjects(const struct plugin_config *configs, size_t count, struct cairn_error *err)
{
	for (size_t i = 1; i < count; i++) {
		const struct manifest *manifest = configs[i].manifest;

		for (size_t j = 0; j < manifest->serve_count; j++) {
			const char *subject = manifest->serves[j].subject;
			const struct manifest *other = find_server(configs, i, subject);

			if (other != NULL)
				return cairn_error_set(err, CAIRN_EEXIST,
				    "plugins '%s' and '%s' both serve '%s'; disable one of them",
				    other->name, manifest->name, subject);
		}
	}
	return 0;
}

int
plugin_configs_load(const struct node_config *node, struct plugin_config **ret, size_t *ret_count,
    struct cairn_error *err)
{
	struct names names = {0};
	struct plugin_config *configs = NULL;
	int code = list_enabled(node->home, &names, err);

	if (code == 0) {
		configs = calloc(names.count + 1, sizeof *configs);
		if (configs == NULL)
			code = cairn_error_set(err, CAIRN_ENOMEM, "plugins: out of memory");
	}
	for (size_t i = 0; i < names.count && code == 0; i++) {
		code = plugin_mask_check(node->home, names.names[i], err);
		if (code == 0)
			code = load_plugin(node, names.names[i], &configs[i], err);
		if (code == 0)
			code = manifest_types_check(configs[i].manifest, err);
	}
	if (code == 0)
		code = check_subjects(configs, names.count, err);
	if (code != 0) {
		plugin_configs_free(configs, names.count);
	} else {
		*ret = configs;
		*ret_count = names.count;
	}
	names_fini(&names);
	return code;
}

void
plugin_config_fini(struct plugin_config *config)
{
	config_values_fini(&config->values);
	manifest_free(config->manifest);
	provenance_free(config->object);
	*config = (struct plugin_config){0};
}

void
plugin_configs_free(struct plugin_config *configs, size_t count)
{
	for (size_t i = 0; configs != NULL && i < count; i++)
		plugin_config_fini(&configs[i]);
	free(configs);
}
