/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COHORT_FIGURES_H
#define COHORT_FIGURES_H

/* What the engine counts of itself for the node's metrics.  On the plugin's loop. */

#include <cairn/plugin.h>

#include "base/buf.h"
#include "index.h"

/* A question had its answer: `code` and, of a count that was answered, the packed CountAnswer. */
void figures_answered(
    struct cairn *cairn, bool counts, int code, const struct buf *reply, double seconds);

/* A transaction with facts was committed (or the plugin has started: NULL).  Looks at the index at
 * most once a second: `last_ms` remembers when. */
void figures_applied(struct cairn *cairn, struct index *index, const struct index_applied *applied,
    uint64_t *last_ms);

#endif
