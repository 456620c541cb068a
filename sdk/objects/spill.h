/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OBJECTS_SPILL_H
#define OBJECTS_SPILL_H

/*
 * Objects too large to be held in memory stream into blobs/KEY-BLOB while they arrive: full chunks
 * are hashed and written on libuv's work threads, one at a time per object.  Should more come in
 * than the disk takes, the loop thread writes too: memory has a bound, and nothing else would keep
 * it.
 */

#include "objects/engine.h"

#define SPILL_NAME_MAX (OBJECTS_KEY_MAX + 20)
void objects_spill_name(const char *key, uint64_t blob, char ret[SPILL_NAME_MAX]);

/* Makes the put a RECORD_BLOB. */
int objects_spill_begin(struct objects_put *put, struct cairn_error *err);
/* Hands over what the put has in memory. */
int objects_spill_more(struct objects_put *put, struct cairn_error *err);
/* The same, and pushes the put when all is on the disk. */
void objects_spill_commit(struct objects_put *put);
/* Drops file and put; the memory follows when no thread is at work on it. */
void objects_spill_abort(struct objects_put *put);
void objects_spill_unlink(const struct objects_put *put);
void objects_spill_free(struct spill *spill);

#endif
