/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plugin that misbehaves when asked to.  Each subject is one way of doing so; what the API does
 * not let it say, it writes to its connection to the kernel by itself (ROGUE.forge).
 */
#include <cairn/plugin.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <uv.h>

#include "forge.h"

#define HELD_MAX 8192
#define SLOW_STOP_MS 1500

struct rogue {
	struct cairn *cairn;
	struct cairn_request *held[HELD_MAX]; /* never answered, unless late */
	size_t held_count;
	struct cairn_job *jobs[HELD_MAX];
	size_t job_count;
	unsigned cancelled, events;
	bool late; /* answers what is cancelled */
	bool slow; /* takes SLOW_STOP_MS to stop */
	uv_timer_t timer;
};

static int
start(struct cairn *cairn, void **ret_self, struct cairn_error *err)
{
	struct rogue *rogue = calloc(1, sizeof *rogue);

	if (rogue == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	rogue->cairn = cairn;
	rogue->timer.data = rogue;
	uv_timer_init(cairn_loop(cairn), &rogue->timer);
	*ret_self = rogue;
	return 0;
}

/* ---- forging ---------------------------------------------------------------------------- */

static int
forge_body(struct cairn_request *req)
{
	size_t length = 0;
	const char *body = cairn_request_body(req, &length);

	return forge(ROGUE, body, length) != 0 ? cairn_fail(req, CAIRN_ENOTFOUND, "no connection")
					       : cairn_reply(req, "", 0);
}

/* ---- what the API allows to try --------------------------------------------------------- */

static void
called(void *arg, int code, const char *text, const void *body, size_t length)
{
	(void)body, (void)length;
	if (code != 0)
		cairn_fail(arg, code, "%s", text);
	else
		cairn_reply(arg, "ok", 2);
}

static int
try_call(struct rogue *rogue, struct cairn_request *req, const char *text)
{
	return cairn_call(rogue->cairn, text, "", 0, 5000, called, req);
}

/* "QUEUE COUNT BYTES" */
static int
try_put(struct rogue *rogue, struct cairn_request *req, char *text)
{
	char *queue = strsep(&text, " ");
	size_t count = text == NULL ? 1 : strtoul(strsep(&text, " "), NULL, 10);
	size_t bytes = text == NULL ? 0 : strtoul(text, NULL, 10);
	char *body = calloc(1, bytes + 1);
	struct cairn_job_put *jobs = calloc(count, sizeof *jobs);
	int code;

	for (size_t i = 0; i < count; i++)
		jobs[i] = (struct cairn_job_put){
		    .queue = queue, .key = "", .body = body, .length = bytes};
	code = cairn_job_put(rogue->cairn, jobs, count, called, req);
	free(jobs);
	free(body);
	return code;
}

static int
hold(struct rogue *rogue, struct cairn_request *req)
{
	if (rogue->held_count == HELD_MAX)
		return CAIRN_ELIMIT;
	rogue->held[rogue->held_count++] = req;
	return 0;
}

static int
show(struct rogue *rogue, struct cairn_request *req)
{
	char text[160];
	int wrote = snprintf(text, sizeof text,
	    "cancelled=%u held=%zu jobs=%zu events=%u principal=%s", rogue->cancelled,
	    rogue->held_count, rogue->job_count, rogue->events, cairn_request_principal(req));

	return cairn_reply(req, text, (size_t)wrote);
}

/* ---- guarded calls ---------------------------------------------------------------------- */

static int
answer_guarded(struct rogue *rogue, struct cairn_request *req, const char *how)
{
	static char long_text[200000];
	int64_t cell = 0;

	cairn_obligation_integer(req, "min_cell", &cell);
	if (strcmp(how, "honest") == 0)
		cairn_fulfil(req, "min_cell", cell);
	else if (strcmp(how, "weak") == 0)
		cairn_fulfil(req, "min_cell", cell - 1);
	else if (strcmp(how, "other") == 0)
		cairn_fulfil(req, "min_cells", cell);
	else if (strcmp(how, "leak") == 0)
		return cairn_progress(req, "secret", 6) != 0 ? CAIRN_EIO : hold(rogue, req);
	else if (strcmp(how, "garbage") == 0)
		return cairn_fail(req, CAIRN_EINVAL, "%s", "\x1b[31m\xff words");
	else if (strcmp(how, "hold") == 0)
		return hold(rogue, req);
	if (strcmp(how, "names") == 0) {
		memset(long_text, 'n', sizeof long_text - 1);
		for (int i = 0; i < 20; i++)
			cairn_fulfil(req, "an obligation that nobody ever demanded of a plugin", i);
		cairn_fulfil(req, "min_cell", cell);
		return cairn_reply(req, long_text, sizeof long_text);
	}
	return cairn_reply(req, "secret", 6);
}

/* ---- callbacks -------------------------------------------------------------------------- */

static int
dispatch(struct rogue *rogue, struct cairn_request *req, const char *what, char *text)
{
	if (strcmp(what, "forge") == 0)
		return forge_body(req);
	if (strcmp(what, "call") == 0)
		return try_call(rogue, req, text);
	if (strcmp(what, "put") == 0)
		return try_put(rogue, req, text);
	if (strcmp(what, "silent") == 0)
		return hold(rogue, req);
	if (strcmp(what, "guarded") == 0)
		return answer_guarded(rogue, req, text);
	if (strcmp(what, "show") == 0)
		return show(rogue, req);
	if (strcmp(what, "die") == 0)
		raise(SIGKILL);
	if (strcmp(what, "publish") == 0)
		cairn_publish(rogue->cairn, text, "x", 1);
	if (strcmp(what, "late") == 0)
		rogue->late = true;
	if (strcmp(what, "slow") == 0)
		rogue->slow = true;
	return cairn_reply(req, "ok", 2);
}

static int
call(void *self, struct cairn_request *req, struct cairn_error *err)
{
	size_t length = 0;
	const char *body = cairn_request_body(req, &length);
	char text[256] = "";

	(void)err;
	if (length > 0 && length < sizeof text)
		memcpy(text, body, length);
	return dispatch(self, req, strchr(cairn_request_subject(req), '.') + 1, text);
}

static int
job(void *self, struct cairn_job *item, struct cairn_error *err)
{
	struct rogue *rogue = self;

	if (rogue->job_count == HELD_MAX)
		return cairn_error_set(err, CAIRN_ELIMIT, "enough");
	rogue->jobs[rogue->job_count++] = item;
	return 0;
}

static void
event(void *self, const char *subject, const void *body, size_t length)
{
	struct rogue *rogue = self;

	(void)subject, (void)body, (void)length;
	rogue->events++;
}

static void
cancel(void *self, struct cairn_request *req)
{
	struct rogue *rogue = self;

	rogue->cancelled++;
	for (size_t i = 0; i < rogue->held_count; i++) {
		if (rogue->held[i] != req)
			continue;
		rogue->held[i] = rogue->held[--rogue->held_count];
		if (rogue->late)
			cairn_reply(req, "too late", 8);
		else
			cairn_fail(req, CAIRN_ECANCELLED, "cancelled");
		return;
	}
}

static void
closed(uv_handle_t *handle)
{
	struct rogue *rogue = handle->data;
	struct cairn *cairn = rogue->cairn;

	for (size_t i = 0; i < rogue->held_count; i++)
		cairn_fail(rogue->held[i], CAIRN_ECANCELLED, "stopping");
	for (size_t i = 0; i < rogue->job_count; i++)
		cairn_job_retry(rogue->jobs[i], "stopping");
	free(rogue);
	cairn_stopped(cairn);
}

static void
stop_now(uv_timer_t *timer)
{
	uv_close((uv_handle_t *)timer, closed);
}

static void
stop(void *self)
{
	struct rogue *rogue = self;

	uv_timer_start(&rogue->timer, stop_now, rogue->slow ? SLOW_STOP_MS : 0, 0);
}

CAIRN_PLUGIN(ROGUE, "0.1.0",
    "summary: Misbehaves when asked to\n"
    "serves:\n"
    "  - {subject: " ROGUE ".forge, guarded: false}\n"
    "  - {subject: " ROGUE ".call, guarded: false}\n"
    "  - {subject: " ROGUE ".put, guarded: false}\n"
    "  - {subject: " ROGUE ".publish, guarded: false}\n"
    "  - {subject: " ROGUE ".silent, guarded: false}\n"
    "  - {subject: " ROGUE ".show, guarded: false}\n"
    "  - {subject: " ROGUE ".late, guarded: false}\n"
    "  - {subject: " ROGUE ".slow, guarded: false}\n"
    "  - {subject: " ROGUE ".die, guarded: false}\n"
    "  - {subject: " ROGUE ".guarded}\n"
    "  - {subject: " ROGUE ".typed, request: cairn.CountRequest}\n"
    "capabilities: ['put:" ROGUE "', 'job:" ROGUE "', 'publish:" ROGUE ".*', 'subscribe:rogue.*',\n"
    "  'call:rogue2.*', 'call:kernel.*']\n",
    .start = start, .call = call, .job = job, .event = event, .stop = stop, .cancel = cancel)
