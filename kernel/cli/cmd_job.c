/* SPDX-License-Identifier: Apache-2.0 */
/* Durable jobs: list. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/client.h"

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
	cli_table_row(&table, CLI_DIM, 6,
	    (const char *const[]){"ID", "QUEUE", "STATE", "ATTEMPT", "KEY", "REASON"});
	json_array_foreach(jobs, index, job)
	{
		char id[24], attempt[24];

		snprintf(id, sizeof id, "%lld", cli_json_number(job, "id"));
		snprintf(attempt, sizeof attempt, "%lld", cli_json_number(job, "attempt"));
		cli_table_row(&table,
		    strcmp(cli_json_text(job, "state"), "dead") == 0 ? CLI_RED : CLI_PLAIN, 6,
		    (const char *const[]){id, cli_json_text(job, "queue"),
			cli_json_text(job, "state"), attempt, cli_json_text(job, "key"),
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

const struct cli_command cli_job_commands[] = {
    {"job list", "", "list the durable jobs that wait, are being worked on, or are dead",
	"The first 1,000 jobs; `cairn status` has the totals of every queue.\n", "cairn job list",
	run_list},
    {0}};
