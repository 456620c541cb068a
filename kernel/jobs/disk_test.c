/* SPDX-License-Identifier: Apache-2.0 */
#include "jobs/jobs.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/file.h"
#include "jobs/fixture.h"

/* Fills a small map until puts are refused; every job that was accepted can be taken and
 * acknowledged, after which puts work again. */
static void
a_full_map_refuses_puts_but_lets_jobs_leave(void **state)
{
	struct fixture *f = *state;
	char body[1001];
	struct jobs_taken taken[64];
	unsigned kept;

	memset(body, 'b', 1000);
	body[1000] = 0;
	fixture_stop(f);
	f->options.map_size_max = 1u << 20;
	fixture_start(f);
	for (unsigned round = 0; round < 3; round++) {
		f->failed = 0;
		while (f->failed == 0) {
			for (unsigned i = 0; i < 16; i++)
				fixture_put(f, "q", "", body);
			fixture_wait(f, f->durable + 16);
		}
		assert_int_equal(f->failed_code, CAIRN_ELIMIT);
		assert_non_null(strstr(f->failed_text, "maximum size"));
		kept = (unsigned)fixture_stats(f).ready;
		assert_true(kept > 100);
		for (unsigned gone = 0; gone < kept;) {
			size_t count = fixture_take(f, taken, 64);

			for (size_t i = 0; i < count; i++) {
				jobs_done(f->jobs, &taken[i].id, 1);
				free(taken[i].body);
			}
			gone += (unsigned)count;
		}
		fixture_stop(f);
		fixture_start(f);
		assert_int_equal(fixture_stats(f).ready, 0);
	}
}

static void
limit_file_size(rlim_t bytes)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* RLIMIT_FSIZE stands in for a full disk.  A put says so; an acknowledgement is kept and gets to
 * the disk once there is room. */
static void
a_full_disk_fails_puts_and_keeps_acknowledgements(void **state)
{
	struct fixture *f = *state;
	char body[2001];
	struct jobs_taken taken;
	struct stat st;
	char path[256];

	signal(SIGXFSZ, SIG_IGN);
	memset(body, 'b', 2000);
	body[2000] = 0;
	PUT(f, "early");
	taken = fixture_take_one(f);
	free(taken.body);
	assert_int_equal(file_join(path, sizeof path, f->path, "data.mdb"), 0);
	assert_int_equal(stat(path, &st), 0);
	limit_file_size((rlim_t)st.st_size);
	while (f->failed == 0) {
		fixture_put(f, "q", "", body);
		fixture_wait(f, f->durable + 1);
	}
	assert_int_equal(f->failed_code, CAIRN_EIO);
	jobs_done(f->jobs, &taken.id, 1);
	fixture_put(f, "q", "", body);
	fixture_wait(f, f->durable + 1);
	limit_file_size(RLIM_INFINITY);
	fixture_put(f, "q", "late", "late");
	fixture_wait(f, f->durable + 1);
	assert_int_equal(f->last_code, 0);
	fixture_stop(f);
	fixture_start(f);
	assert_int_equal(fixture_stats(f).done, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_full_map_refuses_puts_but_lets_jobs_leave),
	    TEST(a_full_disk_fails_puts_and_keeps_acknowledgements),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
