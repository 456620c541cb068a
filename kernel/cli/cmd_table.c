/* SPDX-License-Identifier: Apache-2.0 */
/* Tables: import, check, guess.  The table is read by the plugin, which is lent the files. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "cairn/table.pb-c.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/question.h"
#include "depth.h"

#define TABLE_TIMEOUT_MS 86400000u

struct table_arguments {
	const char *path, *mapping, *purpose;
	bool skip_bad_rows;
};

/* ---- what is printed
 * ------------------------------------------------------------------------------ */

static void
print_error(const struct cli *cli, const char *path, const Cairn__TableError *error)
{
	printf("%s%s", cli_colour(cli, CLI_YELLOW), path);
	if (error->line > 0)
		printf(":%" PRIu64, error->line);
	if (error->column > 0)
		printf(":%u", error->column);
	printf("%s: ", cli_colour(cli, CLI_PLAIN));
	if (error->column_name[0] != 0) {
		cli_print_safe(stdout, error->column_name);
		fputs(": ", stdout);
	}
	cli_print_safe(stdout, error->what);
	if (error->advice[0] != 0) {
		fputs("; ", stdout);
		cli_print_safe(stdout, error->advice);
	}
	putchar('\n');
}

static json_t *
errors_json(const Cairn__TableAnswer *answer)
{
	json_t *errors = json_array();

	for (size_t i = 0; i < answer->n_reports; i++) {
		const Cairn__TableError *error = answer->reports[i];

		json_array_append_new(errors,
		    json_pack("{s:I, s:i, s:o, s:o, s:o}", "line", (json_int_t)error->line,
			"column", (int)error->column, "name", cli_text(error->column_name), "what",
			cli_text(error->what), "advice", cli_text(error->advice)));
	}
	return errors;
}

static int
print_json(const Cairn__TableAnswer *answer)
{
	return cli_print_json(json_pack("{s:o, s:I, s:I, s:I, s:b, s:I, s:I, s:I, s:I, s:o}",
	    "table", cli_text(answer->table), "rows", (json_int_t)answer->rows, "bad_rows",
	    (json_int_t)answer->bad_rows, "errors", (json_int_t)answer->errors, "imported",
	    (int)answer->imported, "patients", (json_int_t)answer->patients, "entries",
	    (json_int_t)answer->entries, "changed", (json_int_t)answer->changed, "gone",
	    (json_int_t)answer->gone, "reports", errors_json(answer)));
}

static void
print_counts(const Cairn__TableAnswer *answer, bool check)
{
	if (!answer->imported) {
		printf("%" PRIu64 " rows, %" PRIu64 " errors in %" PRIu64 " rows%s\n", answer->rows,
		    answer->errors, answer->bad_rows,
		    check                     ? ""
			: answer->errors == 0 ? ""
					      : ": nothing is imported (--skip-bad-rows leaves "
						"such rows out)");
		return;
	}
	printf(
	    "table %s: %" PRIu64 " rows imported", answer->table, answer->rows - answer->bad_rows);
	if (answer->bad_rows > 0)
		printf(", %" PRIu64 " bad rows left out", answer->bad_rows);
	printf("\n%" PRIu64 " patients, %" PRIu64 " entries; something new about %" PRIu64
	       " patients, %" PRIu64 " are no longer in the table\n",
	    answer->patients, answer->entries, answer->changed, answer->gone);
}

static int
print_answer(const struct cli *cli, const char *path, const Cairn__TableAnswer *answer, bool check)
{
	int status = answer->errors > 0 ? CLI_FAILED : CLI_DONE;

	if (cli->json) {
		print_json(answer);
		return status;
	}
	for (size_t i = 0; i < answer->n_reports; i++)
		print_error(cli, path, answer->reports[i]);
	if (answer->errors > answer->n_reports)
		printf("... and %" PRIu64 " more\n", answer->errors - answer->n_reports);
	print_counts(answer, check);
	return status;
}

/* ---- asking
 * ---------------------------------------------------------------------------------------- */

static int
ask(struct cli *cli, const char *subject, const char *purpose, Cairn__TableRequest *request,
    Cairn__TableAnswer **ret)
{
	char *lend[] = {request->path, request->mapping};
	struct question question = {.cli = cli,
	    .purpose = purpose,
	    .subject = subject,
	    .message = &request->base,
	    .timeout_ms = TABLE_TIMEOUT_MS,
	    .lend = lend,
	    .lend_count = request->mapping[0] != 0 ? 2 : 1};
	Cairn__Envelope *reply = NULL;
	int status = question_ask(&question, &reply);

	if (status != CLI_DONE)
		return status;
	*ret = (Cairn__TableAnswer *)proto_unpack(
	    &cairn__table_answer__descriptor, NULL, reply->body.data, reply->body.len);
	cairn__envelope__free_unpacked(reply, NULL);
	return *ret != NULL ? CLI_DONE
			    : cli_failf(cli, CAIRN_EPROTO, "the node's answer is no TableAnswer");
}

/* Absolute, since the plugin has a working directory of its own. */
static char *
absolute(const struct cli *cli, const char *path)
{
	char *real = realpath(path, NULL);

	if (real == NULL)
		cli_failf(cli, CAIRN_ENOTFOUND, "cannot read %s: %s", path, strerror(errno));
	return real;
}

static int
ask_about(struct cli *cli, const char *subject, const struct table_arguments *arguments)
{
	Cairn__TableRequest request = CAIRN__TABLE_REQUEST__INIT;
	Cairn__TableAnswer *answer = NULL;
	char *path = absolute(cli, arguments->path), *mapping = NULL;
	int status = CLI_FAILED;

	if (path != NULL)
		mapping = absolute(cli, arguments->mapping);
	if (path != NULL && mapping != NULL) {
		request.path = path;
		request.mapping = mapping;
		request.skip_bad_rows = arguments->skip_bad_rows;
		status = ask(cli, subject, arguments->purpose, &request, &answer);
	}
	if (status == CLI_DONE) {
		status =
		    print_answer(cli, arguments->path, answer, strcmp(subject, "table.check") == 0);
		if (answer->imported)
			status = CLI_DONE; /* what is left out was asked for, and is said */
		cairn__table_answer__free_unpacked(answer, NULL);
	}
	free(path);
	free(mapping);
	return status;
}

static int
take_arguments(struct cli *cli, int argc, char **argv, struct table_arguments *ret)
{
	const struct cli_option options[] = {{"--mapping", &ret->mapping, NULL},
	    {"--purpose", &ret->purpose, NULL}, {"--skip-bad-rows", NULL, &ret->skip_bad_rows},
	    {0}};

	argc = cli_options(cli, options, argc, argv);
	if (argc < 0)
		return CLI_USAGE;
	if (argc != 1)
		return cli_usage(cli, "name one table");
	if (ret->mapping == NULL)
		return cli_usage(cli,
		    "say what its columns mean: --mapping FILE (cairn table guess drafts one)");
	ret->path = argv[0];
	return CLI_DONE;
}

static int
run_import(struct cli *cli, int argc, char **argv)
{
	struct table_arguments arguments = {.purpose = "operations"};
	int status = take_arguments(cli, argc, argv, &arguments);

	return status != CLI_DONE ? status : ask_about(cli, "table.import", &arguments);
}

static int
run_check(struct cli *cli, int argc, char **argv)
{
	struct table_arguments arguments = {.purpose = "operations"};
	int status = take_arguments(cli, argc, argv, &arguments);

	if (status == CLI_DONE && arguments.skip_bad_rows)
		return cli_usage(cli, "--skip-bad-rows is for an import");
	return status != CLI_DONE ? status : ask_about(cli, "table.check", &arguments);
}

/* ---- guess
 * ----------------------------------------------------------------------------------------- */

static int
write_draft(struct cli *cli, const char *out, const char *draft)
{
	struct cairn_error err = {0};

	if (cli->json)
		return cli_print_json(json_pack("{s:o}", "mapping", cli_text(draft)));
	if (out == NULL) {
		fputs(draft, stdout);
		return CLI_DONE;
	}
	if (file_exists(out))
		return cli_failf(cli, CAIRN_EEXIST, "%s is there already; name another file", out);
	if (file_write(out, draft, strlen(draft), 0644, &err) != 0)
		return cli_fail(cli, &err);
	printf(
	    "wrote %s; look at each line, then: cairn table check TABLE --mapping %s\n", out, out);
	return CLI_DONE;
}

static int
run_guess(struct cli *cli, int argc, char **argv)
{
	const char *purpose = "operations", *out = NULL;
	const struct cli_option options[] = {
	    {"--purpose", &purpose, NULL}, {"--out", &out, NULL}, {0}};
	Cairn__TableRequest request = CAIRN__TABLE_REQUEST__INIT;
	Cairn__TableAnswer *answer = NULL;
	char *path;
	int status;

	argc = cli_options(cli, options, argc, argv);
	if (argc < 0)
		return CLI_USAGE;
	if (argc != 1)
		return cli_usage(cli, "name one table");
	path = absolute(cli, argv[0]);
	if (path == NULL)
		return CLI_FAILED;
	request.path = path;
	status = ask(cli, "table.guess", purpose, &request, &answer);
	free(path);
	if (status == CLI_DONE)
		status = write_draft(cli, out, answer->draft);
	if (answer != NULL)
		cairn__table_answer__free_unpacked(answer, NULL);
	return status;
}

const struct cli_command cli_table_commands[] = {
    {"table guess", "FILE [--out MAPPING] [--purpose P]", "draft a mapping for a table",
	"  --out MAPPING   a new file; default: standard output\n"
	"  --purpose P     default: operations\n\n"
	"Columns are recognised by their names, in English, German, French, Spanish, Italian,\n"
	"Dutch and as in the EUCAIM common data model. Identifiers and free text never get into\n"
	"the draft. What could not be decided says TODO, which a check refuses.\n",
	"cairn table guess registry.csv --out registry.yaml", run_guess},
    {"table check", "FILE --mapping MAPPING [--purpose P]", "check a table against its mapping",
	"  --mapping MAPPING   what the columns mean (the manual page of table)\n"
	"  --purpose P         default: operations\n\n"
	"Prints each thing that cannot be taken with its line and column, and what to do; of\n"
	"columns that identify the patient no value is shown. Nothing is stored. Exit status 1\n"
	"when there are errors.\n",
	"cairn table check registry.csv --mapping registry.yaml", run_check},
    {"table import", "FILE --mapping MAPPING [--skip-bad-rows] [--purpose P]",
	"import a table of clinical variables",
	"  --mapping MAPPING   what the columns mean (the manual page of table)\n"
	"  --skip-bad-rows     import the others, and say what was left out\n"
	"  --purpose P         default: operations\n\n"
	"The table is checked as a whole first; when anything in it is wrong, nothing is "
	"imported.\n"
	"It replaces what was imported under the same name (table: NAME in the mapping): rows "
	"that\n"
	"are no longer in it are taken back.\n",
	"cairn table import registry.csv --mapping registry.yaml", run_import},
    {0}};
