/* SPDX-License-Identifier: Apache-2.0 */
/* doctor: how the kernel and every plugin are, why it matters, and what to do. */
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "cli/doctor.h"

#define WHAT_MAX 1024

static const char *const severities[] = {"fine", "warning", "fault"};
static const char *const marks[] = {"ok  ", "warn", "FAIL"};
static const enum cli_colour colours[] = {CLI_GREEN, CLI_YELLOW, CLI_RED};

/* wide: a printf */
void
doctor_say(struct doctor *doctor, const char *about, enum doctor_severity severity, const char *why,
    const char *advice, const char *what, ...)
{
	struct doctor_finding *finding = &doctor->findings[doctor->count];
	char text[WHAT_MAX];
	va_list args;

	if (doctor->only != NULL && strcmp(doctor->only, about) != 0)
		return;
	doctor->counts[severity]++;
	if (doctor->count == DOCTOR_FINDINGS_MAX)
		return;
	va_start(args, what);
	vsnprintf(text, sizeof text, what, args);
	va_end(args);
	finding->severity = severity;
	snprintf(finding->about, sizeof finding->about, "%.39s", about);
	finding->what = strdup(text);
	finding->why = strdup(why);
	finding->advice = strdup(advice);
	if (finding->what != NULL && finding->why != NULL && finding->advice != NULL)
		doctor->count++;
}

static void
print_line(const char *lead, const char *text)
{
	if (text[0] == 0)
		return;
	printf("      %s", lead);
	cli_print_safe(stdout, text);
	putchar('\n');
}

static void
print_finding(const struct cli *cli, const struct doctor_finding *finding)
{
	printf("%s%s%s  %-10s ", cli_colour(cli, colours[finding->severity]),
	    marks[finding->severity], cli_colour(cli, CLI_PLAIN), finding->about);
	cli_print_safe(stdout, finding->what);
	putchar('\n');
	print_line("because  ", finding->why);
	print_line("do       ", finding->advice);
}

/* Faults last, where a person looks first. */
static void
print_all(const struct doctor *doctor)
{
	for (int severity = DOCTOR_FINE; severity <= DOCTOR_FAULT; severity++) {
		for (size_t i = 0; i < doctor->count; i++) {
			if (doctor->findings[i].severity == (enum doctor_severity)severity)
				print_finding(doctor->cli, &doctor->findings[i]);
		}
	}
	printf("\n%zu faults, %zu warnings, %zu things as they should be\n",
	    doctor->counts[DOCTOR_FAULT], doctor->counts[DOCTOR_WARNING],
	    doctor->counts[DOCTOR_FINE]);
}

static void
print_json(const struct doctor *doctor, bool running)
{
	json_t *findings = json_array();

	for (size_t i = 0; i < doctor->count; i++) {
		const struct doctor_finding *finding = &doctor->findings[i];

		json_array_append_new(findings,
		    json_pack("{s:s, s:o, s:o, s:o, s:o}", "severity",
			severities[finding->severity], "about", cli_text(finding->about), "what",
			cli_text(finding->what), "why", cli_text(finding->why), "advice",
			cli_text(finding->advice)));
	}
	cli_print_json(
	    json_pack("{s:b, s:b, s:i, s:i, s:o}", "ok", doctor->counts[DOCTOR_FAULT] == 0,
		"running", running, "faults", (int)doctor->counts[DOCTOR_FAULT], "warnings",
		(int)doctor->counts[DOCTOR_WARNING], "findings", findings));
}

static void
doctor_free(struct doctor *doctor)
{
	for (size_t i = 0; i < doctor->count; i++) {
		free(doctor->findings[i].what);
		free(doctor->findings[i].why);
		free(doctor->findings[i].advice);
	}
	free(doctor);
}

static int
examine(struct cli *cli, struct doctor *doctor)
{
	char path[PATH_MAX];
	bool running;
	int status;

	if (file_join(path, sizeof path, cli->home, "node.yaml") != 0 || !file_exists(path))
		return cli_failf(cli, CAIRN_ENOTFOUND,
		    "there is no node in %s; make one with: cairn init %s", cli->home, cli->home);
	doctor_disk(doctor);
	doctor_ledger(doctor);
	running = doctor_node(doctor);
	if (doctor->only != NULL && doctor->counts[0] + doctor->counts[1] + doctor->counts[2] == 0)
		return cli_failf(cli, CAIRN_ENOTFOUND,
		    "nothing is known of '%s'; is it enabled (cairn plugin list)?", doctor->only);
	if (cli->json)
		print_json(doctor, running);
	else
		print_all(doctor);
	status = doctor->counts[DOCTOR_FAULT] == 0 ? CLI_DONE : CLI_FAILED;
	return status;
}

static int
run_doctor(struct cli *cli, int argc, char **argv)
{
	struct doctor *doctor = calloc(1, sizeof *doctor);
	int status;

	if (doctor == NULL)
		return cli_failf(cli, CAIRN_ENOMEM, "out of memory");
	const struct cli_option options[] = {{"--full", NULL, &doctor->full}, {0}};

	doctor->cli = cli;
	argc = cli_options(cli, options, argc, argv);
	doctor->only = argc == 1 ? argv[0] : NULL;
	if (argc < 0)
		status = CLI_USAGE;
	else if (argc > 1)
		status = cli_usage(cli, "name one plugin, or kernel, or nothing");
	else
		status = examine(cli, doctor);
	doctor_free(doctor);
	return status;
}

const struct cli_command cli_care_commands[] = {
    {"doctor", "[NAME] [--full]", "how the node and its plugins are, and what to do",
	"Looks at the disk, the rights of files, the ledger, the policies, the queues, crashes,\n"
	"the logs and the sandbox, and asks each plugin how it is. Of a stopped node, which is a\n"
	"fault unless it never ran, it sees what lies on the disk. Each finding says what it is, "
	"why it matters and what to do. Exit\n"
	"status 1 when there is a fault; warnings alone are 0.\n"
	"  NAME     one plugin only, or kernel\n"
	"  --full   verify the whole ledger, not its newest 1,000 records\n",
	"cairn --home /var/lib/cairn doctor", run_doctor},
    {0}};
