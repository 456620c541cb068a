/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COHORT_RELEASE_H
#define COHORT_RELEASE_H

/*
 * What has been told before, so that what is told next gives nothing away beside it.
 *
 * Two answers about sets that differ by a few patients tell about those few: whoever knows one of
 * them learns what the other question asked.  To refuse the second would tell it too, since equal
 * sets are not refused.  So an answer is given about the nearest set that was answered before when
 * fewer than `difference` patients are in one of the two and not in the other.  The sets that were
 * answered are then pairwise that far apart, however they were asked for, in whichever order, by
 * whom, and while patients come and go; and the same number comes back each time.  That a set was
 * too small to be told is an answer too, and is remembered like one.
 *
 * `noise`: a number from -noise to noise is added, which depends on the set that is answered and a
 * secret, and on nothing else: asking again, or the same in other words, gives the same one.
 *
 * One directory, one process.  Calls from any thread, one after the other.
 */

#include "patients.h"

struct release;

/* Sets are remembered until there are so many bytes of them; then new ones are refused. */
#define RELEASE_BYTES_MAX ((size_t)1 << 30)

struct release_options {
	const char *dir;  /* made when absent */
	size_t bytes_max; /* 0: RELEASE_BYTES_MAX */
};

int release_open(
    struct release **ret, const struct release_options *options, struct cairn_error *err);
void release_close(struct release *release);

/* 32 random bytes, made with the directory: for index_patients(). */
const uint8_t *release_secret(const struct release *release);

struct release_question {
	Cairn__Level level;            /* answers at different levels are not compared */
	const struct patient_set *set; /* who is behind the answer */
	uint64_t count;                /* the true number at the level */
	uint64_t all;                  /* patients there are in all */
	uint32_t difference;           /* 0 and 1: only equal sets are held to what was said */
	uint32_t noise;
	uint32_t min_cell; /* of fewer patients nothing is told */
};

struct release_answer {
	bool suppressed;
	uint64_t count; /* to be given, before rounding */
	/* Nearly everybody: the question is to be put again for everybody.  Then nothing was
	 * remembered, and there is no count. */
	bool everybody;
};

/* Remembers what it answers, durably, before it returns.  CAIRN_ELIMIT: the memory is full. */
int release_admit(struct release *release, const struct release_question *question,
    struct release_answer *ret, struct cairn_error *err);

#endif
