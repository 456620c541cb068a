/* SPDX-License-Identifier: Apache-2.0 */
#include "objects/pending.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define BUCKETS ((size_t)16384)

struct pending {
	struct pending_entry *buckets[BUCKETS];
	size_t count;
	uint64_t seed; /* keys come from outside: nobody may choose which ones collide */
};

int
objects_pending_new(struct pending **ret)
{
	struct pending *pending = calloc(1, sizeof *pending);

	if (pending == NULL)
		return CAIRN_ENOMEM;
	if (getrandom(&pending->seed, sizeof pending->seed, 0) != (ssize_t)sizeof pending->seed) {
		free(pending);
		return CAIRN_EIO;
	}
	*ret = pending;
	return 0;
}

void
objects_pending_free(struct pending *pending)
{
	if (pending == NULL)
		return;
	for (size_t i = 0; i < BUCKETS; i++) {
		while (pending->buckets[i] != NULL) {
			struct pending_entry *entry = pending->buckets[i];

			pending->buckets[i] = entry->next;
			free(entry);
		}
	}
	free(pending);
}

static size_t
bucket_of(const struct pending *pending, const char *key)
{
	uint64_t hash = pending->seed;

	for (; *key != 0; key++) {
		hash = (hash ^ (uint8_t)*key) * 0x9e3779b97f4a7c15u;
		hash ^= hash >> 29;
	}
	return (size_t)(hash >> 32) % BUCKETS;
}

struct pending_entry *
objects_pending_find(const struct pending *pending, const char *key)
{
	struct pending_entry *entry = pending->buckets[bucket_of(pending, key)];

	while (entry != NULL && strcmp(entry->key, key) != 0)
		entry = entry->next;
	return entry;
}

struct pending_entry *
objects_pending_add(struct pending *pending, const char *key, enum pending_state state)
{
	struct pending_entry **bucket = &pending->buckets[bucket_of(pending, key)];
	struct pending_entry *entry = calloc(1, sizeof *entry);

	if (entry == NULL)
		return NULL;
	memcpy(entry->key, key, strnlen(key, OBJECTS_KEY_MAX));
	entry->state = state;
	entry->next = *bucket;
	*bucket = entry;
	pending->count++;
	return entry;
}

void
objects_pending_remove(struct pending *pending, struct pending_entry *entry)
{
	struct pending_entry **link = &pending->buckets[bucket_of(pending, entry->key)];

	while (*link != entry)
		link = &(*link)->next;
	*link = entry->next;
	pending->count--;
	free(entry);
}

size_t
objects_pending_count(const struct pending *pending)
{
	return pending->count;
}
