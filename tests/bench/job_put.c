/* SPDX-License-Identifier: Apache-2.0 */
/* For platform.py: a call puts a job and is answered when that is on the disk; jobs end at once. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cairn/plugin.h>

struct bench {
	struct cairn *cairn;
	unsigned long long next;
};

static int
start(struct cairn *cairn, void **ret_self, struct cairn_error *err)
{
	struct bench *bench = calloc(1, sizeof *bench);

	if (bench == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	bench->cairn = cairn;
	*ret_self = bench;
	return 0;
}

static void
durable(void *arg, int code, const char *text, const void *body, size_t length)
{
	struct cairn_request *req = arg;

	(void)body, (void)length;
	if (code != 0)
		cairn_fail(req, code, "%s", text);
	else
		cairn_reply(req, "", 0);
}

static int
call(void *self, struct cairn_request *req, struct cairn_error *err)
{
	static const char body[200];
	struct bench *bench = self;
	char key[40];
	const struct cairn_job_put job = {"bench", key, body, sizeof body};

	(void)err;
	snprintf(key, sizeof key, "%p-%llu", (void *)bench, bench->next++);
	return cairn_job_put(bench->cairn, &job, 1, durable, req);
}

static int
job(void *self, struct cairn_job *job, struct cairn_error *err)
{
	(void)self, (void)err;
	cairn_job_done(job);
	return 0;
}

CAIRN_PLUGIN("bench", "0.1.0",
    "summary: Puts jobs\n"
    "serves: [{subject: bench.put, guarded: false}]\n"
    "capabilities: ['put:bench', 'job:bench']\n",
    .start = start, .call = call, .job = job)
