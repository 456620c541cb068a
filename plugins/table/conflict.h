/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TABLE_CONFLICT_H
#define TABLE_CONFLICT_H

/*
 * Two rows that say different things of one patient (male here, female there) are an error and
 * never guessed about.  Digests of what was said, in a table of bounded size: what is beyond it is
 * not compared, and that is said.
 */

#include "take.h"

#define CONFLICT_SLOTS_MAX ((size_t)1 << 23) /* 24 bytes each */

struct conflicts {
	struct conflict_slot *slots;
	size_t count, capacity;
	bool full;
};

/* Reports what contradicts an earlier row.  CAIRN_EINVAL when it did. */
int conflict_check(struct conflicts *conflicts, const struct table *table,
    const struct taken *taken, struct report *report);
void conflict_fini(struct conflicts *conflicts);

#endif
