/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_BUDGET_H
#define NODE_BUDGET_H

/*
 * How many answers each principal has had today (UTC), in the node's one project, for the
 * obligation `budget`, which the kernel carries out itself.  The ledger is where this is kept: a
 * node that starts counts the permits under a budget of today again.
 *
 * A clock that is set back by a day gives nobody a second budget.
 */

#include <stdbool.h>
#include <stdint.h>

#include <cairn/error.h>

struct budget;

#define BUDGET_OBLIGATION "budget"
#define BUDGET_DAY_MS ((uint64_t)86400000)
/* Beyond so many nobody new has an answer today. */
#define BUDGET_HOLDERS_MAX 4096

struct node;

struct budget *budget_new(void); /* NULL: no memory */
void budget_free(struct budget *budget);

/* Takes one of `limit` answers; false when there is none left.  `*ret_used` then and otherwise: how
 * many were taken, with this one. */
bool budget_take(struct budget *budget, const char *principal, uint64_t wall_ms, uint32_t limit,
    uint32_t *ret_used);

/* Makes node->budget of what the ledger says; the ledger is open. */
int budget_recall(struct node *node, struct cairn_error *err);

/* The day, in days since 1970-01-01, of a wall clock. */
uint32_t budget_day(uint64_t wall_ms);

#endif
