/* SPDX-License-Identifier: Apache-2.0 */
/* The node as a whole: init, run, status. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "base/file.h"
#include "cli/available.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/paths.h"
#include "cli/policy.h"
#include "cli/stage.h"
#include "config/config.h"
#include "identity/identity.h"

#define POLICY_FILE_MAX (1u << 20)

/* ---- init ------------------------------------------------------------------------------- */

struct init {
	const char *id, *name, *plugin_dir;
};

static int
make_home(const char *home, struct cairn_error *err)
{
	static const char *const names[] = {"plugins/available", "plugins/enabled", "policies",
	    "workflows", "keys", "state/kernel", "objects", "intake", "run", "log"};
	char path[PATH_MAX];

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		int code = file_join(path, sizeof path, home, names[i]);

		if (code != 0)
			return cairn_error_set(err, code, "the path is too long: %s", home);
		code = file_mkdirs(path, 0700, err);
		if (code != 0)
			return code;
	}
	return 0;
}

static int
write_new(const char *home, const char *name, const char *text, struct cairn_error *err)
{
	char path[PATH_MAX];

	if (file_join(path, sizeof path, home, name) != 0)
		return cairn_error_set(err, CAIRN_ELIMIT, "the path is too long: %s", home);
	return file_write(path, text, strlen(text), 0600, err);
}

static int
write_node_yaml(const char *home, const struct init *init, struct cairn_error *err)
{
	char *text = NULL;
	int code = node_config_example(init->id, init->name, init->plugin_dir, &text, err);

	if (code == 0)
		code = write_new(home, "node.yaml", text, err);
	free(text);
	return code;
}

static int
add_plugin(void *arg, const char *path, struct cairn_error *err)
{
	return available_write(arg, path, err);
}

static int
copy_policy(void *arg, const char *path, struct cairn_error *err)
{
	const char *folder = arg;
	BUF_AUTO text = {.max = POLICY_FILE_MAX};
	char to[PATH_MAX];
	int code = file_read(path, &text, err);

	if (code != 0)
		return code;
	if (snprintf(to, sizeof to, "%s%s", folder, strrchr(path, '/')) >= (int)sizeof to)
		return cairn_error_set(err, CAIRN_ELIMIT, "the path is too long: %s", folder);
	return file_write(to, text.data, text.length, 0600, err);
}

static int
copy_policies(const char *home, struct cairn_error *err)
{
	char from[PATH_MAX], to[PATH_MAX], cases_from[PATH_MAX], cases_to[PATH_MAX];
	int code;

	if (paths_share("policies", from) != 0 || file_join(to, sizeof to, home, "policies") != 0 ||
	    file_join(cases_from, sizeof cases_from, from, "cases") != 0 ||
	    file_join(cases_to, sizeof cases_to, to, "cases") != 0)
		return cairn_error_set(err, CAIRN_ELIMIT, "the path is too long: %s", home);
	code = available_files(from, ".lua", copy_policy, to, err);
	if (code == 0)
		code = available_files(from, ".yaml", copy_policy, to, err);
	if (code == 0)
		code = file_mkdirs(cases_to, 0700, err);
	return code == 0 ? available_files(cases_from, ".yaml", copy_policy, cases_to, err) : code;
}

static int
fill_home(char *home, const struct init *init, struct cairn_error *err)
{
	char keys[PATH_MAX];
	int code;

	if (file_join(keys, sizeof keys, home, "keys") != 0)
		return cairn_error_set(err, CAIRN_ELIMIT, "the path is too long: %s", home);
	code = make_home(home, err);
	if (code == 0)
		code = available_files(init->plugin_dir, ".so", add_plugin, home, err);
	if (code == 0)
		code = available_files(init->plugin_dir, ".plugin.yaml", add_plugin, home, err);
	if (code == 0)
		code = copy_policies(home, err);
	if (code == 0)
		code = identity_create(keys, err);
	/* Last, because node.yaml is what says that a home is whole. */
	return code == 0 ? write_node_yaml(home, init, err) : code;
}

/* "St. Anna Hospital" or "/srv/anna" to "st-anna-hospital", "anna". */
static void
make_id(const char *from, char ret[64])
{
	size_t length = 0;

	for (; *from != 0 && length < 62; from++) {
		char c = *from;

		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
			ret[length++] = c;
		else if (length > 0 && ret[length - 1] != '-')
			ret[length++] = '-';
	}
	while (length > 0 && ret[length - 1] == '-')
		length--;
	ret[length] = 0;
	if (length == 0)
		memcpy(ret, "site", 5);
}

static const char *
last_component(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL ? path : slash + 1;
}

/* The plugins that were found and described. */
static void
print_enable(const char *home)
{
	char path[PATH_MAX];
	struct dirent **names = NULL;
	int count, plugins = 0;

	if (file_join(path, sizeof path, home, "plugins/available") != 0)
		return;
	printf("  cairn --home %s plugin enable", home);
	count = scandir(path, &names, NULL, alphasort);
	for (int i = 0; i < count; i++) {
		if (names[i]->d_name[0] != '.') {
			printf(" %.*s", (int)strcspn(names[i]->d_name, "."), names[i]->d_name);
			plugins++;
		}
		free(names[i]);
	}
	free(names);
	puts(plugins == 0 ? " NAME   (no plugin is installed yet)" : "");
}

static int
print_made(const struct cli *cli, const char *home, const char *id)
{
	EVP_PKEY *key = NULL;
	char keys[PATH_MAX], fingerprint[128] = "";

	if (file_join(keys, sizeof keys, home, "keys") == 0 &&
	    identity_public_key(keys, &key, NULL) == 0)
		identity_fingerprint(key, fingerprint, sizeof fingerprint);
	EVP_PKEY_free(key);
	if (cli->json)
		return cli_print_json(json_pack(
		    "{s:s, s:s, s:s}", "home", home, "id", id, "fingerprint", fingerprint));
	printf("made the node '%s' in %s\n"
	       "  key        %s\n"
	       "  settings   %s/node.yaml, %s/policies/settings.yaml\n\n"
	       "next:\n",
	    id, home, fingerprint, home, home);
	print_enable(home);
	printf("  cairn --home %s check\n  cairn --home %s run\n", home, home);
	return CLI_DONE;
}

/* The plugin directory as an absolute path: the one named, or the installation's. */
static int
find_plugin_dir(const char *named, char ret[PATH_MAX], struct cairn_error *err)
{
	if (named != NULL && realpath(named, ret) == NULL)
		return cairn_error_set(
		    err, CAIRN_ENOTFOUND, "cannot use %s: %s", named, strerror(errno));
	if (named == NULL && paths_plugins(ret) != 0)
		return cairn_error_set(err, CAIRN_EIO, "cannot tell where this program lies");
	return 0;
}

static int
run_init(struct cli *cli, int argc, char **argv)
{
	const char *named_dir = NULL;
	struct init init = {0};
	const struct cli_option options[] = {{"--id", &init.id, NULL}, {"--name", &init.name, NULL},
	    {"--plugin-dir", &named_dir, NULL}, {0}};
	struct cairn_error err = {0};
	char made[64], path[PATH_MAX], plugins[PATH_MAX];
	struct stage stage;

	argc = cli_options(cli, options, argc, argv);
	if (argc < 0)
		return CLI_USAGE;
	if (argc != 1)
		return cli_usage(cli, "name the directory to make");
	if (file_join(path, sizeof path, argv[0], "node.yaml") == 0 && file_exists(path))
		return cli_failf(cli, CAIRN_EEXIST,
		    "%s holds a node already; nothing was changed (see: cairn --home %s check)",
		    argv[0], argv[0]);
	if (find_plugin_dir(named_dir, plugins, &err) != 0 ||
	    stage_begin(&stage, argv[0], &err) != 0)
		return cli_fail(cli, &err);
	if (init.id == NULL) {
		make_id(init.name != NULL ? init.name : last_component(stage.home), made);
		init.id = made;
	}
	init.name = init.name == NULL ? init.id : init.name;
	init.plugin_dir = plugins;
	if (fill_home(stage.path, &init, &err) != 0) {
		stage_abort(&stage);
		return cli_fail(cli, &err);
	}
	if (stage_commit(&stage, "node.yaml", &err) != 0)
		return cli_fail(cli, &err);
	return print_made(cli, stage.home, init.id);
}

/* ---- run -------------------------------------------------------------------------------- */

static int
run_run(struct cli *cli, int argc, char **argv)
{
	bool development = false;
	const struct cli_option options[] = {{"--dev", NULL, &development}, {0}};
	char program[PATH_MAX];

	argc = cli_options(cli, options, argc, argv);
	if (argc < 0)
		return CLI_USAGE;
	if (argc != 0)
		return cli_usage(cli, "takes no arguments");
	if (paths_program("cairnd", program) != 0)
		return cli_failf(cli, CAIRN_EIO, "cannot tell where this program lies");
	execl(program, "cairnd", "--home", cli->home, development ? "--dev" : (char *)NULL,
	    (char *)NULL);
	return cli_failf(cli, CAIRN_ENOTFOUND, "cannot run %s: %s", program, strerror(errno));
}

/* ---- status ----------------------------------------------------------------------------- */

static enum cli_colour
state_colour(const char *state)
{
	if (strcmp(state, "ready") == 0)
		return CLI_PLAIN;
	return strcmp(state, "failed") == 0 ? CLI_RED : CLI_YELLOW;
}

static const char *
last_error(const json_t *plugin, char scratch[600])
{
	const char *last = cli_json_text(plugin, "last_error");
	const char *earlier = cli_json_text(plugin, "earlier_error");

	if (last[0] != 0 || earlier[0] == 0)
		return last;
	snprintf(scratch, 600, "(earlier) %.580s", earlier);
	return scratch;
}

static void
print_plugins(const struct cli *cli, const json_t *plugins)
{
	struct cli_table table = {0};
	size_t index;
	const json_t *plugin;

	cli_table_row(&table, CLI_DIM, 6,
	    (const char *const[]){
		"PLUGIN", "VERSION", "STATE", "RESTARTS", "MEMORY", "LAST ERROR"});
	json_array_foreach(plugins, index, plugin)
	{
		char restarts[24], memory[24], error[600];

		snprintf(restarts, sizeof restarts, "%lld", cli_json_number(plugin, "restarts"));
		if (cli_json_number(plugin, "memory_kb") == 0)
			snprintf(memory, sizeof memory, "-"); /* not read yet, or no process */
		else
			snprintf(memory, sizeof memory, "%.1f MB",
			    (double)cli_json_number(plugin, "memory_kb") / 1024);
		cli_table_row(&table, state_colour(cli_json_text(plugin, "state")), 6,
		    (const char *const[]){cli_json_text(plugin, "name"),
			cli_json_text(plugin, "version"), cli_json_text(plugin, "state"), restarts,
			memory, last_error(plugin, error)});
	}
	cli_table_print(cli, &table);
}

/* What a plugin tried and may not do: beside its name, so that nobody has to ask for it. */
static void
print_refused(const struct cli *cli, const json_t *plugins)
{
	size_t index;
	const json_t *plugin;

	json_array_foreach(plugins, index, plugin)
	{
		long long refused = cli_json_number(plugin, "refused");

		if (refused == 0)
			continue;
		printf("%srefused%s  %s: %lld accesses, the last: ", cli_colour(cli, CLI_YELLOW),
		    cli_colour(cli, CLI_PLAIN), cli_json_text(plugin, "name"), refused);
		cli_print_safe(stdout, cli_json_text(plugin, "last_refused"));
		putchar('\n');
	}
}

static void
note_fault(void *arg, enum policy_level level, const char *text)
{
	(void)text;
	*(bool *)arg = *(bool *)arg || level == POLICY_ERROR;
}

static void
print_differs(const struct cli *cli)
{
	bool faulty = false;

	policy_check(cli, note_fault, &faulty);
	printf("  %swarning%s   the files in policies/ are not those that decide; %s\n",
	    cli_colour(cli, CLI_YELLOW), cli_colour(cli, CLI_PLAIN),
	    faulty
		? "they cannot be loaded, and the next start would fail: `cairn check` shows what "
		  "is wrong"
		: "`cairn reload` takes them in");
}

static void
print_status(const struct cli *cli, const json_t *status)
{
	const json_t *node = json_object_get(status, "node");
	const json_t *policy = json_object_get(status, "policy");
	const json_t *queues = json_object_get(status, "queues"), *queue;
	size_t index;

	printf("%s%s%s (%s), role %s, project %s\n", cli_colour(cli, CLI_BOLD),
	    cli_json_text(node, "name"), cli_colour(cli, CLI_PLAIN), cli_json_text(node, "id"),
	    cli_json_text(node, "role"), cli_json_text(node, "project"));
	printf("  home      %s\n  up        %lld s, pid %lld, %.1f MB, %lld calls under way\n",
	    cli_json_text(node, "home"), cli_json_number(node, "uptime_ms") / 1000,
	    cli_json_number(node, "pid"), (double)cli_json_number(node, "memory_kb") / 1024,
	    cli_json_number(node, "calls"));
	printf("  ledger    %lld records\n  policy    %lld rules\n",
	    cli_json_number(json_object_get(status, "ledger"), "records"),
	    cli_json_number(policy, "rules"));
	if (json_is_true(json_object_get(policy, "differs")))
		print_differs(cli);
	json_array_foreach(queues, index, queue)
	    printf("  queue     %s: %lld ready, %lld taken, %lld dead, %lld done\n",
		cli_json_text(queue, "queue"), cli_json_number(queue, "ready"),
		cli_json_number(queue, "taken"), cli_json_number(queue, "dead"),
		cli_json_number(queue, "done"));
	putchar('\n');
	print_plugins(cli, json_object_get(status, "plugins"));
	print_refused(cli, json_object_get(status, "plugins"));
}

static bool
any_failed(const json_t *plugins)
{
	const json_t *plugin;
	size_t index;

	json_array_foreach(plugins, index, plugin)
	{
		if (strcmp(cli_json_text(plugin, "state"), "failed") == 0)
			return true;
	}
	return false;
}

static int
run_status(struct cli *cli, int argc, char **argv)
{
	const struct cli_option options[] = {{0}};
	struct cairn_error err = {0};
	json_t *status = NULL;
	bool failed;

	argc = cli_options(cli, options, argc, argv);
	if (argc != 0)
		return argc < 0 ? CLI_USAGE : cli_usage(cli, "takes no arguments");
	if (client_json(cli, "kernel.status", NULL, &status, &err) != 0)
		return cli_fail(cli, &err);
	failed = any_failed(json_object_get(status, "plugins"));
	if (cli->json) {
		cli_print_json(status);
	} else {
		print_status(cli, status);
		json_decref(status);
	}
	return failed ? CLI_FAILED : CLI_DONE;
}

const struct cli_command cli_node_commands[] = {
    {"init", "DIR [--id ID] [--name NAME] [--plugin-dir DIR]", "make a node's home in DIR",
	"  --id ID      short name in ledgers and catalogues (letters, digits, - and .);\n"
	"               default: from --name or the directory\n"
	"  --name NAME  the hospital's name, for people\n"
	"  --plugin-dir DIR  where the plugins' shared objects are; default: the installation's\n\n"
	"Makes keys, node.yaml, the policies and one commented plugins/available/*.yaml for every\n"
	"installed plugin. A home that is there already is never touched.\n",
	"cairn init /var/lib/cairn --name 'St. Anna Hospital'", run_init},
    {"run", "[--dev]", "run the node in the foreground",
	"Stops in order on Ctrl-C or SIGTERM. Logs go to standard error, each plugin's to\n"
	"HOME/log/NAME.log.\n"
	"  --dev   also run plugins that nobody signed or accepted, and say so loudly; never "
	"where\n"
	"          patients' data are\n",
	"cairn --home /var/lib/cairn run", run_run},
    {"check", "[--quick]", "check the whole configuration without starting anything",
	"Reads node.yaml, keys, policies and every enabled plugin's settings as the node would, "
	"and\n"
	"lets each plugin say what would not work on this machine (a port in use, an index that "
	"is\n"
	"larger than allowed). That runs confined, beside a running node, and writes nothing; "
	"after\n"
	"10 s (or --timeout) it is killed. Exit status 1 when anything would fail.\n"
	"  --quick   do not run the plugins' own checks\n",
	"cairn --home /var/lib/cairn check", cli_check_run},
    {"status", "", "show the running node",
	"Exit status 1 when no node runs, or a plugin was given up (failed).\n",
	"cairn --home /var/lib/cairn status --json", run_status},
    {0}};
