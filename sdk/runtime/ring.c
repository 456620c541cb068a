/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/ring.h"

#include <stdlib.h>

#include <cairn/error.h>

#define FIRST_CAPACITY 64

void
ring_fini(struct ring *ring)
{
	nng_msg *msg;

	while ((msg = ring_take(ring)) != NULL)
		nng_msg_free(msg);
	free(ring->slots);
	*ring = (struct ring){0};
}

int
ring_reserve(struct ring *ring)
{
	size_t capacity = ring->capacity == 0 ? FIRST_CAPACITY : 2 * ring->capacity;
	nng_msg **slots;

	if (ring->count < ring->capacity)
		return 0;
	slots = calloc(capacity, sizeof(nng_msg *));
	if (slots == NULL)
		return CAIRN_ENOMEM;
	for (size_t i = 0; i < ring->count; i++)
		slots[i] = ring->slots[(ring->head + i) & (ring->capacity - 1)];
	free(ring->slots);
	ring->slots = slots;
	ring->capacity = capacity;
	ring->head = 0;
	return 0;
}

void
ring_put(struct ring *ring, nng_msg *msg)
{
	ring->slots[(ring->head + ring->count) & (ring->capacity - 1)] = msg;
	ring->count++;
	ring->bytes += nng_msg_len(msg);
}

void
ring_put_first(struct ring *ring, nng_msg *msg)
{
	ring->head = (ring->head - 1) & (ring->capacity - 1);
	ring->slots[ring->head] = msg;
	ring->count++;
	ring->bytes += nng_msg_len(msg);
}

nng_msg *
ring_take(struct ring *ring)
{
	nng_msg *msg;

	if (ring->count == 0)
		return NULL;
	msg = ring->slots[ring->head];
	ring->head = (ring->head + 1) & (ring->capacity - 1);
	ring->count--;
	ring->bytes -= nng_msg_len(msg);
	return msg;
}
