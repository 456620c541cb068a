/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_EXCHANGE_H
#define NODE_EXCHANGE_H

/* What handover.c (the way forward) and handover_back.c (the end, and the way back) share. */

#include "node/handover.h"

#define HANDOVER_TOPIC "handover"
#define NAME_SIZE 40
#define VERSION_SIZE 65

enum step {
	STEP_PREPARING,
	STEP_PREPARED, /* or nothing to prepare */
	STEP_DRAINING,
	STEP_FINISHING,
	STEP_STOPPING,
	STEP_STARTING,
	STEP_ASKING,
	STEP_SERVING,
	STEP_BACK_STOPPING,
	STEP_BACK_STARTING,
	STEP_BACK,
};

/* One plugin.  `config` and `other` are the successor's until the switch, and the predecessor's
 * from then on: the plugin itself holds those that serve. */
struct exchange {
	struct handover *handover;
	struct node_plugin *plugin;
	struct plugin_config config;
	struct supervisor_plugin *other; /* NULL: the plugin did not run before */
	enum step step;
	bool switched;
	uint64_t held_since_ms;
	unsigned pause_ms;
	char name[NAME_SIZE], before[VERSION_SIZE];
};

struct handover {
	struct node *node;
	struct handover_options options;
	uv_timer_t timer; /* the deadline of the step under way */
	struct exchange *exchanges[NODE_PLUGINS_MAX];
	size_t count;
	size_t at; /* the one that is being switched, or goes back */
	bool settling, failing, closing;
	int code;
	char name[NAME_SIZE];
	char text[SUPERVISOR_REASON_MAX];
};

/* handover.c */
void handover_free(struct handover *handover);
void handover_deadline(uv_timer_t *timer);

/* handover_back.c: calls and jobs of the plugin wait; or go on. */
void exchange_hold(struct exchange *exchange);
void exchange_release(struct exchange *exchange);
/* The plugin becomes what the exchange holds, and the other way round. */
void exchange_swap(struct exchange *exchange);
/* Everything goes back; the handover may be gone afterwards. */
void exchange_fail(struct handover *handover, const struct exchange *exchange, const char *format,
    ...) __attribute__((format(printf, 3, 4)));
/* The old process serves, or the supervisor goes on trying. */
void exchange_is_back(struct exchange *exchange);
void handover_back(struct handover *handover);
void handover_commit(struct handover *handover);

#endif
