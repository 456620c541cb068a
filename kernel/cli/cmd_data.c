/* SPDX-License-Identifier: Apache-2.0 */
/* Data: import, and the table of its group; the others are in cmd_cohort.c and cmd_export.c. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/file.h"
#include "cairn/imaging.pb-c.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/import_kind.h"
#include "cli/lent.h"
#include "cli/question.h"
#include "depth.h"

#define IMPORT_TIMEOUT_MS 86400000u
#define BAR_WIDTH 30

/* ---- import ----------------------------------------------------------------------------- */

struct importing {
	const struct cli *cli;
	uint64_t done, total, imported, duplicates, refused; /* as last heard */
};

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

/* How many were refused for the same reason as the index-th; 0 when an earlier one says it. */
static size_t
same_reason(const Cairn__ImportProgress *done, size_t index)
{
	const char *reason = done->refusals[index]->reason;
	size_t count = 1;

	for (size_t i = 0; i < index; i++) {
		if (strcmp(done->refusals[i]->reason, reason) == 0)
			return 0;
	}
	for (size_t i = index + 1; i < done->n_refusals; i++)
		count += strcmp(done->refusals[i]->reason, reason) == 0;
	return count;
}

/* All that the reply names, at the end, where a person looks; many of one reason in one line. */
static void
print_refusals(const struct cli *cli, const Cairn__ImportProgress *done)
{
	for (size_t i = 0; i < done->n_refusals; i++) {
		size_t count = same_reason(done, i);

		if (count == 0)
			continue;
		if (count > 1) {
			printf("%srefused%s %zu files: ", cli_colour(cli, CLI_YELLOW),
			    cli_colour(cli, CLI_PLAIN), count);
			cli_print_safe(stdout, done->refusals[i]->reason);
			fputs(", e.g. ", stdout);
			cli_print_safe(stdout, done->refusals[i]->path);
			putchar('\n');
			continue;
		}
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
	struct importing *importing = arg;
	const struct cli *cli = importing->cli;
	Cairn__ImportProgress *progress = unpack_progress(&envelope->body);

	if (progress == NULL)
		return;
	importing->done = progress->files_done;
	importing->total = progress->files_total;
	importing->imported = progress->imported;
	importing->duplicates = progress->duplicates;
	importing->refused = progress->refused;
	if (cli->json) {
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
		if (done->resources + done->unused > 0)
			printf("%" PRIu64 " resources became facts, of %" PRIu64
			       " the mapping takes nothing, %" PRIu64 " wait for their patient\n",
			    done->resources, done->unused, done->waiting);
		return CLI_DONE;
	}
	refusals = json_array();
	for (size_t i = 0; i < done->n_refusals; i++)
		json_array_append_new(refusals,
		    json_pack("{s:o, s:o}", "path", cli_text(done->refusals[i]->path), "reason",
			cli_text(done->refusals[i]->reason)));
	return cli_print_json(json_pack("{s:I, s:I, s:I, s:I, s:o, s:I, s:I, s:I}", "files",
	    (json_int_t)done->files_done, "imported", (json_int_t)done->imported, "duplicates",
	    (json_int_t)done->duplicates, "refused", (json_int_t)done->refused, "refusals",
	    refusals, "resources", (json_int_t)done->resources, "unused", (json_int_t)done->unused,
	    "waiting", (json_int_t)done->waiting));
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

/* No answer came: an operator who looks at half an import needs to know what is safe. */
static void
say_so_far(const struct importing *importing)
{
	if (importing->total == 0)
		fputs("cairn import: no file was reported as done yet", stderr);
	else
		fprintf(stderr,
		    "cairn import: when it was last heard of, %" PRIu64 " of %" PRIu64
		    " files were done: %" PRIu64 " imported, %" PRIu64 " held already, %" PRIu64
		    " refused",
		    importing->done, importing->total, importing->imported, importing->duplicates,
		    importing->refused);
	fputs("\ncairn import: what was imported is on the disk and stays; run the same command "
	      "again "
	      "to go on, and what is held already is passed over\n",
	    stderr);
}

/* Ctrl-C and a polite kill, as something to wait for; -1 when that cannot be: they end us then. */
static int
interrupts(void)
{
	sigset_t signals;
	int fd;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	fd = signalfd(-1, &signals, SFD_CLOEXEC);
	if (fd >= 0)
		sigprocmask(SIG_BLOCK, &signals, NULL);
	return fd;
}

static int
send_import(
    struct cli *cli, const char *purpose, const char *subject, const Cairn__ImportRequest *request)
{
	struct importing importing = {.cli = cli};
	FD_AUTO interrupt = interrupts();
	bool lost = false;
	struct question question = {.cli = cli,
	    .purpose = purpose,
	    .subject = subject,
	    .message = &request->base,
	    .timeout_ms = IMPORT_TIMEOUT_MS,
	    .progress = import_progress,
	    .arg = &importing,
	    .interrupt = &interrupt,
	    .lost = &lost};
	Cairn__Envelope *reply = NULL;
	Cairn__ImportProgress *done;
	struct lent lent;
	int status;

	if (lent_cover(&lent, request->paths, request->n_paths) != 0)
		return cli_failf(cli, CAIRN_ENOMEM, "out of memory");
	question.lend = lent.paths;
	question.lend_count = lent.count;
	status = question_ask(&question, &reply);
	lent_fini(&lent);
	if (lost)
		say_so_far(&importing);
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

/* Among images other files are what belongs to them (reports, side files): nobody takes them
 * unasked, and nobody leaves them out unsaid. */
static unsigned
kinds_of(const char *path)
{
	unsigned kinds = import_kinds_of(path), images = 0;

	for (unsigned k = 0; import_kind_at(k) != NULL; k++)
		images = 1u << k; /* the last kind */
	if ((kinds & images) == 0 || kinds == images)
		return kinds;
	for (unsigned k = 0; import_kind_at(k) != NULL; k++) {
		if ((kinds & ~images & 1u << k) == 0)
			continue;
		cli_print_safe(stderr, path);
		fprintf(stderr,
		    ": imported as images; there are %s too: name them to import them\n",
		    import_kind_at(k)->what);
	}
	return images;
}

/* Each connector gets what is of its kind; the worst of their answers. With --json all must be of
 * one kind, since one object is printed. */
static int
send_by_kind(struct cli *cli, const char *purpose, const Cairn__ImportRequest *request)
{
	unsigned *kinds = calloc(request->n_paths, sizeof *kinds);
	const struct import_kind *kind;
	unsigned used = 0;
	int worst = CLI_DONE;

	if (kinds == NULL)
		return cli_failf(cli, CAIRN_ENOMEM, "out of memory");
	for (size_t i = 0; i < request->n_paths; i++)
		kinds[i] = kinds_of(request->paths[i]);

	for (unsigned k = 0; (kind = import_kind_at(k)) != NULL; k++) {
		Cairn__ImportRequest part = CAIRN__IMPORT_REQUEST__INIT;
		int status = CLI_DONE;

		part.paths = calloc(request->n_paths, sizeof(char *));
		if (part.paths == NULL) {
			free(kinds);
			return cli_failf(cli, CAIRN_ENOMEM, "out of memory");
		}
		for (size_t i = 0; i < request->n_paths; i++) {
			if ((kinds[i] >> k & 1) != 0)
				part.paths[part.n_paths++] = request->paths[i];
		}
		if (part.n_paths > 0 && used++ > 0 && cli->json)
			status = cli_failf(cli, CAIRN_EINVAL,
			    "with --json all must be of one kind; name %s in a command of their "
			    "own",
			    kind->what);
		else if (part.n_paths > 0 && !cli->json && kind->suffixes != NULL)
			printf("%s: to the plugin %s\n", kind->what, kind->plugin);
		if (part.n_paths > 0 && status == CLI_DONE)
			status = send_import(cli, purpose, kind->subject, &part);
		worst = status > worst ? status : worst;
		free(part.paths);
	}
	free(kinds);
	return worst;
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
		status = send_by_kind(cli, purpose, &request);
	for (size_t i = 0; i < request.n_paths; i++)
		free(request.paths[i]);
	free(request.paths);
	return status;
}

const struct cli_command cli_data_commands[] = {
    {"import", "PATH... [--purpose P]", "read images, FHIR resources or genotypes into the node",
	"  --purpose P   default: operations\n\n"
	"Files that end in .json or .ndjson are FHIR (plugin fhir), those in .vcf, .vcf.gz or "
	".bcf\n"
	"are genotypes (plugin vcf): each taken as a whole or not at all. All others are DICOM\n"
	"(plugin dicom). A folder with images is imported as images, another goes to each plugin\n"
	"that it has something for. Tables have a command of their own, cairn table import.\n"
	"Each file is de-identified on the way in, or refused with the reason. Files that are "
	"held\n"
	"already are counted and left alone, so an import can be repeated. One that is interrupted "
	"or\n"
	"loses the node says how far it was; what was imported stays. Exit status 1 when any file "
	"was\n"
	"refused.\n",
	"cairn import /mnt/archive/2019", run_import},
    {"count",
	"['EXPRESSION'] --purpose P [--as PRINCIPAL] [--permit ID] [--level LEVEL] [--lens FILE]",
	"ask how many patients an expression selects",
	"  --purpose P      what the answer is for, e.g. scientific-research, quality-assurance\n"
	"  --as PRINCIPAL   ask as this person, as the policy knows them\n"
	"  --permit ID      the permit the question rests on\n"
	"  --level LEVEL    patients (default), studies, series or instances\n"
	"  --lens FILE      in place of the expression: a Lens syntax tree, as the EUCAIM\n"
	"                   explorer sends it; - is standard input\n"
	"  --beacon FILE    in place of the expression: a Beacon v2 request\n"
	"  --keys FILE      a site's own keys of Lens (cairn cohort translate --help)\n\n"
	"The expression: criteria joined by and, or, xor, not and parentheses; a criterion is\n"
	"  modality = CT           body_part in (BREAST, CHEST)      age between 40 and 60\n"
	"  slice_thickness <= 2    manufacturer exists               same study (...)\n"
	"  diagnosis in icd10:C34 (and all below it)                 gene like \"BRCA%\"\n"
	"  at least 2 studies (...)                                  variant (EGFR, L858R)\n"
	"  modality = MR within 90 days before procedure_kind = surgery\n"
	"What can be asked, and which values there are: cairn cohort fields. A value that a field\n"
	"cannot have (sex = M) is an error, never a count of nobody.\n"
	"The answer is typed: exact, rounded, suppressed, unsupported or denied.\n",
	"cairn count 'modality = CT and age >= 50' --purpose scientific-research "
	"--as alice@example.org",
	cli_count_run},
    {"cohort fields", "[NAME...]", "show what can be asked: fields, their values and operators",
	"Of each field: of what it is stated (patient, study, condition, ...), its type and unit,\n"
	"the operators it takes, its values where they are a closed list, and an example for "
	"cairn count.\n"
	"Says nothing of what this node holds, and needs no purpose.\n",
	"cairn cohort fields modality age", cli_cohort_fields_run},
    {"cohort reindex", "[--purpose P]", "have the index made anew from the images held",
	"  --purpose P   default: operations\n\n"
	"The connectors hand the facts of all images over again. Until they have, questions are "
	"refused\n"
	"and cairn doctor says how far it is. An index that was lost is made anew without this.\n",
	"cairn cohort reindex", cli_cohort_reindex_run},
    {"export", "'EXPRESSION' DIR --purpose P [--as PRINCIPAL] [--permit ID]",
	"write a cohort's de-identified instances as Part 10 files",
	"Writes DIR/PATIENT/STUDY/SERIES/INSTANCE.dcm, each checked against its digest. A file "
	"that\n"
	"is there already with the same digest is left alone; one that differs is an error.\n",
	"cairn export 'modality = MG' /tmp/mg --purpose quality-assurance", cli_export_run},
    {0}};
