/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Installing plugins in a node's home, by version: install, remove, upgrade, rollback.  A running
 * plugin is replaced by the node (kernel/node/handover.h); here the version is kept and accepted.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "cli/accept.h"
#include "cli/available.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "config/store.h"

#define READY_MS 15000u   /* for the new version, unless --timeout says otherwise */
#define SWITCH_MS 600000u /* that we wait for the node, which has its own limits */
#define DRAIN_S_MAX 600u

struct change {
	struct cli *cli;
	struct plugin_config plugin; /* of FILE */
	const char *name, *version;
	char before[STORE_VERSION_MAX + 1]; /* what `current` was; "" for the plugin_dir's */
	char previous[STORE_VERSION_MAX + 1];
	struct trust trust; /* before the change */
	bool added;         /* FILE's bytes were not in the store */
	unsigned drain_ms;  /* 0: the node's own limit */
	json_t *reply;      /* of a node that runs it */
};

/* ---- reading ---------------------------------------------------------------------------- */

static int
read_file(struct change *change, const char *path, struct cairn_error *err)
{
	struct node_config *node = NULL;
	struct plugin_config config = {0};
	struct manifest *manifest = NULL;
	int code = node_config_load(change->cli->home, &node, err);

	/* The name that the file gives itself; it is checked again in the bytes that are kept. */
	if (code == 0)
		code = manifest_read(path, &manifest, err);
	if (code == 0) {
		node->development = node->asking =
		    true; /* to read it; whether it may run is asked below */
		code = plugin_admit(node, manifest->name, path, &config, err);
	}
	manifest_free(manifest);
	node_config_free(node);
	if (code != 0)
		return code;
	change->plugin = config;
	change->name = config.manifest->name;
	change->version = config.manifest->version;
	store_link_get(change->cli->home, change->name, "current", change->before);
	store_link_get(change->cli->home, change->name, "previous", change->previous);
	return 0;
}

static void
change_fini(struct change *change)
{
	manifest_free(change->plugin.manifest);
	provenance_free(change->plugin.object);
	trust_fini(&change->trust);
	json_decref(change->reply);
}

static bool
is_enabled(const struct change *change)
{
	char path[PATH_MAX];
	struct stat st;

	return snprintf(path, sizeof path, "%s/plugins/enabled/%s.yaml", change->cli->home,
		   change->name) < (int)sizeof path &&
	    lstat(path, &st) == 0;
}

/* ---- the running one -------------------------------------------------------------------- */

/* The node carries it out, and goes on when we are killed meanwhile: it sets the links itself. */
static int
switch_running(const struct change *change, const char *to, const char *verb, json_t **ret,
    struct cairn_error *err)
{
	struct cli cli = *change->cli;
	unsigned ready_ms = cli.timeout_ms == 0 ? READY_MS : cli.timeout_ms;

	cli.timeout_ms = SWITCH_MS;
	return client_json(&cli, "kernel.plugin.switch",
	    json_pack("{s:s, s:s, s:s, s:i, s:i}", "name", change->name, "version", to, "verb",
		verb, "ready_ms", (int)ready_ms, "drain_ms", (int)change->drain_ms),
	    ret, err);
}

/* Without a running node, what it would say at its start. */
static int
check_set(const struct change *change, struct cairn_error *err)
{
	struct node_config *node = NULL;
	struct plugin_config *configs = NULL;
	size_t count = 0;
	int code = node_config_load(change->cli->home, &node, err);

	if (code == 0)
		code = plugin_configs_load(node, &configs, &count, err);
	for (size_t i = 0; code == 0 && i < count; i++) {
		if (strcmp(configs[i].manifest->name, change->name) == 0 &&
		    configs[i].object->verdict == PROVENANCE_REFUSED)
			code =
			    cairn_error_set(err, CAIRN_EFORBIDDEN, "%s", configs[i].object->text);
	}
	plugin_configs_free(configs, count);
	node_config_free(node);
	return code;
}

/* ---- changing versions ------------------------------------------------------------------ */

static int
set_links(
    const struct change *change, const char *current, const char *previous, struct cairn_error *err)
{
	const char *home = change->cli->home;
	int code = store_link_set(home, change->name, "previous", previous, err);

	return code == 0 ? store_link_set(home, change->name, "current", current, err) : code;
}

static const char *
version_words(const char *version)
{
	return version[0] == 0 ? "the installation's version" : version;
}

/* Without a node that runs the plugin, the links are all there is. */
static int
switch_links(const struct change *change, const char *to, struct cairn_error *err)
{
	struct cairn_error back = {0}, why = {0};
	int code = set_links(change, to, change->before, &why);

	if (code == 0 && is_enabled(change))
		code = check_set(change, &why);
	if (code == 0)
		return 0;
	if (set_links(change, change->before, change->previous, &back) != 0)
		return cairn_error_set(err, code,
		    "%s %s failed (%.160s), and going back to %s failed too (%.160s)", change->name,
		    version_words(to), why.text, version_words(change->before), back.text);
	return cairn_error_set(err, code,
	    "%s %s was not taken into service; %s is back and nothing was changed: %s",
	    change->name, version_words(to), version_words(change->before), why.text);
}

/* Puts `to` into service; when it fails, what was there before is. */
static int
switch_to(struct change *change, const char *to, const char *verb, struct cairn_error *err)
{
	struct cairn_error why = {0};
	int code;

	if (!is_enabled(change) || !client_running(change->cli->home))
		return switch_links(change, to, err);
	code = switch_running(change, to, verb, &change->reply, &why);
	if (code == 0)
		return 0;
	return cairn_error_set(err, code,
	    "%s %s was not taken into service; %s is back and nothing was changed: %s",
	    change->name, version_words(to), version_words(change->before), why.text);
}

static int
report(const struct change *change, const char *verb, const char *to)
{
	bool running = is_enabled(change) && client_running(change->cli->home);

	long long pause_ms = cli_json_number(change->reply, "pause_ms");

	if (change->cli->json)
		return cli_print_json(json_pack("{s:s, s:s, s:s, s:b, s:I}", "plugin", change->name,
		    "version", to, "before", change->before, "running", running, "pause_ms",
		    (json_int_t)pause_ms));
	printf("%s %s: %s", verb, change->name, version_words(to));
	if (strcmp(verb, "installed") != 0)
		printf(" in place of %s", version_words(change->before));
	if (change->reply != NULL)
		printf(", ready; calls waited %lld ms", pause_ms);
	putchar('\n');
	if (!is_enabled(change))
		printf("  next: cairn plugin enable %s\n", change->name);
	else if (strcmp(verb, "installed") != 0)
		printf("  to go back: cairn plugin rollback %s\n", change->name);
	return CLI_DONE;
}

/* ---- install and upgrade ---------------------------------------------------------------- */

static bool
is_in_plugin_dir(const struct change *change)
{
	struct node_config *node = NULL;
	char path[PATH_MAX];
	bool found = node_config_load(change->cli->home, &node, NULL) == 0 &&
	    plugin_file_find(node->plugin_dir, change->name, path, sizeof path) == 0;

	node_config_free(node);
	return found;
}

static int
check_version(const struct change *change, bool upgrade, struct cairn_error *err)
{
	if (!upgrade && change->before[0] != 0)
		return cairn_error_set(err, CAIRN_EEXIST,
		    "%s %s is installed already; use `cairn plugin upgrade FILE`", change->name,
		    change->before);
	if (upgrade && change->before[0] == 0 && !is_in_plugin_dir(change))
		return cairn_error_set(err, CAIRN_ENOTFOUND,
		    "%s is not installed; use `cairn plugin install FILE`", change->name);
	return 0;
}

static int
keep_and_accept(struct change *change, const char *file, const struct accept_options *options,
    struct cairn_error *err)
{
	const char *home = change->cli->home;
	char path[PATH_MAX];
	int code = trust_load(home, &change->trust, err);

	if (code == 0)
		code = store_add(home, &change->plugin, file, &change->added, err);
	if (code == 0)
		code = store_path(home, change->name, change->version, path, err);
	if (code == 0)
		code = accept_plugin(change->cli, change->name, path, options, err);
	if (code == 0)
		code = available_write(home, path, err);
	return code;
}

/* What was not taken into service leaves nothing: neither bytes, so that a mended build may have
 * the same version, nor a pin or a grant. */
static void
take_back(const struct change *change)
{
	char current[STORE_VERSION_MAX + 1];

	store_link_get(change->cli->home, change->name, "current", current);
	if (!change->added || strcmp(current, change->version) == 0)
		return; /* it was there before, or the node did switch after all */
	store_remove_version(change->cli->home, change->name, change->version);
	trust_save(change->cli->home, &change->trust, NULL);
}

static int
read_drain(const char *text, unsigned *ret_ms)
{
	char *end;
	unsigned long seconds = strtoul(text, &end, 10);

	if (*end != 0 || text[0] < '0' || text[0] > '9' || seconds < 1 || seconds > DRAIN_S_MAX)
		return CAIRN_EINVAL;
	*ret_ms = (unsigned)seconds * 1000;
	return 0;
}

static int
install_or_upgrade(struct cli *cli, int argc, char **argv, bool upgrade)
{
	struct accept_options accept = {.named = true, .ask = !upgrade};
	const char *drain = NULL;
	const struct cli_option options[] = {{"--yes", NULL, &accept.yes},
	    {"--pin", NULL, &accept.pin}, {"--grant", &accept.grant, NULL},
	    {upgrade ? "--drain" : NULL, &drain, NULL}, {0}};
	struct cairn_error err = {0};
	struct change change = {.cli = cli};
	int code;

	argc = cli_options(cli, options, argc, argv);
	if (argc != 1)
		return argc < 0 ? CLI_USAGE : cli_usage(cli, "name one plugin file");
	if (drain != NULL && read_drain(drain, &change.drain_ms) != 0)
		return cli_usage(cli, "--drain takes seconds, 1 to 600");
	code = read_file(&change, argv[0], &err);
	if (code == 0)
		code = check_version(&change, upgrade, &err);
	if (code == 0 && strcmp(change.before, change.version) == 0)
		code = cairn_error_set(&err, CAIRN_EEXIST, "%s %s is what is installed already",
		    change.name, change.version);
	if (code == 0)
		code = keep_and_accept(&change, argv[0], &accept, &err);
	if (code == 0)
		code = switch_to(&change, change.version, "upgrade", &err);
	if (code != 0 && change.name != NULL)
		take_back(&change);
	code = code == 0 ? report(&change, upgrade ? "upgraded" : "installed", change.version)
			 : cli_fail(cli, &err);
	change_fini(&change);
	return code;
}

static int
run_install(struct cli *cli, int argc, char **argv)
{
	return install_or_upgrade(cli, argc, argv, false);
}

static int
run_upgrade(struct cli *cli, int argc, char **argv)
{
	return install_or_upgrade(cli, argc, argv, true);
}

/* ---- rollback and remove ---------------------------------------------------------------- */

static int
read_name(struct change *change, const char *name, struct cairn_error *err)
{
	if (name[0] == 0 || strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != strlen(name))
		return cairn_error_set(err, CAIRN_EINVAL, "'%s' is not a plugin's name", name);
	change->name = name;
	store_link_get(change->cli->home, name, "current", change->before);
	store_link_get(change->cli->home, name, "previous", change->previous);
	if (change->before[0] == 0 && change->previous[0] == 0)
		return cairn_error_set(err, CAIRN_ENOTFOUND,
		    "no version of '%s' was installed with `cairn plugin install`; what comes with "
		    "the installation can be disabled (cairn plugin disable)",
		    name);
	return 0;
}

static int
run_rollback(struct cli *cli, int argc, char **argv)
{
	const struct cli_option options[] = {{0}};
	struct cairn_error err = {0};
	struct change change = {.cli = cli};
	int code;

	argc = cli_options(cli, options, argc, argv);
	if (argc != 1)
		return argc < 0 ? CLI_USAGE : cli_usage(cli, "name one plugin");
	code = read_name(&change, argv[0], &err);
	if (code == 0 && change.previous[0] == 0 && !is_in_plugin_dir(&change))
		code = cairn_error_set(&err, CAIRN_ENOTFOUND, "there is no version of %s before %s",
		    change.name, change.before);
	if (code == 0)
		code = switch_to(&change, change.previous, "rollback", &err);
	code = code == 0 ? report(&change, "rolled back", change.previous) : cli_fail(cli, &err);
	json_decref(change.reply);
	return code;
}

static int
forget(const struct change *change, struct cairn_error *err)
{
	struct trust trust = {0};
	int code = trust_load(change->cli->home, &trust, err);

	if (code != 0)
		return code;
	trust_remove(&trust, TRUST_PIN, change->name, NULL);
	trust_remove(&trust, TRUST_GRANT, change->name, NULL);
	code = trust_save(change->cli->home, &trust, err);
	trust_fini(&trust);
	return code;
}

static int
run_remove(struct cli *cli, int argc, char **argv)
{
	const struct cli_option options[] = {{0}};
	struct cairn_error err = {0};
	struct change change = {.cli = cli};
	int code;

	argc = cli_options(cli, options, argc, argv);
	if (argc != 1)
		return argc < 0 ? CLI_USAGE : cli_usage(cli, "name one plugin");
	code = read_name(&change, argv[0], &err);
	if (code == 0 && is_enabled(&change))
		code = cairn_error_set(&err, CAIRN_EEXIST,
		    "%s is enabled; stop it first: cairn plugin disable %s", change.name,
		    change.name);
	if (code == 0)
		code = store_remove(cli->home, change.name, &err);
	if (code == 0)
		code = forget(&change, &err);
	if (code != 0)
		return cli_fail(cli, &err);
	if (cli->json)
		return cli_print_json(json_pack("{s:s}", "removed", change.name));
	printf("removed every version of %s, and what it was granted\n"
	       "  its settings (plugins/available/%s.yaml) and data (state/%s) stay\n",
	    change.name, change.name, change.name);
	return CLI_DONE;
}

const struct cli_command cli_install_commands[] = {
    {"plugin install", "FILE [--grant CAP,... | --yes]", "install a plugin from a file",
	"FILE is NAME.so, or NAME.plugin.yaml with its script beside it.\n"
	"Shows what it asks for, asks on a terminal, and keeps a copy in the home by version.\n"
	"  --yes             grant all that it asks for\n"
	"  --grant CAP,...   grant these\n"
	"  --pin             accept it though its signature is not by a trusted publisher\n",
	"cairn plugin install ./hello.so --yes", run_install},
    {"plugin upgrade", "FILE [--grant CAP,... | --yes] [--drain S]",
	"replace a plugin by another version",
	"The node loads FILE beside the running one, which finishes what is under way; no call, "
	"job "
	"or\n"
	"connection is lost. It goes back by itself when FILE is not ready within 15 s "
	"(--timeout),\n"
	"is not well, or ends at once. What asks for more than was granted is not taken into "
	"service\n"
	"until that is granted too. The version before it is kept.\n"
	"  --drain S   give connections, calls and jobs under way so many seconds (10)\n",
	"cairn plugin upgrade ./hello.so", run_upgrade},
    {"plugin rollback", "NAME", "go back to the version before the last upgrade", "",
	"cairn plugin rollback hello", run_rollback},
    {"plugin remove", "NAME", "remove every installed version of a disabled plugin",
	"Settings and data stay.\n", "cairn plugin remove hello", run_remove},
    {"plugin sign", "FILE [--key KEY]", "sign a plugin as its publisher",
	"  --key KEY   a key that `cairn key new` made (its name or file); default: publisher\n\n"
	"Writes FILE.sig. A stranger verifies it with openssl; PLUGINS.md shows how.\n",
	"cairn plugin sign ./hello.so --key acme", cli_sign_run},
    {0}};
