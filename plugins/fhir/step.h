/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FHIR_STEP_H
#define FHIR_STEP_H

#include "connector.h"
#include "map.h"

#define STEP_BYTES_MAX ((size_t)512 << 20) /* packed facts of one step */

struct step_counts {
	uint64_t resources; /* that became facts */
	uint64_t unused;    /* of which nothing is taken */
	uint64_t waiting;   /* kept until their patient is known */
	uint64_t nameless;  /* patients without an identifier that can be used */
	uint64_t orphans;   /* that are of no patient */
};

struct step;
typedef void step_done_fn(void *arg, int code, const char *why, const struct step_counts *counts);

/* `source` keeps the references of different systems apart. */
int step_new(
    struct step **ret, struct connector *connector, const char *source, struct cairn_error *err);
void step_free(struct step *step); /* of one that was not run */

/* A source_fn; `arg` is the step.  Any thread, before step_run(). */
int step_add(void *arg, const struct map_result *result, const char *url, struct cairn_error *err);
uint64_t step_size(const struct step *step); /* resources that were added */

/* To be kept together with what the step brings, e.g. how far a pull is then. Copies. */
int step_note(struct step *step, const char *name, const char *text);

/* Takes the step; `done` is called on the loop, later, when all is durable or nothing is (but
 * statements that came first, which stated again cost nothing). */
void step_run(struct step *step, step_done_fn *done, void *arg);

#endif
