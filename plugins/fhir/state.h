/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FHIR_STATE_H
#define FHIR_STATE_H

/*
 * What the connector keeps, in LMDB in its state folder.  References and identifiers are there as
 * keyed digests only.  Functions are for the step's worker, one at a time, but state_note_get().
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cairn/error.h>

#define STATE_KEY 16        /* bytes of a digest */
#define STATE_PSEUDONYM 128 /* with its zero */

struct state;
struct state_change; /* a transaction that writes */

/* Who is behind a reference. */
struct state_person {
	char pseudonym[STATE_PSEUDONYM];
	int32_t shift;
	int32_t birth; /* shifted */
	uint8_t has_birth;
	uint8_t zero[3];
};

int state_open(struct state **ret, const char *dir, const uint8_t *key, size_t key_length,
    struct cairn_error *err);
void state_close(struct state *state);

/* A digest of two texts.  Any thread. */
int state_digest(
    struct state *state, const char *first, const char *second, uint8_t ret[STATE_KEY]);

int state_begin(struct state_change **ret, struct state *state, struct cairn_error *err);
void state_drop(struct state_change *change);                           /* NULL is fine */
int state_commit(struct state_change *change, struct cairn_error *err); /* frees it */

int state_person_put(struct state_change *change, const uint8_t reference[STATE_KEY],
    const struct state_person *person, struct cairn_error *err);
bool state_person_find(
    struct state_change *change, const uint8_t reference[STATE_KEY], struct state_person *ret);

/* What waits for the patient behind a reference: one for each resource. */
int state_wait(struct state_change *change, const uint8_t reference[STATE_KEY],
    const uint8_t resource[STATE_KEY], const void *bytes, size_t length, struct cairn_error *err);
typedef int state_waiting_fn(void *arg, const void *bytes, size_t length);
int state_waiting(struct state_change *change, const uint8_t reference[STATE_KEY],
    state_waiting_fn *each, void *arg);
int state_waiting_drop(struct state_change *change, const uint8_t reference[STATE_KEY]);
uint64_t state_waiting_count(struct state_change *change);

/* Texts by name: how far a pull is. An empty text is none. */
int state_note_put(
    struct state_change *change, const char *name, const char *text, struct cairn_error *err);
/* CAIRN_ENOTFOUND, CAIRN_ELIMIT.  Any thread. */
int state_note_get(struct state *state, const char *name, char *ret, size_t size);

#endif
