/* SPDX-License-Identifier: Apache-2.0 */
#include "node/exchange.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "depth.h"
#include "node/router.h"
#include "node/words.h"

static void switch_next(struct handover *handover);
static void stop_predecessor(struct exchange *exchange);

/* ---- making ----------------------------------------------------------------------------- */

static void
timer_closed(uv_handle_t *handle)
{
	free(handle->data);
}

/* The plugins are what they are now; what is left of the others goes. */
void
handover_free(struct handover *handover)
{
	for (size_t i = 0; i < handover->count; i++) {
		struct exchange *exchange = handover->exchanges[i];

		exchange->plugin->exchange = NULL;
		exchange->plugin->holding = false;
		plugin_config_fini(&exchange->config);
		free(exchange);
	}
	handover->node->handover = NULL;
	uv_close((uv_handle_t *)&handover->timer, timer_closed);
}

int
handover_new(struct handover **ret, struct node *node, const struct handover_options *options,
    struct cairn_error *err)
{
	struct handover *handover;

	if (node->handover != NULL)
		return cairn_error_set(err, CAIRN_EEXIST,
		    "an upgrade, restart or reload is under way; try again when it has ended");
	handover = calloc(1, sizeof *handover);
	if (handover == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	handover->node = node;
	handover->options = *options;
	if (handover->options.drain_ms == 0)
		handover->options.drain_ms = HANDOVER_DRAIN_MS;
	if (handover->options.ready_ms == 0)
		handover->options.ready_ms = HANDOVER_READY_MS;
	uv_timer_init(node->loop, &handover->timer);
	handover->timer.data = handover;
	node->handover = handover;
	*ret = handover;
	return 0;
}

int
handover_add(struct handover *handover, struct node_plugin *plugin, struct plugin_config *config,
    struct cairn_error *err)
{
	struct exchange *exchange = calloc(1, sizeof *exchange);
	int code = 0;

	if (exchange == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	*exchange =
	    (struct exchange){.handover = handover, .plugin = plugin, .step = STEP_PREPARED};
	snprintf(exchange->name, sizeof exchange->name, "%s", plugin->config.manifest->name);
	snprintf(exchange->before, sizeof exchange->before, "%s", plugin->config.manifest->version);
	if (!plugin->removed)
		code = node_plugin_successor(plugin, config, &exchange->other, err);
	if (code != 0) {
		free(exchange);
		return code;
	}
	exchange->config = *config;
	*config = (struct plugin_config){0};
	plugin->exchange = exchange;
	handover->exchanges[handover->count++] = exchange;
	return 0;
}

void
handover_drop(struct handover *handover)
{
	for (size_t i = 0; i < handover->count; i++) {
		if (handover->exchanges[i]->other != NULL)
			supervisor_remove(handover->exchanges[i]->other);
	}
	handover_free(handover);
}

const char *
exchange_name(const struct exchange *exchange)
{
	return exchange->name;
}

unsigned
exchange_pause_ms(const struct exchange *exchange)
{
	return exchange->pause_ms;
}

const char *
exchange_before(const struct exchange *exchange)
{
	return exchange->before;
}

const struct manifest *
handover_manifest(const struct node_plugin *plugin, const struct supervisor_plugin *process)
{
	const struct exchange *exchange = plugin->exchange;

	return exchange != NULL && process == exchange->other ? exchange->config.manifest
							      : plugin->config.manifest;
}

int
handover_pid(const struct node_plugin *plugin)
{
	struct supervisor_info info = {0};

	if (plugin->exchange != NULL && plugin->exchange->other != NULL && plugin->process != NULL)
		supervisor_info_get(plugin->exchange->other, &info);
	return info.pid;
}

/* ---- forward ---------------------------------------------------------------------------- */

static void
start_successor(struct exchange *exchange)
{
	struct node_plugin *plugin = exchange->plugin;
	struct cairn_error err = {0};
	int code;

	exchange->step = STEP_STARTING;
	uv_timer_start(
	    &exchange->handover->timer, handover_deadline, exchange->handover->options.ready_ms, 0);
	code = supervisor_state_get(plugin->process) == SUPERVISOR_PREPARED
	    ? supervisor_begin(plugin->process, &err)
	    : node_plugin_start(plugin, &err);
	if (code != 0)
		exchange_fail(exchange->handover, exchange, "%s", err.text);
}

static void
predecessor_stopped(void *arg)
{
	struct exchange *exchange = arg;

	if (exchange->plugin->node->closing)
		return;
	if (exchange->handover->failing) {
		/* The successor died meanwhile: the others that were switched go back after it. */
		exchange->handover->at = exchange->handover->count;
		handover_back(exchange->handover);
		return;
	}
	exchange_swap(exchange);
	supervisor_inherit(exchange->plugin->process, exchange->other);
	start_successor(exchange);
}

static void
stop_predecessor(struct exchange *exchange)
{
	exchange_hold(exchange);
	uv_timer_stop(&exchange->handover->timer);
	exchange->step = STEP_STOPPING;
	supervisor_stop(exchange->plugin->process, predecessor_stopped, exchange);
}

static void
finish_work(struct exchange *exchange)
{
	exchange_hold(exchange);
	exchange->step = STEP_FINISHING;
	uv_timer_start(
	    &exchange->handover->timer, handover_deadline, exchange->handover->options.drain_ms, 0);
	handover_progress(exchange->plugin);
}

static void
switch_one(struct exchange *exchange)
{
	struct node_plugin *plugin = exchange->plugin;

	if (exchange->other == NULL) {
		exchange_hold(exchange);
		plugin->removed = false;
		start_successor(exchange);
		return;
	}
	if (node_plugin_state(plugin) != SUPERVISOR_READY) {
		stop_predecessor(exchange);
		return;
	}
	exchange->step = STEP_DRAINING;
	uv_timer_start(
	    &exchange->handover->timer, handover_deadline, exchange->handover->options.drain_ms, 0);
	if (!supervisor_handover(plugin->process))
		finish_work(exchange);
}

static void
switch_next(struct handover *handover)
{
	if (handover->at < handover->count) {
		switch_one(handover->exchanges[handover->at]);
		return;
	}
	handover->settling = true;
	uv_timer_start(&handover->timer, handover_deadline, HANDOVER_SETTLE_MS, 0);
}

static void
serves(struct exchange *exchange)
{
	struct handover *handover = exchange->handover;

	exchange->step = STEP_SERVING;
	uv_timer_stop(&handover->timer);
	exchange_release(exchange);
	handover->at++;
	switch_next(handover);
}

static void
begin_switching(struct handover *handover)
{
	for (size_t i = 0; i < handover->count; i++) {
		if (handover->exchanges[i]->step == STEP_PREPARING)
			return;
	}
	uv_timer_stop(&handover->timer);
	switch_next(handover);
}

/* From the loop, so that whoever asked is ready for an end at once. */
static void
begin(uv_timer_t *timer)
{
	struct handover *handover = timer->data;
	struct cairn_error err = {0};

	if (handover->node->closing)
		return;

	uv_timer_start(&handover->timer, handover_deadline, handover->options.ready_ms, 0);
	for (size_t i = 0; i < handover->count; i++) {
		struct exchange *exchange = handover->exchanges[i];

		if (exchange->other == NULL || exchange->config.manifest->script != NULL)
			continue;
		exchange->step = STEP_PREPARING;
		if (supervisor_start(exchange->other, &err) != 0) {
			exchange->step = STEP_PREPARED;
			exchange_fail(handover, exchange, "%s", err.text);
			return;
		}
	}
	begin_switching(handover);
}

void
handover_run(struct handover *handover)
{
	uv_timer_start(&handover->timer, begin, 0, 0);
}

/* ---- what the node tells ---------------------------------------------------------------- */

void
handover_deadline(uv_timer_t *timer)
{
	struct handover *handover = timer->data;
	struct exchange *exchange;

	if (handover->node->closing)
		return;
	if (handover->settling) {
		handover_commit(handover);
		return;
	}
	exchange = handover->exchanges[handover->at < handover->count ? handover->at : 0];
	for (size_t i = 0; i < handover->count; i++) {
		if (handover->exchanges[i]->step == STEP_PREPARING)
			exchange = handover->exchanges[i];
	}
	switch (exchange->step) {
	case STEP_DRAINING:
		log_warning(HANDOVER_TOPIC,
		    "%s: what is under way is not finished after %u ms; stopping it",
		    exchange->name, handover->options.drain_ms);
		finish_work(exchange);
		break;
	case STEP_FINISHING:
		stop_predecessor(exchange);
		break;
	case STEP_BACK_STARTING:
		exchange_is_back(exchange); /* the supervisor goes on trying */
		break;
	default:
		exchange_fail(handover, exchange, "it was not ready within %u ms",
		    handover->options.ready_ms);
	}
}

void
handover_prepared(struct node_plugin *plugin, struct supervisor_plugin *process)
{
	struct exchange *exchange = plugin->exchange;
	struct cairn_error err = {0};

	/* A host of scripts, which begins once its predecessor is gone. */
	if (exchange != NULL && process == plugin->process && exchange->step == STEP_STARTING) {
		if (supervisor_begin(process, &err) != 0)
			exchange_fail(exchange->handover, exchange, "%s", err.text);
		return;
	}
	if (exchange == NULL || process != exchange->other || exchange->step != STEP_PREPARING)
		return;
	exchange->step = STEP_PREPARED;
	begin_switching(exchange->handover);
}

void
handover_drained(struct node_plugin *plugin, struct supervisor_plugin *process)
{
	struct exchange *exchange = plugin->exchange;

	if (exchange != NULL && process == plugin->process && exchange->step == STEP_DRAINING)
		finish_work(exchange);
}

void
handover_progress(struct node_plugin *plugin)
{
	struct exchange *exchange = plugin->exchange;

	if (exchange != NULL && exchange->step == STEP_FINISHING && plugin->taken_count == 0 &&
	    router_delivered(plugin->node->router, plugin) == 0)
		stop_predecessor(exchange);
}

/* An answer may be late, but must come. */
void
handover_ready(struct node_plugin *plugin, struct supervisor_plugin *process)
{
	struct exchange *exchange = plugin->exchange;
	Cairn__Envelope envelope = CAIRN__ENVELOPE__INIT;

	if (exchange == NULL || process != plugin->process)
		return;
	if (exchange->step == STEP_BACK_STARTING) {
		exchange_is_back(exchange);
		return;
	}
	if (exchange->step != STEP_STARTING)
		return;
	if (plugin->config.manifest->script != NULL) {
		serves(exchange);
		return;
	}
	exchange->step = STEP_ASKING;
	envelope.kind = CAIRN__ENVELOPE__KIND__HEALTH;
	envelope.id = HANDOVER_HEALTH_ID;
	if (supervisor_send(process, &envelope) != 0)
		exchange_fail(exchange->handover, exchange, "it does not read");
}

bool
handover_health(struct node_plugin *plugin, const Cairn__Envelope *envelope)
{
	struct exchange *exchange = plugin->exchange;
	const Cairn__Finding *fault = NULL;
	Cairn__Findings *findings;
	char what[256];

	if (envelope->id != HANDOVER_HEALTH_ID)
		return false;
	if (exchange == NULL || exchange->step != STEP_ASKING)
		return true;
	findings = (Cairn__Findings *)proto_unpack(
	    &cairn__findings__descriptor, NULL, envelope->body.data, envelope->body.len);
	for (size_t i = 0; findings != NULL && i < findings->n_findings; i++) {
		if (findings->findings[i]->severity == CAIRN__FINDING__SEVERITY__FAULT)
			fault = findings->findings[i];
	}
	words_clean(what, sizeof what, fault == NULL ? "" : fault->what, false);
	if (findings != NULL)
		cairn__findings__free_unpacked(findings, NULL);
	if (what[0] != 0)
		exchange_fail(exchange->handover, exchange, "it says of itself: %s", what);
	else
		serves(exchange);
	return true;
}

void
handover_failed(struct node_plugin *plugin, struct supervisor_plugin *process, const char *reason)
{
	struct exchange *exchange = plugin->exchange;
	char clean[SUPERVISOR_REASON_MAX];

	if (exchange == NULL)
		return;
	words_clean(clean, sizeof clean, reason, false);
	if (process == exchange->other) {
		if (!exchange->switched)
			exchange_fail(exchange->handover, exchange, "%s", clean);
		return;
	}
	if (exchange->step == STEP_DRAINING || exchange->step == STEP_FINISHING)
		stop_predecessor(exchange); /* it crashed: the successor's time has come */
	else if (exchange->step >= STEP_STARTING && exchange->step <= STEP_SERVING)
		exchange_fail(exchange->handover, exchange, "%s", clean);
	else if (exchange->step == STEP_BACK_STARTING)
		exchange_is_back(exchange); /* the supervisor goes on trying */
}
