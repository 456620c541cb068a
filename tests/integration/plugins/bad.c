/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plugin that is good but for one thing, which BAD names when it is compiled: one shared object
 * for each thing that `cairn plugin test` must find (conformance_test.py says with which words).
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <uv.h>

#include <cairn/plugin.h>

#define NONE 0
#define NEVER_STOPS 1
#define NEVER_ANSWERS 2
#define ANSWERS_TWICE 3
#define IGNORES_CANCEL 4
#define BLOCKS 5
#define LEAKS_MEMORY 6
#define LEAKS_DESCRIPTORS 7
#define TRUSTS_MALLOC 8
#define WRONG_THREAD 9
#define TRUSTS_PEERS 10
#define NEEDS_A_CLEAN_FOLDER 11
#define FAILS_AT_THE_LARGEST 12
#define ENDS_A_JOB_TWICE 13
#define TRUSTS_CALLERS 14
#define STOPS_BY_CRASHING 15
#define NO_HELP 16
#define NEEDS_ANSWERS_TO_STOP 17
#define TRUSTS_EVENTS 18
#define FAILS_TO_START 19
#define WRITES_IN_CHECK 20
#define BLOCKS_IN_HEALTH 21
#define FINDS_NO_WORDS 22

#define IS(what) (BAD == (what))

struct bad {
	struct cairn *cairn;
	uv_timer_t timer;
	struct cairn_request *req;
	unsigned asking;
	int stopping;
};

static void
closed(uv_handle_t *handle)
{
	struct bad *bad = handle->data;
	struct cairn *cairn = bad->cairn;

	free(bad);
	if (!IS(NEVER_STOPS))
		cairn_stopped(cairn);
}

/* Memory that is not there kills: it is written to without a look. */
static void
crash(void)
{
	volatile char *nowhere = NULL;

	*nowhere = 1;
}

static void
too_late(uv_timer_t *timer)
{
	struct bad *bad = timer->data;

	if (bad->req != NULL)
		cairn_reply(bad->req, "", 0);
	bad->req = NULL;
}

static int
check_folder(struct cairn *cairn, struct cairn_error *err)
{
	char path[512];
	int fd;

	snprintf(path, sizeof path, "%s/lock", cairn_state_dir(cairn));
	fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0)
		return cairn_error_set(err, CAIRN_EEXIST, "somebody runs already");
	close(fd);
	return 0;
}

static int
start(struct cairn *cairn, void **ret_self, struct cairn_error *err)
{
	struct bad *bad = calloc(1, sizeof *bad);

	if (bad == NULL && IS(TRUSTS_MALLOC))
		crash();
	if (bad == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	if (IS(FAILS_TO_START) || (IS(NEEDS_A_CLEAN_FOLDER) && check_folder(cairn, err) != 0)) {
		free(bad);
		return cairn_error_set(err, CAIRN_EIO, "this plugin does not wish to start");
	}
	if (IS(FAILS_AT_THE_LARGEST) && cairn_config_integer(cairn, "size") == 100)
		crash();
	bad->cairn = cairn;
	bad->timer.data = bad;
	uv_timer_init(cairn_loop(cairn), &bad->timer);
	*ret_self = bad;
	return 0;
}

static void
peer_answered(void *arg, int code, const char *text, const void *body, size_t length)
{
	struct bad *bad = arg;

	(void)text, (void)body;
	bad->asking--;
	if (IS(TRUSTS_PEERS) && code == 0 && length > 8)
		crash();
	if (bad->stopping && bad->asking == 0)
		uv_close((uv_handle_t *)&bad->timer, closed);
}

static void
work(void *arg)
{
	cairn_reply(arg, "", 0);
}

static void
nothing(void *arg)
{
	(void)arg;
}

static void
leak(void)
{
	if (IS(LEAKS_MEMORY)) {
		char *lost = malloc(64);

		if (lost != NULL)
			*(volatile char *)lost = 1;
	}
	if (IS(LEAKS_DESCRIPTORS) && open("/dev/null", O_RDONLY | O_CLOEXEC) < 0)
		cairn_log(CAIRN_LOG_ERROR, "no descriptor is left");
}

static int
call(void *self, struct cairn_request *req, struct cairn_error *err)
{
	struct bad *bad = self;
	size_t length;
	const char *body = cairn_request_body(req, &length);
	char *copy;

	if (IS(NEVER_ANSWERS))
		return 0;
	if (IS(BLOCKS))
		sleep(30);
	if (IS(TRUSTS_CALLERS) && (length < 8 || body[0] != '{'))
		crash();
	if (IS(WRONG_THREAD))
		return cairn_work(bad->cairn, work, nothing, req);
	if (IS(IGNORES_CANCEL)) { /* answers, but a day later */
		if (bad->req != NULL)
			cairn_fail(bad->req, CAIRN_ELIMIT, "one at a time");
		bad->req = req;
		return uv_timer_start(&bad->timer, too_late, 86400 * 1000, 0);
	}
	leak();
	if (IS(TRUSTS_PEERS) || IS(NEEDS_ANSWERS_TO_STOP))
		bad->asking +=
		    cairn_call(bad->cairn, "bad.peer", "", 0, 1000, peer_answered, bad) == 0;
	copy = malloc(64);
	if (copy == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	free(copy);
	if (IS(ANSWERS_TWICE))
		cairn_reply(req, "once", 4);
	return cairn_reply(req, "well", 4);
}

static int
job(void *self, struct cairn_job *item, struct cairn_error *err)
{
	(void)self, (void)err;
	cairn_job_done(item);
	if (IS(ENDS_A_JOB_TWICE))
		cairn_job_done(item);
	return 0;
}

static void
event(void *self, const char *subject, const void *body, size_t length)
{
	(void)self, (void)subject;
	if (IS(TRUSTS_EVENTS) && (length == 0 || ((const char *)body)[length - 1] != 0))
		crash();
}

static void
stop(void *self)
{
	struct bad *bad = self;

	if (IS(STOPS_BY_CRASHING))
		crash();
	bad->stopping = 1;
	if (IS(NEEDS_ANSWERS_TO_STOP) && bad->asking > 0)
		for (;;) /* for an answer that the blocked loop will never see */
			sleep(1);
	if (bad->asking == 0)
		uv_close((uv_handle_t *)&bad->timer, closed);
}

static void
cancel(void *self, struct cairn_request *req)
{
	(void)self, (void)req;
}

static void
check(struct cairn *cairn, struct cairn_findings *findings)
{
	char path[4096];
	FILE *file;

	if (IS(FINDS_NO_WORDS))
		cairn_finding(findings, &(struct cairn_finding){CAIRN_FAULT, "", "", "help"});
	if (!IS(WRITES_IN_CHECK))
		return;
	snprintf(path, sizeof path, "%s/checked", cairn_state_dir(cairn));
	file = fopen(path, "w");
	if (file != NULL)
		fclose(file);
}

static void
health(void *self, struct cairn_findings *findings)
{
	(void)self;
	if (IS(BLOCKS_IN_HEALTH))
		sleep(3);
	cairn_finding(findings, &(struct cairn_finding){CAIRN_FINE, "well", "", ""});
}

#if BAD == NO_HELP
#define HELP ""
#else
#define HELP ", help: How large"
#endif

CAIRN_PLUGIN(NAME, "0.1.0",
    "summary: Bad in one way\n"
    "serves: [{subject: bad.call, guarded: false}]\n"
    "capabilities: ['job:bad', 'subscribe:bad.*', 'call:bad.peer']\n"
    "config:\n"
    "  size: {type: integer, default: 10, min: 1, max: 100" HELP "}\n",
    .start = start, .call = call, .job = job, .event = event, .stop = stop, .cancel = cancel,
    .check = check, .health = health)
