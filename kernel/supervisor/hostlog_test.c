/* SPDX-License-Identifier: Apache-2.0 */
#include "supervisor/hostlog.h"

#include <stdbool.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/test.h"

struct fixture {
	uv_loop_t loop;
	struct test_dir dir;
	char path[512];
	struct hostlog *log;
	int fd;
	bool closed;
};

static void
fixture_open(struct fixture *f, uint64_t size_max, unsigned files)
{
	struct hostlog_options options = {
	    .path = f->path, .name = "x", .version = "1.0", .size_max = size_max, .files = files};
	struct cairn_error err = {0};

	*f = (struct fixture){.fd = -1};
	uv_loop_init(&f->loop);
	test_dir_make(&f->dir);
	snprintf(f->path, sizeof f->path, "%s/x.log", f->dir.path);
	assert_ok(hostlog_open(&f->log, &f->loop, &options, &f->fd, &err), &err);
}

static void
on_closed(void *arg)
{
	struct fixture *f = arg;

	f->closed = true;
}

static void
fixture_end(struct fixture *f)
{
	close(f->fd);
	hostlog_close(f->log, on_closed, f);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_true(f->closed);
	assert_int_equal(uv_loop_close(&f->loop), 0);
}

/* Until the log has taken all that is in the pipe. */
static void
empty_pipe(struct fixture *f)
{
	int unread = 1;

	while (unread > 0) {
		uv_run(&f->loop, UV_RUN_NOWAIT);
		assert_int_equal(ioctl(f->fd, FIONREAD, &unread), 0);
	}
}

/* Writes `count` numbered lines of 100 bytes, running the loop so that the pipe empties. */
static void
say(struct fixture *f, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		char line[101];

		snprintf(line, sizeof line, "%099u\n", i);
		assert_int_equal(write(f->fd, line, 100), 100);
		if (i % 100 == 99)
			empty_pipe(f);
	}
}

static long
size_of(const struct fixture *f, const char *suffix)
{
	char path[600];
	struct stat st;

	snprintf(path, sizeof path, "%s%s", f->path, suffix);
	return stat(path, &st) == 0 ? (long)st.st_size : -1;
}

static void
what_a_host_says_is_in_the_file(void **state)
{
	struct fixture f;
	BUF_AUTO text = {.max = 1 << 20};

	(void)state;
	fixture_open(&f, 1 << 20, 3);
	assert_int_equal(write(f.fd, "one\n", 4), 4);
	uv_run(&f.loop, UV_RUN_ONCE);
	assert_int_equal(write(f.fd, "last words\n", 11), 11);
	fixture_end(&f);
	assert_int_equal(file_read(f.path, &text, NULL), 0);
	assert_non_null(strstr(buf_text(&text), "Z info x: one\n"));
	assert_non_null(strstr(buf_text(&text), "Z info x: last words\n"));
	test_dir_remove(&f.dir);
}

static void
a_file_is_appended_to(void **state)
{
	struct fixture f;
	struct hostlog_options options = {
	    .path = f.path, .name = "x", .size_max = 1 << 20, .files = 3};
	struct cairn_error err = {0};

	(void)state;
	fixture_open(&f, 1 << 20, 3);
	assert_int_equal(write(f.fd, "one\n", 4), 4);
	fixture_end(&f);
	uv_loop_init(&f.loop);
	assert_ok(hostlog_open(&f.log, &f.loop, &options, &f.fd, &err), &err);
	assert_int_equal(write(f.fd, "two\n", 4), 4);
	fixture_end(&f);
	assert_int_equal(size_of(&f, ""), 2 * strlen("2026-11-24T15:04:05.123Z info x: one\n"));
	test_dir_remove(&f.dir);
}

static void
a_chatty_host_fills_no_more_than_its_files(void **state)
{
	struct fixture f;
	BUF_AUTO text = {.max = 1 << 20};

	(void)state;
	fixture_open(&f, HOSTLOG_SIZE_MIN, 3);
	say(&f, 6000); /* 600 kB into 3 times 64 KiB */
	fixture_end(&f);
	assert_true(size_of(&f, "") > 0 && size_of(&f, "") <= (long)HOSTLOG_SIZE_MIN);
	assert_true(size_of(&f, ".1") > 0 && size_of(&f, ".1") <= (long)HOSTLOG_SIZE_MIN);
	assert_true(size_of(&f, ".2") > 0 && size_of(&f, ".2") <= (long)HOSTLOG_SIZE_MIN);
	assert_int_equal(size_of(&f, ".3"), -1);
	assert_int_equal(file_read(f.path, &text, NULL), 0);
	assert_int_equal(strtoul(buf_text(&text) + text.length - 100, NULL, 10), 5999);
	test_dir_remove(&f.dir);
}

static void
one_file_is_bounded_too(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, HOSTLOG_SIZE_MIN, 1);
	say(&f, 2000);
	fixture_end(&f);
	assert_true(size_of(&f, "") > 0 && size_of(&f, "") <= (long)HOSTLOG_SIZE_MIN);
	assert_int_equal(size_of(&f, ".1"), -1);
	test_dir_remove(&f.dir);
}

static void
a_path_that_cannot_be_opened_is_an_error(void **state)
{
	struct hostlog_options options = {.path = "/nonexistent/x.log", .name = "x", .files = 1};
	struct hostlog *log;
	struct cairn_error err = {0};
	uv_loop_t loop;
	int fd;

	(void)state;
	uv_loop_init(&loop);
	assert_int_equal(hostlog_open(&log, &loop, &options, &fd, &err), CAIRN_EIO);
	assert_non_null(strstr(err.text, "/nonexistent/x.log"));
	assert_int_equal(uv_loop_close(&loop), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_a_host_says_is_in_the_file),
	    cmocka_unit_test(a_file_is_appended_to),
	    cmocka_unit_test(a_chatty_host_fills_no_more_than_its_files),
	    cmocka_unit_test(one_file_is_bounded_too),
	    cmocka_unit_test(a_path_that_cannot_be_opened_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
