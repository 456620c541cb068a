/* SPDX-License-Identifier: Apache-2.0 */
/* Durable jobs: list. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/client.h"

static const char *
text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text == NULL ? "" : text;
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
	cli_table_row(&table, CLI_DIM, 6,
	    (const char *const[]){"ID", "QUEUE", "STATE", "ATTEMPT", "KEY", "REASON"});
	json_array_foreach(jobs, index, job)
	{
		char id[24], attempt[24];

		snprintf(id, sizeof id, "%lld",
		    (long long)json_integer_value(json_object_get(job, "id")));
		snprintf(attempt, sizeof attempt, "%lld",
		    (long long)json_integer_value(json_object_get(job, "attempt")));
		cli_table_row(&table,
		    strcmp(text_of(job, "state"), "dead") == 0 ? CLI_RED : CLI_PLAIN, 6,
		    (const char *const[]){id, text_of(job, "queue"), text_of(job, "state"), attempt,
			text_of(job, "key"), text_of(job, "reason")});
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
