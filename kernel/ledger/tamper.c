/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger/tamper.h"

struct tamper
tamper_begin(struct fixture *f)
{
	struct tamper t;
	struct cairn_error err = {0};

	assert_ok(store_open_writer(&t.store, f->path, 256u << 20, &err), &err);
	assert_int_equal(mdb_env_set_flags(t.store.env, MDB_NOSYNC, 1), 0);
	assert_int_equal(mdb_txn_begin(t.store.env, NULL, 0, &t.txn), 0);
	return t;
}

void
tamper_end(struct tamper *t)
{
	assert_int_equal(mdb_txn_commit(t->txn), 0);
	store_close(&t->store);
}

struct buf
tamper_get(struct tamper *t, MDB_dbi dbi, uint64_t number)
{
	uint8_t bytes[ENV_KEY_BYTES];
	MDB_val key = {sizeof bytes, bytes}, value;
	struct buf copy = {.max = 1u << 20};

	env_key_put(bytes, number);
	assert_int_equal(mdb_get(t->txn, dbi, &key, &value), 0);
	assert_int_equal(buf_append(&copy, value.mv_data, value.mv_size), 0);
	return copy;
}

void
tamper_put(struct tamper *t, MDB_dbi dbi, uint64_t number, const struct buf *row)
{
	uint8_t bytes[ENV_KEY_BYTES];
	MDB_val key = {sizeof bytes, bytes}, value = {row->length, row->data};

	env_key_put(bytes, number);
	assert_int_equal(mdb_put(t->txn, dbi, &key, &value, 0), 0);
}

void
tamper_delete(struct tamper *t, MDB_dbi dbi, uint64_t number)
{
	uint8_t bytes[ENV_KEY_BYTES];
	MDB_val key = {sizeof bytes, bytes};

	env_key_put(bytes, number);
	assert_int_equal(mdb_del(t->txn, dbi, &key, NULL), 0);
}

MDB_dbi
tamper_dbi(const struct tamper *t, enum table table)
{
	return table == RECORDS ? t->store.records
	    : table == HASHES   ? t->store.hashes
				: t->store.checkpoints;
}

void
tamper_flip(struct fixture *f, enum table table, uint64_t number, size_t bit)
{
	struct tamper t = tamper_begin(f);
	struct buf row = tamper_get(&t, tamper_dbi(&t, table), number);

	assert_true(bit / 8 < row.length);
	row.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	tamper_put(&t, tamper_dbi(&t, table), number, &row);
	buf_fini(&row);
	tamper_end(&t);
}

size_t
tamper_bits(struct fixture *f, enum table table, uint64_t number)
{
	struct tamper t = tamper_begin(f);
	struct buf row = tamper_get(&t, tamper_dbi(&t, table), number);
	size_t bits = row.length * 8;

	buf_fini(&row);
	tamper_end(&t);
	return bits;
}

int
tamper_verify(struct fixture *f, struct ledger_report *ret, struct cairn_error *err)
{
	*ret = (struct ledger_report){0};
	*err = (struct cairn_error){0};
	return ledger_verify(f->path, f->key, ret, NULL, NULL, err);
}

void
tamper_expect_found(struct fixture *f, uint64_t record, const char *words)
{
	struct ledger_report report;
	struct cairn_error err;
	char name[64];

	if (tamper_verify(f, &report, &err) != CAIRN_ECORRUPT)
		fail_msg("not found: expected record %llu, %s", (unsigned long long)record, words);
	snprintf(name, sizeof name, "record %llu", (unsigned long long)record);
	if (report.bad_record != record || strstr(err.text, name) == NULL ||
	    strstr(err.text, words) == NULL)
		fail_msg("record %llu expected (%s), got %llu: %s", (unsigned long long)record,
		    words, (unsigned long long)report.bad_record, err.text);
}

void
tamper_expect_good(struct fixture *f, uint64_t records)
{
	struct ledger_report report;
	struct cairn_error err;

	assert_ok(tamper_verify(f, &report, &err), &err);
	assert_int_equal(report.records, records);
	assert_int_equal(report.bad_record, UINT64_MAX);
}
