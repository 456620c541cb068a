/* SPDX-License-Identifier: Apache-2.0 */
#include "node/call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/rand.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "depth.h"
#include "node/patients.h"
#include "node/words.h"
#include "observe/metrics.h"
#include "registry.h"

#define TICK_MS 50

static void check_deadlines(uv_timer_t *timer);

uint64_t
call_id(const struct router *router, const struct call *call)
{
	return call->generation * ROUTER_CALLS_MAX + (uint64_t)(call - router->calls);
}

struct call *
call_find(struct router *router, uint64_t id)
{
	struct call *call = &router->calls[id % ROUTER_CALLS_MAX];

	return call->used && call->generation == id / ROUTER_CALLS_MAX ? call : NULL;
}

void
call_drop_body(struct router *router, struct call *call)
{
	free(call->body);
	router->bytes -= call->length;
	call->body = NULL;
	call->length = 0;
}

void
call_free(struct router *router, struct call *call)
{
	uint64_t generation = call->generation;

	call_drop_body(router, call);
	details_fini(&call->details);
	free(call->subject);
	free(call->principal);
	free(call->role);
	free(call->via);
	free(call->asked_by);
	free(call->purpose);
	free(call->permit);
	if (call->origin.plugin != NULL)
		call->origin.plugin->calls--;
	*call = (struct call){.generation = generation};
	if (--router->used == 0)
		uv_timer_stop(&router->tick);
}

struct call *
call_new(struct router *router, const struct router_origin *origin)
{
	for (size_t i = 0; i < ROUTER_CALLS_MAX; i++) {
		struct call *call = &router->calls[i];

		if (call->used)
			continue;
		if (i >= router->high)
			router->high = i + 1;
		call->used = true;
		call->generation++;
		call->started_ns = clock_monotonic_ns();
		call->origin = *origin;
		if (origin->plugin != NULL)
			origin->plugin->calls++;
		if (router->used++ == 0)
			uv_timer_start(&router->tick, check_deadlines, TICK_MS, TICK_MS);
		return call;
	}
	return NULL;
}

const struct manifest_serve *
call_serve(const struct call *call)
{
	const struct manifest *manifest =
	    call->handler == NULL ? NULL : call->handler->config.manifest;

	if (manifest == NULL)
		return patients_serve_find(call->subject);
	for (size_t i = 0; i < manifest->serve_count; i++) {
		if (strcmp(manifest->serves[i].subject, call->subject) == 0)
			return &manifest->serves[i];
	}
	return NULL;
}

/* ---- the way in ------------------------------------------------------------------------- */

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
copy_body(struct router *router, struct call *call, const ProtobufCBinaryData *body)
{
	if (body->len > CALLS_BYTES_MAX - router->bytes)
		return CAIRN_ELIMIT;
	call->body = malloc(body->len + 1);
	if (call->body == NULL)
		return CAIRN_ENOMEM;
	if (body->len > 0)
		memcpy(call->body, body->data, body->len);
	call->length = body->len;
	router->bytes += body->len;
	return 0;
}

/* The context that travels with the delivered call is the kernel's, never the caller's word. */
int
call_fill(struct router *router, struct call *call, const struct router_principal *principal,
    const Cairn__Envelope *envelope)
{
	const Cairn__Context *context = envelope->context;
	unsigned timeout = envelope->timeout_ms == 0 ? ROUTER_TIMEOUT_MS : envelope->timeout_ms;

	if (timeout > ROUTER_TIMEOUT_MAX_MS)
		timeout = ROUTER_TIMEOUT_MAX_MS;
	call->deadline_ms = clock_monotonic_ms() + timeout;
	call->subject = strdup(envelope->subject);
	call->principal = strdup(principal->name);
	call->role = strdup(principal->role);
	call->via = strdup(principal->via);
	call->asked_by = strdup(principal->asked_by);
	call->purpose = strdup(context == NULL ? "" : context->purpose);
	call->permit = strdup(context == NULL ? "" : context->permit);
	if (call->subject == NULL || call->principal == NULL || call->role == NULL ||
	    call->via == NULL || call->asked_by == NULL || call->purpose == NULL ||
	    call->permit == NULL)
		return CAIRN_ENOMEM;
	if (make_request_id(call->request_id) != 0)
		return CAIRN_EINTERNAL;
	return copy_body(router, call, &envelope->body);
}

/* ---- what a plugin has at hand --------------------------------------------------------- */

#define DESCRIBED_MAX 3u

void
router_describe(
    const struct router *router, const struct node_plugin *plugin, char *ret, size_t size)
{
	size_t length = 0;
	unsigned count = 0;

	ret[0] = 0;
	for (size_t i = 0; i < router->high; i++) {
		const struct call *call = &router->calls[i];

		if (!call->used || !call->delivered || call->handler != plugin ||
		    ++count > DESCRIBED_MAX || length >= size)
			continue;
		snprintf(ret + length, size - length, "%s%.64s (request %s)", count > 1 ? ", " : "",
		    call->subject, call->request_id);
		length += strlen(ret + length);
	}
	if (count > DESCRIBED_MAX && length < size)
		snprintf(ret + length, size - length, " and %u more", count - DESCRIBED_MAX);
}

/* ---- records ---------------------------------------------------------------------------- */

static void
obligation_text(const struct guard_obligation *obligation, char ret[32])
{
	snprintf(ret, 32, "%lld", (long long)obligation->value);
}

static void
add_details(struct ledger_entry *entry, struct ledger_field *fields, const struct details *details)
{
	for (size_t i = 0; i < details->count; i++)
		fields[entry->field_count++] =
		    (struct ledger_field){details->items[i].name, details->items[i].value};
}

/* What left: the answer's fields after whatever disclosure control did to them. */
static void
describe_answer(struct router *router, struct call *call, const Cairn__Envelope *answer)
{
	const struct manifest_serve *serve = call_serve(call);
	const ProtobufCMessageDescriptor *type =
	    serve == NULL || serve->answer == NULL || serve->record == NULL || !call->permitted
	    ? NULL
	    : proto_registry_find(serve->answer);
	ProtobufCMessage *message;

	if (type == NULL || answer->code != 0)
		return;
	message = proto_unpack(type, &router->arena.allocator, answer->body.data, answer->body.len);
	if (message != NULL)
		details_add(&call->details, (const char *const *)serve->record, message);
	arena_reset(&router->arena);
}

int
call_record_decision(struct router *router, const struct call *call, ledger_durable_fn durable,
    void *arg, struct cairn_error *err)
{
	struct ledger_field fields[GUARD_OBLIGATIONS_MAX + 2 + DETAILS_MAX];
	char values[GUARD_OBLIGATIONS_MAX][32];
	const struct guard_decision *decision = &call->decision;
	struct ledger_entry entry = {.kind = "decision",
	    .request_id = call->request_id,
	    .subject = call->subject,
	    .principal = call->principal,
	    .purpose = call->purpose,
	    .verdict = decision->permit ? "permit" : "deny",
	    .rule = decision->rule,
	    .reason = decision->reason,
	    .fields = fields,
	    .field_count = decision->obligation_count};

	for (size_t i = 0; i < decision->obligation_count; i++) {
		obligation_text(&decision->obligations[i], values[i]);
		fields[i] = (struct ledger_field){decision->obligations[i].name, values[i]};
	}
	if (call->asked_by[0] != 0)
		fields[entry.field_count++] = (struct ledger_field){"asked_by", call->asked_by};
	if (call->permit[0] != 0)
		fields[entry.field_count++] = (struct ledger_field){"permit", call->permit};
	if (!decision->permit)
		add_details(&entry, fields, &call->details); /* no outcome will say it */
	return ledger_append(router->node->ledger, &entry, durable, arg, err);
}

/* Not waited for.  What a plugin wrote is cut, so that no answer is too large to be recorded. */
static void
record_outcome(struct router *router, const struct call *call, int code, const char *text,
    const Cairn__Envelope *answer)
{
	struct ledger_field fields[GUARD_OBLIGATIONS_MAX + 1 + DETAILS_MAX];
	char names[GUARD_OBLIGATIONS_MAX][32], values[GUARD_OBLIGATIONS_MAX][32];
	struct ledger_entry entry = {.kind = "outcome",
	    .request_id = call->request_id,
	    .subject = call->subject,
	    .principal = call->principal,
	    .purpose = call->purpose,
	    .verdict = code == 0 ? "done" : "failed",
	    .reason = code == 0 ? "" : text,
	    .fields = fields};
	struct cairn_error err = {0};

	if (!call->permitted)
		return;
	for (size_t i = 0; answer != NULL && i < answer->n_fulfilments; i++) {
		if (entry.field_count == GUARD_OBLIGATIONS_MAX)
			break;
		words_clean(names[i], sizeof names[i], answer->fulfilments[i]->name, false);
		snprintf(
		    values[i], sizeof values[i], "%lld", (long long)answer->fulfilments[i]->value);
		fields[entry.field_count++] = (struct ledger_field){names[i], values[i]};
	}
	if (call->permit[0] != 0)
		fields[entry.field_count++] = (struct ledger_field){"permit", call->permit};
	add_details(&entry, fields, &call->details);
	if (ledger_append(router->node->ledger, &entry, NULL, NULL, &err) != 0)
		log_error("router", "outcome of %s not recorded: %s", call->request_id, err.text);
}

/* ---- endings ---------------------------------------------------------------------------- */

/*
 * The origin's send() may close a connection and thereby cancel that connection's other calls: the
 * call must be gone before it, and whoever walks the calls must look at each one anew.
 */
void
call_end(struct router *router, struct call *call, Cairn__Envelope *reply)
{
	struct router_origin origin = call->origin;
	struct guard_decision decision = call->decision;
	char request_id[sizeof call->request_id];

	memcpy(request_id, call->request_id, sizeof request_id);
	if (call->subject != NULL)
		metrics_call(router->node->metrics, call->subject, reply->code,
		    (double)(clock_monotonic_ns() - call->started_ns) / 1e9);
	call_free(router, call);
	if (origin.send == NULL)
		return;
	reply->kind = CAIRN__ENVELOPE__KIND__REPLY;
	reply->id = origin.id;
	reply->rule = decision.rule;
	reply->reason = decision.permit ? decision.reason : (char *)(uintptr_t) "";
	reply->request_id = request_id;
	origin.send(origin.arg, reply);
}

/* Only these parts of an answer travel on; a failure has no body. */
void
call_answer(struct router *router, struct call *call, const Cairn__Envelope *answer)
{
	Cairn__Envelope reply = CAIRN__ENVELOPE__INIT;
	char text[CAIRN_ERROR_TEXT_MAX];

	words_clean(text, sizeof text, answer->text, true);
	reply.code = answer->code > 0 ? CAIRN_EINTERNAL : answer->code;
	reply.text = text;
	if (reply.code == 0)
		reply.body = answer->body;
	describe_answer(router, call, answer);
	record_outcome(router, call, reply.code, text, answer);
	call_end(router, call, &reply);
}

void
call_fail(struct router *router, struct call *call, int code, const char *text, bool tell_handler)
{
	Cairn__Envelope reply = CAIRN__ENVELOPE__INIT;
	char copy[CAIRN_ERROR_TEXT_MAX]; /* `text` may be the call's own */

	if (call->delivered && tell_handler) {
		Cairn__Envelope cancel = CAIRN__ENVELOPE__INIT;

		cancel.kind = CAIRN__ENVELOPE__KIND__CANCEL;
		cancel.id = call_id(router, call);
		node_plugin_send(call->handler, &cancel);
	}
	record_outcome(router, call, code, text, NULL);
	snprintf(copy, sizeof copy, "%s", text);
	reply.code = code;
	reply.text = copy;
	call_end(router, call, &reply);
}

static void
check_deadlines(uv_timer_t *timer)
{
	struct router *router = timer->data;
	uint64_t now = clock_monotonic_ms();

	for (size_t i = 0; i < router->high; i++) {
		struct call *call = &router->calls[i];

		if (call->used && now >= call->deadline_ms)
			call_fail(router, call, CAIRN_ETIMEOUT,
			    "no answer before the deadline; the plugin may be busy (cairn status) "
			    "or the "
			    "deadline too short (--timeout)",
			    true);
	}
}

/* ---- answers that take their time ------------------------------------------------------- */

uint64_t
router_defer(struct router *router, const struct router_origin *origin, unsigned timeout_ms)
{
	struct call *call = call_new(router, origin);

	if (call == NULL)
		return 0;
	call->deadline_ms = clock_monotonic_ms() + timeout_ms;
	return call_id(router, call);
}

void
router_finish(struct router *router, uint64_t id, int code, const char *text)
{
	router_finish_body(router, id, code, text, text, strlen(text));
}

void
router_finish_body(
    struct router *router, uint64_t id, int code, const char *text, const void *body, size_t length)
{
	struct call *call = call_find(router, id);
	Cairn__Envelope reply = CAIRN__ENVELOPE__INIT;

	if (call == NULL)
		return; /* nobody waits any more */
	reply.code = code;
	if (code != 0) {
		reply.text = (char *)(uintptr_t)text;
	} else {
		reply.body.data = (uint8_t *)(uintptr_t)body;
		reply.body.len = length;
	}
	call_end(router, call, &reply);
}
