/* SPDX-License-Identifier: Apache-2.0 */
/* Questions looked at without an answer: written in another language, and explained. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cairn/cohort.pb-c.h"
#include "cli/cli.h"
#include "cli/question.h"
#include "cli/spelling.h"
#include "cohort/expr.h"
#include "depth.h"

#define STEP_DEPTH_MAX 64
#define STEP_WIDTH 44 /* where the numbers begin */

/* ---- translate --------------------------------------------------------------------------- */

static int
translate_run(struct cli *cli, int argc, char **argv)
{
	struct spelling spelling = {0};
	const char *to = "text";
	const struct cli_option options[] = {{"--to", &to, NULL}, {"--lens", &spelling.lens, NULL},
	    {"--beacon", &spelling.beacon, NULL}, {"--keys", &spelling.keys, NULL}, {0}};
	Cairn__Expression *expression = NULL;
	char *text = NULL, *written = NULL;
	int status;

	argc = cli_options(cli, options, argc, argv);
	if (argc < 0)
		return CLI_USAGE;
	status = spelling_read(cli, &spelling, argc, argv, &expression, &text);
	if (status == CLI_DONE)
		status = spelling_write(cli, &spelling, expression, to, &written);
	if (status == CLI_DONE && cli->json)
		status = cli_print_json(json_pack("{s:s, s:o, s:o}", "to", to, "expression",
		    cli_text(text), "written", cli_text(written)));
	else if (status == CLI_DONE)
		puts(written);
	free(written);
	free(text);
	if (expression != NULL)
		cairn__expression__free_unpacked(expression, NULL);
	return status;
}

/* ---- explain ----------------------------------------------------------------------------- */

static void
number_text(const Cairn__ExplainAnswer *answer, const Cairn__ExplainStep *step, char ret[64])
{
	ret[0] = 0;
	if (answer->plan_only)
		return;
	switch (step->kind) {
	case CAIRN__COUNT_ANSWER__KIND__EXACT:
		snprintf(ret, 64, "%" PRIu64, step->count);
		break;
	case CAIRN__COUNT_ANSWER__KIND__ROUNDED:
		snprintf(ret, 64, "about %" PRIu64, step->count);
		break;
	case CAIRN__COUNT_ANSWER__KIND__SUPPRESSED:
		snprintf(ret, 64, "fewer than %u", answer->min_cell);
		break;
	default:
		snprintf(ret, 64, "unsupported");
		break;
	}
}

static void
print_step(const Cairn__ExplainAnswer *answer, const Cairn__ExplainStep *step)
{
	unsigned depth = step->depth < STEP_DEPTH_MAX ? step->depth : STEP_DEPTH_MAX;
	size_t used = (size_t)depth * 2 + strlen(step->what);
	char number[64];

	printf("%*s", (int)depth * 2, "");
	cli_print_safe(stdout, step->what);
	number_text(answer, step, number);
	printf("%*s  %s", used < STEP_WIDTH ? (int)(STEP_WIDTH - used) : 0, "", number);
	if (step->how[0] != 0) {
		fputs("  (", stdout);
		cli_print_safe(stdout, step->how);
		putchar(')');
	}
	putchar('\n');
}

static json_t *
step_json(const Cairn__ExplainStep *step)
{
	bool counted = step->kind <= CAIRN__COUNT_ANSWER__KIND__ROUNDED;

	return json_pack("{s:I, s:o, s:s, s:o, s:o}", "depth", (json_int_t)step->depth, "what",
	    cli_text(step->what), "answer", question_kind_text(step->kind), "count",
	    counted ? json_integer((json_int_t)step->count) : json_null(), "how",
	    cli_text(step->how));
}

static void
print_explanation(
    const struct cli *cli, const Cairn__ExplainAnswer *answer, const Cairn__Envelope *reply)
{
	json_t *steps = json_array();

	for (size_t i = 0; i < answer->n_steps; i++) {
		if (cli->json)
			json_array_append_new(steps, step_json(answer->steps[i]));
		else
			print_step(answer, answer->steps[i]);
	}
	if (cli->json) {
		cli_print_json(json_pack("{s:o, s:b, s:I, s:I, s:o}", "steps", steps, "plan_only",
		    answer->plan_only, "rounded_to", (json_int_t)answer->rounded_to, "min_cell",
		    (json_int_t)answer->min_cell, "request_id", cli_text(reply->request_id)));
		return;
	}
	json_decref(steps);
	for (size_t i = 0; i < answer->n_criteria; i++) {
		fputs(i == 0 ? "  this node cannot evaluate " : ", ", stdout);
		cli_print_safe(stdout, answer->criteria[i]);
	}
	if (answer->n_criteria > 0)
		putchar('\n');
	if (answer->plan_only)
		puts("  the policy shows no numbers here; cairn count asks for the one of the "
		     "whole");
	question_print_decision(cli, reply);
}

static int
ask_explain(struct question *question)
{
	Cairn__Envelope *reply = NULL;
	Cairn__ExplainAnswer *answer;
	int status = question_ask(question, &reply);

	if (status != CLI_DONE)
		return status;
	answer = (Cairn__ExplainAnswer *)proto_unpack(
	    &cairn__explain_answer__descriptor, NULL, reply->body.data, reply->body.len);
	if (answer == NULL) {
		status =
		    cli_failf(question->cli, CAIRN_EPROTO, "the node's answer is no ExplainAnswer");
	} else {
		print_explanation(question->cli, answer, reply);
		status = answer->n_criteria > 0 ? CLI_FAILED : CLI_DONE;
		cairn__explain_answer__free_unpacked(answer, NULL);
	}
	cairn__envelope__free_unpacked(reply, NULL);
	return status;
}

static int
explain_run(struct cli *cli, int argc, char **argv)
{
	struct question question = {.cli = cli, .subject = "cohort.explain", .timeout_ms = 30000};
	struct spelling spelling = {0};
	const struct cli_option options[] = {{"--purpose", &question.purpose, NULL},
	    {"--as", &question.as, NULL}, {"--permit", &question.permit, NULL},
	    {"--lens", &spelling.lens, NULL}, {"--beacon", &spelling.beacon, NULL},
	    {"--keys", &spelling.keys, NULL}, {0}};
	Cairn__ExplainRequest request = CAIRN__EXPLAIN_REQUEST__INIT;
	char *text = NULL;
	int status;

	argc = cli_options(cli, options, argc, argv);
	if (argc < 0)
		return CLI_USAGE;
	if (question.purpose == NULL && argc > 0)
		return cli_usage(cli, "say what for, with --purpose (e.g. scientific-research)");
	status = spelling_read(cli, &spelling, argc, argv, &request.expression, &text);
	if (status == CLI_DONE && question.purpose == NULL)
		status = cli_usage(cli, "say what for, with --purpose (e.g. scientific-research)");
	question.message = &request.base;
	if (status == CLI_DONE)
		status = ask_explain(&question);
	free(text);
	if (request.expression != NULL)
		cairn__expression__free_unpacked(request.expression, NULL);
	return status;
}

const struct cli_command cli_query_commands[] = {
    {"cohort translate", "['EXPRESSION'] --to text|lens|beacon [--lens FILE] [--beacon FILE]",
	"write an expression as another system asks it",
	"  --to FORMAT      text (default): this program's own; lens: the syntax tree of Lens, "
	"with\n"
	"                   the keys of the EUCAIM explorer; beacon: a request of Beacon v2\n"
	"  --lens FILE      read the expression from a Lens syntax tree; - is standard input\n"
	"  --beacon FILE    read it from a Beacon v2 request\n"
	"  --keys FILE      a site's own keys of Lens: key, value, field, = or under or like or *, "
	"and\n"
	"                   our value, separated by tabs\n\n"
	"What the other language cannot say is an error that names it: nothing is left out, since "
	"that\n"
	"would ask for more people. Needs no node.\n",
	"cairn cohort translate --to lens 'sex = male and psa >= 4'", translate_run},
    {"cohort explain",
	"['EXPRESSION'] --purpose P [--as PRINCIPAL] [--permit ID] [--lens FILE] [--beacon FILE]",
	"show how an expression is counted, and what each part selects",
	"  --purpose P      what it is for, as for cairn count\n"
	"  --as PRINCIPAL   ask as this person, as the policy knows them\n"
	"  --permit ID      the permit the question rests on\n"
	"  --lens FILE, --beacon FILE, --keys FILE   as for cairn cohort translate\n\n"
	"A line for each part, the parts of a part indented below it, with how it was found. The "
	"numbers\n"
	"obey the same rules as counts: small ones are suppressed, others rounded.\n",
	"cairn cohort explain 'modality = MR and sex = female' --purpose quality-assurance",
	explain_run},
    {0}};
