/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `cairn plugin test` has cairn-host load in the plugin's place: it loads the plugin in turn
 * (CAIRN_CONFORMANCE_PLUGIN), hands everything on, and looks at what passes.  The plugin's calls of
 * cairn/plugin.h and of malloc go through this file (testing/got.h), so that it sees an answer
 * given twice, a call from the wrong thread, and can let an allocation fail.  What is wrong goes to
 * standard error, a line that begins with "conformance: ".
 *
 * The plugin is one to a process and its hooks take no argument of ours, hence the file's state.
 */
#include <dlfcn.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include <cairn/plugin.h>

#include "testing/got.h"

#define OPEN_MAX_ITEMS 8192
#define CONTROL "cairn.conformance."

struct open {
	const void *items[OPEN_MAX_ITEMS];
	size_t count;
};

static struct {
	struct cairn_plugin plugin;
	void *self;
	struct cairn *cairn;
	uv_thread_t loop_thread;
	struct open requests, jobs;
	int stopping, stopped;
} tested;

#define complain(...)                                        \
	do {                                                 \
		char line_[256];                             \
		snprintf(line_, sizeof line_, __VA_ARGS__);  \
		fprintf(stderr, "conformance: %s\n", line_); \
	} while (0)

static void
open_add(struct open *open, const void *item)
{
	if (open->count < OPEN_MAX_ITEMS)
		open->items[open->count++] = item;
}

static int
open_remove(struct open *open, const void *item)
{
	for (size_t i = 0; i < open->count; i++) {
		if (open->items[i] != item)
			continue;
		open->items[i] = open->items[--open->count];
		return 1;
	}
	return 0;
}

static int
on_loop(const char *function)
{
	uv_thread_t self = uv_thread_self();

	if (uv_thread_equal(&self, &tested.loop_thread))
		return 1;
	complain("%s() was called from another thread than the loop's", function);
	return 0;
}

/* ---- hooks --------------------------------------------------------------------------------- */

/* Whether the request may be answered: not from another thread, not a second time. */
static int
may_answer(const struct cairn_request *req, const char *function)
{
	if (!on_loop(function))
		return 0;
	if (open_remove(&tested.requests, req))
		return 1;
	complain("%s() for a request that was answered already", function);
	return 0;
}

static int
hook_reply(struct cairn_request *req, const void *body, size_t length)
{
	return may_answer(req, "cairn_reply") ? cairn_reply(req, body, length) : 0;
}

static int
hook_fail(struct cairn_request *req, int code, const char *format, ...)
{
	char text[CAIRN_ERROR_TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (code >= 0)
		complain("cairn_fail() with the code %d; codes are negative", code);
	return may_answer(req, "cairn_fail") ? cairn_fail(req, code, "%s", text) : 0;
}

static void
end_job(struct cairn_job *job, const char *function, const char *reason)
{
	if (!on_loop(function))
		return;
	if (!open_remove(&tested.jobs, job))
		complain("%s() for a job that was ended already", function);
	else if (reason == NULL)
		cairn_job_done(job);
	else
		cairn_job_retry(job, reason);
}

static void
hook_job_done(struct cairn_job *job)
{
	end_job(job, "cairn_job_done", NULL);
}

static void
hook_job_retry(struct cairn_job *job, const char *reason)
{
	end_job(job, "cairn_job_retry", reason == NULL ? "" : reason);
}

/* wide: the ABI's own signature */
static int
hook_call(struct cairn *cairn, const char *subject, const void *body, size_t length,
    unsigned timeout_ms, cairn_call_fn done, void *arg)
{
	return on_loop("cairn_call")
	    ? cairn_call(cairn, subject, body, length, timeout_ms, done, arg)
	    : CAIRN_EINVAL;
}

static int
hook_publish(struct cairn *cairn, const char *subject, const void *body, size_t length)
{
	return on_loop("cairn_publish") ? cairn_publish(cairn, subject, body, length)
					: CAIRN_EINVAL;
}

static int
hook_job_put(struct cairn *cairn, const struct cairn_job_put *jobs, size_t count,
    cairn_call_fn done, void *arg)
{
	return on_loop("cairn_job_put") ? cairn_job_put(cairn, jobs, count, done, arg)
					: CAIRN_EINVAL;
}

static int
hook_work(struct cairn *cairn, void (*work)(void *arg), void (*after)(void *arg), void *arg)
{
	return on_loop("cairn_work") ? cairn_work(cairn, work, after, arg) : CAIRN_EINVAL;
}

static void
hook_stopped(struct cairn *cairn)
{
	if (!on_loop("cairn_stopped"))
		return;
	if (!tested.stopping || tested.stopped)
		complain(
		    "cairn_stopped() was called %s", tested.stopped ? "twice" : "before stop()");
	else
		cairn_stopped(cairn);
	tested.stopped = 1;
}

static const struct got_hook hooks[] = {{"cairn_reply", (void (*)(void))hook_reply},
    {"cairn_fail", (void (*)(void))hook_fail}, {"cairn_job_done", (void (*)(void))hook_job_done},
    {"cairn_job_retry", (void (*)(void))hook_job_retry}, {"cairn_call", (void (*)(void))hook_call},
    {"cairn_publish", (void (*)(void))hook_publish},
    {"cairn_job_put", (void (*)(void))hook_job_put}, {"cairn_work", (void (*)(void))hook_work},
    {"cairn_stopped", (void (*)(void))hook_stopped}};

/* ---- handing on ---------------------------------------------------------------------------- */

/* The host has started this very file without us before: what is wrong with it was said there. */
static int
load(struct cairn_error *err)
{
	const char *path = getenv("CAIRN_CONFORMANCE_PLUGIN");
	const struct cairn_plugin *plugin;
	void *object = path == NULL ? NULL : dlopen(path, RTLD_NOW | RTLD_LOCAL);

	plugin = object == NULL ? NULL : dlsym(object, "cairn_plugin");
	if (plugin == NULL)
		return cairn_error_set(err, CAIRN_EINVAL, "cannot load the plugin: %s", dlerror());
	memcpy(&tested.plugin, plugin,
	    plugin->size < sizeof tested.plugin ? plugin->size : sizeof tested.plugin);
	got_replace(plugin, hooks, sizeof hooks / sizeof *hooks);
	got_watch_allocations(plugin);
	return 0;
}

static int
start(struct cairn *cairn, void **ret_self, struct cairn_error *err)
{
	const char *nth = getenv("CAIRN_CONFORMANCE_FAIL");
	int code = load(err);

	tested.loop_thread = uv_thread_self();
	tested.cairn = cairn;
	*ret_self = &tested;
	if (code != 0 || tested.plugin.start == NULL)
		return code;
	got_fail_allocation(nth == NULL ? 0 : (unsigned)strtoul(nth, NULL, 10));
	code = tested.plugin.start(cairn, &tested.self, err);
	if (code > 0)
		complain("start() returned %d; codes are negative", code);
	if (got_allocation_failed())
		fprintf(stderr, "conformance-note: an allocation failed in start()\n");
	got_fail_allocation(0);
	return code;
}

size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

static size_t
heap_bytes(void)
{
	struct mallinfo2 info;

	if (__sanitizer_get_current_allocated_bytes != NULL)
		return __sanitizer_get_current_allocated_bytes();
	info = mallinfo2();
	return info.uordblks + info.hblkhd;
}

/* "report": what the process holds; "fail": the nth allocation from now. */
static int
control(struct cairn_request *req, const char *what)
{
	char text[128];
	size_t length;
	const char *body = cairn_request_body(req, &length);

	if (strcmp(what, "fail") == 0 && length < sizeof text) {
		memcpy(text, body, length);
		text[length] = 0;
		got_fail_allocation((unsigned)strtoul(text, NULL, 10));
		return cairn_reply(req, "", 0);
	}
	snprintf(text, sizeof text, "%zu %d %zu %zu", heap_bytes(), got_allocation_failed(),
	    tested.requests.count, tested.jobs.count);
	return cairn_reply(req, text, strlen(text));
}

static int
call(void *self, struct cairn_request *req, struct cairn_error *err)
{
	const char *subject = cairn_request_subject(req);
	int code;

	(void)self;
	if (strncmp(subject, CONTROL, strlen(CONTROL)) == 0)
		return control(req, subject + strlen(CONTROL));
	if (tested.plugin.call == NULL)
		return cairn_error_set(err, CAIRN_EUNSUPPORTED, "this plugin answers no calls");
	open_add(&tested.requests, req);
	code = tested.plugin.call(tested.self, req, err);
	if (code > 0)
		complain("call() returned %d; codes are negative", code);
	if (code != 0 && !open_remove(&tested.requests, req)) {
		complain("call() answered and then also returned %d", code);
		return 0;
	}
	return code;
}

static int
job(void *self, struct cairn_job *item, struct cairn_error *err)
{
	int code;

	(void)self;
	if (tested.plugin.job == NULL)
		return cairn_error_set(err, CAIRN_EUNSUPPORTED, "this plugin takes no jobs");
	open_add(&tested.jobs, item);
	code = tested.plugin.job(tested.self, item, err);
	if (code != 0 && !open_remove(&tested.jobs, item)) {
		complain("job() ended the job and then also returned %d", code);
		return 0;
	}
	return code;
}

static void
event(void *self, const char *subject, const void *body, size_t length)
{
	(void)self;
	if (tested.plugin.event != NULL)
		tested.plugin.event(tested.self, subject, body, length);
}

static void
stop(void *self)
{
	(void)self;
	tested.stopping = 1;
	if (tested.plugin.stop != NULL)
		tested.plugin.stop(tested.self);
	else
		cairn_stopped(tested.cairn);
}

static void
cancel(void *self, struct cairn_request *req)
{
	(void)self;
	if (tested.plugin.cancel != NULL)
		tested.plugin.cancel(tested.self, req);
}

static void
check(struct cairn *cairn, struct cairn_findings *findings)
{
	struct cairn_error err = {0};

	tested.loop_thread = uv_thread_self();
	tested.cairn = cairn;
	if (load(&err) != 0)
		complain("%.200s", err.text);
	else if (tested.plugin.check != NULL)
		tested.plugin.check(cairn, findings);
}

static void
health(void *self, struct cairn_findings *findings)
{
	(void)self;
	if (tested.plugin.health != NULL)
		tested.plugin.health(tested.self, findings);
}

static void
handover(void *self)
{
	(void)self;
	if (tested.plugin.handover != NULL)
		tested.plugin.handover(tested.self);
	else
		cairn_drained(tested.cairn);
}

CAIRN_PLUGIN("conformance", "0.1.0", "summary: Watches a plugin that is tested\n", .start = start,
    .call = call, .job = job, .event = event, .stop = stop, .cancel = cancel, .check = check,
    .health = health, .handover = handover)
