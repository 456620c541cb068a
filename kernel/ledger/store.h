/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_STORE_H
#define LEDGER_STORE_H

/*
 * Where a ledger lies: one LMDB environment with
 *   records      index -> packed record
 *   hashes       index -> the hashes that record completes (merkle.h)
 *   checkpoints  size  -> signed note (note.h)
 *   meta         "format" -> "1"
 * Numbers are 8 bytes, big endian.
 */

#include <stdint.h>

#include <lmdb.h>

#include "ledger/env.h"
#include "ledger/merkle.h"
#include "ledger/note.h"

struct store {
	MDB_env *env;
	int lock_fd; /* -1 for a reader */
	MDB_dbi records, hashes, checkpoints;
};

int store_open_writer(struct store *ret, const char *dir, size_t map_size, struct cairn_error *err);
int store_open_reader(struct store *ret, const char *dir, struct cairn_error *err);
void store_close(struct store *store);

/* How many records there are.  CAIRN_ECORRUPT unless their keys are 0 ... n-1 at both ends and
 * there is one set of hashes for each. */
int store_count(const struct store *store, MDB_txn *txn, uint64_t *ret, struct cairn_error *err);

/* Borrowed until the transaction ends.  CAIRN_ENOTFOUND. */
int store_record(
    const struct store *store, MDB_txn *txn, uint64_t index, MDB_val *ret, struct cairn_error *err);
int store_hashes(
    const struct store *store, MDB_txn *txn, uint64_t index, MDB_val *ret, struct cairn_error *err);

/* The newest checkpoint's note text (borrowed); CAIRN_ENOTFOUND before the first. */
int store_last_checkpoint(const struct store *store, MDB_txn *txn, uint64_t *ret_size, MDB_val *ret,
    struct cairn_error *err);

/* A merkle_source over the stored hashes; `reading` must live as long as it is used. */
struct store_reading {
	const struct store *store;
	MDB_txn *txn;
};
struct merkle_source store_source(struct store_reading *reading);

#endif
