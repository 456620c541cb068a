/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GUARD_PRIVATE_H
#define GUARD_PRIVATE_H

/* The guard's inside, for guard.c and check.c. */

#include "guard/files.h"
#include "guard/guard.h"
#include "guard/policy.h"
#include "guard/settings.h"

struct guard {
	struct guard_options options;
	char *project; /* or NULL */
	struct files files;
	struct settings settings;
	struct policy_source source;
	struct policy *policy; /* NULL when it could not be made again */
};

/* As guard_decide(), without a look at the permit. */
void guard_ask_rules(
    struct guard *guard, const struct guard_question *question, struct guard_decision *ret);

#endif
