/* SPDX-License-Identifier: Apache-2.0 */
/* The two ends of a handover: the change is final, or everything is what it was. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "node/exchange.h"
#include "node/listeners.h"
#include "node/router.h"

/* ---- the end ---------------------------------------------------------------------------- */

static void
finish(struct handover *handover)
{
	struct handover_report report = {.code = handover->code,
	    .text = handover->text,
	    .name = handover->name,
	    .exchanges = handover->exchanges,
	    .count = handover->count};

	handover->options.done(handover->options.arg, &report);
	handover_free(handover);
}

/* Nobody needs the other processes any more. */
static void
clean_up(void *arg)
{
	struct handover *handover = arg;

	if (handover->node->closing)
		return;
	for (size_t i = 0; i < handover->count; i++) {
		struct exchange *exchange = handover->exchanges[i];
		enum supervisor_state state;

		if (exchange->other == NULL)
			continue;
		state = supervisor_state_get(exchange->other);
		if (state != SUPERVISOR_STOPPED && state != SUPERVISOR_FAILED) {
			supervisor_stop(exchange->other, clean_up, handover);
			return;
		}
		supervisor_remove(exchange->other);
		exchange->other = NULL;
	}
	for (size_t i = 0; i < handover->count; i++)
		listeners_close(handover->exchanges[i]->plugin, true);
	finish(handover);
}

void
handover_commit(struct handover *handover)
{
	char text[SUPERVISOR_REASON_MAX];

	handover->settling = false;
	handover->closing = true;
	for (size_t i = 0; i < handover->count; i++) {
		struct exchange *exchange = handover->exchanges[i];

		supervisor_adopt(exchange->plugin->process);
		snprintf(text, sizeof text, "%s is replaced by %s; its calls waited %u ms",
		    exchange->before, exchange->plugin->config.manifest->version,
		    exchange->pause_ms);
		log_info(HANDOVER_TOPIC, "%s %s", exchange->name, text);
		node_record(handover->node, "plugin", exchange->name, "handed over", text);
	}
	clean_up(handover);
}

void
handover_cancel(struct node *node)
{
	struct handover *handover = node->handover;

	if (handover == NULL)
		return;
	handover->code = CAIRN_ECANCELLED;
	snprintf(handover->text, sizeof handover->text, "the node stopped meanwhile");
	finish(handover);
}

/* ---- holding ---------------------------------------------------------------------------- */

void
exchange_hold(struct exchange *exchange)
{
	if (exchange->plugin->holding)
		return;
	exchange->plugin->holding = true;
	exchange->held_since_ms = clock_monotonic_ms();
}

void
exchange_release(struct exchange *exchange)
{
	struct node_plugin *plugin = exchange->plugin;

	plugin->holding = false;
	exchange->pause_ms = (unsigned)(clock_monotonic_ms() - exchange->held_since_ms);
	router_release(plugin->node->router, plugin);
	dispatch_jobs(plugin);
}

/* ---- going back ------------------------------------------------------------------------- */

void
exchange_swap(struct exchange *exchange)
{
	struct node_plugin *plugin = exchange->plugin;
	struct plugin_config config = plugin->config;
	struct supervisor_plugin *process = plugin->process;

	plugin->config = exchange->config;
	exchange->config = config;
	plugin->process = exchange->other;
	exchange->other = process;
	exchange->switched = !exchange->switched;
}

void
exchange_fail(struct handover *handover, const struct exchange *exchange, const char *format, ...)
{
	va_list args;

	if (handover->failing || handover->closing)
		return;
	handover->failing = true;
	handover->settling = false;
	handover->code = CAIRN_EUNAVAILABLE;
	va_start(args, format);
	if (vsnprintf(handover->text, sizeof handover->text, format, args) < 0)
		handover->text[0] = 0;
	va_end(args);
	uv_timer_stop(&handover->timer);
	memcpy(handover->name, exchange->name, sizeof handover->name);
	log_error(HANDOVER_TOPIC, "%s: going back to %s: %s", exchange->name, exchange->before,
	    handover->text);
	node_record(handover->node, "plugin", exchange->name, "went back", handover->text);
	/* One that is stopping goes on to back_stopped() by itself. */
	if (exchange->step != STEP_STOPPING) {
		handover->at = handover->count;
		handover_back(handover);
	}
}

void
exchange_is_back(struct exchange *exchange)
{
	exchange->step = STEP_BACK;
	uv_timer_stop(&exchange->handover->timer);
	exchange_release(exchange);
	handover_back(exchange->handover);
}

/* The old build, as it was. */
static void
back_stopped(void *arg)
{
	struct exchange *exchange = arg;
	struct node_plugin *plugin = exchange->plugin;
	struct cairn_error err = {0};

	if (plugin->node->closing)
		return;
	if (exchange->other == NULL) { /* it did not run before */
		plugin->removed = true;
		exchange_is_back(exchange);
		return;
	}
	if (exchange->switched)
		exchange_swap(exchange);
	exchange->step = STEP_BACK_STARTING;
	if (strcmp(exchange->name, exchange->handover->name) == 0)
		supervisor_blame(plugin->process, exchange->handover->text);
	if (supervisor_restart(plugin->process, &err) != 0) {
		log_error(HANDOVER_TOPIC, "%s does not start again: %s", exchange->name, err.text);
		exchange_is_back(exchange);
		return;
	}
	uv_timer_start(
	    &exchange->handover->timer, handover_deadline, exchange->handover->options.ready_ms, 0);
}

/* From the last to the first: those that have been touched. */
void
handover_back(struct handover *handover)
{
	while (handover->at > 0) {
		struct exchange *exchange = handover->exchanges[--handover->at];

		if (exchange->step <= STEP_PREPARED || exchange->step == STEP_BACK)
			continue;
		exchange_hold(exchange);
		exchange->step = STEP_BACK_STOPPING;
		supervisor_stop(exchange->plugin->process, back_stopped, exchange);
		return;
	}
	handover->closing = true;
	clean_up(handover);
}
