/* SPDX-License-Identifier: Apache-2.0 */
/* The checks of what a plugin says of its settings and of itself. */
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "cli/checks.h"
#include "depth.h"

#define HEARTBEAT_MS 2000 /* what takes longer than that blocks the loop */

/* Each finding has words; `*ret_supported` says whether there is such a callback at all. */
static int
judge_findings(
    const struct tested *tested, const char *callback, bool *ret_supported, struct cairn_error *err)
{
	size_t length = 0;
	const uint8_t *bytes = tested_findings(tested, &length);
	Cairn__Findings *findings = bytes == NULL
	    ? NULL
	    : (Cairn__Findings *)proto_unpack(&cairn__findings__descriptor, NULL, bytes, length);
	int code = 0;

	if (findings == NULL)
		return cairn_error_set(
		    err, CAIRN_EPROTO, "%s: its host sent no findings", callback);
	*ret_supported = findings->supported;
	for (size_t i = 0; i < findings->n_findings && code == 0; i++) {
		const Cairn__Finding *finding = findings->findings[i];

		if (finding->what[0] == 0)
			code = cairn_error_set(err, CAIRN_EPROTO,
			    "%s: finding %zu has no words: nobody would know what it is about",
			    callback, i + 1);
		else if (finding->severity != CAIRN__FINDING__SEVERITY__FINE &&
		    finding->advice[0] == 0)
			code = cairn_error_set(err, CAIRN_EPROTO,
			    "%s: '%.100s' does not say what to do (advice)", callback,
			    finding->what);
	}
	cairn__findings__free_unpacked(findings, NULL);
	return code;
}

/* ---- check() ------------------------------------------------------------------------------- */

static bool
is_empty(const char *path)
{
	const struct dirent *entry;
	DIR *dir = opendir(path);
	bool empty = true;

	while (dir != NULL && (entry = readdir(dir)) != NULL)
		empty = empty && entry->d_name[0] == '.';
	if (dir != NULL)
		closedir(dir);
	return empty;
}

static int
run_check(const struct tested_options *options, const char *state, struct check_result *ret,
    struct cairn_error *err)
{
	struct tested *tested = NULL;
	bool supported = false;
	int code = tested_start(&tested, options, err);

	if (code != 0)
		cairn_error_prefix(err, code, "asked to check its settings");
	else
		code = judge_findings(tested, "check()", &supported, err);
	if (code == 0 && !is_empty(state))
		code = cairn_error_set(err, CAIRN_EPROTO,
		    "check() wrote into its state: it runs beside the plugin that serves");
	if (code == 0 && !supported)
		ret->skipped = "the plugin has no check()";
	if (code == 0)
		tested_ask_stop(tested);
	return suite_drop(tested, code, err);
}

/* In an empty home of its own, where whatever it writes is seen. */
int
check_check(struct suite *suite, struct check_result *ret, struct cairn_error *err)
{
	struct tested_options options = suite->base;
	char home[PATH_MAX], state[PATH_MAX], id[] = "test-node", project[] = "tests";
	struct node_config node = {.home = home, .id = id, .project = project};
	const struct tested_check check = {.node = &node, .object_fd = -1};
	int wrote, code;

	if (file_join(home, sizeof home, options.dir, "checked") != 0)
		return cairn_error_set(err, CAIRN_ELIMIT, "the path is too long");
	wrote = snprintf(state, sizeof state, "%s/state/%s", home, options.manifest->name);
	if (wrote < 0 || (size_t)wrote >= sizeof state)
		return cairn_error_set(err, CAIRN_ELIMIT, "the path is too long");
	code = file_mkdirs(state, 0700, err);
	options.check = &check;
	return code == 0 ? run_check(&options, state, ret, err) : code;
}

/* ---- health() ------------------------------------------------------------------------------ */

static int
ask_health(struct tested *tested, struct check_result *ret, struct cairn_error *err)
{
	Cairn__Envelope envelope = CAIRN__ENVELOPE__INIT;
	bool supported = false;
	int code;

	envelope.kind = CAIRN__ENVELOPE__KIND__HEALTH;
	code = tested_wait(tested, tested_send(tested, &envelope), HEARTBEAT_MS, err);
	if (code != 0)
		return cairn_error_prefix(err, code, "health() blocks, or was not answered");
	code = judge_findings(tested, "health()", &supported, err);
	if (code == 0 && !supported)
		ret->skipped = "the plugin has no health()";
	return code;
}

int
check_health(struct suite *suite, struct check_result *ret, struct cairn_error *err)
{
	struct tested *tested = NULL;
	int code = tested_start(&tested, &suite->base, err);

	for (int twice = 0; twice < 2 && code == 0; twice++)
		code = ask_health(tested, ret, err);
	if (code == 0)
		code = tested_stop(tested, err);
	return suite_drop(tested, code, err);
}
