/* SPDX-License-Identifier: Apache-2.0 */
#include "node/spend.h"

#include <stdio.h>
#include <string.h>

bool
spend_is_budget(const struct guard_obligation *obligation)
{
	return strcmp(obligation->name, BUDGET_OBLIGATION) == 0;
}

static void
deny(struct guard_decision *decision, const char *principal, uint32_t limit)
{
	decision->permit = false;
	decision->obligation_count = 0;
	snprintf(decision->reason, sizeof decision->reason,
	    "%.96s has had the %u answers a day that this site gives; there are more from "
	    "midnight UTC on",
	    principal, limit);
}

void
spend(
    struct budget *budget, const char *principal, uint64_t wall_ms, struct guard_decision *decision)
{
	for (size_t i = 0; decision->permit && i < decision->obligation_count; i++) {
		int64_t value = decision->obligations[i].value;
		uint32_t limit = value < 0 ? 0 : value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
		uint32_t used;

		if (!spend_is_budget(&decision->obligations[i]))
			continue;
		if (budget == NULL || !budget_take(budget, principal, wall_ms, limit, &used))
			deny(decision, principal, limit);
		return;
	}
}
