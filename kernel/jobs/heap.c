/* SPDX-License-Identifier: Apache-2.0 */
#include "jobs/heap.h"

#include <assert.h>
#include <stdlib.h>

#include <cairn/error.h>

int
heap_reserve(struct heap *heap, size_t capacity)
{
	size_t bytes, grown = heap->capacity < 64 ? 64 : heap->capacity * 2;
	struct job_item *items;

	if (capacity <= heap->capacity)
		return 0;
	if (grown < capacity)
		grown = capacity;
	if (__builtin_mul_overflow(grown, sizeof *items, &bytes))
		return CAIRN_ENOMEM;
	items = realloc(heap->items, bytes);
	if (items == NULL)
		return CAIRN_ENOMEM;
	heap->items = items;
	heap->capacity = grown;
	return 0;
}

void
heap_push(struct heap *heap, struct job_item item)
{
	size_t at = heap->count++;

	assert(heap->count <= heap->capacity);
	while (at > 0 && heap->items[(at - 1) / 2].order > item.order) {
		heap->items[at] = heap->items[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	heap->items[at] = item;
}

struct job_item
heap_pop(struct heap *heap)
{
	struct job_item top = heap->items[0], last;
	size_t at = 0, child;

	assert(heap->count > 0);
	last = heap->items[--heap->count];
	while ((child = 2 * at + 1) < heap->count) {
		if (child + 1 < heap->count &&
		    heap->items[child + 1].order < heap->items[child].order)
			child++;
		if (heap->items[child].order >= last.order)
			break;
		heap->items[at] = heap->items[child];
		at = child;
	}
	heap->items[at] = last;
	return top;
}

const struct job_item *
heap_top(const struct heap *heap)
{
	return heap->count == 0 ? NULL : &heap->items[0];
}

void
heap_fini(struct heap *heap)
{
	free(heap->items);
	*heap = (struct heap){0};
}
