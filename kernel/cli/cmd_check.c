/* SPDX-License-Identifier: Apache-2.0 */
/* check: the whole configuration as the node would take it, and what each plugin says of it. */
#include <limits.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/policy.h"
#include "cli/probe.h"
#include "config/config.h"
#include "identity/identity.h"
#include "link/link.h"

#define PROBE_MS 10000u

struct check {
	const struct cli *cli;
	json_t *results;
	json_t *status; /* of the running node; NULL */
	bool quick;
	int failed;
};

/* A code below 0 is a fault, one above 0 a warning. */
static void
report(struct check *check, const char *what, int code, const char *detail)
{
	const struct cli *cli = check->cli;

	if (code < 0)
		check->failed++;
	if (cli->json) {
		json_array_append_new(check->results,
		    json_pack("{s:s, s:b, s:b, s:o}", "what", what, "ok", code >= 0, "warning",
			code > 0, "detail", cli_text(detail)));
		return;
	}
	printf("%s%s%s  %-18s ",
	    cli_colour(cli,
		code == 0      ? CLI_GREEN
		    : code > 0 ? CLI_YELLOW
			       : CLI_RED),
	    code == 0      ? "ok  "
		: code > 0 ? "warn"
			   : "FAIL",
	    cli_colour(cli, CLI_PLAIN), what);
	cli_print_safe(stdout, detail);
	putchar('\n');
}

static void
check_keys(struct check *check)
{
	struct cairn_error err = {0};
	struct identity *identity = NULL;
	char keys[PATH_MAX];
	int code = file_join(keys, sizeof keys, check->cli->home, "keys");

	if (code == 0)
		code = identity_open(&identity, keys, &err);
	report(check, "keys", code,
	    code == 0 ? "node key and pseudonym key are readable by the owner only" : err.text);
	identity_free(identity);
}

static void
check_links(struct check *check)
{
	struct cairn_error err = {0};
	struct link_counts counts = {0};
	char path[PATH_MAX], text[200];
	int code = file_join(path, sizeof path, check->cli->home, "state/kernel/links");

	if (code == 0)
		code = link_verify(path, &counts, &err);
	if (code == CAIRN_ENOTFOUND)
		return; /* the node has not run yet */
	snprintf(text, sizeof text, "%llu identifiers of %llu patients are linked%s",
	    (unsigned long long)counts.identifiers, (unsigned long long)counts.patients,
	    counts.conflicts > 0 ? "; some statements contradict (cairn patient conflicts)" : "");
	report(
	    check, "links", code != 0 ? code : counts.conflicts > 0, code == 0 ? text : err.text);
}

static void
report_policy(void *arg, enum policy_level level, const char *text)
{
	report(
	    arg, "policies", level == POLICY_ERROR ? CAIRN_EINVAL : level == POLICY_WARNING, text);
}

/* ---- plugins ---------------------------------------------------------------------------- */

static void
report_finding(struct check *check, const char *what, const Cairn__Finding *finding)
{
	const char *severity = probe_severity(finding);
	int code = strcmp(severity, "fine") == 0 ? 0
	    : strcmp(severity, "warning") == 0   ? 1
						 : CAIRN_EINVAL;
	BUF_AUTO text = {.max = 4096};

	buf_append_format(&text, "%s%s%s%s%s", finding->what, finding->why[0] != 0 ? ": " : "",
	    finding->why, finding->advice[0] != 0 ? "; " : "", finding->advice);
	report(check, what, code, buf_text(&text) == NULL ? finding->what : buf_text(&text));
}

static bool
is_serving(const struct check *check, const char *name)
{
	const json_t *plugin;
	size_t index;

	json_array_foreach(json_object_get(check->status, "plugins"), index, plugin)
	{
		if (strcmp(cli_json_text(plugin, "name"), name) == 0)
			return strcmp(cli_json_text(plugin, "state"), "ready") == 0;
	}
	return false;
}

static void
probe(struct check *check, const char *what, const struct node_config *node,
    const struct plugin_config *config)
{
	unsigned timeout_ms = check->cli->timeout_ms == 0 ? PROBE_MS : check->cli->timeout_ms;
	struct cairn_error err = {0};
	Cairn__Findings *findings = NULL;
	int code = probe_check(
	    node, config, is_serving(check, config->manifest->name), timeout_ms, &findings, &err);

	if (code != 0 && code != CAIRN_EUNSUPPORTED)
		report(check, what, code, err.text);
	for (size_t i = 0; findings != NULL && i < findings->n_findings; i++)
		report_finding(check, what, findings->findings[i]);
	if (findings != NULL)
		cairn__findings__free_unpacked(findings, NULL);
}

static void
check_plugin(
    struct check *check, const struct node_config *node, const struct plugin_config *config)
{
	char what[64];

	snprintf(what, sizeof what, "plugin %.32s", config->manifest->name);
	if (config->object->verdict == PROVENANCE_REFUSED) {
		report(check, what, CAIRN_EFORBIDDEN, config->object->text);
		return;
	}
	report(check, what, 0, config->manifest->summary);
	if (!check->quick)
		probe(check, what, node, config);
}

static void
check_plugins(struct check *check, const struct node_config *node)
{
	struct cairn_error err = {0};
	struct plugin_config *configs = NULL;
	size_t count = 0;
	int code = plugin_configs_load(node, &configs, &count, &err);

	if (code != 0)
		report(check, "plugins", code, err.text);
	else if (count == 0)
		report(check, "plugins", 0, "none enabled (cairn plugin enable NAME)");
	else if (!check->quick && client_running(check->cli->home))
		client_json(check->cli, "kernel.status", NULL, &check->status, NULL);
	for (size_t i = 0; code == 0 && i < count; i++)
		check_plugin(check, node, &configs[i]);
	plugin_configs_free(configs, count);
}

int
cli_check_run(struct cli *cli, int argc, char **argv)
{
	struct check check = {.cli = cli, .results = json_array()};
	const struct cli_option options[] = {{"--quick", NULL, &check.quick}, {0}};
	struct cairn_error err = {0};
	struct node_config *node = NULL;
	int code;

	argc = cli_options(cli, options, argc, argv);
	if (argc != 0) {
		json_decref(check.results);
		return argc < 0 ? CLI_USAGE : cli_usage(cli, "takes no arguments");
	}
	code = node_config_load(cli->home, &node, &err);
	report(&check, "node.yaml", code, code == 0 ? node->id : err.text);
	check_keys(&check);
	check_links(&check);
	policy_check(cli, report_policy, &check);
	if (code == 0)
		check_plugins(&check, node);
	node_config_free(node);
	json_decref(check.status);
	if (cli->json)
		cli_print_json(
		    json_pack("{s:b, s:o}", "ok", check.failed == 0, "checks", check.results));
	else
		json_decref(check.results);
	return check.failed == 0 ? CLI_DONE : CLI_FAILED;
}
