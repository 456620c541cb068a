/* SPDX-License-Identifier: Apache-2.0 */
#include "node/access.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

#define FILES_MAX 65536
#define PROCESSES_MAX 512

static int
add_in_home(struct sandbox_policy *policy, const char *home, const char *name,
    enum sandbox_access access, struct cairn_error *err)
{
	char path[PATH_MAX];

	if (file_join(path, sizeof path, home, name) != 0)
		return cairn_error_set(err, CAIRN_ELIMIT, "the path is too long: %s", home);
	return sandbox_policy_add(policy, path, access, err);
}

/* What a site says of its codes and tables, for connectors; nothing of a patient. */
static int
add_mappings(struct sandbox_policy *policy, const char *home, struct cairn_error *err)
{
	char path[PATH_MAX];

	if (file_join(path, sizeof path, home, "mappings") != 0 || !file_exists(path))
		return 0;
	return sandbox_policy_add(policy, path, SANDBOX_READ, err);
}

static int
add_own(const struct node_config *config, const struct manifest *manifest,
    struct sandbox_policy *policy, struct cairn_error *err)
{
	char state[64];
	bool write = manifest_has(manifest, "objects:write");
	int code;

	snprintf(state, sizeof state, "state/%.32s", manifest->name);
	code = add_in_home(policy, config->home, state, SANDBOX_WRITE, err);
	if (code == 0 && (write || manifest_has(manifest, "objects:read")))
		code = add_in_home(
		    policy, config->home, "objects", write ? SANDBOX_WRITE : SANDBOX_READ, err);
	/* Folders that are watched; what an operator names is lent while it is imported. */
	for (char **dir = config->import_dirs; code == 0 && write && *dir != NULL; dir++)
		code = sandbox_policy_add(policy, *dir, SANDBOX_LEND, err);
	if (code == 0)
		code = sandbox_policy_add(policy, config->home, SANDBOX_KEEP, err);
	if (code == 0)
		code = add_mappings(policy, config->home, err);
	/* LMDB's readers enter themselves into the index's table of readers. */
	if (code == 0 && !write && manifest_has(manifest, "objects:read"))
		code =
		    add_in_home(policy, config->home, "objects/index/lock.mdb", SANDBOX_WRITE, err);
	if (code == 0 && manifest_has(manifest, "intake:write"))
		code = add_in_home(policy, config->home, "intake", SANDBOX_WRITE, err);
	return code != 0 ? code : sandbox_policy_add(policy, manifest->path, SANDBOX_RUN, err);
}

static int
add_exec(const struct manifest *manifest, struct sandbox_policy *policy, struct cairn_error *err)
{
	int code = 0;

	for (size_t i = 0; code == 0 && i < manifest->capability_count; i++) {
		if (strncmp(manifest->capabilities[i], "exec:", 5) != 0)
			continue;
		policy->exec = true;
		code = sandbox_policy_add(policy, manifest->capabilities[i] + 5, SANDBOX_RUN, err);
	}
	return code;
}

/* What runs a script, which itself is in memory: nothing that lies beside it can be read. */
static int
add_interpreter(const struct manifest *manifest, const char *bin_dir, struct sandbox_policy *policy,
    struct cairn_error *err)
{
	char path[PATH_MAX], resolved[PATH_MAX];
	int code = 0;

	policy->interpreter = true;
	if (manifest->interpreter[0] == '/')
		code = sandbox_policy_add(policy, manifest->interpreter, SANDBOX_RUN, err);
	else if (snprintf(path, sizeof path, "%s/cairn-%s", bin_dir, manifest->interpreter) > 0)
		code = sandbox_policy_add(policy, path, SANDBOX_RUN, err);
	/* As the kernel of the system names it, for that is what an access is compared with. */
	if (code == 0 && snprintf(path, sizeof path, "%s/../share/cairn", bin_dir) > 0 &&
	    realpath(path, resolved) != NULL)
		code = sandbox_policy_add(policy, resolved, SANDBOX_READ, err);
	/* A shell is only as useful as the programs that it starts. */
	if (code == 0 && strcmp(manifest->interpreter, "sh") == 0) {
		policy->exec = true;
		code = sandbox_policy_add(policy, "/usr/bin", SANDBOX_RUN, err);
		if (code == 0)
			code = sandbox_policy_add(policy, "/bin", SANDBOX_RUN, err);
	}
	return code;
}

int
access_policy(const struct node_config *config, const struct manifest *manifest,
    const char *bin_dir, struct sandbox_policy *ret, struct cairn_error *err)
{
	struct sandbox_policy policy = {.require = config->sandbox_require,
	    .listen = manifest_has(manifest, "listen:tcp"),
	    .connect = manifest_has(manifest, "connect:tcp"),
	    .memory_mb = config->plugin_memory_mb,
	    .file_mb = config->plugin_disk_mb,
	    .files = FILES_MAX,
	    .processes = PROCESSES_MAX};
	int code = add_own(config, manifest, &policy, err);

	if (code == 0)
		code = add_exec(manifest, &policy, err);
	if (code == 0 && manifest->interpreter != NULL)
		code = add_interpreter(manifest, bin_dir, &policy, err);
	if (code == 0)
		code = sandbox_policy_add_system(&policy, err);
	if (code != 0) {
		sandbox_policy_fini(&policy);
		return code;
	}
	*ret = policy;
	return 0;
}

/* What it has, to look at: neither state nor objects can be written, nothing can be connected. */
int
access_check_policy(const struct node_config *config, const struct manifest *manifest,
    const char *bin_dir, struct sandbox_policy *ret, struct cairn_error *err)
{
	struct sandbox_policy policy = {.require = config->sandbox_require,
	    .listen = manifest_has(manifest, "listen:tcp"),
	    .memory_mb = config->plugin_memory_mb,
	    .files = FILES_MAX,
	    .processes = PROCESSES_MAX};
	char state[64];
	int code;

	snprintf(state, sizeof state, "state/%.32s", manifest->name);
	code = add_in_home(&policy, config->home, state, SANDBOX_READ, err);
	if (code == 0 &&
	    (manifest_has(manifest, "objects:write") || manifest_has(manifest, "objects:read")))
		code = add_in_home(&policy, config->home, "objects", SANDBOX_READ, err);
	if (code == 0)
		code = add_mappings(&policy, config->home, err);
	if (code == 0)
		code = manifest->interpreter != NULL
		    ? add_interpreter(manifest, bin_dir, &policy, err)
		    : sandbox_policy_add(&policy, manifest->path, SANDBOX_RUN, err);
	if (code == 0)
		code = sandbox_policy_add_system(&policy, err);
	if (code != 0) {
		sandbox_policy_fini(&policy);
		return code;
	}
	*ret = policy;
	return 0;
}
