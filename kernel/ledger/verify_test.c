/* SPDX-License-Identifier: Apache-2.0 */

/* Every way of tampering with rows that a person with the files could think of. */

#include "ledger/ledger.h"

#include "ledger/tamper.h"

/* ---- one bit ---------------------------------------------------------------------------- */

static void
verify_names_the_record_for_every_flipped_bit(void **state)
{
	struct fixture *f = *state;

	fixture_fill(f, 3, 2);
	for (uint64_t record = 0; record < 3; record++) {
		size_t bits = tamper_bits(f, RECORDS, record);

		for (size_t bit = 0; bit < bits; bit++) {
			tamper_flip(f, RECORDS, record, bit);
			tamper_expect_found(f, record, "its bytes do not fit");
			tamper_flip(f, RECORDS, record, bit);
		}
	}
	tamper_expect_good(f, 3);
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
		size_t bit = next_random(&seed) % tamper_bits(f, RECORDS, record);

		tamper_flip(f, RECORDS, record, bit);
		tamper_expect_found(f, record, "its bytes do not fit");
		tamper_flip(f, RECORDS, record, bit);
	}
	tamper_expect_good(f, 2000);
}

static void
verify_finds_every_flipped_bit_of_a_stored_hash(void **state)
{
	struct fixture *f = *state;

	fixture_fill(f, 8, 8);
	for (uint64_t record = 0; record < 8; record++) {
		size_t bits = tamper_bits(f, HASHES, record);

		for (size_t bit = 0; bit < bits; bit += 3) {
			tamper_flip(f, HASHES, record, bit);
			tamper_expect_found(f, record, "stored hash");
			tamper_flip(f, HASHES, record, bit);
		}
	}
	tamper_expect_good(f, 8);
}

static void
verify_finds_every_flipped_bit_of_a_checkpoint(void **state)
{
	struct fixture *f = *state;
	struct ledger_report report;
	struct cairn_error err;
	size_t bits;

	fixture_fill(f, 5, 5);
	bits = tamper_bits(f, CHECKPOINTS, 5);
	for (size_t bit = 0; bit < bits; bit++) {
		tamper_flip(f, CHECKPOINTS, 5, bit);
		assert_int_equal(tamper_verify(f, &report, &err), CAIRN_ECORRUPT);
		assert_non_null(strstr(err.text, "checkpoint of 5 records"));
		tamper_flip(f, CHECKPOINTS, 5, bit);
	}
	tamper_expect_good(f, 5);
}

static void
opening_refuses_a_flipped_bit_in_the_last_checkpoint(void **state)
{
	struct fixture *f = *state;
	struct cairn_error err = {0};

	fixture_fill(f, 5, 5);
	tamper_flip(f, CHECKPOINTS, 5, 100);
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
		one = tamper_get(&t, tamper_dbi(&t, table), 4);
		two = tamper_get(&t, tamper_dbi(&t, table), 6);
		tamper_put(&t, tamper_dbi(&t, table), 4, &two);
		tamper_put(&t, tamper_dbi(&t, table), 6, &one);
		buf_fini(&one);
		buf_fini(&two);
	}
	tamper_end(&t);
	tamper_expect_found(f, 4, "it says that it is record 6");
}

static void
verify_finds_a_removed_record(void **state)
{
	struct fixture *f = *state;
	struct tamper t;

	fixture_fill(f, 10, 10);
	t = tamper_begin(f);
	tamper_delete(&t, t.store.records, 4);
	tamper_delete(&t, t.store.hashes, 4);
	tamper_end(&t);
	tamper_expect_found(f, 4, "it is missing");
}

static void
verify_finds_a_removed_record_whose_followers_moved_up(void **state)
{
	struct fixture *f = *state;
	struct tamper t;

	fixture_fill(f, 10, 10);
	t = tamper_begin(f);
	for (uint64_t i = 4; i < 9; i++) {
		struct buf next = tamper_get(&t, t.store.records, i + 1);

		tamper_put(&t, t.store.records, i, &next);
		buf_fini(&next);
	}
	tamper_delete(&t, t.store.records, 9);
	tamper_delete(&t, t.store.hashes, 9);
	tamper_end(&t);
	tamper_expect_found(f, 4, "its bytes do not fit");
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
		copy = tamper_get(&t, tamper_dbi(&t, table), 8);
		tamper_put(&t, tamper_dbi(&t, table), 10, &copy);
		buf_fini(&copy);
	}
	tamper_end(&t);
	tamper_expect_found(f, 10, "it says that it is record 8");
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
		tamper_delete(&t, t.store.records, i);
		tamper_delete(&t, t.store.hashes, i);
	}
	tamper_end(&t);
	tamper_expect_found(f, 7, "a checkpoint covers 10 records");
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
	tamper_delete(&t, t.store.records, 9);
	tamper_delete(&t, t.store.checkpoints, 10);
	tamper_end(&t);
	tamper_expect_found(f, 9, "its hashes are still there");
}

static void
verify_finds_a_row_of_hashes_that_is_cut(void **state)
{
	struct fixture *f = *state;
	struct tamper t;
	struct buf row;

	fixture_fill(f, 10, 10);
	t = tamper_begin(f);
	row = tamper_get(&t, t.store.hashes, 7);
	row.length -= MERKLE_HASH;
	tamper_put(&t, t.store.hashes, 7, &row);
	buf_fini(&row);
	tamper_end(&t);
	tamper_expect_found(f, 7, "stored hashes are cut");
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
	note = tamper_get(&t, t.store.checkpoints, 10);
	tamper_put(&t, t.store.checkpoints, 6, &note);
	buf_fini(&note);
	tamper_end(&t);
	assert_int_equal(tamper_verify(f, &report, &err), CAIRN_ECORRUPT);
	assert_non_null(strstr(err.text, "speaks of 10 records and lies among those of 6"));
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
