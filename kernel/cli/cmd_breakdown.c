/* SPDX-License-Identifier: Apache-2.0 */
/* A cohort by the values of an attribute, or by ranges of a number. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cairn/cohort.pb-c.h"
#include "cli/cli.h"
#include "cli/question.h"
#include "cli/spelling.h"
#include "depth.h"

#define VALUE_WIDTH 24
#define ATTRIBUTES_MAX 2

static void
print_value(const char *value)
{
	size_t length = strlen(value);

	cli_print_safe(stdout, value);
	printf("%*s", length < VALUE_WIDTH ? (int)(VALUE_WIDTH - length) : 1, "");
}

static void
print_criteria(char *const *criteria, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		fputs(i == 0 ? "this node cannot evaluate " : ", ", stdout);
		cli_print_safe(stdout, criteria[i]);
	}
	if (count > 0)
		putchar('\n');
}

/* ---- breakdown --------------------------------------------------------------------------- */

static json_t *
cell_json(const Cairn__BreakdownCell *cell)
{
	json_t *values = json_array();

	for (size_t i = 0; i < cell->n_values; i++)
		json_array_append_new(values, cli_text(cell->values[i]));
	return json_pack("{s:o, s:I}", "values", values, "count", (json_int_t)cell->count);
}

static void
print_cells(const Cairn__BreakdownAnswer *answer)
{
	for (size_t i = 0; i < answer->n_cells; i++) {
		const Cairn__BreakdownCell *cell = answer->cells[i];

		for (size_t n = 0; n < cell->n_values; n++)
			print_value(cell->values[n]);
		printf("%" PRIu64 "\n", cell->count);
	}
	if (answer->min_cell > 0)
		printf("What is not here is nobody, fewer than %u, or would give such a number "
		       "away.\n",
		    answer->min_cell);
	if (answer->truncated)
		puts("There are more values; --limit shows more of them.");
}

static int
show_breakdown(const struct cli *cli, const Cairn__Envelope *reply)
{
	Cairn__BreakdownAnswer *answer = (Cairn__BreakdownAnswer *)proto_unpack(
	    &cairn__breakdown_answer__descriptor, NULL, reply->body.data, reply->body.len);
	int status;

	if (answer == NULL)
		return cli_failf(cli, CAIRN_EPROTO, "the node's answer is no BreakdownAnswer");
	status = answer->n_criteria > 0 ? CLI_FAILED : CLI_DONE;
	if (cli->json) {
		json_t *cells = json_array();

		for (size_t i = 0; i < answer->n_cells; i++)
			json_array_append_new(cells, cell_json(answer->cells[i]));
		cli_print_json(json_pack("{s:s, s:o, s:I, s:I, s:b, s:o, s:o}", "answer",
		    question_kind_text(answer->kind), "cells", cells, "rounded_to",
		    (json_int_t)answer->rounded_to, "min_cell", (json_int_t)answer->min_cell,
		    "truncated", answer->truncated, "criteria",
		    question_texts_json(answer->criteria, answer->n_criteria), "request_id",
		    cli_text(reply->request_id)));
	} else {
		if (answer->n_criteria == 0)
			print_cells(answer);
		print_criteria(answer->criteria, answer->n_criteria);
		question_print_decision(cli, reply);
	}
	cairn__breakdown_answer__free_unpacked(answer, NULL);
	return status;
}

/* ---- distribution ------------------------------------------------------------------------ */

static json_t *
bin_json(const Cairn__DistributionBin *bin)
{
	bool counted = bin->kind <= CAIRN__COUNT_ANSWER__KIND__ROUNDED;

	return json_pack("{s:f, s:f, s:s, s:o}", "from", bin->from, "to", bin->to, "answer",
	    question_kind_text(bin->kind), "count",
	    counted ? json_integer((json_int_t)bin->count) : json_null());
}

static void
print_bin(const Cairn__DistributionAnswer *answer, const Cairn__DistributionBin *bin)
{
	char range[64];

	snprintf(range, sizeof range, "%g to %g", bin->from, bin->to);
	print_value(range);
	if (bin->kind == CAIRN__COUNT_ANSWER__KIND__SUPPRESSED)
		printf("suppressed: nobody, fewer than %u, or what would give such a number away\n",
		    answer->min_cell);
	else
		printf("%" PRIu64 "\n", bin->count);
}

static int
show_distribution(const struct cli *cli, const Cairn__Envelope *reply)
{
	Cairn__DistributionAnswer *answer = (Cairn__DistributionAnswer *)proto_unpack(
	    &cairn__distribution_answer__descriptor, NULL, reply->body.data, reply->body.len);
	json_t *bins;
	int status;

	if (answer == NULL)
		return cli_failf(cli, CAIRN_EPROTO, "the node's answer is no DistributionAnswer");
	status = answer->n_criteria > 0 ? CLI_FAILED : CLI_DONE;
	bins = json_array();
	for (size_t i = 0; i < answer->n_bins; i++) {
		if (cli->json)
			json_array_append_new(bins, bin_json(answer->bins[i]));
		else
			print_bin(answer, answer->bins[i]);
	}
	if (cli->json) {
		cli_print_json(json_pack("{s:s, s:o, s:I, s:I, s:o, s:o}", "answer",
		    question_kind_text(answer->kind), "bins", bins, "rounded_to",
		    (json_int_t)answer->rounded_to, "min_cell", (json_int_t)answer->min_cell,
		    "criteria", question_texts_json(answer->criteria, answer->n_criteria),
		    "request_id", cli_text(reply->request_id)));
	} else {
		json_decref(bins);
		print_criteria(answer->criteria, answer->n_criteria);
		question_print_decision(cli, reply);
	}
	cairn__distribution_answer__free_unpacked(answer, NULL);
	return status;
}

/* ---- asking ------------------------------------------------------------------------------ */

static int
ask(struct question *question, int (*show)(const struct cli *, const Cairn__Envelope *))
{
	Cairn__Envelope *reply = NULL;
	int status = question_ask(question, &reply);

	if (status != CLI_DONE)
		return status;
	status = show(question->cli, reply);
	cairn__envelope__free_unpacked(reply, NULL);
	return status;
}

/* "a,b" into its one or two names; the text is cut up. */
static size_t
cut_names(char *text, char *names[ATTRIBUTES_MAX])
{
	char *comma = strchr(text, ',');

	names[0] = text;
	if (comma == NULL)
		return 1;
	*comma = 0;
	names[1] = comma + 1;
	return 2;
}

static int
breakdown_run(struct cli *cli, int argc, char **argv)
{
	struct question question = {.cli = cli, .subject = "cohort.breakdown", .timeout_ms = 30000};
	struct spelling spelling = {0};
	const char *by = NULL, *limit = NULL;
	const struct cli_option options[] = {{"--by", &by, NULL}, {"--limit", &limit, NULL},
	    {"--purpose", &question.purpose, NULL}, {"--as", &question.as, NULL},
	    {"--permit", &question.permit, NULL}, {0}};
	Cairn__BreakdownRequest request = CAIRN__BREAKDOWN_REQUEST__INIT;
	char *text = NULL, *names[ATTRIBUTES_MAX], *cut;
	unsigned long most = 0;
	char *end = NULL;
	int status;

	argc = cli_options(cli, options, argc, argv);
	if (argc < 0)
		return CLI_USAGE;
	if (by == NULL)
		return cli_usage(cli, "say by which attribute, with --by (e.g. --by sex)");
	if (question.purpose == NULL)
		return cli_usage(cli, "say what for, with --purpose (e.g. quality-assurance)");
	if (limit != NULL)
		most = strtoul(limit, &end, 10);
	if (limit != NULL && (*end != 0 || most < 1 || most > 100))
		return cli_usage(cli, "--limit takes 1 to 100");
	cut = strdup(by);
	if (cut == NULL)
		return cli_failf(cli, CAIRN_ENOMEM, "out of memory");
	request.attributes = names;
	request.n_attributes = cut_names(cut, names);
	request.limit = (uint32_t)most;
	status = spelling_read(cli, &spelling, argc, argv, &request.expression, &text);
	question.message = &request.base;
	if (status == CLI_DONE)
		status = ask(&question, show_breakdown);
	free(text);
	free(cut);
	if (request.expression != NULL)
		cairn__expression__free_unpacked(request.expression, NULL);
	return status;
}

static bool
read_number(const char *text, double *ret)
{
	char *end;

	if (text == NULL)
		return true;
	*ret = strtod(text, &end);
	return end != text && *end == 0;
}

static int
distribution_run(struct cli *cli, int argc, char **argv)
{
	struct question question = {
	    .cli = cli, .subject = "cohort.distribution", .timeout_ms = 30000};
	struct spelling spelling = {0};
	const char *of = NULL, *from = NULL, *to = NULL, *bins = NULL;
	const struct cli_option options[] = {{"--of", &of, NULL}, {"--from", &from, NULL},
	    {"--to", &to, NULL}, {"--bins", &bins, NULL}, {"--purpose", &question.purpose, NULL},
	    {"--as", &question.as, NULL}, {"--permit", &question.permit, NULL}, {0}};
	Cairn__DistributionRequest request = CAIRN__DISTRIBUTION_REQUEST__INIT;
	double count = 0;
	char *text = NULL;
	int status;

	argc = cli_options(cli, options, argc, argv);
	if (argc < 0)
		return CLI_USAGE;
	if (of == NULL)
		return cli_usage(cli, "say of which attribute, with --of (e.g. --of age)");
	if (question.purpose == NULL)
		return cli_usage(cli, "say what for, with --purpose (e.g. quality-assurance)");
	if (!read_number(from, &request.from) || !read_number(to, &request.to) ||
	    (from == NULL) != (to == NULL) || request.from > request.to)
		return cli_usage(cli, "--from and --to take the two ends of a range");
	if (!read_number(bins, &count) || (bins != NULL && !(count >= 1 && count <= 100)))
		return cli_usage(cli, "--bins takes 1 to 100");
	request.attribute = (char *)(uintptr_t)of;
	request.bins = (uint32_t)count;
	status = spelling_read(cli, &spelling, argc, argv, &request.expression, &text);
	question.message = &request.base;
	if (status == CLI_DONE)
		status = ask(&question, show_distribution);
	free(text);
	if (request.expression != NULL)
		cairn__expression__free_unpacked(request.expression, NULL);
	return status;
}

const struct cli_command cli_breakdown_commands[] = {
    {"cohort breakdown",
	"'EXPRESSION' --by FIELD[,FIELD] --purpose P [--limit N] [--as PRINCIPAL] [--permit ID]",
	"count a cohort's patients by the values of one or two fields",
	"  --by FIELD[,FIELD]   what cairn cohort fields lists\n"
	"  --limit N            so many values of each field at most, the most frequent (20)\n"
	"  --purpose P, --as PRINCIPAL, --permit ID   as for cairn count\n\n"
	"A patient with several values is counted under each. Small numbers are left out, and so "
	"are\n"
	"others from which they could be worked out.\n",
	"cairn cohort breakdown 'diagnosis in icd10:C50' --by sex --purpose quality-assurance",
	breakdown_run},
    {"cohort distribution",
	"'EXPRESSION' --of FIELD --purpose P [--from A --to B] [--bins N] [--as PRINCIPAL] "
	"[--permit ID]",
	"count a cohort's patients by ranges of a number",
	"  --of FIELD           a number that cairn cohort fields lists\n"
	"  --from A, --to B     both ends; else all that the field may be\n"
	"  --bins N             so many ranges of equal width (10)\n"
	"  --purpose P, --as PRINCIPAL, --permit ID   as for cairn count\n",
	"cairn cohort distribution 'modality = CT' --of age --purpose quality-assurance",
	distribution_run},
    {0}};
