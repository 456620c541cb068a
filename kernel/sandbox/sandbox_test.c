/* SPDX-License-Identifier: Apache-2.0 */
/* One rule a test, each in a child process: confinement has no way back. */
#include "base/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/landlock.h"
#include "sandbox/sandbox.h"

struct place {
	struct test_dir dir;
	char own[128], other[128];
	struct sandbox_policy policy;
};

static void
make_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	close(fd);
}

static void
place_make(struct place *place)
{
	struct cairn_error err = {0};

	*place = (struct place){0};
	test_dir_make(&place->dir);
	snprintf(place->own, sizeof place->own, "%s/own", place->dir.path);
	snprintf(place->other, sizeof place->other, "%s/other", place->dir.path);
	assert_int_equal(mkdir(place->own, 0700), 0);
	make_file(place->other);
	assert_ok(sandbox_policy_add(&place->policy, place->own, SANDBOX_WRITE, &err), &err);
	assert_ok(sandbox_policy_add_system(&place->policy, &err), &err);
}

static void
place_remove(struct place *place)
{
	sandbox_policy_fini(&place->policy);
	test_dir_remove(&place->dir);
}

/* The errno of `attempt` in a confined child, 0 when it succeeded. */
static int
confined(const struct place *place, int (*attempt)(const struct place *place))
{
	struct cairn_error err = {0};
	pid_t child = fork();
	int status = 0;

	assert_true(child >= 0);
	if (child == 0) {
		if (sandbox_enter(&place->policy, &err) != 0 ||
		    sandbox_seal(&place->policy, -1, &err) != 0)
			_exit(255);
		_exit(attempt(place));
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_not_equal(WEXITSTATUS(status), 255);
	return WEXITSTATUS(status);
}

static int
error_of(int result)
{
	return result < 0 ? errno : 0;
}

/* ---- the attempts ----------------------------------------------------------------------- */

static int
read_other(const struct place *place)
{
	return error_of(open(place->other, O_RDONLY | O_CLOEXEC));
}

static int
write_own(const struct place *place)
{
	char path[160];

	snprintf(path, sizeof path, "%s/new", place->own);
	return error_of(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
}

static int
remove_other(const struct place *place)
{
	return error_of(unlink(place->other));
}

static int
chmod_own(const struct place *place)
{
	return error_of(chmod(place->own, 0777));
}

static int
make_process(const struct place *place)
{
	pid_t child = fork();

	(void)place;
	if (child == 0)
		_exit(0);
	return error_of(child);
}

static void *
thread_main(void *arg)
{
	return arg;
}

static int
make_thread(const struct place *place)
{
	pthread_t thread;
	int error = pthread_create(&thread, NULL, thread_main, NULL);

	(void)place;
	return error != 0 ? error : pthread_join(thread, NULL);
}

static int
run_program(const struct place *place)
{
	char name[] = "/bin/true";
	char *const args[] = {name, NULL};

	(void)place;
	return error_of(execv(name, args));
}

static int
trace_parent(const struct place *place)
{
	(void)place;
	return error_of((int)ptrace(PTRACE_ATTACH, getppid(), NULL, NULL));
}

static int
signal_parent(const struct place *place)
{
	(void)place;
	return error_of(kill(getppid(), 0));
}

static int
signal_itself(const struct place *place)
{
	(void)place;
	return error_of(kill(getpid(), 0));
}

static int
inet_socket(const struct place *place)
{
	(void)place;
	return error_of(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

static int
local_socket(const struct place *place)
{
	(void)place;
	return error_of(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

static int
udp_socket(const struct place *place)
{
	(void)place;
	return error_of(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
}

static int
connect_out(const struct place *place)
{
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_port = htons(1), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)place;
	return fd < 0 ? errno : error_of(connect(fd, (struct sockaddr *)&address, sizeof address));
}

static int
accept_here(const struct place *place)
{
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)place;
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0)
		return errno;
	return error_of(listen(fd, 1));
}

static int
fast_open(const struct place *place)
{
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_port = htons(1), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)place;
	return fd < 0 ? errno
		      : error_of((int)sendto(
			    fd, "x", 1, MSG_FASTOPEN, (struct sockaddr *)&address, sizeof address));
}

static int
write_too_much(const struct place *place)
{
	char path[160];
	int fd;

	snprintf(path, sizeof path, "%s/big", place->own);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	return fd < 0 ? errno : error_of(ftruncate(fd, (2 << 20)));
}

static int
outlive_parent(const struct place *place)
{
	(void)place;
	return error_of(prctl(PR_SET_PDEATHSIG, 0));
}

/* ---- the rules -------------------------------------------------------------------------- */

#define RULE(name, attempt, setup, expected)                             \
	static void name(void **state)                                   \
	{                                                                \
		struct place place;                                      \
                                                                         \
		(void)state;                                             \
		place_make(&place);                                      \
		setup;                                                   \
		assert_int_equal(confined(&place, attempt), (expected)); \
		place_remove(&place);                                    \
	}

#define NOTHING (void)0

RULE(its_own_folder_can_be_written, write_own, NOTHING, 0)
RULE(other_files_cannot_be_read, read_other, NOTHING, landlock_version() > 0 ? EACCES : 0)
RULE(other_files_cannot_be_removed, remove_other, NOTHING, landlock_version() > 0 ? EACCES : 0)
RULE(modes_cannot_be_changed, chmod_own, NOTHING, EPERM)
RULE(no_process_can_be_made, make_process, NOTHING, EPERM)
RULE(a_process_can_be_made_where_granted, make_process, place.policy.exec = true, 0)
RULE(threads_can_be_made, make_thread, NOTHING, 0)
RULE(no_program_can_be_run, run_program, NOTHING, EPERM)
RULE(nobody_can_be_traced, trace_parent, NOTHING, EPERM)
RULE(nobody_can_be_signalled, signal_parent, NOTHING, EPERM)
RULE(it_can_signal_itself, signal_itself, NOTHING, 0)
RULE(no_internet_socket, inet_socket, NOTHING, EPERM)
RULE(no_local_socket, local_socket, place.policy.connect = true, EPERM)
RULE(a_listener_listens, accept_here, place.policy.listen = true, 0)
RULE(a_listener_does_not_connect, connect_out, place.policy.listen = true, EPERM)
RULE(a_listener_does_not_connect_by_fast_open, fast_open, place.policy.listen = true, EPERM)
RULE(a_listener_has_no_udp, udp_socket, place.policy.listen = true, EPERM)
RULE(connecting_is_possible_where_granted, connect_out, place.policy.connect = true, ECONNREFUSED)
RULE(a_file_has_a_largest_size, write_too_much, place.policy.file_mb = 1, EFBIG)
RULE(it_dies_with_the_kernel, outlive_parent, NOTHING, EPERM)

static void
a_policy_survives_its_text(void **state)
{
	struct place place;
	struct sandbox_policy copy = {0};
	struct cairn_error err = {0};
	char *text = NULL, *again = NULL;

	(void)state;
	place_make(&place);
	place.policy.listen = place.policy.require = true;
	place.policy.uid = 59901;
	assert_ok(sandbox_policy_text(&place.policy, &text, &err), &err);
	assert_ok(sandbox_policy_parse(text, &copy, &err), &err);
	assert_ok(sandbox_policy_text(&copy, &again, &err), &err);
	assert_string_equal(text, again);
	assert_true(copy.listen && copy.require && !copy.connect);
	free(text);
	free(again);
	sandbox_policy_fini(&copy);
	place_remove(&place);
}

static void
a_policy_that_is_not_understood_is_refused(void **state)
{
	static const char *const bad[] = {"listen\nfly\n", "uid -1\n", "uid x\n",
	    "write relative\n", "reads /etc\n", "uid 99999999999\n"};
	struct sandbox_policy policy = {0};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_int_equal(sandbox_policy_parse(bad[i], &policy, NULL), CAIRN_EINVAL);
}

static void
what_is_kept_is_not_lent(void **state)
{
	struct sandbox_policy policy = {0};
	struct cairn_error err = {0};

	(void)state;
	assert_ok(sandbox_policy_add(&policy, "/tmp", SANDBOX_LEND, &err), &err);
	assert_ok(sandbox_policy_add(&policy, "/tmp/home", SANDBOX_KEEP, &err), &err);
	assert_true(sandbox_policy_lends(&policy, "/tmp/pacs/a.dcm"));
	assert_false(sandbox_policy_lends(&policy, "/tmp/home/keys/site.key"));
	assert_false(sandbox_policy_lends(&policy, "/tmpx"));
	assert_false(sandbox_policy_allows(&policy, "/tmp/pacs/a.dcm", false));
	sandbox_policy_fini(&policy);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(its_own_folder_can_be_written),
	    cmocka_unit_test(other_files_cannot_be_read),
	    cmocka_unit_test(other_files_cannot_be_removed),
	    cmocka_unit_test(modes_cannot_be_changed),
	    cmocka_unit_test(no_process_can_be_made),
	    cmocka_unit_test(a_process_can_be_made_where_granted),
	    cmocka_unit_test(threads_can_be_made),
	    cmocka_unit_test(no_program_can_be_run),
	    cmocka_unit_test(nobody_can_be_traced),
	    cmocka_unit_test(nobody_can_be_signalled),
	    cmocka_unit_test(it_can_signal_itself),
	    cmocka_unit_test(no_internet_socket),
	    cmocka_unit_test(no_local_socket),
	    cmocka_unit_test(a_listener_listens),
	    cmocka_unit_test(a_listener_does_not_connect),
	    cmocka_unit_test(a_listener_does_not_connect_by_fast_open),
	    cmocka_unit_test(a_listener_has_no_udp),
	    cmocka_unit_test(connecting_is_possible_where_granted),
	    cmocka_unit_test(a_file_has_a_largest_size),
	    cmocka_unit_test(it_dies_with_the_kernel),
	    cmocka_unit_test(a_policy_survives_its_text),
	    cmocka_unit_test(a_policy_that_is_not_understood_is_refused),
	    cmocka_unit_test(what_is_kept_is_not_lent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
