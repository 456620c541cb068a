/* SPDX-License-Identifier: Apache-2.0 */
/* call: any subject, with text as its body. */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/client.h"

#define CALL_TIMEOUT_MS 10000

/* As text, up to the first zero: who wants bytes takes them without --json. */
static int
print_answer_json(const Cairn__Envelope *reply)
{
	char *text =
	    strndup(reply->body.len == 0 ? "" : (const char *)reply->body.data, reply->body.len);
	json_t *body = text == NULL ? NULL : cli_text(text);

	free(text);
	return cli_print_json(
	    json_pack("{s:o, s:o}", "body", body, "request_id", cli_text(reply->request_id)));
}

static int
print_answer(const struct cli *cli, const Cairn__Envelope *reply)
{
	if (reply->code != 0)
		return cli_failf(cli, reply->code, "%s", reply->text);
	if (cli->json)
		return print_answer_json(reply);
	for (size_t i = 0; i < reply->body.len; i++) {
		uint8_t c = reply->body.data[i];

		putchar(cli->tty && c < 32 && c != '\n' && c != '\t' ? '?' : c);
	}
	if (reply->body.len == 0 || reply->body.data[reply->body.len - 1] != '\n')
		putchar('\n');
	return CLI_DONE;
}

int
cli_call_run(struct cli *cli, int argc, char **argv)
{
	struct client_call call = {.timeout_ms = CALL_TIMEOUT_MS};
	const struct cli_option options[] = {
	    {"--purpose", &call.purpose, NULL}, {"--as", &call.as, NULL}, {0}};
	struct cairn_error err = {0};
	Cairn__Envelope *reply = NULL;
	int status;

	argc = cli_options(cli, options, argc, argv);
	if (argc < 0)
		return CLI_USAGE;
	if (argc < 1 || argc > 2)
		return cli_usage(cli, "name a subject, and at most one text");
	call.subject = argv[0];
	call.body = argc == 2 ? argv[1] : "";
	call.length = argc == 2 ? strlen(argv[1]) : 0;
	if (cli->timeout_ms != 0)
		call.timeout_ms = cli->timeout_ms;
	if (client_call(cli->home, &call, &reply, &err) != 0)
		return cli_fail(cli, &err);
	status = print_answer(cli, reply);
	cairn__envelope__free_unpacked(reply, NULL);
	return status;
}
