/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COHORT_CARRIERS_H
#define COHORT_CARRIERS_H

/*
 * Questions about variants that a connector answers which keeps genotypes itself (the subject
 * genomics.carriers).  What it names is added to what entries of the kind "variant" say.
 */

#include "index.h"

#define CARRIERS_MAX 16 /* questions about variants in one expression */

/* Pseudonyms by the connector's numbers; made once for a version, and shared. */
struct carriers_dictionary {
	atomic_uint references;
	char *version;
	char **patients;
	size_t count;
};

struct carriers {
	/* Nobody serves the subject: entries are all there is. */
	bool none;
	struct carriers_dictionary *dictionary[CARRIERS_MAX];
	/* By the order of carriers_nodes(): bit n is the dictionary's number n. */
	uint8_t *bits[CARRIERS_MAX];
	size_t bytes[CARRIERS_MAX];
	size_t count;
	/* What the connector cannot evaluate. */
	char **criteria;
	size_t criteria_count;
};

/* The parts of an expression that are about variants, in reading order: `same variant (...)`,
 * `at least 1 variant (...)` and attributes of variants elsewhere; not inside WITHIN, since a
 * variant has no date.  Returns how many; CARRIERS_MAX + 1 when there are more than can be asked.
 */
size_t carriers_nodes(
    const Cairn__Expression *expression, const Cairn__Expression *ret[CARRIERS_MAX]);

struct carriers_dictionary *carriers_dictionary_new(const Cairn__CarriersAnswer *answer);
struct carriers_dictionary *carriers_dictionary_ref(struct carriers_dictionary *dictionary);
void carriers_dictionary_unref(struct carriers_dictionary *dictionary);
/* What it is asked about such a part. */
const Cairn__Expression *carriers_question(const Cairn__Expression *node);
/* Takes the next answer in.  `*dictionary` is the one of the version that the asker had, or NULL,
 * and becomes the answer's.  CAIRN_EINVAL with words for an answer that cannot be. */
int carriers_add(struct carriers *carriers, const Cairn__CarriersAnswer *answer,
    struct carriers_dictionary **dictionary, struct cairn_error *err);
void carriers_fini(struct carriers *carriers);

#endif
