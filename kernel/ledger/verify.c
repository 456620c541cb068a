/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger/ledger.h"

#include <string.h>

#include "ledger/check.h"

/*
 * Walks records, hashes and checkpoints side by side from the first to the last, in one snapshot.
 * The walk trusts nothing that is stored: each hash is computed anew and compared.
 */

#define PROGRESS_EVERY 4096

struct walk {
	const struct store *store;
	EVP_PKEY *key;
	struct check check;
	MDB_cursor *records, *hashes, *checkpoints;
	MDB_val record, record_hashes, note;
	uint64_t total;
	uint64_t next_checkpoint; /* its size; UINT64_MAX after the last */
	struct ledger_report report;
};

static int
walk_open(struct walk *walk, MDB_txn *txn, struct cairn_error *err)
{
	MDB_stat stat;
	int rc = mdb_cursor_open(txn, walk->store->records, &walk->records);

	if (rc == 0)
		rc = mdb_cursor_open(txn, walk->store->hashes, &walk->hashes);
	if (rc == 0)
		rc = mdb_cursor_open(txn, walk->store->checkpoints, &walk->checkpoints);
	if (rc == 0)
		rc = mdb_stat(txn, walk->store->records, &stat);
	if (rc != 0)
		return env_error(rc, "reading the ledger", err);
	walk->total = stat.ms_entries;
	return check_init(&walk->check, err);
}

static void
walk_close(struct walk *walk)
{
	check_fini(&walk->check);
	if (walk->records != NULL)
		mdb_cursor_close(walk->records);
	if (walk->hashes != NULL)
		mdb_cursor_close(walk->hashes);
	if (walk->checkpoints != NULL)
		mdb_cursor_close(walk->checkpoints);
}

/* The next key of a table; CAIRN_ENOTFOUND at its end. */
static int
step(MDB_cursor *cursor, uint64_t *ret_number, MDB_val *ret_value, struct cairn_error *err)
{
	MDB_val key;
	int rc = mdb_cursor_get(cursor, &key, ret_value, MDB_NEXT);

	if (rc == MDB_NOTFOUND)
		return CAIRN_ENOTFOUND;
	if (rc != 0)
		return env_error(rc, "reading the ledger", err);
	if (!env_key_get(&key, ret_number))
		return cairn_error_set(err, CAIRN_ECORRUPT, "a key of %zu bytes", key.mv_size);
	return 0;
}

static int
bad_record(struct walk *walk, uint64_t index, int code, struct cairn_error *err)
{
	if (code == CAIRN_ECORRUPT)
		walk->report.bad_record = index;
	return cairn_error_prefix(err, code, "record %llu", (unsigned long long)index);
}

static int
step_checkpoint(struct walk *walk, struct cairn_error *err)
{
	int code = step(walk->checkpoints, &walk->next_checkpoint, &walk->note, err);

	if (code == CAIRN_ENOTFOUND) {
		walk->next_checkpoint = UINT64_MAX;
		return 0;
	}
	return code == 0 ? 0 : cairn_error_prefix(err, code, "checkpoints");
}

/* All checkpoints of as many records as were walked (there is one at most). */
static int
walk_checkpoints(struct walk *walk, struct cairn_error *err)
{
	uint64_t size = walk->check.tree.size;
	int code = 0;

	while (code == 0 && walk->next_checkpoint == size) {
		uint64_t signed_before = walk->check.signed_size;

		code = check_checkpoint(&walk->check, &walk->note, walk->key, err);
		if (code != 0) {
			if (signed_before < size)
				walk->report.bad_record = signed_before;
			return cairn_error_prefix(err, code,
			    "checkpoint of %llu records (in doubt: record %llu and after)",
			    (unsigned long long)size, (unsigned long long)signed_before);
		}
		walk->report.checkpoints++;
		code = step_checkpoint(walk, err);
	}
	return code;
}

/* A step in the table of hashes that must arrive at `index`. */
static int
step_hashes(struct walk *walk, uint64_t index, struct cairn_error *err)
{
	uint64_t number = 0;
	int code = step(walk->hashes, &number, &walk->record_hashes, err);

	if (code == CAIRN_ENOTFOUND || (code == 0 && number != index))
		return cairn_error_set(err, CAIRN_ECORRUPT, "its stored hashes are missing");
	return code;
}

static int
walk_record(struct walk *walk, uint64_t number, struct cairn_error *err)
{
	uint64_t index = walk->check.tree.size;
	int code;

	if (number != index) {
		cairn_error_set(err, CAIRN_ECORRUPT, "it is missing; the next is %llu",
		    (unsigned long long)number);
		return bad_record(walk, index, CAIRN_ECORRUPT, err);
	}
	code = step_hashes(walk, index, err);
	if (code == 0)
		code = check_record(&walk->check, &walk->record, &walk->record_hashes, err);
	if (code != 0)
		return bad_record(walk, index, code, err);
	walk->report.records++;
	return walk_checkpoints(walk, err);
}

/* Nothing may lie behind the last record. */
static int
walk_end(struct walk *walk, struct cairn_error *err)
{
	uint64_t size = walk->check.tree.size, number = 0;
	int code = step(walk->hashes, &number, &walk->record_hashes, err);

	if (code == 0) {
		cairn_error_set(err, CAIRN_ECORRUPT, "it is missing; its hashes are still there");
		return bad_record(walk, size, CAIRN_ECORRUPT, err);
	}
	if (code != CAIRN_ENOTFOUND)
		return bad_record(walk, size, code, err);
	if (walk->next_checkpoint != UINT64_MAX) {
		cairn_error_set(err, CAIRN_ECORRUPT,
		    "it is missing: the ledger ends here, but a checkpoint covers %llu records",
		    (unsigned long long)walk->next_checkpoint);
		return bad_record(walk, size, CAIRN_ECORRUPT, err);
	}
	return 0;
}

struct observer {
	void (*progress)(void *arg, uint64_t done, uint64_t total);
	void *arg;
};

static int
walk_all(struct walk *walk, const struct observer *observer, struct cairn_error *err)
{
	uint64_t number = 0;
	int code = step_checkpoint(walk, err);

	if (code == 0)
		code = walk_checkpoints(walk, err);
	while (code == 0) {
		code = step(walk->records, &number, &walk->record, err);
		if (code != 0)
			break;
		code = walk_record(walk, number, err);
		if (observer->progress != NULL && walk->report.records % PROGRESS_EVERY == 0)
			observer->progress(observer->arg, walk->report.records, walk->total);
	}
	if (code == CAIRN_ENOTFOUND)
		code = walk_end(walk, err);
	if (code == 0 && observer->progress != NULL)
		observer->progress(observer->arg, walk->report.records, walk->total);
	return code;
}

static int
verify_store(const struct store *store, struct walk *walk, const struct observer *observer,
    struct cairn_error *err)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn), code;

	if (rc != 0)
		return env_error(rc, "reading the ledger", err);
	code = walk_open(walk, txn, err);
	if (code == 0)
		code = walk_all(walk, observer, err);
	if (code == 0 || code == CAIRN_ECORRUPT) {
		merkle_root(&walk->check.tree, &walk->check.hasher, walk->report.root);
		if (walk->check.hasher.failed)
			code = cairn_error_set(
			    err, CAIRN_EINTERNAL, "OpenSSL could not compute a SHA-256");
	}
	walk->report.unsigned_records = walk->report.records - walk->check.signed_size;
	walk_close(walk);
	mdb_txn_abort(txn);
	return code;
}

int
ledger_verify(const char *dir, EVP_PKEY *public_key, struct ledger_report *ret_report,
    void (*progress)(void *arg, uint64_t done, uint64_t total), void *arg, struct cairn_error *err)
{
	struct observer observer = {progress, arg};
	struct store store;
	struct walk walk = {.key = public_key, .report.bad_record = UINT64_MAX};
	int code = store_open_reader(&store, dir, err);

	if (code != 0)
		return code;
	walk.store = &store;
	code = verify_store(&store, &walk, &observer, err);
	store_close(&store);
	if (code == 0 || code == CAIRN_ECORRUPT)
		*ret_report = walk.report;
	return code;
}

/* ---- what others can check without the ledger ------------------------------------------- */

int
ledger_proof_verify(
    const struct merkle_proof *proof, const void *record, size_t length, const uint8_t root[32])
{
	struct hasher hasher;
	uint8_t leaf[MERKLE_HASH];
	bool leads;

	if (hasher_init(&hasher) != 0)
		return CAIRN_EINTERNAL;
	hasher_leaf(&hasher, record, length, leaf);
	leads = !hasher.failed && merkle_path_leads(proof, &hasher, leaf, root);
	hasher_fini(&hasher);
	return leads ? 0 : CAIRN_ECORRUPT;
}

int
ledger_checkpoint_verify(const char *text, EVP_PKEY *public_key, uint64_t *ret_size,
    uint8_t ret_root[32], struct cairn_error *err)
{
	struct note note;
	size_t length = strnlen(text, NOTE_MAX + 1);
	int code = note_parse(&note, text, length, err);

	if (code == 0)
		code = note_verify(&note, text, public_key, err);
	if (code != 0)
		return code;
	*ret_size = note.size;
	memcpy(ret_root, note.root, NOTE_HASH);
	return 0;
}
