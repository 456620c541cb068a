/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DICOM_OUTBOX_H
#define DICOM_OUTBOX_H

/*
 * The transactional outbox: the facts of an instance lie in the object store beside it, made
 * durable by the same sync.  The outbox goes through them in order and puts them on the queue
 * `facts`, a batch at a time; its cursor moves when the kernel says that a batch is on disk.  After
 * a crash it goes on from the cursor, so every stored instance's facts arrive at least once.  When
 * their consumer has lost them, consumer.c has everything handed over again.
 */

#include "connector.h"

int outbox_new(struct outbox **ret, struct connector *connector, struct cairn_error *err);

/* For health. */
struct outbox_state {
	bool busy;
	uint64_t failing_since_ms; /* monotonic; 0: the kernel takes what it is given */
	char failure[160];
};

void outbox_state_get(const struct outbox *outbox, struct outbox_state *ret);

/* There may be more notes; the store says so by itself from outbox_new() on. */
void outbox_kick(struct outbox *outbox);

/* Hands everything over again, to the index of this identity: from the beginning, or, when
 * `resume`, from where the last run was.  `complete` is called once, when the kernel has all of it.
 */
void outbox_again(struct outbox *outbox, const char *identity, bool resume,
    void (*complete)(void *arg), void *arg);

/* Once connector->stopping is set it neither reads nor writes the store; what the kernel did not
 * confirm is put again by the next run. */
void outbox_free(struct outbox *outbox, void (*freed)(void *arg), void *arg);

#endif
