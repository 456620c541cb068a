/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger/store.h"

#include <string.h>

#include "base/file.h"

#define FORMAT "1"

static MDB_val
val(const void *bytes, size_t length)
{
	return (MDB_val){length, (void *)(uintptr_t)bytes};
}

/* A new environment gets its format; an old one must have ours. */
static int
check_format(MDB_txn *txn, MDB_dbi meta, bool writer, struct cairn_error *err)
{
	MDB_val key = val("format", 6), value = val(FORMAT, 1);
	int rc = mdb_get(txn, meta, &key, &value);

	if (rc == MDB_NOTFOUND && writer) {
		value = val(FORMAT, 1);
		rc = mdb_put(txn, meta, &key, &value, 0);
	}
	if (rc != 0)
		return env_error(rc, "the format of the ledger", err);
	if (value.mv_size != 1 || memcmp(value.mv_data, FORMAT, 1) != 0)
		return cairn_error_set(err, CAIRN_EUNSUPPORTED,
		    "the ledger has a format that this version does not know");
	return 0;
}

static int
open_databases(struct store *store, bool writer, struct cairn_error *err)
{
	unsigned flags = writer ? MDB_CREATE : 0;
	MDB_txn *txn;
	MDB_dbi meta;
	int rc = mdb_txn_begin(store->env, NULL, writer ? 0 : MDB_RDONLY, &txn), code;

	if (rc != 0)
		return env_error(rc, "the ledger's tables", err);
	rc = mdb_dbi_open(txn, "records", flags, &store->records);
	if (rc == 0)
		rc = mdb_dbi_open(txn, "hashes", flags, &store->hashes);
	if (rc == 0)
		rc = mdb_dbi_open(txn, "checkpoints", flags, &store->checkpoints);
	if (rc == 0)
		rc = mdb_dbi_open(txn, "meta", flags, &meta);
	code = rc != 0 ? env_error(rc, "the ledger's tables", err)
		       : check_format(txn, meta, writer, err);
	if (code != 0) {
		mdb_txn_abort(txn);
		return code;
	}
	rc = mdb_txn_commit(txn); /* keeps the handles, of a read transaction too */
	return rc == 0 ? 0 : env_error(rc, "the ledger's tables", err);
}

static int
finish_open(struct store *ret, struct store *store, bool writer, struct cairn_error *err)
{
	int code = open_databases(store, writer, err);

	if (code != 0) {
		store_close(store);
		return code;
	}
	*ret = *store;
	return 0;
}

int
store_open_writer(struct store *ret, const char *dir, size_t map_size, struct cairn_error *err)
{
	struct store store = {.lock_fd = -1};
	int code = env_open_writer(&store.env, &store.lock_fd, dir, map_size, err);

	return code != 0 ? code : finish_open(ret, &store, true, err);
}

int
store_open_reader(struct store *ret, const char *dir, struct cairn_error *err)
{
	struct store store = {.lock_fd = -1};
	int code = env_open_reader(&store.env, dir, err);

	return code != 0 ? code : finish_open(ret, &store, false, err);
}

void
store_close(struct store *store)
{
	if (store->env != NULL)
		mdb_env_close(store->env);
	file_close(&store->lock_fd);
	*store = (struct store){.lock_fd = -1};
}

/* The first or last key; CAIRN_ENOTFOUND in an empty table. */
static int
edge(MDB_txn *txn, MDB_dbi dbi, MDB_cursor_op op, uint64_t *ret_key, MDB_val *ret_value)
{
	MDB_cursor *cursor;
	MDB_val key;
	int rc = mdb_cursor_open(txn, dbi, &cursor);

	if (rc != 0)
		return rc;
	rc = mdb_cursor_get(cursor, &key, ret_value, op);
	mdb_cursor_close(cursor);
	if (rc == 0 && !env_key_get(&key, ret_key))
		rc = MDB_CORRUPTED;
	return rc;
}

static int
edges_fit(MDB_txn *txn, MDB_dbi dbi, uint64_t count)
{
	uint64_t first = 0, last = 0;
	MDB_val value;
	int rc = count == 0 ? 0 : edge(txn, dbi, MDB_FIRST, &first, &value);

	if (rc == 0 && count > 0)
		rc = edge(txn, dbi, MDB_LAST, &last, &value);
	return rc != 0 ? rc : (count > 0 && (first != 0 || last != count - 1) ? MDB_CORRUPTED : 0);
}

int
store_count(const struct store *store, MDB_txn *txn, uint64_t *ret, struct cairn_error *err)
{
	MDB_stat records, hashes;
	int rc = mdb_stat(txn, store->records, &records);

	if (rc == 0)
		rc = mdb_stat(txn, store->hashes, &hashes);
	if (rc == 0 && records.ms_entries != hashes.ms_entries)
		return cairn_error_set(err, CAIRN_ECORRUPT,
		    "the ledger holds %zu records but hashes for %zu: records are missing or added",
		    records.ms_entries, hashes.ms_entries);
	if (rc == 0)
		rc = edges_fit(txn, store->records, records.ms_entries);
	if (rc == 0)
		rc = edges_fit(txn, store->hashes, hashes.ms_entries);
	if (rc == MDB_CORRUPTED)
		return cairn_error_set(err, CAIRN_ECORRUPT,
		    "the ledger's records are not numbered 0 to %zu: some are missing",
		    records.ms_entries - 1);
	if (rc != 0)
		return env_error(rc, "the ledger's records", err);
	*ret = records.ms_entries;
	return 0;
}

static int
get(MDB_txn *txn, MDB_dbi dbi, uint64_t index, MDB_val *ret)
{
	uint8_t bytes[ENV_KEY_BYTES];
	MDB_val key = {sizeof bytes, bytes};

	env_key_put(bytes, index);
	return mdb_get(txn, dbi, &key, ret);
}

int
store_record(
    const struct store *store, MDB_txn *txn, uint64_t index, MDB_val *ret, struct cairn_error *err)
{
	int rc = get(txn, store->records, index, ret);

	if (rc == MDB_NOTFOUND)
		return cairn_error_set(
		    err, CAIRN_ENOTFOUND, "there is no record %llu", (unsigned long long)index);
	return rc == 0 ? 0 : env_error(rc, "the ledger's records", err);
}

int
store_hashes(
    const struct store *store, MDB_txn *txn, uint64_t index, MDB_val *ret, struct cairn_error *err)
{
	int rc = get(txn, store->hashes, index, ret);

	if (rc == MDB_NOTFOUND)
		return cairn_error_set(err, CAIRN_ENOTFOUND, "there are no hashes of record %llu",
		    (unsigned long long)index);
	return rc == 0 ? 0 : env_error(rc, "the ledger's hashes", err);
}

int
store_last_checkpoint(const struct store *store, MDB_txn *txn, uint64_t *ret_size, MDB_val *ret,
    struct cairn_error *err)
{
	uint64_t size = 0;
	int rc = edge(txn, store->checkpoints, MDB_LAST, &size, ret);

	if (rc == MDB_NOTFOUND)
		return cairn_error_set(err, CAIRN_ENOTFOUND, "the ledger has no checkpoint yet");
	if (rc != 0)
		return env_error(rc, "the ledger's checkpoints", err);
	*ret_size = size;
	return 0;
}

static int
read_node(
    void *arg, unsigned level, uint64_t index, uint8_t ret[MERKLE_HASH], struct cairn_error *err)
{
	const struct store_reading *reading = arg;
	uint64_t leaf = ((index + 1) << level) - 1;
	MDB_val value;
	int code = store_hashes(reading->store, reading->txn, leaf, &value, err);

	if (code != 0 && code != CAIRN_ENOTFOUND)
		return code;
	if (code != 0 || value.mv_size != merkle_completed(leaf) * (size_t)MERKLE_HASH)
		return cairn_error_set(err, CAIRN_ECORRUPT,
		    "the stored hashes of record %llu are missing or cut",
		    (unsigned long long)leaf);
	memcpy(ret, (const uint8_t *)value.mv_data + (size_t)level * MERKLE_HASH, MERKLE_HASH);
	return 0;
}

struct merkle_source
store_source(struct store_reading *reading)
{
	return (struct merkle_source){read_node, reading};
}
