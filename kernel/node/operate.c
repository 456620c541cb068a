/* SPDX-License-Identifier: Apache-2.0 */
#include "node/operate.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "node/words.h"

/* ---- plugins ---------------------------------------------------------------------------- */

static const char *
text_of(const json_t *request, const char *key)
{
	const char *text = json_string_value(json_object_get(request, key));

	return text == NULL ? "" : text;
}

static int
need_plugin(
    struct node *node, const json_t *request, struct node_plugin **ret, struct cairn_error *err)
{
	const char *name = text_of(request, "name");
	struct node_plugin *plugin = node_plugin_find(node, name);

	if (plugin == NULL || plugin->removed || plugin->process == NULL)
		return cairn_error_set(
		    err, CAIRN_ENOTFOUND, "no enabled plugin '%.64s' (cairn plugin list)", name);
	*ret = plugin;
	return 0;
}

static json_t *
clean_text(const char *text)
{
	char clean[SUPERVISOR_REASON_MAX];

	words_clean(clean, sizeof clean, text, false);
	return json_string(clean);
}

static json_t *
failures_json(const struct node_plugin *plugin)
{
	struct supervisor_failure failures[SUPERVISOR_FAILURES_KEPT];
	size_t count = supervisor_failures_get(plugin->process, failures, SUPERVISOR_FAILURES_KEPT);
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(list,
		    json_pack("{s:s, s:I, s:o}", "what", failures[i].what, "at_ms",
			(json_int_t)failures[i].wall_ms, "reason", clean_text(failures[i].reason)));
	return list;
}

int
operate_why(struct node *node, const json_t *request, json_t *reply, struct cairn_error *err)
{
	struct supervisor_info info;
	struct node_plugin *plugin = NULL;
	int code = need_plugin(node, request, &plugin, err);
	json_t *more;

	if (code != 0)
		return code;
	supervisor_info_get(plugin->process, &info);
	more = json_pack("{s:s, s:s, s:s, s:i, s:i, s:i, s:i, s:I, s:I, s:o, s:o, s:o, s:s, s:s, "
			 "s:I, s:s, s:{s:b, s:i, s:i}}",
	    "name", info.name, "version", plugin->config.manifest->version, "state",
	    supervisor_state_text(info.state), "pid", info.pid, "starts", (int)info.starts,
	    "restarts", (int)info.restarts, "failures", (int)info.failures, "ready_for_ms",
	    (json_int_t)info.ready_for_ms, "next_try_ms", (json_int_t)info.next_try_ms,
	    "last_error", clean_text(info.last_error), "earlier_error",
	    clean_text(info.earlier_error), "last_failures", failures_json(plugin), "on_failure",
	    node_plugin_on_failure(plugin), "log_level",
	    log_level_text((enum cairn_log_level)plugin->log_level), "refused",
	    (json_int_t)plugin->refused, "last_refused", plugin->last_refused, "breaker", "open",
	    info.state == SUPERVISOR_FAILED, "limit", (int)node->config->restart_limit, "window_s",
	    (int)node->config->restart_window_s);
	code = more == NULL ? CAIRN_ENOMEM : 0;
	if (code == 0 && json_object_update(reply, more) != 0)
		code = CAIRN_ENOMEM;
	json_decref(more);
	return code == 0 ? 0 : cairn_error_set(err, code, "out of memory");
}

int
operate_log_level(struct node *node, const json_t *request, json_t *reply, struct cairn_error *err)
{
	const char *text = text_of(request, "level");
	enum cairn_log_level level;
	struct node_plugin *plugin = NULL;
	int code = need_plugin(node, request, &plugin, err);

	(void)reply;
	if (code != 0)
		return code;
	if (log_level_parse(text, &level) != 0)
		return cairn_error_set(err, CAIRN_EINVAL,
		    "'%.32s' is no log level; error, warning, info and debug are", text);
	plugin->log_level = (int)level;
	node_plugin_tell_log_level(plugin);
	log_info("node", "%s: plugin '%s' logs at level %s", node->asker,
	    plugin->config.manifest->name, text);
	return 0;
}

int
operate_counts(struct node *node, json_t *reply)
{
	json_t *list = json_array();

	for (size_t i = 0; i < node->plugin_count; i++) {
		struct supervisor_info info;

		if (node->plugins[i]->removed)
			continue;
		supervisor_info_get(node->plugins[i]->process, &info);
		json_array_append_new(list,
		    json_pack("{s:s, s:i, s:i}", "name", info.name, "starts", (int)info.starts,
			"failures", (int)info.failures));
	}
	return json_object_set_new(reply, "plugins", list) == 0 ? 0 : CAIRN_ENOMEM;
}

/* ---- dead letters ----------------------------------------------------------------------- */

static void
record_jobs(struct node *node, const struct jobs_dead *which, const char *verdict, size_t count)
{
	char subject[96], number[24];
	struct ledger_field field = {"count", number};
	struct ledger_entry entry = {.kind = "jobs",
	    .subject = subject,
	    .principal = node->asker,
	    .verdict = verdict,
	    .reason = "asked by the operator",
	    .fields = &field,
	    .field_count = 1};
	struct cairn_error err = {0};

	if (which->queue != NULL)
		snprintf(subject, sizeof subject, "queue:%.63s", which->queue);
	else
		snprintf(subject, sizeof subject, "job:%llu", (unsigned long long)which->id);
	snprintf(number, sizeof number, "%zu", count);
	if (ledger_append(node->ledger, &entry, NULL, NULL, &err) != 0)
		log_error("node", "not recorded (jobs %s %s): %s", subject, verdict, err.text);
}

static int
read_which(const json_t *request, struct jobs_dead *ret, struct cairn_error *err)
{
	const json_t *id = json_object_get(request, "id");
	const char *queue = json_string_value(json_object_get(request, "queue"));

	if ((queue != NULL) == json_is_integer(id))
		return cairn_error_set(err, CAIRN_EINVAL, "name one job's id, or a queue");
	*ret = (struct jobs_dead){.id = (uint64_t)json_integer_value(id), .queue = queue};
	return 0;
}

static int
do_jobs(
    struct node *node, const json_t *request, json_t *reply, bool retry, struct cairn_error *err)
{
	struct jobs_dead which;
	size_t count = 0;
	int code = read_which(request, &which, err);

	if (code == 0)
		code = retry ? jobs_revive(node->jobs, &which, &count, err)
			     : jobs_drop(node->jobs, &which, &count, err);
	if (code != 0)
		return code;
	record_jobs(node, &which, retry ? "revived" : "dropped", count);
	json_object_set_new(reply, "jobs", json_integer((json_int_t)count));
	return 0;
}

int
operate_jobs_retry(struct node *node, const json_t *request, json_t *reply, struct cairn_error *err)
{
	return do_jobs(node, request, reply, true, err);
}

int
operate_jobs_drop(struct node *node, const json_t *request, json_t *reply, struct cairn_error *err)
{
	return do_jobs(node, request, reply, false, err);
}
