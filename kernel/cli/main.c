/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The dispatcher: finds the command ("ledger verify" before "ledger"), takes the options that every
 * command has, and runs it.  A word that is no command is looked for beside this program as
 * cairn-WORD (so that `cairn synth` need not live in the kernel).
 */
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/cli.h"
#include "cli/paths.h"

static const struct cli_command *const groups[] = {cli_node_commands, cli_care_commands,
    cli_backup_commands, cli_plugin_commands, cli_install_commands, cli_key_commands,
    cli_profile_commands, cli_data_commands, cli_query_commands, cli_breakdown_commands,
    cli_table_commands, cli_patient_commands, cli_policy_commands, cli_ledger_commands,
    cli_job_commands, cli_sdk_commands, cli_test_commands, cli_man_commands};
#define GROUPS (sizeof groups / sizeof groups[0])

const struct cli_command *
cli_command_at(size_t index)
{
	for (size_t i = 0; i < GROUPS; i++) {
		for (const struct cli_command *command = groups[i]; command->name != NULL;
		     command++) {
			if (index-- == 0)
				return command;
		}
	}
	return NULL;
}

static const char *
command_name(const void *arg, size_t index)
{
	const struct cli_command *command = cli_command_at(index);

	(void)arg;
	return command == NULL ? NULL : command->name;
}

/* How many words of argv name `command`: 0 when it is another. */
static int
match(const struct cli_command *command, int argc, char **argv)
{
	char words[64];
	int wrote;

	if (argc > 0 && strcmp(command->name, argv[0]) == 0)
		return 1;
	if (argc < 2)
		return 0;
	wrote = snprintf(words, sizeof words, "%s %s", argv[0], argv[1]);
	return wrote > 0 && (size_t)wrote < sizeof words && strcmp(command->name, words) == 0 ? 2
											      : 0;
}

static const struct cli_command *
find_command(int argc, char **argv, int *ret_words)
{
	for (size_t i = 0; i < GROUPS; i++) {
		for (const struct cli_command *command = groups[i]; command->name != NULL;
		     command++) {
			int words = match(command, argc, argv);

			if (words > 0) {
				*ret_words = words;
				return command;
			}
		}
	}
	return NULL;
}

static void
print_overview(FILE *to)
{
	fputs("cairn: a hospital's node for sharing cancer images without giving them away\n\n"
	      "usage: cairn [--home DIR] [--json] COMMAND ...\n\n",
	    to);
	for (size_t i = 0; i < GROUPS; i++) {
		for (const struct cli_command *command = groups[i]; command->name != NULL;
		     command++)
			fprintf(to, "  %-16s %s\n", command->name, command->summary);
		fputc('\n', to);
	}
	fputs(
	    "  synth            make plausible, reproducible DICOM series for trying things out\n\n"
	    "Every command: --home DIR (default $CAIRN_HOME, else /var/lib/cairn), --json,\n"
	    "--timeout SECONDS (for the node's answer), --help.  Exit status: 0 done, 1 refused or "
	    "failed, 2 wrong usage.\n"
	    "Start here: cairn init DIR\n",
	    to);
}

static int
print_help(const struct cli_command *command)
{
	printf("cairn %s: %s\n\nusage: cairn %s%s%s\n", command->name, command->summary,
	    command->name, command->args[0] == 0 ? "" : " ", command->args);
	if (command->help[0] != 0)
		printf("\n%s", command->help);
	printf("\nexample:\n  %s\n", command->example);
	return CLI_DONE;
}

/* Every word that begins like a group ("ledger") lists that group. */
static bool
print_group(const char *word)
{
	size_t length = strlen(word);
	bool found = false;

	for (size_t i = 0; i < GROUPS; i++) {
		for (const struct cli_command *command = groups[i]; command->name != NULL;
		     command++) {
			if (strncmp(command->name, word, length) != 0 ||
			    command->name[length] != ' ')
				continue;
			fprintf(stderr, "%s  cairn %s %s\n", found ? "" : "cairn: say which one:\n",
			    command->name, command->args);
			found = true;
		}
	}
	return found;
}

static int
run_external(char **argv)
{
	char path[PATH_MAX];
	char name[64];
	const char *near;

	if (strspn(argv[0], "abcdefghijklmnopqrstuvwxyz-") == strlen(argv[0]) &&
	    snprintf(name, sizeof name, "cairn-%s", argv[0]) < (int)sizeof name &&
	    strcmp(name, "cairn-host") != 0 && paths_program(name, path) == 0 &&
	    access(path, X_OK) == 0) {
		execv(path, argv);
		perror(path);
		return CLI_FAILED;
	}
	if (print_group(argv[0]))
		return CLI_USAGE;
	near = text_suggest(argv[0], command_name, NULL);
	fprintf(stderr, "cairn: unknown command '%s'", argv[0]);
	if (near != NULL)
		fprintf(stderr, "; did you mean '%s'?", near);
	fputs("\n  see: cairn --help\n", stderr);
	return CLI_USAGE;
}

static int
take_timeout(struct cli *cli, const char *text)
{
	double seconds;

	if (text_to_number(text, &seconds) != 0 || seconds <= 0 || seconds > 86400)
		return CAIRN_EINVAL;
	cli->timeout_ms = (unsigned)(seconds * 1000);
	return 0;
}

/* Takes the options that every command has out of argv, wherever they stand; -1 after a mistake.
 * What follows "--" stays. */
static int
take_common(struct cli *cli, int argc, char **argv, bool *ret_help)
{
	int kept = 0;

	for (int i = 0; i < argc; i++) {
		const char *word = argv[i];
		bool home = strcmp(word, "--home") == 0, timeout = strcmp(word, "--timeout") == 0;

		if (strcmp(word, "--") == 0) {
			while (i < argc)
				argv[kept++] = argv[i++];
		} else if (strcmp(word, "--json") == 0) {
			cli->json = true;
		} else if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
			*ret_help = true;
		} else if ((home || timeout) && i + 1 == argc) {
			fprintf(stderr, "cairn: %s needs a value\n", word);
			return -1;
		} else if (home) {
			cli->home = argv[++i];
		} else if (timeout) {
			if (take_timeout(cli, argv[++i]) != 0) {
				fprintf(stderr,
				    "cairn: --timeout takes seconds (0.1 to 86400), not '%s'\n",
				    argv[i]);
				return -1;
			}
		} else {
			argv[kept++] = argv[i];
		}
	}
	return kept;
}

static bool
is_external(int argc, char **argv)
{
	int words;

	return argc > 0 && argv[0][0] != '-' && find_command(argc, argv, &words) == NULL;
}

int
main(int argc, char **argv)
{
	const char *home = getenv("CAIRN_HOME");
	struct cli cli = {.home = home == NULL ? "/var/lib/cairn" : home};
	bool help = false;
	int words = 0;

	signal(SIGPIPE, SIG_DFL);
	cli.tty = isatty(STDOUT_FILENO) == 1;
	cli.colour = cli.tty && getenv("NO_COLOR") == NULL;
	argc--;
	argv++;
	if (is_external(argc, argv))
		return run_external(argv);
	argc = take_common(&cli, argc, argv, &help);
	if (argc < 0)
		return CLI_USAGE;
	if (argc == 0 || strcmp(argv[0], "help") == 0) {
		print_overview(argc == 0 && !help ? stderr : stdout);
		return argc == 0 && !help ? CLI_USAGE : CLI_DONE;
	}
	if (strcmp(argv[0], "--version") == 0) {
		puts("cairn " CAIRN_VERSION);
		return CLI_DONE;
	}
	cli.command = find_command(argc, argv, &words);
	if (cli.command == NULL)
		return run_external(argv);
	if (help)
		return print_help(cli.command);
	return cli.command->run(&cli, argc - words, argv + words);
}
