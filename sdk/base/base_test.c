/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/test.h"
#include "base/text.h"

static void
buf_refuses_to_grow_past_its_maximum(void **state)
{
	BUF_AUTO buf = {.max = 200};

	(void)state;
	assert_int_equal(buf_append_zero(&buf, 150), 0);
	assert_int_equal(buf_append_zero(&buf, 51), CAIRN_ELIMIT);
	assert_int_equal(buf.length, 150);
	assert_int_equal(buf_append_zero(&buf, 50), 0);
}

static void
buf_consume_keeps_the_rest(void **state)
{
	BUF_AUTO buf = {.max = 200};

	(void)state;
	assert_int_equal(buf_append_format(&buf, "%s-%d", "abc", 7), 0);
	buf_consume(&buf, 4);
	assert_string_equal(buf_text(&buf), "7");
}

static void
dates_survive_the_round_trip(void **state)
{
	(void)state;
	for (int32_t day = -200000; day < 200000; day += 13) {
		int y, m, d;
		int32_t again = 0;

		clock_date(day, &y, &m, &d);
		assert_int_equal(clock_days(y, m, d, &again), 0);
		assert_int_equal(again, day);
	}
}

static void
a_date_that_does_not_exist_is_refused(void **state)
{
	int32_t days;

	(void)state;
	assert_int_equal(clock_days(2023, 2, 29, &days), CAIRN_EINVAL);
	assert_int_equal(clock_days(2024, 2, 29, &days), 0);
	assert_int_equal(clock_days(2024, 13, 1, &days), CAIRN_EINVAL);
}

static const char *
candidate(const void *arg, size_t index)
{
	const char *const *words = arg;

	return words[index];
}

static void
suggest_finds_the_nearest_word(void **state)
{
	const char *const words[] = {"modality", "manufacturer", "sex", NULL};

	(void)state;
	assert_string_equal(text_suggest("modalitiy", candidate, words), "modality");
	assert_string_equal(
	    text_suggest("xes", candidate, (const char *const[]){"sex", NULL}) == NULL ? "none"
										       : "some",
	    "none");
	assert_null(text_suggest("voltage", candidate, words));
}

static void
subject_patterns_match_by_prefix(void **state)
{
	(void)state;
	assert_true(text_subject_matches("cohort.*", "cohort.count"));
	assert_false(text_subject_matches("cohort.*", "cohorts.count"));
	assert_false(text_subject_matches("cohort.count", "cohort.counts"));
}

static void
file_write_replaces_whole_files(void **state)
{
	struct test_dir dir;
	char path[512];
	BUF_AUTO buf = {.max = 100};

	(void)state;
	test_dir_make(&dir);
	assert_int_equal(file_join(path, sizeof path, dir.path, "a"), 0);
	assert_int_equal(file_write(path, "one", 3, 0600, NULL), 0);
	assert_int_equal(file_write(path, "two", 3, 0600, NULL), 0);
	assert_int_equal(file_read(path, &buf, NULL), 0);
	assert_string_equal(buf_text(&buf), "two");
	test_dir_remove(&dir);
}

static void
file_read_refuses_what_is_larger_than_the_buffer_may_be(void **state)
{
	struct test_dir dir;
	char path[512];
	BUF_AUTO buf = {.max = 3};
	struct cairn_error err = {0};

	(void)state;
	test_dir_make(&dir);
	assert_int_equal(file_join(path, sizeof path, dir.path, "a"), 0);
	assert_int_equal(file_write(path, "four", 4, 0600, NULL), 0);
	assert_int_equal(file_read(path, &buf, &err), CAIRN_ELIMIT);
	test_dir_remove(&dir);
}

static void
errors_gain_context_on_the_way_up(void **state)
{
	struct cairn_error err = {0};

	(void)state;
	assert_int_equal(cairn_error_set(&err, CAIRN_EIO, "disk %d", 3), CAIRN_EIO);
	assert_int_equal(cairn_error_prefix(&err, CAIRN_EIO, "ledger"), CAIRN_EIO);
	assert_string_equal(err.text, "ledger: disk 3");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(buf_refuses_to_grow_past_its_maximum),
	    cmocka_unit_test(buf_consume_keeps_the_rest),
	    cmocka_unit_test(dates_survive_the_round_trip),
	    cmocka_unit_test(a_date_that_does_not_exist_is_refused),
	    cmocka_unit_test(suggest_finds_the_nearest_word),
	    cmocka_unit_test(subject_patterns_match_by_prefix),
	    cmocka_unit_test(file_write_replaces_whole_files),
	    cmocka_unit_test(file_read_refuses_what_is_larger_than_the_buffer_may_be),
	    cmocka_unit_test(errors_gain_context_on_the_way_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
