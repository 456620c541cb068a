/* SPDX-License-Identifier: Apache-2.0 */
#include "ask.h"

#include <stdio.h>
#include <stdlib.h>

#include "cohort/expr.h"

#define SUBJECT "genomics.carriers"
#define TIMEOUT_MS 60000

/* Every request has its expression in field 1. */
static const Cairn__Expression *
expression_of(const ProtobufCMessage *message)
{
	const ProtobufCFieldDescriptor *field =
	    protobuf_c_message_descriptor_get_field(message->descriptor, 1);
	Cairn__Expression *const *expression =
	    (const void *)((const uint8_t *)message + field->offset);

	return *expression;
}

static void got_carriers(void *arg, int code, const char *text, const void *body, size_t length);

static int
ask_next(struct ask *ask)
{
	Cairn__CarriersRequest request = CAIRN__CARRIERS_REQUEST__INIT;
	const Cairn__Expression *part = carriers_question(ask->nodes[ask->carriers.count]);
	uint8_t *packed;
	size_t length;
	int code;

	request.expression = (Cairn__Expression *)(uintptr_t)part;
	if (*ask->dictionary != NULL)
		request.known = (*ask->dictionary)->version;
	length = cairn__carriers_request__get_packed_size(&request);
	packed = malloc(length + 1);
	if (packed == NULL)
		return CAIRN_ENOMEM;
	cairn__carriers_request__pack(&request, packed);
	code = cairn_call(ask->cairn, SUBJECT, packed, length, TIMEOUT_MS, got_carriers, ask);
	free(packed);
	return code;
}

static void
fail(struct ask *ask, int code, const char *why)
{
	char text[256];

	snprintf(text, sizeof text, "who carries the variants cannot be said: %.200s", why);
	ask->done(ask->arg, code, text);
}

static int
take_answer(struct ask *ask, const void *body, size_t length, struct cairn_error *err)
{
	Cairn__CarriersAnswer *answer = cairn__carriers_answer__unpack(NULL, length, body);
	int code;

	if (answer == NULL)
		return cairn_error_set(err, CAIRN_EINVAL, SUBJECT " answered no CarriersAnswer");
	code = carriers_add(&ask->carriers, answer, ask->dictionary, err);
	cairn__carriers_answer__free_unpacked(answer, NULL);
	return code;
}

/* Nobody who serves it: the node has no genotypes beside the entries. */
static void
got_carriers(void *arg, int code, const char *text, const void *body, size_t length)
{
	struct ask *ask = arg;
	struct cairn_error err = {0};

	if (code == CAIRN_ENOTFOUND) {
		ask->carriers.none = true;
		ask->done(ask->arg, 0, NULL);
		return;
	}
	if (code != 0) {
		fail(ask, code, text != NULL ? text : cairn_code_text(code));
		return;
	}
	code = take_answer(ask, body, length, &err);
	if (code == 0 && ask->carriers.count == ask->count) {
		ask->done(ask->arg, 0, NULL);
		return;
	}
	if (code == 0)
		code = ask_next(ask);
	if (code != 0)
		fail(ask, code, err.code != 0 ? err.text : cairn_code_text(code));
}

int
ask_begin(struct ask *ask, const ProtobufCMessageDescriptor *request, const void *body,
    size_t length, struct cairn_error *err)
{
	const Cairn__Expression *expression;
	int code;

	if (cohort_check_packed(body, length, NULL) != 0)
		return 0;
	ask->message = protobuf_c_message_unpack(request, NULL, length, body);
	if (ask->message == NULL)
		return 0;
	expression = expression_of(ask->message);
	if (expression == NULL || cohort_check(expression, NULL) != 0)
		return 0;
	ask->count = carriers_nodes(expression, ask->nodes);
	if (ask->count > CARRIERS_MAX)
		return cairn_error_set(err, CAIRN_ELIMIT,
		    "the question has more than %d criteria about variants", CARRIERS_MAX);
	if (ask->count == 0)
		return 0;
	code = ask_next(ask);
	return code == 0 ? 1 : cairn_error_set(err, code, SUBJECT " could not be asked");
}

void
ask_fini(struct ask *ask)
{
	if (ask->message != NULL)
		protobuf_c_message_free_unpacked(ask->message, NULL);
	ask->message = NULL;
	carriers_fini(&ask->carriers);
}
