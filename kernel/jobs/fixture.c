/* SPDX-License-Identifier: Apache-2.0 */
#include "jobs/fixture.h"

#include "base/file.h"

static void
on_wake(void *arg, const char *queue)
{
	struct fixture *f = arg;

	assert_non_null(queue);
	f->woken++;
}

void
fixture_start(struct fixture *f)
{
	struct cairn_error err = {0};

	assert_ok(jobs_open(&f->jobs, &f->loop, &f->options, on_wake, f, &err), &err);
}

static void
on_closed(void *arg)
{
	*(bool *)arg = true;
}

void
fixture_stop(struct fixture *f)
{
	bool closed = false;

	jobs_close(f->jobs, on_closed, &closed);
	f->jobs = NULL;
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_true(closed);
}

int
fixture_setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	test_dir_make(&f->dir);
	assert_int_equal(file_join(f->path, sizeof f->path, f->dir.path, "jobs"), 0);
	assert_int_equal(uv_loop_init(&f->loop), 0);
	f->options =
	    (struct jobs_options){.dir = f->path, .backoff_ms = 1, .map_size_max = 256u << 20};
	fixture_start(f);
	*state = f;
	return 0;
}

int
fixture_teardown(void **state)
{
	struct fixture *f = *state;

	if (f->jobs != NULL)
		fixture_stop(f);
	assert_int_equal(uv_loop_close(&f->loop), 0);
	test_dir_remove(&f->dir);
	free(f);
	return 0;
}

void
fixture_on_durable(void *arg, int code, const char *text)
{
	struct fixture *f = arg;

	f->durable++;
	f->failed += code != 0;
	f->last_code = code;
	if (code == 0)
		return;
	f->failed_code = code;
	snprintf(f->failed_text, sizeof f->failed_text, "%s", text);
}

int
fixture_put(struct fixture *f, const char *queue, const char *key, const char *body)
{
	const struct jobs_put_entry entry = {queue, key, body, strlen(body)};

	return jobs_put(f->jobs, &entry, 1, fixture_on_durable, f, NULL);
}

void
fixture_wait(struct fixture *f, unsigned count)
{
	while (f->durable < count)
		uv_run(&f->loop, UV_RUN_ONCE);
}

void
fixture_put_all(struct fixture *f, const char *queue, const char *const *bodies)
{
	unsigned before = f->durable, count = 0;

	for (; bodies[count] != NULL; count++)
		assert_int_equal(fixture_put(f, queue, "", bodies[count]), 0);
	fixture_wait(f, before + count);
}

size_t
fixture_take(struct fixture *f, struct jobs_taken *ret, size_t max)
{
	struct cairn_error err = {0};
	size_t count = 0;

	assert_ok(jobs_take(f->jobs, "q", ret, max, &count, &err), &err);
	return count;
}

struct jobs_taken
fixture_take_one(struct fixture *f)
{
	struct jobs_taken taken;

	while (fixture_take(f, &taken, 1) == 0)
		uv_run(&f->loop, UV_RUN_ONCE);
	return taken;
}

void
fixture_expect_body(struct jobs_taken *taken, const char *body)
{
	assert_int_equal(taken->length, strlen(body));
	assert_memory_equal(taken->body, body, taken->length);
	free(taken->body);
	taken->body = NULL;
}

struct jobs_stats
fixture_stats(struct fixture *f)
{
	struct jobs_stats ret = {0};

	assert_true(jobs_stats_get(f->jobs, &ret, 1) >= 1);
	return ret;
}
