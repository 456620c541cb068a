/* SPDX-License-Identifier: Apache-2.0 */

/* Somebody who recomputes every hash but has not the node's key; proofs against signed heads. */

#include "ledger/ledger.h"

#include <openssl/evp.h>

#include "ledger/note.h"
#include "ledger/record.h"
#include "ledger/tamper.h"

/* Writes record `index` anew with another reason (NULL keeps it) behind `previous`. */
static struct buf
rewrite(struct tamper *t, uint64_t index, const char *reason, const uint8_t *previous)
{
	struct buf old = tamper_get(t, t->store.records, index), fresh = {.max = 1u << 20};
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

/* Changes one record's reason and recomputes leaves and tree from there to the end, and the chain
 * if `chain`: all that can be done without the node's key. */
static void
forge(struct fixture *f, uint64_t from, uint64_t count, bool chain)
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
		struct buf record =
		    rewrite(&t, i, i == from ? "forged" : NULL, i == from || !chain ? NULL : leaf);
		struct buf hashes = {.max = 1u << 16};
		unsigned levels;

		hasher_leaf(&hasher, record.data, record.length, leaf);
		levels = merkle_push(&tree, &hasher, leaf, completed);
		assert_int_equal(buf_append(&hashes, completed, levels * (size_t)MERKLE_HASH), 0);
		tamper_put(&t, t.store.records, i, &record);
		tamper_put(&t, t.store.hashes, i, &hashes);
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
	forge(f, 12, 20, true);
	/* The checkpoint of 10 is good, that of 15 is not: record 10 is the first in doubt. */
	tamper_expect_found(f, 10, "checkpoint of 15 records");
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
	forge(f, 12, 20, true);
	assert_ok(ledger_reader_open(&reader, f->path, &err), &err);
	assert_ok(ledger_reader_root(reader, 20, root, &err), &err);
	ledger_reader_close(reader);
	assert_ok(note_sign(&note, f->options.origin, 20, root, forger, &err), &err);
	t = tamper_begin(f);
	tamper_put(&t, t.store.checkpoints, 20, &note);
	tamper_end(&t);
	tamper_expect_found(f, 0, "not signed by this node's key");
	EVP_PKEY_free(forger);
}

/* The signature is out of the way: only the chain can tell. */
static void
verify_finds_a_forged_record_that_the_next_one_does_not_follow(void **state)
{
	struct fixture *f = *state;
	struct tamper t;

	fixture_fill(f, 20, 20);
	forge(f, 12, 20, false);
	t = tamper_begin(f);
	tamper_delete(&t, t.store.checkpoints, 20);
	tamper_end(&t);
	tamper_expect_found(f, 13, "does not carry the hash of the record before");
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
	tamper_delete(&t, t.store.checkpoints, 18);
	tamper_end(&t);
	assert_ok(tamper_verify(f, &report, &err), &err);
	assert_int_equal(report.unsigned_records, 3);
	tamper_flip(f, RECORDS, 16, 200);
	tamper_expect_found(f, 16, "its bytes do not fit");
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
		assert_int_equal(
		    ledger_proof_verify(&proof, bytes.data, bytes.length, root), CAIRN_ECORRUPT);
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
	tamper_expect_good(f, 0);
}

static void
verify_says_when_there_is_no_ledger(void **state)
{
	struct fixture *f = *state;
	struct ledger_report report;
	struct cairn_error err;

	assert_int_equal(tamper_verify(f, &report, &err), CAIRN_ENOTFOUND);
	assert_non_null(strstr(err.text, f->path));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(verify_finds_a_forged_record_by_the_next_checkpoint),
	    TEST(verify_finds_a_forged_record_under_a_forged_checkpoint),
	    TEST(verify_finds_a_forged_record_that_the_next_one_does_not_follow),
	    TEST(records_behind_the_last_checkpoint_are_reported_as_unsigned),
	    TEST(a_proof_leads_from_a_record_to_a_signed_checkpoint),
	    TEST(verify_reports_its_progress),
	    TEST(an_empty_ledger_is_good),
	    TEST(verify_says_when_there_is_no_ledger),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
