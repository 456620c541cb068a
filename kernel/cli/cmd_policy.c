/* SPDX-License-Identifier: Apache-2.0 */
/* The site's policy: test its cases, ask what it would say, take its files into a running node. */
#include <inttypes.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "cli/available.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/policy.h"
#include "guard/cases.h"

/* ---- test ------------------------------------------------------------------------------- */

struct testing {
	const struct cli *cli;
	struct policy_site *site;
	json_t *results;
	unsigned right, wrong, files;
};

static ProtobufCMessage *
case_message(void *arg, const char *subject)
{
	const struct testing *testing = arg;

	return policy_sample(testing->site, subject);
}

static void
case_result(void *arg, const struct cases_result *result)
{
	struct testing *testing = arg;
	const struct cli *cli = testing->cli;
	bool right = result->problem[0] == 0;

	testing->right += right;
	testing->wrong += !right;
	if (cli->json) {
		json_array_append_new(testing->results,
		    json_pack("{s:o, s:b, s:I, s:o}", "case", cli_text(result->name), "ok", right,
			"line", (json_int_t)result->line, "problem", cli_text(result->problem)));
		return;
	}
	printf("%s%s%s  ", cli_colour(cli, right ? CLI_GREEN : CLI_RED), right ? "ok  " : "FAIL",
	    cli_colour(cli, CLI_PLAIN));
	cli_print_safe(stdout, result->name);
	for (const char *at = result->problem; *at != 0;) {
		char line[CAIRN_ERROR_TEXT_MAX];
		size_t length = strcspn(at, "\n");

		snprintf(line, sizeof line, "%.*s", (int)length, at);
		fputs("\n      ", stdout);
		cli_print_safe(stdout, line);
		at += length + (at[length] == '\n');
	}
	putchar('\n');
}

static int
test_file(void *arg, const char *path, struct cairn_error *err)
{
	struct testing *testing = arg;
	const struct cases_ops ops = {case_message, case_result, testing};

	testing->files++;
	return cases_run(testing->site->guard, path, &ops, err);
}

static int
test_all(
    struct testing *testing, const char *policies, int count, char **paths, struct cairn_error *err)
{
	char folder[PATH_MAX];
	int wrote = policies == NULL
	    ? snprintf(folder, sizeof folder, "%s/policies/cases", testing->cli->home)
	    : snprintf(folder, sizeof folder, "%s/cases", policies);

	for (int i = 0; i < count; i++) {
		int code = test_file(testing, paths[i], err);

		if (code != 0)
			return code;
	}
	if (count > 0)
		return 0;
	if (wrote < 0 || (size_t)wrote >= sizeof folder)
		return cairn_error_set(err, CAIRN_ELIMIT, "the path is too long");
	if (!file_exists(folder))
		return cairn_error_set(err, CAIRN_ENOTFOUND,
		    "there are no cases: %s is missing; name a file of cases", folder);
	return available_files(folder, ".yaml", test_file, testing, err);
}

static int
print_tested(struct testing *testing)
{
	bool good = testing->wrong == 0 && testing->right > 0;

	if (testing->cli->json)
		cli_print_json(json_pack("{s:b, s:I, s:I, s:O}", "ok", good, "right",
		    (json_int_t)testing->right, "wrong", (json_int_t)testing->wrong, "cases",
		    testing->results));
	else
		printf("%u cases right, %u wrong\n%s", testing->right, testing->wrong,
		    testing->wrong == 0
			? ""
			: "if the policy was changed on purpose, let the cases follow "
			  "it (policies/cases/default.yaml)\n");
	return good ? CLI_DONE : CLI_FAILED;
}

static int
run_test(struct cli *cli, int argc, char **argv)
{
	const char *policies = NULL;
	const struct cli_option options[] = {{"--policies", &policies, NULL}, {0}};
	struct policy_site *site;
	struct testing testing = {.cli = cli};
	struct cairn_error err = {0};
	int status;

	argc = cli_options(cli, options, argc, argv);
	if (argc < 0)
		return CLI_USAGE;
	site = calloc(1, sizeof *site);
	if (site == NULL || policy_site_open(site, cli, policies, &err) != 0) {
		free(site);
		return cli_fail(cli, &err);
	}
	testing.site = site;
	testing.results = json_array();
	if (test_all(&testing, policies, argc, argv, &err) != 0)
		status = cli_fail(cli, &err);
	else
		status = print_tested(&testing);
	json_decref(testing.results);
	policy_site_close(site);
	free(site);
	return status;
}

/* ---- ask -------------------------------------------------------------------------------- */

static void
local_name(char ret[128])
{
	const struct passwd *entry = getpwuid(getuid());

	if (entry != NULL)
		snprintf(ret, 128, "local:%.100s", entry->pw_name);
	else
		snprintf(ret, 128, "local:%u", (unsigned)getuid());
}

static const char *
next_served(const void *arg, size_t index)
{
	const struct policy_site *site = arg;

	return index < site->served_count ? site->served[index].subject : NULL;
}

static json_t *
decision_json(const struct guard_question *question, const struct guard_decision *d)
{
	json_t *obligations = json_object();

	for (size_t i = 0; i < d->obligation_count; i++)
		json_object_set_new(obligations, d->obligations[i].name,
		    json_integer((json_int_t)d->obligations[i].value));
	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "verdict",
	    d->permit ? "permit" : "deny", "rule", cli_text(d->rule), "reason", cli_text(d->reason),
	    "obligations", obligations, "subject", cli_text(question->subject), "principal",
	    cli_text(question->principal), "role", cli_text(question->role), "purpose",
	    cli_text(question->purpose), "permit", cli_text(question->permit));
}

static void
print_named(const char *name, const char *text)
{
	printf("  %-12s ", name);
	cli_print_safe(stdout, text);
	putchar('\n');
}

static void
print_decision(
    const struct cli *cli, const struct guard_question *question, const struct guard_decision *d)
{
	printf("%s%s%s: ", cli_colour(cli, d->permit ? CLI_GREEN : CLI_RED),
	    d->permit ? "would be permitted" : "would be denied", cli_colour(cli, CLI_PLAIN));
	cli_print_safe(stdout, d->reason);
	putchar('\n');
	print_named("rule", d->rule);
	print_named("asked by", question->principal);
	print_named("role", question->role[0] == 0 ? "not known at this site" : question->role);
	for (size_t i = 0; i < d->obligation_count; i++)
		printf("  %-12s %s = %" PRId64 "\n", i == 0 ? "obligations" : "",
		    d->obligations[i].name, d->obligations[i].value);
}

/* A subject that nobody serves is mentioned: the rules answer about it all the same. */
static void
warn_unserved(const struct policy_site *site, const char *subject)
{
	const char *near;

	for (size_t i = 0; i < site->served_count; i++) {
		if (strcmp(site->served[i].subject, subject) == 0)
			return;
	}
	near = text_suggest(subject, next_served, site);
	fputs("cairn policy ask: no enabled plugin serves '", stderr);
	cli_print_safe(stderr, subject);
	fprintf(stderr, "'%s%s%s\n", near == NULL ? "" : "; did you mean '",
	    near == NULL ? "" : near, near == NULL ? "" : "'?");
}

static int
ask(struct cli *cli, struct policy_site *site, struct guard_question *question, const char *as)
{
	ProtobufCMessage *message = policy_sample(site, question->subject);
	struct guard_decision decision;
	char self[128];

	local_name(self);
	question->principal = as == NULL ? self : as;
	question->asked_by = as == NULL || strcmp(as, self) == 0 ? "" : self;
	question->role = question->asked_by[0] == 0 ? "operator" : guard_role(site->guard, as);
	question->via = "control";
	question->request_id = "";
	question->message = message;
	guard_decide(site->guard, question, &decision);
	if (message != NULL)
		protobuf_c_message_free_unpacked(message, NULL);
	if (cli->json) {
		cli_print_json(decision_json(question, &decision));
	} else {
		warn_unserved(site, question->subject);
		print_decision(cli, question, &decision);
	}
	return decision.permit ? CLI_DONE : CLI_FAILED;
}

static int
run_ask(struct cli *cli, int argc, char **argv)
{
	struct guard_question question = {.purpose = "", .permit = ""};
	const char *as = NULL;
	const struct cli_option options[] = {{"--as", &as, NULL},
	    {"--purpose", &question.purpose, NULL}, {"--permit", &question.permit, NULL}, {0}};
	struct policy_site *site;
	struct cairn_error err = {0};
	int status;

	argc = cli_options(cli, options, argc, argv);
	if (argc < 0)
		return CLI_USAGE;
	if (argc != 1)
		return cli_usage(cli, "name one subject, such as cohort.count");
	site = calloc(1, sizeof *site);
	if (site == NULL || policy_site_open(site, cli, NULL, &err) != 0) {
		free(site);
		return cli_fail(cli, &err);
	}
	question.subject = argv[0];
	status = ask(cli, site, &question, as);
	policy_site_close(site);
	free(site);
	return status;
}

/* ---- reload ----------------------------------------------------------------------------- */

#define RELOAD_MS 600000u /* the node has limits of its own */

static void
print_plugins(const json_t *reply)
{
	const json_t *item;
	size_t index;

	json_array_foreach(json_object_get(reply, "replaced"), index, item)
	{
		printf("%s %s is ready (before: %s); calls waited %lld ms\n",
		    cli_json_text(item, "plugin"), cli_json_text(item, "version"),
		    cli_json_text(item, "before"), cli_json_number(item, "pause_ms"));
	}
	json_array_foreach(json_object_get(reply, "stopped"), index, item)
	{
		printf("%s is stopped\n", json_string_value(item));
	}
}

static int
run_reload(struct cli *cli, int argc, char **argv)
{
	const struct cli_option options[] = {{0}};
	struct cairn_error err = {0};
	json_t *reply = NULL;
	const json_t *warning;
	struct cli limits = *cli;
	bool plugins;
	size_t index;

	argc = cli_options(cli, options, argc, argv);
	if (argc != 0)
		return argc < 0 ? CLI_USAGE : cli_usage(cli, "takes no arguments");
	if (limits.timeout_ms == 0)
		limits.timeout_ms = RELOAD_MS;
	if (client_json(&limits, "kernel.reload", NULL, &reply, &err) != 0)
		return cli_fail(cli, &err);
	if (cli->json)
		return cli_print_json(reply);
	json_array_foreach(json_object_get(reply, "warnings"), index, warning)
	{
		printf("%swarning%s  ", cli_colour(cli, CLI_YELLOW), cli_colour(cli, CLI_PLAIN));
		cli_print_safe(stdout, json_string_value(warning));
		putchar('\n');
	}
	plugins = json_array_size(json_object_get(reply, "replaced")) > 0 ||
	    json_array_size(json_object_get(reply, "stopped")) > 0;
	print_plugins(reply);
	if (!json_is_true(json_object_get(reply, "changed")) && !plugins)
		puts("nothing has changed: the files are those that are loaded");
	else if (json_is_true(json_object_get(reply, "changed")))
		printf("the node now decides by the new policy: %lld rules, %.16s...\n",
		    cli_json_number(reply, "rules"), cli_json_text(reply, "digest"));
	json_decref(reply);
	return CLI_DONE;
}

const struct cli_command cli_policy_commands[] = {
    {"policy test", "[FILE...] [--policies DIR]", "put the site's cases to its policy",
	"Without a FILE: every policies/cases/*.yaml of the home. No node is needed and no data "
	"is\n"
	"asked. Exit status 1 when any decision is another than the case says.\n"
	"  --policies DIR   the rules, settings and cases of that folder instead of the home's\n",
	"cairn policy test", run_test},
    {"policy ask", "SUBJECT [--as PRINCIPAL] [--purpose P] [--permit ID]",
	"what the policy would decide, without asking any data",
	"Decided from the files in policies/, with an empty message, as the running node would "
	"once\n"
	"they are loaded (cairn reload). Exit status 1 for a denial.\n",
	"cairn policy ask cohort.count --as alice@example.org --purpose scientific-research",
	run_ask},
    {"reload", "", "take changed settings, plugins and policies into the running node",
	"node.yaml, plugins/enabled, the plugins' files and policies/ are read again and proven "
	"first, as\n"
	"by `cairn check`. What changed is then replaced without losing a call, a job or a "
	"connection; on\n"
	"any fault the old set serves on, and the fault is printed. The ledger records it. SIGHUP "
	"to the\n"
	"node does the same.\n",
	"cairn reload", run_reload},
    {0}};
