/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GUARD_FINDING_H
#define GUARD_FINDING_H

/* Shared by check.c and survey.c. */

#include "config/tree.h"
#include "guard/check.h"
#include "guard/policy.h"

struct findings {
	struct guard *guard;
	const struct guard_served *served;
	size_t count;
	guard_finding_fn report;
	void *arg;
	size_t errors;
};

struct finding_place {
	const char *file;
	unsigned line;
};

void finding_add(struct findings *findings, bool error, const struct finding_place *place,
    const char *format, ...) __attribute__((format(printf, 4, 5)));
void finding_rule_place(const struct policy_rule *rule, char file[64], struct finding_place *ret);
/* Whether a setting is a list of purposes: its name ends in "_purposes". */
bool finding_is_purposes(const struct tree_node *list);

/* Puts the sample questions. */
void survey(struct findings *findings);

#endif
