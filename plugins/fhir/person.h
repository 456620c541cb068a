/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FHIR_PERSON_H
#define FHIR_PERSON_H

#include "base/buf.h"
#include "cairn/facts.pb-c.h"
#include "map.h"
#include "state.h"

/*
 * Before it is known whose it is, a resource is a packed PatientFacts without patient and with true
 * days; person_apply() makes it that of a person: days move by the person's own number of days,
 * ages are computed from true days, 90 stands for 90 and more, and who is that old has no birth
 * date.
 */
int person_pack(const struct map_result *result, const char *id, struct buf *out);

/* Changes `facts` (unpacked with malloc()) in place; `today` is in days since 1970.  CAIRN_ENOMEM.
 */
int person_apply(Cairn__PatientFacts *facts, const struct state_person *person, int32_t today);

#endif
