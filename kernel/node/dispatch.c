/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "node/node.h"

#define PUT_JOBS_MAX 4096         /* in one JOB_PUT */
#define SEND_BYTES_MAX (4u << 20) /* of job bodies in one JOB message */
#define TAKE_JOBS_MAX 8           /* at once, so that their bodies take at most 32 MiB */

static const char *
name_of(const struct node_plugin *plugin)
{
	return plugin->config.manifest->name;
}

/* ---- events ----------------------------------------------------------------------------- */

void
dispatch_event(struct node_plugin *from, const Cairn__Envelope *envelope)
{
	struct node *node = from->node;
	Cairn__Envelope event = CAIRN__ENVELOPE__INIT;
	char text[CAIRN_ERROR_TEXT_MAX];

	if (!node_plugin_may(from, "publish", envelope->subject)) {
		snprintf(text, sizeof text, "plugin '%s' has no capability publish:%.120s",
		    name_of(from), envelope->subject);
		node_plugin_refuse(from, text);
		return;
	}
	event.kind = CAIRN__ENVELOPE__KIND__EVENT;
	event.subject = envelope->subject;
	event.body = envelope->body;
	for (size_t i = 0; i < node->plugin_count; i++) {
		struct node_plugin *to = node->plugins[i];

		if (to == from || to->removed ||
		    !node_plugin_may(to, "subscribe", envelope->subject))
			continue;
		if (node_plugin_send(to, &event) != 0)
			to->events_dropped++;
	}
}

/* ---- putting jobs ----------------------------------------------------------------------- */

struct put {
	struct node_plugin *from;
	unsigned incarnation; /* of `from`: a later one may use the same id */
	uint64_t id;          /* of the JOB_PUT */
};

static void
answer_put(struct node_plugin *to, uint64_t id, int code, const char *text)
{
	Cairn__Envelope reply = CAIRN__ENVELOPE__INIT;

	reply.kind = CAIRN__ENVELOPE__KIND__REPLY;
	reply.id = id;
	reply.code = code;
	reply.text = (char *)(uintptr_t)(text == NULL ? "" : text);
	node_plugin_send(to, &reply);
}

static void
put_durable(void *arg, int code, const char *text)
{
	struct put *put = arg;

	if (put->incarnation == put->from->incarnation)
		answer_put(put->from, put->id, code, text);
	free(put);
}

static int
check_put(struct node_plugin *from, const Cairn__Envelope *envelope, struct cairn_error *err)
{
	if (envelope->n_jobs == 0 || envelope->n_jobs > PUT_JOBS_MAX)
		return cairn_error_set(err, CAIRN_EINVAL, "%zu jobs in one put; 1 to %d are taken",
		    envelope->n_jobs, PUT_JOBS_MAX);
	for (size_t i = 0; i < envelope->n_jobs; i++) {
		const Cairn__Job *job = envelope->jobs[i];

		if (!node_plugin_may(from, "put", job->queue))
			return cairn_error_set(err, CAIRN_EFORBIDDEN,
			    "plugin '%s' has no capability put:%.120s", name_of(from), job->queue);
	}
	return 0;
}

static int
put_jobs(struct node_plugin *from, const Cairn__Envelope *envelope, struct cairn_error *err)
{
	struct jobs_put_entry *entries;
	struct put *put;
	int code = check_put(from, envelope, err);

	if (code != 0)
		return code;
	entries = calloc(envelope->n_jobs, sizeof *entries);
	put = malloc(sizeof *put);
	if (entries == NULL || put == NULL) {
		free(entries);
		free(put);
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	}
	for (size_t i = 0; i < envelope->n_jobs; i++) {
		const Cairn__Job *job = envelope->jobs[i];

		entries[i] =
		    (struct jobs_put_entry){job->queue, job->key, job->body.data, job->body.len};
	}
	*put = (struct put){from, from->incarnation, envelope->id};
	code = jobs_put(from->node->jobs, entries, envelope->n_jobs, put_durable, put, err);
	free(entries);
	if (code != 0)
		free(put);
	return code;
}

void
dispatch_job_put(struct node_plugin *from, const Cairn__Envelope *envelope)
{
	struct cairn_error err = {0};
	int code = put_jobs(from, envelope, &err);

	if (code == 0)
		return;
	if (code == CAIRN_EFORBIDDEN)
		node_plugin_refuse(from, err.text);
	answer_put(from, envelope->id, code, err.text);
}

/* ---- handing jobs out ------------------------------------------------------------------- */

static bool
forget_taken(struct node_plugin *plugin, uint64_t id)
{
	for (size_t i = 0; i < plugin->taken_count; i++) {
		if (plugin->taken[i].id != id)
			continue;
		plugin->taken_bytes -= plugin->taken[i].bytes;
		plugin->taken[i] = plugin->taken[--plugin->taken_count];
		return true;
	}
	return false;
}

/* Only jobs that the plugin really holds can be acknowledged, and it holds no more than the window.
 */
void
dispatch_job_ack(struct node_plugin *from, const Cairn__Envelope *envelope)
{
	uint64_t ids[NODE_JOB_WINDOW];
	size_t count = 0;

	for (size_t i = 0; i < envelope->n_job_ids && i < NODE_JOB_WINDOW; i++) {
		if (forget_taken(from, envelope->job_ids[i]))
			ids[count++] = envelope->job_ids[i];
	}
	if (count == 0)
		return;
	if (envelope->kind == CAIRN__ENVELOPE__KIND__JOB_DONE)
		jobs_done(from->node->jobs, ids, count);
	else
		jobs_retry(from->node->jobs, ids, count, envelope->text);
	dispatch_jobs(from);
}

void
dispatch_release(struct node_plugin *plugin)
{
	uint64_t ids[NODE_JOB_WINDOW];

	for (size_t i = 0; i < plugin->taken_count; i++)
		ids[i] = plugin->taken[i].id;
	if (plugin->taken_count > 0)
		jobs_release(plugin->node->jobs, ids, plugin->taken_count);
	plugin->taken_count = 0;
	plugin->taken_bytes = 0;
}

/* It never got them.  With a full queue (events that it does not read) they come again after a
 * pause, for at once would be too soon. */
static void
give_back(struct node_plugin *plugin, const struct jobs_taken *taken, size_t count, int code)
{
	uint64_t ids[TAKE_JOBS_MAX];

	for (size_t i = 0; i < count; i++) {
		ids[i] = taken[i].id;
		forget_taken(plugin, ids[i]);
	}
	if (code == CAIRN_ELIMIT)
		jobs_retry(plugin->node->jobs, ids, count, "the plugin does not take its messages");
	else
		jobs_release(plugin->node->jobs, ids, count);
}

static int
send_jobs(struct node_plugin *plugin, const char *queue, struct jobs_taken *taken, size_t count)
{
	Cairn__Job jobs[TAKE_JOBS_MAX];
	Cairn__Job *list[TAKE_JOBS_MAX];
	Cairn__Envelope envelope = CAIRN__ENVELOPE__INIT;

	for (size_t i = 0; i < count; i++) {
		cairn__job__init(&jobs[i]);
		jobs[i].id = taken[i].id;
		jobs[i].queue = (char *)(uintptr_t)queue;
		jobs[i].key = taken[i].key;
		jobs[i].body.data = taken[i].body;
		jobs[i].body.len = taken[i].length;
		jobs[i].attempt = taken[i].attempt;
		list[i] = &jobs[i];
	}
	envelope.kind = CAIRN__ENVELOPE__KIND__JOB;
	envelope.jobs = list;
	envelope.n_jobs = count;
	return node_plugin_send(plugin, &envelope);
}

/* How many of the taken jobs fit one message; at least one. */
static size_t
fitting(const struct jobs_taken *taken, size_t count)
{
	size_t bytes = 0;

	for (size_t i = 0; i < count; i++) {
		bytes += taken[i].length;
		if (i > 0 && bytes > SEND_BYTES_MAX)
			return i;
	}
	return count;
}

/* Sends what was taken; false when the plugin does not take it. */
static bool
send_taken(struct node_plugin *plugin, const char *queue, struct jobs_taken *taken, size_t count)
{
	for (size_t from = 0; from < count;) {
		size_t n = fitting(taken + from, count - from);
		int code;

		for (size_t i = from; i < from + n; i++) {
			plugin->taken[plugin->taken_count++] =
			    (struct node_job){taken[i].id, taken[i].length};
			plugin->taken_bytes += taken[i].length;
		}
		code = send_jobs(plugin, queue, taken + from, n);
		if (code != 0) {
			give_back(plugin, taken + from, count - from, code);
			return false;
		}
		from += n;
	}
	return true;
}

/* Takes and sends one batch; false when there was nothing more, or the plugin cannot take it. */
static bool
hand_out(struct node_plugin *plugin, const char *queue)
{
	struct jobs_taken taken[TAKE_JOBS_MAX];
	size_t room = NODE_JOB_WINDOW - plugin->taken_count;
	size_t count = 0;
	bool sent;
	struct cairn_error err = {0};

	if (room > TAKE_JOBS_MAX)
		room = TAKE_JOBS_MAX;
	if (room == 0 || plugin->taken_bytes >= NODE_JOB_WINDOW_BYTES)
		return false;
	if (jobs_take(plugin->node->jobs, queue, taken, room, &count, &err) != 0) {
		log_error("dispatch", "cannot take jobs of queue '%s': %s", queue, err.text);
		return false;
	}
	sent = send_taken(plugin, queue, taken, count);
	for (size_t i = 0; i < count; i++)
		free(taken[i].body);
	return sent && count == room;
}

void
dispatch_jobs(struct node_plugin *plugin)
{
	const struct manifest *manifest = plugin->config.manifest;

	if (plugin->removed || plugin->holding || plugin->node->closing ||
	    node_plugin_state(plugin) != SUPERVISOR_READY)
		return;
	for (size_t i = 0; i < manifest->capability_count; i++) {
		const char *capability = manifest->capabilities[i];

		if (strncmp(capability, "job:", 4) != 0)
			continue;
		while (hand_out(plugin, capability + 4))
			;
	}
}

void
dispatch_wake(void *arg, const char *queue)
{
	struct node *node = arg;

	for (size_t i = 0; i < node->plugin_count; i++) {
		if (node_plugin_may(node->plugins[i], "job", queue))
			dispatch_jobs(node->plugins[i]);
	}
}
