/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COHORT_ASK_H
#define COHORT_ASK_H

/* What has to be asked of other plugins before a question can be answered: who carries a variant.
 * On the plugin's loop. */

#include <cairn/plugin.h>

#include "carriers.h"

struct ask {
	struct cairn *cairn;
	struct carriers carriers; /* what was answered */
	/* The dictionary that is kept from question to question. */
	struct carriers_dictionary **dictionary;
	/* Called once, after ask_begin() returned 1: `code` and words when the question must fail.
	 */
	void (*done)(void *arg, int code, const char *why);
	void *arg;
	/* private */
	ProtobufCMessage *message;
	const Cairn__Expression *nodes[CARRIERS_MAX];
	size_t count;
};

/* 0: nothing has to be asked, or the request is malformed, which whoever answers it will say;
 * 1: `done` will be called; or a negative code. */
int ask_begin(struct ask *ask, const ProtobufCMessageDescriptor *request, const void *body,
    size_t length, struct cairn_error *err);
void ask_fini(struct ask *ask);

#endif
