/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_runtime.h"

#include <stdio.h>

void
cairn_log(enum cairn_log_level level, const char *format, ...)
{
	(void)level, (void)format;
}

bool
cairn_serving(const struct cairn *cairn)
{
	(void)cairn;
	return false;
}

void
cairn_finding(struct cairn_findings *findings, const struct cairn_finding *finding)
{
	struct cairn_finding *last = (struct cairn_finding *)findings;

	if (finding->severity >= last->severity)
		last->severity = finding->severity;
}

int64_t
cairn_config_integer(struct cairn *cairn, const char *key)
{
	(void)cairn;
	return strcmp(key, "map_size_mb") == 0 ? 64 : 16;
}

size_t
cairn_config_list_length(struct cairn *cairn, const char *key)
{
	(void)cairn, (void)key;
	return 0;
}

const char *
cairn_config_list_get(struct cairn *cairn, const char *key, size_t index)
{
	(void)cairn, (void)key, (void)index;
	return NULL;
}

/* The test answers when it likes. */
/* wide: as the ABI has it */
int
cairn_call(struct cairn *cairn, const char *subject, const void *body, size_t length,
    unsigned timeout_ms, cairn_call_fn done, void *arg)
{
	(void)body, (void)length, (void)timeout_ms;
	assert_string_equal(subject, "genomics.carriers");
	cairn->called = done;
	cairn->called_arg = arg;
	cairn->calls++;
	return 0;
}

const char *
cairn_state_dir(struct cairn *cairn)
{
	return cairn->dir.path;
}

int
cairn_work(struct cairn *cairn, void (*work)(void *), void (*after)(void *), void *arg)
{
	assert_true(cairn->work_count < 80);
	if (cairn->work_refused)
		return CAIRN_EUNAVAILABLE;
	cairn->works[cairn->work_count].work = work;
	cairn->works[cairn->work_count].after = after;
	cairn->works[cairn->work_count++].arg = arg;
	return 0;
}

static void
note_metric(struct cairn *cairn, const struct cairn_metric *metric, const char *value)
{
	size_t used = strlen(cairn->metrics);

	assert_int_equal(metric->label == NULL, value == NULL);
	snprintf(cairn->metrics + used, sizeof cairn->metrics - used, "%s[%s] ", metric->name,
	    value == NULL ? "" : value);
}

void
cairn_metric_add(
    struct cairn *cairn, const struct cairn_metric *metric, const char *value, double increment)
{
	assert_true(increment > 0);
	note_metric(cairn, metric, value);
}

void
cairn_metric_set(
    struct cairn *cairn, const struct cairn_metric *metric, const char *value, double number)
{
	assert_true(number >= 0);
	if (number > 0)
		note_metric(cairn, metric, value);
}

void
cairn_metric_observe(
    struct cairn *cairn, const struct cairn_metric *metric, const char *value, double seconds)
{
	assert_true(seconds >= 0 && seconds < 3600);
	note_metric(cairn, metric, value);
}

void
cairn_stopped(struct cairn *cairn)
{
	assert_false(cairn->stopped);
	cairn->stopped = true;
}

const char *
cairn_job_key(const struct cairn_job *job)
{
	(void)job;
	return "key";
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
	(void)job;
	return 1;
}

void
cairn_job_done(struct cairn_job *job)
{
	job->done++;
}

void
cairn_job_retry(struct cairn_job *job, const char *reason)
{
	job->retried++;
	snprintf(job->reason, sizeof job->reason, "%s", reason);
}

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

bool
cairn_obligation_integer(const struct cairn_request *req, const char *name, int64_t *ret_value)
{
	for (size_t i = 0; i < 4 && req->obligations[i] != NULL; i++) {
		if (strcmp(req->obligations[i], name) != 0)
			continue;
		*ret_value = 10;
		return true;
	}
	return false;
}

int
cairn_fulfil(struct cairn_request *req, const char *name, int64_t value)
{
	size_t used = strlen(req->fulfilled);

	snprintf(req->fulfilled + used, sizeof req->fulfilled - used, "%s=%d ", name, (int)value);
	return 0;
}

int
cairn_reply(struct cairn_request *req, const void *body, size_t length)
{
	assert_true(length <= sizeof req->reply);
	if (length > 0)
		memcpy(req->reply, body, length);
	req->reply_length = length;
	req->answers++;
	return 0;
}

int
cairn_fail(struct cairn_request *req, int code, const char *format, ...)
{
	(void)format;
	req->code = code;
	req->answers++;
	return 0;
}
