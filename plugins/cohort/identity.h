/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COHORT_IDENTITY_H
#define COHORT_IDENTITY_H

/*
 * Which index this is.  The index can be made anew from what the connectors hold, but only they can
 * hand it over: by the identity, made at random with the index, they see that this is not the index
 * that has their facts.  Until they say that all is handed over, no count is given.
 */

#include "index.h"

#define IDENTITY_DIGITS 16

struct index_state {
	char identity[IDENTITY_DIGITS + 1];
	bool rebuilding;
	uint64_t done, held; /* instances and patients, while rebuilding */
};

/* In a read transaction of its own; any thread. */
int index_state_read(struct index *index, struct index_state *ret, struct cairn_error *err);

/* What a source holds: instances, or patients where it has no images. */
struct index_holding {
	const char *source;
	uint64_t held;
};

/* The index takes another identity and is rebuilding from now on, until each of these sources has
 * handed over all; what it has stays in it. */
int index_renew(struct index *index, const struct index_holding *holdings, size_t count,
    struct cairn_error *err);

/* Whether the source ever stated instances. */
int index_source_images(
    struct index *index, const char *source, bool *ret, struct cairn_error *err);

/* Notes what a batch that is handed over again says of how far it is. */
int index_note_progress(
    struct index_write *write, const Cairn__FactBatch *batch, struct cairn_error *err);

#endif
