/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COHORT_SOURCE_H
#define COHORT_SOURCE_H

/* The connectors whose facts are indexed: what each says that it holds and has handed over, and
 * whether, by that, the index is whole.  On the plugin's loop. */

#include "base/buf.h"
#include "identity.h"

#define SOURCES_MAX 64 /* connectors that say what they hold */

struct holding {
	char name[INDEX_NAME_MAX + 1];
	uint64_t said_ms; /* monotonic, when it last said something */
	uint64_t held;    /* instances, or patients where it has no images */
	bool behind;      /* it has not yet handed over all to this index */
};

struct source {
	struct holding list[SOURCES_MAX];
	size_t count;
	uint64_t images;           /* that those with images hold */
	uint64_t differs_since_ms; /* monotonic; 0: the index has as many instances as they hold */
};

/* Answers an IndexRequest with a packed IndexAnswer. */
int source_hear(struct source *source, struct index *index, const void *body, size_t length,
    struct buf *ret, struct cairn_error *err);

/* CAIRN_EUNAVAILABLE, and how far it is, while the index is being rebuilt. */
int source_whole(const struct source *source, struct index *index, struct cairn_error *err);

/* The index takes a new identity; a packed IndexAnswer.  CAIRN_EUNAVAILABLE when no connector is
 * there to hand anything over. */
int source_reindex(
    struct source *source, struct index *index, struct buf *ret, struct cairn_error *err);

#endif
