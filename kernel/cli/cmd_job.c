/* SPDX-License-Identifier: Apache-2.0 */
/* Durable jobs: list, retry, drop. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/client.h"

/* ---- list ------------------------------------------------------------------------------- */

/* "42 s", "5 min", "3 h", "12 d"; "?" for a job of a version that did not note it. */
static void
age_text(long long put_ms, char ret[24])
{
	long long now_ms = (long long)clock_wall_ms();
	long long seconds = now_ms > put_ms ? (now_ms - put_ms) / 1000 : 0;

	if (put_ms == 0)
		snprintf(ret, 24, "?");
	else if (seconds < 120)
		snprintf(ret, 24, "%lld s", seconds);
	else if (seconds < 7200)
		snprintf(ret, 24, "%lld min", seconds / 60);
	else if (seconds < 172800)
		snprintf(ret, 24, "%lld h", seconds / 3600);
	else
		snprintf(ret, 24, "%lld d", seconds / 86400);
}

static void
print_jobs(const struct cli *cli, const json_t *jobs)
{
	struct cli_table table = {0};
	const json_t *job;
	size_t index;

	if (json_array_size(jobs) == 0) {
		puts("no jobs wait");
		return;
	}
	cli_table_row(&table, CLI_DIM, 7,
	    (const char *const[]){"ID", "QUEUE", "STATE", "AGE", "ATTEMPTS", "KEY", "LAST REASON"});
	json_array_foreach(jobs, index, job)
	{
		char id[24], age[24], attempt[24];

		snprintf(id, sizeof id, "%lld", cli_json_number(job, "id"));
		age_text(cli_json_number(job, "put_ms"), age);
		snprintf(attempt, sizeof attempt, "%lld", cli_json_number(job, "attempt"));
		cli_table_row(&table,
		    strcmp(cli_json_text(job, "state"), "dead") == 0 ? CLI_RED : CLI_PLAIN, 7,
		    (const char *const[]){id, cli_json_text(job, "queue"),
			cli_json_text(job, "state"), age, attempt, cli_json_text(job, "key"),
			cli_json_text(job, "reason")});
	}
	cli_table_print(cli, &table);
}

static int
run_list(struct cli *cli, int argc, char **argv)
{
	const struct cli_option options[] = {{0}};
	struct cairn_error err = {0};
	json_t *reply = NULL;

	argc = cli_options(cli, options, argc, argv);
	if (argc != 0)
		return argc < 0 ? CLI_USAGE : cli_usage(cli, "takes no arguments");
	if (client_json(cli, "kernel.jobs", NULL, &reply, &err) != 0)
		return cli_fail(cli, &err);
	if (cli->json)
		return cli_print_json(reply);
	print_jobs(cli, json_object_get(reply, "jobs"));
	json_decref(reply);
	return CLI_DONE;
}

/* ---- retry, drop ------------------------------------------------------------------------ */

struct which {
	const char *queue;
	bool dead;
	bool yes;
	int64_t id;
};

/* On a terminal a person is asked; anything else must say --yes. */
static bool
is_confirmed(const struct cli *cli, const struct which *which, const char *verb)
{
	char answer[8];

	if (which->yes)
		return true;
	if (!cli->tty || isatty(STDIN_FILENO) == 0 || cli->json)
		return false;
	if (which->queue != NULL)
		printf("%s all dead letters of the queue %s? [y/N] ", verb, which->queue);
	else
		printf("%s the dead letter %lld? [y/N] ", verb, (long long)which->id);
	fflush(stdout);
	return fgets(answer, sizeof answer, stdin) != NULL &&
	    (answer[0] == 'y' || answer[0] == 'Y');
}

/* CLI_DONE when `*ret` is complete. */
static int
read_which(struct cli *cli, int argc, char **argv, struct which *ret)
{
	const struct cli_option options[] = {{"--queue", &ret->queue, NULL},
	    {"--dead", NULL, &ret->dead}, {"--yes", NULL, &ret->yes}, {0}};

	argc = cli_options(cli, options, argc, argv);
	if (argc < 0)
		return CLI_USAGE;
	if ((argc == 1) == (ret->queue != NULL) || argc > 1)
		return cli_usage(cli, "name one job's ID, or --queue Q --dead");
	if (ret->queue != NULL && !ret->dead)
		return cli_usage(cli, "--queue needs --dead: only dead letters can be asked for");
	if (argc == 1 && text_to_integer(argv[0], 1, INT64_MAX, &ret->id) != 0)
		return cli_usage(cli, "'%s' is no job's ID (see: cairn job list)", argv[0]);
	return CLI_DONE;
}

static int
retry_or_drop(struct cli *cli, int argc, char **argv, bool retry)
{
	struct which which = {0};
	struct cairn_error err = {0};
	json_t *reply = NULL, *request;
	int status = read_which(cli, argc, argv, &which);
	long long count;

	if (status != CLI_DONE)
		return status;
	if (!is_confirmed(cli, &which, retry ? "try again" : "drop for good"))
		return cli_failf(cli, CAIRN_ECANCELLED,
		    "nothing was changed; say --yes where nobody can be asked");
	request = which.queue != NULL ? json_pack("{s:s}", "queue", which.queue)
				      : json_pack("{s:I}", "id", (json_int_t)which.id);
	if (client_json(
		cli, retry ? "kernel.jobs.retry" : "kernel.jobs.drop", request, &reply, &err) != 0)
		return cli_fail(cli, &err);
	if (cli->json)
		return cli_print_json(reply);
	count = cli_json_number(reply, "jobs");
	printf("%lld %s %s\n", count, count == 1 ? "dead letter" : "dead letters",
	    retry ? "will be tried again" : "dropped");
	json_decref(reply);
	return CLI_DONE;
}

static int
run_retry(struct cli *cli, int argc, char **argv)
{
	return retry_or_drop(cli, argc, argv, true);
}

static int
run_drop(struct cli *cli, int argc, char **argv)
{
	return retry_or_drop(cli, argc, argv, false);
}

#define WHICH_HELP                                                                  \
	"  ID        one dead letter (see: cairn job list)\n"                       \
	"  --queue Q --dead  all dead letters of a queue, at most 65,536 at once\n" \
	"  --yes     without asking; needed where nobody is at a terminal\n"

const struct cli_command cli_job_commands[] = {
    {"job list", "", "list the durable jobs that wait, are being worked on, or are dead",
	"The first 1,000 jobs; `cairn status` has the totals of every queue.\n", "cairn job list",
	run_list},
    {"job retry", "ID | --queue Q --dead [--yes]", "try dead letters again",
	WHICH_HELP "They start anew with all their attempts. The ledger says who asked.\n",
	"cairn job retry --queue facts --dead --yes", run_retry},
    {"job drop", "ID | --queue Q --dead [--yes]", "remove dead letters for good",
	WHICH_HELP "What they would have done is never done. The ledger says who asked.\n",
	"cairn job drop 17 --yes", run_drop},
    {0}};
