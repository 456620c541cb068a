/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/policy.h"

#include <limits.h>
#include <string.h>

#include "base/file.h"
#include "guard/cases.h"

struct reporting {
	void (*report)(void *arg, enum policy_level level, const char *text);
	void *arg;
};

int
policy_site_open(
    struct policy_site *ret, const struct cli *cli, const char *policies, struct cairn_error *err)
{
	char path[PATH_MAX];
	struct guard_options options = {.policies_dir = policies};
	int code;

	memset(ret, 0, sizeof *ret);
	ret->served_count = guard_served_kernel(ret->served);
	if (policies == NULL) {
		if (file_join(path, sizeof path, cli->home, "policies") != 0)
			return cairn_error_set(
			    err, CAIRN_ELIMIT, "the path is too long: %s", cli->home);
		options.policies_dir = path;
		/* What is wrong with these is for others to say (`cairn check`). */
		if (node_config_load(cli->home, &ret->node, NULL) == 0 &&
		    plugin_configs_load(ret->node, &ret->plugins, &ret->plugin_count, NULL) == 0)
			options.project = ret->node->project;
		for (size_t i = 0; i < ret->plugin_count; i++)
			ret->served_count = guard_served_add(
			    ret->served, ret->served_count, ret->plugins[i].manifest);
	}
	code = guard_open(&ret->guard, &options, err);
	if (code != 0)
		policy_site_close(ret);
	return code;
}

void
policy_site_close(struct policy_site *site)
{
	guard_free(site->guard);
	plugin_configs_free(site->plugins, site->plugin_count);
	node_config_free(site->node);
	memset(site, 0, sizeof *site);
}

ProtobufCMessage *
policy_sample(const struct policy_site *site, const char *subject)
{
	for (size_t i = 0; i < site->served_count; i++) {
		if (strcmp(site->served[i].subject, subject) == 0)
			return guard_sample(site->served[i].request);
	}
	return NULL;
}

/* ---- cases ------------------------------------------------------------------------------ */

static void
check_cases(const struct cli *cli, const struct policy_site *site, const struct reporting *to)
{
	struct cases_count count;
	struct cairn_error err = {0};
	char folder[PATH_MAX], text[200];

	if (file_join(folder, sizeof folder, cli->home, "policies/cases") != 0)
		return;
	if (cases_folder(site->guard, folder, site->served, site->served_count, &count, &err) !=
	    0) {
		to->report(to->arg, POLICY_WARNING, err.text);
		return;
	}
	if (count.wrong == 0)
		return;
	cases_text(&count, text, sizeof text);
	to->report(to->arg, POLICY_WARNING, text);
}

/* ---- check ------------------------------------------------------------------------------ */

static void
report_finding(void *arg, const struct guard_finding *finding)
{
	const struct reporting *to = arg;

	to->report(to->arg, finding->error ? POLICY_ERROR : POLICY_WARNING, finding->text);
}

void
policy_check(const struct cli *cli,
    void (*report)(void *arg, enum policy_level level, const char *text), void *arg)
{
	struct reporting to = {report, arg};
	struct policy_site site;
	struct cairn_error err = {0};
	char text[80];

	if (policy_site_open(&site, cli, NULL, &err) != 0) {
		report(arg, POLICY_ERROR, err.text);
		return;
	}
	if (guard_check(site.guard, site.served, site.served_count, report_finding, &to) == 0) {
		snprintf(text, sizeof text, "%zu rules", guard_rule_count(site.guard));
		report(arg, POLICY_FINE, text);
		check_cases(cli, &site, &to);
	}
	policy_site_close(&site);
}
