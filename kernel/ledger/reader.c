/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger/ledger.h"

#include <stdlib.h>
#include <string.h>

#include "ledger/attach.h"
#include "ledger/record.h"
#include "ledger/store.h"

struct ledger_reader {
	struct store store;
	bool attached; /* the store is the ledger's */
	MDB_txn *txn;  /* reset between calls, so that it holds no old pages */
	struct hasher hasher;
};

static int
prepare(struct ledger_reader *reader, struct cairn_error *err)
{
	int rc = mdb_txn_begin(reader->store.env, NULL, MDB_RDONLY, &reader->txn);

	if (rc != 0)
		return env_error(rc, "reading the ledger", err);
	mdb_txn_reset(reader->txn);
	if (hasher_init(&reader->hasher) != 0)
		return cairn_error_set(err, CAIRN_EINTERNAL, "OpenSSL offers no SHA-256");
	return 0;
}

static int
reader_new(
    struct ledger_reader **ret, const char *dir, const struct store *store, struct cairn_error *err)
{
	struct ledger_reader *reader = calloc(1, sizeof *reader);
	int code = 0;

	if (reader == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "no memory for a ledger reader");
	reader->store.lock_fd = -1;
	reader->attached = store != NULL;
	if (store != NULL)
		reader->store = *store;
	else
		code = store_open_reader(&reader->store, dir, err);
	if (code == 0)
		code = prepare(reader, err);
	if (code != 0) {
		ledger_reader_close(reader);
		return code;
	}
	*ret = reader;
	return 0;
}

int
ledger_reader_open(struct ledger_reader **ret, const char *dir, struct cairn_error *err)
{
	return reader_new(ret, dir, NULL, err);
}

int
ledger_reader_attach(struct ledger_reader **ret, struct ledger *ledger, struct cairn_error *err)
{
	return reader_new(ret, NULL, ledger_store(ledger), err);
}

void
ledger_reader_close(struct ledger_reader *reader)
{
	if (reader == NULL)
		return;
	if (reader->txn != NULL)
		mdb_txn_abort(reader->txn);
	hasher_fini(&reader->hasher);
	if (!reader->attached)
		store_close(&reader->store);
	free(reader);
}

/* ---- one call, one snapshot ------------------------------------------------------------- */

static int
begin(struct ledger_reader *reader, struct cairn_error *err)
{
	int rc = mdb_txn_renew(reader->txn);

	return rc == 0 ? 0 : env_error(rc, "reading the ledger", err);
}

static void
end(struct ledger_reader *reader)
{
	mdb_txn_reset(reader->txn);
}

uint64_t
ledger_reader_count(struct ledger_reader *reader)
{
	uint64_t count = 0;

	if (begin(reader, NULL) != 0)
		return 0;
	store_count(&reader->store, reader->txn, &count, NULL);
	end(reader);
	return count;
}

int
ledger_reader_get(
    struct ledger_reader *reader, uint64_t index, Cairn__Record **ret, struct cairn_error *err)
{
	MDB_val value;
	int code = begin(reader, err);

	if (code != 0)
		return code;
	code = store_record(&reader->store, reader->txn, index, &value, err);
	if (code == 0 && record_unpack(value.mv_data, value.mv_size, ret, err) != 0)
		code = cairn_error_set(err, CAIRN_ECORRUPT,
		    "record %llu is damaged; run `cairn ledger verify`", (unsigned long long)index);
	end(reader);
	return code;
}

int
ledger_reader_bytes(
    struct ledger_reader *reader, uint64_t index, struct buf *ret, struct cairn_error *err)
{
	MDB_val value;
	int code = begin(reader, err);

	if (code != 0)
		return code;
	code = store_record(&reader->store, reader->txn, index, &value, err);
	if (code == 0 && buf_append(ret, value.mv_data, value.mv_size) != 0)
		code = cairn_error_set(err, CAIRN_ELIMIT, "record %llu does not fit the buffer",
		    (unsigned long long)index);
	end(reader);
	return code;
}

int
ledger_reader_checkpoint(struct ledger_reader *reader, char **ret_note, struct cairn_error *err)
{
	MDB_val value;
	uint64_t size = 0;
	char *note;
	int code = begin(reader, err);

	if (code != 0)
		return code;
	code = store_last_checkpoint(&reader->store, reader->txn, &size, &value, err);
	if (code == 0) {
		note = strndup(value.mv_data, value.mv_size);
		if (note == NULL)
			code = cairn_error_set(err, CAIRN_ENOMEM, "no memory for a checkpoint");
		else
			*ret_note = note;
	}
	end(reader);
	return code;
}

/* ---- proofs ----------------------------------------------------------------------------- */

static int
check_size(struct ledger_reader *reader, uint64_t size, struct cairn_error *err)
{
	uint64_t count = 0;
	int code = store_count(&reader->store, reader->txn, &count, err);

	if (code == 0 && size > count)
		code = cairn_error_set(err, CAIRN_EINVAL,
		    "a tree of %llu records, but the ledger holds %llu", (unsigned long long)size,
		    (unsigned long long)count);
	return code;
}

int
ledger_reader_proof(struct ledger_reader *reader, uint64_t index, uint64_t size,
    struct merkle_proof *ret, struct cairn_error *err)
{
	struct merkle_proof proof = {.index = index, .size = size};
	struct store_reading reading = {&reader->store, reader->txn};
	struct merkle_source source = store_source(&reading);
	int code;

	if (index >= size)
		return cairn_error_set(err, CAIRN_EINVAL, "record %llu is not in a tree of %llu",
		    (unsigned long long)index, (unsigned long long)size);
	code = begin(reader, err);
	if (code != 0)
		return code;
	code = check_size(reader, size, err);
	if (code == 0)
		code = merkle_path(&source, &reader->hasher, &proof, err);
	end(reader);
	if (code == 0 && reader->hasher.failed)
		code = cairn_error_set(err, CAIRN_EINTERNAL, "OpenSSL could not compute a SHA-256");
	if (code == 0)
		*ret = proof;
	return code;
}

int
ledger_reader_root(
    struct ledger_reader *reader, uint64_t size, uint8_t ret_root[32], struct cairn_error *err)
{
	struct store_reading reading = {&reader->store, reader->txn};
	struct merkle_source source = store_source(&reading);
	struct merkle tree;
	uint8_t root[MERKLE_HASH];
	int code = begin(reader, err);

	if (code != 0)
		return code;
	code = check_size(reader, size, err);
	if (code == 0)
		code = merkle_load(&tree, &source, size, err);
	end(reader);
	if (code != 0)
		return code;
	merkle_root(&tree, &reader->hasher, root);
	if (reader->hasher.failed)
		return cairn_error_set(err, CAIRN_EINTERNAL, "OpenSSL could not compute a SHA-256");
	memcpy(ret_root, root, sizeof root);
	return 0;
}
