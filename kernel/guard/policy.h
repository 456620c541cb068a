/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GUARD_POLICY_H
#define GUARD_POLICY_H

/* The policy files loaded into one Lua state.  Guard makes it anew after a limit was reached. */

#include "guard/guard.h"
#include "guard/settings.h"

#define POLICY_RULES_MAX 256
#define POLICY_SUBJECTS_MAX 32

struct policy_file {
	char *name; /* "10-purpose.lua" */
	uint8_t *bytes;
	size_t length;
};

struct policy_source {
	const struct policy_file *files; /* in the order they are loaded */
	size_t file_count;
	const struct settings *settings;
	const struct guard_options *options; /* with every default filled in */
};

struct policy;

/* Borrows the source for its life. */
int policy_new(struct policy **ret, const struct policy_source *source, struct cairn_error *err);
void policy_free(struct policy *policy);
size_t policy_rule_count(const struct policy *policy);

/* One rule; everything is the policy's. */
struct policy_rule {
	const char *label; /* "10-purpose.lua:permitted-purpose" */
	unsigned line;
	const char *const *subjects;
	size_t subject_count;
};

bool policy_rule(const struct policy *policy, size_t index, struct policy_rule *ret);

/* False when the policy must not be asked again: a limit was reached or a rule kept state. */
bool policy_decide(
    struct policy *policy, const struct guard_question *question, struct guard_decision *ret);

#endif
