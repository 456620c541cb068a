/* SPDX-License-Identifier: Apache-2.0 */
/* cairn plugin test: the conformance suite's command and report. */
#define _XOPEN_SOURCE 700
#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "cli/checks.h"
#include "cli/cli.h"

#define TIMEOUT_MS 10000 /* as node.yaml's stop_timeout_ms */

struct report {
	const struct cli *cli;
	json_t *checks;
	unsigned passed, failed, skipped;
};

static void
report_add(struct report *report, const struct conformance_check *check, const char *verdict,
    const char *words, uint64_t ms)
{
	bool failed = strcmp(verdict, "failed") == 0;

	if (report->cli->json) {
		json_array_append_new(report->checks,
		    json_pack("{s:s, s:s, s:o, s:I}", "check", check->name, "verdict", verdict,
			"detail", cli_text(words), "ms", (json_int_t)ms));
		return;
	}
	printf("%s%-8s%s %-13s ",
	    cli_colour(report->cli,
		failed                               ? CLI_RED
		    : strcmp(verdict, "passed") == 0 ? CLI_GREEN
						     : CLI_DIM),
	    verdict, cli_colour(report->cli, CLI_PLAIN), check->name);
	cli_print_safe(stdout, words);
	putchar('\n');
	fflush(stdout);
}

static void
run_check(struct report *report, struct suite *suite, const struct conformance_check *check)
{
	struct check_result result = {0};
	struct cairn_error err = {0};
	uint64_t begin_ms = clock_monotonic_ms();
	int code = check->run(suite, &result, &err);
	uint64_t ms = clock_monotonic_ms() - begin_ms;

	if (code != 0) {
		report->failed++;
		report_add(report, check, "failed", err.text, ms);
	} else if (result.skipped != NULL) {
		report->skipped++;
		report_add(report, check, "skipped", result.skipped, ms);
	} else {
		report->passed++;
		report_add(report, check, "passed", check->summary, ms);
	}
}

static bool
is_check(const char *name)
{
	for (const struct conformance_check *check = conformance_checks; check->name != NULL;
	     check++) {
		if (strcmp(check->name, name) == 0)
			return true;
	}
	return false;
}

static int
print_report(struct report *report, const struct manifest *manifest)
{
	bool good = report->failed == 0;

	if (report->cli->json) {
		cli_print_json(json_pack("{s:s, s:s, s:s, s:b, s:O}", "plugin", manifest->name,
		    "version", manifest->version, "path", manifest->path, "conforms", good,
		    "checks", report->checks));
	} else {
		printf("%s %s: %u passed, %u failed, %u skipped: %s\n", manifest->name,
		    manifest->version, report->passed, report->failed, report->skipped,
		    good ? "conforms" : "does NOT conform");
	}
	return good ? CLI_DONE : CLI_FAILED;
}

static int
run_suite(const struct cli *cli, struct suite *suite, const char *only)
{
	struct report report = {.cli = cli, .checks = json_array()};
	int status;

	for (const struct conformance_check *check = conformance_checks; check->name != NULL;
	     check++) {
		if (only == NULL || strcmp(only, check->name) == 0)
			run_check(&report, suite, check);
	}
	status = print_report(&report, suite->base.manifest);
	json_decref(report.checks);
	return status;
}

static int
remove_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

void
test_remove(const char *dir)
{
	nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* The operator's settings, or the defaults of a file that says nothing. */
int
test_load_values(const char *dir, const char *settings, const struct manifest *manifest,
    struct config_values *ret, struct cairn_error *err)
{
	char empty[PATH_MAX];
	int code;

	if (settings != NULL)
		return config_load(settings, &manifest->schema, ret, err);
	code = file_join(empty, sizeof empty, dir, "settings.yaml");
	if (code == 0)
		code = file_write(empty, "{}\n", 3, 0600, err);
	if (code == 0)
		code = config_load(empty, &manifest->schema, ret, err);
	if (code != 0)
		cairn_error_prefix(err, code, "give the required settings with --settings FILE");
	return code;
}

/* A plugin's path is also loaded by the host, which wants one with a slash. */
int
test_read_plugin(const char *file, struct manifest **ret, struct cairn_error *err)
{
	char path[PATH_MAX];

	if (realpath(file, path) == NULL)
		return cairn_error_set(
		    err, CAIRN_ENOTFOUND, "cannot read %.200s: %s", file, strerror(errno));
	return manifest_read(path, ret, err);
}

int
test_open_script(const struct manifest *manifest, struct provenance **ret, struct cairn_error *err)
{
	return manifest->script == NULL
	    ? 0
	    : provenance_open(manifest->path, manifest->script, ret, err);
}

static int
run_test(struct cli *cli, int argc, char **argv)
{
	const char *settings = NULL, *only = NULL;
	const struct cli_option options[] = {
	    {"--settings", &settings, NULL}, {"--check", &only, NULL}, {0}};
	char dir[] = "/tmp/cairn-conformance-XXXXXX";
	struct cairn_error err = {0};
	struct manifest *manifest = NULL;
	struct config_values values = {0};
	struct suite suite = {0};
	struct provenance *object = NULL;
	int status;

	argc = cli_options(cli, options, argc, argv);
	if (argc != 1)
		return argc < 0
		    ? CLI_USAGE
		    : cli_usage(cli, "name one plugin's file: NAME.so or NAME.plugin.yaml");
	if (only != NULL && !is_check(only))
		return cli_usage(cli, "there is no check '%s'", only);
	if (mkdtemp(dir) == NULL)
		return cli_failf(cli, CAIRN_EIO, "cannot make a folder in /tmp");
	if (test_read_plugin(argv[0], &manifest, &err) != 0 ||
	    test_open_script(manifest, &object, &err) != 0 ||
	    test_load_values(dir, settings, manifest, &values, &err) != 0) {
		status = cli_fail(cli, &err);
	} else {
		suite.base.manifest = manifest;
		suite.base.values = &values;
		suite.base.object_fd = object == NULL ? 0 : object->fd;
		suite.base.dir = dir;
		suite.base.timeout_ms = cli->timeout_ms == 0 ? TIMEOUT_MS : cli->timeout_ms;
		status = run_suite(cli, &suite, only);
	}
	config_values_fini(&values);
	provenance_free(object);
	manifest_free(manifest);
	test_remove(dir);
	return status;
}

const struct cli_command cli_test_commands[] = {
    {"plugin test", "FILE [--settings FILE] [--check NAME]", "hold a plugin against the rules",
	"  --settings FILE   its settings; without, the defaults of its manifest\n"
	"  --check NAME      this one only\n"
	"FILE is NAME.so or NAME.plugin.yaml, of which memory is not looked at.\n"
	"Runs the plugin in a host of its own, without a node. A wait is over after --timeout\n"
	"seconds (10). Exit status 0: it conforms.\n",
	"cairn plugin test build/plugins/word-count.so", run_test},
    {"plugin run", "NAME|FILE [--valgrind | --debugger gdb] [--call SUBJECT [--body TEXT]]",
	"run one plugin in the foreground, without a node",
	"  NAME             of the node: its file and settings, but a state folder of its own\n"
	"  --settings FILE  other settings\n"
	"  --valgrind       under valgrind; exit status 1 when it found an error\n"
	"  --debugger GDB   under this debugger, which takes `-p PID` as gdb does; the sandbox is "
	"off\n"
	"  --call SUBJECT   call it once, print the answer, and stop\n"
	"Its log and what it prints come here. Ctrl-C stops it in order.\n",
	"cairn plugin run word-count --valgrind --call word-count.count", cli_foreground_run},
    {0}};
