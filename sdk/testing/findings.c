/* SPDX-License-Identifier: Apache-2.0 */
/* The fake kernel asks how the plugin is, and whether its settings would work. */
#include "testing/private.h"

static const char *
keep(char ret[TESTING_FINDING_BYTES], const char *text)
{
	snprintf(ret, TESTING_FINDING_BYTES, "%s", text == NULL ? "" : text);
	return ret;
}

void
cairn_finding(struct cairn_findings *findings, const struct cairn_finding *finding)
{
	size_t index = findings->count;

	if (finding->what == NULL || finding->what[0] == 0)
		fail_msg("a finding without words: nobody would know what it is about");
	if (finding->severity > CAIRN_FAULT)
		fail_msg("a finding of severity %d, which there is not", (int)finding->severity);
	if (index == CAIRN_FINDINGS_MAX)
		return;
	findings->items[index] = (struct cairn_finding){finding->severity,
	    keep(findings->texts[index][0], finding->what),
	    keep(findings->texts[index][1], finding->why),
	    keep(findings->texts[index][2], finding->advice)};
	findings->count++;
}

bool
cairn_serving(const struct cairn *cairn)
{
	return cairn->serving;
}

size_t
cairn_testing_check(struct cairn_testing *kernel, const struct cairn_plugin *plugin, bool serving)
{
	struct cairn *cairn = cairn_testing_cairn(kernel);
	struct cairn_plugin copy = {0};

	assert_false(cairn->started);
	assert_true(plugin->size <= sizeof copy);
	memcpy(&copy, plugin, plugin->size);
	if (copy.check == NULL)
		fail_msg("the plugin has no check()");
	cairn->serving = serving;
	cairn->findings.count = 0;
	testing_enter();
	copy.check(cairn, &cairn->findings);
	testing_leave(cairn);
	return cairn->findings.count;
}

size_t
cairn_testing_health(struct cairn_testing *kernel)
{
	struct cairn *cairn = cairn_testing_cairn(kernel);

	assert_true(cairn->started);
	if (cairn->plugin.health == NULL)
		fail_msg("the plugin has no health()");
	cairn->findings.count = 0;
	testing_enter();
	cairn->plugin.health(cairn->self, &cairn->findings);
	testing_leave(cairn);
	return cairn->findings.count;
}

const struct cairn_finding *
cairn_testing_finding(struct cairn_testing *kernel, size_t index)
{
	struct cairn *cairn = cairn_testing_cairn(kernel);

	if (index >= cairn->findings.count)
		fail_msg("there are %zu findings, no number %zu", cairn->findings.count, index);
	return &cairn->findings.items[index];
}
