/* SPDX-License-Identifier: Apache-2.0 */
#include "node/node.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "node/accepted.h"
#include "node/budget.h"
#include "node/confine.h"
#include "node/control.h"
#include "node/figures.h"
#include "node/handover.h"
#include "node/health.h"
#include "node/listeners.h"
#include "node/policy.h"
#include "node/pseudonyms.h"
#include "node/router.h"
#include "observe/notify.h"

/* ---- closing ---------------------------------------------------------------------------- */

/*
 * The parts close in the order in which answers depend on them: control (nobody asks any more),
 * plugins, links, jobs, ledger.  Each step is called when the one before it is done; a part that
 * was never opened is skipped, so this is also the way out of a failed opening.
 */
static void close_finish(void *arg);
static void close_ledger(void *arg);
static void close_jobs(void *arg);
static void close_links(void *arg);
static void close_supervisor(void *arg);

void
node_close(struct node *node, void (*closed)(void *arg), void *arg)
{
	if (!node->closing)
		notify_say(node->notify, "STOPPING=1\nSTATUS=Stopping");
	node->closing = true;
	node->closed = closed;
	node->closed_arg = arg;
	if (node->control != NULL)
		control_close(node->control, close_supervisor, node);
	else
		close_supervisor(node);
}

static void
close_supervisor(void *arg)
{
	struct node *node = arg;

	node->control = NULL;
	if (node->supervisor != NULL)
		supervisor_close(node->supervisor, close_links, node);
	else
		close_links(node);
}

static void
close_links(void *arg)
{
	struct node *node = arg;

	node->supervisor = NULL;
	if (node->link != NULL)
		link_close(node->link, close_jobs, node);
	else
		close_jobs(node);
}

static void
close_jobs(void *arg)
{
	struct node *node = arg;

	node->link = NULL;
	handover_cancel(node);
	confine_close(node);
	/* What jobs and ledger still report is for nobody. */
	for (size_t i = 0; i < node->plugin_count; i++)
		node->plugins[i]->process = NULL;
	if (node->jobs != NULL)
		jobs_close(node->jobs, close_ledger, node);
	else
		close_ledger(node);
}

static void
close_ledger(void *arg)
{
	struct node *node = arg;

	node->jobs = NULL;
	if (node->ledger == NULL) {
		close_finish(node);
		return;
	}
	node_record(node, "node", node->config->id, "stopped", "");
	ledger_close(node->ledger, close_finish, node);
}

static void
close_finish(void *arg)
{
	struct node *node = arg;
	void (*closed)(void *arg) = node->closed;
	void *closed_arg = node->closed_arg;

	observe_close(node);
	memory_free(node->memory);
	router_free(node->router);
	guard_free(node->guard);
	budget_free(node->budget);
	identity_free(node->identity);
	for (size_t i = 0; i < node->plugin_count; i++) {
		health_free(node->plugins[i]->health);
		listeners_close(node->plugins[i], false);
		manifest_free(node->plugins[i]->config.manifest);
		provenance_free(node->plugins[i]->config.object);
		config_values_fini(&node->plugins[i]->config.values);
		free(node->plugins[i]);
	}
	node_config_free(node->config);
	if (node->lock >= 0)
		close(node->lock);
	free(node);
	if (closed != NULL)
		closed(closed_arg);
}

/* ---- opening ---------------------------------------------------------------------------- */

static int
path_in_home(const struct node *node, const char *name, char ret[PATH_MAX], struct cairn_error *err)
{
	if (file_join(ret, PATH_MAX, node->config->home, name) != 0)
		return cairn_error_set(err, CAIRN_ELIMIT, "the node's home has too long a path: %s",
		    node->config->home);
	return 0;
}

/* One kernel per home: the lock lasts as long as the process. */
static int
take_lock(struct node *node, struct cairn_error *err)
{
	char path[PATH_MAX];
	int code = path_in_home(node, "run/lock", path, err);

	if (code != 0)
		return code;
	node->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (node->lock < 0)
		return cairn_error_set(err, CAIRN_EIO, "cannot open %s: %s", path, strerror(errno));
	if (flock(node->lock, LOCK_EX | LOCK_NB) != 0)
		return cairn_error_set(err, CAIRN_EEXIST,
		    "a node is running in %s already (see: cairn status)", node->config->home);
	return 0;
}

static int
make_directories(struct node *node, struct cairn_error *err)
{
	static const char *const names[] = {"run", "log", "state/kernel", "objects", "intake"};
	char path[PATH_MAX];

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		int code = path_in_home(node, names[i], path, err);

		if (code == 0)
			code = file_mkdirs(path, 0700, err);
		if (code != 0)
			return code;
	}
	return 0;
}

static int
open_identity(struct node *node, struct cairn_error *err)
{
	char path[PATH_MAX];
	int code = path_in_home(node, "keys", path, err);

	return code != 0 ? code : identity_open(&node->identity, path, err);
}

static int
open_guard(struct node *node, struct cairn_error *err)
{
	return node_policy_open(node, &node->guard, err);
}

static int
check_policies(struct node *node, struct cairn_error *err)
{
	return node_policy_check(node, node->guard, NULL, err);
}

static int
open_ledger(struct node *node, struct cairn_error *err)
{
	char path[PATH_MAX], anchor[PATH_MAX];
	char digest[65];
	uint8_t bytes[32];
	struct ledger_options options = {.dir = path,
	    .anchor = anchor,
	    .origin = node->config->id,
	    .key = identity_signing_key(node->identity)};
	int code = path_in_home(node, "state/kernel/ledger", path, err);

	if (code == 0)
		code = path_in_home(node, "ledger.checkpoint", anchor, err);
	if (code == 0)
		code = ledger_open(&node->ledger, node->loop, &options, err);
	if (code != 0)
		return code;
	code = budget_recall(node, err);
	if (code != 0)
		return code;
	guard_digest(node->guard, bytes);
	text_hex(bytes, sizeof bytes, digest);
	node_record(node, "node", node->config->id, "started", "");
	node_record(node, "policy", digest, "loaded", "");
	accepted_record(node);
	return 0;
}

static int
open_jobs(struct node *node, struct cairn_error *err)
{
	char path[PATH_MAX];
	struct jobs_options options = {.dir = path};
	int code = path_in_home(node, "state/kernel/jobs", path, err);

	return code != 0 ? code
			 : jobs_open(&node->jobs, node->loop, &options, dispatch_wake, node, err);
}

static int
open_links(struct node *node, struct cairn_error *err)
{
	return pseudonyms_open(node, err);
}

/* cairn-host lies beside cairnd. */
static int
find_host(char ret[PATH_MAX], struct cairn_error *err)
{
	size_t size = PATH_MAX;
	char *slash;

	if (uv_exepath(ret, &size) != 0 || (slash = strrchr(ret, '/')) == NULL ||
	    (size_t)(slash - ret) + sizeof "/cairn-host" > PATH_MAX)
		return cairn_error_set(err, CAIRN_EIO, "cannot tell where this program lies");
	memcpy(slash, "/cairn-host", sizeof "/cairn-host");
	if (access(ret, X_OK) != 0)
		return cairn_error_set(err, CAIRN_ENOTFOUND,
		    "%s is missing or not executable; is the installation complete?", ret);
	return 0;
}

struct supervisor_options
node_supervisor_options(const struct node_config *config)
{
	return (struct supervisor_options){.restart_limit = config->restart_limit,
	    .restart_window_s = config->restart_window_s,
	    .stop_timeout_ms = config->stop_timeout_ms,
	    .heartbeat_ms = config->heartbeat_ms,
	    .heartbeat_limit_ms = config->heartbeat_limit_ms,
	    .log_size_max = (uint64_t)config->log_size_kb * 1024,
	    .log_files = config->log_files,
	    .log_json = config->log_json};
}

static int
open_supervisor(struct node *node, struct cairn_error *err)
{
	char host[PATH_MAX], run[PATH_MAX], log[PATH_MAX];
	struct supervisor_options options = node_supervisor_options(node->config);
	int code = find_host(host, err);

	options.host_path = host;
	options.run_dir = run;
	options.log_dir = log;
	if (code == 0)
		code = path_in_home(node, "run", run, err);
	if (code == 0)
		code = path_in_home(node, "log", log, err);
	return code != 0 ? code
			 : supervisor_new(&node->supervisor, node->loop, &options,
			       &node_supervisor_ops, node, err);
}

static int
add_plugins(struct node *node, struct cairn_error *err)
{
	struct plugin_config *configs = NULL;
	size_t count = 0;
	int code = plugin_configs_load(node->config, &configs, &count, err);

	for (size_t i = 0; code == 0 && i < count; i++)
		code = node_plugins_add(node, &configs[i], err);
	plugin_configs_free(configs, count);
	return code;
}

/* One that may not run does not keep the others from serving. */
static int
start_first(struct node_plugin *plugin, struct cairn_error *err)
{
	struct cairn_error why = {0};

	if (node_plugin_origin(plugin->node, &plugin->config, &why) == 0)
		return supervisor_start(plugin->process, err);
	plugin->node->starting--;
	supervisor_refuse(plugin->process, why.text);
	return 0;
}

static int
start_plugins(struct node *node, struct cairn_error *err)
{
	if (node->config->development)
		log_warning("node",
		    "DEVELOPMENT MODE (--dev): plugins that nobody signed or "
		    "accepted are run; never use it where patients' data are");
	confine_watch_disk(node);
	node->starting = (unsigned)node->plugin_count;
	for (size_t i = 0; i < node->plugin_count; i++) {
		int code = start_first(node->plugins[i], err);

		if (code != 0)
			return code;
	}
	return 0;
}

static int
open_control(struct node *node, struct cairn_error *err)
{
	char path[PATH_MAX];
	int code = path_in_home(node, "run/control.sock", path, err);

	return code != 0 ? code : control_open(&node->control, node, path, err);
}

static int
open_observers(struct node *node, struct cairn_error *err)
{
	(void)err;
	observe_open(node);
	return 0;
}

static int
open_router(struct node *node, struct cairn_error *err)
{
	return router_new(&node->router, node, err);
}

int
node_open(
    struct node **ret, uv_loop_t *loop, const struct node_options *options, struct cairn_error *err)
{
	/* Everything that can be wrong with the configuration is found before anything starts. */
	static int (*const steps[])(struct node *, struct cairn_error *) = {make_directories,
	    take_lock, open_observers, open_identity, open_guard, open_router, open_supervisor,
	    add_plugins, check_policies, open_ledger, open_jobs, open_links, open_control,
	    start_plugins};
	struct node *node = calloc(1, sizeof *node);
	int code;

	if (node == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	node->loop = loop;
	node->lock = -1;
	node->asker = "";
	node->memory = memory_new(loop, node_pids, node);
	node->started_ms = clock_monotonic_ms();
	node->clock_offset_ms = health_clock_offset_ms();
	code = node_config_load(options->home, &node->config, err);
	if (code != 0) {
		memory_free(node->memory);
		free(node);
		return code;
	}
	node->config->development = options->development;
	for (size_t i = 0; code == 0 && i < sizeof steps / sizeof steps[0]; i++)
		code = steps[i](node, err);
	if (code != 0) {
		node_close(node, NULL, NULL);
		return code;
	}
	*ret = node;
	return 0;
}

/* ---- rescan ----------------------------------------------------------------------------- */

static bool
is_listed(const struct plugin_config *configs, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(configs[i].manifest->name, name) == 0)
			return true;
	}
	return false;
}

void
node_plugin_take_out(struct node_plugin *plugin, const char *reason)
{
	plugin->removed = true;
	node_record(plugin->node, "plugin", plugin->config.manifest->name, "disabled", reason);
	supervisor_stop(plugin->process, NULL, NULL);
	listeners_close(plugin, false);
}

static void
remove_missing(struct node *node, const bool *keep, size_t known)
{
	for (size_t i = 0; i < known; i++) {
		if (!node->plugins[i]->removed && !keep[i])
			node_plugin_take_out(node->plugins[i], "asked by the operator");
	}
}

/* One that was disabled a moment ago may still be stopping: then it starts when it has. */
int
node_plugin_start(struct node_plugin *plugin, struct cairn_error *err)
{
	return node_plugin_state(plugin) == SUPERVISOR_STOPPED
	    ? supervisor_start(plugin->process, err)
	    : supervisor_restart(plugin->process, err);
}

static bool
is_refused(const struct plugin_config *config)
{
	return config->object != NULL && config->object->verdict == PROVENANCE_REFUSED;
}

/* `*ret_started` is the plugin that runs now and did not before; NULL when it ran already. */
static int
start_listed(struct node *node, struct plugin_config *config, struct node_plugin **ret_started,
    struct cairn_error *err)
{
	struct node_plugin *plugin = node_plugin_find(node, config->manifest->name);
	int code;

	*ret_started = NULL;
	/* One that was refused and is accepted now starts; one that still is holds nobody up. */
	if (plugin != NULL && !plugin->removed &&
	    (!is_refused(&plugin->config) || is_refused(config)))
		return 0;
	code = node_plugin_origin(node, config, err);
	if (code != 0)
		return code;
	code = plugin == NULL ? node_plugins_add(node, config, err)
			      : node_plugin_configure(plugin, config, err);
	if (code != 0)
		return code;
	if (plugin == NULL)
		plugin = node->plugins[node->plugin_count - 1];
	code = node_plugin_start(plugin, err);
	plugin->removed = code != 0;
	if (code != 0)
		return code;
	node_record(
	    node, "plugin", plugin->config.manifest->name, "enabled", "asked by the operator");
	*ret_started = plugin;
	return 0;
}

int
node_rescan(struct node *node, struct cairn_error *err)
{
	struct plugin_config *configs = NULL;
	size_t count = 0;
	size_t known = node->plugin_count;
	bool keep[NODE_PLUGINS_MAX] = {false};
	struct node_plugin *started[NODE_PLUGINS_MAX] = {NULL};
	int code = node->handover != NULL
	    ? cairn_error_set(err, CAIRN_EEXIST,
		  "an upgrade, restart or reload is under way; try again when it has ended")
	    : plugin_configs_load(node->config, &configs, &count, err);

	for (size_t i = 0; code == 0 && i < known; i++)
		keep[i] = is_listed(configs, count, node->plugins[i]->config.manifest->name);
	if (code == 0 && count > NODE_PLUGINS_MAX)
		code = cairn_error_set(err, CAIRN_ELIMIT, "more than %d plugins", NODE_PLUGINS_MAX);
	for (size_t i = 0; code == 0 && i < count; i++)
		code = start_listed(node, &configs[i], &started[i], err);
	for (size_t i = 0; code != 0 && i < NODE_PLUGINS_MAX; i++) {
		if (started[i] != NULL)
			node_plugin_take_out(started[i], "another plugin could not be started");
	}
	if (code == 0)
		remove_missing(node, keep, known);
	plugin_configs_free(configs, count);
	return code;
}

int
node_restart(struct node *node, const char *name, struct cairn_error *err)
{
	struct node_plugin *plugin = node_plugin_find(node, name);
	struct plugin_config *configs = NULL;
	size_t count = 0;
	int code;

	if (plugin == NULL || plugin->removed)
		return cairn_error_set(
		    err, CAIRN_ENOTFOUND, "no enabled plugin '%s' (cairn plugin list)", name);
	code = plugin_configs_load(node->config, &configs, &count, err);
	for (size_t i = 0; code == 0 && i < count; i++) {
		if (strcmp(configs[i].manifest->name, name) != 0)
			continue;
		code = node_plugin_origin(node, &configs[i], err);
		if (code == 0)
			code = node_plugin_configure(plugin, &configs[i], err);
	}
	plugin_configs_free(configs, count);
	if (code != 0)
		return code;
	node_record(node, "plugin", name, "restart", "asked by the operator");
	return supervisor_restart(plugin->process, err);
}
