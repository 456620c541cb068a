/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

/*
 * The `cairn` command.  One file per command group; each exports its commands in a table.  Exit
 * status everywhere: 0 done, 1 refused or failed, 2 wrong usage.  With --json a command prints one
 * JSON object on standard output, also for errors ({"error": {...}}); people's text goes to
 * standard output, errors to standard error.  Colours and progress bars only where the output is a
 * terminal.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <jansson.h>

#include <cairn/error.h>

#define CLI_DONE 0
#define CLI_FAILED 1
#define CLI_USAGE 2

struct cli_command;

struct cli {
	const struct cli_command *command;
	const char *home;
	bool json;
	bool tty;            /* standard output is a terminal */
	bool colour;         /* tty, and NO_COLOR is not set */
	unsigned timeout_ms; /* 0: the default of the command */
};

struct cli_command {
	const char *name;    /* "ledger verify" */
	const char *args;    /* "[--lines N]" */
	const char *summary; /* one line */
	const char *help;    /* options and notes, lines of at most 90 columns; may be "" */
	const char *example; /* "cairn ledger verify" */
	/* argv[0] is the first argument after the command's name; `--home`, `--json`, `--timeout`
	 * and
	 * `--help` are taken out already. */
	int (*run)(struct cli *cli, int argc, char **argv);
};

/* Tables that end with a NULL name. */
extern const struct cli_command cli_node_commands[];
extern const struct cli_command cli_care_commands[];
extern const struct cli_command cli_backup_commands[];
extern const struct cli_command cli_plugin_commands[];
extern const struct cli_command cli_install_commands[];
extern const struct cli_command cli_key_commands[];
extern const struct cli_command cli_profile_commands[];
extern const struct cli_command cli_data_commands[];
extern const struct cli_command cli_query_commands[];
extern const struct cli_command cli_breakdown_commands[];
extern const struct cli_command cli_patient_commands[];
extern const struct cli_command cli_table_commands[];
extern const struct cli_command cli_policy_commands[];
extern const struct cli_command cli_ledger_commands[];
extern const struct cli_command cli_job_commands[];
extern const struct cli_command cli_sdk_commands[];
extern const struct cli_command cli_test_commands[];
extern const struct cli_command cli_man_commands[];

/* All commands in the order of `cairn --help`; NULL behind the last. */
const struct cli_command *cli_command_at(size_t index);

/* Commands with a file of their own. */
int cli_check_run(struct cli *cli, int argc, char **argv);
int cli_logs_run(struct cli *cli, int argc, char **argv);
int cli_all_logs_run(struct cli *cli, int argc, char **argv);
int cli_why_run(struct cli *cli, int argc, char **argv);
int cli_mask_run(struct cli *cli, int argc, char **argv);
int cli_unmask_run(struct cli *cli, int argc, char **argv);
int cli_log_level_run(struct cli *cli, int argc, char **argv);
int cli_call_run(struct cli *cli, int argc, char **argv);
int cli_security_run(struct cli *cli, int argc, char **argv);
int cli_sign_run(struct cli *cli, int argc, char **argv);
int cli_count_run(struct cli *cli, int argc, char **argv);
int cli_cohort_fields_run(struct cli *cli, int argc, char **argv);
int cli_cohort_reindex_run(struct cli *cli, int argc, char **argv);
int cli_export_run(struct cli *cli, int argc, char **argv);
int cli_foreground_run(struct cli *cli, int argc, char **argv);

/* Prints the error ("cairn count: text") or its JSON and returns CLI_FAILED. */
int cli_fail(const struct cli *cli, const struct cairn_error *err);
int cli_failf(const struct cli *cli, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same with the command's usage, and CLI_USAGE. */
int cli_usage(const struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Prints `value` as one line of JSON, releases it, returns CLI_DONE. */
int cli_print_json(json_t *value);
/* A JSON string of text from outside: what is no UTF-8 becomes '?'.  For "o" in json_pack(), where
 * "s" would lose the whole object. */
json_t *cli_text(const char *text);

/* A member of the node's answer: "" or 0 when it is not there. */
const char *cli_json_text(const json_t *object, const char *key);
long long cli_json_number(const json_t *object, const char *key);

/* ---- options ---------------------------------------------------------------------------- */

struct cli_option {
	const char *name;   /* "--purpose" */
	const char **value; /* set to the argument; NULL: a flag */
	bool *flag;
};

/* Takes the options (ended by a NULL name) out of argv; what remains is positional.  "--" ends
 * them. Returns the number of positionals, or -1 after printing what is wrong (with "did you
 * mean"). */
int cli_options(const struct cli *cli, const struct cli_option *options, int argc, char **argv);

/* ---- terminal --------------------------------------------------------------------------- */

enum cli_colour { CLI_PLAIN, CLI_GREEN, CLI_YELLOW, CLI_RED, CLI_DIM, CLI_BOLD };

const char *cli_colour(const struct cli *cli, enum cli_colour colour);

/* A table: rows of cells, columns as wide as their widest cell, last column free. */
struct cli_table {
	size_t columns;
	size_t rows;
	char **cells; /* rows * columns */
	enum cli_colour *colours;
};

int cli_table_row(
    struct cli_table *table, enum cli_colour colour, size_t columns, const char *const *cells);
/* Prints and frees. */
void cli_table_print(const struct cli *cli, struct cli_table *table);

/* Prints text from outside without the control characters that could fool a terminal. */
void cli_print_safe(FILE *to, const char *text);

#endif
