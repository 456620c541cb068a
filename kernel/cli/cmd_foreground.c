/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cairn plugin run: one plugin in the foreground, with this program as its kernel, so that a person
 * can look at it, also under valgrind (which is the process that becomes the host).
 */
#define _XOPEN_SOURCE 700
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/checks.h"
#include "cli/cli.h"
#include "config/script.h"

#define PATIENCE_MS (24u * 3600 * 1000) /* a person is slower than a kernel */
#define ANSWER_MAX 65536

static const char *const valgrind[] = {"valgrind", "--quiet", "--leak-check=full",
    "--show-leak-kinds=definite", "--errors-for-leak-kinds=definite", "--error-exitcode=99", NULL};

/* A signal handler has no argument of ours. */
static volatile sig_atomic_t asked_to_end;

static void
on_signal(int signal_number)
{
	(void)signal_number;
	asked_to_end = 1;
}

struct foreground {
	const char *settings, *subject, *body, *debugger;
	bool valgrind;
	pid_t debugging; /* the debugger; 0: none, or it has ended */
};

/* ---- what is run --------------------------------------------------------------------------- */

static int
find_plugin(struct cli *cli, const char *name, struct foreground *foreground,
    char settings[PATH_MAX], struct manifest **ret, struct cairn_error *err)
{
	struct node_config *node = NULL;
	char path[PATH_MAX];
	int code;

	if (strchr(name, '/') != NULL || strstr(name, ".so") != NULL || script_is_manifest(name))
		return test_read_plugin(name, ret, err);
	code = node_config_load(cli->home, &node, err);
	if (code != 0)
		return code;
	if (plugin_object_find(node, name, path, sizeof path) != 0)
		code = cairn_error_set(
		    err, CAIRN_ENOTFOUND, "there is no plugin '%.64s' (cairn plugin list)", name);
	else if (snprintf(settings, PATH_MAX, "%s/plugins/available/%s.yaml", cli->home, name) >=
	    PATH_MAX)
		code = cairn_error_set(err, CAIRN_ELIMIT, "the path is too long");
	else
		code = test_read_plugin(path, ret, err);
	if (code == 0 && foreground->settings == NULL && file_exists(settings))
		foreground->settings = settings;
	node_config_free(node);
	return code;
}

/* ---- a debugger ---------------------------------------------------------------------------- */

/* It attaches to a host that waits, so that the host stays our child, whom we know on the socket,
 * and the terminal stays the debugger's.  Ctrl-C is for it alone. */
static int
begin_debugger(void *arg, int pid, struct cairn_error *err)
{
	struct foreground *foreground = arg;
	char number[16], pending[] = "set breakpoint pending on", flag[] = "-p", ex[] = "-iex",
			 quiet[] = "-q";
	char *args[] = {
	    (char *)(uintptr_t)foreground->debugger, quiet, ex, pending, flag, number, NULL};
	int code;

	snprintf(number, sizeof number, "%d", pid);
	fprintf(stderr,
	    "cairn: THE SANDBOX IS OFF: this plugin may do whatever you may. Its process %d waits "
	    "for the\ndebugger before anything of the plugin is loaded: set breakpoints (they wait "
	    "for the plugin),\nthen `continue`; `quit` ends the debugger and stops the plugin.\n",
	    pid);
	code = posix_spawnp(&foreground->debugging, args[0], NULL, NULL, args, environ);
	if (code == 0)
		return 0;
	foreground->debugging = 0;
	return cairn_error_set(err, CAIRN_ENOTFOUND, "cannot run %.64s: %s; is it installed?",
	    foreground->debugger, strerror(code));
}

static bool
debugger_ended(void *arg)
{
	struct foreground *foreground = arg;

	if (foreground->debugging != 0 &&
	    waitpid(foreground->debugging, NULL, WNOHANG) == foreground->debugging)
		foreground->debugging = 0;
	return foreground->debugging == 0;
}

/* Until it is left, which is when the plugin is stopped. */
static void
serve_debugger(struct foreground *foreground, struct tested *tested)
{
	while (!debugger_ended(foreground) && tested_turn(tested))
		continue;
}

static void
wait_for_debugger(struct foreground *foreground)
{
	while (foreground->debugging != 0 && waitpid(foreground->debugging, NULL, 0) < 0 &&
	    errno == EINTR)
		continue;
	foreground->debugging = 0;
}

/* ---- running ------------------------------------------------------------------------------- */

static int
call_once(const struct cli *cli, const struct foreground *foreground, struct tested *tested,
    struct cairn_error *err)
{
	char *answer = calloc(1, ANSWER_MAX);
	int code = answer == NULL
	    ? cairn_error_set(err, CAIRN_ENOMEM, "out of memory")
	    : tested_ask(tested, foreground->subject,
		  foreground->body == NULL ? "" : foreground->body, answer, ANSWER_MAX, err);

	if (code == 0 && cli->json)
		cli_print_json(json_pack("{s:o}", "body", cli_text(answer)));
	else if (code == 0)
		puts(answer);
	free(answer);
	return code;
}

static int
run_plugin(const struct cli *cli, struct foreground *foreground, struct tested_options *options,
    struct cairn_error *err)
{
	struct tested *tested = NULL;
	int code;

	if (foreground->valgrind)
		options->tool = valgrind;
	if (foreground->debugger != NULL) {
		options->debug = begin_debugger;
		options->left = debugger_ended;
		options->arg = foreground;
	}
	options->foreground = true;
	code = tested_start(&tested, options, err);
	if (code == 0 && foreground->subject != NULL)
		code = call_once(cli, foreground, tested, err);
	else if (code == 0 && foreground->debugger != NULL)
		serve_debugger(foreground, tested);
	else if (code == 0)
		tested_serve(tested, &asked_to_end);
	if (code == 0)
		code = tested_stop(tested, err);
	tested_free(tested);
	wait_for_debugger(foreground);
	return code;
}

static void
catch_signals(void)
{
	struct sigaction action = {.sa_handler = on_signal};

	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

static int
run_in(struct cli *cli, struct foreground *foreground, const char *name, const char *dir)
{
	struct cairn_error err = {0};
	struct config_values values = {0};
	struct manifest *manifest = NULL;
	struct tested_options options = {.dir = dir, .timeout_ms = PATIENCE_MS};
	struct provenance *object = NULL;
	char settings[PATH_MAX];
	int code = find_plugin(cli, name, foreground, settings, &manifest, &err);

	if (code == 0)
		code = test_open_script(manifest, &object, &err);
	if (code == 0)
		code = test_load_values(dir, foreground->settings, manifest, &values, &err);
	if (code == 0) {
		options.manifest = manifest;
		options.values = &values;
		options.object_fd = object == NULL ? 0 : object->fd;
		if (cli->timeout_ms != 0)
			options.timeout_ms = cli->timeout_ms;
		catch_signals();
		code = run_plugin(cli, foreground, &options, &err);
	}
	config_values_fini(&values);
	provenance_free(object);
	manifest_free(manifest);
	return code == 0 ? CLI_DONE : cli_fail(cli, &err);
}

int
cli_foreground_run(struct cli *cli, int argc, char **argv)
{
	struct foreground foreground = {0};
	const struct cli_option options[] = {{"--settings", &foreground.settings, NULL},
	    {"--call", &foreground.subject, NULL}, {"--body", &foreground.body, NULL},
	    {"--valgrind", NULL, &foreground.valgrind}, {"--debugger", &foreground.debugger, NULL},
	    {0}};
	char dir[] = "/tmp/cairn-run-XXXXXX";
	int status;

	argc = cli_options(cli, options, argc, argv);
	if (argc != 1)
		return argc < 0 ? CLI_USAGE : cli_usage(cli, "name one plugin or its file");
	if (foreground.body != NULL && foreground.subject == NULL)
		return cli_usage(cli, "--body goes with --call");
	if (foreground.debugger != NULL && foreground.valgrind)
		return cli_usage(cli, "--debugger and --valgrind do not go together");
	if (mkdtemp(dir) == NULL)
		return cli_failf(cli, CAIRN_EIO, "cannot make a folder in /tmp");
	status = run_in(cli, &foreground, argv[0], dir);
	test_remove(dir);
	return status;
}
