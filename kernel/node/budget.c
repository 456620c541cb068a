/* SPDX-License-Identifier: Apache-2.0 */
#include "node/budget.h"

#include <stdlib.h>
#include <string.h>

struct holder {
	char *principal;
	uint32_t used;
};

struct budget {
	uint32_t day;
	struct holder holders[BUDGET_HOLDERS_MAX];
	size_t count;
};

struct budget *
budget_new(void)
{
	return calloc(1, sizeof(struct budget));
}

static void
forget(struct budget *budget)
{
	for (size_t i = 0; i < budget->count; i++)
		free(budget->holders[i].principal);
	budget->count = 0;
}

void
budget_free(struct budget *budget)
{
	if (budget == NULL)
		return;
	forget(budget);
	free(budget);
}

uint32_t
budget_day(uint64_t wall_ms)
{
	return (uint32_t)(wall_ms / BUDGET_DAY_MS);
}

/* A step back by one day is a clock that was wrong; a longer one was wrong before. */
static void
turn_to(struct budget *budget, uint32_t day)
{
	if (day == budget->day || day + 1 == budget->day)
		return;
	forget(budget);
	budget->day = day;
}

static struct holder *
find(struct budget *budget, const char *principal)
{
	struct holder *holder;

	for (size_t i = 0; i < budget->count; i++) {
		holder = &budget->holders[i];
		if (strcmp(holder->principal, principal) == 0)
			return holder;
	}
	if (budget->count == BUDGET_HOLDERS_MAX)
		return NULL;
	holder = &budget->holders[budget->count];
	*holder = (struct holder){.principal = strdup(principal)};
	if (holder->principal == NULL)
		return NULL;
	budget->count++;
	return holder;
}

bool
budget_take(struct budget *budget, const char *principal, uint64_t wall_ms, uint32_t limit,
    uint32_t *ret_used)
{
	struct holder *holder;

	turn_to(budget, budget_day(wall_ms));
	holder = find(budget, principal);
	*ret_used = holder == NULL ? 0 : holder->used;
	if (holder == NULL || holder->used >= limit)
		return false;
	*ret_used = ++holder->used;
	return true;
}
