/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any text as the policy that a host is told: what is taken says the same once it was printed, and
 * what is printed is taken.  A policy that is read differently would confine less.
 */
#include <stdlib.h>
#include <string.h>

#include "sandbox/policy.h"

static void
same(const struct sandbox_policy *a, const struct sandbox_policy *b)
{
	if (a->require != b->require || a->listen != b->listen || a->connect != b->connect ||
	    a->exec != b->exec || a->interpreter != b->interpreter || a->uid != b->uid ||
	    a->gid != b->gid || a->memory_mb != b->memory_mb || a->file_mb != b->file_mb ||
	    a->files != b->files || a->processes != b->processes || a->path_count != b->path_count)
		__builtin_trap();
	for (size_t i = 0; i < a->path_count; i++) {
		if (a->paths[i].access != b->paths[i].access ||
		    strcmp(a->paths[i].path, b->paths[i].path) != 0)
			__builtin_trap();
	}
}

static void
use(const struct sandbox_policy *policy)
{
	struct sandbox_policy again = {0};
	char *text = NULL;

	for (size_t i = 0; i < policy->path_count; i++) {
		const struct sandbox_path *path = &policy->paths[i];

		if (path->path[0] != '/' || strlen(path->path) >= SANDBOX_PATH_MAX)
			__builtin_trap();
		if (path->access == SANDBOX_KEEP && sandbox_policy_lends(policy, path->path))
			__builtin_trap();
		if (path->access == SANDBOX_WRITE &&
		    !sandbox_policy_allows(policy, path->path, true))
			__builtin_trap();
	}
	if (sandbox_policy_text(policy, &text, NULL) != 0)
		return; /* longer in our words than the maximum */
	if (sandbox_policy_parse(text, &again, NULL) != 0)
		__builtin_trap();
	same(policy, &again);
	sandbox_policy_fini(&again);
	free(text);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct sandbox_policy policy = {0};
	char *text = strndup((const char *)data, size);

	if (text == NULL)
		return 0;
	if (sandbox_policy_parse(text, &policy, NULL) == 0) {
		use(&policy);
		sandbox_policy_fini(&policy);
	}
	free(text);
	return 0;
}
