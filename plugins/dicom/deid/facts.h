/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DEID_FACTS_H
#define DEID_FACTS_H

/* The facts of one instance, for the cohort engine: from the original header, under pseudonyms. */

#include "cairn/facts.pb-c.h"
#include "deid/deid.h"

#define DEID_FACTS_MAX 9

/* `message` points into the struct: neither copy nor move it while the message is in use. */
struct deid_facts {
	Cairn__InstanceFacts message; /* without `object` */
	char study[DCM_UID_MAX + 1];
	char series[DCM_UID_MAX + 1];
	char instance[DCM_UID_MAX + 1];
	char body_part[DEID_TEXT_MAX];
	char manufacturer[DEID_TEXT_MAX];
	char model[DEID_TEXT_MAX];
	char modality[32];
	Cairn__Fact facts[DEID_FACTS_MAX];
	Cairn__Fact *patient_facts[1];
	Cairn__Fact *study_facts[2];
	Cairn__Fact *series_facts[6];
};

/*
 * Fills `facts`.  What the header does not say, or says in other than printable ASCII or in no
 * valid form, is no fact.  Study dates are shifted like those in the header (not with
 * DEID_FULL_DATES); ages above 89 years are 90.  The strings live as long as `scan`, `patient` and
 * `facts`. CAIRN_EINVAL  there is no study, series or instance UID
 */
int deid_facts(struct deid_profile *profile, const struct deid_scan *scan,
    const struct deid_patient *patient, struct deid_facts *facts, struct cairn_error *err);

#endif
