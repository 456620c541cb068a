/* SPDX-License-Identifier: Apache-2.0 */
/* What others see of the node from outside: log, core files, metrics, the service manager. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "node/figures.h"
#include "observe/endpoint.h"
#include "observe/metrics.h"
#include "observe/nodelog.h"
#include "observe/notify.h"

#define CORE_PATTERN "/proc/sys/kernel/core_pattern"
#define STATUS_MAX 512
#define METRICS_WINDOW_MS 10000u
#define METRICS_MAX 100u /* in it, of one plugin */

static void
open_log(struct node *node)
{
	const struct node_config *config = node->config;
	struct cairn_error err = {0};
	char path[PATH_MAX];

	log_set_format(config->log_json ? LOG_JSON : LOG_TEXT);
	if (file_join(path, sizeof path, config->home, "log/kernel.log") != 0)
		return;
	if (nodelog_open(&node->log, node->loop, path, (uint64_t)config->log_size_kb * 1024,
		config->log_files, &err) != 0)
		log_warning(
		    "node", "%s; the kernel's log is on standard error only, ignoring", err.text);
}

/* A core file is a copy of the memory, and there are patients in it.  A limit of 1 also keeps the
 * system from handing one to a program (core(5)), which 0 does not. */
static void
limit_cores(const struct node *node)
{
	struct rlimit limit = {1, 1};

	if (node->config->core_files) {
		if (getrlimit(RLIMIT_CORE, &limit) != 0)
			return;
		limit.rlim_cur = limit.rlim_max;
		log_warning("node",
		    "core_files is on: the memory of a process that crashes, patients' data "
		    "included, is written where %s says",
		    CORE_PATTERN);
	}
	if (setrlimit(RLIMIT_CORE, &limit) != 0)
		log_warning("node", "cannot limit core files, ignoring");
}

static void
open_endpoint(struct node *node)
{
	const char *address = node->config->metrics;
	struct cairn_error err = {0};

	if (address[0] == 0)
		return;
	if (endpoint_open(&node->endpoint, node->loop, address, figures_page, node, &err) != 0)
		log_error("node", "%s; the node goes on without metrics", err.text);
	else
		log_info(
		    "node", "metrics at %s%s", address[0] == '/' ? "unix:" : "http://", address);
}

void
observe_open(struct node *node)
{
	open_log(node);
	limit_cores(node);
	node->metrics = metrics_new();
	node->notify = notify_open(node->loop);
	notify_status(node->notify, "Starting");
	open_endpoint(node);
}

void
observe_close(struct node *node)
{
	endpoint_close(node->endpoint);
	nodelog_close(node->log);
	notify_close(node->notify);
	metrics_free(node->metrics);
	node->endpoint = NULL;
	node->log = NULL;
	node->notify = NULL;
	node->metrics = NULL;
}

/* ---- plugins ---------------------------------------------------------------------------- */

void
observe_metrics(struct node_plugin *plugin, const Cairn__Envelope *envelope)
{
	struct node *node = plugin->node;
	uint64_t now_ms = clock_monotonic_ms();
	Cairn__Metrics *message;

	/* The SDK sends one a second.  What comes too often costs nothing and is not lost on the
	 * way of a host of ours. */
	if (now_ms - plugin->metrics_since_ms >= METRICS_WINDOW_MS) {
		plugin->metrics_since_ms = now_ms;
		plugin->metrics_count = 0;
	}
	if (++plugin->metrics_count > METRICS_MAX) {
		plugin->metrics_dropped++;
		return;
	}
	message = cairn__metrics__unpack(NULL, envelope->body.len, envelope->body.data);

	if (message == NULL)
		node_plugin_refuse(plugin, "a plugin sent metrics that are none");
	else
		node->metrics_refused +=
		    metrics_take(node->metrics, plugin->config.manifest->name, message);
	cairn__metrics__free_unpacked(message, NULL);
}

bool
observe_is_quiet(const struct plugin_config *config)
{
	const struct config_value *value = config_find(&config->values, "on_failure");

	return value != NULL && value->text != NULL && strcmp(value->text, "open") == 0;
}

/* ---- the service manager ---------------------------------------------------------------- */

/* "6 of 7 plugins are ready; down: dicom (waiting)"; whether all are ready or known to fail. */
static bool
describe(const struct node *node, char ret[STATUS_MAX])
{
	size_t enabled = 0, ready = 0, length;
	bool settled = true;
	const char *before = "; down: ";

	for (size_t i = 0; i < node->plugin_count; i++) {
		enabled += !node->plugins[i]->removed;
		ready += node_plugin_state(node->plugins[i]) == SUPERVISOR_READY;
	}
	snprintf(ret, STATUS_MAX, "%zu of %zu plugins are ready", ready, enabled);
	length = strlen(ret);
	for (size_t i = 0; i < node->plugin_count; i++) {
		const struct node_plugin *plugin = node->plugins[i];
		enum supervisor_state state = node_plugin_state(plugin);
		struct supervisor_info info = {0};

		if (plugin->removed || state == SUPERVISOR_READY)
			continue;
		if (plugin->process != NULL)
			supervisor_info_get(plugin->process, &info);
		settled = settled &&
		    (plugin->was_ready || info.failures > 0 || state == SUPERVISOR_FAILED);
		if (length < STATUS_MAX)
			snprintf(ret + length, STATUS_MAX - length, "%s%s (%s)", before,
			    plugin->config.manifest->name, supervisor_state_text(state));
		length += strlen(ret + (length < STATUS_MAX ? length : STATUS_MAX - 1));
		before = ", ";
	}
	return settled;
}

void
observe_plugins(struct node *node)
{
	char status[STATUS_MAX];
	bool settled;

	if (node->notify == NULL || node->closing)
		return;
	settled = describe(node, status);
	notify_status(node->notify, status);
	if (settled && !node->settled) {
		node->settled = true;
		notify_say(node->notify, "READY=1");
	}
}

void
observe_reload(struct node *node, bool begins)
{
	if (node->settled && begins)
		notify_reloading(node->notify);
	else if (node->settled)
		notify_say(node->notify, "READY=1");
}

/* ---- core files ------------------------------------------------------------------------- */

void
observe_core(const struct node *node, char *ret, size_t size)
{
	BUF_AUTO text = {.max = 4096};
	const char *pattern;

	ret[0] = 0;
	if (!node->config->core_files)
		return;
	if (file_read(CORE_PATTERN, &text, NULL) != 0 || (pattern = buf_text(&text)) == NULL)
		snprintf(ret, size, "where the system puts them (%s)", CORE_PATTERN);
	else if (strstr(pattern, "systemd-coredump") != NULL)
		snprintf(ret, size, "with systemd-coredump (coredumpctl list cairn-host)");
	else if (pattern[0] == '|')
		snprintf(ret, size, "with the program %.*s", (int)strcspn(pattern + 1, " \n"),
		    pattern + 1);
	else
		snprintf(ret, size, "named %.*s%s", (int)strcspn(pattern, "\n"), pattern,
		    pattern[0] == '/' ? ""
				      : " in the folder in which the node was started, if the "
					"plugin may write there");
}
