/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COHORT_MERGE_H
#define COHORT_MERGE_H

/* What a merge of patients needs of the parts that keep images. */

#include "entity.h"

/* The instance, with what it states, goes to another series (ingest.c).  The old series may be left
 * empty. */
int instance_move(struct index_write *write, uint32_t instance, const struct entity_path *to);

#endif
