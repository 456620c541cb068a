/* SPDX-License-Identifier: Apache-2.0 */
#include "node/replace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "config/store.h"
#include "node/accepted.h"
#include "node/handover.h"
#include "node/operate.h"
#include "node/policy.h"
#include "node/router.h"
#include "node/services.h"

#define LATER_MS 600000u /* an answer that comes later than this is for nobody */
#define LIMIT_MS 600000  /* of what may be asked for */

/* One request that ends later. */
struct request {
	struct node *node;
	uint64_t id; /* of router_defer(); 0: nobody waits */
	char asker[64];
	/* of a switch: */
	char name[40];
	char version[STORE_VERSION_MAX + 1], before[STORE_VERSION_MAX + 1];
	bool switches;
};

/* ---- answers ---------------------------------------------------------------------------- */

static int
request_new(struct request **ret, struct node *node, struct cairn_error *err)
{
	struct request *request = calloc(1, sizeof *request);

	if (request == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	request->node = node;
	snprintf(request->asker, sizeof request->asker, "%s", node->asker);
	*ret = request;
	return 0;
}

static int
request_wait(struct request *request, struct cairn_error *err)
{
	struct node *node = request->node;

	request->id = router_defer(node->router, node->asking, LATER_MS);
	return request->id != 0
	    ? SERVICES_LATER
	    : cairn_error_set(err, CAIRN_ELIMIT, "4,096 calls are under way; try again shortly");
}

/* Takes `answer`. */
static void
request_end(struct request *request, int code, const char *text, json_t *answer)
{
	char *json = code == 0 ? json_dumps(answer, JSON_COMPACT) : NULL;

	if (code == 0 && json == NULL) {
		code = CAIRN_ENOMEM;
		text = "done, but out of memory";
	}
	if (request->id != 0)
		router_finish(request->node->router, request->id, code, code == 0 ? json : text);
	free(json);
	json_decref(answer);
	free(request);
}

static const char *
text_of(const json_t *request, const char *key)
{
	const char *text = json_string_value(json_object_get(request, key));

	return text == NULL ? "" : text;
}

static unsigned
limit_of(const json_t *request, const char *key)
{
	json_int_t value = json_integer_value(json_object_get(request, key));

	return value < 0 ? 0 : (unsigned)(value > LIMIT_MS ? LIMIT_MS : value);
}

static json_t *
exchange_json(const struct exchange *exchange, const struct node *node)
{
	const struct node_plugin *plugin = node_plugin_find(node, exchange_name(exchange));

	return json_pack("{s:s, s:s, s:s, s:i}", "plugin", exchange_name(exchange), "before",
	    exchange_before(exchange), "version", plugin->config.manifest->version, "pause_ms",
	    (int)exchange_pause_ms(exchange));
}

/* ---- one plugin ------------------------------------------------------------------------- */

static int
set_links(const struct request *request, struct cairn_error *err)
{
	const char *home = request->node->config->home;
	int code = store_link_set(home, request->name, "previous", request->before, err);

	return code == 0 ? store_link_set(home, request->name, "current", request->version, err)
			 : code;
}

static void
replaced(void *arg, const struct handover_report *report)
{
	struct request *request = arg;
	struct node *node = request->node;
	struct cairn_error err = {0};
	char text[CAIRN_ERROR_TEXT_MAX];
	json_t *answer;

	if (report->code != 0) {
		snprintf(text, sizeof text,
		    "%.300s; %s is what it was, and serves on. Correct the cause and try again "
		    "(more: cairn plugin why %s)",
		    report->text, request->name, request->name);
		request_end(request, report->code, text, NULL);
		return;
	}
	if (request->switches && set_links(request, &err) != 0) {
		log_error("node", "%s runs, but the next start will take the other: %s",
		    request->name, err.text);
		request_end(request, err.code, err.text, NULL);
		return;
	}
	answer = exchange_json(report->exchanges[0], node);
	operate_counts(node, answer);
	request_end(request, 0, NULL, answer);
}

/* What would be wrong with the set if this were in it. */
static int
check_alone(struct node *node, const struct plugin_config *config, struct cairn_error *err)
{
	const struct manifest *manifests[NODE_PLUGINS_MAX];
	const struct manifest *manifest = config->manifest;
	size_t count = 0;

	for (size_t i = 0; i < node->plugin_count; i++) {
		const struct manifest *other = node->plugins[i]->config.manifest;
		bool same = strcmp(other->name, manifest->name) == 0;

		if (node->plugins[i]->removed)
			continue;
		manifests[count++] = same ? manifest : other;
		for (size_t j = 0; !same && j < manifest->serve_count; j++) {
			for (size_t k = 0; k < other->serve_count; k++) {
				if (strcmp(manifest->serves[j].subject, other->serves[k].subject) ==
				    0)
					return cairn_error_set(err, CAIRN_EEXIST,
					    "plugins '%s' and '%s' both serve '%s'", manifest->name,
					    other->name, other->serves[k].subject);
			}
		}
	}
	return node_policy_check_set(node, node->guard, manifests, count, NULL, err);
}

/* Takes `config`, and `request` when it returns 0. */
static int
replace_one(struct request *request, struct node_plugin *plugin, struct plugin_config *config,
    const json_t *limits, struct cairn_error *err)
{
	struct node *node = request->node;
	struct handover_options options = {.drain_ms = limit_of(limits, "drain_ms"),
	    .ready_ms = limit_of(limits, "ready_ms"),
	    .done = replaced,
	    .arg = request};
	struct handover *handover = NULL;
	int code = node_plugin_origin(node, config, err);

	if (code == 0)
		code = check_alone(node, config, err);
	if (code == 0)
		code = handover_new(&handover, node, &options, err);
	if (code == 0)
		code = handover_add(handover, plugin, config, err);
	plugin_config_fini(config);
	if (code == 0)
		code = request_wait(request, err);
	if (code == SERVICES_LATER)
		handover_run(handover);
	else if (handover != NULL)
		handover_drop(handover);
	return code;
}

static int
object_path(const struct node *node, const char *name, const char *version, char ret[PATH_MAX],
    struct cairn_error *err)
{
	if (version[0] != 0)
		return store_path(node->config->home, name, version, ret, err);
	if (plugin_file_find(node->config->plugin_dir, name, ret, PATH_MAX) != 0)
		return cairn_error_set(
		    err, CAIRN_ENOTFOUND, "there is no '%s' in %s", name, node->config->plugin_dir);
	return 0;
}

static int
read_switch(struct request *request, const json_t *json, struct node_plugin **ret_plugin,
    struct plugin_config *ret, struct cairn_error *err)
{
	struct node *node = request->node;
	const char *version = text_of(json, "version");
	struct node_plugin *plugin = node_plugin_find(node, text_of(json, "name"));
	char path[PATH_MAX];
	int code;

	if (plugin == NULL || plugin->removed)
		return cairn_error_set(err, CAIRN_ENOTFOUND,
		    "no enabled plugin '%.64s' (cairn plugin list)", text_of(json, "name"));
	if (strlen(version) > STORE_VERSION_MAX || strchr(version, '/') != NULL)
		return cairn_error_set(err, CAIRN_EINVAL, "that is no version");
	snprintf(request->name, sizeof request->name, "%s", plugin->config.manifest->name);
	snprintf(request->version, sizeof request->version, "%s", version);
	store_link_get(node->config->home, request->name, "current", request->before);
	request->switches = true;
	code = object_path(node, request->name, version, path, err);
	if (code == 0)
		code = plugin_config_load(node->config, request->name, path, ret, err);
	if (code == 0)
		*ret_plugin = plugin;
	return code;
}

int
replace_switch(struct node *node, const json_t *json, json_t *reply, struct cairn_error *err)
{
	struct plugin_config config = {0};
	struct node_plugin *plugin = NULL;
	struct request *request = NULL;
	const char *verb = text_of(json, "verb");
	int code = request_new(&request, node, err);

	(void)reply;
	if (code == 0)
		code = read_switch(request, json, &plugin, &config, err);
	if (code == 0)
		accepted_record(node);
	if (code == 0)
		node_record(node, "plugin", request->name,
		    strcmp(verb, "rollback") == 0 ? "rollback" : "upgrade", node->asker);
	if (code == 0)
		code = replace_one(request, plugin, &config, json, err);
	if (code != SERVICES_LATER)
		free(request);
	return code;
}

/* One that does not serve has nothing to hand over. */
int
replace_restart(struct node *node, const json_t *json, json_t *reply, struct cairn_error *err)
{
	const char *name = text_of(json, "name");
	struct node_plugin *plugin = node_plugin_find(node, name);
	struct plugin_config config = {0};
	struct request *request = NULL;
	int code;

	operate_counts(node, reply);
	if (node->handover != NULL)
		return cairn_error_set(err, CAIRN_EEXIST,
		    "an upgrade, restart or reload is under way; try again when it has ended");
	if (plugin == NULL || plugin->removed || node_plugin_state(plugin) != SUPERVISOR_READY)
		return node_restart(node, name, err);
	code = request_new(&request, node, err);
	if (code == 0)
		code = plugin_config_load(node->config, name, NULL, &config, err);
	if (code == 0) {
		snprintf(request->name, sizeof request->name, "%s", name);
		accepted_record(node);
		node_record(node, "plugin", name, "restart", "asked by the operator");
		code = replace_one(request, plugin, &config, json, err);
	}
	if (code != SERVICES_LATER)
		free(request);
	return code;
}
