/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OBJECTS_COMPACT_H
#define OBJECTS_COMPACT_H

/*
 * Compaction writes the live records of a segment to its next generation, syncs it, gives it its
 * name, and then switches the index over in one transaction.  A stop before the name leaves a
 * ".new" file that is removed; a stop after it leaves two generations: recovery keeps the higher
 * one, which is complete, and does the switch again.
 */

#include "objects/dirs.h"
#include "objects/index.h"
#include "objects/tail.h"

struct compact {
	const struct objects_dirs *dirs;
	const struct objects_io *io;
	struct objects_index *index;
	unsigned dead_percent;
	struct objects_compacted result;
};

/* All segments before the index's watermark with at least so many percent dead.  Runs on the thread
 * that writes the index. */
int objects_compact_run(struct compact *compact);

/* Makes the index follow a segment's file of this generation. */
int objects_compact_switch(
    const struct objects_dirs *dirs, struct objects_index *index, uint32_t id, uint32_t generation);

#endif
