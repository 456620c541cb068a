/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNTIME_ARENA_H
#define RUNTIME_ARENA_H

/*
 * Memory for one unpacked message: bump allocation, freed as a whole.  Its maximum is what keeps a
 * hostile message of a few bytes per element from unfolding into gigabytes.
 */

#include <stddef.h>

#include <protobuf-c/protobuf-c.h>

struct arena_block;

struct arena {
	ProtobufCAllocator allocator; /* pass this to ..._unpack(); never free_unpacked() */
	struct arena_block *blocks;   /* the newest first; the oldest is kept by arena_reset() */
	size_t used;                  /* of the newest block */
	size_t total;                 /* bytes in all blocks */
	size_t max;
};

void arena_init(struct arena *arena, size_t max);
void arena_fini(struct arena *arena);
void arena_reset(struct arena *arena);               /* forgets everything, keeps one small block */
void *arena_alloc(struct arena *arena, size_t size); /* NULL at the maximum */

#endif
