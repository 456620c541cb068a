/* SPDX-License-Identifier: Apache-2.0 */
/* The ledger: tail, show, verify.  Read from its files, so that they work while no node runs. */
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/evp.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/ledger_text.h"
#include "identity/identity.h"
#include "ledger/ledger.h"

#define TAIL_RECORDS 20
#define RECORD_MAX ((size_t)1 << 20)
#define FOLLOW_PAUSE_NS 200000000

static int
open_reader(const struct cli *cli, struct ledger_reader **ret, struct cairn_error *err)
{
	char dir[PATH_MAX];

	if (file_join(dir, sizeof dir, cli->home, "state/kernel/ledger") != 0)
		return cairn_error_set(err, CAIRN_ELIMIT, "the home's path is too long");
	if (!file_exists(dir))
		return cairn_error_set(err, CAIRN_ENOTFOUND,
		    "there is no ledger in %s; has the node run yet?", cli->home);
	return ledger_reader_open(ret, dir, err);
}

/* ---- records ---------------------------------------------------------------------------- */

static void
set_field(json_t *fields, const Cairn__Field *field)
{
	json_t *name = cli_text(field->name);

	if (name != NULL)
		json_object_set_new(fields, json_string_value(name), cli_text(field->value));
	json_decref(name);
}

static json_t *
record_json(const Cairn__Record *record)
{
	json_t *fields = json_object();
	char time[CLOCK_TEXT_MAX], previous[65] = "";

	clock_text(record->time_ms, time);
	if (record->previous.len == 32)
		text_hex(record->previous.data, 32, previous);
	for (size_t i = 0; i < record->n_fields; i++)
		set_field(fields, record->fields[i]);
	return json_pack("{s:I, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:s}", "index",
	    (json_int_t)record->index, "time", time, "kind", cli_text(record->kind), "subject",
	    cli_text(record->subject), "principal", cli_text(record->principal), "purpose",
	    cli_text(record->purpose), "verdict", cli_text(record->verdict), "rule",
	    cli_text(record->rule), "reason", cli_text(record->reason), "request_id",
	    cli_text(record->request_id), "fields", fields, "previous", previous);
}

static void
print_padded(const char *word)
{
	cli_print_safe(stdout, word);
	printf("%*s", strlen(word) < 8 ? (int)(10 - strlen(word)) : 2, "");
}

static void
print_line(const struct cli *cli, const Cairn__Record *record)
{
	enum cli_colour colour = strcmp(record->verdict, "deny") == 0 ? CLI_RED : CLI_PLAIN;
	char time[CLOCK_TEXT_MAX];
	char *summary = ledger_text_summary(record);

	clock_text(record->time_ms, time);
	printf("%s%6" PRIu64 "  %.19s  ", cli_colour(cli, colour), record->index, time);
	print_padded(record->kind);
	print_padded(record->verdict);
	cli_print_safe(stdout, record->subject);
	if (record->principal[0] != 0) {
		fputs("  ", stdout);
		cli_print_safe(stdout, record->principal);
	}
	if (record->reason[0] != 0) {
		fputs("  ", stdout);
		cli_print_safe(stdout, record->reason);
	}
	if (summary != NULL && summary[0] != 0) {
		fputs("  ", stdout);
		cli_print_safe(stdout, summary);
	}
	free(summary);
	printf("%s\n", cli_colour(cli, CLI_PLAIN));
}

static void
print_field(const char *name, const char *value)
{
	if (value[0] == 0)
		return;
	fputs("  ", stdout);
	cli_print_safe(stdout, name);
	printf("%*s", strlen(name) < 12 ? (int)(13 - strlen(name)) : 1, "");
	cli_print_safe(stdout, value);
	putchar('\n');
}

static void
print_whole(const Cairn__Record *record)
{
	char time[CLOCK_TEXT_MAX], previous[65] = "";

	clock_text(record->time_ms, time);
	if (record->previous.len == 32)
		text_hex(record->previous.data, 32, previous);
	printf("record %" PRIu64 "\n", record->index);
	print_field("time", time);
	print_field("kind", record->kind);
	print_field("verdict", record->verdict);
	print_field("subject", record->subject);
	print_field("principal", record->principal);
	print_field("purpose", record->purpose);
	print_field("rule", record->rule);
	print_field("reason", record->reason);
	print_field("request", record->request_id);
	for (size_t i = 0; i < record->n_fields; i++) {
		const char *value = record->fields[i]->value;
		char *text = strcmp(record->fields[i]->name, "expression") == 0
		    ? ledger_text_expression(value)
		    : NULL;

		print_field(record->fields[i]->name, text == NULL ? value : text);
		free(text);
	}
	print_field("previous", previous);
}

/* ---- tail ------------------------------------------------------------------------------- */

static int
tail_from(struct cli *cli, struct ledger_reader *reader, uint64_t *index, json_t *array)
{
	struct cairn_error err = {0};

	for (; *index < ledger_reader_count(reader); (*index)++) {
		Cairn__Record *record = NULL;

		if (ledger_reader_get(reader, *index, &record, &err) != 0)
			return cli_fail(cli, &err);
		if (array != NULL)
			json_array_append_new(array, record_json(record));
		else
			print_line(cli, record);
		cairn__record__free_unpacked(record, NULL);
	}
	fflush(stdout);
	return CLI_DONE;
}

static int
run_tail(struct cli *cli, int argc, char **argv)
{
	const struct timespec pause = {.tv_nsec = FOLLOW_PAUSE_NS};
	const char *count_text = NULL;
	bool follow = false;
	const struct cli_option options[] = {
	    {"--records", &count_text, NULL}, {"--follow", NULL, &follow}, {0}};
	struct ledger_reader *reader = NULL;
	struct cairn_error err = {0};
	json_t *array = NULL;
	int64_t count = TAIL_RECORDS;
	uint64_t total, index;
	int status;

	argc = cli_options(cli, options, argc, argv);
	if (argc != 0)
		return argc < 0 ? CLI_USAGE : cli_usage(cli, "takes no arguments but options");
	if (count_text != NULL && text_to_integer(count_text, 1, 1000000, &count) != 0)
		return cli_usage(
		    cli, "--records takes a number from 1 to 1000000, not '%s'", count_text);
	if (follow && cli->json)
		return cli_usage(cli, "--follow and --json do not go together");
	if (open_reader(cli, &reader, &err) != 0)
		return cli_fail(cli, &err);
	total = ledger_reader_count(reader);
	index = total > (uint64_t)count ? total - (uint64_t)count : 0;
	array = cli->json ? json_array() : NULL;
	status = tail_from(cli, reader, &index, array);
	while (status == CLI_DONE && follow) {
		nanosleep(&pause, NULL);
		status = tail_from(cli, reader, &index, NULL);
	}
	if (array != NULL && status == CLI_DONE)
		cli_print_json(
		    json_pack("{s:I, s:O}", "total", (json_int_t)total, "records", array));
	json_decref(array);
	ledger_reader_close(reader);
	return status;
}

/* ---- show ------------------------------------------------------------------------------- */

/* Looking for the request's name in the stored bytes is ten times as fast as unpacking them all. */
static bool
may_hold(struct ledger_reader *reader, uint64_t index, const char *request)
{
	BUF_AUTO bytes = {.max = RECORD_MAX};

	return ledger_reader_bytes(reader, index, &bytes, NULL) != 0 ||
	    memmem(bytes.data, bytes.length, request, strlen(request)) != NULL;
}

/* Every record of one request, newest last. */
static int
show_request(struct cli *cli, struct ledger_reader *reader, const char *request)
{
	json_t *array = json_array();
	size_t found = 0;

	for (uint64_t i = 0; i < ledger_reader_count(reader); i++) {
		struct cairn_error err = {0};
		Cairn__Record *record = NULL;

		if (!may_hold(reader, i, request))
			continue;
		if (ledger_reader_get(reader, i, &record, &err) != 0) {
			json_decref(array);
			return cli_fail(cli, &err);
		}
		if (strcmp(record->request_id, request) == 0) {
			found++;
			if (cli->json)
				json_array_append_new(array, record_json(record));
			else
				print_whole(record);
		}
		cairn__record__free_unpacked(record, NULL);
	}
	if (found == 0) {
		json_decref(array);
		return cli_failf(cli, CAIRN_ENOTFOUND, "no record of request '%s'", request);
	}
	if (cli->json)
		cli_print_json(json_pack("{s:O}", "records", array));
	json_decref(array);
	return CLI_DONE;
}

static int
show_index(struct cli *cli, struct ledger_reader *reader, const char *text)
{
	uint64_t total = ledger_reader_count(reader);
	Cairn__Record *record = NULL;
	struct cairn_error err = {0};
	int64_t index;

	if (text_to_integer(text, 0, INT64_MAX, &index) != 0)
		return show_request(cli, reader, text);
	if ((uint64_t)index >= total)
		return cli_failf(cli, CAIRN_ENOTFOUND,
		    "no record %s; the ledger has %" PRIu64 " (0 to %" PRIu64 ")", text, total,
		    total == 0 ? 0 : total - 1);
	if (ledger_reader_get(reader, (uint64_t)index, &record, &err) != 0)
		return cli_fail(cli, &err);
	if (cli->json)
		cli_print_json(json_pack("{s:[o]}", "records", record_json(record)));
	else
		print_whole(record);
	cairn__record__free_unpacked(record, NULL);
	return CLI_DONE;
}

static int
run_show(struct cli *cli, int argc, char **argv)
{
	const char *request = NULL;
	const struct cli_option options[] = {{"--request", &request, NULL}, {0}};
	struct ledger_reader *reader = NULL;
	struct cairn_error err = {0};
	int status;

	argc = cli_options(cli, options, argc, argv);
	if (argc < 0)
		return CLI_USAGE;
	if (argc + (request != NULL) != 1 || (request != NULL && request[0] == 0))
		return cli_usage(cli, "name one record, or one request with --request");
	if (open_reader(cli, &reader, &err) != 0)
		return cli_fail(cli, &err);
	status =
	    request != NULL ? show_request(cli, reader, request) : show_index(cli, reader, argv[0]);
	ledger_reader_close(reader);
	return status;
}

/* ---- verify ----------------------------------------------------------------------------- */

static void
verify_progress(void *arg, uint64_t done, uint64_t total)
{
	const struct cli *cli = arg;

	if (cli->tty && !cli->json) {
		printf("\r%" PRIu64 " of %" PRIu64 " records checked", done, total);
		fflush(stdout);
	}
}

static int
print_verified(const struct cli *cli, int code, const struct ledger_report *report,
    const char *fingerprint, const struct cairn_error *err)
{
	char root[65];

	text_hex(report->root, sizeof report->root, root);
	if (cli->json) {
		cli_print_json(json_pack("{s:b, s:I, s:I, s:I, s:o, s:s, s:s, s:s}", "intact",
		    code == 0, "records", (json_int_t)report->records, "checkpoints",
		    (json_int_t)report->checkpoints, "unsigned_records",
		    (json_int_t)report->unsigned_records, "bad_record",
		    report->bad_record == UINT64_MAX ? json_null()
						     : json_integer((json_int_t)report->bad_record),
		    "root", root, "key", fingerprint, "text", code == 0 ? "" : err->text));
		return code == 0 ? CLI_DONE : CLI_FAILED;
	}
	if (cli->tty)
		fputs("\r\033[K", stdout);
	if (code != 0) {
		printf("%sthe ledger has been changed%s: ", cli_colour(cli, CLI_RED),
		    cli_colour(cli, CLI_PLAIN));
		cli_print_safe(stdout, err->text);
		fputs("\n  keep the file as it is, and compare with a backup or a checkpoint kept "
		      "elsewhere\n",
		    stdout);
		return CLI_FAILED;
	}
	printf("%sintact%s: %" PRIu64 " %s, chain and tree recomputed, %" PRIu64
	       " %s signed by this node\n  root  %s\n  key   %s\n",
	    cli_colour(cli, CLI_GREEN), cli_colour(cli, CLI_PLAIN), report->records,
	    report->records == 1 ? "record" : "records", report->checkpoints,
	    report->checkpoints == 1 ? "checkpoint" : "checkpoints", root, fingerprint);
	if (report->unsigned_records > 0)
		printf("  the last %" PRIu64
		       " records are chained, and signed with the next checkpoint\n",
		    report->unsigned_records);
	return CLI_DONE;
}

static int
run_verify(struct cli *cli, int argc, char **argv)
{
	const struct cli_option options[] = {{0}};
	struct ledger_report report = {.bad_record = UINT64_MAX};
	struct cairn_error err = {0};
	char keys[PATH_MAX], dir[PATH_MAX], fingerprint[128] = "";
	EVP_PKEY *key = NULL;
	int code;

	argc = cli_options(cli, options, argc, argv);
	if (argc != 0)
		return argc < 0 ? CLI_USAGE : cli_usage(cli, "takes no arguments");
	if (file_join(keys, sizeof keys, cli->home, "keys") != 0 ||
	    file_join(dir, sizeof dir, cli->home, "state/kernel/ledger") != 0)
		return cli_failf(cli, CAIRN_ELIMIT, "the home's path is too long");
	if (!file_exists(dir))
		return cli_failf(cli, CAIRN_ENOTFOUND,
		    "there is no ledger in %s; has the node run yet?", cli->home);
	if (identity_public_key(keys, &key, &err) != 0)
		return cli_fail(cli, &err);
	identity_fingerprint(key, fingerprint, sizeof fingerprint);
	code = ledger_verify(dir, key, &report, verify_progress, cli, &err);
	EVP_PKEY_free(key);
	if (code != 0 && code != CAIRN_ECORRUPT)
		return cli_fail(cli, &err);
	return print_verified(cli, code, &report, fingerprint, &err);
}

const struct cli_command cli_ledger_commands[] = {
    {"ledger tail", "[--records N] [--follow]", "show the newest records",
	"  --records N   how many; default 20\n  --follow      go on as records come\n",
	"cairn ledger tail --records 50", run_tail},
    {"ledger show", "INDEX | ID | --request ID", "show one record, or all of one request",
	"  ID   a request's, which an answer or a denial prints as `record`\n",
	"cairn ledger show 17", run_show},
    {"ledger verify", "", "recompute every hash, the chain, the tree and every signature",
	"Exit status 1 when anything has been changed, removed, repeated or reordered; the record\n"
	"is named.\n",
	"cairn ledger verify", run_verify},
    {0}};
