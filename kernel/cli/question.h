/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_QUESTION_H
#define CLI_QUESTION_H

/* A guarded question to the node: what count, import and export have in common. */

#include "cairn/cohort.pb-c.h"
#include "cli/cli.h"
#include "cli/client.h"

struct question {
	const struct cli *cli;
	const char *subject;
	const char *purpose;
	const char *permit; /* may be NULL */
	const char *as;     /* may be NULL */
	const ProtobufCMessage *message;
	char *const *lend; /* absolute paths that the plugin may read meanwhile */
	size_t lend_count;
	unsigned timeout_ms; /* unless --timeout says otherwise */
	void (*progress)(void *arg, const Cairn__Envelope *envelope);
	void *arg;
	const int *interrupt; /* as in struct client_call */
	bool *lost;           /* may be NULL; set when no reply came */
};

/* CLI_DONE with a reply whose code is 0.  Otherwise the denial (with its rule) or the error has
 * been printed, and the exit status is returned. */
int question_ask(const struct question *question, Cairn__Envelope **ret_reply);

/* "exact", "rounded", ... as --json has it. */
const char *question_kind_text(Cairn__CountAnswer__Kind kind);
json_t *question_texts_json(char *const *texts, size_t count);

/* "permitted by 30-researchers.lua: ...; ledger: cairn ledger show --request ..." */
void question_print_decision(const struct cli *cli, const Cairn__Envelope *reply);

#endif
