/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "supervisor/testing/fixture.h"

static void
open_echo(struct fixture *f)
{
	fixture_init(f);
	fixture_open(f, "echo", "echo", "0.1.0");
	WAIT_FOR(f, is_ready);
}

static bool
is_ready_twice(struct fixture *f)
{
	return f->seen.ready == 2;
}

static bool
is_gone(struct fixture *f)
{
	return f->seen.gone > 0;
}

static bool
has_crashed(struct fixture *f)
{
	return f->seen.crashed + f->seen.failed > 0;
}

static void
a_host_of_another_wire_version_is_refused_by_both_ranges(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	f.options.host_path = TEST_OTHER_WIRE;
	fixture_open(&f, "echo", "echo", "0.1.0");
	WAIT_FOR(&f, has_crashed);
	assert_non_null(strstr(f.seen.reason,
	    "its host speaks wire versions 2 to 3, the kernel speaks 1 to 1; install"));
	assert_int_equal(f.seen.ready, 0);
	fixture_close(&f);
}

static void
hello_greets_through_a_real_host(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	fixture_open(&f, "hello", TEST_HELLO, "0.1.0");
	WAIT_FOR(&f, is_ready);
	assert_int_equal(fixture_call(&f, f.plugin, "hello.greet", ""), 0);
	WAIT_FOR(&f, has_reply);
	assert_string_equal(f.seen.body, "hello");
	fixture_close(&f);
}

static void
a_killed_host_is_back_within_a_second(void **state)
{
	struct fixture f;
	uint64_t killed_ms;

	(void)state;
	open_echo(&f);
	killed_ms = clock_monotonic_ms();
	kill(fixture_pid(&f), SIGKILL);
	WAIT_FOR(&f, is_ready_twice);
	assert_true(clock_monotonic_ms() - killed_ms < 1000);
	assert_int_equal(f.seen.gone, 1);
	assert_int_equal(fixture_call(&f, f.plugin, "test.echo", "again"), 0);
	WAIT_FOR(&f, has_reply);
	assert_string_equal(f.seen.body, "again");
	fixture_close(&f);
}

static void
a_crash_names_plugin_version_and_signal(void **state)
{
	struct fixture f;
	struct supervisor_info info;

	(void)state;
	open_echo(&f);
	fixture_call(&f, f.plugin, "test.crash", "");
	WAIT_FOR(&f, has_crashed);
	assert_string_equal(
	    f.seen.reason, "echo 0.1.0 was killed by signal 11 (Segmentation fault)");
	supervisor_info_get(f.plugin, &info);
	assert_string_equal(info.last_error, f.seen.reason);
	WAIT_FOR(&f, is_ready_twice);
	supervisor_info_get(f.plugin, &info);
	assert_int_equal(info.restarts, 1);
	assert_string_equal(info.last_error, "");
	assert_string_equal(info.earlier_error, f.seen.reason);
	fixture_close(&f);
}

static void
at_hand(void *arg, struct supervisor_plugin *plugin, char *ret, size_t size)
{
	(void)arg;
	(void)plugin;
	snprintf(ret, size, "cohort.count (request 17)");
}

static void
a_crash_names_what_the_plugin_worked_on(void **state)
{
	struct fixture f;
	struct supervisor_failure failure;

	(void)state;
	fixture_init(&f);
	f.work = at_hand;
	fixture_open(&f, "echo", "echo", "0.1.0");
	WAIT_FOR(&f, is_ready);
	fixture_call(&f, f.plugin, "test.crash", "");
	WAIT_FOR(&f, has_crashed);
	assert_string_equal(f.seen.reason,
	    "echo 0.1.0 was killed by signal 11 (Segmentation fault) while it worked on "
	    "cohort.count (request 17)");
	assert_int_equal(supervisor_failures_get(f.plugin, &failure, 1), 1);
	assert_string_equal(failure.what, "crashed");
	assert_string_equal(failure.reason, f.seen.reason);
	fixture_close(&f);
}

static bool
has_failed_to_start_twice(struct fixture *f)
{
	return f->seen.start_failed == 2;
}

static void
a_start_that_fails_is_no_crash(void **state)
{
	struct fixture f;
	struct supervisor_info info;
	struct supervisor_failure failures[SUPERVISOR_FAILURES_KEPT];

	(void)state;
	fixture_init(&f);
	fixture_open(&f, "fail-at-start", "fail_at_start", "0.1.0");
	WAIT_FOR(&f, has_failed_to_start_twice);
	assert_int_equal(f.seen.crashed, 0);
	supervisor_info_get(f.plugin, &info);
	assert_string_equal(
	    info.last_error, "fail-at-start 0.1.0 failed to start: port 104 is in use");
	assert_string_equal(info.earlier_error, "");
	assert_int_equal(info.failures, 2);
	assert_true(info.next_try_ms > 0);
	assert_int_equal(supervisor_failures_get(f.plugin, failures, SUPERVISOR_FAILURES_KEPT), 2);
	assert_string_equal(failures[0].what, "failed to start");
	fixture_close(&f);
}

/* It hangs and has a debugger; without one it would be killed after 60 ms. */
static void
a_host_under_a_debugger_is_left_alone(void **state)
{
	struct fixture f;
	uint64_t start_ms = clock_monotonic_ms();

	(void)state;
	fixture_init(&f);
	f.options.heartbeat_ms = 20;
	fixture_open(&f, "echo", "echo", "0.1.0");
	WAIT_FOR(&f, is_ready);
	assert_int_equal(ptrace(PTRACE_SEIZE, fixture_pid(&f), NULL, NULL), 0);
	fixture_call(&f, f.plugin, "test.hang", "");
	while (clock_monotonic_ms() - start_ms < 500)
		uv_run(&f.loop, UV_RUN_ONCE);
	assert_int_equal(f.seen.crashed, 0);
	kill(fixture_pid(&f), SIGKILL);
	WAIT_FOR(&f, has_crashed);
	fixture_close(&f);
}

static void
a_host_that_ends_by_itself_has_crashed(void **state)
{
	struct fixture f;

	(void)state;
	open_echo(&f);
	fixture_call(&f, f.plugin, "test.exit", "");
	WAIT_FOR(&f, has_crashed);
	assert_string_equal(
	    f.seen.reason, "echo 0.1.0 ended by itself with status 3; its log may say why");
	fixture_close(&f);
}

static void
a_hanging_host_is_found_by_its_heartbeat(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	f.options.heartbeat_ms = 50;
	fixture_open(&f, "echo", "echo", "0.1.0");
	WAIT_FOR(&f, is_ready);
	fixture_call(&f, f.plugin, "test.hang", "");
	WAIT_FOR(&f, is_ready_twice);
	assert_string_equal(f.seen.reason, "echo 0.1.0 gave no sign of life for 150 ms, killed");
	fixture_close(&f);
}

static void
an_idle_host_answers_its_heartbeats(void **state)
{
	struct fixture f;
	uint64_t start_ms = clock_monotonic_ms();

	(void)state;
	fixture_init(&f);
	f.options.heartbeat_ms = 20;
	fixture_open(&f, "echo", "echo", "0.1.0");
	while (clock_monotonic_ms() - start_ms < 500) /* some 25 heartbeats */
		uv_run(&f.loop, UV_RUN_ONCE);
	assert_int_equal(f.seen.crashed, 0);
	assert_true(is_ready(&f));
	fixture_close(&f);
}

static void
the_breaker_opens_after_its_limit(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	f.options.restart_limit = 3;
	fixture_open(&f, "crash-at-start", "crash_at_start", "0.2.0");
	WAIT_FOR(&f, is_failed);
	assert_int_equal(f.seen.crashed, 2);
	assert_int_equal(f.seen.failed, 1);
	assert_int_equal(f.seen.ready, 0);
	assert_int_equal(f.seen.gone, 0);
	assert_string_equal(f.seen.reason, "crash-at-start 0.2.0 was killed by signal 6 (Aborted)");
	assert_int_equal(fixture_call(&f, f.plugin, "test.echo", ""), CAIRN_EUNAVAILABLE);
	fixture_close(&f);
}

static bool
has_tried_twice(struct fixture *f)
{
	struct supervisor_info info = {0};

	supervisor_info_get(f->plugin, &info);
	return info.failures == 2;
}

static void
what_waits_for_something_outside_opens_no_breaker(void **state)
{
	struct supervisor_info info = {0};
	struct fixture f;

	(void)state;
	fixture_init(&f);
	f.options.restart_limit = 1;
	fixture_open(&f, "wait-at-start", "wait_at_start", "0.1.0");
	WAIT_FOR(&f, has_tried_twice);
	supervisor_info_get(f.plugin, &info);
	assert_int_equal(info.state, SUPERVISOR_WAITING);
	assert_int_equal(f.seen.failed, 0);
	assert_true(info.next_try_ms > 1000); /* the second pause is longer than the first */
	fixture_close(&f);
}

static bool
has_failed_twice(struct fixture *f)
{
	return f->seen.failed == 2;
}

static void
restart_clears_the_breaker(void **state)
{
	struct fixture f;
	struct cairn_error err = {0};

	(void)state;
	fixture_init(&f);
	f.options.restart_limit = 2;
	fixture_open(&f, "crash-at-start", "crash_at_start", "0.2.0");
	WAIT_FOR(&f, is_failed);
	assert_ok(supervisor_restart(f.plugin, &err), &err);
	WAIT_FOR(&f, has_failed_twice);
	assert_int_equal(f.seen.crashed, 2);
	fixture_close(&f);
}

static void
crash_once(const char *name, const char *file, unsigned handshake_ms, const char *expected)
{
	struct fixture f;

	fixture_init(&f);
	f.options.restart_limit = 1;
	f.options.handshake_ms = handshake_ms;
	fixture_open(&f, name, file, "0.1.0");
	WAIT_FOR(&f, is_failed);
	if (strstr(f.seen.reason, expected) == NULL)
		fail_msg("expected \"%s\" in \"%s\"", expected, f.seen.reason);
	assert_int_equal(f.seen.ready, 0);
	assert_int_equal(f.seen.events, 0);
	fixture_close(&f);
}

static void
a_failed_start_says_why(void **state)
{
	(void)state;
	crash_once("fail-at-start", "fail_at_start", 0,
	    "fail-at-start 0.1.0 failed to start: port 104 is in use");
}

static void
a_start_that_hangs_is_ended(void **state)
{
	(void)state;
	crash_once("hang-at-start", "hang_at_start", 300, "was not ready within 300 ms, killed");
}

static void
a_wrong_abi_is_refused(void **state)
{
	(void)state;
	crash_once("wrong-abi", "wrong_abi", 0,
	    "plugin wrong-abi was built for ABI 99, this host speaks ABI 1: rebuild it");
}

static void
an_object_without_the_symbol_is_refused(void **state)
{
	(void)state;
	crash_once("no-symbol", "no_symbol", 0, "exports no cairn_plugin");
}

static void
a_missing_object_is_refused(void **state)
{
	(void)state;
	crash_once("absent", "absent", 0, "cannot load plugin absent");
}

static void
a_missing_host_program_is_an_error_at_once(void **state)
{
	struct fixture f;
	Cairn__Welcome welcome = CAIRN__WELCOME__INIT;
	struct supervisor_plugin_options options = {
	    .name = "x", .version = "1", .path = "/x.so", .welcome = &welcome};
	const struct supervisor_ops ops = {0};
	struct cairn_error err = {0};

	(void)state;
	fixture_init(&f);
	f.options.host_path = "/nonexistent/cairn-host";
	assert_ok(supervisor_new(&f.supervisor, &f.loop, &f.options, &ops, &f, &err), &err);
	assert_ok(supervisor_add(f.supervisor, &options, &f.plugin, &err), &err);
	assert_int_equal(supervisor_start(f.plugin, &err), CAIRN_EIO);
	assert_non_null(strstr(err.text, "/nonexistent/cairn-host"));
	assert_true(is_stopped(&f));
	fixture_close(&f);
}

static bool
told_stopped(struct fixture *f)
{
	return f->seen.told_stopped;
}

static void
stop_lets_a_plugin_answer_first(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	fixture_open(&f, "orderly", "orderly", "0.1.0");
	WAIT_FOR(&f, is_ready);
	for (int i = 0; i < 20; i++)
		assert_int_equal(fixture_call(&f, f.plugin, "test.keep", ""), 0);
	supervisor_stop(f.plugin, fixture_count_stop, &f);
	WAIT_FOR(&f, told_stopped);
	assert_true(is_stopped(&f));
	assert_int_equal(f.seen.replies, 20);
	assert_string_equal(f.seen.body, "kept");
	assert_int_equal(f.seen.gone, 1);
	assert_int_equal(f.seen.crashed, 0);
	assert_string_equal(f.seen.reason, "orderly 0.1.0 stopped in order");
	fixture_close(&f);
}

static bool
has_event(struct fixture *f)
{
	return f->seen.events > 0;
}

static void
what_start_sends_arrives_after_ready(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	fixture_open(&f, "orderly", "orderly", "0.1.0");
	WAIT_FOR(&f, has_event);
	assert_int_equal(f.seen.ready, 1);
	fixture_close(&f);
}

static void
a_plugin_that_does_not_stop_is_killed(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	f.options.stop_timeout_ms = 100;
	fixture_open(&f, "slow-stop", "slow_stop", "0.1.0");
	WAIT_FOR(&f, is_ready);
	supervisor_stop(f.plugin, fixture_count_stop, &f);
	WAIT_FOR(&f, told_stopped);
	assert_string_equal(f.seen.reason, "slow-stop 0.1.0 did not stop within 100 ms, killed");
	assert_int_equal(f.seen.crashed, 0);
	fixture_close(&f);
}

static void
a_plugin_stopped_while_starting_is_stopped(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	fixture_open(&f, "echo", "echo", "0.1.0");
	supervisor_stop(f.plugin, fixture_count_stop, &f);
	WAIT_FOR(&f, told_stopped);
	assert_int_equal(f.seen.crashed + f.seen.ready + f.seen.gone, 0);
	fixture_close(&f);
}

static void
a_restart_makes_another_process(void **state)
{
	struct fixture f;
	struct cairn_error err = {0};
	struct supervisor_info info;
	int first;

	(void)state;
	open_echo(&f);
	first = fixture_pid(&f);
	assert_ok(supervisor_restart(f.plugin, &err), &err);
	WAIT_FOR(&f, is_ready_twice);
	assert_int_not_equal(fixture_pid(&f), first);
	assert_int_equal(f.seen.crashed, 0);
	assert_int_equal(f.seen.stopped, 1);
	supervisor_info_get(f.plugin, &info);
	assert_int_equal(info.restarts, 0); /* somebody asked for it */
	assert_int_equal(info.starts, 2);
	fixture_close(&f);
}

static void
a_host_sees_nothing_of_the_kernels_environment(void **state)
{
	struct fixture f;

	(void)state;
	setenv("CAIRN_TEST_SECRET", "leak", 1);
	open_echo(&f);
	fixture_call(&f, f.plugin, "test.environment", "");
	WAIT_FOR(&f, has_reply);
	assert_string_equal(f.seen.body, "none");
	fixture_close(&f);
	unsetenv("CAIRN_TEST_SECRET");
}

/* ---- sockets, descriptors, flooding ------------------------------------------------------- */

static size_t
count_descriptors(int pid)
{
	char path[64];
	DIR *dir;
	size_t count = 0;

	snprintf(path, sizeof path, "/proc/%d/fd", pid);
	dir = opendir(path);
	assert_non_null(dir);
	while (readdir(dir) != NULL)
		count++;
	closedir(dir);
	return count;
}

/* The least over some turns of the loop: NNG closes what it no longer needs on its own thread. */
static size_t
settled_descriptors(struct fixture *f)
{
	size_t least = SIZE_MAX;
	uint64_t start_ms = clock_monotonic_ms();

	uv_ref((uv_handle_t *)&f->tick);
	while (clock_monotonic_ms() - start_ms < 300) {
		size_t count = count_descriptors(fixture_pid(f));

		least = count < least ? count : least;
		uv_run(&f->loop, UV_RUN_ONCE);
	}
	uv_unref((uv_handle_t *)&f->tick);
	return least;
}

/* The host has what it opened itself, whatever the kernel holds when it starts it. */
static void
a_host_inherits_no_descriptor(void **state)
{
	struct fixture f;
	size_t alone;
	int fds[64];

	(void)state;
	open_echo(&f);
	alone = settled_descriptors(&f);
	fixture_close(&f);
	for (size_t i = 0; i < 64; i++)
		fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	open_echo(&f);
	for (int i = 0; i < 8; i++) {
		char name[] = "other-0";

		name[6] = (char)('0' + i);
		fixture_add(&f, name, "echo", "0.1.0");
	}
	kill(fixture_pid(&f), SIGKILL);
	WAIT_FOR(&f, is_gone);
	WAIT_FOR(&f, is_ready);
	assert_int_equal(settled_descriptors(&f), alone);
	fixture_close(&f);
	for (size_t i = 0; i < 64; i++)
		close(fds[i]);
}

static unsigned
count_sockets(const char *path, mode_t *ret_mode)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;
	unsigned count = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL) {
		struct stat st;

		if (strstr(entry->d_name, ".sock") == NULL)
			continue;
		assert_int_equal(fstatat(dirfd(dir), entry->d_name, &st, 0), 0);
		*ret_mode = st.st_mode & 07777;
		count++;
	}
	closedir(dir);
	return count;
}

static void
a_socket_is_private_and_removed(void **state)
{
	struct fixture f;
	mode_t mode = 0;

	(void)state;
	open_echo(&f);
	assert_int_equal(count_sockets(f.dir.path, &mode), 1);
	assert_int_equal(mode, 0600);
	kill(fixture_pid(&f), SIGKILL);
	WAIT_FOR(&f, is_ready_twice);
	assert_int_equal(count_sockets(f.dir.path, &mode), 1);
	supervisor_stop(f.plugin, NULL, NULL);
	WAIT_FOR(&f, is_stopped);
	assert_int_equal(count_sockets(f.dir.path, &mode), 0);
	fixture_close(&f);
}

static bool
has_many_events(struct fixture *f)
{
	return f->seen.events > 200000;
}

static void
a_flooding_plugin_does_not_silence_another(void **state)
{
	struct fixture f;
	struct supervisor_plugin *echo;

	(void)state;
	fixture_init(&f);
	fixture_open(&f, "flood", "flood", "0.1.0");
	WAIT_FOR(&f, has_event);
	echo = fixture_add(&f, "echo", "echo", "0.1.0");
	for (int i = 0; i < 20; i++) {
		while (fixture_call(&f, echo, "test.echo", "x") != 0)
			uv_run(&f.loop, UV_RUN_ONCE);
		WAIT_FOR(&f, has_reply);
	}
	WAIT_FOR(&f, has_many_events);
	assert_int_equal(f.seen.crashed, 0);
	fixture_close(&f);
}

static void
sending_to_a_host_that_does_not_read_is_bounded(void **state)
{
	struct fixture f;
	int code = 0;
	unsigned sent = 0;

	(void)state;
	open_echo(&f);
	fixture_call(&f, f.plugin, "test.hang", "");
	while (code == 0 && sent < 100000) {
		code = fixture_call(&f, f.plugin, "test.echo", "01234567890123456789");
		sent += code == 0;
	}
	assert_int_equal(code, CAIRN_ELIMIT);
	kill(fixture_pid(&f), SIGKILL);
	WAIT_FOR(&f, is_ready_twice);
	fixture_close(&f);
}

/* Events fill their queue; a reply, a job and a cancel still find room. */
static void
a_flood_of_events_drops_only_events(void **state)
{
	static const Cairn__Envelope__Kind kinds[] = {CAIRN__ENVELOPE__KIND__REPLY,
	    CAIRN__ENVELOPE__KIND__CALL, CAIRN__ENVELOPE__KIND__JOB, CAIRN__ENVELOPE__KIND__CANCEL};
	struct fixture f;
	Cairn__Envelope envelope = CAIRN__ENVELOPE__INIT;
	int code = 0;

	(void)state;
	open_echo(&f);
	fixture_call(&f, f.plugin, "test.hang", "");
	envelope.kind = CAIRN__ENVELOPE__KIND__EVENT;
	envelope.subject = (char *)(uintptr_t) "test.tick";
	for (unsigned sent = 0; code == 0 && sent < 100000; sent++)
		code = supervisor_send(f.plugin, &envelope);
	assert_int_equal(code, CAIRN_ELIMIT);
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		envelope.kind = kinds[i];
		envelope.id = 1u << 20;
		assert_int_equal(supervisor_send(f.plugin, &envelope), 0);
	}
	kill(fixture_pid(&f), SIGKILL);
	WAIT_FOR(&f, is_ready_twice);
	fixture_close(&f);
}

static bool
has_all_jobs_done(struct fixture *f)
{
	return f->seen.jobs_done == 300;
}

static void
jobs_are_acknowledged(void **state)
{
	struct fixture f;
	Cairn__Envelope envelope = CAIRN__ENVELOPE__INIT;
	Cairn__Job jobs[100];
	Cairn__Job *pointers[100];

	(void)state;
	open_echo(&f);
	for (size_t i = 0; i < 100; i++) {
		cairn__job__init(&jobs[i]);
		jobs[i].id = i + 1;
		pointers[i] = &jobs[i];
	}
	envelope.kind = CAIRN__ENVELOPE__KIND__JOB;
	envelope.n_jobs = 100;
	envelope.jobs = pointers;
	for (int i = 0; i < 3; i++)
		assert_int_equal(supervisor_send(f.plugin, &envelope), 0);
	WAIT_FOR(&f, has_all_jobs_done);
	fixture_close(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(hello_greets_through_a_real_host),
	    cmocka_unit_test(a_killed_host_is_back_within_a_second),
	    cmocka_unit_test(a_crash_names_plugin_version_and_signal),
	    cmocka_unit_test(a_crash_names_what_the_plugin_worked_on),
	    cmocka_unit_test(a_start_that_fails_is_no_crash),
	    cmocka_unit_test(a_host_of_another_wire_version_is_refused_by_both_ranges),
	    cmocka_unit_test(a_host_under_a_debugger_is_left_alone),
	    cmocka_unit_test(a_host_that_ends_by_itself_has_crashed),
	    cmocka_unit_test(a_hanging_host_is_found_by_its_heartbeat),
	    cmocka_unit_test(an_idle_host_answers_its_heartbeats),
	    cmocka_unit_test(the_breaker_opens_after_its_limit),
	    cmocka_unit_test(restart_clears_the_breaker),
	    cmocka_unit_test(what_waits_for_something_outside_opens_no_breaker),
	    cmocka_unit_test(a_failed_start_says_why),
	    cmocka_unit_test(a_start_that_hangs_is_ended),
	    cmocka_unit_test(a_wrong_abi_is_refused),
	    cmocka_unit_test(an_object_without_the_symbol_is_refused),
	    cmocka_unit_test(a_missing_object_is_refused),
	    cmocka_unit_test(a_missing_host_program_is_an_error_at_once),
	    cmocka_unit_test(stop_lets_a_plugin_answer_first),
	    cmocka_unit_test(what_start_sends_arrives_after_ready),
	    cmocka_unit_test(a_plugin_that_does_not_stop_is_killed),
	    cmocka_unit_test(a_plugin_stopped_while_starting_is_stopped),
	    cmocka_unit_test(a_restart_makes_another_process),
	    cmocka_unit_test(a_host_sees_nothing_of_the_kernels_environment),
	    cmocka_unit_test(a_host_inherits_no_descriptor),
	    cmocka_unit_test(a_socket_is_private_and_removed),
	    cmocka_unit_test(a_flooding_plugin_does_not_silence_another),
	    cmocka_unit_test(sending_to_a_host_that_does_not_read_is_bounded),
	    cmocka_unit_test(a_flood_of_events_drops_only_events),
	    cmocka_unit_test(jobs_are_acknowledged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
