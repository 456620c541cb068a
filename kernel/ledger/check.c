/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger/check.h"

#include <string.h>

#include "ledger/record.h"

int
check_init(struct check *check, struct cairn_error *err)
{
	*check = (struct check){0};
	if (hasher_init(&check->hasher) != 0)
		return cairn_error_set(err, CAIRN_EINTERNAL, "OpenSSL offers no SHA-256");
	return 0;
}

void
check_fini(struct check *check)
{
	hasher_fini(&check->hasher);
}

static int
hashing_failed(struct cairn_error *err)
{
	return cairn_error_set(err, CAIRN_EINTERNAL, "OpenSSL could not compute a SHA-256");
}

/* The bytes against their stored hash first: that names the record whose bytes were changed, where
 * the chain alone could only say "this one or the one before". */
int
check_record(
    struct check *check, const MDB_val *record, const MDB_val *hashes, struct cairn_error *err)
{
	uint64_t index = check->tree.size;
	uint8_t leaf[MERKLE_HASH], completed[MERKLE_LEVELS][MERKLE_HASH];
	size_t length = merkle_completed(index) * (size_t)MERKLE_HASH;
	int code;

	if (hashes->mv_size != length)
		return cairn_error_set(
		    err, CAIRN_ECORRUPT, "its stored hashes are cut or too long");
	hasher_leaf(&check->hasher, record->mv_data, record->mv_size, leaf);
	if (memcmp(leaf, hashes->mv_data, MERKLE_HASH) != 0)
		return cairn_error_set(err, CAIRN_ECORRUPT, "its bytes do not fit its stored hash");
	code = record_check(
	    record->mv_data, record->mv_size, index, index == 0 ? NULL : check->leaf, err);
	if (code != 0)
		return code;
	merkle_push(&check->tree, &check->hasher, leaf, completed);
	if (check->hasher.failed)
		return hashing_failed(err);
	if (memcmp(completed, hashes->mv_data, length) != 0)
		return cairn_error_set(
		    err, CAIRN_ECORRUPT, "the tree's stored hashes do not fit the records before");
	memcpy(check->leaf, leaf, MERKLE_HASH);
	return 0;
}

static int
check_root(struct check *check, const struct note *note, struct cairn_error *err)
{
	uint8_t root[MERKLE_HASH];

	merkle_root(&check->tree, &check->hasher, root);
	if (check->hasher.failed)
		return hashing_failed(err);
	if (memcmp(root, note->root, MERKLE_HASH) != 0)
		return cairn_error_set(err, CAIRN_ECORRUPT,
		    "the records were rewritten after the checkpoint was signed: the root differs");
	return 0;
}

int
check_checkpoint(struct check *check, const MDB_val *value, EVP_PKEY *key, struct cairn_error *err)
{
	struct note note;
	int code = note_parse(&note, value->mv_data, value->mv_size, err);

	if (code == 0)
		code = note_verify(&note, value->mv_data, key, err);
	if (code != 0)
		return code;
	if (note.size != check->tree.size)
		return cairn_error_set(err, CAIRN_ECORRUPT,
		    "the checkpoint speaks of %llu records and lies among those of %llu",
		    (unsigned long long)note.size, (unsigned long long)check->tree.size);
	if (check->origin[0] == 0)
		memcpy(check->origin, note.origin, sizeof note.origin);
	if (strcmp(check->origin, note.origin) != 0)
		return cairn_error_set(err, CAIRN_ECORRUPT,
		    "the checkpoint is of node '%s', those before of '%s'", note.origin,
		    check->origin);
	code = check_root(check, &note, err);
	if (code == 0)
		check->signed_size = note.size;
	return code;
}

/* ---- the tail --------------------------------------------------------------------------- */

static int
load_checkpoint(struct check *check, struct store_reading *reading, uint64_t count, EVP_PKEY *key,
    struct cairn_error *err)
{
	struct merkle_source source = store_source(reading);
	MDB_val note;
	uint64_t size = 0;
	int code = store_last_checkpoint(reading->store, reading->txn, &size, &note, err);

	if (code == CAIRN_ENOTFOUND)
		return 0;
	if (code != 0)
		return code;
	if (size > count)
		return cairn_error_set(err, CAIRN_ECORRUPT,
		    "the last checkpoint covers %llu records and the ledger holds %llu: "
		    "its end is gone",
		    (unsigned long long)size, (unsigned long long)count);
	code = merkle_load(&check->tree, &source, size, err);
	if (code == 0 && size > 0)
		code = source.node(source.arg, 0, size - 1, check->leaf, err);
	if (code == 0)
		code = check_checkpoint(check, &note, key, err);
	return code == 0 ? 0
			 : cairn_error_prefix(err, code, "last checkpoint (%llu records)",
			       (unsigned long long)size);
}

static int
check_one(struct check *check, struct store_reading *reading, struct cairn_error *err)
{
	uint64_t index = check->tree.size;
	MDB_val record, hashes;
	int code = store_record(reading->store, reading->txn, index, &record, err);

	if (code == 0)
		code = store_hashes(reading->store, reading->txn, index, &hashes, err);
	if (code == 0)
		code = check_record(check, &record, &hashes, err);
	return code == 0 ? 0
			 : cairn_error_prefix(err, code, "record %llu", (unsigned long long)index);
}

int
check_tail(struct check *check, const struct store *store, MDB_txn *txn, EVP_PKEY *key,
    struct cairn_error *err)
{
	struct store_reading reading = {store, txn};
	uint64_t count = 0;
	int code = store_count(store, txn, &count, err);

	if (code == 0)
		code = load_checkpoint(check, &reading, count, key, err);
	while (code == 0 && check->tree.size < count)
		code = check_one(check, &reading, err);
	return code;
}
