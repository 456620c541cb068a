/* SPDX-License-Identifier: Apache-2.0 */
#include "node/services.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/log.h"
#include "node/backup.h"
#include "node/health.h"
#include "node/node.h"
#include "node/operate.h"
#include "node/patients.h"
#include "node/policy.h"
#include "node/pseudonyms.h"
#include "node/replace.h"
#include "node/words.h"

#define JOBS_LISTED_MAX 1000
#define QUEUES_MAX 64

typedef int (*json_service_fn)(
    struct node *node, const json_t *request, json_t *reply, struct cairn_error *err);

/* ---- kernel.status ---------------------------------------------------------------------- */

static json_t *
plugin_json(const struct node_plugin *plugin)
{
	struct supervisor_info info;
	char last_error[sizeof info.last_error], earlier[sizeof info.earlier_error];
	char origin[PUBLISHER_NAME_MAX + 16] = "";

	supervisor_info_get(plugin->process, &info);
	if (plugin->config.object != NULL)
		provenance_verdict_text(plugin->config.object, origin);
	words_clean(last_error, sizeof last_error, info.last_error, false);
	words_clean(earlier, sizeof earlier, info.earlier_error, false);
	return json_pack(
	    "{s:s, s:s, s:s, s:s, s:s, s:i, s:I, s:I, s:I, s:I, s:I, s:s, s:I, s:s, s:s, s:s, s:s}",
	    "name", info.name, "version", plugin->config.manifest->version, "kind",
	    plugin->config.manifest->kind, "path", info.path, "state",
	    supervisor_state_text(info.state), "pid", info.pid, "restarts",
	    (json_int_t)info.restarts, "ready_for_ms", (json_int_t)info.ready_for_ms, "jobs_taken",
	    (json_int_t)plugin->taken_count, "events_dropped", (json_int_t)plugin->events_dropped,
	    "refused", (json_int_t)plugin->refused, "last_refused", plugin->last_refused,
	    "memory_kb", (json_int_t)memory_kb(plugin->node->memory, info.pid), "last_error",
	    last_error, "earlier_error", earlier, "on_failure", node_plugin_on_failure(plugin),
	    "provenance", origin);
}

static json_t *
queues_json(struct node *node)
{
	struct jobs_stats stats[QUEUES_MAX];
	size_t count = jobs_stats_get(node->jobs, stats, QUEUES_MAX);
	json_t *queues = json_array();

	for (size_t i = 0; i < count && i < QUEUES_MAX; i++)
		json_array_append_new(queues,
		    json_pack("{s:s, s:I, s:I, s:I, s:I}", "queue", stats[i].queue, "ready",
			(json_int_t)stats[i].ready, "taken", (json_int_t)stats[i].taken, "dead",
			(json_int_t)stats[i].dead, "done", (json_int_t)stats[i].done));
	return queues;
}

static int
serve_status(struct node *node, const json_t *request, json_t *reply, struct cairn_error *err)
{
	const struct node_config *config = node->config;
	json_t *plugins = json_array();
	struct link_counts links;

	(void)request;
	(void)err;
	link_counts_get(node->link, &links);
	memory_ask(node->memory);
	for (size_t i = 0; i < node->plugin_count; i++) {
		if (!node->plugins[i]->removed)
			json_array_append_new(plugins, plugin_json(node->plugins[i]));
	}
	json_object_set_new(reply, "node",
	    json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:I, s:I, s:I}", "id", config->id, "name",
		config->name, "role", config->role, "project", config->project, "home",
		config->home, "pid", (int)getpid(), "uptime_ms",
		(json_int_t)(clock_monotonic_ms() - node->started_ms), "memory_kb",
		(json_int_t)memory_kb(node->memory, (int)getpid()), "calls",
		(json_int_t)router_calls(node->router)));
	json_object_set_new(reply, "plugins", plugins);
	json_object_set_new(reply, "queues", queues_json(node));
	json_object_set_new(
	    reply, "ledger", json_pack("{s:I}", "records", (json_int_t)ledger_count(node->ledger)));
	json_object_set_new(reply, "links",
	    json_pack("{s:I, s:I, s:I}", "identifiers", (json_int_t)links.identifiers, "patients",
		(json_int_t)links.patients, "conflicts", (json_int_t)links.conflicts));
	json_object_set_new(reply, "policy", node_policy_json(node));
	return 0;
}

/* ---- kernel.jobs ------------------------------------------------------------------------ */

/* Key and reason are a plugin's words. */
static json_t *
job_json(const struct jobs_info *job)
{
	char key[sizeof job->key], reason[sizeof job->reason];

	words_clean(key, sizeof key, job->key, false);
	words_clean(reason, sizeof reason, job->reason, false);
	return json_pack("{s:I, s:s, s:s, s:s, s:i, s:s, s:I}", "id", (json_int_t)job->id, "queue",
	    job->queue, "key", key, "state", job->state, "attempt", (int)job->attempt, "reason",
	    reason, "put_ms", (json_int_t)job->put_ms);
}

static int
serve_jobs(struct node *node, const json_t *request, json_t *reply, struct cairn_error *err)
{
	struct jobs_info *jobs = calloc(JOBS_LISTED_MAX, sizeof *jobs);
	json_t *list;
	size_t count;

	(void)request;
	if (jobs == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	list = json_array();
	count = jobs_list(node->jobs, jobs, JOBS_LISTED_MAX);
	for (size_t i = 0; i < count && i < JOBS_LISTED_MAX; i++)
		json_array_append_new(list, job_json(&jobs[i]));
	free(jobs);
	json_object_set_new(reply, "queues", queues_json(node));
	json_object_set_new(reply, "jobs", list);
	json_object_set_new(reply, "listed_at_most", json_integer(JOBS_LISTED_MAX));
	return 0;
}

/* ---- plugins ---------------------------------------------------------------------------- */

static int
serve_rescan(struct node *node, const json_t *request, json_t *reply, struct cairn_error *err)
{
	int code = node_rescan(node, err);

	(void)request;
	return code != 0 ? code : operate_counts(node, reply);
}

/* ---- the table -------------------------------------------------------------------------- */

static const struct {
	const char *subject;
	json_service_fn serve; /* NULL: protobuf, below */
} services[] = {
    {"kernel.status", serve_status},
    {"kernel.health", health_serve},
    {"kernel.backup", backup_serve},
    {"kernel.jobs", serve_jobs},
    {"kernel.plugin.restart", replace_restart},
    {"kernel.plugin.why", operate_why},
    {"kernel.plugin.log-level", operate_log_level},
    {"kernel.jobs.retry", operate_jobs_retry},
    {"kernel.jobs.drop", operate_jobs_drop},
    {"kernel.rescan", serve_rescan},
    {"kernel.plugin.switch", replace_switch},
    {"kernel.reload", replace_reload},
    {"pseudonym.patient", NULL},
    {"pseudonym.merge", NULL},
};

const char *
services_subject(size_t index)
{
	const size_t count = sizeof services / sizeof services[0];
	const struct manifest_serve *serve;

	if (index < count)
		return services[index].subject;
	serve = patients_serve_at(index - count);
	return serve == NULL ? NULL : serve->subject;
}

static int
serve_json(struct node *node, json_service_fn serve, const ProtobufCBinaryData *body,
    struct buf *reply, struct cairn_error *err)
{
	json_t *request = body->len == 0 ? json_object()
					 : json_loadb((const char *)body->data, body->len, 0, NULL);
	json_t *answer = json_object();
	char *text = NULL;
	int code;

	if (!json_is_object(request))
		code = cairn_error_set(err, CAIRN_EINVAL, "the request's body is no JSON object");
	else
		code = serve(node, request, answer, err);
	if (code == 0) {
		text = json_dumps(answer, JSON_COMPACT);
		code = text == NULL ? CAIRN_ENOMEM : buf_append_text(reply, text);
		if (code != 0)
			cairn_error_set(err, code, "the answer does not fit");
	}
	free(text);
	json_decref(request);
	json_decref(answer);
	return code;
}

/* kernel.* is for the person at the machine, in their own name. */
static bool
is_operator(const struct router_origin *origin, const struct router_principal *principal)
{
	return origin->plugin == NULL && strcmp(principal->role, "operator") == 0 &&
	    principal->asked_by[0] == 0;
}

bool
services_call(struct node *node, const char *subject, const struct router_origin *origin,
    const struct router_principal *principal, const ProtobufCBinaryData *body, int *ret_code,
    struct buf *reply, struct cairn_error *err)
{
	for (size_t i = 0; i < sizeof services / sizeof services[0]; i++) {
		if (strcmp(services[i].subject, subject) != 0)
			continue;
		if (services[i].serve == NULL)
			*ret_code = origin->plugin == NULL
			    ? cairn_error_set(err, CAIRN_EDENIED, "%s is for plugins only", subject)
			    : pseudonyms_serve(node, subject, origin, body, reply, err);
		else if (!is_operator(origin, principal))
			*ret_code = cairn_error_set(err, CAIRN_EDENIED,
			    "%s is for the local operator on the control socket only", subject);
		else {
			node->asker = principal->name;
			node->asking = origin;
			*ret_code = serve_json(node, services[i].serve, body, reply, err);
			node->asker = "";
			node->asking = NULL;
		}
		return true;
	}
	return false;
}
