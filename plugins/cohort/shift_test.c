/* SPDX-License-Identifier: Apache-2.0 */
/* Patients whose pseudonyms had their dates shifted by different numbers of days. */
#include "testing.h"

#include <stdlib.h>

#define BASE 18000 /* 2019-04-14 */
#define DAY_LAST 2932896
#define DIAGNOSIS_DATE 11

static struct index_applied
put_entry(struct fixture *f, unsigned patient, unsigned id, int day)
{
	struct statement s = {.patient = patient, .replaces = NOBODY, .record_count = 1};

	s.records[0].id = id;
	s.records[0].fact_count = 1;
	s.records[0].facts[0] =
	    (struct item_fact){.level = 4, .attribute = DIAGNOSIS_DATE, .number = day};
	return fixture_put_batch(f, batch_of_statement(&s));
}

static struct index_applied
put_image(struct fixture *f, unsigned patient, unsigned study, unsigned instance, int day)
{
	struct item item = {.path = {patient, study, 1, instance}, .fact_count = 1};

	item.facts[0] = (struct item_fact){.level = 1, .attribute = STUDY_DATE, .number = day};
	return fixture_put(f, &item, 1);
}

static struct index_applied
put_merge(struct fixture *f, unsigned patient, unsigned old, int days)
{
	struct statement merge = {.patient = patient, .replaces = old, .days = days};

	return fixture_put_batch(f, batch_of_statement(&merge));
}

static void
days_of_entries_move(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f);
	put_entry(&f, 1, 1, BASE);
	put_entry(&f, 2, 2, BASE);
	put_merge(&f, 2, 1, 10);
	assert_int_equal(count_text(&f, "*", 0), 1);
	assert_int_equal(count_text(&f, "diagnosis_date = 2019-04-24", 0), 1);
	assert_int_equal(count_text(&f, "diagnosis_date between 2019-04-20 and *", 0), 1);
	assert_int_equal(
	    count_text(&f, "at least 2 conditions (diagnosis_date = 2019-04-14)", 0), 0);
	assert_int_equal(count_text(&f,
			     "(diagnosis_date = 2019-04-24) within 10 days after "
			     "(diagnosis_date = 2019-04-14)",
			     0),
	    1);
	assert_int_equal(count_text(&f,
			     "(diagnosis_date = 2019-04-24) within 9 days of "
			     "(diagnosis_date = 2019-04-14)",
			     0),
	    0);
	fixture_close(&f);
}

static void
days_of_the_patient_itself_move(void **state)
{
	struct statement s = {.patient = 1, .replaces = NOBODY, .fact_count = 1};
	struct fixture f;

	(void)state;
	fixture_open(&f);
	s.facts[0] = (struct item_fact){.attribute = STUDY_DATE, .number = BASE};
	fixture_put_batch(&f, batch_of_statement(&s));
	put_merge(&f, 2, 1, -13);
	assert_int_equal(count_text(&f, "study_date = 2019-04-14", 0), 0);
	assert_int_equal(count_text(&f, "study_date = 2019-04-01", 0), 1);
	assert_int_equal(fixture_put_batch(&f, batch_of_statement(&s)).unchanged, 1);
	fixture_close(&f);
}

static void
days_of_images_move_and_study_days_follow(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f);
	put_image(&f, 1, 1, 1, BASE);
	put_image(&f, 2, 2, 2, BASE);
	put_merge(&f, 2, 1, 5);
	assert_int_equal(count_text(&f, "*", 0), 1);
	assert_int_equal(count_text(&f, "study_date = 2019-04-14", 1), 1);
	assert_int_equal(count_text(&f, "study_date = 2019-04-19", 1), 1);
	assert_int_equal(count_text(&f, "study_date = 2019-04-19", 3), 1);
	assert_int_equal(count_text(&f, "study_day = 0", 1), 1);
	assert_int_equal(count_text(&f, "study_day = 5", 1), 1);
	assert_int_equal(
	    count_text(&f, "(study_day = 5) within 5 days after (study_day = 0)", 1), 1);
	assert_int_equal(
	    count_text(&f, "(study_day = 5) within 4 days after (study_day = 0)", 1), 0);
	fixture_close(&f);
}

/* Of one instance two days, of which one becomes what the other one was. */
static void
days_that_instances_state_of_themselves_move(void **state)
{
	struct item item = {.path = {1, 1, 1, 1}, .fact_count = 2};
	struct fixture f;

	(void)state;
	fixture_open(&f);
	item.facts[0] = (struct item_fact){.level = 3, .attribute = STUDY_DATE, .number = BASE};
	item.facts[1] = (struct item_fact){.level = 3, .attribute = STUDY_DATE, .number = BASE + 5};
	fixture_put(&f, &item, 1);
	put_merge(&f, 2, 1, 5);
	for (unsigned level = 0; level < 4; level++) {
		assert_int_equal(count_text(&f, "study_date = 2019-04-14", level), 0);
		assert_int_equal(count_text(&f, "study_date = 2019-04-19", level), 1);
		assert_int_equal(count_text(&f, "study_date = 2019-04-24", level), 1);
	}
	assert_int_equal(fixture_put(&f, &item, 1).unchanged, 1);
	fixture_close(&f);
}

static void
a_series_sent_half_before_and_half_after_has_one_date(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f);
	put_image(&f, 1, 1, 1, BASE);
	put_image(&f, 2, 1, 2, BASE + 5);
	put_merge(&f, 2, 1, 5);
	assert_int_equal(count_text(&f, "*", 2), 1);
	assert_int_equal(count_text(&f, "*", 3), 2);
	assert_int_equal(count_text(&f, "study_date = 2019-04-14", 1), 0);
	assert_int_equal(count_text(&f, "study_date = 2019-04-19", 3), 2);
	assert_int_equal(count_text(&f, "study_day > 0", 1), 0);
	fixture_close(&f);
}

static void
what_comes_later_moves_and_what_comes_again_changes_nothing(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f);
	put_entry(&f, 1, 1, BASE);
	put_image(&f, 1, 1, 1, BASE);
	put_merge(&f, 2, 1, 10);
	fixture_reopen(&f);
	assert_int_equal(put_entry(&f, 1, 1, BASE).unchanged, 1);
	assert_int_equal(put_image(&f, 1, 1, 1, BASE).unchanged, 1);
	assert_int_equal(put_merge(&f, 2, 1, 10).unchanged, 1);
	put_entry(&f, 1, 2, BASE);
	put_image(&f, 1, 2, 2, BASE);
	assert_int_equal(
	    count_text(&f, "at least 2 conditions (diagnosis_date = 2019-04-24)", 0), 1);
	assert_int_equal(count_text(&f, "diagnosis_date != 2019-04-24", 0), 0);
	assert_int_equal(count_text(&f, "study_date = 2019-04-24", 1), 2);
	assert_int_equal(
	    count_text(&f, "(diagnosis_date exists) within 0 days of (study_date exists)", 0), 1);
	/* The successor's own are as stated. */
	put_entry(&f, 2, 3, BASE);
	assert_int_equal(count_text(&f, "diagnosis_date = 2019-04-14", 0), 1);
	fixture_close(&f);
}

static void
days_of_a_chain_add_up(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f);
	put_entry(&f, 1, 1, BASE);
	put_merge(&f, 2, 1, 10);
	put_entry(&f, 2, 2, BASE);
	put_merge(&f, 3, 2, 7);
	put_image(&f, 1, 1, 1, BASE);
	put_image(&f, 2, 2, 2, BASE);
	assert_int_equal(count_text(&f, "diagnosis_date = 2019-05-01", 0), 1);
	assert_int_equal(count_text(&f, "diagnosis_date = 2019-04-21", 0), 1);
	assert_int_equal(count_text(&f, "study_date = 2019-05-01", 1), 1);
	assert_int_equal(count_text(&f, "study_date = 2019-04-21", 1), 1);
	/* The same in other words, also the way back. */
	assert_int_equal(put_merge(&f, 3, 1, 17).unchanged, 1);
	assert_int_equal(put_merge(&f, 2, 1, 10).unchanged, 1);
	assert_int_equal(put_merge(&f, 1, 3, -17).unchanged, 1);
	assert_int_equal(put_image(&f, 1, 1, 1, BASE).unchanged, 1);
	fixture_close(&f);
}

/* 1 is known as 2 by 10 days, and turns out to be 3 by 4: from 2 to 3 it is 6 days less. */
static void
a_pseudonym_that_was_replaced_already_moves_by_the_difference(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f);
	put_entry(&f, 1, 1, BASE);
	put_merge(&f, 2, 1, 10);
	put_image(&f, 2, 2, 2, BASE);
	assert_int_equal(put_merge(&f, 3, 1, 4).changed, 1);
	assert_int_equal(put_merge(&f, 3, 1, 4).unchanged, 1);
	assert_int_equal(put_merge(&f, 3, 2, -6).unchanged, 1);
	assert_int_equal(count_text(&f, "*", 0), 1);
	assert_int_equal(count_text(&f, "diagnosis_date = 2019-04-18", 0), 1);
	assert_int_equal(count_text(&f, "study_date = 2019-04-08", 1), 1);
	fixture_close(&f);
}

/* 1 is known as 2, and that as 3: that 1 replaces 2 is no news, whatever it says of days. */
static void
the_way_back_of_a_merge_changes_nothing(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f);
	put_entry(&f, 1, 1, BASE);
	put_merge(&f, 2, 1, 10);
	put_merge(&f, 3, 2, 0);
	assert_int_equal(put_merge(&f, 1, 2, 5).unchanged, 1);
	assert_int_equal(put_merge(&f, 1, 3, 5).unchanged, 1);
	assert_int_equal(put_merge(&f, 1, 1, 5).unchanged, 1);
	assert_int_equal(put_entry(&f, 1, 1, BASE).unchanged, 1);
	fixture_close(&f);
}

static void
another_number_of_days_holds_for_what_is_stated_again(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f);
	put_entry(&f, 1, 1, BASE);
	put_image(&f, 1, 1, 1, BASE);
	put_entry(&f, 2, 2, BASE);
	put_merge(&f, 2, 1, 0);
	assert_int_equal(put_merge(&f, 2, 1, 10).changed, 1);
	assert_int_equal(put_merge(&f, 2, 1, 10).unchanged, 1);
	assert_int_equal(put_entry(&f, 1, 1, BASE).changed, 1);
	assert_int_equal(put_image(&f, 1, 1, 1, BASE).changed, 1);
	assert_int_equal(put_entry(&f, 2, 2, BASE).unchanged, 1);
	assert_int_equal(
	    count_text(&f, "at least 2 conditions (diagnosis_date = 2019-04-14)", 0), 0);
	assert_int_equal(count_text(&f, "diagnosis_date = 2019-04-24", 0), 1);
	assert_int_equal(count_text(&f, "study_date = 2019-04-24", 1), 1);
	fixture_close(&f);
}

static void
a_merge_that_would_leave_the_calendar_is_refused_whole(void **state)
{
	struct index_applied applied;
	struct fixture f;

	(void)state;
	fixture_open(&f);
	put_entry(&f, 1, 1, BASE);
	put_image(&f, 2, 2, 2, BASE);
	put_entry(&f, 3, 3, BASE);
	applied = put_merge(&f, 3, 1, DAY_LAST - BASE + 1);
	assert_int_equal(applied.refused, 1);
	assert_string_equal(applied.reason,
	    "a day leaves the calendar when it is moved to the patient's pseudonym");
	assert_int_equal(put_merge(&f, 3, 2, DAY_LAST - BASE + 1).refused, 1);
	assert_int_equal(put_merge(&f, 3, 2, INT32_MIN).refused, 1);
	assert_int_equal(put_merge(&f, 3, 9, INT32_MAX).refused, 1);
	assert_int_equal(count_text(&f, "*", 0), 3);
	assert_int_equal(put_entry(&f, 1, 1, BASE).unchanged, 1);
	assert_int_equal(put_merge(&f, 3, 1, DAY_LAST - BASE).changed, 1);
	assert_int_equal(count_text(&f, "diagnosis_date = 9999-12-31", 0), 1);
	fixture_close(&f);
}

static void
later_days_that_would_leave_the_calendar_are_refused(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f);
	put_entry(&f, 2, 1, BASE);
	put_merge(&f, 2, 1, DAY_LAST - BASE);
	assert_int_equal(put_entry(&f, 1, 2, BASE + 1).refused, 1);
	assert_int_equal(put_image(&f, 1, 1, 1, BASE + 1).refused, 1);
	assert_int_equal(count_text(&f, "*", 3), 0);
	assert_int_equal(put_entry(&f, 1, 2, BASE).changed, 1);
	assert_int_equal(put_image(&f, 1, 1, 1, BASE).changed, 1);
	fixture_close(&f);
}

static void
more_numbers_of_days_than_pseudonyms_are_refused(void **state)
{
	struct statement s = {.patient = 1, .replaces = 2};
	Cairn__FactBatch *batch = batch_of_statement(&s);
	struct fixture f;

	(void)state;
	fixture_open(&f);
	free(batch->patients[0]->replaces_days);
	batch->patients[0]->replaces_days = calloc(2, sizeof(int32_t));
	batch->patients[0]->n_replaces_days = 2;
	assert_int_equal(fixture_put_batch(&f, batch).refused, 1);
	fixture_close(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(days_of_entries_move),
	    cmocka_unit_test(days_of_the_patient_itself_move),
	    cmocka_unit_test(days_of_images_move_and_study_days_follow),
	    cmocka_unit_test(days_that_instances_state_of_themselves_move),
	    cmocka_unit_test(a_series_sent_half_before_and_half_after_has_one_date),
	    cmocka_unit_test(what_comes_later_moves_and_what_comes_again_changes_nothing),
	    cmocka_unit_test(days_of_a_chain_add_up),
	    cmocka_unit_test(a_pseudonym_that_was_replaced_already_moves_by_the_difference),
	    cmocka_unit_test(the_way_back_of_a_merge_changes_nothing),
	    cmocka_unit_test(another_number_of_days_holds_for_what_is_stated_again),
	    cmocka_unit_test(a_merge_that_would_leave_the_calendar_is_refused_whole),
	    cmocka_unit_test(later_days_that_would_leave_the_calendar_are_refused),
	    cmocka_unit_test(more_numbers_of_days_than_pseudonyms_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
