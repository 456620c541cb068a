/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "runtime/private.h"

#define REQUESTS_MAX 4096
#define FULFILMENTS_MAX 64
#define ANSWER_MAX (CHANNEL_MESSAGE_MAX - 65536) /* leaves room for the fulfilments */

struct fulfilment {
	char name[64];
	int64_t value;
};

/* While call() runs for a request it is only marked as answered, so that a handler which answers
 * and then also returns an error is found out instead of touching freed memory. */
struct cairn_request {
	struct cairn *cairn;
	struct message *message;
	struct cairn_request *next, **link;
	bool dispatching;
	bool answered;
	struct fulfilment *fulfilments;
	size_t fulfilment_count;
};

static void
request_free(struct cairn_request *req)
{
	*req->link = req->next;
	if (req->next != NULL)
		req->next->link = req->link;
	req->cairn->request_count--;
	message_unref(req->message);
	free(req->fulfilments);
	free(req);
}

static void
reply_send(struct cairn_request *req, Cairn__Envelope *envelope)
{
	Cairn__Fulfilment items[FULFILMENTS_MAX];
	Cairn__Fulfilment *pointers[FULFILMENTS_MAX];

	for (size_t i = 0; i < req->fulfilment_count; i++) {
		cairn__fulfilment__init(&items[i]);
		items[i].name = req->fulfilments[i].name;
		items[i].value = req->fulfilments[i].value;
		pointers[i] = &items[i];
	}
	envelope->kind = CAIRN__ENVELOPE__KIND__REPLY;
	envelope->id = req->message->envelope->id;
	envelope->n_fulfilments = req->fulfilment_count;
	envelope->fulfilments = pointers;
	runtime_answer(req->cairn, envelope);
}

/* Frees nothing: whoever calls it holds the request. */
static void
request_answer(struct cairn_request *req, Cairn__Envelope *envelope)
{
	if (req->answered) {
		log_error(RUNTIME_TOPIC, "plugin %s answered a request for %s twice, ignoring",
		    req->cairn->name, req->message->envelope->subject);
		return;
	}
	reply_send(req, envelope);
	req->answered = true;
}

/* The plugin's answer; while call() runs, requests_dispatch() frees. */
static int
request_end(struct cairn_request *req, Cairn__Envelope *envelope)
{
	request_answer(req, envelope);
	if (!req->dispatching)
		request_free(req);
	return 0;
}

int
cairn_reply(struct cairn_request *req, const void *body, size_t length)
{
	Cairn__Envelope envelope = CAIRN__ENVELOPE__INIT;

	if (length > ANSWER_MAX)
		return cairn_fail(
		    req, CAIRN_ELIMIT, "the answer of %zu bytes is too large", length);
	envelope.body.data = (uint8_t *)(uintptr_t)body;
	envelope.body.len = length;
	return request_end(req, &envelope);
}

static Cairn__Envelope
failure(int code, const char *text)
{
	Cairn__Envelope envelope = CAIRN__ENVELOPE__INIT;

	envelope.code = code < 0 ? code : CAIRN_EINTERNAL;
	envelope.text = (char *)(uintptr_t)text;
	return envelope;
}

int
cairn_fail(struct cairn_request *req, int code, const char *format, ...)
{
	char text[CAIRN_ERROR_TEXT_MAX];
	Cairn__Envelope envelope;
	va_list args;

	va_start(args, format);
	if (vsnprintf(text, sizeof text, format, args) < 0)
		text[0] = 0;
	va_end(args);
	envelope = failure(code, text);
	return request_end(req, &envelope);
}

int
cairn_progress(struct cairn_request *req, const void *body, size_t length)
{
	Cairn__Envelope envelope = CAIRN__ENVELOPE__INIT;

	if (req->answered)
		return CAIRN_EINVAL;
	if (length > ANSWER_MAX)
		return CAIRN_ELIMIT;
	envelope.kind = CAIRN__ENVELOPE__KIND__PROGRESS;
	envelope.id = req->message->envelope->id;
	envelope.body.data = (uint8_t *)(uintptr_t)body;
	envelope.body.len = length;
	return channel_send(req->cairn->channel, &envelope);
}

int
cairn_fulfil(struct cairn_request *req, const char *name, int64_t value)
{
	struct fulfilment *all;

	if (req->answered)
		return CAIRN_EINVAL;
	if (req->fulfilment_count == FULFILMENTS_MAX)
		return CAIRN_ELIMIT;
	all = realloc(req->fulfilments, (req->fulfilment_count + 1) * sizeof *all);
	if (all == NULL)
		return CAIRN_ENOMEM;
	req->fulfilments = all;
	if (!text_copy(all[req->fulfilment_count].name, sizeof all->name, name))
		return CAIRN_EINVAL;
	all[req->fulfilment_count++].value = value;
	return 0;
}

const Cairn__Envelope *
request_envelope(const struct cairn_request *req)
{
	return req->message->envelope;
}

const char *
cairn_request_subject(const struct cairn_request *req)
{
	return req->message->envelope->subject;
}

const void *
cairn_request_body(const struct cairn_request *req, size_t *ret_length)
{
	*ret_length = req->message->envelope->body.len;
	return req->message->envelope->body.data;
}

const char *
cairn_request_principal(const struct cairn_request *req)
{
	const Cairn__Context *context = req->message->envelope->context;

	return context == NULL || context->principal == NULL ? "" : context->principal->name;
}

const char *
cairn_request_purpose(const struct cairn_request *req)
{
	const Cairn__Context *context = req->message->envelope->context;

	return context == NULL ? "" : context->purpose;
}

bool
cairn_obligation_integer(const struct cairn_request *req, const char *name, int64_t *ret_value)
{
	const Cairn__Envelope *envelope = req->message->envelope;

	for (size_t i = 0; i < envelope->n_obligations; i++) {
		if (strcmp(envelope->obligations[i]->name, name) == 0) {
			*ret_value = envelope->obligations[i]->value;
			return true;
		}
	}
	return false;
}

static void
refuse(struct cairn *cairn, struct message *message, int code, const char *text)
{
	Cairn__Envelope envelope = CAIRN__ENVELOPE__INIT;

	envelope.kind = CAIRN__ENVELOPE__KIND__REPLY;
	envelope.id = message->envelope->id;
	envelope.code = code;
	envelope.text = (char *)(uintptr_t)text;
	runtime_answer(cairn, &envelope);
	message_unref(message);
}

static struct cairn_request *
request_new(struct cairn *cairn, struct message *message)
{
	struct cairn_request *req = calloc(1, sizeof *req);

	if (req == NULL)
		return NULL;
	req->cairn = cairn;
	req->message = message;
	req->next = cairn->requests;
	req->link = &cairn->requests;
	if (req->next != NULL)
		req->next->link = &req->next;
	cairn->requests = req;
	cairn->request_count++;
	return req;
}

void
requests_dispatch(struct cairn *cairn, struct message *message)
{
	struct cairn_error err = {0};
	struct cairn_request *req;
	int code;

	if (cairn->plugin.call == NULL) {
		refuse(cairn, message, CAIRN_EUNSUPPORTED, "this plugin answers no calls");
		return;
	}
	req = cairn->request_count >= REQUESTS_MAX ? NULL : request_new(cairn, message);
	if (req == NULL) {
		refuse(cairn, message, CAIRN_ELIMIT, "too many requests at once");
		return;
	}
	req->dispatching = true;
	code = cairn->plugin.call(cairn->self, req, &err);
	if (code != 0) {
		Cairn__Envelope envelope =
		    failure(code, err.code != 0 ? err.text : cairn_code_text(code));

		request_answer(req, &envelope);
	}
	req->dispatching = false;
	if (req->answered)
		request_free(req);
}

void
requests_cancel(struct cairn *cairn, uint64_t id)
{
	for (struct cairn_request *req = cairn->requests; req != NULL; req = req->next) {
		if (req->message->envelope->id != id)
			continue;
		if (cairn->plugin.cancel != NULL)
			cairn->plugin.cancel(cairn->self, req);
		return;
	}
}

void
requests_free(struct cairn *cairn)
{
	while (cairn->requests != NULL)
		request_free(cairn->requests);
}
