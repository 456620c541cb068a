/* SPDX-License-Identifier: Apache-2.0 */
#include "node/router.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "depth.h"
#include "node/call.h"
#include "node/patients.h"
#include "node/report.h"
#include "node/services.h"
#include "node/spend.h"
#include "node/subjects.h"
#include "node/words.h"
#include "observe/metrics.h"
#include "registry.h"

#define FULFILMENTS_MAX 64 /* as many as a host sends */

/* What the ledger gives back when a decision is on disk; the call may have ended meanwhile. */
struct recorded {
	struct router *router;
	uint64_t id;
};

static void
reply_error(const struct router_origin *origin, int code, const char *text)
{
	Cairn__Envelope reply = CAIRN__ENVELOPE__INIT;

	reply.kind = CAIRN__ENVELOPE__KIND__REPLY;
	reply.id = origin->id;
	reply.code = code;
	reply.text = (char *)(uintptr_t)text;
	origin->send(origin->arg, &reply);
}

/* ---- the way in ------------------------------------------------------------------------- */

static void
refuse_unknown(struct router *router, const struct router_origin *origin, const char *subject)
{
	const char *near = subjects_near(router->node, subject);
	char text[CAIRN_ERROR_TEXT_MAX];

	if (near != NULL)
		snprintf(text, sizeof text, "nobody here serves '%.100s'; did you mean '%s'?",
		    subject, near);
	else
		snprintf(text, sizeof text,
		    "nobody here serves '%.100s'; is the plugin enabled? (cairn plugin list)",
		    subject);
	reply_error(origin, CAIRN_ENOTFOUND, text);
}

/* A plugin may call only what its manifest asked for. */
static bool
may_call(const struct router_origin *origin, const char *subject)
{
	bool record = strcmp(subject, REPORT_SUBJECT) == 0;
	char text[CAIRN_ERROR_TEXT_MAX];

	if (origin->plugin == NULL ||
	    (record ? manifest_has(origin->plugin->config.manifest, "record")
		    : node_plugin_may(origin->plugin, "call", subject)))
		return true;
	snprintf(text, sizeof text, "plugin '%s' has no capability %s%.120s",
	    origin->plugin->config.manifest->name,
	    record ? "" : "call:", record ? "record" : subject);
	node_plugin_refuse(origin->plugin, text);
	reply_error(origin, CAIRN_EFORBIDDEN, text);
	return false;
}

/* What a caller wrote ends in records, logs and the policy: short and readable, or refused. */
static bool
are_words_fine(const struct router_origin *origin, const struct router_principal *principal,
    const Cairn__Envelope *envelope)
{
	const Cairn__Context *context = envelope->context;
	const struct {
		const char *what, *text;
		size_t max;
	} words[] = {{"subject", envelope->subject, ROUTER_SUBJECT_MAX},
	    {"principal's name", principal->name, ROUTER_WORD_MAX},
	    {"purpose", context == NULL ? "" : context->purpose, ROUTER_WORD_MAX},
	    {"permit", context == NULL ? "" : context->permit, ROUTER_WORD_MAX}};
	char text[160];

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		if (words_are_plain(words[i].text, words[i].max))
			continue;
		snprintf(text, sizeof text,
		    "the %s is longer than %zu bytes, no UTF-8, or has control characters",
		    words[i].what, words[i].max);
		reply_error(origin, CAIRN_EINVAL, text);
		return false;
	}
	return true;
}

/* ---- delivery --------------------------------------------------------------------------- */

static int
send_request(struct router *router, struct call *call)
{
	Cairn__Obligation obligations[GUARD_OBLIGATIONS_MAX];
	Cairn__Obligation *list[GUARD_OBLIGATIONS_MAX];
	Cairn__Envelope request = CAIRN__ENVELOPE__INIT;
	Cairn__Context context = CAIRN__CONTEXT__INIT;
	Cairn__Principal who = CAIRN__PRINCIPAL__INIT;
	uint64_t now = clock_monotonic_ms();
	size_t count = 0;

	for (size_t i = 0; i < call->decision.obligation_count; i++) {
		const struct guard_obligation *obligation = &call->decision.obligations[i];

		if (spend_is_budget(obligation))
			continue;
		list[count] = &obligations[count];
		cairn__obligation__init(list[count]);
		list[count]->name = (char *)(uintptr_t)obligation->name;
		list[count++]->value = obligation->value;
	}
	who.name = call->principal;
	who.role = call->role;
	who.via = call->via;
	who.asked_by = call->asked_by;
	context.principal = &who;
	context.purpose = call->purpose;
	context.permit = call->permit;
	context.request_id = call->request_id;
	request.kind = CAIRN__ENVELOPE__KIND__CALL;
	request.id = call_id(router, call);
	request.subject = call->subject;
	request.timeout_ms = call->deadline_ms > now ? (uint32_t)(call->deadline_ms - now) : 1;
	request.context = &context;
	request.obligations = list;
	request.n_obligations = count;
	request.body.data = call->body;
	request.body.len = call->length;
	return node_plugin_send(call->handler, &request);
}

/* What the kernel serves itself; it carries out no obligation, so that none may be demanded. */
static void
serve_permitted(struct router *router, struct call *call)
{
	char text[CAIRN_ERROR_TEXT_MAX];

	if (call->decision.obligation_count == 0) {
		patients_call(router, call);
		return;
	}
	snprintf(text, sizeof text,
	    "the policy demands '%s' of %s, which the kernel cannot do; it was not carried out",
	    call->decision.obligations[0].name, call->subject);
	call_fail(router, call, CAIRN_EUNSUPPORTED, text, false);
}

static void
deliver(struct router *router, struct call *call)
{
	char text[CAIRN_ERROR_TEXT_MAX];
	int code;

	if (call->handler == NULL) {
		serve_permitted(router, call);
		return;
	}
	if (call->handler->holding) {
		call->held = true;
		return;
	}
	code = send_request(router, call);
	if (code == 0) {
		call->delivered = true;
		call_drop_body(router, call);
		return;
	}
	node_plugin_down(call->handler, code, text, sizeof text);
	call_fail(router, call, CAIRN_EUNAVAILABLE, text, false);
}

static void
decision_recorded(void *arg, int code, uint64_t index)
{
	struct recorded *recorded = arg;
	struct router *router = recorded->router;
	struct call *call = call_find(router, recorded->id);

	(void)index;
	free(recorded);
	if (call == NULL)
		return; /* cancelled or timed out meanwhile */
	if (code != 0) {
		call->permitted = false;
		call_fail(router, call, CAIRN_EIO,
		    "the decision could not be recorded, so nothing was done; is the disk full?",
		    false);
	} else if (!call->decision.permit) {
		call_fail(router, call, CAIRN_EDENIED, call->decision.reason, false);
	} else {
		deliver(router, call);
	}
}

/* The request as a typed message, for the policy; in the router's arena. */
static int
unpack_request(struct router *router, const struct call *call, const char *type_name,
    ProtobufCMessage **ret, struct cairn_error *err)
{
	const ProtobufCMessageDescriptor *type;

	*ret = NULL;
	if (type_name == NULL)
		return 0;
	type = proto_registry_find(type_name);
	if (type == NULL)
		return cairn_error_set(err, CAIRN_EINTERNAL, "unknown request type '%s' of %s",
		    type_name, call->subject);
	if (proto_depth_check(type, call->body, call->length, PROTO_DEPTH_MAX) ==
	    PROTO_DEPTH_TOO_DEEP)
		return cairn_error_set(
		    err, CAIRN_ELIMIT, "the request nests deeper than %d levels", PROTO_DEPTH_MAX);
	*ret = proto_unpack(type, &router->arena.allocator, call->body, call->length);
	if (*ret == NULL)
		return cairn_error_set(err, CAIRN_EINVAL,
		    "the request's body is no %s, or one that takes more than %zu MiB", type_name,
		    CALL_TYPED_MAX >> 20);
	return 0;
}

static int
decide(struct router *router, struct call *call, const struct manifest_serve *serve,
    struct cairn_error *err)
{
	struct guard_question question = {.subject = call->subject,
	    .principal = call->principal,
	    .role = call->role,
	    .via = call->via,
	    .asked_by = call->asked_by,
	    .purpose = call->purpose,
	    .permit = call->permit,
	    .request_id = call->request_id};
	ProtobufCMessage *message;
	uint64_t started_ns;
	int code = unpack_request(router, call, serve->request, &message, err);

	if (code == 0) {
		question.message = message;
		if (message != NULL)
			details_add(&call->details, (const char *const *)serve->record, message);
		started_ns = clock_monotonic_ns();
		guard_decide(router->node->guard, &question, &call->decision);
		spend(router->node->budget, call->principal, clock_wall_ms(), &call->decision);
		metrics_decision(router->node->metrics, call->subject, call->decision.permit,
		    (double)(clock_monotonic_ns() - started_ns) / 1e9);
	}
	arena_reset(&router->arena);
	return code;
}

static void
ask_guard(struct router *router, struct call *call, const struct manifest_serve *serve)
{
	struct cairn_error err = {0};
	struct recorded *recorded;

	if (decide(router, call, serve, &err) != 0) {
		call_fail(router, call, err.code, err.text, false);
		return;
	}
	recorded = malloc(sizeof *recorded);
	if (recorded == NULL) {
		call_fail(router, call, CAIRN_ENOMEM, "out of memory", false);
		return;
	}
	*recorded = (struct recorded){router, call_id(router, call)};
	if (call_record_decision(router, call, decision_recorded, recorded, &err) != 0) {
		free(recorded);
		log_error("router", "decision not recorded: %s", err.text);
		call_fail(router, call, CAIRN_EIO,
		    "the decision could not be recorded, so nothing was done; see the node's log",
		    false);
		return;
	}
	call->permitted = call->decision.permit;
}

/* The plugin may be another build by now, whose manifest says other things. */
static void
deliver_held(struct router *router, struct call *call)
{
	const struct manifest_serve *serve = call_serve(call);

	call->held = false;
	if (serve == NULL)
		call_fail(router, call, CAIRN_ENOTFOUND,
		    "the plugin was replaced meanwhile by one that does not serve this subject",
		    false);
	else if (serve->guarded && !call->permitted)
		ask_guard(router, call, serve);
	else
		deliver(router, call);
}

void
router_release(struct router *router, struct node_plugin *plugin)
{
	for (size_t i = 0; router->used > 0 && i < router->high; i++) {
		struct call *call = &router->calls[i];

		if (call->used && call->held && call->handler == plugin)
			deliver_held(router, call);
	}
}

size_t
router_delivered(const struct router *router, const struct node_plugin *plugin)
{
	size_t count = 0;

	for (size_t i = 0; router->used > 0 && i < router->high; i++) {
		const struct call *call = &router->calls[i];

		count += call->used && call->delivered && call->handler == plugin;
	}
	return count;
}

/* ---- answers that take their time ------------------------------------------------------- */

static bool
serve_itself(struct router *router, const struct router_origin *origin,
    const struct router_principal *principal, const Cairn__Envelope *envelope)
{
	BUF_AUTO body = {.max = SERVICES_REPLY_MAX};
	struct cairn_error err = {0};
	Cairn__Envelope reply = CAIRN__ENVELOPE__INIT;
	int code = 0;

	if (!services_call(router->node, envelope->subject, origin, principal, &envelope->body,
		&code, &body, &err))
		return false;
	if (code == SERVICES_LATER)
		return true;
	if (code != 0) {
		reply_error(origin, code, err.text);
		return true;
	}
	reply.kind = CAIRN__ENVELOPE__KIND__REPLY;
	reply.id = origin->id;
	reply.body.data = body.data;
	reply.body.len = body.length;
	origin->send(origin->arg, &reply);
	return true;
}

static bool
is_room(struct router *router, const struct router_origin *origin)
{
	if (origin->plugin != NULL && origin->plugin->calls >= ROUTER_CALLS_OF_PLUGIN_MAX)
		reply_error(origin, CAIRN_ELIMIT, "1,024 calls of this plugin are under way");
	else if (router->used == ROUTER_CALLS_MAX)
		reply_error(origin, CAIRN_ELIMIT, "4,096 calls are under way; try again shortly");
	else
		return true;
	return false;
}

void
router_call(struct router *router, const struct router_origin *origin,
    const struct router_principal *principal, const Cairn__Envelope *envelope)
{
	const struct manifest_serve *serve = NULL;
	struct node_plugin *handler;
	struct call *call;
	int code;

	if (!are_words_fine(origin, principal, envelope) || !may_call(origin, envelope->subject) ||
	    serve_itself(router, origin, principal, envelope))
		return;
	if (origin->plugin != NULL && strcmp(envelope->subject, REPORT_SUBJECT) == 0) {
		report_call(router->node, origin, envelope);
		return;
	}
	handler = subjects_handler(router->node, envelope->subject, &serve);
	if (handler == NULL)
		serve = patients_serve_find(envelope->subject);
	if (serve == NULL) {
		refuse_unknown(router, origin, envelope->subject);
		return;
	}
	if (!is_room(router, origin))
		return;
	call = call_new(router, origin);
	call->handler = handler;
	code = call_fill(router, call, principal, envelope);
	if (code != 0)
		call_fail(router, call, code, cairn_code_text(code), false);
	else if (serve->guarded)
		ask_guard(router, call, serve);
	else
		deliver(router, call);
}

/* ---- the way back ----------------------------------------------------------------------- */

/* Fulfilled is what was done as strictly as demanded; obligations are such that larger is stricter
 * (guard.h). */
static bool
is_fulfilled(const struct guard_obligation *obligation, const Cairn__Envelope *answer)
{
	for (size_t i = 0; i < answer->n_fulfilments && i < FULFILMENTS_MAX; i++) {
		if (strcmp(answer->fulfilments[i]->name, obligation->name) == 0 &&
		    answer->fulfilments[i]->value >= obligation->value)
			return true;
	}
	return false;
}

static const struct guard_obligation *
unfulfilled(const struct call *call, const Cairn__Envelope *answer)
{
	for (size_t i = 0; i < call->decision.obligation_count; i++) {
		if (!spend_is_budget(&call->decision.obligations[i]) &&
		    !is_fulfilled(&call->decision.obligations[i], answer))
			return &call->decision.obligations[i];
	}
	return NULL;
}

static void
finish(struct router *router, struct call *call, const Cairn__Envelope *answer)
{
	const struct guard_obligation *missing =
	    answer->code == 0 ? unfulfilled(call, answer) : NULL;
	char text[CAIRN_ERROR_TEXT_MAX];

	if (missing == NULL) {
		call_answer(router, call, answer);
		return;
	}
	snprintf(text, sizeof text,
	    "answer withheld: plugin '%s' did not say that it fulfilled the obligation '%s'",
	    call->handler->config.manifest->name, missing->name);
	log_error("router", "%s (request %s)", text, call->request_id);
	call_fail(router, call, CAIRN_EINTERNAL, text, false);
}

/* A part of an answer says nothing about obligations, so that none of it may go where there are
 * some. */
static void
pass_progress(const struct call *call, const Cairn__Envelope *envelope)
{
	Cairn__Envelope progress = CAIRN__ENVELOPE__INIT;

	if (call->origin.send == NULL || call->decision.obligation_count > 0)
		return;
	progress.kind = CAIRN__ENVELOPE__KIND__PROGRESS;
	progress.id = call->origin.id;
	progress.body = envelope->body;
	call->origin.send(call->origin.arg, &progress);
}

/* Numbers are never given twice, so that this is no late answer. */
static void
refuse_answer(const struct call *call, struct node_plugin *from)
{
	char text[CAIRN_ERROR_TEXT_MAX];

	snprintf(text, sizeof text, "plugin '%.32s' answered a call of %.120s that is not its own",
	    from->config.manifest->name, call->subject);
	node_plugin_refuse(from, text);
}

void
router_answer(struct router *router, struct node_plugin *from, const Cairn__Envelope *envelope)
{
	struct call *call = call_find(router, envelope->id);

	if (call != NULL && call->delivered && call->handler != from)
		refuse_answer(call, from);
	if (call == NULL || !call->delivered || call->handler != from)
		return; /* late, or about a call that was never theirs */
	if (envelope->kind == CAIRN__ENVELOPE__KIND__PROGRESS)
		pass_progress(call, envelope);
	else
		finish(router, call, envelope);
}

void
router_cancel(struct router *router, const void *origin_arg, uint64_t id, bool all)
{
	for (size_t i = 0; router->used > 0 && i < router->high; i++) {
		struct call *call = &router->calls[i];

		if (!call->used || call->origin.arg != origin_arg ||
		    (!all && call->origin.id != id))
			continue;
		if (all)
			call->origin.send = NULL;
		call_fail(router, call, CAIRN_ECANCELLED, "cancelled by the caller", true);
	}
}

void
router_gone(struct router *router, struct node_plugin *plugin)
{
	char text[CAIRN_ERROR_TEXT_MAX];

	snprintf(text, sizeof text, "plugin '%s' ended while it worked on the request; try again",
	    plugin->config.manifest->name);
	for (size_t i = 0; router->used > 0 && i < router->high; i++) {
		struct call *call = &router->calls[i];

		if (call->used && call->delivered && call->handler == plugin)
			call_fail(router, call, CAIRN_EUNAVAILABLE, text, false);
	}
	router_cancel(router, plugin, 0, true);
}

size_t
router_calls(const struct router *router)
{
	return router->used;
}

int
router_new(struct router **ret, struct node *node, struct cairn_error *err)
{
	struct router *router = calloc(1, sizeof *router);

	if (router == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	router->node = node;
	arena_init(&router->arena, CALL_TYPED_MAX);
	uv_timer_init(node->loop, &router->tick);
	router->tick.data = router;
	*ret = router;
	return 0;
}

static void
tick_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void
router_free(struct router *router)
{
	if (router == NULL)
		return;
	for (size_t i = 0; i < router->high; i++) {
		if (router->calls[i].used)
			call_free(router, &router->calls[i]);
	}
	arena_fini(&router->arena);
	uv_close((uv_handle_t *)&router->tick, tick_closed);
}
