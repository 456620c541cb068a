/* SPDX-License-Identifier: Apache-2.0 */
/* What the supervisor's tests talk to: answers calls with their body, or misbehaves as asked. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cairn/plugin.h>

static struct cairn *handle;

static int
start(struct cairn *cairn, void **ret_self, struct cairn_error *err)
{
	(void)err;
	handle = cairn;
	*ret_self = cairn;
	return 0;
}

static void
misbehave(const char *how)
{
	if (strcmp(how, "test.crash") == 0) {
		signal(SIGSEGV, SIG_DFL); /* not the sanitizers' handler, which would exit() */
		raise(SIGSEGV);
	} else if (strcmp(how, "test.exit") == 0) {
		_exit(3);
	} else if (strcmp(how, "test.hang") == 0) {
		for (;;)
			pause();
	}
}

static int
call(void *self, struct cairn_request *req, struct cairn_error *err)
{
	const char *subject = cairn_request_subject(req);
	size_t length;
	const void *body = cairn_request_body(req, &length);

	(void)self;
	(void)err;
	misbehave(subject);
	if (strcmp(subject, "test.environment") == 0) {
		const char *value = getenv("CAIRN_TEST_SECRET");

		return cairn_reply(req, value == NULL ? "none" : value, 4);
	}
	return cairn_reply(req, body, length);
}

static int
job(void *self, struct cairn_job *job, struct cairn_error *err)
{
	(void)self;
	(void)err;
	cairn_job_done(job);
	return 0;
}

static void
event(void *self, const char *subject, const void *body, size_t length)
{
	(void)self;
	cairn_publish(handle, subject, body, length);
}

CAIRN_PLUGIN("echo", "0.1.0", "summary: For the tests\n", .start = start, .call = call, .job = job,
    .event = event)
