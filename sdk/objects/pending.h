/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OBJECTS_PENDING_H
#define OBJECTS_PENDING_H

/* Keys that the index does not know yet, or not any more: those under way, and those durable in the
 * log whose batch is not committed to the index.  Used by the loop thread. */

#include "objects/index.h"

enum pending_state {
	PENDING_UNDERWAY, /* begun; nothing is durable */
	PENDING_APPENDED, /* in the log, its digest is not known yet */
	PENDING_DURABLE,  /* in the log, not yet in the index */
	PENDING_ERASING,  /* its tombstone is under way */
};

struct pending_entry {
	struct pending_entry *next;
	char key[OBJECTS_KEY_MAX + 1];
	enum pending_state state;
	struct index_entry entry; /* but for PENDING_UNDERWAY */
};

struct pending;

int objects_pending_new(struct pending **ret);
void objects_pending_free(struct pending *pending);
struct pending_entry *objects_pending_find(const struct pending *pending, const char *key);
/* The key must not be there.  NULL when out of memory. */
struct pending_entry *objects_pending_add(
    struct pending *pending, const char *key, enum pending_state state);
void objects_pending_remove(struct pending *pending, struct pending_entry *entry);
size_t objects_pending_count(const struct pending *pending);

#endif
