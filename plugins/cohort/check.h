/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COHORT_CHECK_H
#define COHORT_CHECK_H

/* What `cairn check` and `cairn doctor` hear of this plugin. */

#include <cairn/plugin.h>

#include "source.h"

struct cohort_state {
	size_t jobs;            /* that wait or are being written */
	uint64_t written_ms;    /* wall clock of the last commit; 0: none since the start */
	uint64_t busy_since_ms; /* monotonic, of the oldest job that waits; 0: none */
	const struct source *source;
	struct index *index;
	const char *failure; /* why the last batch was not written; "" when it was */
};

void cohort_check_settings(struct cairn *cairn, struct cairn_findings *findings);
void cohort_health(
    struct cairn *cairn, const struct cohort_state *state, struct cairn_findings *findings);

#endif
