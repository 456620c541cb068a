/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_SPEND_H
#define NODE_SPEND_H

/* The obligation `budget`: N answers a day for a principal.  The kernel carries it out, so that no
 * plugin hears of it. */

#include "guard/guard.h"
#include "node/budget.h"

bool spend_is_budget(const struct guard_obligation *obligation);

/* Takes one answer where the decision permits under a budget, and makes a denial of it when none is
 * left.  `budget` may be NULL: then nobody has any. */
void spend(struct budget *budget, const char *principal, uint64_t wall_ms,
    struct guard_decision *decision);

#endif
