/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/question.h"

#include <stdlib.h>

static void
print_field(const char *name, const char *text)
{
	if (text[0] == 0)
		return;
	printf("  %-8s ", name);
	cli_print_safe(stdout, text);
	putchar('\n');
}

const char *
question_kind_text(Cairn__CountAnswer__Kind kind)
{
	static const char *const kinds[] = {"exact", "rounded", "suppressed", "unsupported"};

	return (unsigned)kind < sizeof kinds / sizeof kinds[0] ? kinds[kind] : "unknown";
}

json_t *
question_texts_json(char *const *texts, size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, cli_text(texts[i]));
	return list;
}

void
question_print_decision(const struct cli *cli, const Cairn__Envelope *reply)
{
	fputs(cli_colour(cli, CLI_DIM), stdout);
	print_field("policy", reply->reason);
	print_field("rule", reply->rule);
	print_field("record", reply->request_id);
	fputs(cli_colour(cli, CLI_PLAIN), stdout);
}

static int
print_denied(const struct cli *cli, const Cairn__Envelope *reply)
{
	if (cli->json) {
		cli_print_json(json_pack("{s:s, s:o, s:o, s:o}", "answer", "denied", "reason",
		    cli_text(reply->text), "rule", cli_text(reply->rule), "request_id",
		    cli_text(reply->request_id)));
		return CLI_FAILED;
	}
	printf("%sdenied%s: ", cli_colour(cli, CLI_RED), cli_colour(cli, CLI_PLAIN));
	cli_print_safe(stdout, reply->text);
	putchar('\n');
	question_print_decision(cli, reply);
	return CLI_FAILED;
}

int
question_ask(const struct question *question, Cairn__Envelope **ret_reply)
{
	const struct cli *cli = question->cli;
	size_t length = protobuf_c_message_get_packed_size(question->message);
	uint8_t *body = malloc(length + 1);
	struct client_call call = {.subject = question->subject,
	    .purpose = question->purpose,
	    .permit = question->permit,
	    .as = question->as,
	    .lend = question->lend,
	    .lend_count = question->lend_count,
	    .body = body,
	    .length = length,
	    .timeout_ms = cli->timeout_ms != 0 ? cli->timeout_ms : question->timeout_ms,
	    .progress = question->progress,
	    .arg = question->arg,
	    .interrupt = question->interrupt};
	struct cairn_error err = {0};
	Cairn__Envelope *reply = NULL;
	int code;

	if (body == NULL)
		return cli_failf(cli, CAIRN_ENOMEM, "out of memory");
	protobuf_c_message_pack(question->message, body);
	code = client_call(cli->home, &call, &reply, &err);
	free(body);
	if (question->lost != NULL)
		*question->lost = code != 0;
	if (code != 0)
		return cli_fail(cli, &err);
	if (reply->code == 0) {
		*ret_reply = reply;
		return CLI_DONE;
	}
	if (reply->code == CAIRN_EDENIED)
		code = print_denied(cli, reply);
	else
		code = cli_failf(cli, reply->code, "%s", reply->text);
	cairn__envelope__free_unpacked(reply, NULL);
	return code;
}
