/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kill and resume: a host is killed with calls, events and jobs under way, again and again, and
 * each time the next one must carry traffic.  CAIRN_KILLS says how often (50).
 *
 * And the reverse: the kernel is killed, and no host may stay.
 */
#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "supervisor/testing/fixture.h"

#define WINDOW 64
#define JOBS 8
#define BODY_BYTES 2000
#define RESUME_MS 2000

/* ---- traffic ---------------------------------------------------------------------------- */

static struct {
	unsigned out;     /* calls that wait for their reply */
	unsigned carried; /* replies from this incarnation */
} traffic;

static char body[BODY_BYTES + 1];

static void
send_jobs_and_event(struct fixture *f)
{
	Cairn__Envelope envelope = CAIRN__ENVELOPE__INIT;
	Cairn__Job jobs[JOBS];
	Cairn__Job *pointers[JOBS];
	char subject[] = "test.event";

	for (size_t i = 0; i < JOBS; i++) {
		cairn__job__init(&jobs[i]);
		jobs[i].id = i + 1;
		pointers[i] = &jobs[i];
	}
	envelope.kind = CAIRN__ENVELOPE__KIND__JOB;
	envelope.n_jobs = JOBS;
	envelope.jobs = pointers;
	supervisor_send(f->plugin, &envelope);
	cairn__envelope__init(&envelope);
	envelope.kind = CAIRN__ENVELOPE__KIND__EVENT;
	envelope.subject = subject;
	supervisor_send(f->plugin, &envelope);
}

static void
fill_window(struct fixture *f)
{
	while (traffic.out < WINDOW) {
		if (fixture_call(f, f->plugin, "test.echo", body) != 0)
			return;
		traffic.out++;
		if (traffic.out % 16 == 0)
			send_jobs_and_event(f);
	}
}

static void
count_reply(struct fixture *f, struct supervisor_plugin *plugin, const Cairn__Envelope *envelope)
{
	(void)plugin;
	if (envelope->kind != CAIRN__ENVELOPE__KIND__REPLY)
		return;
	assert_int_equal(envelope->body.len, BODY_BYTES);
	traffic.out--;
	traffic.carried++;
	fill_window(f);
}

static size_t
count_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t count = 0;

	assert_non_null(dir);
	while (readdir(dir) != NULL)
		count++;
	closedir(dir);
	return count;
}

static unsigned
kills_wanted(void)
{
	const char *text = getenv("CAIRN_KILLS");
	int64_t kills = 50;

	if (text != NULL)
		assert_int_equal(text_to_integer(text, 1, 1000000, &kills), 0);
	return (unsigned)kills;
}

/* Runs until this incarnation has carried `replies`; how long that took. */
static uint64_t
carry(struct fixture *f, unsigned replies, unsigned round)
{
	uint64_t start_ms = clock_monotonic_ms();

	while (traffic.carried < replies) {
		if (clock_monotonic_ms() - start_ms > WAIT_MS)
			fail_msg("round %u: %u of %u replies, then silence", round, traffic.carried,
			    replies);
		if (traffic.out == 0)
			fill_window(f);
		uv_run(&f->loop, UV_RUN_ONCE);
	}
	return clock_monotonic_ms() - start_ms;
}

/* Waits for the crash to be noticed, and starts the next one at once: the back-off has tests. */
static void
restart_after_crash(struct fixture *f, unsigned gone_before)
{
	struct cairn_error err = {0};

	while (f->seen.gone == gone_before)
		uv_run(&f->loop, UV_RUN_ONCE);
	traffic.out = 0;
	traffic.carried = 0;
	assert_ok(supervisor_restart(f->plugin, &err), &err);
}

static bool
settled(struct fixture *f, size_t descriptors)
{
	for (int i = 0; i < 100 && count_descriptors() > descriptors; i++)
		uv_run(&f->loop, UV_RUN_ONCE); /* NNG closes on a thread of its own */
	return count_descriptors() <= descriptors;
}

static void
traffic_resumes_after_every_kill(void **state)
{
	struct fixture f;
	unsigned kills = kills_wanted();
	size_t descriptors = 0;
	uint64_t slowest_ms = 0;
	uint32_t random = 12345;

	(void)state;
	memset(body, 'b', BODY_BYTES);
	fixture_init(&f);
	f.tap = count_reply;
	f.options.heartbeat_ms = 60000;
	fixture_open(&f, "echo", "echo", "0.1.0");
	uv_ref((uv_handle_t *)&f.tick);
	for (unsigned i = 0; i < kills; i++) {
		unsigned gone = f.seen.gone;
		uint64_t took_ms = carry(&f, 1, i);

		slowest_ms = took_ms > slowest_ms ? took_ms : slowest_ms;
		assert_true(took_ms < RESUME_MS);
		random = random * 1664525 + 1013904223;
		carry(&f, 1 + (random >> 16) % 1000, i);
		if (i == 2)
			descriptors = count_descriptors();
		kill(fixture_pid(&f), SIGKILL);
		restart_after_crash(&f, gone);
	}
	carry(&f, 1, kills);
	if (kills > 3)
		assert_true(settled(&f, descriptors));
	assert_int_equal(f.seen.crashed, kills);
	print_message("%u kills, slowest resume %llu ms\n", kills, (unsigned long long)slowest_ms);
	fixture_close(&f);
}

/* ---- the kernel is killed --------------------------------------------------------------- */

#define HOSTS 3

struct report {
	int pids[HOSTS];
	struct test_dir dir; /* for the survivor to remove */
};

/* In a process of its own: a "kernel" that reports its hosts' pids and then only runs. */
static void
be_a_kernel(int report)
{
	struct fixture f;
	struct supervisor_plugin *plugins[HOSTS];
	struct report sent;

	fixture_init(&f);
	sent.dir = f.dir;
	fixture_open(&f, "echo", "echo", "0.1.0");
	plugins[0] = f.plugin;
	plugins[1] = fixture_add(&f, "hangs", "echo", "0.1.0");
	plugins[2] = fixture_add(&f, "flood", "flood", "0.1.0");
	while (f.seen.ready < HOSTS)
		uv_run(&f.loop, UV_RUN_ONCE);
	for (size_t i = 0; i < HOSTS; i++) {
		struct supervisor_info info;

		supervisor_info_get(plugins[i], &info);
		sent.pids[i] = info.pid;
	}
	fixture_call(&f, plugins[1], "test.hang", "");
	uv_run(&f.loop, UV_RUN_ONCE);
	if (write(report, &sent, sizeof sent) != (ssize_t)sizeof sent)
		_exit(1);
	for (;;)
		uv_run(&f.loop, UV_RUN_DEFAULT);
}

static void
no_host_outlives_a_killed_kernel(void **state)
{
	int report[2], status;
	struct report sent;
	struct pollfd hosts[HOSTS];
	pid_t kernel;

	(void)state;
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0); /* orphans come to us */
	assert_int_equal(pipe(report), 0);
	kernel = fork();
	assert_true(kernel >= 0);
	if (kernel == 0)
		be_a_kernel(report[1]);
	assert_int_equal(read(report[0], &sent, sizeof sent), sizeof sent);
	for (size_t i = 0; i < HOSTS; i++) {
		hosts[i] = (struct pollfd){
		    .fd = (int)syscall(SYS_pidfd_open, sent.pids[i], 0), .events = POLLIN};
		assert_true(hosts[i].fd >= 0);
	}
	kill(kernel, SIGKILL);
	for (size_t i = 0; i < HOSTS; i++) {
		assert_int_equal(poll(&hosts[i], 1, 10000), 1); /* 0: it lives on */
		close(hosts[i].fd);
	}
	while (waitpid(-1, &status, WNOHANG) > 0)
		continue;
	close(report[0]);
	close(report[1]);
	test_dir_remove(&sent.dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(no_host_outlives_a_killed_kernel),
	    cmocka_unit_test(traffic_resumes_after_every_kill),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
