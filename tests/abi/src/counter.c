/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs, events and settings: a call puts a job, the job publishes an event, a second call asks for
 * the counts; and a stop that says when it is done. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cairn/plugin.h>

struct counter {
	struct cairn *cairn;
	unsigned jobs, events, puts, asked;
	int64_t step;
};

static void
put_done(void *arg, int code, const char *text, const void *body, size_t length)
{
	struct counter *counter = arg;

	(void)text, (void)body, (void)length;
	if (code == 0)
		counter->puts++;
}

static int
start(struct cairn *cairn, void **ret_self, struct cairn_error *err)
{
	struct counter *counter = calloc(1, sizeof *counter);

	if (counter == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	counter->cairn = cairn;
	counter->step = cairn_config_integer(cairn, "step");
	*ret_self = counter;
	cairn_log(CAIRN_LOG_INFO, "counting in %s", cairn_node_id(cairn));
	return 0;
}

static int
call(void *self, struct cairn_request *req, struct cairn_error *err)
{
	struct counter *counter = self;
	struct cairn_job_put job = {.queue = "ticks", .body = "tick", .length = 4};
	char text[96];

	(void)err;
	if (strcmp(cairn_request_subject(req), "counter.put") == 0) {
		snprintf(text, sizeof text, "tick-%u", ++counter->asked);
		job.key = text;
		if (cairn_job_put(counter->cairn, &job, 1, put_done, counter) != 0)
			return cairn_fail(req, CAIRN_EUNAVAILABLE, "no queue");
		return cairn_reply(req, "put", 3);
	}
	snprintf(text, sizeof text, "jobs %u events %u puts %u", counter->jobs, counter->events,
	    counter->puts);
	return cairn_reply(req, text, strlen(text));
}

static int
job(void *self, struct cairn_job *job, struct cairn_error *err)
{
	struct counter *counter = self;
	size_t length;

	(void)err;
	if (cairn_job_body(job, &length) == NULL || length != 4 || cairn_job_attempt(job) != 1)
		return CAIRN_EINVAL;
	counter->jobs += (unsigned)counter->step;
	cairn_publish(counter->cairn, "counter.ticked", "x", 1);
	cairn_job_done(job);
	return 0;
}

static void
event(void *self, const char *subject, const void *body, size_t length)
{
	struct counter *counter = self;

	(void)subject, (void)body;
	counter->events += length == 1;
}

static void
stop(void *self)
{
	struct counter *counter = self;

	cairn_stopped(counter->cairn);
}

CAIRN_PLUGIN("counter", "0.1.0",
    "summary: Counts jobs and events\n"
    "serves: [{subject: counter.put, guarded: false}, {subject: counter.get, guarded: false}]\n"
    "capabilities: [put:ticks, job:ticks, publish:counter.ticked, subscribe:counter.*]\n"
    "config:\n"
    "  step: {type: integer, default: 1, min: 1, max: 9, help: What one job counts for}\n",
    .start = start, .call = call, .job = job, .event = event, .stop = stop)
