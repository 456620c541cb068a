/* SPDX-License-Identifier: Apache-2.0 */
/* Patients' identifiers: what is linked, conflicts, merges.  Identifiers are read from standard
 * input or a file, never from the command line, where everybody on the machine sees them. */
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "cairn/link.pb-c.h"
#include "cli/cli.h"
#include "cli/linktable.h"
#include "cli/question.h"
#include "depth.h"

#define PURPOSE "data-quality"
#define TEXT(literal) ((char *)(size_t)(literal)) /* protobuf-c knows no const */
#define LINE_MAX_BYTES 4096

/* ---- asking ----------------------------------------------------------------------------- */

struct asking {
	struct cli *cli;
	const char *purpose, *as;
	bool resolved; /* --all of conflicts */
	const char *keep, *table;
};

/* The options that all have, and the command's own; how many arguments remain, -1 when wrong. */
static int
take_options(struct asking *asking, struct cli *cli, int argc, char **argv)
{
	const struct cli_option options[] = {{"--purpose", &asking->purpose, NULL},
	    {"--as", &asking->as, NULL}, {"--all", NULL, &asking->resolved},
	    {"--keep", &asking->keep, NULL}, {"--table", &asking->table, NULL}, {0}};

	*asking = (struct asking){.cli = cli, .purpose = PURPOSE};
	return cli_options(cli, options, argc, argv);
}

/* The answer, unpacked; NULL when it was said why there is none (`*ret_status`). */
static ProtobufCMessage *
ask(const struct asking *asking, const char *subject, const ProtobufCMessage *message,
    const ProtobufCMessageDescriptor *type, int *ret_status)
{
	struct question question = {.cli = asking->cli,
	    .purpose = asking->purpose,
	    .as = asking->as,
	    .subject = subject,
	    .message = message,
	    .timeout_ms = 60000};
	Cairn__Envelope *reply = NULL;
	ProtobufCMessage *answer;

	*ret_status = question_ask(&question, &reply);
	if (*ret_status != CLI_DONE)
		return NULL;
	answer = proto_unpack(type, NULL, reply->body.data, reply->body.len);
	cairn__envelope__free_unpacked(reply, NULL);
	if (answer == NULL)
		*ret_status =
		    cli_failf(asking->cli, CAIRN_EPROTO, "the node's answer cannot be read");
	return answer;
}

/* ---- show and find ---------------------------------------------------------------------- */

static void
print_time(uint64_t ms)
{
	char text[CLOCK_TEXT_MAX];

	clock_text(ms, text);
	printf("%.16s", text);
}

static void
print_kind(const char *type, const char *issuer)
{
	cli_print_safe(stdout, type);
	if (issuer[0] != 0) {
		fputs(" of ", stdout);
		cli_print_safe(stdout, issuer);
	}
}

static void
print_identifier(const struct cli *cli, const Cairn__KnownIdentifier *known)
{
	fputs("  ", stdout);
	print_kind(known->identifier_type, known->issuer);
	printf("%s, since ", cli_colour(cli, CLI_DIM));
	print_time(known->since_ms);
	fputs(", by ", stdout);
	cli_print_safe(stdout, known->source[0] != 0 ? known->source : "?");
	if (known->merged)
		printf(", was %s", known->pseudonym);
	printf("%s\n", cli_colour(cli, CLI_PLAIN));
}

static json_t *
record_json(const Cairn__PatientRecord *record)
{
	json_t *identifiers = json_array(), *conflicts = json_array();

	for (size_t i = 0; i < record->n_identifiers; i++) {
		const Cairn__KnownIdentifier *at = record->identifiers[i];

		json_array_append_new(identifiers,
		    json_pack("{s:o, s:o, s:o, s:I, s:o, s:b, s:b}", "type",
			cli_text(at->identifier_type), "issuer", cli_text(at->issuer), "source",
			cli_text(at->source), "since_ms", (json_int_t)at->since_ms, "pseudonym",
			cli_text(at->pseudonym), "own", at->own, "merged", at->merged));
	}
	for (size_t i = 0; i < record->n_conflicts; i++)
		json_array_append_new(conflicts, json_integer((json_int_t)record->conflicts[i]));
	return json_pack("{s:o, s:o, s:o, s:o, s:b}", "pseudonym", cli_text(record->pseudonym),
	    "asked", cli_text(record->asked), "identifiers", identifiers, "conflicts", conflicts,
	    "truncated", record->truncated);
}

static int
print_record(const struct cli *cli, const Cairn__PatientRecord *record)
{
	if (cli->json)
		return cli_print_json(record_json(record));
	printf(
	    "%s%s%s\n", cli_colour(cli, CLI_BOLD), record->pseudonym, cli_colour(cli, CLI_PLAIN));
	if (record->asked[0] != 0)
		printf("  %s has become this one\n", record->asked);
	if (record->n_identifiers == 0)
		puts("  known by this identifier alone: nothing else was linked to it");
	for (size_t i = 0; i < record->n_identifiers; i++)
		print_identifier(cli, record->identifiers[i]);
	if (record->truncated)
		puts("  ... and more");
	for (size_t i = 0; i < record->n_conflicts; i++)
		printf("%sconflict %" PRIu64 "%s: cairn patient conflicts\n",
		    cli_colour(cli, CLI_YELLOW), record->conflicts[i], cli_colour(cli, CLI_PLAIN));
	return CLI_DONE;
}

static int
ask_record(const struct asking *asking, const char *subject, const ProtobufCMessage *message)
{
	int status;
	Cairn__PatientRecord *record = (Cairn__PatientRecord *)ask(
	    asking, subject, message, &cairn__patient_record__descriptor, &status);

	if (record == NULL)
		return status;
	status = print_record(asking->cli, record);
	cairn__patient_record__free_unpacked(record, NULL);
	return status;
}

static int
run_show(struct cli *cli, int argc, char **argv)
{
	Cairn__PatientShow request = CAIRN__PATIENT_SHOW__INIT;
	struct asking asking;

	argc = take_options(&asking, cli, argc, argv);
	if (argc < 0)
		return CLI_USAGE;
	if (argc != 1)
		return cli_usage(cli, "name one pseudonym");
	request.pseudonym = argv[0];
	return ask_record(&asking, "patient.show", &request.base);
}

/* One line from standard input; a terminal does not show it. */
static int
read_identifier(const struct cli *cli, char ret[LINE_MAX_BYTES])
{
	bool terminal = isatty(STDIN_FILENO) == 1;
	struct termios before, silent;
	char *got;

	terminal = terminal && tcgetattr(STDIN_FILENO, &before) == 0;
	if (terminal) {
		fputs("identifier: ", stderr);
		silent = before;
		silent.c_lflag &= ~(tcflag_t)ECHO;
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
	}
	got = fgets(ret, LINE_MAX_BYTES, stdin);
	if (terminal) {
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
		fputc('\n', stderr);
	}
	if (got != NULL)
		ret[strcspn(ret, "\r\n")] = 0;
	if (got == NULL || ret[0] == 0)
		return cli_failf(cli, CAIRN_EINVAL,
		    "no identifier on standard input; type it when asked, or pipe it in");
	return CLI_DONE;
}

static int
run_find(struct cli *cli, int argc, char **argv)
{
	Cairn__PatientFind request = CAIRN__PATIENT_FIND__INIT;
	Cairn__PatientIdentifier identifier = CAIRN__PATIENT_IDENTIFIER__INIT;
	struct asking asking;
	char line[LINE_MAX_BYTES];
	int status;

	argc = take_options(&asking, cli, argc, argv);
	if (argc < 0)
		return CLI_USAGE;
	if (argc < 1 || argc > 2)
		return cli_usage(cli,
		    "name the type and the assigning authority; the identifier itself is read from "
		    "standard input");
	status = read_identifier(cli, line);
	if (status != CLI_DONE)
		return status;
	identifier.identifier_type = argv[0];
	identifier.issuer = argc == 2 ? argv[1] : TEXT("");
	identifier.identifier = line;
	request.identifier = &identifier;
	return ask_record(&asking, "patient.find", &request.base);
}

/* ---- conflicts -------------------------------------------------------------------------- */

static void
print_conflict(const struct cli *cli, const Cairn__LinkConflict *conflict)
{
	printf("%sconflict %" PRIu64 "%s, ", cli_colour(cli, CLI_BOLD), conflict->id,
	    cli_colour(cli, CLI_PLAIN));
	print_time(conflict->time_ms);
	fputs(", stated by ", stdout);
	cli_print_safe(stdout, conflict->source);
	printf(":\n  a  %s\n  b  %s\n", conflict->a, conflict->b);
	for (size_t i = 0; i < conflict->n_identifiers; i++) {
		fputs(conflict->identifiers[i]->disputed ? "  disputed, linked to b: " : "  ",
		    stdout);
		print_kind(
		    conflict->identifiers[i]->identifier_type, conflict->identifiers[i]->issuer);
		putchar('\n');
	}
	if (conflict->resolution[0] != 0) {
		printf("  resolved: %s, by ", conflict->resolution);
		cli_print_safe(stdout, conflict->resolved_by);
		putchar('\n');
	}
}

static json_t *
conflict_json(const Cairn__LinkConflict *conflict)
{
	json_t *identifiers = json_array();

	for (size_t i = 0; i < conflict->n_identifiers; i++)
		json_array_append_new(identifiers,
		    json_pack("{s:o, s:o, s:b}", "type",
			cli_text(conflict->identifiers[i]->identifier_type), "issuer",
			cli_text(conflict->identifiers[i]->issuer), "disputed",
			conflict->identifiers[i]->disputed));
	return json_pack("{s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "id", (json_int_t)conflict->id,
	    "time_ms", (json_int_t)conflict->time_ms, "source", cli_text(conflict->source), "a",
	    cli_text(conflict->a), "b", cli_text(conflict->b), "identifiers", identifiers,
	    "resolution", cli_text(conflict->resolution), "resolved_by",
	    cli_text(conflict->resolved_by));
}

static int
print_conflicts(const struct cli *cli, const Cairn__PatientConflicts *answer)
{
	json_t *list;

	if (!cli->json) {
		for (size_t i = 0; i < answer->n_conflicts; i++)
			print_conflict(cli, answer->conflicts[i]);
		puts(answer->n_conflicts == 0
			? "no conflicts"
			: "to end one: cairn patient resolve ID --keep a|b|merge");
		return CLI_DONE;
	}
	list = json_array();
	for (size_t i = 0; i < answer->n_conflicts; i++)
		json_array_append_new(list, conflict_json(answer->conflicts[i]));
	return cli_print_json(json_pack("{s:o}", "conflicts", list));
}

static int
run_conflicts(struct cli *cli, int argc, char **argv)
{
	Cairn__PatientConflictsRequest request = CAIRN__PATIENT_CONFLICTS_REQUEST__INIT;
	Cairn__PatientConflicts *answer;
	struct asking asking;
	int status;

	argc = take_options(&asking, cli, argc, argv);
	if (argc != 0)
		return argc < 0 ? CLI_USAGE : cli_usage(cli, "takes no arguments");
	request.resolved = asking.resolved;
	answer = (Cairn__PatientConflicts *)ask(&asking, "patient.conflicts", &request.base,
	    &cairn__patient_conflicts__descriptor, &status);
	if (answer == NULL)
		return status;
	status = print_conflicts(cli, answer);
	cairn__patient_conflicts__free_unpacked(answer, NULL);
	return status;
}

/* ---- changes ---------------------------------------------------------------------------- */

static int
print_change(const struct cli *cli, const Cairn__PatientChange *change)
{
	json_t *errors;

	if (!cli->json) {
		for (size_t i = 0; i < change->n_errors; i++) {
			printf("line %u: ", change->errors[i]->line);
			cli_print_safe(stdout, change->errors[i]->reason);
			putchar('\n');
		}
		if (change->n_errors > 0)
			puts("nothing was linked; mend these lines and try again");
		else
			printf("%s%sdone: %" PRIu64 " changed; the facts of %" PRIu64
			       " pseudonyms move\n",
			    change->pseudonym, change->pseudonym[0] != 0 ? ": " : "",
			    change->linked, change->moved);
		return change->n_errors > 0 ? CLI_FAILED : CLI_DONE;
	}
	errors = json_array();
	for (size_t i = 0; i < change->n_errors; i++)
		json_array_append_new(errors,
		    json_pack("{s:i, s:o}", "line", (int)change->errors[i]->line, "reason",
			cli_text(change->errors[i]->reason)));
	cli_print_json(
	    json_pack("{s:o, s:I, s:I, s:o}", "pseudonym", cli_text(change->pseudonym), "linked",
		(json_int_t)change->linked, "moved", (json_int_t)change->moved, "errors", errors));
	return change->n_errors > 0 ? CLI_FAILED : CLI_DONE;
}

static int
ask_change(const struct asking *asking, const char *subject, const ProtobufCMessage *message)
{
	int status;
	Cairn__PatientChange *change = (Cairn__PatientChange *)ask(
	    asking, subject, message, &cairn__patient_change__descriptor, &status);

	if (change == NULL)
		return status;
	status = print_change(asking->cli, change);
	cairn__patient_change__free_unpacked(change, NULL);
	return status;
}

static int
run_resolve(struct cli *cli, int argc, char **argv)
{
	Cairn__PatientResolve request = CAIRN__PATIENT_RESOLVE__INIT;
	struct asking asking;
	char keep[8];
	int64_t id;

	argc = take_options(&asking, cli, argc, argv);
	if (argc < 0)
		return CLI_USAGE;
	if (argc != 1 || text_to_integer(argv[0], 1, INT64_MAX, &id) != 0)
		return cli_usage(cli, "name one conflict by its number (cairn patient conflicts)");
	if (asking.keep == NULL || !text_copy(keep, sizeof keep, asking.keep))
		return cli_usage(cli, "say --keep a, --keep b or --keep merge");
	for (char *at = keep; *at != 0; at++)
		*at = *at == 'A' ? 'a' : *at == 'B' ? 'b' : *at;
	request.conflict = (uint64_t)id;
	request.keep = keep;
	return ask_change(&asking, "patient.resolve", &request.base);
}

static int
run_merge(struct cli *cli, int argc, char **argv)
{
	Cairn__PatientMerge request = CAIRN__PATIENT_MERGE__INIT;
	struct asking asking;

	argc = take_options(&asking, cli, argc, argv);
	if (argc < 0)
		return CLI_USAGE;
	if (argc != 2)
		return cli_usage(cli, "name the pseudonym that ends and the one that remains");
	request.from = argv[0];
	request.to = argv[1];
	return ask_change(&asking, "patient.merge", &request.base);
}

static int
run_split(struct cli *cli, int argc, char **argv)
{
	Cairn__PatientMerge request = CAIRN__PATIENT_MERGE__INIT;
	struct asking asking;

	argc = take_options(&asking, cli, argc, argv);
	if (argc < 0)
		return CLI_USAGE;
	if (argc != 1)
		return cli_usage(cli, "name the pseudonym that was merged into another");
	request.from = argv[0];
	return ask_change(&asking, "patient.split", &request.base);
}

static int
run_link(struct cli *cli, int argc, char **argv)
{
	struct asking asking;
	struct linktable table;
	struct cairn_error err = {0};
	int status;

	argc = take_options(&asking, cli, argc, argv);
	if (argc != 0 || asking.table == NULL)
		return argc < 0 ? CLI_USAGE : cli_usage(cli, "say --table FILE");
	if (linktable_read(asking.table, &table, &err) != 0)
		return cli_fail(cli, &err);
	status = table.error_count > 0 ? print_change(cli, linktable_errors(&table))
				       : ask_change(&asking, "patient.link", &table.request.base);
	linktable_fini(&table);
	return status;
}

#define COMMON                                       \
	"  --purpose P      default: data-quality\n" \
	"  --as PRINCIPAL   ask as this person, as the policy knows them\n\n"

const struct cli_command cli_patient_commands[] = {
    {"patient show", "PSEUDONYM [--purpose P] [--as PRINCIPAL]",
	"show which kinds of identifiers lead to a pseudonym",
	COMMON
	"The types and assigning authorities of the patient's identifiers, who stated them and "
	"when,\n"
	"earlier pseudonyms, open conflicts. The identifiers themselves are kept nowhere.\n",
	"cairn patient show ut3l4nd7c5ni4cbtskbwb7sz3y", run_show},
    {"patient find", "TYPE [ISSUER] [--purpose P] [--as PRINCIPAL]",
	"find the pseudonym of an identifier, which is read from standard input",
	COMMON
	"TYPE is patient-id, national-id, accession, sample or a type of the site's own; ISSUER is "
	"the\n"
	"assigning authority. A terminal does not show the identifier while it is typed.\n",
	"cairn patient find patient-id ST-ANNA", run_find},
    {"patient conflicts", "[--all] [--purpose P] [--as PRINCIPAL]",
	"show statements that contradict: identifiers of two patients said to be one's",
	"  --all            also those that were resolved\n" COMMON
	"While a conflict is open nothing has been linked by it.\n",
	"cairn patient conflicts", run_conflicts},
    {"patient resolve", "ID --keep a|b|merge [--purpose P]", "end a conflict",
	"  --keep a         the disputed identifiers become those of patient a\n"
	"  --keep b         they stay with patient b, and the statement was wrong\n"
	"  --keep merge     a and b are one patient: b becomes a, with all facts\n" COMMON,
	"cairn patient resolve 3 --keep b", run_resolve},
    {"patient merge", "FROM TO [--purpose P]", "say that two pseudonyms are one patient",
	COMMON
	"FROM ends and becomes TO: its facts move, and its identifiers lead to TO from now on.\n",
	"cairn patient merge ut3l4nd7c5ni4cbtskbwb7sz3y 6yz2m3rjkb2x5cxvfxvpkyehru", run_merge},
    {"patient split", "PSEUDONYM [--purpose P]", "undo a merge",
	COMMON
	"PSEUDONYM leads to itself again. Facts that moved stay where they are until their sources "
	"state\nthem anew: cairn cohort reindex.\n",
	"cairn patient split ut3l4nd7c5ni4cbtskbwb7sz3y", run_split},
    {"patient link", "--table FILE [--purpose P]", "link identifiers from a table",
	"  --table FILE     CSV, up to 50,000 lines: type,issuer,id,type,issuer,id and so "
	"on\n" COMMON "The identifiers of a line are one patient's. Either every line is linked or "
		      "none, and what "
	"is\n"
	"wrong is said line by line. Delete the file afterwards: it names patients.\n",
	"cairn patient link --table samples.csv", run_link},
    {0}};
