/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_HANDOVER_H
#define NODE_HANDOVER_H

/*
 * Replaces running plugins without losing a message: by another build, by the same with other
 * settings, one or several at once.  All or none: when one does not take over, each is again what
 * it was, and `done` is told why.
 *
 *   1  Each successor is started beside its predecessor and loads, in its own sandbox and on its
 * own socket; nothing of the old set has stopped yet. 2  One after the other: the predecessor hears
 * of it and finishes what came from outside, while new connections wait in the kernel's copy of its
 * listening sockets; calls and jobs go on. 3  New calls are held and no more jobs handed out; what
 * the predecessor has is finished, and what is not in time goes back to the queue.  It stops: only
 * one process may hold the state. 4  The successor starts and says how it is; then it gets what was
 * held. 5  When none has failed for HANDOVER_SETTLE_MS, the change is final.
 *
 * A plugin in another language, or with a host that does not know how, is stopped and started with
 * its calls held all the same.
 */

#include "node/node.h"

#define HANDOVER_DRAIN_MS 10000u /* for what is under way, in step 2 and again in step 3 */
#define HANDOVER_READY_MS 15000u /* to load, to start, and to say how it is */
#define HANDOVER_SETTLE_MS 500u
#define HANDOVER_HEALTH_ID UINT64_MAX /* of the question in step 4 */

struct handover;
struct exchange;

struct handover_report {
	int code; /* 0, or why the old ones serve on */
	const char *text;
	const char *name; /* of the plugin that failed; "" */
	struct exchange *const *exchanges;
	size_t count;
};

struct handover_options {
	unsigned drain_ms, ready_ms; /* 0: as above */
	/* On the loop, once; the handover is over.  When the node stops before: CAIRN_ECANCELLED.
	 */
	void (*done)(void *arg, const struct handover_report *report);
	void *arg;
};

/* CAIRN_EEXIST while another one is under way. */
int handover_new(struct handover **ret, struct node *node, const struct handover_options *options,
    struct cairn_error *err);
/* `*config` is what the plugin becomes; it is emptied.  A plugin that is `removed` is started. */
int handover_add(struct handover *handover, struct node_plugin *plugin,
    struct plugin_config *config, struct cairn_error *err);
/* Begins; everything else happens on the loop. */
void handover_run(struct handover *handover);
/* One that was not run yet. */
void handover_drop(struct handover *handover);
/* The node closes: after the supervisor, before the router. */
void handover_cancel(struct node *node);

const char *exchange_name(const struct exchange *exchange);
/* For how long calls were held. */
unsigned exchange_pause_ms(const struct exchange *exchange);
/* Versions before and after; the same when only settings changed. */
const char *exchange_before(const struct exchange *exchange);

/* ---- what the node tells ---------------------------------------------------------------- */

/* The manifest of what runs in `process`, which may be a successor. */
const struct manifest *handover_manifest(
    const struct node_plugin *plugin, const struct supervisor_plugin *process);
void handover_prepared(struct node_plugin *plugin, struct supervisor_plugin *process);
void handover_drained(struct node_plugin *plugin, struct supervisor_plugin *process);
void handover_ready(struct node_plugin *plugin, struct supervisor_plugin *process);
/* It crashed or failed to start. */
void handover_failed(
    struct node_plugin *plugin, struct supervisor_plugin *process, const char *reason);
/* A call was answered or a job acknowledged. */
void handover_progress(struct node_plugin *plugin);
/* True when this HEALTH was the handover's question. */
bool handover_health(struct node_plugin *plugin, const Cairn__Envelope *envelope);
/* The successor's process id, for who looks at all of them; 0: none. */
int handover_pid(const struct node_plugin *plugin);

#endif
