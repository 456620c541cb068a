/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger/anchor.h"

#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "ledger/ledger.h"
#include "ledger/merkle.h"
#include "ledger/note.h"

static int
compare(const struct buf *anchor, uint64_t size, const struct store *store, struct cairn_error *err)
{
	uint8_t number[ENV_KEY_BYTES];
	MDB_val key = {sizeof number, number}, value;
	MDB_txn *txn;
	int rc = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn), code = 0;

	if (rc != 0)
		return env_error(rc, "the ledger", err);
	env_key_put(number, size);
	rc = mdb_get(txn, store->checkpoints, &key, &value);
	if (rc == MDB_NOTFOUND ||
	    (rc == 0 &&
		(value.mv_size != anchor->length ||
		    memcmp(value.mv_data, anchor->data, anchor->length) != 0)))
		code = CAIRN_ECORRUPT;
	else if (rc != 0)
		code = env_error(rc, "the ledger's checkpoints", err);
	mdb_txn_abort(txn);
	return code;
}

int
anchor_check(const char *path, const struct store *store, EVP_PKEY *key, struct cairn_error *err)
{
	BUF_AUTO anchor = {.max = NOTE_MAX};
	uint8_t root[MERKLE_HASH];
	uint64_t size = 0;
	int code;

	if (!file_exists(path))
		return 0;
	code = file_read(path, &anchor, err);
	if (code != 0)
		return code;
	if (buf_text(&anchor) == NULL ||
	    ledger_checkpoint_verify((const char *)anchor.data, key, &size, root, NULL) != 0)
		return cairn_error_set(err, CAIRN_ECORRUPT,
		    "%s is no checkpoint signed by this node; if its key was changed on purpose, "
		    "move the file away",
		    path);
	code = compare(&anchor, size, store, err);
	if (code == CAIRN_ECORRUPT)
		cairn_error_set(err, code,
		    "the ledger does not hold the %llu records that this node signed in %s: it was "
		    "lost, or put back to an earlier state. Restore it; if it is lost for good, "
		    "move that file away as evidence, and a new ledger begins",
		    (unsigned long long)size, path);
	return code;
}

int
anchor_write(const char *path, const struct store *store, struct cairn_error *err)
{
	uint64_t size;
	MDB_val note;
	MDB_txn *txn;
	int rc = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn), code;

	if (rc != 0)
		return env_error(rc, "the ledger", err);
	code = store_last_checkpoint(store, txn, &size, &note, err);
	if (code == 0)
		code = file_write(path, note.mv_data, note.mv_size, 0644, err);
	mdb_txn_abort(txn);
	return code;
}
