/* SPDX-License-Identifier: Apache-2.0 */
#include "jobs/jobs.h"

#include "base/clock.h"
#include "jobs/fixture.h"

/* ---- order, life ------------------------------------------------------------------------ */

static void
jobs_come_in_the_order_of_putting(void **state)
{
	struct fixture *f = *state;
	struct jobs_taken taken[4];

	PUT(f, "one", "two", "three");
	assert_int_equal(fixture_take(f, taken, 4), 3);
	assert_int_equal(taken[0].attempt, 1);
	fixture_expect_body(&taken[0], "one");
	fixture_expect_body(&taken[1], "two");
	fixture_expect_body(&taken[2], "three");
	assert_true(f->woken > 0);
	assert_int_equal(fixture_take(f, taken, 4), 0);
}

static void
a_job_cannot_be_taken_before_it_is_on_disk(void **state)
{
	struct fixture *f = *state;
	struct jobs_taken taken;

	assert_int_equal(fixture_put(f, "q", "", "x"), 0);
	assert_int_equal(fixture_take(f, &taken, 1), 0);
	fixture_wait(f, 1);
	assert_int_equal(fixture_take(f, &taken, 1), 1);
	free(taken.body);
}

static void
a_job_that_is_done_is_gone_after_a_restart(void **state)
{
	struct fixture *f = *state;
	struct jobs_taken taken[2];

	PUT(f, "one", "two");
	assert_int_equal(fixture_take(f, taken, 2), 2);
	jobs_done(f->jobs, &taken[0].id, 1);
	free(taken[0].body);
	free(taken[1].body);
	fixture_stop(f);
	fixture_start(f);
	assert_int_equal(fixture_stats(f).ready, 1);
	assert_int_equal(fixture_stats(f).done, 1);
	taken[0] = fixture_take_one(f);
	assert_int_equal(taken[0].attempt, 1); /* an orderly stop is no attempt */
	fixture_expect_body(&taken[0], "two");
}

static void
a_batch_is_put_as_a_whole_over_several_queues(void **state)
{
	struct fixture *f = *state;
	struct jobs_stats all[4];
	const struct jobs_put_entry good[] = {{"a", "", "1", 1}, {"b", "", "2", 1}};
	const struct jobs_put_entry bad[] = {{"a", "", "3", 1}, {"", "", "4", 1}};

	assert_int_equal(jobs_put(f->jobs, good, 2, fixture_on_durable, f, NULL), 0);
	assert_int_equal(jobs_put(f->jobs, bad, 2, fixture_on_durable, f, NULL), CAIRN_EINVAL);
	fixture_wait(f, 1);
	assert_int_equal(jobs_stats_get(f->jobs, all, 4), 2);
	assert_string_equal(all[0].queue, "a");
	assert_int_equal(all[0].ready, 1);
	assert_string_equal(all[1].queue, "b");
	assert_int_equal(all[1].ready, 1);
}

static void
what_is_out_of_bounds_is_refused(void **state)
{
	struct fixture *f = *state;
	char key[JOBS_KEY_MAX + 2], queue[80];
	const struct jobs_put_entry large = {"q", "", "x", (size_t)JOBS_BODY_MAX + 1};

	memset(key, 'k', sizeof key);
	memset(queue, 'q', sizeof queue);
	key[sizeof key - 1] = queue[64] = 0;
	assert_int_equal(fixture_put(f, "q", key, "x"), CAIRN_EINVAL);
	assert_int_equal(fixture_put(f, queue, "", "x"), CAIRN_EINVAL);
	assert_int_equal(jobs_put(f->jobs, &large, 1, NULL, NULL, NULL), CAIRN_ELIMIT);
	key[JOBS_KEY_MAX] = queue[63] = 0;
	assert_int_equal(fixture_put(f, queue, key, "x"), 0);
}

static void
a_body_of_the_maximum_size_comes_back_whole(void **state)
{
	struct fixture *f = *state;
	uint8_t *body = malloc(JOBS_BODY_MAX);
	const struct jobs_put_entry entry = {"q", "", body, JOBS_BODY_MAX};
	struct jobs_taken taken;

	for (size_t i = 0; i < JOBS_BODY_MAX; i++)
		body[i] = (uint8_t)(i * 7 + (i >> 11));
	assert_int_equal(jobs_put(f->jobs, &entry, 1, fixture_on_durable, f, NULL), 0);
	fixture_wait(f, 1);
	taken = fixture_take_one(f);
	assert_int_equal(taken.length, JOBS_BODY_MAX);
	assert_memory_equal(taken.body, body, JOBS_BODY_MAX);
	free(taken.body);
	free(body);
}

static void
a_full_queue_refuses_and_takes_again_when_it_has_room(void **state)
{
	struct fixture *f = *state;
	struct jobs_taken taken;

	fixture_stop(f);
	f->options.queue_max = 3;
	fixture_start(f);
	PUT(f, "1", "2", "3");
	assert_int_equal(fixture_put(f, "q", "", "4"), CAIRN_ELIMIT);
	taken = fixture_take_one(f);
	free(taken.body);
	assert_int_equal(fixture_put(f, "q", "", "4"), CAIRN_ELIMIT); /* taken is not gone */
	jobs_done(f->jobs, &taken.id, 1);
	assert_int_equal(fixture_put(f, "q", "", "4"), 0);
}

static void
an_id_that_is_not_taken_is_ignored(void **state)
{
	struct fixture *f = *state;
	struct jobs_taken taken;
	const uint64_t unknown[] = {0, 77, UINT64_MAX};

	PUT(f, "x");
	taken = fixture_take_one(f);
	free(taken.body);
	jobs_done(f->jobs, unknown, 3);
	jobs_done(f->jobs, &taken.id, 1);
	jobs_done(f->jobs, &taken.id, 1);
	jobs_retry(f->jobs, &taken.id, 1, "late");
	jobs_release(f->jobs, &taken.id, 1);
	assert_int_equal(fixture_stats(f).done, 1);
	assert_int_equal(fixture_stats(f).ready, 0);
	assert_int_equal(fixture_stats(f).taken, 0);
}

/* ---- keys ------------------------------------------------------------------------------- */

static void
a_key_that_was_seen_is_accepted_and_dropped(void **state)
{
	struct fixture *f = *state;
	struct jobs_taken taken[4];

	fixture_put(f, "q", "k1", "first");
	fixture_put(f, "q", "k1", "again, in the same group");
	fixture_wait(f, 2);
	fixture_put(f, "q", "k1", "again, later");
	fixture_put(f, "r", "k1", "in another queue");
	fixture_put(f, "q", "k2", "second");
	fixture_wait(f, 5);
	assert_int_equal(f->failed, 0);
	assert_int_equal(fixture_take(f, taken, 4), 2);
	assert_string_equal(taken[0].key, "k1");
	fixture_expect_body(&taken[0], "first");
	fixture_expect_body(&taken[1], "second");
	assert_int_equal(fixture_stats(f).ready, 0);
}

static void
keys_are_remembered_over_a_restart_and_after_done(void **state)
{
	struct fixture *f = *state;
	struct jobs_taken taken;

	fixture_put(f, "q", "k1", "first");
	fixture_wait(f, 1);
	taken = fixture_take_one(f);
	free(taken.body);
	jobs_done(f->jobs, &taken.id, 1);
	fixture_stop(f);
	fixture_start(f);
	fixture_put(f, "q", "k1", "again");
	fixture_wait(f, 2);
	assert_int_equal(fixture_take(f, &taken, 1), 0);
}

static void
only_so_many_keys_are_remembered(void **state)
{
	struct fixture *f = *state;
	char key[16];

	fixture_stop(f);
	f->options.keys_remembered = 10;
	for (unsigned round = 0; round < 2; round++) { /* the second after a restart */
		fixture_start(f);
		for (unsigned i = 0; i < 11; i++) {
			snprintf(key, sizeof key, "%u-%u", round, i);
			fixture_put(f, "q", key, "x");
		}
		fixture_wait(f, f->durable + 11);
		snprintf(key, sizeof key, "%u-1", round);
		fixture_put(f, "q", key, "the oldest that is remembered");
		fixture_wait(f, f->durable + 1);
		assert_int_equal(fixture_stats(f).ready, 12 * round + 11);
		snprintf(key, sizeof key, "%u-0", round);
		fixture_put(f, "q", key, "forgotten");
		fixture_wait(f, f->durable + 1);
		assert_int_equal(fixture_stats(f).ready, 12 * round + 12);
		fixture_stop(f);
	}
}

/* ---- attempts --------------------------------------------------------------------------- */

static void
a_retried_job_comes_again_after_a_growing_pause(void **state)
{
	struct fixture *f = *state;
	struct jobs_taken taken;

	fixture_stop(f);
	f->options.backoff_ms = 20;
	fixture_start(f);
	PUT(f, "x");
	taken = fixture_take_one(f);
	for (unsigned i = 0; i < 4; i++) {
		uint64_t at = clock_monotonic_ms();

		assert_int_equal(taken.attempt, i + 1);
		free(taken.body);
		jobs_retry(f->jobs, &taken.id, 1, "not now");
		assert_int_equal(fixture_take(f, &taken, 1), 0);
		assert_int_equal(fixture_stats(f).ready, 1);
		taken = fixture_take_one(f);
		assert_true(clock_monotonic_ms() - at >= 20u << i);
	}
	free(taken.body);
}

static void
the_last_attempt_makes_a_dead_letter(void **state)
{
	struct fixture *f = *state;
	struct jobs_taken taken;
	struct jobs_info info;

	fixture_stop(f);
	f->options.attempts_max = 3;
	fixture_start(f);
	PUT(f, "bad");
	for (unsigned attempt = 1; attempt <= 3; attempt++) {
		taken = fixture_take_one(f);
		assert_int_equal(taken.attempt, attempt);
		free(taken.body);
		jobs_retry(f->jobs, &taken.id, 1, "cannot be parsed");
	}
	PUT(f, "good");
	taken = fixture_take_one(f);
	fixture_expect_body(&taken, "good");
	assert_int_equal(fixture_stats(f).dead, 1);
	fixture_stop(f);
	fixture_start(f);
	assert_int_equal(fixture_stats(f).dead, 1);
	assert_int_equal(jobs_list(f->jobs, &info, 1), 1);
	assert_string_equal(info.state, "dead");
	assert_int_equal(info.attempt, 3);
	assert_string_equal(info.reason, "cannot be parsed");
}

static void
attempts_are_counted_over_a_restart(void **state)
{
	struct fixture *f = *state;
	struct jobs_taken taken;

	PUT(f, "x");
	for (unsigned attempt = 1; attempt <= 4; attempt++) {
		taken = fixture_take_one(f);
		assert_int_equal(taken.attempt, attempt);
		free(taken.body);
		jobs_retry(f->jobs, &taken.id, 1, "");
		fixture_stop(f);
		fixture_start(f);
	}
}

static void
a_released_job_is_ready_at_once_and_counts_an_attempt(void **state)
{
	struct fixture *f = *state;
	struct jobs_taken taken;

	PUT(f, "x");
	assert_int_equal(fixture_take(f, &taken, 1), 1);
	free(taken.body);
	jobs_release(f->jobs, &taken.id, 1);
	assert_int_equal(fixture_take(f, &taken, 1), 1);
	assert_int_equal(taken.attempt, 2);
	fixture_expect_body(&taken, "x");
}

/* Puts `count` jobs and lets a consumer die with all of them. */
static void
lose_consumer_with(struct fixture *f, struct jobs_taken *taken, unsigned count)
{
	uint64_t ids[32];

	for (unsigned i = 0; i < count; i++)
		assert_int_equal(fixture_put(f, "q", "", "x"), 0);
	fixture_wait(f, f->durable + count);
	assert_int_equal(fixture_take(f, taken, count), count);
	for (unsigned i = 0; i < count; i++) {
		ids[i] = taken[i].id;
		free(taken[i].body);
	}
	jobs_release(f->jobs, ids, count);
}

static void
after_a_consumer_died_an_eighth_of_its_jobs_goes_out_at_a_time(void **state)
{
	struct fixture *f = *state;
	struct jobs_taken taken[32];

	lose_consumer_with(f, taken, 32);
	for (unsigned i = 0; i < 8; i++) {
		assert_int_equal(fixture_take(f, taken, 32), 4);
		assert_int_equal(fixture_take(f, taken + 4, 28), 0);
		for (unsigned j = 0; j < 4; j++) {
			jobs_done(f->jobs, &taken[j].id, 1);
			free(taken[j].body);
		}
	}
	assert_int_equal(fixture_stats(f).done, 32);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(fixture_put(f, "q", "", "new"), 0);
	fixture_wait(f, f->durable + 8);
	assert_int_equal(fixture_take(f, taken, 32), 8); /* no suspect is left */
	for (unsigned i = 0; i < 8; i++)
		free(taken[i].body);
}

static void
the_last_attempt_of_a_suspect_is_made_alone(void **state)
{
	struct fixture *f = *state;
	struct jobs_taken taken[32];

	fixture_stop(f);
	f->options.attempts_max = 2;
	fixture_start(f);
	lose_consumer_with(f, taken, 32);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(fixture_take(f, taken, 32), 1);
		assert_int_equal(taken[0].attempt, 2);
		free(taken[0].body);
		assert_int_equal(fixture_take(f, taken + 1, 31), 0);
		jobs_release(f->jobs, &taken[0].id, 1);
	}
	assert_int_equal(fixture_stats(f).dead, 3);
	assert_int_equal(fixture_stats(f).ready, 29);
}

static void
the_last_attempt_of_a_suspect_waits_for_those_that_are_out(void **state)
{
	struct fixture *f = *state;
	struct jobs_taken taken[32];
	uint64_t first, second;

	fixture_stop(f);
	f->options.attempts_max = 3;
	fixture_start(f);
	lose_consumer_with(f, taken, 16);
	assert_int_equal(fixture_take(f, taken, 32), 2);
	first = taken[0].id;
	second = taken[1].id;
	free(taken[0].body);
	free(taken[1].body);
	jobs_release(f->jobs, &second, 1);
	assert_int_equal(fixture_take(f, taken, 32), 0);
	jobs_done(f->jobs, &first, 1);
	assert_int_equal(fixture_take(f, taken, 32), 1);
	assert_int_equal(taken[0].id, second);
	free(taken[0].body);
}

/* One of 40 jobs kills its consumer whenever it is among those that are out.  It must end dead, and
 * alone: no other job may run out of attempts beside it. */
static void
a_job_that_kills_its_consumer_dies_alone(void **state)
{
	struct fixture *f = *state;
	const struct jobs_put_entry good = {"q", "", "good", 4}, bad = {"q", "", "kill", 4};
	struct jobs_taken taken[16];
	uint64_t ids[16];
	unsigned kills = 0;

	for (unsigned i = 0; i < 40; i++)
		assert_int_equal(
		    jobs_put(f->jobs, i == 20 ? &bad : &good, 1, fixture_on_durable, f, NULL), 0);
	fixture_wait(f, 40);
	while (fixture_stats(f).done + fixture_stats(f).dead < 40) {
		size_t count = fixture_take(f, taken, 16), at = 0;

		if (count == 0)
			uv_run(&f->loop, UV_RUN_ONCE);
		for (size_t i = 0; i < count; i++)
			ids[i] = taken[i].id;
		for (; at < count && memcmp(taken[at].body, "kill", 4) != 0; at++)
			jobs_done(f->jobs, &ids[at], 1);
		kills += at < count;
		jobs_release(f->jobs, ids + at, count - at);
		for (size_t i = 0; i < count; i++)
			free(taken[i].body);
	}
	assert_int_equal(fixture_stats(f).dead, 1);
	assert_int_equal(fixture_stats(f).done, 39);
	assert_int_equal(kills, 8);
}

/* ---- looking ---------------------------------------------------------------------------- */

static void
list_names_the_state_of_every_job(void **state)
{
	struct fixture *f = *state;
	struct jobs_taken taken[3];
	struct jobs_info info[8];

	fixture_put(f, "q", "key-1", "1");
	fixture_wait(f, 1);
	PUT(f, "2", "3", "4");
	assert_int_equal(fixture_take(f, taken, 3), 3);
	jobs_retry(f->jobs, &taken[1].id, 1, "later");
	jobs_done(f->jobs, &taken[2].id, 1);
	assert_int_equal(jobs_list(f->jobs, info, 8), 3);
	PUT(f, "5");
	assert_int_equal(jobs_list(f->jobs, info, 8), 4);
	assert_string_equal(info[0].key, "key-1");
	assert_string_equal(info[0].state, "taken");
	assert_int_equal(info[0].attempt, 1);
	assert_string_equal(info[1].state, "ready");
	assert_string_equal(info[1].reason, "later");
	assert_int_equal(info[2].id, 4);
	assert_int_equal(jobs_list(f->jobs, info, 2), 2);
	for (size_t i = 0; i < 3; i++)
		free(taken[i].body);
}

static void
a_second_node_is_refused(void **state)
{
	struct fixture *f = *state;
	struct cairn_error err = {0};
	struct jobs *second = NULL;

	assert_int_equal(
	    jobs_open(&second, &f->loop, &f->options, NULL, NULL, &err), CAIRN_EUNAVAILABLE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(jobs_come_in_the_order_of_putting),
	    TEST(a_job_cannot_be_taken_before_it_is_on_disk),
	    TEST(a_job_that_is_done_is_gone_after_a_restart),
	    TEST(a_batch_is_put_as_a_whole_over_several_queues),
	    TEST(what_is_out_of_bounds_is_refused),
	    TEST(a_body_of_the_maximum_size_comes_back_whole),
	    TEST(a_full_queue_refuses_and_takes_again_when_it_has_room),
	    TEST(an_id_that_is_not_taken_is_ignored),
	    TEST(a_key_that_was_seen_is_accepted_and_dropped),
	    TEST(keys_are_remembered_over_a_restart_and_after_done),
	    TEST(only_so_many_keys_are_remembered),
	    TEST(a_retried_job_comes_again_after_a_growing_pause),
	    TEST(the_last_attempt_makes_a_dead_letter),
	    TEST(attempts_are_counted_over_a_restart),
	    TEST(a_released_job_is_ready_at_once_and_counts_an_attempt),
	    TEST(after_a_consumer_died_an_eighth_of_its_jobs_goes_out_at_a_time),
	    TEST(the_last_attempt_of_a_suspect_is_made_alone),
	    TEST(the_last_attempt_of_a_suspect_waits_for_those_that_are_out),
	    TEST(a_job_that_kills_its_consumer_dies_alone),
	    TEST(list_names_the_state_of_every_job),
	    TEST(a_second_node_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
