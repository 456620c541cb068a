/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_CHECK_H
#define LEDGER_CHECK_H

/* Recomputing: records one after the other, and the checkpoints in between.  Opening does this for
 * the tail, verifying for everything. */

#include <lmdb.h>

#include "ledger/merkle.h"
#include "ledger/note.h"
#include "ledger/store.h"

struct check {
	struct hasher hasher;
	struct merkle tree;               /* of the records before the next */
	uint8_t leaf[MERKLE_HASH];        /* of the last record; not used while tree.size is 0 */
	char origin[NOTE_ORIGIN_MAX + 1]; /* of the first checkpoint seen; "" before */
	uint64_t signed_size;             /* of the last good checkpoint */
};

int check_init(struct check *check, struct cairn_error *err);
void check_fini(struct check *check);

/* The next record and its stored hashes.  CAIRN_ECORRUPT says what does not fit. */
int check_record(
    struct check *check, const MDB_val *record, const MDB_val *hashes, struct cairn_error *err);

/* A checkpoint of as many records as were checked: text, signature, origin, root. */
int check_checkpoint(
    struct check *check, const MDB_val *note, EVP_PKEY *key, struct cairn_error *err);

/* What opening checks: the last checkpoint's signature, its root against the stored hashes, and
 * every record after it.  Leaves `check` at the end of the ledger, ready to append. */
int check_tail(struct check *check, const struct store *store, MDB_txn *txn, EVP_PKEY *key,
    struct cairn_error *err);

#endif
