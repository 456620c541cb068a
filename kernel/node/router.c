/* SPDX-License-Identifier: Apache-2.0 */
#include "node/router.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/rand.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "node/call.h"
#include "node/services.h"
#include "registry.h"

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

static struct node_plugin *
find_handler(const struct node *node, const char *subject, const struct manifest_serve **ret_serve)
{
	for (size_t i = 0; i < node->plugin_count; i++) {
		struct node_plugin *plugin = node->plugins[i];
		const struct manifest *manifest = plugin->config.manifest;

		for (size_t j = 0; !plugin->removed && j < manifest->serve_count; j++) {
			if (strcmp(manifest->serves[j].subject, subject) == 0) {
				*ret_serve = &manifest->serves[j];
				return plugin;
			}
		}
	}
	return NULL;
}

struct subjects {
	const struct node *node;
};

static const char *
known_subject(const void *arg, size_t index)
{
	const struct subjects *subjects = arg;
	const struct node *node = subjects->node;
	const char *own = services_subject(index);
	size_t count = 0;

	if (own != NULL)
		return own;
	while (services_subject(count) != NULL)
		count++;
	index -= count;
	for (size_t i = 0; i < node->plugin_count; i++) {
		const struct manifest *manifest = node->plugins[i]->config.manifest;

		if (index < manifest->serve_count)
			return manifest->serves[index].subject;
		index -= manifest->serve_count;
	}
	return NULL;
}

static void
refuse_unknown(struct router *router, const struct router_origin *origin, const char *subject)
{
	struct subjects subjects = {router->node};
	const char *near = text_suggest(subject, known_subject, &subjects);
	char text[CAIRN_ERROR_TEXT_MAX];

	if (near != NULL)
		snprintf(text, sizeof text, "nobody here serves '%.100s'; did you mean '%s'?", subject,
		    near);
	else
		snprintf(text, sizeof text,
		    "nobody here serves '%.100s'; is the plugin enabled? (cairn plugin list)", subject);
	reply_error(origin, CAIRN_ENOTFOUND, text);
}

/* A plugin may call only what its manifest asked for. */
static bool
may_call(struct router *router, const struct router_origin *origin, const char *subject)
{
	char capability[160];
	char text[CAIRN_ERROR_TEXT_MAX];

	if (origin->plugin == NULL)
		return true;
	snprintf(capability, sizeof capability, "call:%.120s", subject);
	if (manifest_has(origin->plugin->config.manifest, capability))
		return true;
	snprintf(text, sizeof text, "plugin '%s' has no capability %s",
	    origin->plugin->config.manifest->name, capability);
	log_warning("router", "%s; refusing the call", text);
	node_record(router->node, "plugin", origin->plugin->config.manifest->name, "refused", text);
	reply_error(origin, CAIRN_EFORBIDDEN, text);
	return false;
}

static Cairn__Envelope *
copy_envelope(const Cairn__Envelope *envelope)
{
	size_t size = cairn__envelope__get_packed_size(envelope);
	uint8_t *bytes = malloc(size + 1);
	Cairn__Envelope *copy = NULL;

	if (bytes != NULL) {
		cairn__envelope__pack(envelope, bytes);
		copy = cairn__envelope__unpack(NULL, size, bytes);
	}
	free(bytes);
	return copy;
}

static int
make_request_id(char ret[2 * REQUEST_ID_BYTES + 1])
{
	uint8_t bytes[REQUEST_ID_BYTES];

	if (RAND_bytes(bytes, sizeof bytes) != 1)
		return CAIRN_EINTERNAL;
	text_hex(bytes, sizeof bytes, ret);
	return 0;
}

static int
replace_text(char **field, const char *text)
{
	char *copy = strdup(text == NULL ? "" : text);

	if (copy == NULL)
		return CAIRN_ENOMEM;
	if (*field != NULL && *field != protobuf_c_empty_string)
		free(*field);
	*field = copy;
	return 0;
}

/* The context that travels with the delivered call is the kernel's, never the caller's word. */
static int
set_context(struct call *call, const struct router_principal *principal)
{
	Cairn__Context *context = call->request->context;
	Cairn__Principal *who;
	int code = 0;

	if (context == NULL) {
		context = malloc(sizeof *context);
		if (context == NULL)
			return CAIRN_ENOMEM;
		cairn__context__init(context);
		call->request->context = context;
	}
	if (context->principal == NULL) {
		context->principal = malloc(sizeof *context->principal);
		if (context->principal == NULL)
			return CAIRN_ENOMEM;
		cairn__principal__init(context->principal);
	}
	who = context->principal;
	code = code != 0 ? code : replace_text(&who->name, principal->name);
	code = code != 0 ? code : replace_text(&who->role, principal->role);
	code = code != 0 ? code : replace_text(&who->via, principal->via);
	code = code != 0 ? code : replace_text(&who->asked_by, principal->asked_by);
	code = code != 0 ? code : replace_text(&context->request_id, call->request_id);
	code = code != 0 ? code : replace_text(&call->purpose, context->purpose);
	return code;
}

static int
call_fill(struct call *call, const struct router_origin *origin,
    const struct router_principal *principal, const Cairn__Envelope *envelope)
{
	unsigned timeout = envelope->timeout_ms == 0 ? ROUTER_TIMEOUT_MS : envelope->timeout_ms;

	if (timeout > ROUTER_TIMEOUT_MAX_MS)
		timeout = ROUTER_TIMEOUT_MAX_MS;
	call->origin = *origin;
	call->deadline_ms = clock_monotonic_ms() + timeout;
	call->subject = strdup(envelope->subject);
	call->principal = strdup(principal->name);
	call->request = copy_envelope(envelope);
	if (call->subject == NULL || call->principal == NULL || call->request == NULL)
		return CAIRN_ENOMEM;
	if (make_request_id(call->request_id) != 0)
		return CAIRN_EINTERNAL;
	return set_context(call, principal);
}

/* ---- delivery --------------------------------------------------------------------------- */

static void
deliver(struct router *router, struct call *call)
{
	Cairn__Obligation obligations[GUARD_OBLIGATIONS_MAX];
	Cairn__Obligation *list[GUARD_OBLIGATIONS_MAX];
	Cairn__Envelope *request = call->request;
	struct supervisor_info info;
	char text[CAIRN_ERROR_TEXT_MAX];
	uint64_t now = clock_monotonic_ms();
	int code;

	for (size_t i = 0; i < call->decision.obligation_count; i++) {
		cairn__obligation__init(&obligations[i]);
		obligations[i].name = call->decision.obligations[i].name;
		obligations[i].value = call->decision.obligations[i].value;
		list[i] = &obligations[i];
	}
	request->kind = CAIRN__ENVELOPE__KIND__CALL;
	request->id = call_id(router, call);
	request->timeout_ms = call->deadline_ms > now ? (uint32_t)(call->deadline_ms - now) : 1;
	request->obligations = list;
	request->n_obligations = call->decision.obligation_count;
	code = supervisor_send(call->handler->process, request);
	request->obligations = NULL;
	request->n_obligations = 0;
	if (code == 0) {
		call->delivered = true;
		cairn__envelope__free_unpacked(request, NULL);
		call->request = NULL;
		return;
	}
	supervisor_info_get(call->handler->process, &info);
	snprintf(text, sizeof text, "plugin '%s' cannot take the call now (%s); %s", info.name,
	    code == CAIRN_ELIMIT ? "its queue is full" : supervisor_state_text(info.state),
	    info.state == SUPERVISOR_FAILED ? "see: cairn plugin logs" : "try again shortly");
	call->delivered = true; /* the decision was made; its outcome is recorded */
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
	if (code != 0)
		call_fail(router, call, CAIRN_EIO,
		    "the decision could not be recorded, so nothing was done; see the node's log", false);
	else if (!call->decision.permit)
		call_fail(router, call, CAIRN_EDENIED, call->decision.reason, false);
	else
		deliver(router, call);
}

/* The request as a typed message, for the policy. */
static int
unpack_request(const struct call *call, const char *type_name, ProtobufCMessage **ret,
    struct cairn_error *err)
{
	const ProtobufCMessageDescriptor *type;
	const ProtobufCBinaryData *body = &call->request->body;

	*ret = NULL;
	if (type_name == NULL)
		return 0;
	type = proto_registry_find(type_name);
	if (type == NULL)
		return cairn_error_set(err, CAIRN_EINTERNAL, "unknown request type '%s' of %s",
		    type_name, call->subject);
	*ret = protobuf_c_message_unpack(type, NULL, body->len, body->data);
	if (*ret == NULL)
		return cairn_error_set(err, CAIRN_EINVAL, "the request's body is no %s",
		    type_name);
	return 0;
}

static void
ask_guard(struct router *router, struct call *call, const struct router_principal *principal,
    const char *type_name)
{
	struct guard_question question = {.subject = call->subject, .principal = principal->name,
	    .role = principal->role, .via = principal->via, .asked_by = principal->asked_by,
	    .purpose = call->purpose, .permit = call->request->context->permit,
	    .request_id = call->request_id};
	struct cairn_error err = {0};
	ProtobufCMessage *message;
	struct recorded *recorded;

	if (unpack_request(call, type_name, &message, &err) != 0) {
		call_fail(router, call, err.code, err.text, false);
		return;
	}
	question.message = message;
	guard_decide(router->node->guard, &question, &call->decision);
	if (message != NULL)
		protobuf_c_message_free_unpacked(message, NULL);
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
		    "the decision could not be recorded, so nothing was done; see the node's log", false);
	}
}

static bool
serve_itself(struct router *router, const struct router_origin *origin,
    const struct router_principal *principal, const Cairn__Envelope *envelope)
{
	BUF_AUTO body = {.max = SERVICES_REPLY_MAX};
	struct cairn_error err = {0};
	Cairn__Envelope reply = CAIRN__ENVELOPE__INIT;
	int code = 0;

	if (!services_call(router->node, envelope->subject, origin, principal, &envelope->body, &code,
	        &body, &err))
		return false;
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

void
router_call(struct router *router, const struct router_origin *origin,
    const struct router_principal *principal, const Cairn__Envelope *envelope)
{
	const struct manifest_serve *serve = NULL;
	struct node_plugin *handler;
	struct call *call;
	int code;

	if (!may_call(router, origin, envelope->subject) ||
	    serve_itself(router, origin, principal, envelope))
		return;
	handler = find_handler(router->node, envelope->subject, &serve);
	if (handler == NULL) {
		refuse_unknown(router, origin, envelope->subject);
		return;
	}
	call = call_new(router);
	if (call == NULL) {
		reply_error(origin, CAIRN_ELIMIT, "4,096 calls are under way; try again shortly");
		return;
	}
	code = call_fill(call, origin, principal, envelope);
	call->handler = handler;
	call->guarded = serve->guarded;
	if (code != 0)
		call_fail(router, call, code, cairn_code_text(code), false);
	else if (serve->guarded)
		ask_guard(router, call, principal, serve->request);
	else
		deliver(router, call);
}

/* ---- the way back ----------------------------------------------------------------------- */

static const struct guard_obligation *
unfulfilled(const struct call *call, const Cairn__Envelope *answer)
{
	for (size_t i = 0; i < call->decision.obligation_count; i++) {
		const struct guard_obligation *obligation = &call->decision.obligations[i];
		bool found = false;

		for (size_t j = 0; j < answer->n_fulfilments; j++) {
			if (strcmp(answer->fulfilments[j]->name, obligation->name) == 0)
				found = true;
		}
		if (!found)
			return obligation;
	}
	return NULL;
}

static void
finish(struct router *router, struct call *call, const Cairn__Envelope *answer)
{
	const struct guard_obligation *missing = answer->code == 0 ? unfulfilled(call, answer) : NULL;
	Cairn__Envelope reply = *answer;
	char text[CAIRN_ERROR_TEXT_MAX];

	if (missing != NULL) {
		snprintf(text, sizeof text,
		    "answer withheld: plugin '%s' did not say that it fulfilled the obligation '%s'",
		    call->handler->config.manifest->name, missing->name);
		log_error("router", "%s (request %s)", text, call->request_id);
		call_fail(router, call, CAIRN_EINTERNAL, text, false);
		return;
	}
	call_record_outcome(router, call, answer->code, answer->text, answer);
	call_end(router, call, &reply);
}

void
router_answer(struct router *router, struct node_plugin *from, const Cairn__Envelope *envelope)
{
	struct call *call = call_find(router, envelope->id);

	if (call == NULL || !call->delivered || call->handler != from)
		return; /* late, or about a call that was never theirs */
	if (envelope->kind == CAIRN__ENVELOPE__KIND__PROGRESS) {
		Cairn__Envelope progress = *envelope;

		progress.id = call->origin.id;
		if (call->origin.send != NULL)
			call->origin.send(call->origin.arg, &progress);
		return;
	}
	finish(router, call, envelope);
}

void
router_cancel(struct router *router, const void *origin_arg, uint64_t id, bool all)
{
	for (size_t i = 0; router->used > 0 && i < router->high; i++) {
		struct call *call = &router->calls[i];

		if (!call->used || call->origin.arg != origin_arg || (!all && call->origin.id != id))
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
	uv_close((uv_handle_t *)&router->tick, tick_closed);
}
