/* SPDX-License-Identifier: Apache-2.0 */
/* The fake kernel, by a plugin that uses all of it; and that what breaks the rules fails a test,
 * which a process of its own shows. */
#include "base/test.h"

#include <sys/wait.h>
#include <unistd.h>

#include <uv.h>

#include <cairn/testing.h>

/* ---- the plugin: asks "peer", answers with what the peer said -------------------------------- */

struct relay {
	struct cairn *cairn;
	struct cairn_request *req;
	uv_timer_t timer;
	unsigned ticks;
	bool closed;
};

static void
ticked(uv_timer_t *timer)
{
	struct relay *relay = timer->data;

	relay->ticks++;
}

static int
start(struct cairn *cairn, void **ret_self, struct cairn_error *err)
{
	struct relay *relay = calloc(1, sizeof *relay);

	if (relay == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	relay->cairn = cairn;
	relay->timer.data = relay;
	uv_timer_init(cairn_loop(cairn), &relay->timer);
	uv_timer_start(
	    &relay->timer, ticked, (uint64_t)cairn_config_integer(cairn, "every"), 60000);
	*ret_self = relay;
	return 0;
}

static void
answered(void *arg, int code, const char *text, const void *body, size_t length)
{
	struct relay *relay = arg;
	struct cairn_request *req = relay->req;

	relay->req = NULL;
	if (req == NULL)
		return;
	if (code != 0)
		cairn_fail(req, code, "the peer: %s", text);
	else
		cairn_reply(req, body, length);
}

static int
call(void *self, struct cairn_request *req, struct cairn_error *err)
{
	struct relay *relay = self;
	const char *subject = cairn_request_subject(req);
	char *copy;

	if (strcmp(subject, "relay.twice") == 0)
		return cairn_reply(req, "", 0), cairn_reply(req, "", 0);
	if (strcmp(subject, "relay.never") == 0)
		return 0;
	if (strcmp(subject, "relay.allocate") == 0) {
		copy = strdup("copied");
		if (copy == NULL)
			return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
		cairn_reply(req, copy, strlen(copy));
		free(copy);
		return 0;
	}
	relay->req = req;
	return cairn_call(relay->cairn, "peer", "ask", 3, 5000, answered, relay);
}

static void
cancel(void *self, struct cairn_request *req)
{
	struct relay *relay = self;

	relay->req = NULL;
	cairn_fail(req, CAIRN_ECANCELLED, "cancelled");
}

static int
job(void *self, struct cairn_job *item, struct cairn_error *err)
{
	(void)self;
	if (strcmp(cairn_job_key(item), "bad") == 0)
		return cairn_error_set(err, CAIRN_EINVAL, "a bad job");
	cairn_job_done(item);
	return 0;
}

static void
closed(uv_handle_t *handle)
{
	struct relay *relay = handle->data;

	cairn_stopped(relay->cairn);
	free(relay);
}

static void
stop(void *self)
{
	struct relay *relay = self;

	uv_close((uv_handle_t *)&relay->timer, closed);
}

static void
check(struct cairn *cairn, struct cairn_findings *findings)
{
	const struct cairn_finding busy = {CAIRN_FAULT, "port 1 is in use", NULL, "stop it"};

	if (!cairn_serving(cairn))
		cairn_finding(findings, &busy);
}

static void
health(void *self, struct cairn_findings *findings)
{
	struct relay *relay = self;
	char what[64];

	snprintf(what, sizeof what, "%u ticks", relay->ticks);
	cairn_finding(findings, &(struct cairn_finding){CAIRN_FINE, what, "", ""});
}

CAIRN_PLUGIN("relay", "0.1.0", "summary: For these tests\n", .start = start, .call = call,
    .cancel = cancel, .job = job, .stop = stop, .check = check, .health = health)

/* ---- what a test sees --------------------------------------------------------------------------
 */

static struct cairn_testing *
begin(void)
{
	static const char *const settings[] = {"every=60000", NULL};
	struct cairn_testing *kernel = cairn_testing_new(settings);

	cairn_testing_start(kernel, &cairn_plugin);
	return kernel;
}

static void
a_recorded_reply_answers_a_call_whether_before_or_after_it(void **state)
{
	struct cairn_testing *kernel = begin();
	struct cairn_testing_call *first, *second;

	(void)state;
	cairn_testing_answer(kernel, "peer", 0, "early", 5);
	first = cairn_testing_call(kernel, "relay.ask", "", 0);
	assert_string_equal(cairn_testing_body(first, NULL), "early");
	second = cairn_testing_begin(kernel, "relay.ask", "", 0);
	assert_false(cairn_testing_answered(second));
	cairn_testing_answer(kernel, "peer", CAIRN_EDENIED, NULL, 0);
	cairn_testing_finish(second);
	assert_int_equal(cairn_testing_code(second), CAIRN_EDENIED);
	assert_string_equal(cairn_testing_take(kernel, "peer")->body, "ask");
	cairn_testing_stop(kernel);
}

static void
replies_come_from_a_file_in_order(void **state)
{
	struct cairn_testing *kernel = begin();
	char path[] = "/tmp/cairn-replies-XXXXXX";
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	dprintf(fd, "# recorded\npeer 0 0 one two\npeer 250 -9 \n");
	close(fd);
	cairn_testing_answers_load(kernel, path);
	assert_string_equal(
	    cairn_testing_body(cairn_testing_call(kernel, "relay.ask", "", 0), NULL), "one two");
	struct cairn_testing_call *late = cairn_testing_begin(kernel, "relay.ask", "", 0);
	cairn_testing_advance(kernel, 249);
	assert_false(cairn_testing_answered(late));
	cairn_testing_advance(kernel, 1);
	assert_int_equal(cairn_testing_code(late), CAIRN_EUNAVAILABLE);
	unlink(path);
	cairn_testing_stop(kernel);
}

static void
time_moves_only_when_told_and_timers_run_at_their_moment(void **state)
{
	struct cairn_testing *kernel = begin();
	struct cairn_testing_call *call_ = cairn_testing_begin(kernel, "relay.ask", "", 0);

	(void)state;
	cairn_testing_advance(kernel, 4999);
	assert_false(cairn_testing_answered(call_));
	cairn_testing_advance(kernel, 1);
	assert_int_equal(cairn_testing_code(call_), CAIRN_ETIMEOUT);
	cairn_testing_advance(kernel, 3600u * 1000);
	cairn_testing_stop(kernel);
}

static void
a_cancelled_call_is_answered(void **state)
{
	struct cairn_testing *kernel = begin();
	struct cairn_testing_call *call_ = cairn_testing_begin(kernel, "relay.ask", "", 0);

	(void)state;
	cairn_testing_cancel(call_);
	cairn_testing_finish(call_);
	assert_int_equal(cairn_testing_code(call_), CAIRN_ECANCELLED);
	cairn_testing_stop(kernel);
}

static void
jobs_end_or_come_back_with_the_reason(void **state)
{
	struct cairn_testing *kernel = begin();
	struct cairn_testing_job *bad = cairn_testing_job(kernel, "q", "bad", "", 0);

	(void)state;
	assert_int_equal(cairn_testing_job_end(bad), CAIRN_TESTING_RETRY);
	assert_string_equal(cairn_testing_job_reason(bad), "a bad job");
	assert_int_equal(cairn_testing_job_end(cairn_testing_job(kernel, "q", "good", "", 0)),
	    CAIRN_TESTING_DONE);
	cairn_testing_stop(kernel);
}

static void
a_refused_call_fails_the_request(void **state)
{
	struct cairn_testing *kernel = begin();

	(void)state;
	cairn_testing_refuse(kernel, CAIRN_TESTING_CALL, CAIRN_ELIMIT);
	assert_int_equal(
	    cairn_testing_code(cairn_testing_call(kernel, "relay.ask", "", 0)), CAIRN_ELIMIT);
	cairn_testing_stop(kernel);
}

static void
the_nth_allocation_fails_once(void **state)
{
	struct cairn_testing *kernel = begin();

	(void)state;
	if (!cairn_testing_fail_allocation(kernel, 1)) {
		cairn_testing_stop(kernel);
		skip();
	}
	assert_int_equal(
	    cairn_testing_code(cairn_testing_call(kernel, "relay.allocate", "", 0)), CAIRN_ENOMEM);
	assert_true(cairn_testing_allocation_failed(kernel));
	assert_int_equal(
	    cairn_testing_code(cairn_testing_call(kernel, "relay.allocate", "", 0)), 0);
	cairn_testing_stop(kernel);
}

/* ---- what fails a test
 * --------------------------------------------------------------------------- */

static void
answers_twice(void **state)
{
	(void)state;
	cairn_testing_call(begin(), "relay.twice", "", 0);
}

static void
never_answers(void **state)
{
	struct cairn_testing *kernel = begin();

	(void)state;
	cairn_testing_begin(kernel, "relay.never", "", 0);
	cairn_testing_stop(kernel);
}

static void
asks_for_a_setting_that_is_not_there(void **state)
{
	(void)state;
	cairn_testing_start(cairn_testing_new(NULL), &cairn_plugin);
}

/* Runs one failing test in a process of its own; what it printed is in `ret_text`. */
static void
expect_failure(const struct CMUnitTest *test, const char *words)
{
	char text[4096] = "";
	size_t length = 0;
	int ends[2], status;
	pid_t child;

	assert_int_equal(pipe(ends), 0);
	fflush(NULL);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		dup2(ends[1], 1);
		dup2(ends[1], 2);
		_exit(_cmocka_run_group_tests("inner", test, 1, NULL, NULL));
	}
	close(ends[1]);
	for (ssize_t got = 1; got > 0 && length < sizeof text - 1; length += (size_t)got)
		got = read(ends[0], text + length, sizeof text - 1 - length);
	close(ends[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	if (strstr(text, words) == NULL)
		fail_msg("expected '%s' in: %s", words, text);
}

static void
breaking_the_rules_fails_the_test_with_the_reason(void **state)
{
	const struct CMUnitTest twice = cmocka_unit_test(answers_twice);
	const struct CMUnitTest never = cmocka_unit_test(never_answers);
	const struct CMUnitTest setting = cmocka_unit_test(asks_for_a_setting_that_is_not_there);

	(void)state;
	expect_failure(&twice, "that was answered already");
	expect_failure(&never, "a call of relay.never was never answered");
	expect_failure(&setting, "asks for the setting 'every'");
}

static void
findings_of_check_and_health_are_seen(void **state)
{
	struct cairn_testing *kernel = cairn_testing_new(NULL);

	(void)state;
	assert_int_equal(cairn_testing_check(kernel, &cairn_plugin, true), 0);
	assert_int_equal(cairn_testing_check(kernel, &cairn_plugin, false), 1);
	assert_int_equal(cairn_testing_finding(kernel, 0)->severity, CAIRN_FAULT);
	assert_string_equal(cairn_testing_finding(kernel, 0)->what, "port 1 is in use");
	assert_string_equal(cairn_testing_finding(kernel, 0)->why, "");
	cairn_testing_stop(kernel);
	kernel = begin();
	cairn_testing_advance(kernel, 60000);
	assert_int_equal(cairn_testing_health(kernel), 1);
	assert_string_equal(cairn_testing_finding(kernel, 0)->what, "1 ticks");
	cairn_testing_stop(kernel);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_recorded_reply_answers_a_call_whether_before_or_after_it),
	    cmocka_unit_test(replies_come_from_a_file_in_order),
	    cmocka_unit_test(time_moves_only_when_told_and_timers_run_at_their_moment),
	    cmocka_unit_test(a_cancelled_call_is_answered),
	    cmocka_unit_test(jobs_end_or_come_back_with_the_reason),
	    cmocka_unit_test(a_refused_call_fails_the_request),
	    cmocka_unit_test(the_nth_allocation_fails_once),
	    cmocka_unit_test(findings_of_check_and_health_are_seen),
	    cmocka_unit_test(breaking_the_rules_fails_the_test_with_the_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
