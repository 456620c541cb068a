/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JOBS_KEYRING_H
#define JOBS_KEYRING_H

/*
 * The last so many idempotency keys of one queue, as 128 bits of their SHA-256 each (two different
 * keys meet with a chance of 2^-95 among 100,000).  Keys are numbered 0, 1, 2, ... as they come.
 *
 * A group that is being committed pushes its keys; then either keyring_settle() forgets the oldest
 * beyond the maximum, or keyring_rollback() forgets those of the group.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KEYRING_HASH 16

struct keyring {
	uint8_t (*hashes)[KEYRING_HASH]; /* key n lies at n & (capacity - 1) */
	size_t capacity;                 /* a power of two, or 0 */
	uint32_t *slots;                 /* open addressing: place in hashes + 1, 0 for none */
	size_t slot_count;               /* twice the capacity */
	uint64_t first;                  /* the oldest key that is remembered */
	uint64_t settled;                /* the next one after the last commit */
	uint64_t next;
};

void keyring_fini(struct keyring *ring);

/* Continues the numbering of an empty ring. */
void keyring_start(struct keyring *ring, uint64_t first);
bool keyring_has(const struct keyring *ring, const uint8_t hash[KEYRING_HASH]);
int keyring_push(struct keyring *ring, const uint8_t hash[KEYRING_HASH]); /* CAIRN_ENOMEM */
void keyring_settle(struct keyring *ring, uint64_t max);
void keyring_rollback(struct keyring *ring);

#endif
