/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "node/confine.h"
#include "node/figures.h"
#include "node/handover.h"
#include "node/health.h"
#include "node/listeners.h"
#include "node/node.h"
#include "node/router.h"
#include "node/welcome.h"
#include "node/words.h"
#include "observe/metrics.h"

#define CAPABILITY_MAX 160
#define CORE_TEXT_MAX 256

/* ---- the set ---------------------------------------------------------------------------- */

struct node_plugin *
node_plugin_find(const struct node *node, const char *name)
{
	for (size_t i = 0; i < node->plugin_count; i++) {
		if (strcmp(node->plugins[i]->config.manifest->name, name) == 0)
			return node->plugins[i];
	}
	return NULL;
}

static struct supervisor_plugin_options
process_options(const struct plugin_config *config)
{
	const struct manifest *manifest = config->manifest;
	bool script = manifest->script != NULL;

	return (struct supervisor_plugin_options){.name = manifest->name,
	    .version = manifest->version,
	    .path = script ? manifest->script : manifest->path,
	    .interpreter = manifest->interpreter,
	    .quiet = observe_is_quiet(config),
	    .object_fd = config->object == NULL ? 0 : config->object->fd};
}

/* Takes `config` over when it succeeds (it is emptied). */
int
node_plugins_add(struct node *node, struct plugin_config *config, struct cairn_error *err)
{
	struct node_plugin *plugin;
	struct welcome *welcome;
	struct supervisor_plugin_options options = process_options(config);
	int code;

	if (node->plugin_count == NODE_PLUGINS_MAX)
		return cairn_error_set(err, CAIRN_ELIMIT, "more than %d plugins", NODE_PLUGINS_MAX);
	welcome = welcome_new(node, config, err);
	if (welcome == NULL)
		return err->code;
	plugin = calloc(1, sizeof *plugin);
	options.welcome = &welcome->message;
	options.user = plugin;
	code = plugin == NULL ? cairn_error_set(err, CAIRN_ENOMEM, "out of memory")
			      : supervisor_add(node->supervisor, &options, &plugin->process, err);
	welcome_free(welcome);
	if (code != 0) {
		free(plugin);
		return code;
	}
	plugin->node = node;
	plugin->log_level = CAIRN_LOG_INFO;
	plugin->config = *config;
	*config = (struct plugin_config){0};
	node->plugins[node->plugin_count++] = plugin;
	return 0;
}

int
node_plugin_configure(
    struct node_plugin *plugin, struct plugin_config *config, struct cairn_error *err)
{
	struct welcome *welcome = welcome_new(plugin->node, config, err);
	struct supervisor_plugin_options options = process_options(config);
	struct plugin_config before = plugin->config;
	int code;

	if (welcome == NULL)
		return err->code;
	code = supervisor_set_welcome(plugin->process, &welcome->message, err);
	welcome_free(welcome);
	if (code == 0)
		code = supervisor_set_object(plugin->process, &options, err);
	if (code == 0) {
		plugin->config = *config;
		*config = before; /* the caller frees what it holds */
	}
	return code;
}

int
node_plugin_successor(struct node_plugin *plugin, const struct plugin_config *config,
    struct supervisor_plugin **ret, struct cairn_error *err)
{
	struct welcome *welcome = welcome_new(plugin->node, config, err);
	struct supervisor_plugin_options options = process_options(config);
	int code;

	if (welcome == NULL)
		return err->code;
	options.welcome = &welcome->message;
	options.user = plugin;
	options.standby = true;
	code = supervisor_add(plugin->node->supervisor, &options, ret, err);
	welcome_free(welcome);
	return code;
}

bool
node_plugin_same(struct node_plugin *plugin, const struct plugin_config *config)
{
	struct cairn_error err = {0};
	const struct plugin_config *now = &plugin->config;
	struct welcome *welcome;
	bool same;

	if (now->object == NULL || config->object == NULL ||
	    strcmp(now->object->digest, config->object->digest) != 0 ||
	    strcmp(now->manifest->path, config->manifest->path) != 0)
		return false;
	welcome = welcome_new(plugin->node, config, &err);
	same = welcome != NULL && supervisor_welcome_is(plugin->process, &welcome->message);
	if (welcome != NULL)
		welcome_free(welcome);
	return same;
}

int
node_plugin_send(struct node_plugin *plugin, const Cairn__Envelope *envelope)
{
	return plugin->process == NULL ? CAIRN_EUNAVAILABLE
				       : supervisor_send(plugin->process, envelope);
}

const char *
node_plugin_on_failure(const struct node_plugin *plugin)
{
	const struct config_value *value = config_find(&plugin->config.values, "on_failure");

	return value == NULL || value->text == NULL ? "closed" : value->text;
}

void
node_plugin_tell_log_level(struct node_plugin *plugin)
{
	Cairn__Envelope envelope = CAIRN__ENVELOPE__INIT;

	envelope.kind = CAIRN__ENVELOPE__KIND__LOG_LEVEL;
	envelope.text = (char *)(uintptr_t)log_level_text((enum cairn_log_level)plugin->log_level);
	node_plugin_send(plugin, &envelope); /* when it is not ready: once it is */
}

void
node_plugin_down(const struct node_plugin *plugin, int code, char *ret, size_t size)
{
	const char *name = plugin->config.manifest->name;
	struct supervisor_info info = {0};
	char reason[SUPERVISOR_REASON_MAX];

	if (plugin->process != NULL)
		supervisor_info_get(plugin->process, &info);
	words_clean(reason, sizeof reason, info.last_error, false);
	if (code == CAIRN_ELIMIT)
		snprintf(ret, size,
		    "plugin '%s' cannot take the call now (its queue is full); try again shortly",
		    name);
	else if (info.state == SUPERVISOR_FAILED)
		snprintf(ret, size,
		    "plugin '%s' is down and was given up (cairn plugin why %s): %.300s", name,
		    name, reason);
	else if (info.state == SUPERVISOR_WAITING)
		snprintf(ret, size,
		    "plugin '%s' is down and starts again in %llu ms (try again shortly): %.300s",
		    name, (unsigned long long)info.next_try_ms, reason);
	else
		snprintf(ret, size, "plugin '%s' cannot take the call now (%s); try again shortly",
		    name, supervisor_state_text(info.state));
}

enum supervisor_state
node_plugin_state(const struct node_plugin *plugin)
{
	return plugin->process == NULL ? SUPERVISOR_STOPPED : supervisor_state_get(plugin->process);
}

bool
node_plugin_may(const struct node_plugin *plugin, const char *kind, const char *what)
{
	char capability[CAPABILITY_MAX];
	int wrote = snprintf(capability, sizeof capability, "%s:%s", kind, what);

	return wrote > 0 && (size_t)wrote < sizeof capability &&
	    manifest_has(plugin->config.manifest, capability);
}

void
node_plugin_refuse(struct node_plugin *plugin, const char *text)
{
	const char *name = plugin->config.manifest->name;
	uint64_t now = clock_monotonic_ms();
	char clean[CAIRN_ERROR_TEXT_MAX];

	plugin->refused++;
	words_clean(clean, sizeof clean, text, false);
	snprintf(plugin->last_refused, sizeof plugin->last_refused, "%.255s", clean);
	if (now - plugin->refused_since_ms >= NODE_REFUSALS_MS) {
		plugin->refused_since_ms = now;
		plugin->refused_shown = 0;
	}
	if (plugin->refused_shown == NODE_REFUSALS_SHOWN)
		return;
	plugin->refused_shown++;
	log_warning("node", "%s; refused%s", clean,
	    plugin->refused_shown == NODE_REFUSALS_SHOWN
		? ", and what follows within the minute is only counted"
		: "");
	node_record(plugin->node, "plugin", name, "refused", clean);
}

void
node_record(struct node *node, const char *kind, const char *subject, const char *verdict,
    const char *reason)
{
	struct ledger_entry entry = {.kind = kind,
	    .subject = subject,
	    .principal = "kernel",
	    .verdict = verdict,
	    .reason = reason};
	struct cairn_error err = {0};

	if (node->ledger != NULL && ledger_append(node->ledger, &entry, NULL, NULL, &err) != 0)
		log_error("node", "not recorded (%s %s %s): %s", kind, subject, verdict, err.text);
}

size_t
node_pids(void *arg, int *ret, size_t max)
{
	const struct node *node = arg;
	size_t count = 0;

	ret[count++] = (int)getpid();
	for (size_t i = 0; i < node->plugin_count && count < max; i++) {
		struct supervisor_info info = {0};

		if (node->plugins[i]->process != NULL)
			supervisor_info_get(node->plugins[i]->process, &info);
		if (info.pid != 0)
			ret[count++] = info.pid;
		info.pid = handover_pid(node->plugins[i]);
		if (info.pid != 0 && count < max)
			ret[count++] = info.pid;
	}
	return count;
}

/* ---- where it comes from ---------------------------------------------------------------- */

int
node_plugin_origin(struct node *node, const struct plugin_config *config, struct cairn_error *err)
{
	const char *name = config->manifest->name;
	const struct provenance *object = config->object;

	if (object->verdict == PROVENANCE_REFUSED) {
		log_error("node", "plugin %s refused: %s", name, object->text);
		node_record(node, "plugin", name, "refused", object->text);
		return cairn_error_set(err, CAIRN_EFORBIDDEN, "%s", object->text);
	}
	if (object->verdict == PROVENANCE_DEVELOPMENT) {
		log_warning("node", "UNVERIFIED PLUGIN %s: %s", name, object->text);
		node_record(node, "plugin", name, "unverified", object->text);
	}
	return 0;
}

/* ---- what the supervisor tells us ------------------------------------------------------- */

static struct node_plugin *
plugin_of(struct supervisor_plugin *process)
{
	return supervisor_user(process);
}

static void
on_ready(void *arg, struct supervisor_plugin *process)
{
	struct node *node = arg;
	struct node_plugin *plugin = plugin_of(process);

	if (!plugin->was_ready && node->starting > 0 && --node->starting == 0)
		log_info("node", "ready after %llu ms",
		    (unsigned long long)(clock_monotonic_ms() - node->started_ms));
	plugin->was_ready = true;
	memory_renew(node->memory);
	observe_plugins(node);
	if (plugin->log_level != CAIRN_LOG_INFO)
		node_plugin_tell_log_level(plugin);
	if (plugin->exchange == NULL)
		listeners_close(plugin, true);
	else
		handover_ready(plugin, process);
	dispatch_jobs(plugin);
}

static void
on_gone(void *arg, struct supervisor_plugin *process)
{
	struct node *node = arg;

	plugin_of(process)->incarnation++;
	listeners_renew(plugin_of(process));
	metrics_gone(node->metrics, plugin_of(process)->config.manifest->name);
	dispatch_release(plugin_of(process));
	router_gone(node->router, plugin_of(process));
}

static void
call_from_plugin(void *arg, const Cairn__Envelope *envelope)
{
	struct node_plugin *plugin = arg;

	node_plugin_send(plugin, envelope);
}

/* The call goes on, in the name of who sent it: nobody believes what it says of itself. */
static void
refuse_sender(struct node_plugin *plugin, const Cairn__Envelope *envelope)
{
	char text[CAIRN_ERROR_TEXT_MAX];

	snprintf(text, sizeof text,
	    "plugin '%.32s' called %.120s in the name of '%.120s', which was taken off",
	    plugin->config.manifest->name, envelope->subject, envelope->context->principal->name);
	node_plugin_refuse(plugin, text);
}

static void
take_call(struct node_plugin *plugin, const Cairn__Envelope *envelope)
{
	char name[64];
	struct router_origin origin = {call_from_plugin, plugin, envelope->id, plugin};
	struct router_principal principal = {name, "plugin", plugin->config.manifest->name, ""};

	snprintf(name, sizeof name, "plugin:%.48s", plugin->config.manifest->name);
	if (envelope->context != NULL && envelope->context->principal != NULL)
		refuse_sender(plugin, envelope);
	router_call(plugin->node->router, &origin, &principal, envelope);
}

static void
on_message(void *arg, struct supervisor_plugin *process, const Cairn__Envelope *envelope)
{
	struct node *node = arg;
	struct node_plugin *plugin = plugin_of(process);
	char text[80];

	switch (envelope->kind) {
	case CAIRN__ENVELOPE__KIND__CALL:
		take_call(plugin, envelope);
		break;
	case CAIRN__ENVELOPE__KIND__CANCEL:
		router_cancel(node->router, plugin, envelope->id, false);
		break;
	case CAIRN__ENVELOPE__KIND__REPLY:
	case CAIRN__ENVELOPE__KIND__PROGRESS:
		router_answer(node->router, plugin, envelope);
		handover_progress(plugin);
		break;
	case CAIRN__ENVELOPE__KIND__EVENT:
		dispatch_event(plugin, envelope);
		break;
	case CAIRN__ENVELOPE__KIND__HEALTH:
		if (!handover_health(plugin, envelope))
			health_answered(plugin, envelope);
		break;
	case CAIRN__ENVELOPE__KIND__METRICS:
		observe_metrics(plugin, envelope);
		break;
	case CAIRN__ENVELOPE__KIND__JOB_PUT:
		dispatch_job_put(plugin, envelope);
		break;
	case CAIRN__ENVELOPE__KIND__JOB_DONE:
	case CAIRN__ENVELOPE__KIND__JOB_RETRY:
		dispatch_job_ack(plugin, envelope);
		handover_progress(plugin);
		break;
	default:
		snprintf(text, sizeof text, "plugin '%.32s' sent a message of kind %d",
		    plugin->config.manifest->name, (int)envelope->kind);
		node_plugin_refuse(plugin, text);
		break;
	}
}

/* As a signal, so that the way to stop is one: main's. */
static void
give_up(struct node *node, const struct node_plugin *plugin)
{
	if (node->gave_up || node->closing)
		return;
	node->gave_up = true;
	log_error("node", "plugin '%s' is down and has `on_failure: stop`: stopping the node",
	    plugin->config.manifest->name);
	node_record(node, "node", node->config->id, "given up", plugin->config.manifest->name);
	raise(SIGTERM);
}

static void
on_event(void *arg, struct supervisor_plugin *process, const char *what, const char *reason)
{
	struct node_plugin *plugin = plugin_of(process);
	char core[CORE_TEXT_MAX] = "";
	bool for_good = strcmp(what, "failed") == 0 ||
	    (strcmp(what, "failed to start") == 0 && !plugin->was_ready);

	node_record(arg, "plugin", plugin->config.manifest->name, what, reason);
	observe_plugins(arg);
	if (strcmp(what, "crashed") == 0)
		observe_core(arg, core, sizeof core);
	if (core[0] != 0)
		log_info("node", "%s: its core file, if the system made one, is %s",
		    plugin->config.manifest->name, core);
	if (strcmp(what, "started") == 0 || strcmp(what, "stopped") == 0)
		return;
	if (plugin->exchange != NULL) {
		handover_failed(plugin, process, reason); /* which has a way back */
		return;
	}
	if (strcmp(what, "failed") == 0)
		listeners_close(plugin, false);
	if (for_good && strcmp(node_plugin_on_failure(plugin), "stop") == 0)
		give_up(arg, plugin);
}

/* One of these may be what killed it. */
static void
on_work(void *arg, struct supervisor_plugin *process, char *ret, size_t size)
{
	struct node *node = arg;
	struct node_plugin *plugin = plugin_of(process);
	size_t length;

	router_describe(node->router, plugin, ret, size);
	length = strlen(ret);
	if (plugin->taken_count > 0 && length < size)
		snprintf(ret + length, size - length, "%s%zu %s (first: job %llu)",
		    length > 0 ? " and " : "", plugin->taken_count,
		    plugin->taken_count == 1 ? "job" : "jobs",
		    (unsigned long long)plugin->taken[0].id);
}

static void
on_prepared(void *arg, struct supervisor_plugin *process)
{
	(void)arg;
	handover_prepared(plugin_of(process), process);
}

static void
on_drained(void *arg, struct supervisor_plugin *process)
{
	(void)arg;
	handover_drained(plugin_of(process), process);
}

const struct supervisor_ops node_supervisor_ops = {.ready = on_ready,
    .gone = on_gone,
    .message = on_message,
    .event = on_event,
    .work = on_work,
    .confine = confine_host,
    .prepared = on_prepared,
    .drained = on_drained,
    .listener = listeners_get};
