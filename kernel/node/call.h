/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_CALL_H
#define NODE_CALL_H

/* The router's inside: the calls under way, their records and their endings. */

#include "node/router.h"

#define REQUEST_ID_BYTES 12

/*
 * A slot's id on the wire is generation * ROUTER_CALLS_MAX + index, so that a late answer to a slot
 * that has been used again is recognised and dropped.
 */
struct call {
	bool used;
	bool delivered;
	uint64_t generation;
	uint64_t deadline_ms;
	struct router_origin origin;
	struct node_plugin *handler;
	bool guarded;
	char *subject;
	char *principal;
	char *purpose;
	Cairn__Envelope *request; /* own copy, until delivered */
	struct guard_decision decision;
	char request_id[2 * REQUEST_ID_BYTES + 1];
};

struct router {
	struct node *node;
	uv_timer_t tick;
	size_t used;
	size_t high; /* slots at and above have never been used */
	struct call calls[ROUTER_CALLS_MAX];
};

uint64_t call_id(const struct router *router, const struct call *call);
/* NULL when that call has ended. */
struct call *call_find(struct router *router, uint64_t id);
/* NULL when ROUTER_CALLS_MAX are under way. */
struct call *call_new(struct router *router);
void call_free(struct router *router, struct call *call);

/* Puts the guard's decision into the ledger; `durable` when it is on disk. */
int call_record_decision(struct router *router, const struct call *call,
    ledger_durable_fn durable, void *arg, struct cairn_error *err);
/* The outcome of a guarded call, not waited for.  `answer` may be NULL. */
void call_record_outcome(struct router *router, const struct call *call, int code,
    const char *text, const Cairn__Envelope *answer);

/* Sends the REPLY that ends a call and frees it.  `reply` may borrow from anything but the call. */
void call_end(struct router *router, struct call *call, Cairn__Envelope *reply);

/* Ends a call with an error to its origin, and tells the handler when it has the request. */
void call_fail(struct router *router, struct call *call, int code, const char *text,
    bool tell_handler);

#endif
