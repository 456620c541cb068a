/* SPDX-License-Identifier: Apache-2.0 */
#include "jobs/keyring.h"

#include <stdlib.h>
#include <string.h>

#include <cairn/error.h>

#define CAPACITY_MIN 256
#define CAPACITY_MAX (UINT32_C(1) << 28)

void
keyring_fini(struct keyring *ring)
{
	free(ring->hashes);
	free(ring->slots);
	*ring = (struct keyring){0};
}

void
keyring_start(struct keyring *ring, uint64_t first)
{
	ring->first = ring->settled = ring->next = first;
}

static size_t
place(const struct keyring *ring, uint64_t number)
{
	return (size_t)number & (ring->capacity - 1);
}

/* The hash is a SHA-256: its first bytes are spread well. */
static size_t
home(const struct keyring *ring, const uint8_t hash[KEYRING_HASH])
{
	uint64_t start;

	memcpy(&start, hash, sizeof start);
	return (size_t)start & (ring->slot_count - 1);
}

/* The slot that holds this hash, or the empty one where it would go. */
static size_t
slot_of(const struct keyring *ring, const uint8_t hash[KEYRING_HASH])
{
	size_t at = home(ring, hash);

	while (ring->slots[at] != 0 &&
	    memcmp(ring->hashes[ring->slots[at] - 1], hash, KEYRING_HASH) != 0)
		at = (at + 1) & (ring->slot_count - 1);
	return at;
}

static void
forget(struct keyring *ring, uint64_t number)
{
	size_t mask = ring->slot_count - 1;
	size_t hole = slot_of(ring, ring->hashes[place(ring, number)]);

	for (size_t at = (hole + 1) & mask; ring->slots[at] != 0; at = (at + 1) & mask) {
		size_t distance = (at - home(ring, ring->hashes[ring->slots[at] - 1])) & mask;

		if (distance < ((at - hole) & mask))
			continue; /* it would come to lie before its home */
		ring->slots[hole] = ring->slots[at];
		hole = at;
	}
	ring->slots[hole] = 0;
}

static int
grow(struct keyring *ring)
{
	struct keyring grown = *ring;

	grown.capacity = ring->capacity == 0 ? CAPACITY_MIN : ring->capacity * 2;
	grown.slot_count = grown.capacity * 2;
	if (grown.capacity > CAPACITY_MAX)
		return CAIRN_ENOMEM;
	grown.hashes = calloc(grown.capacity, sizeof *grown.hashes);
	grown.slots = calloc(grown.slot_count, sizeof *grown.slots);
	if (grown.hashes == NULL || grown.slots == NULL) {
		free(grown.hashes);
		free(grown.slots);
		return CAIRN_ENOMEM;
	}
	for (uint64_t n = ring->first; n < ring->next; n++) {
		size_t to = place(&grown, n);

		memcpy(grown.hashes[to], ring->hashes[place(ring, n)], KEYRING_HASH);
		grown.slots[slot_of(&grown, grown.hashes[to])] = (uint32_t)to + 1;
	}
	free(ring->hashes);
	free(ring->slots);
	*ring = grown;
	return 0;
}

bool
keyring_has(const struct keyring *ring, const uint8_t hash[KEYRING_HASH])
{
	return ring->capacity > 0 && ring->slots[slot_of(ring, hash)] != 0;
}

int
keyring_push(struct keyring *ring, const uint8_t hash[KEYRING_HASH])
{
	int code = ring->next - ring->first == ring->capacity ? grow(ring) : 0;
	size_t to;

	if (code != 0)
		return code;
	to = place(ring, ring->next++);
	memcpy(ring->hashes[to], hash, KEYRING_HASH);
	ring->slots[slot_of(ring, hash)] = (uint32_t)to + 1;
	return 0;
}

void
keyring_settle(struct keyring *ring, uint64_t max)
{
	while (ring->next - ring->first > max)
		forget(ring, ring->first++);
	ring->settled = ring->next;
}

void
keyring_rollback(struct keyring *ring)
{
	while (ring->next > ring->settled)
		forget(ring, --ring->next);
}
