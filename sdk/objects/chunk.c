/* SPDX-License-Identifier: Apache-2.0 */
#include "objects/chunk.h"

#include <stdlib.h>

#define SMALL_ROOM (CHUNK_SMALL - sizeof(struct chunk))
#define BIG_ROOM (CHUNK_BIG - sizeof(struct chunk))

struct chunk *
objects_chunk_take(struct chunk_pool *pool, size_t want, bool big)
{
	size_t room = want <= SMALL_ROOM && !big ? SMALL_ROOM : want <= BIG_ROOM ? BIG_ROOM : want;
	struct chunk **list = room == SMALL_ROOM ? &pool->small : &pool->big;
	struct chunk *chunk;

	if (room <= BIG_ROOM && *list != NULL) {
		chunk = *list;
		*list = chunk->next;
		pool->cached -= chunk->room;
	} else {
		if (room > SIZE_MAX / 2)
			return NULL;
		chunk = malloc(sizeof *chunk + room);
		if (chunk == NULL)
			return NULL;
		chunk->room = room;
	}
	chunk->next = NULL;
	chunk->used = 0;
	return chunk;
}

void
objects_chunk_give(struct chunk_pool *pool, struct chunk *chunk)
{
	struct chunk **list = chunk->room == SMALL_ROOM ? &pool->small : &pool->big;

	if (chunk->room > BIG_ROOM || chunk->room > pool->cached_max - pool->cached) {
		free(chunk);
		return;
	}
	chunk->next = *list;
	*list = chunk;
	pool->cached += chunk->room;
}

void
objects_chunk_give_all(struct chunk_pool *pool, struct chunk *first)
{
	while (first != NULL) {
		struct chunk *next = first->next;

		objects_chunk_give(pool, first);
		first = next;
	}
}

static void
free_list(struct chunk *first)
{
	while (first != NULL) {
		struct chunk *next = first->next;

		free(first);
		first = next;
	}
}

void
objects_chunk_pool_fini(struct chunk_pool *pool)
{
	free_list(pool->small);
	free_list(pool->big);
	*pool = (struct chunk_pool){0};
}
