/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COHORT_ENTRY_H
#define COHORT_ENTRY_H

/*
 * What sources state about patients beside images: facts of the patient, and the entries of its
 * record.  Every row of the table belongs to one patient and one source; the patient's own row has
 * no digest.  An entry has one number for all kinds; its facts are posted at TERM_ENTRY by itself,
 * since nobody else can state them, and folded to the patient by collect().
 */

#include "write.h"

#define ENTRY_DIGEST 12
#define ENTRY_FACT_BYTES 10 /* at most: attribute 2, key 4 or 8 */
#define ENTRY_BYTES_MAX (8 + ENTRY_FACT_BYTES * INDEX_FACTS_MAX)

/* ---- kinds (kind.c) ----------------------------------------------------------------------- */

/* The kinds by number, ascending from 0; NULL past the end. */
const char *kind_name(unsigned kind);
/* -1 when there is no such kind. */
int kind_find(const char *name);
/* The attribute that is the date of an entry of this kind; NULL for kinds without one. */
const char *kind_date(unsigned kind);
/* The posting's value in the universe. */
#define KIND_KEY(kind) ((uint64_t)(kind) + 1)

/* ---- rows (entry.c) ----------------------------------------------------------------------- */

struct entry_key {
	uint32_t patient;
	uint16_t source;
	bool has_digest;
	uint8_t digest[ENTRY_DIGEST];
};

struct entry {
	uint32_t number; /* of an entry */
	uint8_t kind;
	struct fact facts[INDEX_FACTS_MAX];
	size_t count;
};

/* Of kind and id. */
int entry_digest(const char *kind, const char *id, uint8_t ret[ENTRY_DIGEST]);
/* CAIRN_ENOTFOUND when there is no such row. */
int entry_get(struct index_write *write, const struct entry_key *key, struct entry *ret);
int entry_put(struct index_write *write, const struct entry_key *key, const struct entry *entry);
int entry_delete(struct index_write *write, const struct entry_key *key);
/* The rows of a patient, of one source or of all (`source` 0), ascending: begin with `*key` as
 * {.patient, .source} and `first`.  CAIRN_ENOTFOUND after the last.  The table may be changed
 * between two calls. */
int entry_next(struct index_write *write, struct entry_key *key, uint16_t source, bool first,
    struct entry *ret);
int entry_any(struct index_write *write, uint32_t patient, bool *ret);
/* The day of its date, as the column has it. */
uint32_t entry_day(const struct index_write *write, const struct entry *entry);
/* Sets or clears the entry's own postings. */
int entry_post(struct index_write *write, const struct entry *entry, bool set);

/* ---- sources, pseudonyms ------------------------------------------------------------------ */

/* The number of a source, 1 and up; `images`: it states instances. */
int source_number(struct index_write *write, const char *name, bool images, uint16_t *ret,
    struct cairn_error *err);
/* The pseudonym that the patient has now, and the days to add to what is stated under `name`. */
int alias_resolve(
    struct index_write *write, const char *name, char ret[INDEX_NAME_MAX + 1], int64_t *ret_days);

/* ---- statements about a patient (patient.c, merge.c) --------------------------------------- */

/* What is wrong with it, or NULL. */
const char *patient_problem(const Cairn__PatientFacts *facts);
int patient_apply(struct index_write *write, uint16_t source, const Cairn__PatientFacts *facts,
    bool *ret_changed, struct cairn_error *err);
/* What is wrong with it in view of what the index has: days that would leave the calendar.  NULL:
 * nothing. */
int patient_shift_problem(
    struct index_write *write, const Cairn__PatientFacts *facts, const char **ret);
/* All that each of `replaces` has is the patient's from now on, what comes later included.  `name`
 * and `days`: of alias_resolve() for the message's patient. */
int patient_merge_all(struct index_write *write, const Cairn__PatientFacts *facts, const char *name,
    int64_t days, bool *ret_changed);
/* What sources state of it, and its former pseudonyms. */
int patient_forget(struct index_write *write, uint32_t patient, const char *name);
/* An observation as an entry (observation.c); `ret` is freed with observation_free(). */
int observation_entry(const Cairn__Observation *observation, Cairn__EntryFacts **ret);
void observation_free(Cairn__EntryFacts *entry);

#endif
