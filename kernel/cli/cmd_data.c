/* SPDX-License-Identifier: Apache-2.0 */
/* Data: import and count.  Export is in cmd_export.c. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cairn/cohort.pb-c.h"
#include "cairn/imaging.pb-c.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/question.h"
#include "cohort/expr.h"
#include "depth.h"

#define IMPORT_TIMEOUT_MS 86400000u
#define BAR_WIDTH 30

/* ---- import ----------------------------------------------------------------------------- */

static void
print_bar(const Cairn__ImportProgress *progress)
{
	uint64_t total = progress->files_total == 0 ? 1 : progress->files_total;
	uint64_t filled = progress->files_done * BAR_WIDTH / total;

	fputs("\r[", stdout);
	for (uint64_t i = 0; i < BAR_WIDTH; i++)
		putchar(i < filled ? '#' : '.');
	printf("] %" PRIu64 "/%" PRIu64 "  %" PRIu64 " imported, %" PRIu64 " held already, %" PRIu64
	       " refused\033[K",
	    progress->files_done, progress->files_total, progress->imported, progress->duplicates,
	    progress->refused);
	fflush(stdout);
}

/* All that the reply names, at the end, where a person looks. */
static void
print_refusals(const struct cli *cli, const Cairn__ImportProgress *done)
{
	for (size_t i = 0; i < done->n_refusals; i++) {
		printf("%srefused%s ", cli_colour(cli, CLI_YELLOW), cli_colour(cli, CLI_PLAIN));
		cli_print_safe(stdout, done->refusals[i]->path);
		fputs(": ", stdout);
		cli_print_safe(stdout, done->refusals[i]->reason);
		putchar('\n');
	}
	if (done->refused > done->n_refusals)
		printf("... and %" PRIu64 " more refused\n", done->refused - done->n_refusals);
}

static Cairn__ImportProgress *
unpack_progress(const ProtobufCBinaryData *body)
{
	return (Cairn__ImportProgress *)proto_unpack(
	    &cairn__import_progress__descriptor, NULL, body->data, body->len);
}

static void
import_progress(void *arg, const Cairn__Envelope *envelope)
{
	const struct cli *cli = arg;
	Cairn__ImportProgress *progress = unpack_progress(&envelope->body);

	if (progress == NULL || cli->json) {
		if (progress != NULL)
			cairn__import_progress__free_unpacked(progress, NULL);
		return;
	}
	if (cli->tty)
		print_bar(progress);
	else
		printf("%" PRIu64 " of %" PRIu64 " files done\n", progress->files_done,
		    progress->files_total);
	fflush(stdout); /* who reads a pipe wants it now, too */
	cairn__import_progress__free_unpacked(progress, NULL);
}

static int
print_imported(const struct cli *cli, const Cairn__ImportProgress *done)
{
	json_t *refusals;

	if (!cli->json) {
		if (cli->tty)
			fputs("\r\033[K", stdout);
		print_refusals(cli, done);
		printf("%" PRIu64 " files: %" PRIu64 " imported, %" PRIu64 " held already, %" PRIu64
		       " refused\n",
		    done->files_done, done->imported, done->duplicates, done->refused);
		return CLI_DONE;
	}
	refusals = json_array();
	for (size_t i = 0; i < done->n_refusals; i++)
		json_array_append_new(refusals,
		    json_pack("{s:o, s:o}", "path", cli_text(done->refusals[i]->path), "reason",
			cli_text(done->refusals[i]->reason)));
	return cli_print_json(
	    json_pack("{s:I, s:I, s:I, s:I, s:o}", "files", (json_int_t)done->files_done,
		"imported", (json_int_t)done->imported, "duplicates", (json_int_t)done->duplicates,
		"refused", (json_int_t)done->refused, "refusals", refusals));
}

/* Absolute paths, since the plugin has a working directory of its own. */
static int
absolute_paths(struct cli *cli, int count, char **paths, Cairn__ImportRequest *request)
{
	request->paths = calloc((size_t)count, sizeof(char *));
	if (request->paths == NULL)
		return cli_failf(cli, CAIRN_ENOMEM, "out of memory");
	for (int i = 0; i < count; i++) {
		char *real = realpath(paths[i], NULL);

		if (real == NULL)
			return cli_failf(
			    cli, CAIRN_ENOTFOUND, "cannot read %s: %s", paths[i], strerror(errno));
		request->paths[request->n_paths++] = real;
	}
	return CLI_DONE;
}

static int
send_import(struct cli *cli, const char *purpose, const Cairn__ImportRequest *request)
{
	struct question question = {.cli = cli,
	    .purpose = purpose,
	    .subject = "imaging.import",
	    .message = &request->base,
	    .timeout_ms = IMPORT_TIMEOUT_MS,
	    .progress = import_progress};
	Cairn__Envelope *reply = NULL;
	Cairn__ImportProgress *done;
	int status = question_ask(&question, &reply);

	if (status != CLI_DONE)
		return status;
	done = unpack_progress(&reply->body);
	cairn__envelope__free_unpacked(reply, NULL);
	if (done == NULL)
		return cli_failf(cli, CAIRN_EPROTO, "the node's answer is no ImportProgress");
	status = print_imported(cli, done);
	if (done->refused > 0)
		status = CLI_FAILED;
	cairn__import_progress__free_unpacked(done, NULL);
	return status;
}

static int
run_import(struct cli *cli, int argc, char **argv)
{
	const char *purpose = "operations";
	const struct cli_option options[] = {{"--purpose", &purpose, NULL}, {0}};
	Cairn__ImportRequest request = CAIRN__IMPORT_REQUEST__INIT;
	int status;

	argc = cli_options(cli, options, argc, argv);
	if (argc < 0)
		return CLI_USAGE;
	if (argc == 0)
		return cli_usage(cli, "name files or folders");
	status = absolute_paths(cli, argc, argv, &request);
	if (status == CLI_DONE)
		status = send_import(cli, purpose, &request);
	for (size_t i = 0; i < request.n_paths; i++)
		free(request.paths[i]);
	free(request.paths);
	return status;
}

/* ---- count ------------------------------------------------------------------------------ */

static const char *const level_names[] = {"patients", "studies", "series", "instances", NULL};

static int
find_level(const char *name)
{
	for (int i = 0; level_names[i] != NULL; i++) {
		if (strcmp(level_names[i], name) == 0)
			return i;
	}
	return -1;
}

static json_t *
answer_json(const Cairn__CountAnswer *answer, const Cairn__Envelope *reply, const char *text)
{
	static const char *const kinds[] = {"exact", "rounded", "suppressed", "unsupported"};
	bool counted = answer->kind <= CAIRN__COUNT_ANSWER__KIND__ROUNDED;
	json_t *criteria = json_array();

	for (size_t i = 0; i < answer->n_criteria; i++)
		json_array_append_new(criteria, cli_text(answer->criteria[i]));
	return json_pack("{s:s, s:o, s:s, s:I, s:I, s:o, s:o, s:o, s:o, s:o}", "answer",
	    (unsigned)answer->kind < 4 ? kinds[answer->kind] : "unknown", "count",
	    counted ? json_integer((json_int_t)answer->count) : json_null(), "level",
	    level_names[(unsigned)answer->level & 3], "rounded_to", (json_int_t)answer->rounded_to,
	    "min_cell", (json_int_t)answer->min_cell, "criteria", criteria, "expression",
	    cli_text(text), "rule", cli_text(reply->rule), "reason", cli_text(reply->reason),
	    "request_id", cli_text(reply->request_id));
}

static void
print_answer(const struct cli *cli, const Cairn__CountAnswer *answer, const Cairn__Envelope *reply)
{
	const char *level = level_names[(unsigned)answer->level & 3];

	fputs(cli_colour(cli, CLI_BOLD), stdout);
	switch (answer->kind) {
	case CAIRN__COUNT_ANSWER__KIND__EXACT:
		printf("%" PRIu64 " %s", answer->count, level);
		break;
	case CAIRN__COUNT_ANSWER__KIND__ROUNDED:
		printf("about %" PRIu64 " %s (rounded to %u)", answer->count, level,
		    answer->rounded_to);
		break;
	case CAIRN__COUNT_ANSWER__KIND__SUPPRESSED:
		printf("suppressed: fewer than %u patients, which may be none", answer->min_cell);
		break;
	default:
		fputs("unsupported: this node cannot evaluate", stdout);
		for (size_t i = 0; i < answer->n_criteria; i++) {
			fputs(i == 0 ? " " : ", ", stdout);
			cli_print_safe(stdout, answer->criteria[i]);
		}
		break;
	}
	printf("%s\n", cli_colour(cli, CLI_PLAIN));
	question_print_decision(cli, reply);
}

/* Exit status of a typed answer: only a number is a count. */
static int
answer_status(const Cairn__CountAnswer *answer)
{
	return answer->kind == CAIRN__COUNT_ANSWER__KIND__UNSUPPORTED ? CLI_FAILED : CLI_DONE;
}

static int
ask_count(struct question *question, const char *text)
{
	Cairn__Envelope *reply = NULL;
	Cairn__CountAnswer *answer;
	int status = question_ask(question, &reply);

	if (status != CLI_DONE)
		return status;
	answer = (Cairn__CountAnswer *)proto_unpack(
	    &cairn__count_answer__descriptor, NULL, reply->body.data, reply->body.len);
	if (answer == NULL) {
		status =
		    cli_failf(question->cli, CAIRN_EPROTO, "the node's answer is no CountAnswer");
	} else {
		if (question->cli->json)
			cli_print_json(answer_json(answer, reply, text));
		else
			print_answer(question->cli, answer, reply);
		status = answer_status(answer);
		cairn__count_answer__free_unpacked(answer, NULL);
	}
	cairn__envelope__free_unpacked(reply, NULL);
	return status;
}

static int
run_count(struct cli *cli, int argc, char **argv)
{
	struct question question = {.cli = cli, .subject = "cohort.count", .timeout_ms = 30000};
	const char *level_name = "patients";
	const struct cli_option options[] = {{"--purpose", &question.purpose, NULL},
	    {"--as", &question.as, NULL}, {"--permit", &question.permit, NULL},
	    {"--level", &level_name, NULL}, {0}};
	Cairn__CountRequest request = CAIRN__COUNT_REQUEST__INIT;
	Cairn__Expression *expression = NULL;
	struct cairn_error err = {0};
	int level, status;

	argc = cli_options(cli, options, argc, argv);
	if (argc < 0)
		return CLI_USAGE;
	if (argc != 1)
		return cli_usage(cli,
		    argc == 0 ? "give an expression ('*' for everyone)"
			      : "put the expression in quotes, as one argument");
	if (question.purpose == NULL)
		return cli_usage(cli, "say what for, with --purpose (e.g. scientific-research)");
	level = find_level(level_name);
	if (level < 0)
		return cli_usage(
		    cli, "--level is patients, studies, series or instances, not '%s'", level_name);
	if (cohort_parse(argv[0], &expression, &err) != 0) {
		cli_fail(cli, &err);
		return CLI_USAGE;
	}
	request.expression = expression;
	request.level = (Cairn__Level)level;
	question.message = &request.base;
	status = ask_count(&question, argv[0]);
	cairn__expression__free_unpacked(expression, NULL);
	return status;
}

const struct cli_command cli_data_commands[] = {
    {"import", "PATH... [--purpose P]", "read DICOM files and folders into the node",
	"  --purpose P   default: operations\n\n"
	"Each file is de-identified on the way in, or refused with the reason. Files that are "
	"held\n"
	"already are counted and left alone, so an import can be repeated. Exit status 1 when any\n"
	"file was refused.\n",
	"cairn import /mnt/archive/2019", run_import},
    {"count", "'EXPRESSION' --purpose P [--as PRINCIPAL] [--permit ID] [--level LEVEL]",
	"ask how many patients an expression selects",
	"  --purpose P      what the answer is for, e.g. scientific-research, quality-assurance\n"
	"  --as PRINCIPAL   ask as this person, as the policy knows them\n"
	"  --permit ID      the permit the question rests on\n"
	"  --level LEVEL    patients (default), studies, series or instances\n\n"
	"The expression: criteria joined by and, or, xor, not and parentheses; a criterion is\n"
	"  modality = CT           body_part in (BREAST, CHEST)      age between 40 and 60\n"
	"  slice_thickness <= 2    manufacturer exists               same study (...)\n"
	"The answer is typed: exact, rounded, suppressed, unsupported or denied.\n",
	"cairn count 'modality = CT and age >= 50' --purpose scientific-research "
	"--as alice@example.org",
	run_count},
    {"export", "'EXPRESSION' DIR --purpose P [--as PRINCIPAL] [--permit ID]",
	"write a cohort's de-identified instances as Part 10 files",
	"Writes DIR/PATIENT/STUDY/SERIES/INSTANCE.dcm, each checked against its digest. A file "
	"that\n"
	"is there already with the same digest is left alone; one that differs is an error.\n",
	"cairn export 'modality = MG' /tmp/mg --purpose quality-assurance", cli_export_run},
    {0}};
