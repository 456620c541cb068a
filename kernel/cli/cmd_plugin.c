/* SPDX-License-Identifier: Apache-2.0 */
/* Plugins: list, enable, disable, restart, info. */
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
#include "cli/settle.h"
#include "config/config.h"

/* ---- names ------------------------------------------------------------------------------ */

#define NAMES_MAX 256

struct names {
	char *list[NAMES_MAX];
	size_t count;
};

static int
compare_names(const void *a, const void *b)
{
	const char *const *left = a;
	const char *const *right = b;

	return strcmp(*left, *right);
}

static int
names_add(void *arg, const char *path, struct cairn_error *err)
{
	struct names *names = arg;
	const char *name = strrchr(path, '/') + 1;
	size_t length = strcspn(name, ".");

	(void)err;
	for (size_t i = 0; i < names->count; i++) {
		if (strlen(names->list[i]) == length && strncmp(names->list[i], name, length) == 0)
			return 0;
	}
	if (names->count < NAMES_MAX && (names->list[names->count] = strndup(name, length)) != NULL)
		names->count++;
	return 0;
}

/* The plugins that have settings in plugins/available or a shared object in plugin_dir, by name. */
static int
names_load(const char *home, struct names *names, struct cairn_error *err)
{
	struct node_config *node = NULL;
	char path[PATH_MAX];
	int code = node_config_load(home, &node, err);

	if (code != 0)
		return code;
	code = file_join(path, sizeof path, home, "plugins/available");
	if (code == 0)
		code = available_files(path, ".yaml", names_add, names, err);
	if (code == 0)
		code = available_files(node->plugin_dir, ".so", names_add, names, err);
	if (code == 0)
		code = available_files(node->plugin_dir, ".plugin.yaml", names_add, names, err);
	node_config_free(node);
	qsort(names->list, names->count, sizeof names->list[0], compare_names);
	return code;
}

static void
names_free(struct names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->list[i]);
	names->count = 0;
}

static const char *
names_at(const void *arg, size_t index)
{
	const struct names *names = arg;

	return index < names->count ? names->list[index] : NULL;
}

static int
names_need(const struct names *names, const char *name, struct cairn_error *err)
{
	const char *near;

	for (size_t i = 0; i < names->count; i++) {
		if (strcmp(names->list[i], name) == 0)
			return 0;
	}
	near = text_suggest(name, names_at, names);
	if (near != NULL)
		return cairn_error_set(err, CAIRN_ENOTFOUND,
		    "no plugin '%s' is available; did you mean "
		    "'%s'?",
		    name, near);
	return cairn_error_set(
	    err, CAIRN_ENOTFOUND, "no plugin '%s' is available (see: cairn plugin list)", name);
}

static int
link_paths(const char *home, const char *name, char link[PATH_MAX], char target[PATH_MAX])
{
	int a = snprintf(link, PATH_MAX, "%s/plugins/enabled/%s.yaml", home, name);
	int b = snprintf(target, PATH_MAX, "../available/%s.yaml", name);

	return a < 0 || a >= PATH_MAX || b < 0 || b >= PATH_MAX ? CAIRN_ELIMIT : 0;
}

static bool
is_enabled(const char *home, const char *name)
{
	char link[PATH_MAX], target[PATH_MAX];
	struct stat st;

	return link_paths(home, name, link, target) == 0 && lstat(link, &st) == 0;
}

/* What the running node says of a plugin, NULL when it does not run. Borrowed from `status`. */
static const json_t *
running_state(const json_t *status, const char *name)
{
	const json_t *plugin;
	size_t index;

	json_array_foreach(json_object_get(status, "plugins"), index, plugin)
	{
		const char *other = json_string_value(json_object_get(plugin, "name"));

		if (other != NULL && strcmp(other, name) == 0)
			return plugin;
	}
	return NULL;
}

static json_t *
ask_status(const struct cli *cli)
{
	json_t *status = NULL;

	if (client_json(cli, "kernel.status", NULL, &status, NULL) != 0)
		return NULL;
	return status;
}

static const char *
state_text(const struct cli *cli, const json_t *status, const char *name)
{
	const json_t *plugin = running_state(status, name);

	if (plugin != NULL)
		return json_string_value(json_object_get(plugin, "state"));
	if (plugin_mask_check(cli->home, name, NULL) != 0)
		return "masked";
	if (!is_enabled(cli->home, name))
		return "disabled";
	return status == NULL ? "enabled, node not running" : "enabled, not loaded";
}

/* Where the node would load the plugin from. */
static int
object_path(const struct cli *cli, const char *name, char ret[PATH_MAX], struct cairn_error *err)
{
	struct node_config *node = NULL;
	int code = node_config_load(cli->home, &node, err);

	if (code == 0) {
		code = plugin_object_find(node, name, ret, PATH_MAX);
		if (code != 0)
			cairn_error_set(err, code,
			    "there is no %s/%s.so and no %s.plugin.yaml there", node->plugin_dir,
			    name, name);
	}
	node_config_free(node);
	return code;
}

static int
read_manifest(
    const struct cli *cli, const char *name, struct manifest **ret, struct cairn_error *err)
{
	char path[PATH_MAX];
	int code = object_path(cli, name, path, err);

	return code != 0 ? code : manifest_read(path, ret, err);
}

/* ---- list ------------------------------------------------------------------------------- */

static void
list_row(
    struct cli *cli, struct cli_table *table, json_t *array, const json_t *status, const char *name)
{
	struct manifest *manifest = NULL;
	struct cairn_error err = {0};
	bool readable = read_manifest(cli, name, &manifest, &err) == 0;
	const char *state = state_text(cli, status, name);
	const char *version = readable ? manifest->version : "?";
	const char *summary = readable ? manifest->summary : err.text;

	if (cli->json)
		json_array_append_new(array,
		    json_pack("{s:s, s:s, s:b, s:s, s:o}", "name", name, "version", version,
			"enabled", is_enabled(cli->home, name), "state", state, "summary",
			cli_text(summary)));
	else
		cli_table_row(table, readable ? CLI_PLAIN : CLI_RED, 4,
		    (const char *const[]){name, version, state, summary});
	manifest_free(manifest);
}

static int
run_list(struct cli *cli, int argc, char **argv)
{
	const struct cli_option options[] = {{0}};
	struct cli_table table = {0};
	struct cairn_error err = {0};
	struct names names = {0};
	json_t *status, *array;

	argc = cli_options(cli, options, argc, argv);
	if (argc != 0)
		return argc < 0 ? CLI_USAGE : cli_usage(cli, "takes no arguments");
	if (names_load(cli->home, &names, &err) != 0) {
		names_free(&names);
		return cli_fail(cli, &err);
	}
	status = ask_status(cli);
	array = json_array();
	if (!cli->json)
		cli_table_row(&table, CLI_DIM, 4,
		    (const char *const[]){"PLUGIN", "VERSION", "STATE", "SUMMARY"});
	for (size_t i = 0; i < names.count; i++)
		list_row(cli, &table, array, status, names.list[i]);
	names_free(&names);
	json_decref(status);
	if (cli->json)
		cli_print_json(json_pack("{s:O}", "plugins", array));
	else
		cli_table_print(cli, &table);
	json_decref(array);
	return CLI_DONE;
}

/* ---- enable, disable, restart ----------------------------------------------------------- */

static int
set_link(const char *home, const char *name, bool enable, struct cairn_error *err)
{
	char link[PATH_MAX], target[PATH_MAX];

	if (link_paths(home, name, link, target) != 0)
		return cairn_error_set(err, CAIRN_ELIMIT, "the path is too long: %s", home);
	if (enable && symlink(target, link) != 0 && errno != EEXIST)
		return cairn_error_set(err, CAIRN_EIO, "cannot link %s: %s", link, strerror(errno));
	if (!enable && unlink(link) != 0 && errno != ENOENT)
		return cairn_error_set(
		    err, CAIRN_EIO, "cannot remove %s: %s", link, strerror(errno));
	return 0;
}

#define RESTART_MS 120000u

/* The node stops the old process once the new one serves; its reply is waited for. */
static int
restart(struct cli *cli, const char *name, struct cairn_error *err)
{
	json_t *reply = NULL;
	struct cli limits = *cli;

	/* The node answers when it is done, within limits of its own. */
	if (limits.timeout_ms == 0)
		limits.timeout_ms = RESTART_MS;
	if (client_json(&limits, "kernel.plugin.restart", json_pack("{s:s}", "name", name), &reply,
		err) != 0)
		return err->code;
	settle_wait(cli, reply, name, err);
	json_decref(reply);
	return err->code;
}

/* A running node takes the new set at once; when it refuses, the links are put back. */
static int
apply_links(struct cli *cli, int argc, char **argv, bool enable, bool pinned)
{
	struct cairn_error err = {0};
	bool before[NAMES_MAX];
	int set = 0;
	bool running = client_running(cli->home);
	json_t *reply = NULL;

	for (; err.code == 0 && set < argc; set++) {
		before[set] = is_enabled(cli->home, argv[set]);
		set_link(cli->home, argv[set], enable, &err);
	}
	if (err.code == 0 && running && client_json(cli, "kernel.rescan", NULL, &reply, &err) != 0)
		cairn_error_prefix(&err, err.code, "the node refused, nothing was changed");
	if (err.code != 0) {
		while (set-- > 0)
			set_link(cli->home, argv[set], before[set], NULL);
		return cli_fail(cli, &err);
	}
	for (int i = 0; enable && running && i < argc; i++)
		settle_wait(cli, reply, argv[i], err.code == 0 ? &err : NULL);
	json_decref(reply);
	/* What runs may be what was pinned before. */
	for (int i = 0; err.code == 0 && pinned && running && i < argc; i++)
		restart(cli, argv[i], &err);
	if (err.code != 0) {
		cairn_error_prefix(&err, err.code, "enabled, but not ready");
		return cli_fail(cli, &err);
	}
	if (cli->json)
		return cli_print_json(
		    json_pack("{s:b, s:b}", "enabled", enable, "running", running));
	for (int i = 0; i < argc; i++)
		printf("%s %s%s\n", enable ? "enabled" : "disabled", argv[i],
		    !running     ? " (takes effect when the node starts)"
			: pinned ? ", and what was pinned now runs"
				 : "");
	return CLI_DONE;
}

static int
check_types(const char *path, struct cairn_error *err)
{
	struct manifest *manifest = NULL;
	int code = manifest_read(path, &manifest, err);

	if (code == 0)
		code = manifest_types_check(manifest, err);
	manifest_free(manifest);
	return code;
}

static int
enable_or_disable(struct cli *cli, int argc, char **argv, bool enable)
{
	struct accept_options accept = {0};
	const struct cli_option enabling[] = {{"--pin", NULL, &accept.pin},
	    {"--yes", NULL, &accept.yes}, {"--grant", &accept.grant, NULL}, {0}};
	const struct cli_option disabling[] = {{0}};
	struct cairn_error err = {0};
	struct names names = {0};
	int code;

	argc = cli_options(cli, enable ? enabling : disabling, argc, argv);
	if (argc < 0)
		return CLI_USAGE;
	if (argc == 0 || argc > NAMES_MAX)
		return cli_usage(cli, "name one or more plugins");
	code = names_load(cli->home, &names, &err);
	for (int i = 0; code == 0 && i < argc; i++) {
		char path[PATH_MAX];

		code = names_need(&names, argv[i], &err);
		if (code == 0 && enable)
			code = plugin_mask_check(cli->home, argv[i], &err);
		if (code == 0 && enable)
			code = object_path(cli, argv[i], path, &err);
		if (code == 0 && enable)
			code = check_types(path, &err);
		if (code == 0 && enable)
			code = available_write(cli->home, path, &err);
		if (code == 0 && enable)
			code = accept_plugin(cli, argv[i], path, &accept, &err);
	}
	names_free(&names);
	return code != 0 ? cli_fail(cli, &err) : apply_links(cli, argc, argv, enable, accept.pin);
}

static int
run_enable(struct cli *cli, int argc, char **argv)
{
	return enable_or_disable(cli, argc, argv, true);
}

static int
run_disable(struct cli *cli, int argc, char **argv)
{
	return enable_or_disable(cli, argc, argv, false);
}

static int
run_restart(struct cli *cli, int argc, char **argv)
{
	const struct cli_option options[] = {{0}};
	struct cairn_error err = {0};

	argc = cli_options(cli, options, argc, argv);
	if (argc != 1)
		return argc < 0 ? CLI_USAGE : cli_usage(cli, "name one plugin");
	if (restart(cli, argv[0], &err) != 0)
		return cli_fail(cli, &err);
	if (cli->json)
		return cli_print_json(json_pack("{s:s}", "restarted", argv[0]));
	printf("restarted %s, it is ready\n", argv[0]);
	return CLI_DONE;
}

/* ---- info ------------------------------------------------------------------------------- */

static json_t *
manifest_json(const struct manifest *manifest, const char *state)
{
	json_t *serves = json_array(), *capabilities = json_array(), *options = json_array();

	for (size_t i = 0; i < manifest->serve_count; i++)
		json_array_append_new(serves,
		    json_pack("{s:s, s:b}", "subject", manifest->serves[i].subject, "guarded",
			manifest->serves[i].guarded));
	for (size_t i = 0; i < manifest->capability_count; i++)
		json_array_append_new(capabilities, json_string(manifest->capabilities[i]));
	for (size_t i = 0; i < manifest->schema.count; i++)
		json_array_append_new(options,
		    json_pack("{s:s, s:s?, s:s?}", "key", manifest->schema.options[i].key,
			"default", manifest->schema.options[i].fallback, "help",
			manifest->schema.options[i].help));
	return json_pack("{s:s, s:s, s:i, s:s, s:s, s:s, s:s, s:o, s:o, s:o}", "name",
	    manifest->name, "version", manifest->version, "abi", (int)manifest->abi, "kind",
	    manifest->kind, "summary", manifest->summary, "path", manifest->path, "state", state,
	    "serves", serves, "capabilities", capabilities, "options", options);
}

static void
print_manifest(const struct cli *cli, const struct manifest *manifest, const char *state)
{
	printf("%s%s%s %s: %s\n\n", cli_colour(cli, CLI_BOLD), manifest->name,
	    cli_colour(cli, CLI_PLAIN), manifest->version, manifest->summary);
	printf("  state      %s\n  kind       %s, ABI %u\n  file       %s\n", state, manifest->kind,
	    manifest->abi, manifest->path);
	printf("  settings   %s/plugins/available/%s.yaml\n", cli->home, manifest->name);
	for (size_t i = 0; i < manifest->serve_count; i++)
		printf("  serves     %s%s\n", manifest->serves[i].subject,
		    manifest->serves[i].guarded ? " (guarded by the policy)" : "");
	for (size_t i = 0; i < manifest->capability_count; i++)
		printf("  may        %s\n", manifest->capabilities[i]);
	for (size_t i = 0; i < manifest->schema.count; i++) {
		const struct config_option *option = &manifest->schema.options[i];

		printf("  option     %-22s %s%s%s\n", option->key,
		    option->help == NULL ? "" : option->help,
		    option->fallback == NULL ? " (required)" : "; default ",
		    option->fallback == NULL ? "" : option->fallback);
	}
}

static int
run_info(struct cli *cli, int argc, char **argv)
{
	const struct cli_option options[] = {{0}};
	struct cairn_error err = {0};
	struct manifest *manifest = NULL;
	struct names names = {0};
	json_t *status;
	int code;

	argc = cli_options(cli, options, argc, argv);
	if (argc != 1)
		return argc < 0 ? CLI_USAGE : cli_usage(cli, "name one plugin");
	code = names_load(cli->home, &names, &err);
	if (code == 0)
		code = names_need(&names, argv[0], &err);
	names_free(&names);
	if (code == 0)
		code = read_manifest(cli, argv[0], &manifest, &err);
	if (code != 0)
		return cli_fail(cli, &err);
	status = ask_status(cli);
	if (cli->json)
		cli_print_json(manifest_json(manifest, state_text(cli, status, argv[0])));
	else
		print_manifest(cli, manifest, state_text(cli, status, argv[0]));
	json_decref(status);
	manifest_free(manifest);
	return CLI_DONE;
}

const struct cli_command cli_plugin_commands[] = {
    {"plugin list", "", "list the installed plugins and their state", "", "cairn plugin list",
	run_list},
    {"plugin enable", "NAME... [--pin] [--yes | --grant CAP,...]",
	"enable plugins, now if the node runs",
	"Makes a link in HOME/plugins/enabled. When a running node refuses, nothing is changed.\n"
	"The first time, the file is pinned by its digest and granted what it asks for\n"
	"(HOME/plugins/trust); afterwards only that file, or one that a trusted publisher signed,\n"
	"runs, and only with what was granted.\n"
	"  --pin        accept the file as it is now, though it changed\n"
	"  --yes        grant all that it asks for; --grant listen:tcp,... only these\n",
	"cairn plugin enable dicom cohort", run_enable},
    {"plugin disable", "NAME...", "disable plugins, now if the node runs",
	"Removes the link in HOME/plugins/enabled; settings and data stay.\n",
	"cairn plugin disable cohort", run_disable},
    {"plugin restart", "NAME", "stop a plugin in order and start it anew",
	"Reads its settings again first: when they are wrong, it says so and the plugin runs on.\n"
	"Also closes the crash-loop breaker of a plugin that failed. Waits until the plugin is\n"
	"ready; when it does not become so, says why and exits with 1.\n",
	"cairn plugin restart dicom", run_restart},
    {"plugin why", "NAME", "say why a plugin is in the state it is in, and what to do",
	"Who enabled or masked it and when, its last failures with their reasons, when it is\n"
	"tried next, and whether the crash-loop breaker is open.\n",
	"cairn plugin why dicom", cli_why_run},
    {"plugin mask", "NAME [--reason TEXT]", "disable a plugin so that nobody can enable it",
	"  --reason TEXT  for those who ask `cairn plugin why`\n",
	"cairn plugin mask dicom --reason "
	"'CVE, see ticket 17'",
	cli_mask_run},
    {"plugin unmask", "NAME", "let a masked plugin be enabled again", "",
	"cairn plugin unmask dicom", cli_unmask_run},
    {"plugin log-level", "NAME LEVEL", "change how much a running plugin logs",
	"LEVEL is error, warning, info or debug. Holds until the node ends.\n",
	"cairn plugin log-level dicom debug", cli_log_level_run},
    {"plugin info", "NAME", "show what a plugin serves, may do and can be set to", "",
	"cairn plugin info dicom", run_info},
    {"plugin security", "NAME", "show what a plugin could do if it were hostile",
	"A figure from 0 (closed) to 10 (open), and the lines that raise it, most exposing\n"
	"first.\n",
	"cairn plugin security dicom", cli_security_run},
    {"plugin logs", "NAME [--lines N] [--level L] [--since T] [--follow]",
	"show the end of a plugin's log",
	"  --lines N   how many lines; default 20\n"
	"  --level L   error, warning, info or debug: these and worse\n"
	"  --since T   2026-11-24T15:04:05Z, or how long ago: 30s, 10m, 2h, 1d\n"
	"  --follow    go on as the log grows\n",
	"cairn plugin logs dicom --lines 50", cli_logs_run},
    {"logs", "[--lines N] [--level L] [--since T] [--follow]",
	"show the end of the node's log and its plugins'",
	"The lines of HOME/log/*.log in the order of their times.\n"
	"  --lines N   how many lines; default 20\n"
	"  --level L   error, warning, info or debug: these and worse\n"
	"  --since T   2026-11-24T15:04:05Z, or how long ago: 30s, 10m, 2h, 1d\n"
	"  --follow    go on as the logs grow\n",
	"cairn logs --level warning --since 1h", cli_all_logs_run},
    {"call", "SUBJECT [TEXT] [--purpose P] [--as PRINCIPAL]", "call a subject that a plugin serves",
	"For trying a plugin out: sends TEXT as the body and prints the answer's body. The policy "
	"is\n"
	"asked as for any other call.\n",
	"cairn call hello.greet", cli_call_run},
    {0}};
