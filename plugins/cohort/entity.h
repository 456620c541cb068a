/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COHORT_ENTITY_H
#define COHORT_ENTITY_H

/* Patients, studies and series: found by name, made on first sight, removed with their last
 * instance. */

#include "write.h"

struct entity_path {
	uint32_t patient, study, series;
};

/* CAIRN_ENOTFOUND when any of the three is not there. */
int entity_find(
    struct index_write *write, const Cairn__InstanceFacts *facts, struct entity_path *ret);
int entity_make(
    struct index_write *write, const Cairn__InstanceFacts *facts, struct entity_path *ret);
/* The patient of a series. */
int entity_patient(struct index_write *write, uint32_t series, uint32_t *ret);
/* Removes the series when it has no instances, then its study when that has no series, and so on;
 * identifiers go with them. */
int entity_prune(struct index_write *write, uint32_t series);

/* A patient that need not be there yet. */
int entity_make_patient(struct index_write *write, const char *name, uint32_t *ret);
/* Removes the patient when it has no study and no source states anything of it. */
int entity_prune_patient(struct index_write *write, uint32_t patient);
/* Another parent, for studies and series, where none of its name is. */
int entity_move(struct index_write *write, enum term_level level, uint32_t id, uint32_t parent);
/* One without children. */
int entity_remove(struct index_write *write, enum term_level level, uint32_t id);

#endif
