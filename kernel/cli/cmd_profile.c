/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Profiles: which plugins a kind of node runs, with which settings and thresholds.  Applying one
 * changes only what it names, shows each change, and does nothing the second time.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "cli/accept.h"
#include "cli/available.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/paths.h"
#include "cli/profile.h"
#include "config/tree.h"

#define TEXT_MAX (1u << 20)
#define FILES_MAX 64
#define NAMES_MAX 64

/* ---- reading ---------------------------------------------------------------------------- */

struct names {
	char *list[NAMES_MAX];
	size_t count;
};

static int
add_name(void *arg, const char *path, struct cairn_error *err)
{
	struct names *names = arg;
	const char *slash = strrchr(path, '/');
	const char *base = slash == NULL ? path : slash + 1;

	(void)err;
	if (names->count < NAMES_MAX &&
	    (names->list[names->count] = strndup(base, strcspn(base, "."))) != NULL)
		names->count++;
	return 0;
}

static const char *
name_at(const void *arg, size_t index)
{
	const struct names *names = arg;

	return index < names->count ? names->list[index] : NULL;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int
load_names(struct names *names, struct cairn_error *err)
{
	char dir[PATH_MAX];
	int code;

	if (paths_share("profiles", dir) != 0)
		return cairn_error_set(err, CAIRN_EIO, "cannot tell where this program lies");
	code = available_files(dir, ".yaml", add_name, names, err);
	qsort(names->list, names->count, sizeof names->list[0], by_name);
	return code;
}

static void
names_fini(struct names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->list[i]);
}

static int
load_profile(const char *name, struct tree **ret, struct cairn_error *err)
{
	struct names names = {0};
	char share[80], path[PATH_MAX];
	const char *near;
	bool found = false;
	int code = load_names(&names, err);

	for (size_t i = 0; i < names.count; i++)
		found = found || strcmp(names.list[i], name) == 0;
	near = text_suggest(name, name_at, &names);
	if (code == 0 && !found)
		code = cairn_error_set(err, CAIRN_ENOTFOUND,
		    "no profile '%s'%s%s%s (see: cairn profile list)", name,
		    near == NULL ? "" : "; did you mean '", near == NULL ? "" : near,
		    near == NULL ? "" : "'?");
	names_fini(&names);
	if (code != 0)
		return code;
	if (snprintf(share, sizeof share, "profiles/%.60s.yaml", name) < 0 ||
	    paths_share(share, path) != 0)
		return cairn_error_set(err, CAIRN_EIO, "cannot tell where this program lies");
	return tree_read(path, share, ret, err);
}

static const char *
text_at(const struct tree *tree, const char *key)
{
	const struct tree_node *node = tree_find(tree->root, key);

	return node == NULL || node->kind != TREE_SCALAR ? "" : node->text;
}

/* ---- list ------------------------------------------------------------------------------- */

static void
plugin_words(const struct tree *tree, char *ret, size_t size)
{
	const struct tree_node *plugins = tree_find(tree->root, "plugins");
	size_t length = 0;

	ret[0] = 0;
	if (plugins == NULL || plugins->kind != TREE_MAP)
		return;
	for (const struct tree_node *at = plugins->first; at != NULL && length < size;
	     at = at->next) {
		int wrote =
		    snprintf(ret + length, size - length, "%s%s", length == 0 ? "" : " ", at->key);

		length += wrote < 0 ? size : (size_t)wrote;
	}
}

static int
run_list(struct cli *cli, int argc, char **argv)
{
	const struct cli_option options[] = {{0}};
	struct cli_table table = {0};
	struct cairn_error err = {0};
	struct names names = {0};
	json_t *array = json_array();
	int code;

	argc = cli_options(cli, options, argc, argv);
	code = argc != 0 ? 0 : load_names(&names, &err);
	if (!cli->json)
		cli_table_row(&table, CLI_DIM, 4,
		    (const char *const[]){"PROFILE", "ROLE", "PLUGINS", "SUMMARY"});
	for (size_t i = 0; code == 0 && i < names.count; i++) {
		struct tree *tree = NULL;
		char plugins[256];

		code = load_profile(names.list[i], &tree, &err);
		if (code != 0)
			break;
		plugin_words(tree, plugins, sizeof plugins);
		cli_table_row(&table, CLI_PLAIN, 4,
		    (const char *const[]){
			names.list[i], text_at(tree, "role"), plugins, text_at(tree, "summary")});
		json_array_append_new(array,
		    json_pack("{s:s, s:s, s:s, s:s}", "name", names.list[i], "role",
			text_at(tree, "role"), "plugins", plugins, "summary",
			text_at(tree, "summary")));
		tree_free(tree);
	}
	names_fini(&names);
	if (argc == 0 && code == 0 && cli->json)
		cli_print_json(json_pack("{s:O}", "profiles", array));
	if (argc == 0 && code == 0 && !cli->json)
		cli_table_print(cli, &table);
	json_decref(array);
	if (argc != 0)
		return argc < 0 ? CLI_USAGE : cli_usage(cli, "takes no arguments");
	return code == 0 ? CLI_DONE : cli_fail(cli, &err);
}

/* ---- apply ------------------------------------------------------------------------------ */

/* A file that is changed, with what it was, so that a set that proves wrong is put back. */
struct file {
	char path[PATH_MAX];
	char name[128]; /* in the home */
	struct buf before, text;
	bool fresh; /* was not there */
};

struct apply {
	struct cli *cli;
	bool dry_run;
	struct node_config *node;
	struct file *files[FILES_MAX];
	size_t file_count;
	struct names enable;
	json_t *changes;
};

static void
say(struct apply *apply, const char *what, const char *from, const char *to)
{
	json_array_append_new(apply->changes,
	    json_pack("{s:o, s:o, s:o}", "what", cli_text(what), "from", cli_text(from), "to",
		cli_text(to)));
	if (apply->cli->json)
		return;
	printf("  %s: ", what);
	cli_print_safe(stdout, from);
	printf("%s", from[0] == 0 ? "" : " -> ");
	cli_print_safe(stdout, to);
	putchar('\n');
}

static int
open_file(struct apply *apply, const char *name, struct file **ret, struct cairn_error *err)
{
	struct file *file;
	int code;

	if (apply->file_count == FILES_MAX)
		return cairn_error_set(err, CAIRN_ELIMIT, "the profile changes too many files");
	file = calloc(1, sizeof *file);
	if (file == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	buf_init(&file->before, TEXT_MAX);
	buf_init(&file->text, TEXT_MAX);
	apply->files[apply->file_count++] = file;
	if (file_join(file->path, sizeof file->path, apply->cli->home, name) != 0 ||
	    !text_copy(file->name, sizeof file->name, name))
		return cairn_error_set(err, CAIRN_ELIMIT, "the path is too long: %s", name);
	file->fresh = !file_exists(file->path);
	code = file->fresh ? 0 : file_read(file->path, &file->before, err);
	if (code == 0 && buf_append(&file->text, file->before.data, file->before.length) != 0)
		code = cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	*ret = file;
	return code;
}

static int
set_key(struct apply *apply, struct file *file, const char *key, const char *value,
    struct cairn_error *err)
{
	struct buf changed = {.max = TEXT_MAX};
	char before[PROFILE_VALUE_MAX + 1], what[256];
	const char *text = buf_text(&file->text);
	int code = text == NULL ? CAIRN_ENOMEM : profile_set(text, key, value, &changed, before);

	if (code != 0) {
		buf_fini(&changed);
		return cairn_error_set(err, code, "%s: out of memory", file->name);
	}
	if (strcmp(before, value) == 0) {
		buf_fini(&changed);
		return 0;
	}
	snprintf(what, sizeof what, "%s: %s", file->name, key);
	say(apply, what, before[0] == 0 ? "(default)" : before, value);
	buf_fini(&file->text);
	file->text = changed;
	return 0;
}

static int
set_keys(struct apply *apply, const struct tree *tree, const struct tree_node *map,
    const char *name, struct cairn_error *err)
{
	struct file *file = NULL;
	int code;

	if (map == NULL || tree_is_null(map))
		return 0;
	if (map->kind != TREE_MAP)
		return tree_error(tree, map, err, "expected `key: value` pairs");
	if (map->count == 0)
		return 0;
	code = open_file(apply, name, &file, err);
	for (const struct tree_node *at = map->first; code == 0 && at != NULL; at = at->next) {
		if (at->kind != TREE_SCALAR || at->length > PROFILE_VALUE_MAX)
			return tree_error(tree, at, err, "'%s' must be a single value", at->key);
		code = set_key(apply, file, at->key, at->text, err);
	}
	return code;
}

static bool
is_enabled(const struct apply *apply, const char *name)
{
	char path[PATH_MAX];
	struct stat st;

	return snprintf(path, sizeof path, "%s/plugins/enabled/%s.yaml", apply->cli->home, name) <
	    (int)sizeof path &&
	    lstat(path, &st) == 0;
}

static int
plan_plugin(struct apply *apply, const struct tree *tree, const struct tree_node *plugin,
    struct cairn_error *err)
{
	char object[PATH_MAX], file[128];
	int code = plugin_object_find(apply->node, plugin->key, object, sizeof object);

	if (code != 0)
		return cairn_error_set(err, code,
		    "the profile needs the plugin '%s', which is not installed (cairn plugin list)",
		    plugin->key);
	code = available_write(apply->cli->home, object, err);
	snprintf(file, sizeof file, "plugins/available/%.64s.yaml", plugin->key);
	if (code == 0)
		code = set_keys(apply, tree, plugin, file, err);
	if (code != 0 || is_enabled(apply, plugin->key))
		return code;
	say(apply, "enable plugin", "", plugin->key);
	return add_name(&apply->enable, plugin->key, err);
}

static int
plan(struct apply *apply, const struct tree *tree, struct cairn_error *err)
{
	const struct tree_node *plugins = tree_find(tree->root, "plugins");
	const char *role = text_at(tree, "role");
	struct file *file = NULL;
	int code = 0;

	if (role[0] != 0 && strcmp(role, apply->node->role) != 0) {
		code = open_file(apply, "node.yaml", &file, err);
		if (code == 0)
			code = set_key(apply, file, "role", role, err);
	}
	if (code == 0)
		code = set_keys(
		    apply, tree, tree_find(tree->root, "policies"), "policies/settings.yaml", err);
	if (plugins == NULL || plugins->kind != TREE_MAP)
		return code;
	for (const struct tree_node *at = plugins->first; code == 0 && at != NULL; at = at->next)
		code = plan_plugin(apply, tree, at, err);
	return code;
}

static void
put_back(const struct apply *apply)
{
	for (size_t i = 0; i < apply->file_count; i++) {
		const struct file *file = apply->files[i];

		if (!file->fresh)
			file_write(file->path, file->before.data, file->before.length, 0600, NULL);
	}
	for (size_t i = 0; i < apply->enable.count; i++) {
		char link[PATH_MAX];

		if (snprintf(link, sizeof link, "%s/plugins/enabled/%s.yaml", apply->cli->home,
			apply->enable.list[i]) < (int)sizeof link)
			unlink(link);
	}
}

static int
enable(struct apply *apply, const char *name, struct cairn_error *err)
{
	const struct accept_options accept = {0};
	char object[PATH_MAX], link[PATH_MAX], target[PATH_MAX];
	int code = plugin_object_find(apply->node, name, object, sizeof object);

	if (code == 0)
		code = accept_plugin(apply->cli, name, object, &accept, err);
	if (code != 0)
		return code;
	if (snprintf(link, sizeof link, "%s/plugins/enabled/%s.yaml", apply->cli->home, name) >=
		(int)sizeof link ||
	    snprintf(target, sizeof target, "../available/%s.yaml", name) >= (int)sizeof target)
		return cairn_error_set(err, CAIRN_ELIMIT, "the path is too long: %s", name);
	return symlink(target, link) != 0 && errno != EEXIST
	    ? cairn_error_set(err, CAIRN_EIO, "cannot link %s: %s", link, strerror(errno))
	    : 0;
}

/* What a node would say at its start. */
static int
prove(const struct apply *apply, struct cairn_error *err)
{
	struct plugin_config *configs = NULL;
	struct node_config *node = NULL;
	size_t count = 0;
	int code = node_config_load(apply->cli->home, &node, err);

	if (code == 0)
		code = plugin_configs_load(node, &configs, &count, err);
	plugin_configs_free(configs, count);
	node_config_free(node);
	return code;
}

static int
carry_out(struct apply *apply, struct cairn_error *err)
{
	json_t *reply = NULL;
	int code = 0;

	for (size_t i = 0; code == 0 && i < apply->file_count; i++) {
		const struct file *file = apply->files[i];

		code = file_write(file->path, file->text.data, file->text.length, 0600, err);
	}
	for (size_t i = 0; code == 0 && i < apply->enable.count; i++)
		code = enable(apply, apply->enable.list[i], err);
	if (code == 0)
		code = prove(apply, err);
	if (code == 0 && apply->enable.count > 0 && client_running(apply->cli->home))
		code = client_json(apply->cli, "kernel.rescan", NULL, &reply, err);
	json_decref(reply);
	if (code == 0)
		return 0;
	put_back(apply);
	return cairn_error_prefix(err, code, "nothing was changed");
}

static void
apply_fini(struct apply *apply)
{
	for (size_t i = 0; i < apply->file_count; i++) {
		buf_fini(&apply->files[i]->before);
		buf_fini(&apply->files[i]->text);
		free(apply->files[i]);
	}
	names_fini(&apply->enable);
	node_config_free(apply->node);
	json_decref(apply->changes);
}

static int
report(struct apply *apply, const char *name)
{
	size_t count = json_array_size(apply->changes);
	bool running = client_running(apply->cli->home);

	if (apply->cli->json)
		return cli_print_json(json_pack("{s:s, s:b, s:O}", "profile", name, "dry_run",
		    apply->dry_run, "changes", apply->changes));
	if (count == 0)
		printf("the node is as the profile '%s' says; nothing to change\n", name);
	else if (apply->dry_run)
		printf("%zu changes would be made (--dry-run); nothing was changed\n", count);
	else
		printf("applied the profile '%s': %zu changes%s\n", name, count,
		    running ? "; restart the node for settings of what ran already" : "");
	return CLI_DONE;
}

static int
run_apply(struct cli *cli, int argc, char **argv)
{
	struct apply apply = {.cli = cli, .changes = json_array()};
	const struct cli_option options[] = {{"--dry-run", NULL, &apply.dry_run}, {0}};
	struct cairn_error err = {0};
	struct tree *tree = NULL;
	int code;

	argc = cli_options(cli, options, argc, argv);
	if (argc != 1) {
		json_decref(apply.changes);
		return argc < 0 ? CLI_USAGE : cli_usage(cli, "name one profile");
	}
	code = node_config_load(cli->home, &apply.node, &err);
	if (code == 0)
		code = load_profile(argv[0], &tree, &err);
	if (code == 0)
		code = plan(&apply, tree, &err);
	if (code == 0 && !apply.dry_run)
		code = carry_out(&apply, &err);
	code = code == 0 ? report(&apply, argv[0]) : cli_fail(cli, &err);
	if (tree != NULL)
		tree_free(tree);
	apply_fini(&apply);
	return code;
}

const struct cli_command cli_profile_commands[] = {
    {"profile list", "", "list the profiles: kinds of node", "", "cairn profile list", run_list},
    {"profile apply", "NAME [--dry-run]", "make the node what a profile says",
	"Enables the profile's plugins and sets the settings and thresholds that it names; "
	"nothing\n"
	"else is touched. When the set proves wrong, nothing is changed.\n"
	"  --dry-run   only show what would be changed\n",
	"cairn profile apply site --dry-run", run_apply},
    {0}};
