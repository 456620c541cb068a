/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_ROUTER_H
#define NODE_ROUTER_H

/*
 * Calls.  A call goes: find who serves the subject, check the caller's capability, ask the guard
 * and put its decision on disk (guarded subjects), deliver, hand progress and the reply back.  Then
 * an outcome record follows.  A handler's answer to a guarded call is withheld unless it reports
 * every obligation as fulfilled, with a value at least as strict; what it sends before (PROGRESS)
 * is withheld from every call that carries obligations.
 */

#include "cairn/bus.pb-c.h"
#include "node/node.h"

#define ROUTER_CALLS_MAX 4096
#define ROUTER_CALLS_OF_PLUGIN_MAX 1024
#define ROUTER_SUBJECT_MAX 120   /* bytes */
#define ROUTER_WORD_MAX 256      /* of principal, purpose and permit */
#define ROUTER_TIMEOUT_MS 30000u /* when the caller names none */
#define ROUTER_TIMEOUT_MAX_MS 86400000u

/* Where a call came from.  `envelope` is a REPLY or PROGRESS whose id is the caller's own;
 * borrowed. */
struct router_origin {
	void (*send)(void *arg, const Cairn__Envelope *envelope);
	void *arg;
	uint64_t id;                /* the caller's */
	struct node_plugin *plugin; /* NULL: the control socket */
};

/* Who asks, as verified by whoever took the call in.  Strings are copied. */
struct router_principal {
	const char *name, *role, *via, *asked_by;
};

int router_new(struct router **ret, struct node *node, struct cairn_error *err);
void router_free(struct router *router); /* after the supervisor is closed */

/* Always ends in one REPLY to the origin, unless the origin is forgotten first. */
void router_call(struct router *router, const struct router_origin *origin,
    const struct router_principal *principal, const Cairn__Envelope *call);

/* The caller no longer waits for its call `id` (or for any, when `all`). */
void router_cancel(struct router *router, const void *origin_arg, uint64_t id, bool all);

/* REPLY or PROGRESS from the plugin that serves a call. */
void router_answer(
    struct router *router, struct node_plugin *from, const Cairn__Envelope *envelope);

/* The plugin's process is gone: fail what it was working on, forget what it waited for. */
/* The requests that are with the plugin, for the record of its crash: "" when there is none. */
void router_describe(
    const struct router *router, const struct node_plugin *plugin, char *ret, size_t size);
void router_gone(struct router *router, struct node_plugin *plugin);

/* Delivers what was held for the plugin (node_plugin.holding). */
void router_release(struct router *router, struct node_plugin *plugin);
/* How many calls are with the plugin. */
size_t router_delivered(const struct router *router, const struct node_plugin *plugin);

/* For what the kernel itself answers later: the number for router_finish(), 0 when 4,096 calls are
 * under way.  The origin may be gone by then. */
uint64_t router_defer(
    struct router *router, const struct router_origin *origin, unsigned timeout_ms);
/* `text` is the answer's JSON when `code` is 0. */
void router_finish(struct router *router, uint64_t id, int code, const char *text);

/* `text` says why where `code` is not 0. */
void router_finish_body(struct router *router, uint64_t id, int code, const char *text,
    const void *body, size_t length);

size_t router_calls(const struct router *router);

#endif
