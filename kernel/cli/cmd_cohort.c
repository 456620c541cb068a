/* SPDX-License-Identifier: Apache-2.0 */
/* The cohort engine: count, and what can be asked of it. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cairn/cohort.pb-c.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/question.h"
#include "cli/spelling.h"
#include "cohort/expr.h"
#include "depth.h"

#define VALUE_COLUMN 13 /* where the values of a field begin */
#define LINE_WIDTH 75   /* of a list of values */

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

/* {"modalitiy": "modality"}: the criteria for which there is one that was probably meant. */
static json_t *
suggestions_json(const Cairn__CountAnswer *answer)
{
	json_t *suggestions = json_object();

	for (size_t i = 0; i < answer->n_criteria; i++) {
		const char *near = cohort_attribute_suggest(answer->criteria[i]);

		if (near != NULL && cohort_is_attribute_name(answer->criteria[i]))
			json_object_set_new(suggestions, answer->criteria[i], json_string(near));
	}
	return suggestions;
}

static json_t *
answer_json(const Cairn__CountAnswer *answer, const Cairn__Envelope *reply, const char *text)
{
	bool counted = answer->kind <= CAIRN__COUNT_ANSWER__KIND__ROUNDED;

	return json_pack("{s:s, s:o, s:s, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "answer",
	    question_kind_text(answer->kind), "count",
	    counted ? json_integer((json_int_t)answer->count) : json_null(), "level",
	    level_names[(unsigned)answer->level & 3], "rounded_to", (json_int_t)answer->rounded_to,
	    "min_cell", (json_int_t)answer->min_cell, "criteria",
	    question_texts_json(answer->criteria, answer->n_criteria), "suggestions",
	    suggestions_json(answer), "expression", cli_text(text), "rule", cli_text(reply->rule),
	    "reason", cli_text(reply->reason), "request_id", cli_text(reply->request_id));
}

static void
print_unsupported(const Cairn__CountAnswer *answer)
{
	fputs("unsupported: this node cannot evaluate", stdout);
	for (size_t i = 0; i < answer->n_criteria; i++) {
		const char *near = cohort_attribute_suggest(answer->criteria[i]);

		fputs(i == 0 ? " " : ", ", stdout);
		cli_print_safe(stdout, answer->criteria[i]);
		if (near != NULL)
			printf(" (did you mean %s?)", near);
	}
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
		print_unsupported(answer);
		break;
	}
	printf("%s\n", cli_colour(cli, CLI_PLAIN));
	if (answer->kind == CAIRN__COUNT_ANSWER__KIND__UNSUPPORTED)
		puts("  see      cairn cohort fields, for what can be asked");
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

int
cli_count_run(struct cli *cli, int argc, char **argv)
{
	struct question question = {.cli = cli, .subject = "cohort.count", .timeout_ms = 30000};
	struct spelling spelling = {0};
	const char *level_name = "patients";
	const struct cli_option options[] = {{"--purpose", &question.purpose, NULL},
	    {"--as", &question.as, NULL}, {"--permit", &question.permit, NULL},
	    {"--level", &level_name, NULL}, {"--lens", &spelling.lens, NULL},
	    {"--beacon", &spelling.beacon, NULL}, {"--keys", &spelling.keys, NULL}, {0}};
	Cairn__CountRequest request = CAIRN__COUNT_REQUEST__INIT;
	char *text = NULL;
	int level, status;

	argc = cli_options(cli, options, argc, argv);
	if (argc < 0)
		return CLI_USAGE;
	if (argc == 1 && question.purpose == NULL)
		return cli_usage(cli, "say what for, with --purpose (e.g. scientific-research)");
	level = find_level(level_name);
	if (level < 0)
		return cli_usage(
		    cli, "--level is patients, studies, series or instances, not '%s'", level_name);
	status = spelling_read(cli, &spelling, argc, argv, &request.expression, &text);
	if (status == CLI_DONE && question.purpose == NULL)
		status = cli_usage(cli, "say what for, with --purpose (e.g. scientific-research)");
	request.level = (Cairn__Level)level;
	question.message = &request.base;
	if (status == CLI_DONE)
		status = ask_count(&question, text);
	free(text);
	if (request.expression != NULL)
		cairn__expression__free_unpacked(request.expression, NULL);
	return status;
}

/* ---- fields ----------------------------------------------------------------------------- */

static const char *
field_level(const Cairn__CohortField *field)
{
	static const char *const names[] = {"patient", "study", "series", "instance"};

	return (unsigned)field->level < 4 ? names[field->level] : "unknown";
}

static const char *
field_type(const Cairn__CohortField *field)
{
	static const char *const names[] = {"code", "number", "date"};

	return (unsigned)field->type < 3 ? names[field->type] : "unknown";
}

/* What it is stated of; an older engine says the level only. */
static const char *
field_entity(const Cairn__CohortField *field)
{
	return field->entity[0] != 0 ? field->entity : field_level(field);
}

/* As a program is told it: a code with all below it is not the set of this one code. */
static const char *
operator_name(Cairn__Leaf__Operator operator_)
{
	return operator_ == CAIRN__LEAF__OPERATOR__UNDER ? "under"
							 : cohort_operator_text(operator_);
}

/* A number or a date; null where there is no such end, or no number that JSON could hold. */
static json_t *
end_json(const Cairn__Scalar *end)
{
	char text[COHORT_SCALAR_MAX];
	json_t *value = NULL;

	if (end != NULL && end->value_case == CAIRN__SCALAR__VALUE_NUMBER)
		value = json_real(end->number);
	if (end != NULL && end->value_case == CAIRN__SCALAR__VALUE_DAY) {
		cohort_scalar_text(end, text);
		value = json_string(text);
	}
	return value != NULL ? value : json_null();
}

static json_t *
field_json(const Cairn__CohortField *field)
{
	json_t *operators = json_array();

	for (size_t i = 0; i < field->n_operators; i++)
		json_array_append_new(operators, json_string(operator_name(field->operators[i])));
	return json_pack("{s:o, s:s, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "name",
	    cli_text(field->name), "level", field_level(field), "entity",
	    cli_text(field_entity(field)), "type", field_type(field), "unit", cli_text(field->unit),
	    "operators", operators, "values",
	    field->n_codes > 0 ? question_texts_json(field->codes, field->n_codes) : json_null(),
	    "min", end_json(field->min), "max", end_json(field->max), "example",
	    cli_text(field->example), "help", cli_text(field->help));
}

/* As many on a line as fit. */
static void
print_codes(const Cairn__CohortField *field)
{
	size_t used = 0;

	for (size_t i = 0; i < field->n_codes; i++) {
		size_t length = strlen(field->codes[i]) + 1;

		if (used > 0 && used + length > LINE_WIDTH) {
			printf("\n%*s", VALUE_COLUMN, "");
			used = 0;
		} else if (used > 0) {
			putchar(' ');
		}
		used += length;
		cli_print_safe(stdout, field->codes[i]);
	}
}

static void
print_values(const Cairn__CohortField *field)
{
	char low[COHORT_SCALAR_MAX], high[COHORT_SCALAR_MAX];

	fputs("  values     ", stdout);
	if (field->n_codes > 0) {
		print_codes(field);
	} else if (field->min != NULL && field->max != NULL) {
		cohort_scalar_text(field->min, low);
		cohort_scalar_text(field->max, high);
		printf("%s to %s%s", low, high, field->unit_name[0] != 0 ? " " : "");
		cli_print_safe(stdout, field->unit_name);
	} else {
		fputs("an open list", stdout);
	}
	putchar('\n');
}

static void
print_field(const struct cli *cli, const Cairn__CohortField *field)
{
	fputs(cli_colour(cli, CLI_BOLD), stdout);
	cli_print_safe(stdout, field->name);
	printf("%s  (%s of a%s ", cli_colour(cli, CLI_PLAIN), field_type(field),
	    strchr("aeiou", field_entity(field)[0]) != NULL ? "n" : "");
	cli_print_safe(stdout, field_entity(field));
	fputs(")\n  ", stdout);
	cli_print_safe(stdout, field->help);
	fputs("\n  operators ", stdout);
	for (size_t i = 0; i < field->n_operators; i++)
		if (field->operators[i] != CAIRN__LEAF__OPERATOR__UNDER)
			printf(" %s", cohort_operator_text(field->operators[i]));
	putchar('\n');
	print_values(field);
	fputs("  example    ", stdout);
	cli_print_safe(stdout, field->example);
	putchar('\n');
}

static const char *
field_name(const void *arg, size_t index)
{
	const Cairn__FieldsAnswer *answer = arg;

	return index < answer->n_fields ? answer->fields[index]->name : NULL;
}

static bool
is_wanted(const char *name, int count, char **names)
{
	for (int i = 0; i < count; i++) {
		if (strcmp(names[i], name) == 0)
			return true;
	}
	return count == 0;
}

/* The first of the names that no field has, or NULL. */
static const char *
find_missing(const Cairn__FieldsAnswer *answer, int count, char **names)
{
	for (int i = 0; i < count; i++) {
		size_t at = 0;

		while (at < answer->n_fields && strcmp(answer->fields[at]->name, names[i]) != 0)
			at++;
		if (at == answer->n_fields)
			return names[i];
	}
	return NULL;
}

static int
print_fields(struct cli *cli, const Cairn__FieldsAnswer *answer, int count, char **names)
{
	const char *missing = find_missing(answer, count, names), *near;
	json_t *list = cli->json ? json_array() : NULL;
	bool first = true;

	if (missing != NULL) {
		json_decref(list);
		near = text_suggest(missing, field_name, answer);
		return cli_failf(cli, CAIRN_ENOTFOUND,
		    "no field '%s'%s%s%s\n  all of them: cairn cohort fields", missing,
		    near != NULL ? "; did you mean '" : "", near != NULL ? near : "",
		    near != NULL ? "'?" : "");
	}
	for (size_t i = 0; i < answer->n_fields; i++) {
		if (!is_wanted(answer->fields[i]->name, count, names))
			continue;
		if (cli->json) {
			json_array_append_new(list, field_json(answer->fields[i]));
			continue;
		}
		if (!first)
			putchar('\n');
		first = false;
		print_field(cli, answer->fields[i]);
	}
	return cli->json ? cli_print_json(json_pack("{s:o}", "fields", list)) : CLI_DONE;
}

int
cli_cohort_fields_run(struct cli *cli, int argc, char **argv)
{
	const struct cli_option options[] = {{0}};
	struct client_call call = {.subject = "cohort.fields", .body = "", .timeout_ms = 10000};
	struct cairn_error err = {0};
	Cairn__Envelope *reply = NULL;
	Cairn__FieldsAnswer *answer = NULL;
	int status;

	argc = cli_options(cli, options, argc, argv);
	if (argc < 0)
		return CLI_USAGE;
	if (cli->timeout_ms != 0)
		call.timeout_ms = cli->timeout_ms;
	if (client_call(cli->home, &call, &reply, &err) != 0)
		return cli_fail(cli, &err);
	if (reply->code == 0)
		answer = (Cairn__FieldsAnswer *)proto_unpack(
		    &cairn__fields_answer__descriptor, NULL, reply->body.data, reply->body.len);
	if (answer != NULL)
		status = print_fields(cli, answer, argc, argv);
	else if (reply->code != 0)
		status = cli_failf(cli, reply->code, "%s", reply->text);
	else
		status = cli_failf(cli, CAIRN_EPROTO, "the node's answer is no FieldsAnswer");
	if (answer != NULL)
		cairn__fields_answer__free_unpacked(answer, NULL);
	cairn__envelope__free_unpacked(reply, NULL);
	return status;
}

/* ---- reindex ---------------------------------------------------------------------------- */

int
cli_cohort_reindex_run(struct cli *cli, int argc, char **argv)
{
	Cairn__ReindexRequest request = CAIRN__REINDEX_REQUEST__INIT;
	struct question question = {.cli = cli,
	    .subject = "cohort.reindex",
	    .purpose = "operations",
	    .message = &request.base,
	    .timeout_ms = 30000};
	const struct cli_option options[] = {{"--purpose", &question.purpose, NULL}, {0}};
	Cairn__Envelope *reply = NULL;
	int status;

	argc = cli_options(cli, options, argc, argv);
	if (argc < 0)
		return CLI_USAGE;
	if (argc != 0)
		return cli_usage(cli, "it takes no argument: the whole index is made anew");
	status = question_ask(&question, &reply);
	if (status != CLI_DONE)
		return status;
	if (cli->json) {
		cli_print_json(json_pack(
		    "{s:b, s:o}", "rebuilding", 1, "request_id", cli_text(reply->request_id)));
	} else {
		puts("the index is being rebuilt; no count is given until it is done\n"
		     "  how far it is: cairn doctor");
		question_print_decision(cli, reply);
	}
	cairn__envelope__free_unpacked(reply, NULL);
	return CLI_DONE;
}
