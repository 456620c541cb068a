/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COHORT_PATIENTS_H
#define COHORT_PATIENTS_H

/*
 * The set of patients behind an answer, for release control: what tells two sets apart, and how
 * much they differ.
 */

#include "base/buf.h"
#include "identity.h"
#include "index.h"

#define PATIENTS_DIGEST 32

struct patient_set {
	/* Of the members' pseudonyms, keyed by the caller's secret: equal for equal sets, also in
	 * an index that was made anew.  Says nothing without the secret. */
	uint8_t digest[PATIENTS_DIGEST];
	/* Of the members' numbers, which mean something in this index only: a set that was packed
	 * in another one can only be compared by its digest. */
	char identity[IDENTITY_DIGITS + 1];
	struct buf packed;
	uint64_t count;
};

#define PATIENTS_PACKED_MAX ((size_t)512 << 20)

void patient_set_init(struct patient_set *set);
void patient_set_fini(struct patient_set *set);

/* The patients for which the expression holds.  `ret->criteria` as with index_count(); then the set
 * is empty.  `ret` was made by patient_set_init(). */
int index_patients(struct index *index, const Cairn__Expression *expression,
    const struct index_asking *asking, const uint8_t secret[32], struct index_count *ret_count,
    struct patient_set *ret, struct cairn_error *err);

/* How many are in `a` and not in `b`, and the other way round.  CAIRN_ECORRUPT when the bytes are
 * no packed set. */
int patient_set_compare(
    const struct buf *a, const struct buf *b, uint64_t *ret_only_a, uint64_t *ret_only_b);

/* 64 bits of a digest of a pseudonym: the index keeps them by number (write path). */
int patient_digest(const char *name, uint32_t ret[2]);

#endif
