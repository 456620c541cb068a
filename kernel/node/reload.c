/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reload: the whole set is read and proven, then what changed is replaced, and only then the rest
 * follows: what was disabled stops, the policy is exchanged.  On any fault before that everything
 * is as it was.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "link/link.h"
#include "node/accepted.h"
#include "node/figures.h"
#include "node/handover.h"
#include "node/policy.h"
#include "node/replace.h"
#include "node/router.h"
#include "node/services.h"

#define RELOAD_MS 600000u
#define SUPERVISOR_NAME_BYTES 33

struct reload {
	struct node *node;
	uint64_t id; /* of router_defer(); 0: nobody waits */
	char asker[64];
	struct node_config *config; /* the new one before the switch, the old one after it */
	struct plugin_config *plugins;
	size_t count;
	struct guard *guard;
	json_t *warnings;
	bool installed;                                      /* `config` */
	bool bad_policy;                                     /* nor could the node start with it */
	char names[NODE_PLUGINS_MAX][SUPERVISOR_NAME_BYTES]; /* of the set */
};

static void
reload_free(struct reload *reload)
{
	node_config_free(reload->config);
	plugin_configs_free(reload->plugins, reload->count);
	guard_free(reload->guard);
	json_decref(reload->warnings);
	observe_reload(reload->node, false);
	free(reload);
}

/* ---- proving ---------------------------------------------------------------------------- */

static int
check_fixed(const struct node *node, const struct node_config *config, struct cairn_error *err)
{
	const struct {
		const char *key, *now, *then;
	} fixed[] = {{"id", node->config->id, config->id},
	    {"role", node->config->role, config->role},
	    {"project", node->config->project, config->project}};

	for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++) {
		if (strcmp(fixed[i].now, fixed[i].then) != 0)
			return cairn_error_set(err, CAIRN_EINVAL,
			    "node.yaml: `%s` is '%s' in the running node and '%s' in the file; it "
			    "changes only when the node is stopped and started",
			    fixed[i].key, fixed[i].now, fixed[i].then);
	}
	return 0;
}

/* One that was refused before holds nobody up; one that becomes so does. */
static int
check_origins(struct node *node, const struct reload *reload, struct cairn_error *err)
{
	for (size_t i = 0; i < reload->count; i++) {
		const struct plugin_config *config = &reload->plugins[i];
		const struct node_plugin *plugin = node_plugin_find(node, config->manifest->name);
		bool before = plugin != NULL && !plugin->removed && plugin->config.object != NULL &&
		    plugin->config.object->verdict == PROVENANCE_REFUSED;
		int code = before && config->object->verdict == PROVENANCE_REFUSED
		    ? 0
		    : node_plugin_origin(node, config, err);

		if (code != 0)
			return code;
	}
	return 0;
}

static int
check_policy(struct node *node, struct reload *reload, struct cairn_error *err)
{
	const struct manifest *manifests[NODE_PLUGINS_MAX];
	int code = node_policy_open(node, &reload->guard, err);

	for (size_t i = 0; i < reload->count; i++)
		manifests[i] = reload->plugins[i].manifest;
	if (code == 0)
		code = node_policy_check_set(
		    node, reload->guard, manifests, reload->count, reload->warnings, err);
	reload->bad_policy = code != 0;
	return code;
}

static int
prove(struct node *node, struct reload *reload, struct cairn_error *err)
{
	int code = node_config_load(node->config->home, &reload->config, err);

	if (code == 0) {
		reload->config->development = node->config->development;
		code = check_fixed(node, reload->config, err);
	}
	if (code == 0)
		code = plugin_configs_load(reload->config, &reload->plugins, &reload->count, err);
	if (code == 0 && reload->count > NODE_PLUGINS_MAX)
		code = cairn_error_set(err, CAIRN_ELIMIT, "more than %d plugins", NODE_PLUGINS_MAX);
	for (size_t i = 0; code == 0 && i < reload->count; i++)
		snprintf(reload->names[i], sizeof reload->names[i], "%s",
		    reload->plugins[i].manifest->name);
	if (code == 0)
		code = check_policy(node, reload, err);
	return code != 0 ? code : check_origins(node, reload, err);
}

/* ---- node.yaml -------------------------------------------------------------------------- */

static void
swap(char **a, char **b)
{
	char *c = *a;

	*a = *b;
	*b = c;
}

/* Parts of the node keep pointers to what does not change: those stay where they are. */
static void
exchange_config(struct reload *reload)
{
	struct node *node = reload->node;
	struct node_config *config = reload->config;

	swap(&node->config->home, &config->home);
	swap(&node->config->id, &config->id);
	swap(&node->config->role, &config->role);
	swap(&node->config->project, &config->project);
	reload->config = node->config;
	node->config = config;
	link_set_issuers(node->link, config->issuers);
	reload->installed = !reload->installed;
}

static bool
same_list(char *const *a, char *const *b)
{
	for (; a != NULL && b != NULL && *a != NULL && *b != NULL; a++, b++) {
		if (strcmp(*a, *b) != 0)
			return false;
	}
	return (a == NULL || *a == NULL) && (b == NULL || *b == NULL);
}

/* Whether what node.yaml says of every plugin's sandbox is another. */
static bool
is_confined_otherwise(const struct node_config *a, const struct node_config *b)
{
	return a->sandbox_require != b->sandbox_require ||
	    a->plugin_memory_mb != b->plugin_memory_mb || a->plugin_disk_mb != b->plugin_disk_mb ||
	    a->plugin_user != b->plugin_user || !same_list(a->import_dirs, b->import_dirs);
}

/* ---- the plugins ------------------------------------------------------------------------ */

/* One that is new, or was disabled. */
static int
add_new(struct node *node, struct handover *handover, struct node_plugin *plugin,
    struct plugin_config *config, struct cairn_error *err)
{
	struct plugin_config none = {0};
	int code = plugin == NULL ? node_plugins_add(node, config, err)
				  : node_plugin_configure(plugin, config, err);

	if (code != 0)
		return code;
	if (plugin == NULL)
		plugin = node->plugins[node->plugin_count - 1];
	plugin->removed = true; /* until its turn comes */
	return handover_add(handover, plugin, &none, err);
}

static int
add_changed(struct reload *reload, struct handover *handover, bool all, size_t *ret_count,
    struct cairn_error *err)
{
	struct node *node = reload->node;
	int code = 0;

	for (size_t i = 0; code == 0 && i < reload->count; i++) {
		struct plugin_config *config = &reload->plugins[i];
		struct node_plugin *plugin = node_plugin_find(node, config->manifest->name);

		if (config->object->verdict == PROVENANCE_REFUSED)
			continue;
		if (plugin == NULL || plugin->removed)
			code = add_new(node, handover, plugin, config, err);
		else if (all || !node_plugin_same(plugin, config) ||
		    plugin->config.object->verdict == PROVENANCE_REFUSED)
			code = handover_add(handover, plugin, config, err);
		else
			continue;
		++*ret_count;
	}
	return code;
}

/* ---- the end ---------------------------------------------------------------------------- */

static bool
is_listed(const struct reload *reload, const char *name)
{
	for (size_t i = 0; i < reload->count; i++) {
		if (strcmp(reload->names[i], name) == 0)
			return true;
	}
	return false;
}

static json_t *
stop_missing(struct reload *reload)
{
	struct node *node = reload->node;
	json_t *stopped = json_array();

	for (size_t i = 0; i < node->plugin_count; i++) {
		const char *name = node->plugins[i]->config.manifest->name;

		if (node->plugins[i]->removed || is_listed(reload, name))
			continue;
		json_array_append_new(stopped, json_string(name));
		node_plugin_take_out(node->plugins[i], "no longer enabled, at a reload");
	}
	return stopped;
}

static json_t *
exchanged_json(const struct node *node, const struct handover_report *report)
{
	json_t *list = json_array();

	for (size_t i = 0; i < report->count; i++) {
		const char *name = exchange_name(report->exchanges[i]);

		json_array_append_new(list,
		    json_pack("{s:s, s:s, s:s, s:i}", "plugin", name, "before",
			exchange_before(report->exchanges[i]), "version",
			node_plugin_find(node, name)->config.manifest->version, "pause_ms",
			(int)exchange_pause_ms(report->exchanges[i])));
	}
	return list;
}

static void
answer(struct reload *reload, int code, const char *text)
{
	if (reload->id != 0)
		router_finish(reload->node->router, reload->id, code, text);
	reload_free(reload);
}

static void
keep_old(struct reload *reload, int code, const char *name, const char *text)
{
	struct cairn_error err = {0};

	if (reload->installed)
		exchange_config(reload);
	cairn_error_set(&err, code, "nothing was changed, the old set serves on%s: %s%s%.360s",
	    reload->bad_policy ? " and the old policy goes on deciding; the next start will fail "
				 "until this is repaired"
			       : "",
	    name, name[0] == 0 ? "" : " did not take over: ", text);
	node_policy_keep(reload->node, reload->asker, &err);
	answer(reload, code, err.text);
}

/* Everything that could fail has been done. */
static void
take_new(struct reload *reload, const struct handover_report *report)
{
	struct node *node = reload->node;
	struct supervisor_options options = node_supervisor_options(node->config);
	json_t *reply = json_object();
	json_t *replaced = exchanged_json(node, report), *stopped = stop_missing(reload);
	char what[160], *text;

	supervisor_set_options(node->supervisor, &options);
	node_policy_take(node, reload->guard, reload->asker, reply, reload->warnings);
	reload->guard = NULL;
	snprintf(what, sizeof what, "asked by %s: %zu replaced or started, %zu stopped",
	    reload->asker, json_array_size(replaced), json_array_size(stopped));
	log_info("node", "reloaded: %s", what);
	node_record(node, "node", node->config->id, "reloaded", what);
	accepted_record(node);
	json_object_set_new(reply, "replaced", replaced);
	json_object_set_new(reply, "stopped", stopped);
	text = json_dumps(reply, JSON_COMPACT);
	answer(reload, text == NULL ? CAIRN_ENOMEM : 0,
	    text == NULL ? "reloaded, but out of memory" : text);
	free(text);
	json_decref(reply);
}

static void
on_done(void *arg, const struct handover_report *report)
{
	struct reload *reload = arg;

	if (report->code != 0)
		keep_old(reload, report->code, report->name, report->text);
	else
		take_new(reload, report);
}

/* ---- the request ------------------------------------------------------------------------ */

/* 0: on_done() was or will be called. */
static int
begin(struct reload *reload, struct cairn_error *err)
{
	struct handover_options options = {.done = on_done, .arg = reload};
	struct node *node = reload->node;
	struct handover *handover = NULL;
	size_t count = 0;
	bool all;
	int code = handover_new(&handover, node, &options, err);

	if (code == 0)
		code = prove(node, reload, err);
	if (code == 0) {
		all = is_confined_otherwise(node->config, reload->config);
		exchange_config(reload);
		code = add_changed(reload, handover, all, &count, err);
	}
	if (code == 0 && count > 0) {
		handover_run(handover);
		return 0;
	}
	if (handover != NULL)
		handover_drop(handover);
	if (code == 0)
		take_new(reload, &(struct handover_report){.count = 0});
	return code;
}

static int
reload_start(struct node *node, const char *asker, uint64_t id, struct cairn_error *err)
{
	struct reload *reload = calloc(1, sizeof *reload);
	int code;

	if (reload == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	reload->node = node;
	reload->id = id;
	reload->warnings = json_array();
	snprintf(reload->asker, sizeof reload->asker, "%s", asker);
	observe_reload(node, true);
	code = begin(reload, err);
	if (code != 0)
		keep_old(reload, code, "", err->text);
	return code;
}

int
replace_reload(struct node *node, const json_t *request, json_t *reply, struct cairn_error *err)
{
	uint64_t id = router_defer(node->router, node->asking, RELOAD_MS);

	(void)request;
	(void)reply;
	if (id == 0)
		return cairn_error_set(
		    err, CAIRN_ELIMIT, "4,096 calls are under way; try again shortly");
	reload_start(node, node->asker, id, err);
	return SERVICES_LATER;
}

void
replace_reload_quietly(struct node *node, const char *asker)
{
	struct cairn_error err = {0};

	reload_start(node, asker, 0, &err);
}
