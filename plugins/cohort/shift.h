/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COHORT_SHIFT_H
#define COHORT_SHIFT_H

/*
 * Dates are shifted by a number of days of each pseudonym's own.  When one turns out to be
 * another's patient, the days that were stated under it move by the difference.
 */

#include "cohort/expr.h"
#include "entity.h"
#include "entry.h"

/* No two days are farther apart. */
#define SHIFT_MAX ((int64_t)COHORT_DAY_MAX - COHORT_DAY_MIN)

#define SHIFT_PROBLEM "a day leaves the calendar when it is moved to the patient's pseudonym"

/* Anything but a day stays.  False, and nothing done, when no calendar has the day; 0 days always
 * fit. */
bool shift_fact(struct fact *fact, int64_t days);
/* A statement's bytes, in place, which are of no use where it does not fit. */
int shift_statement(uint8_t *bytes, size_t length, int64_t days, bool *ret_fits);
/* Whether a message's facts can be moved. */
bool shift_message_fits(const Cairn__PatientFacts *facts, int64_t days);
/* Whether all that the index has of the patient can be. */
int shift_patient_fits(struct index_write *write, uint32_t patient, int64_t days, bool *ret_fits);
/* Moves it, rows and images.  The patient is touched, and its days fit. */
int shift_patient(struct index_write *write, uint32_t patient, int64_t days);

#endif
