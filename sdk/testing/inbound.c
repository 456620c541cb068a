/* SPDX-License-Identifier: Apache-2.0 */
/* What a test sends to the plugin: calls, jobs, events; and how the plugin ends them. */
#include "testing/private.h"

struct cairn_testing_call {
	struct cairn_request request;
};

struct cairn_testing_job {
	struct cairn_job job;
};

/* ---- calls -------------------------------------------------------------------------------- */

static const char *
copy_text(struct cairn *cairn, const char *text)
{
	return testing_copy(cairn, text, strlen(text));
}

void
cairn_testing_as(struct cairn_testing *kernel, const char *principal, const char *purpose)
{
	struct cairn *cairn = cairn_testing_cairn(kernel);

	cairn->principal = copy_text(cairn, principal);
	cairn->purpose = copy_text(cairn, purpose);
}

static void
obligation_add(struct obligation *list, size_t *count, const char *name, int64_t value)
{
	if (*count == TESTING_OBLIGATIONS_MAX)
		fail_msg("more than %d obligations", TESTING_OBLIGATIONS_MAX);
	snprintf(list[*count].name, sizeof list->name, "%s", name);
	list[(*count)++].value = value;
}

static bool
obligation_find(const struct obligation *list, size_t count, const char *name, int64_t *ret_value)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(list[i].name, name) != 0)
			continue;
		*ret_value = list[i].value;
		return true;
	}
	return false;
}

void
cairn_testing_oblige(struct cairn_testing *kernel, const char *name, int64_t value)
{
	struct cairn *cairn = cairn_testing_cairn(kernel);

	if (name == NULL)
		cairn->obligation_count = 0;
	else
		obligation_add(cairn->obligations, &cairn->obligation_count, name, value);
}

struct cairn_testing_call *
cairn_testing_begin(
    struct cairn_testing *kernel, const char *subject, const void *body, size_t length)
{
	struct cairn *cairn = cairn_testing_cairn(kernel);
	struct cairn_testing_call *call = testing_keep(cairn, sizeof *call);
	struct cairn_request *req = &call->request;
	struct cairn_error err = {0};
	int code;

	if (!cairn->started || cairn->plugin.call == NULL)
		fail_msg("the plugin is not started, or answers no calls");
	*req = (struct cairn_request){.kernel = cairn,
	    .next = cairn->requests,
	    .subject = copy_text(cairn, subject),
	    .principal = cairn->principal,
	    .purpose = cairn->purpose,
	    .body = testing_copy(cairn, body, length),
	    .length = length,
	    .obligation_count = cairn->obligation_count};
	memcpy(req->obligations, cairn->obligations, sizeof req->obligations);
	cairn->requests = req;
	testing_enter();
	code = cairn->plugin.call(cairn->self, req, &err);
	testing_leave(cairn);
	if (code != 0 && req->answered)
		fail_msg("call() answered and then also returned %d", code);
	if (code != 0) {
		req->answered = true;
		req->code = code;
		snprintf(req->text, sizeof req->text, "%s", err.text);
	}
	return call;
}

struct cairn_testing_call *
cairn_testing_call(
    struct cairn_testing *kernel, const char *subject, const void *body, size_t length)
{
	struct cairn_testing_call *call = cairn_testing_begin(kernel, subject, body, length);

	cairn_testing_finish(call);
	return call;
}

void
cairn_testing_finish(struct cairn_testing_call *call)
{
	/* The kernel begins with what the plugin sees of it. */
	cairn_testing_wait((struct cairn_testing *)call->request.kernel, &call->request.answered);
}

void
cairn_testing_cancel(struct cairn_testing_call *call)
{
	struct cairn *cairn = call->request.kernel;

	if (call->request.answered || cairn->plugin.cancel == NULL)
		return;
	testing_enter();
	cairn->plugin.cancel(cairn->self, &call->request);
	testing_leave(cairn);
}

bool
cairn_testing_answered(const struct cairn_testing_call *call)
{
	return call->request.answered;
}

int
cairn_testing_code(const struct cairn_testing_call *call)
{
	return call->request.code;
}

const char *
cairn_testing_text(const struct cairn_testing_call *call)
{
	return call->request.text;
}

const void *
cairn_testing_body(const struct cairn_testing_call *call, size_t *ret_length)
{
	if (ret_length != NULL)
		*ret_length = call->request.reply_length;
	return call->request.reply == NULL ? "" : call->request.reply;
}

unsigned
cairn_testing_progress(const struct cairn_testing_call *call)
{
	return call->request.progress;
}

bool
cairn_testing_fulfilled(const struct cairn_testing_call *call, const char *name, int64_t *ret_value)
{
	return obligation_find(
	    call->request.fulfilled, call->request.fulfilled_count, name, ret_value);
}

/* ---- the plugin's side of a call ---------------------------------------------------------- */

const char *
cairn_request_subject(const struct cairn_request *req)
{
	return req->subject;
}

const void *
cairn_request_body(const struct cairn_request *req, size_t *ret_length)
{
	*ret_length = req->length;
	return req->body;
}

const char *
cairn_request_principal(const struct cairn_request *req)
{
	return req->principal;
}

const char *
cairn_request_purpose(const struct cairn_request *req)
{
	return req->purpose;
}

bool
cairn_obligation_integer(const struct cairn_request *req, const char *name, int64_t *ret_value)
{
	return obligation_find(req->obligations, req->obligation_count, name, ret_value);
}

static void
check_open(struct cairn_request *req, const char *function)
{
	testing_api(req->kernel, function);
	if (req->answered)
		fail_msg("%s() for a call of %s that was answered already", function, req->subject);
}

int
cairn_fulfil(struct cairn_request *req, const char *name, int64_t value)
{
	check_open(req, __func__);
	obligation_add(req->fulfilled, &req->fulfilled_count, name, value);
	testing_api_end();
	return 0;
}

int
cairn_progress(struct cairn_request *req, const void *body, size_t length)
{
	(void)body, (void)length;
	check_open(req, __func__);
	req->progress++;
	testing_api_end();
	return 0;
}

int
cairn_reply(struct cairn_request *req, const void *body, size_t length)
{
	check_open(req, __func__);
	req->reply = testing_copy(req->kernel, body, length);
	req->reply_length = length;
	req->answered = true;
	testing_api_end();
	return 0;
}

int
cairn_fail(struct cairn_request *req, int code, const char *format, ...)
{
	va_list args;

	check_open(req, __func__);
	va_start(args, format);
	vsnprintf(req->text, sizeof req->text, format, args);
	va_end(args);
	req->code = code < 0 ? code : CAIRN_EINTERNAL;
	req->answered = true;
	testing_api_end();
	return 0;
}

/* ---- jobs and events ---------------------------------------------------------------------- */

/* wide: a job has these parts */
struct cairn_testing_job *
cairn_testing_job(struct cairn_testing *kernel, const char *queue, const char *key,
    const void *body, size_t length)
{
	struct cairn *cairn = cairn_testing_cairn(kernel);
	struct cairn_testing_job *handed = testing_keep(cairn, sizeof *handed);
	struct cairn_job *job = &handed->job;
	struct cairn_error err = {0};
	int code;

	if (!cairn->started || cairn->plugin.job == NULL)
		fail_msg("the plugin is not started, or takes no jobs");
	*job = (struct cairn_job){.kernel = cairn,
	    .queue = copy_text(cairn, queue),
	    .key = copy_text(cairn, key),
	    .body = testing_copy(cairn, body, length),
	    .length = length,
	    .attempt = 1};
	testing_enter();
	code = cairn->plugin.job(cairn->self, job, &err);
	testing_leave(cairn);
	if (code != 0 && job->end != CAIRN_TESTING_OPEN)
		fail_msg("job() ended the job and then also returned %d", code);
	if (code != 0) {
		job->end = CAIRN_TESTING_RETRY;
		snprintf(job->reason, sizeof job->reason, "%.255s",
		    err.code != 0 ? err.text : cairn_code_text(code));
	}
	return handed;
}

enum cairn_testing_end
cairn_testing_job_end(struct cairn_testing_job *job)
{
	uint64_t end_ms = testing_clock_real_ms() + CAIRN_TESTING_WAIT_MS;

	while (job->job.end == CAIRN_TESTING_OPEN) {
		testing_turn(job->job.kernel);
		if (testing_clock_real_ms() > end_ms)
			fail_msg("job %s was not ended", job->job.key);
	}
	return job->job.end;
}

enum cairn_testing_end
cairn_testing_job_state(const struct cairn_testing_job *job)
{
	return job->job.end;
}

const char *
cairn_testing_job_reason(const struct cairn_testing_job *job)
{
	return job->job.reason;
}

void
cairn_testing_event(
    struct cairn_testing *kernel, const char *subject, const void *body, size_t length)
{
	struct cairn *cairn = cairn_testing_cairn(kernel);

	if (!cairn->started || cairn->plugin.event == NULL)
		fail_msg("the plugin is not started, or hears no events");
	testing_enter();
	cairn->plugin.event(cairn->self, subject, body, length);
	testing_leave(cairn);
}

const char *
cairn_job_queue(const struct cairn_job *job)
{
	return job->queue;
}

const char *
cairn_job_key(const struct cairn_job *job)
{
	return job->key;
}

const void *
cairn_job_body(const struct cairn_job *job, size_t *ret_length)
{
	*ret_length = job->length;
	return job->body;
}

unsigned
cairn_job_attempt(const struct cairn_job *job)
{
	return job->attempt;
}

static void
job_end(struct cairn_job *job, enum cairn_testing_end end, const char *reason)
{
	testing_api(job->kernel, "cairn_job_done() or _retry");
	if (job->end != CAIRN_TESTING_OPEN)
		fail_msg("job %s was ended twice", job->key);
	job->end = end;
	snprintf(job->reason, sizeof job->reason, "%s", reason == NULL ? "" : reason);
	testing_api_end();
}

void
cairn_job_done(struct cairn_job *job)
{
	job_end(job, CAIRN_TESTING_DONE, "");
}

void
cairn_job_retry(struct cairn_job *job, const char *reason)
{
	job_end(job, CAIRN_TESTING_RETRY, reason);
}
