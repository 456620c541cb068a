/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OBJECTS_CHUNK_H
#define OBJECTS_CHUNK_H

/*
 * The memory of objects under way: lists of chunks of two sizes.  They go back to a pool, because
 * fresh pages from the kernel cost more than the copy into them.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHUNK_SMALL ((size_t)16 * 1024)
#define CHUNK_BIG ((size_t)128 * 1024)

struct chunk {
	struct chunk *next;
	size_t used;
	size_t room;
	uint8_t bytes[];
};

/* Used by one thread. */
struct chunk_pool {
	struct chunk *small;
	struct chunk *big;
	size_t cached;
	size_t cached_max;
};

/* A chunk with room for at least `want` bytes: a small one, or a big one if `big` or need be, or
 * one made to measure.  NULL when out of memory. */
struct chunk *objects_chunk_take(struct chunk_pool *pool, size_t want, bool big);
void objects_chunk_give(struct chunk_pool *pool, struct chunk *chunk);
/* A whole list; the next one to use first is the one used last. */
void objects_chunk_give_all(struct chunk_pool *pool, struct chunk *first);
void objects_chunk_pool_fini(struct chunk_pool *pool);

#endif
