/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FACTS_TESTING_H
#define FACTS_TESTING_H

/* A connector that does nothing but state, on a fake kernel, and an engine that hears it. */

#include "base/test.h"

#include <cairn/testing.h>

#include "base/buf.h"
#include "facts.h"

#define ENGINE_PATIENTS 1024
#define SNAPSHOTS_MAX 64

struct engine {
	size_t count;
	struct engine_patient {
		char name[64];
		struct buf bytes; /* a record */
	} patients[ENGINE_PATIENTS];
	unsigned jobs;
	bool complete; /* said so of the last handing over */
};

struct snapshot {
	struct engine engine;
	unsigned done; /* steps that were said to be durable */
};

struct world {
	struct cairn_testing *kernel;
	struct facts *facts;
	struct engine engine;
	struct test_dir dir;
	char text[65536];
	unsigned done, awaited; /* steps; answers when it was closed */
	bool drop, waiting;     /* of sets: dropped before the end; something is awaited */
	struct facts_set_counts counts;
	struct snapshot *snapshots; /* taken after every turn of the worker, when not NULL */
	unsigned snapshot_count;
};

/* On a copy of the database in `from`, or a new one. */
void world_begin(struct world *world, const char *from);
void world_end(struct world *world);
/* Texts may be NULL: no fact of the patient; no entry; an entry that is withdrawn. */
void world_state(struct world *world, const char *patient, const char *attribute, const char *text,
    const char *kind, const char *id, const char *entry_attribute, const char *entry_text);
void world_withdraw(struct world *world, const char *patient);
void world_merge(struct world *world, const char *from, const char *to);
/* Each patient has one observation with that PSA. */
void world_set(struct world *world, const char *name, const char *const *patients, const char *psa);
void world_index(struct world *world, const char *identity);
void world_deliver(struct world *world);

/* What the engine knows, a line a patient. */
const char *engine_text(struct world *world);
void engine_copy(struct engine *to, const struct engine *from);
void engine_clear(struct engine *engine);

#endif
