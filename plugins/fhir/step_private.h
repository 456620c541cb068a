/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FHIR_STEP_PRIVATE_H
#define FHIR_STEP_PRIVATE_H

/* What a step holds, for step_collect.c, which fills it, and step.c, which carries it out. */

#include "base/buf.h"
#include "cairn/facts.pb-c.h"
#include "state.h"
#include "step.h"

#define STEP_NOTES_MAX 4

struct item {
	uint8_t reference[STATE_KEY], resource[STATE_KEY];
	size_t at, length; /* in `packed` */
	size_t order;
};

struct newcomer {
	struct step *step;
	uint8_t references[2][STATE_KEY];
	size_t reference_count;
	char *identifier, *issuer; /* wiped when the pseudonym is there */
	struct state_person person;
};

struct note {
	char name[32];
	char *text;
};

struct step {
	struct connector *connector;
	struct step *next;
	char *source;
	struct buf packed;
	struct item *items;
	size_t item_count, item_room;
	struct newcomer *newcomers;
	size_t newcomer_count, newcomer_room;
	struct note notes[STEP_NOTES_MAX];
	size_t note_count;
	struct step_counts counts;
	uint64_t waiting; /* in all, when it has ended */
	step_done_fn *done;
	void *arg;
	/* phases */
	size_t asked, answered;
	Cairn__PatientFacts **statements;
	size_t statement_count, statement_room, told;
	int code;
	struct cairn_error err;
};

/* Room for one more; the array may move. */
int step_grow(void **array, size_t count, size_t *room, size_t size);

#endif
