/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_CALL_H
#define NODE_CALL_H

/* The router's inside: the calls under way, their records and their endings. */

#include "node/details.h"
#include "node/router.h"
#include "runtime/arena.h"

#define REQUEST_ID_BYTES 12
#define CALLS_BYTES_MAX ((size_t)256 << 20) /* bodies that wait for their decision's record */
#define CALL_TYPED_MAX ((size_t)64 << 20)   /* memory for a body unpacked for the policy */

/*
 * A slot's id on the wire is generation * ROUTER_CALLS_MAX + index, so that a late answer to a slot
 * that has been used again is recognised and dropped.  Everything is the call's own copy.
 */
struct call {
	bool used;
	bool delivered;
	bool held;      /* until its plugin's successor serves */
	bool permitted; /* the guard's permit is on its way to the ledger or there: an outcome
			   follows */
	uint64_t generation;
	uint64_t deadline_ms;
	uint64_t started_ns;
	struct router_origin origin;
	struct node_plugin *handler; /* NULL: the kernel itself */
	char *subject;
	char *principal, *role, *via, *asked_by;
	char *purpose, *permit;
	uint8_t *body; /* until delivered */
	size_t length;
	struct guard_decision decision;
	struct details details; /* what the ledger says of the request */
	char request_id[2 * REQUEST_ID_BYTES + 1];
};

struct router {
	struct node *node;
	uv_timer_t tick;
	struct arena arena; /* of the request that the guard looks at */
	size_t bytes;       /* of all bodies held */
	size_t used;
	size_t high; /* slots at and above have never been used */
	struct call calls[ROUTER_CALLS_MAX];
};

uint64_t call_id(const struct router *router, const struct call *call);
/* NULL when that call has ended. */
struct call *call_find(struct router *router, uint64_t id);
/* NULL when ROUTER_CALLS_MAX are under way. */
struct call *call_new(struct router *router, const struct router_origin *origin);
void call_free(struct router *router, struct call *call);
/* What the handler's manifest (without a handler: the kernel) says of the call's subject; NULL when
 * it no longer does. */
const struct manifest_serve *call_serve(const struct call *call);
/* What the caller sent, copied; CAIRN_ELIMIT when the bodies of all calls are too large. */
int call_fill(struct router *router, struct call *call, const struct router_principal *principal,
    const Cairn__Envelope *envelope);
void call_drop_body(struct router *router, struct call *call);

/* Puts the guard's decision into the ledger; `durable` when it is on disk. */
int call_record_decision(struct router *router, const struct call *call, ledger_durable_fn durable,
    void *arg, struct cairn_error *err);

/* Sends the REPLY that ends a call and frees it.  `reply` may borrow from anything but the call. */
void call_end(struct router *router, struct call *call, Cairn__Envelope *reply);

/* What the handler said ends the call: records the outcome, sends the reply. */
void call_answer(struct router *router, struct call *call, const Cairn__Envelope *answer);

/* Ends a call with an error to its origin, and tells the handler when it has the request. */
void call_fail(
    struct router *router, struct call *call, int code, const char *text, bool tell_handler);

#endif
