/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_TAMPER_H
#define LEDGER_TAMPER_H

/* Changing a ledger behind its back, through LMDB, and what verifying is expected to say then. */

#include "ledger/fixture.h"
#include "ledger/store.h"

enum table { RECORDS, HASHES, CHECKPOINTS };

struct tamper {
	struct store store;
	MDB_txn *txn;
};

/* The ledger must be closed in between; nothing is synced. */
struct tamper tamper_begin(struct fixture *f);
void tamper_end(struct tamper *t);
MDB_dbi tamper_dbi(const struct tamper *t, enum table table);

/* Rows by number; tamper_get() copies. */
struct buf tamper_get(struct tamper *t, MDB_dbi dbi, uint64_t number);
void tamper_put(struct tamper *t, MDB_dbi dbi, uint64_t number, const struct buf *row);
void tamper_delete(struct tamper *t, MDB_dbi dbi, uint64_t number);

/* In a transaction of their own. */
void tamper_flip(struct fixture *f, enum table table, uint64_t number, size_t bit);
size_t tamper_bits(struct fixture *f, enum table table, uint64_t number);

int tamper_verify(struct fixture *f, struct ledger_report *ret, struct cairn_error *err);
/* Verifying fails, names this record and says these words. */
void tamper_expect_found(struct fixture *f, uint64_t record, const char *words);
void tamper_expect_good(struct fixture *f, uint64_t records);

#endif
