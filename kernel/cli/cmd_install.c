/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Installing plugins in a node's home, by version: install, remove, upgrade, rollback.  A running
 * plugin that is replaced is stopped, and the other version started; when that does not become
 * ready, the one before it comes back.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "cli/accept.h"
#include "cli/available.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/store.h"

#define READY_MS 15000u /* for the new version, unless --timeout says otherwise */
#define SETTLE_MS 500u  /* that it must stay ready */
#define POLL_MS 50u

struct change {
	struct cli *cli;
	struct plugin_config plugin; /* of FILE */
	const char *name, *version;
	char before[STORE_VERSION_MAX + 1]; /* what `current` was; "" for the plugin_dir's */
	char previous[STORE_VERSION_MAX + 1];
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
	if (code == 0 && manifest->script != NULL)
		code = cairn_error_set(err, CAIRN_EUNSUPPORTED,
		    "%s: only shared objects can be installed; put the script and its manifest in "
		    "%s",
		    path, node->plugin_dir);
	if (code == 0) {
		node->development = true; /* to read it; whether it may run is asked below */
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

struct state {
	char state[16], version[STORE_VERSION_MAX + 1], last_error[256];
	long long pid;
};

static int
ask_state(const struct change *change, struct state *ret, struct cairn_error *err)
{
	json_t *status = NULL;
	const json_t *plugin;
	size_t index;
	int code = client_json(change->cli, "kernel.status", NULL, &status, err);

	if (code != 0)
		return code;
	*ret = (struct state){0};
	json_array_foreach(json_object_get(status, "plugins"), index, plugin)
	{
		if (strcmp(cli_json_text(plugin, "name"), change->name) != 0)
			continue;
		snprintf(ret->state, sizeof ret->state, "%s", cli_json_text(plugin, "state"));
		snprintf(ret->version, sizeof ret->version, "%s", cli_json_text(plugin, "version"));
		snprintf(ret->last_error, sizeof ret->last_error, "%s",
		    cli_json_text(plugin, "last_error"));
		ret->pid = cli_json_number(plugin, "pid");
	}
	json_decref(status);
	return 0;
}

/* Ready, and still the same process half a second later. */
static int
wait_ready(const struct change *change, struct cairn_error *err)
{
	const struct timespec pause = {0, POLL_MS * 1000000L};
	unsigned limit_ms = change->cli->timeout_ms == 0 ? READY_MS : change->cli->timeout_ms;
	uint64_t begin = clock_monotonic_ms(), since = 0;
	long long pid = 0;

	while (clock_monotonic_ms() - begin < limit_ms) {
		struct state now;
		int code = ask_state(change, &now, err);

		if (code != 0)
			return code;
		if (strcmp(now.state, "failed") == 0 || strcmp(now.state, "waiting") == 0 ||
		    (pid != 0 && strcmp(now.state, "ready") != 0))
			return cairn_error_set(err, CAIRN_EUNAVAILABLE, "%s",
			    now.last_error[0] != 0 ? now.last_error : "it ended");
		if (strcmp(now.state, "ready") == 0 && now.pid != pid) {
			pid = now.pid;
			since = clock_monotonic_ms();
		} else if (pid != 0 && clock_monotonic_ms() - since >= SETTLE_MS) {
			return 0;
		}
		nanosleep(&pause, NULL);
	}
	return cairn_error_set(
	    err, CAIRN_ETIMEOUT, "it was not ready within %u s", limit_ms / 1000);
}

static int
restart(const struct change *change, struct cairn_error *err)
{
	json_t *reply = NULL;
	int code = client_json(change->cli, "kernel.plugin.restart",
	    json_pack("{s:s}", "name", change->name), &reply, err);

	json_decref(reply);
	return code == 0 ? wait_ready(change, err) : code;
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

static int
put_into_service(const struct change *change, struct cairn_error *err)
{
	if (!is_enabled(change))
		return 0;
	return client_running(change->cli->home) ? restart(change, err) : check_set(change, err);
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

/* Puts `to` into service; when it fails, what was there before. */
static int
switch_to(const struct change *change, const char *to, struct cairn_error *err)
{
	struct cairn_error back = {0}, why = {0};
	int code = set_links(change, to, change->before, &why);

	if (code == 0)
		code = put_into_service(change, &why);
	if (code == 0)
		return 0;
	if (set_links(change, change->before, change->previous, &back) != 0 ||
	    put_into_service(change, &back) != 0)
		return cairn_error_set(err, code,
		    "%s %s failed (%.160s), and going back to %s failed too (%.160s); see: cairn "
		    "status",
		    change->name, version_words(to), why.text, version_words(change->before),
		    back.text);
	return cairn_error_set(err, code,
	    "%s %s was not taken into service; %s is back and nothing was changed: %s",
	    change->name, version_words(to), version_words(change->before), why.text);
}

static int
report(const struct change *change, const char *verb, const char *to)
{
	bool running = is_enabled(change) && client_running(change->cli->home);

	if (change->cli->json)
		return cli_print_json(json_pack("{s:s, s:s, s:s, s:b}", "plugin", change->name,
		    "version", to, "before", change->before, "running", running));
	printf("%s %s: %s", verb, change->name, version_words(to));
	if (strcmp(verb, "installed") != 0)
		printf(" in place of %s", version_words(change->before));
	printf("%s\n", running ? ", ready" : "");
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
	bool added = false;
	int code = store_add(home, &change->plugin, file, &added, err);

	if (code == 0)
		code = store_path(home, change->name, change->version, path, err);
	if (code == 0)
		code = accept_plugin(change->cli, change->name, path, options, err);
	if (code == 0)
		code = available_write(home, path, err);
	if (code != 0 && added)
		store_remove_version(home, change->name, change->version);
	return code;
}

static int
install_or_upgrade(struct cli *cli, int argc, char **argv, bool upgrade)
{
	struct accept_options accept = {.named = true, .ask = !upgrade};
	const struct cli_option options[] = {{"--yes", NULL, &accept.yes},
	    {"--pin", NULL, &accept.pin}, {"--grant", &accept.grant, NULL}, {0}};
	struct cairn_error err = {0};
	struct change change = {.cli = cli};
	int code;

	argc = cli_options(cli, options, argc, argv);
	if (argc != 1)
		return argc < 0 ? CLI_USAGE : cli_usage(cli, "name one plugin file");
	code = read_file(&change, argv[0], &err);
	if (code == 0)
		code = check_version(&change, upgrade, &err);
	if (code == 0 && strcmp(change.before, change.version) == 0)
		code = cairn_error_set(&err, CAIRN_EEXIST, "%s %s is what is installed already",
		    change.name, change.version);
	if (code == 0)
		code = keep_and_accept(&change, argv[0], &accept, &err);
	if (code == 0)
		code = switch_to(&change, change.version, &err);
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
		code = switch_to(&change, change.previous, &err);
	return code == 0 ? report(&change, "rolled back", change.previous) : cli_fail(cli, &err);
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
	"Shows what it asks for, asks on a terminal, and keeps a copy in the home by version.\n"
	"  --yes             grant all that it asks for\n"
	"  --grant CAP,...   grant these\n"
	"  --pin             accept it though its signature is not by a trusted publisher\n",
	"cairn plugin install ./hello.so --yes", run_install},
    {"plugin upgrade", "FILE [--grant CAP,... | --yes]", "replace a plugin by another version",
	"Stops the running one, starts FILE, and goes back by itself when that is not ready "
	"within\n"
	"15 s (--timeout) or ends at once. What asks for more than was granted is not taken into\n"
	"service until that is granted too. The version before it is kept.\n",
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
