/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JOBS_STORE_H
#define JOBS_STORE_H

/*
 * Where jobs lie: one LMDB environment with
 *   jobs    id               -> form (1): 1, queue number (1), key length (1), wall clock
 *                               milliseconds (6), key, body; of form 0 without the time
 *   states  id               -> flags (1), attempt (4), reason; only for jobs that were tried
 *   queues  number           -> done (8), taken up to (8), name
 *   keys    number (2), n (8)-> hash (16) of the n-th key of the queue
 *   meta    "format" -> "1"; "running" while a node has it open
 * Numbers are big endian; ids count from 1 as jobs are put.
 *
 * A job without a state was never tried, unless its id is at most its queue's `taken up to`: first
 * attempts begin in the order of ids, so that one number says it of all.
 */

#include <stdbool.h>
#include <stdint.h>

#include <lmdb.h>

#include "jobs/jobs.h"
#include "jobs/op.h"

#define QUEUES_MAX 256
#define QUEUE_NAME_MAX 63
#define RECORD_HEAD 3 /* of a record that was put without its time */
#define RECORD_TIMED_HEAD 9
#define RECORD_TIMED 1 /* the form that records have */
#define STATE_HEAD 5

struct store {
	MDB_env *env;
	int lock_fd;
	MDB_dbi jobs, states, queues, keys, meta;
};

int jobstore_open(struct store *ret, const char *dir, size_t map_size, struct cairn_error *err);
void jobstore_close(struct store *store);

/* ---- records ---------------------------------------------------------------------------- */

struct record {
	uint16_t queue;
	uint8_t key_length;
	const uint8_t *key;
	const uint8_t *body;
	size_t length;
	uint64_t put_ms; /* 0: not known */
};

size_t record_length(size_t key_length, size_t body_length);
void record_encode(
    uint8_t *ret, uint16_t queue, uint64_t put_ms, const struct jobs_put_entry *entry);
const uint8_t *record_key(const uint8_t *record);
int record_decode(const MDB_val *value, struct record *ret); /* CAIRN_ECORRUPT */

struct state {
	uint8_t flags;
	uint32_t attempt;
	char reason[OP_REASON_MAX + 1];
};

/* A job without a state has the zero state. */
int jobstore_state(
    const struct store *store, MDB_txn *txn, uint64_t id, struct state *ret, bool *ret_found);
int jobstore_put_state(const struct store *store, MDB_txn *txn, uint64_t id,
    const struct state *state); /* LMDB's result */

struct queue_row {
	uint64_t done;
	uint64_t taken_up_to;
	char name[QUEUE_NAME_MAX + 1];
};

int jobstore_put_queue(const struct store *store, MDB_txn *txn, uint16_t number,
    const struct queue_row *row);                                  /* LMDB's result */
int queue_row_decode(const MDB_val *value, struct queue_row *ret); /* CAIRN_ECORRUPT */

#define RING_KEY_BYTES 10

void ring_key_encode(uint8_t ret[RING_KEY_BYTES], uint16_t queue, uint64_t number);
int ring_key_decode(const MDB_val *key, uint16_t *ret_queue, uint64_t *ret_number);

#endif
