/* SPDX-License-Identifier: Apache-2.0 */

/* Every way of tampering that a person with the files could think of, made through LMDB. */

#include "ledger/ledger.h"

#include <openssl/evp.h>

#include "ledger/fixture.h"
#include "ledger/note.h"
#include "ledger/record.h"
#include "ledger/store.h"

/* ---- tampering -------------------------------------------------------------------------- */

struct tamper {
	struct store store;
	MDB_txn *txn;
};

static struct tamper
tamper_begin(struct fixture *f)
{
	struct tamper t;
	struct cairn_error err = {0};

	assert_ok(store_open_writer(&t.store, f->path, 256u << 20, &err), &err);
	assert_int_equal(mdb_env_set_flags(t.store.env, MDB_NOSYNC, 1), 0);
	assert_int_equal(mdb_txn_begin(t.store.env, NULL, 0, &t.txn), 0);
	return t;
}

static void
tamper_end(struct tamper *t)
{
	assert_int_equal(mdb_txn_commit(t->txn), 0);
	store_close(&t->store);
}

/* A copy of a row's value. */
static struct buf
row_get(struct tamper *t, MDB_dbi dbi, uint64_t number)
{
	uint8_t bytes[ENV_KEY_BYTES];
	MDB_val key = {sizeof bytes, bytes}, value;
	struct buf copy = {.max = 1u << 20};

	env_key_put(bytes, number);
	assert_int_equal(mdb_get(t->txn, dbi, &key, &value), 0);
	assert_int_equal(buf_append(&copy, value.mv_data, value.mv_size), 0);
	return copy;
}

static void
row_put(struct tamper *t, MDB_dbi dbi, uint64_t number, const struct buf *row)
{
	uint8_t bytes[ENV_KEY_BYTES];
	MDB_val key = {sizeof bytes, bytes}, value = {row->length, row->data};

	env_key_put(bytes, number);
	assert_int_equal(mdb_put(t->txn, dbi, &key, &value, 0), 0);
}

static void
row_delete(struct tamper *t, MDB_dbi dbi, uint64_t number)
{
	uint8_t bytes[ENV_KEY_BYTES];
	MDB_val key = {sizeof bytes, bytes};

	env_key_put(bytes, number);
	assert_int_equal(mdb_del(t->txn, dbi, &key, NULL), 0);
}

enum table { RECORDS, HASHES, CHECKPOINTS };

static MDB_dbi
dbi_of(const struct tamper *t, enum table table)
{
	return table == RECORDS ? t->store.records
	    : table == HASHES ? t->store.hashes : t->store.checkpoints;
}

static void
flip(struct fixture *f, enum table table, uint64_t number, size_t bit)
{
	struct tamper t = tamper_begin(f);
	struct buf row = row_get(&t, dbi_of(&t, table), number);

	assert_true(bit / 8 < row.length);
	row.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	row_put(&t, dbi_of(&t, table), number, &row);
	buf_fini(&row);
	tamper_end(&t);
}

static size_t
row_bits(struct fixture *f, enum table table, uint64_t number)
{
	struct tamper t = tamper_begin(f);
	struct buf row = row_get(&t, dbi_of(&t, table), number);
	size_t bits = row.length * 8;

	buf_fini(&row);
	tamper_end(&t);
	return bits;
}

/* ---- expectations ----------------------------------------------------------------------- */

static int
verify(struct fixture *f, struct ledger_report *ret, struct cairn_error *err)
{
	*ret = (struct ledger_report){0};
	*err = (struct cairn_error){0};
	return ledger_verify(f->path, f->key, ret, NULL, NULL, err);
}

static void
expect_found(struct fixture *f, uint64_t record, const char *words)
{
	struct ledger_report report;
	struct cairn_error err;
	char name[64];

	if (verify(f, &report, &err) != CAIRN_ECORRUPT)
		fail_msg("not found: expected record %llu, %s", (unsigned long long)record, words);
	snprintf(name, sizeof name, "record %llu", (unsigned long long)record);
	if (report.bad_record != record || strstr(err.text, name) == NULL ||
	    strstr(err.text, words) == NULL)
		fail_msg("record %llu expected (%s), got %llu: %s", (unsigned long long)record, words,
		    (unsigned long long)report.bad_record, err.text);
}

static void
expect_good(struct fixture *f, uint64_t records)
{
	struct ledger_report report;
	struct cairn_error err;

	assert_ok(verify(f, &report, &err), &err);
	assert_int_equal(report.records, records);
	assert_int_equal(report.bad_record, UINT64_MAX);
}

/* ---- one bit ---------------------------------------------------------------------------- */

static void
verify_names_the_record_for_every_flipped_bit(void **state)
{
	struct fixture *f = *state;

	fixture_fill(f, 3, 2);
	for (uint64_t record = 0; record < 3; record++) {
		size_t bits = row_bits(f, RECORDS, record);

		for (size_t bit = 0; bit < bits; bit++) {
			flip(f, RECORDS, record, bit);
			expect_found(f, record, "its bytes do not fit");
			flip(f, RECORDS, record, bit);
		}
	}
	expect_good(f, 3);
}

/* A fixed sequence, so that a failure can be repeated. */
static uint64_t
next_random(uint64_t *seed)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return *seed >> 33;
}

static void
verify_names_the_record_for_random_bits_in_a_larger_ledger(void **state)
{
	struct fixture *f = *state;
	uint64_t seed = 7;

	f->options.checkpoint_every = 100;
	fixture_fill(f, 2000, 130);
	for (unsigned i = 0; i < 100; i++) {
		uint64_t record = next_random(&seed) % 2000;
		size_t bit = next_random(&seed) % row_bits(f, RECORDS, record);

		flip(f, RECORDS, record, bit);
		expect_found(f, record, "its bytes do not fit");
		flip(f, RECORDS, record, bit);
	}
	expect_good(f, 2000);
}

static void
verify_finds_every_flipped_bit_of_a_stored_hash(void **state)
{
	struct fixture *f = *state;

	fixture_fill(f, 8, 8);
	for (uint64_t record = 0; record < 8; record++) {
		size_t bits = row_bits(f, HASHES, record);

		for (size_t bit = 0; bit < bits; bit += 3) {
			flip(f, HASHES, record, bit);
			expect_found(f, record, "stored hash");
			flip(f, HASHES, record, bit);
		}
	}
	expect_good(f, 8);
}

static void
verify_finds_every_flipped_bit_of_a_checkpoint(void **state)
{
	struct fixture *f = *state;
	struct ledger_report report;
	struct cairn_error err;
	size_t bits;

	fixture_fill(f, 5, 5);
	bits = row_bits(f, CHECKPOINTS, 5);
	for (size_t bit = 0; bit < bits; bit++) {
		flip(f, CHECKPOINTS, 5, bit);
		assert_int_equal(verify(f, &report, &err), CAIRN_ECORRUPT);
		assert_non_null(strstr(err.text, "checkpoint of 5 records"));
		flip(f, CHECKPOINTS, 5, bit);
	}
	expect_good(f, 5);
}

static void
opening_refuses_a_flipped_bit_in_the_last_checkpoint(void **state)
{
	struct fixture *f = *state;
	struct cairn_error err = {0};

	fixture_fill(f, 5, 5);
	flip(f, CHECKPOINTS, 5, 100);
	assert_int_equal(ledger_open(&f->ledger, &f->loop, &f->options, &err), CAIRN_ECORRUPT);
	assert_non_null(strstr(err.text, "cairn ledger verify"));
}

/* ---- whole records ---------------------------------------------------------------------- */

static void
verify_finds_swapped_records(void **state)
{
	struct fixture *f = *state;
	struct tamper t;
	struct buf one, two;

	fixture_fill(f, 10, 10);
	t = tamper_begin(f);
	for (enum table table = RECORDS; table <= HASHES; table++) {
		/* 4 and 6 are even, so that their rows of hashes have the same length. */
		one = row_get(&t, dbi_of(&t, table), 4);
		two = row_get(&t, dbi_of(&t, table), 6);
		row_put(&t, dbi_of(&t, table), 4, &two);
		row_put(&t, dbi_of(&t, table), 6, &one);
		buf_fini(&one);
		buf_fini(&two);
	}
	tamper_end(&t);
	expect_found(f, 4, "it says that it is record 6");
}

static void
verify_finds_a_removed_record(void **state)
{
	struct fixture *f = *state;
	struct tamper t;

	fixture_fill(f, 10, 10);
	t = tamper_begin(f);
	row_delete(&t, t.store.records, 4);
	row_delete(&t, t.store.hashes, 4);
	tamper_end(&t);
	expect_found(f, 4, "it is missing");
}

static void
verify_finds_a_removed_record_whose_followers_moved_up(void **state)
{
	struct fixture *f = *state;
	struct tamper t;

	fixture_fill(f, 10, 10);
	t = tamper_begin(f);
	for (uint64_t i = 4; i < 9; i++) {
		struct buf next = row_get(&t, t.store.records, i + 1);

		row_put(&t, t.store.records, i, &next);
		buf_fini(&next);
	}
	row_delete(&t, t.store.records, 9);
	row_delete(&t, t.store.hashes, 9);
	tamper_end(&t);
	expect_found(f, 4, "its bytes do not fit");
}

static void
verify_finds_a_duplicated_record(void **state)
{
	struct fixture *f = *state;
	struct tamper t;
	struct buf copy;

	fixture_fill(f, 10, 10);
	t = tamper_begin(f);
	for (enum table table = RECORDS; table <= HASHES; table++) {
		copy = row_get(&t, dbi_of(&t, table), 8);
		row_put(&t, dbi_of(&t, table), 10, &copy);
		buf_fini(&copy);
	}
	tamper_end(&t);
	expect_found(f, 10, "it says that it is record 8");
}

static void
verify_finds_a_cut_off_end(void **state)
{
	struct fixture *f = *state;
	struct cairn_error err = {0};
	struct tamper t;

	fixture_fill(f, 10, 10);
	t = tamper_begin(f);
	for (uint64_t i = 7; i < 10; i++) {
		row_delete(&t, t.store.records, i);
		row_delete(&t, t.store.hashes, i);
	}
	tamper_end(&t);
	expect_found(f, 7, "a checkpoint covers 10 records");
	assert_int_equal(ledger_open(&f->ledger, &f->loop, &f->options, &err), CAIRN_ECORRUPT);
	assert_non_null(strstr(err.text, "its end is gone"));
}

static void
verify_finds_an_end_whose_hashes_remain(void **state)
{
	struct fixture *f = *state;
	struct tamper t;

	fixture_fill(f, 10, 10);
	t = tamper_begin(f);
	row_delete(&t, t.store.records, 9);
	row_delete(&t, t.store.checkpoints, 10);
	tamper_end(&t);
	expect_found(f, 9, "its hashes are still there");
}

static void
verify_finds_a_row_of_hashes_that_is_cut(void **state)
{
	struct fixture *f = *state;
	struct tamper t;
	struct buf row;

	fixture_fill(f, 10, 10);
	t = tamper_begin(f);
	row = row_get(&t, t.store.hashes, 7);
	row.length -= MERKLE_HASH;
	row_put(&t, t.store.hashes, 7, &row);
	buf_fini(&row);
	tamper_end(&t);
	expect_found(f, 7, "stored hashes are cut");
}

static void
verify_finds_a_checkpoint_in_the_wrong_place(void **state)
{
	struct fixture *f = *state;
	struct ledger_report report;
	struct cairn_error err;
	struct tamper t;
	struct buf note;

	fixture_fill(f, 10, 10);
	t = tamper_begin(f);
	note = row_get(&t, t.store.checkpoints, 10);
	row_put(&t, t.store.checkpoints, 6, &note);
	buf_fini(&note);
	tamper_end(&t);
	assert_int_equal(verify(f, &report, &err), CAIRN_ECORRUPT);
	assert_non_null(strstr(err.text, "speaks of 10 records and lies among those of 6"));
}

/* ---- somebody who knows how ------------------------------------------------------------- */

/* Writes record `index` anew with another reason (NULL keeps it) behind `previous`. */
static struct buf
rewrite(struct tamper *t, uint64_t index, const char *reason, const uint8_t *previous)
{
	struct buf old = row_get(t, t->store.records, index), fresh = {.max = 1u << 20};
	Cairn__Record *record = NULL;
	char *kept;

	assert_int_equal(record_unpack(old.data, old.length, &record, NULL), 0);
	kept = record->reason;
	if (reason != NULL)
		record->reason = (char *)(uintptr_t)reason;
	if (previous != NULL)
		memcpy(record->previous.data, previous, MERKLE_HASH);
	assert_int_equal(buf_append_zero(&fresh, cairn__record__get_packed_size(record)), 0);
	cairn__record__pack(record, fresh.data);
	record->reason = kept;
	cairn__record__free_unpacked(record, NULL);
	buf_fini(&old);
	return fresh;
}

/* Changes one record's reason and recomputes chain, leaves and tree from there to the end: all that
 * can be done without the node's key. */
static void
forge(struct fixture *f, uint64_t from, uint64_t count)
{
	struct tamper t = tamper_begin(f);
	struct store_reading reading = {&t.store, t.txn};
	struct merkle_source source = store_source(&reading);
	struct hasher hasher;
	struct merkle tree;
	uint8_t leaf[MERKLE_HASH], completed[MERKLE_LEVELS][MERKLE_HASH];

	assert_int_equal(hasher_init(&hasher), 0);
	assert_int_equal(merkle_load(&tree, &source, from, NULL), 0);
	for (uint64_t i = from; i < count; i++) {
		struct buf record = rewrite(&t, i, i == from ? "forged" : NULL, i == from ? NULL : leaf);
		struct buf hashes = {.max = 1u << 16};
		unsigned levels;

		hasher_leaf(&hasher, record.data, record.length, leaf);
		levels = merkle_push(&tree, &hasher, leaf, completed);
		assert_int_equal(buf_append(&hashes, completed, levels * (size_t)MERKLE_HASH), 0);
		row_put(&t, t.store.records, i, &record);
		row_put(&t, t.store.hashes, i, &hashes);
		buf_fini(&record);
		buf_fini(&hashes);
	}
	hasher_fini(&hasher);
	tamper_end(&t);
}

static void
verify_finds_a_forged_record_by_the_next_checkpoint(void **state)
{
	struct fixture *f = *state;
	struct cairn_error err = {0};

	f->options.checkpoint_every = 5;
	fixture_fill(f, 20, 5);
	forge(f, 12, 20);
	/* The checkpoint of 10 is good, that of 15 is not: record 10 is the first in doubt. */
	expect_found(f, 10, "checkpoint of 15 records");
	assert_int_equal(ledger_open(&f->ledger, &f->loop, &f->options, &err), CAIRN_ECORRUPT);
	assert_non_null(strstr(err.text, "rewritten after the checkpoint"));
}

static void
verify_finds_a_forged_record_under_a_forged_checkpoint(void **state)
{
	struct fixture *f = *state;
	EVP_PKEY *forger = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	BUF_AUTO note = {.max = NOTE_MAX};
	uint8_t root[32];
	struct ledger_reader *reader = NULL;
	struct cairn_error err = {0};
	struct tamper t;

	fixture_fill(f, 20, 20);
	forge(f, 12, 20);
	assert_ok(ledger_reader_open(&reader, f->path, &err), &err);
	assert_ok(ledger_reader_root(reader, 20, root, &err), &err);
	ledger_reader_close(reader);
	assert_ok(note_sign(&note, f->options.origin, 20, root, forger, &err), &err);
	t = tamper_begin(f);
	row_put(&t, t.store.checkpoints, 20, &note);
	tamper_end(&t);
	expect_found(f, 0, "not signed by this node's key");
	EVP_PKEY_free(forger);
}

/* The stated limit: behind the last checkpoint the chain protects against accidents only, and the
 * report says how many records that are. */
static void
records_behind_the_last_checkpoint_are_reported_as_unsigned(void **state)
{
	struct fixture *f = *state;
	struct ledger_report report;
	struct cairn_error err;
	struct tamper t;

	f->options.checkpoint_every = 5;
	fixture_fill(f, 18, 5);
	t = tamper_begin(f);
	row_delete(&t, t.store.checkpoints, 18);
	tamper_end(&t);
	assert_ok(verify(f, &report, &err), &err);
	assert_int_equal(report.unsigned_records, 3);
	flip(f, RECORDS, 16, 200);
	expect_found(f, 16, "its bytes do not fit");
	assert_int_equal(ledger_open(&f->ledger, &f->loop, &f->options, &err), CAIRN_ECORRUPT);
	assert_non_null(strstr(err.text, "record 16"));
}

/* ---- proofs and progress ---------------------------------------------------------------- */

static void
a_proof_leads_from_a_record_to_a_signed_checkpoint(void **state)
{
	struct fixture *f = *state;
	struct ledger_reader *reader = NULL;
	struct merkle_proof proof;
	struct cairn_error err = {0};
	char *note = NULL;
	uint64_t size = 0;
	uint8_t root[32];

	fixture_fill(f, 77, 10);
	assert_ok(ledger_reader_open(&reader, f->path, &err), &err);
	assert_ok(ledger_reader_checkpoint(reader, &note, &err), &err);
	assert_ok(ledger_checkpoint_verify(note, f->key, &size, root, &err), &err);
	assert_int_equal(size, 77);
	for (uint64_t index = 0; index < 77; index++) {
		BUF_AUTO bytes = {.max = RECORD_MAX};

		assert_ok(ledger_reader_bytes(reader, index, &bytes, &err), &err);
		assert_ok(ledger_reader_proof(reader, index, size, &proof, &err), &err);
		assert_int_equal(ledger_proof_verify(&proof, bytes.data, bytes.length, root), 0);
		bytes.data[bytes.length - 1] ^= 1;
		assert_int_equal(ledger_proof_verify(&proof, bytes.data, bytes.length, root),
		    CAIRN_ECORRUPT);
	}
	assert_int_equal(ledger_reader_proof(reader, 77, 77, &proof, &err), CAIRN_EINVAL);
	assert_int_equal(ledger_reader_proof(reader, 5, 78, &proof, &err), CAIRN_EINVAL);
	free(note);
	ledger_reader_close(reader);
}

static void
count_progress(void *arg, uint64_t done, uint64_t total)
{
	unsigned *calls = arg;

	assert_true(done <= total);
	(*calls)++;
}

static void
verify_reports_its_progress(void **state)
{
	struct fixture *f = *state;
	struct ledger_report report;
	struct cairn_error err = {0};
	unsigned calls = 0;

	fixture_fill(f, 9000, 3000);
	assert_ok(ledger_verify(f->path, f->key, &report, count_progress, &calls, &err), &err);
	assert_int_equal(calls, 3);
}

static void
an_empty_ledger_is_good(void **state)
{
	struct fixture *f = *state;

	fixture_fill(f, 0, 1);
	expect_good(f, 0);
}

static void
verify_says_when_there_is_no_ledger(void **state)
{
	struct fixture *f = *state;
	struct ledger_report report;
	struct cairn_error err;

	assert_int_equal(verify(f, &report, &err), CAIRN_ENOTFOUND);
	assert_non_null(strstr(err.text, f->path));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(verify_names_the_record_for_every_flipped_bit),
	    TEST(verify_names_the_record_for_random_bits_in_a_larger_ledger),
	    TEST(verify_finds_every_flipped_bit_of_a_stored_hash),
	    TEST(verify_finds_every_flipped_bit_of_a_checkpoint),
	    TEST(opening_refuses_a_flipped_bit_in_the_last_checkpoint),
	    TEST(verify_finds_swapped_records),
	    TEST(verify_finds_a_removed_record),
	    TEST(verify_finds_a_removed_record_whose_followers_moved_up),
	    TEST(verify_finds_a_duplicated_record),
	    TEST(verify_finds_a_cut_off_end),
	    TEST(verify_finds_an_end_whose_hashes_remain),
	    TEST(verify_finds_a_row_of_hashes_that_is_cut),
	    TEST(verify_finds_a_checkpoint_in_the_wrong_place),
	    TEST(verify_finds_a_forged_record_by_the_next_checkpoint),
	    TEST(verify_finds_a_forged_record_under_a_forged_checkpoint),
	    TEST(records_behind_the_last_checkpoint_are_reported_as_unsigned),
	    TEST(a_proof_leads_from_a_record_to_a_signed_checkpoint),
	    TEST(verify_reports_its_progress),
	    TEST(an_empty_ledger_is_good),
	    TEST(verify_says_when_there_is_no_ledger),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
