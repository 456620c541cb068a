/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/probe.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/checks.h"
#include "cli/paths.h"
#include "cli/tested.h"
#include "depth.h"
#include "node/access.h"

const char *
probe_severity(const Cairn__Finding *finding)
{
	switch (finding->severity) {
	case CAIRN__FINDING__SEVERITY__FINE:
		return "fine";
	case CAIRN__FINDING__SEVERITY__WARNING:
		return "warning";
	default:
		return "fault";
	}
}

static int
take_findings(const struct tested *tested, Cairn__Findings **ret, struct cairn_error *err)
{
	size_t length = 0;
	const uint8_t *bytes = tested_findings(tested, &length);
	Cairn__Findings *findings = bytes == NULL
	    ? NULL
	    : (Cairn__Findings *)proto_unpack(&cairn__findings__descriptor, NULL, bytes, length);

	if (findings == NULL)
		return cairn_error_set(err, CAIRN_EPROTO, "its host sent no findings");
	*ret = findings;
	return 0;
}

/* Where the node runs as root, a plugin has a user of its own, to whom its state belongs. */
static int
take_user(const struct node_config *node, const struct manifest *manifest, const char *dir,
    struct sandbox_policy *policy, struct cairn_error *err)
{
	char state[PATH_MAX];
	struct stat st;

	if (snprintf(state, sizeof state, "%s/state/%s", node->home, manifest->name) >=
		(int)sizeof state ||
	    geteuid() != 0 || stat(state, &st) != 0 || st.st_uid == 0)
		return 0;
	policy->uid = st.st_uid;
	policy->gid = st.st_gid;
	return chown(dir, st.st_uid, (gid_t)-1) == 0
	    ? 0
	    : cairn_error_set(err, CAIRN_EIO, "cannot give %s to user %u: %s", dir,
		  (unsigned)st.st_uid, strerror(errno));
}

static int
run(const struct tested_options *options, Cairn__Findings **ret, struct cairn_error *err)
{
	struct tested *tested = NULL;
	int code = tested_start(&tested, options, err);

	if (code == 0) {
		code = take_findings(tested, ret, err);
		tested_ask_stop(tested); /* the host ends; what does not is killed */
	} else if (code == CAIRN_ETIMEOUT) {
		cairn_error_set(err, code,
		    "its check() did not end within %u ms and was killed (--timeout SECONDS gives "
		    "it longer)",
		    options->timeout_ms);
	}
	if (code != 0 && tested != NULL && tested_refused(tested)[0] != 0)
		cairn_error_prefix(err, code, "it %s", tested_refused(tested));
	tested_free(tested);
	return code;
}

int
probe_check(const struct node_config *node, const struct plugin_config *config, bool serving,
    unsigned timeout_ms, Cairn__Findings **ret, struct cairn_error *err)
{
	struct sandbox_policy policy;
	char dir[] = "/tmp/cairn-check-XXXXXX", bin_dir[PATH_MAX];
	struct tested_check check = {
	    .node = node, .policy = &policy, .object_fd = config->object->fd, .serving = serving};
	struct tested_options options = {.manifest = config->manifest,
	    .values = &config->values,
	    .dir = dir,
	    .timeout_ms = timeout_ms,
	    .check = &check};
	int code;

	if (paths_program("cairn-host", bin_dir) != 0)
		return cairn_error_set(err, CAIRN_EIO, "cannot tell where this program lies");
	*strrchr(bin_dir, '/') = 0;
	code = access_check_policy(node, config->manifest, bin_dir, &policy, err);
	if (code != 0)
		return code;
	if (mkdtemp(dir) == NULL)
		code = cairn_error_set(err, CAIRN_EIO, "cannot make a folder in /tmp");
	else
		code = take_user(node, config->manifest, dir, &policy, err);
	if (code == 0)
		code = run(&options, ret, err);
	sandbox_policy_fini(&policy);
	test_remove(dir);
	return code;
}
