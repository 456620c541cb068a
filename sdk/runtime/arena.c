/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/arena.h"

#include <stdalign.h>
#include <stdlib.h>

#define BLOCK_BYTES ((size_t)8192)
#define ALIGNMENT ((size_t)16)

struct arena_block {
	struct arena_block *older;
	size_t size;
	alignas(16) unsigned char bytes[];
};

static void *
allocator_alloc(void *arg, size_t size)
{
	return arena_alloc(arg, size);
}

static void
allocator_free(void *arg, void *pointer)
{
	(void)arg;
	(void)pointer; /* the arena goes as a whole */
}

void
arena_init(struct arena *arena, size_t max)
{
	*arena = (struct arena){.max = max, .allocator = {allocator_alloc, allocator_free, arena}};
}

static void
free_newest(struct arena *arena)
{
	struct arena_block *block = arena->blocks;

	arena->blocks = block->older;
	arena->total -= block->size;
	free(block);
}

void
arena_fini(struct arena *arena)
{
	while (arena->blocks != NULL)
		free_newest(arena);
}

void
arena_reset(struct arena *arena)
{
	while (arena->blocks != NULL &&
	    (arena->blocks->older != NULL || arena->blocks->size > BLOCK_BYTES))
		free_newest(arena);
	arena->used = 0;
}

static int
add_block(struct arena *arena, size_t size)
{
	size_t wanted = size > BLOCK_BYTES ? size : BLOCK_BYTES;
	struct arena_block *block;

	if (wanted > arena->max || arena->total > arena->max - wanted)
		return -1;
	block = malloc(sizeof *block + wanted);
	if (block == NULL)
		return -1;
	block->older = arena->blocks;
	block->size = wanted;
	arena->blocks = block;
	arena->total += wanted;
	arena->used = 0;
	return 0;
}

void *
arena_alloc(struct arena *arena, size_t size)
{
	unsigned char *at;

	if (size > arena->max)
		return NULL;
	size = (size + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
	if (arena->blocks == NULL || arena->blocks->size - arena->used < size) {
		if (add_block(arena, size) != 0)
			return NULL;
	}
	at = arena->blocks->bytes + arena->used;
	arena->used += size;
	return at;
}
