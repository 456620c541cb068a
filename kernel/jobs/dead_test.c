/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "jobs/fixture.h"

/* Three jobs that failed in every attempt. */
static void
bury_three(struct fixture *f)
{
	struct jobs_taken taken[3];

	fixture_stop(f);
	f->options.attempts_max = 1;
	fixture_start(f);
	PUT(f, "a", "b", "c");
	assert_int_equal(fixture_take(f, taken, 3), 3);
	for (int i = 0; i < 3; i++) {
		jobs_retry(f->jobs, &taken[i].id, 1, "no such patient");
		free(taken[i].body);
	}
	fixture_stop(f); /* on disk */
	fixture_start(f);
	assert_int_equal(fixture_stats(f).dead, 3);
}

static void
a_dead_letter_can_be_revived(void **state)
{
	struct fixture *f = *state;
	struct jobs_info info[3];
	struct jobs_taken taken;
	struct cairn_error err = {0};
	size_t count = 0;

	bury_three(f);
	assert_int_equal(jobs_list(f->jobs, info, 3), 3);
	assert_string_equal(info[1].state, "dead");
	assert_string_equal(info[1].reason, "no such patient");
	assert_true(clock_wall_ms() - info[1].put_ms < 60000);
	assert_ok(jobs_revive(f->jobs, &(struct jobs_dead){.id = info[1].id}, &count, &err), &err);
	assert_int_equal(count, 1);
	taken = fixture_take_one(f);
	assert_int_equal(fixture_stats(f).dead, 2);
	assert_int_equal(taken.id, info[1].id);
	assert_int_equal(taken.attempt, 1);
	jobs_done(f->jobs, &taken.id, 1);
	fixture_expect_body(&taken, "b");
	fixture_stop(f);
	fixture_start(f);
	assert_int_equal(jobs_list(f->jobs, info, 3), 2);
	assert_int_equal(fixture_stats(f).dead, 2);
}

static void
all_dead_letters_of_a_queue_are_revived_once(void **state)
{
	struct fixture *f = *state;
	struct jobs_dead all = {.queue = "q"};
	struct jobs_taken taken[4];
	struct cairn_error err = {0};
	size_t count = 0;

	bury_three(f);
	assert_ok(jobs_revive(f->jobs, &all, &count, &err), &err);
	assert_int_equal(count, 3);
	/* Asked for again before the disk knows of the first: nobody gets a job twice. */
	assert_ok(jobs_revive(f->jobs, &all, &count, &err), &err);
	for (int i = 0; i < 3; i++)
		taken[i] = fixture_take_one(f);
	assert_int_equal(fixture_take(f, taken + 3, 1), 0);
	for (int i = 0; i < 3; i++) {
		jobs_done(f->jobs, &taken[i].id, 1);
		free(taken[i].body);
	}
	assert_int_equal(fixture_stats(f).dead, 0);
	assert_int_equal(jobs_revive(f->jobs, &all, &count, &err), CAIRN_ENOTFOUND);
}

static void
a_dead_letter_can_be_dropped(void **state)
{
	struct fixture *f = *state;
	struct jobs_info info[3];
	struct cairn_error err = {0};
	size_t count = 0;

	bury_three(f);
	assert_int_equal(jobs_list(f->jobs, info, 3), 3);
	assert_ok(jobs_drop(f->jobs, &(struct jobs_dead){.id = info[0].id}, &count, &err), &err);
	fixture_stop(f);
	fixture_start(f);
	assert_int_equal(jobs_list(f->jobs, info, 3), 2);
	assert_int_equal(fixture_stats(f).dead, 2);
	assert_int_equal(fixture_stats(f).ready, 0);
}

static void
what_is_not_dead_is_neither_revived_nor_dropped(void **state)
{
	struct fixture *f = *state;
	struct jobs_info info;
	struct cairn_error err = {0};
	size_t count = 7;

	PUT(f, "a");
	assert_int_equal(jobs_list(f->jobs, &info, 1), 1);
	assert_int_equal(
	    jobs_drop(f->jobs, &(struct jobs_dead){.id = info.id}, &count, &err), CAIRN_ENOTFOUND);
	assert_int_equal(jobs_revive(f->jobs, &(struct jobs_dead){.queue = "absent"}, &count, &err),
	    CAIRN_ENOTFOUND);
	assert_int_equal(count, 7);
	assert_int_equal(fixture_stats(f).ready, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_dead_letter_can_be_revived),
	    TEST(all_dead_letters_of_a_queue_are_revived_once),
	    TEST(a_dead_letter_can_be_dropped),
	    TEST(what_is_not_dead_is_neither_revived_nor_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
