/* SPDX-License-Identifier: Apache-2.0 */
/* The checks that send a plugin what it says it takes: calls, jobs, events, good and bad. */
#include <stdio.h>
#include <string.h>

#include "cli/checks.h"

#define HEARTBEAT_MS 2000 /* one that is answered later was missed */
#define BODY_MAX 65536

static const char job_prefix[] = "job:";
static const char subscribe_prefix[] = "subscribe:";

struct sample {
	const char *name;
	uint8_t fill;
	size_t length;
};

/* No plugin may count on its callers. */
static const struct sample samples[] = {{"an empty body", 0, 0}, {"one byte", 0x0a, 1},
    {"text without a zero", 'a', 61}, {"bytes that are no message", 0xff, 64},
    {"65,536 zeroes", 0, BODY_MAX}, {"65,536 bytes of 0x80", 0x80, BODY_MAX}};
#define SAMPLES (sizeof samples / sizeof *samples)

static const char *
capability(const struct suite *suite, const char *prefix, size_t index)
{
	const struct manifest *manifest = suite->base.manifest;
	size_t length = strlen(prefix);

	for (size_t i = 0; i < manifest->capability_count; i++) {
		if (strncmp(manifest->capabilities[i], prefix, length) == 0 && index-- == 0)
			return manifest->capabilities[i] + length;
	}
	return NULL;
}

static void
body_set(Cairn__Envelope *envelope, const struct sample *sample, uint8_t *bytes)
{
	memset(bytes, sample->fill, sample->length);
	envelope->body.data = bytes;
	envelope->body.len = sample->length;
}

/* ---- calls --------------------------------------------------------------------------------- */

static uint64_t
call_send(
    struct suite *suite, struct tested *tested, const char *subject, const struct sample *sample)
{
	Cairn__Envelope envelope = CAIRN__ENVELOPE__INIT;
	Cairn__Context context = CAIRN__CONTEXT__INIT;
	Cairn__Principal principal = CAIRN__PRINCIPAL__INIT;
	char name[] = "local:test", role[] = "operator", purpose[] = "operations",
	     via[] = "control";
	uint8_t bytes[BODY_MAX];

	principal.name = name;
	principal.role = role;
	principal.via = via;
	context.principal = &principal;
	context.purpose = purpose;
	envelope.kind = CAIRN__ENVELOPE__KIND__CALL;
	envelope.subject = (char *)(uintptr_t)subject;
	envelope.timeout_ms = suite->base.timeout_ms;
	envelope.context = &context;
	body_set(&envelope, sample, bytes);
	snprintf(suite->last, sizeof suite->last, "a call of %.64s with %s", subject, sample->name);
	return tested_send(tested, &envelope);
}

bool
traffic_call(struct suite *suite, struct tested *tested, size_t index, uint64_t *ret_id)
{
	const struct manifest *manifest = suite->base.manifest;

	if (manifest->serve_count == 0)
		return false;
	*ret_id = call_send(
	    suite, tested, manifest->serves[index % manifest->serve_count].subject, &samples[2]);
	return true;
}

/* Answered once, while the heartbeat goes on. */
static int
call_check(struct suite *suite, struct tested *tested, const char *subject,
    const struct sample *sample, struct cairn_error *err)
{
	unsigned limit_ms =
	    suite->base.timeout_ms < HEARTBEAT_MS ? suite->base.timeout_ms : HEARTBEAT_MS;
	uint64_t id = call_send(suite, tested, subject, sample);
	int code = tested_ping(tested, limit_ms, err);

	if (code != 0)
		return cairn_error_prefix(err, code, "%s: %s", suite->last,
		    code == CAIRN_ETIMEOUT ? "the loop is blocked, the heartbeat was missed"
					   : "the plugin did not live through it");
	code = tested_wait(tested, id, suite->base.timeout_ms, err);
	if (code != 0)
		return cairn_error_prefix(err, code, "%s was not answered", suite->last);
	return 0;
}

int
check_calls(struct suite *suite, struct check_result *ret, struct cairn_error *err)
{
	const struct manifest *manifest = suite->base.manifest;
	struct tested *tested;
	int code;

	if (manifest->serve_count == 0) {
		ret->skipped = "the manifest serves no subject";
		return 0;
	}
	code = suite_begin(suite, &suite->base, &tested, err);
	for (size_t i = 0; code == 0 && i < manifest->serve_count; i++) {
		for (size_t j = 0; code == 0 && j < SAMPLES; j++)
			code = call_check(
			    suite, tested, manifest->serves[i].subject, &samples[j], err);
	}
	return code == 0 ? suite_end(suite, tested, err) : suite_drop(tested, code, err);
}

static void
cancel_send(struct tested *tested, uint64_t id)
{
	Cairn__Envelope envelope = CAIRN__ENVELOPE__INIT;

	envelope.kind = CAIRN__ENVELOPE__KIND__CANCEL;
	envelope.id = id;
	tested_send(tested, &envelope);
}

/* At once, after the answer, and of a call that never was. */
int
check_cancel(struct suite *suite, struct check_result *ret, struct cairn_error *err)
{
	const struct manifest *manifest = suite->base.manifest;
	struct tested *tested;
	int code;

	if (manifest->serve_count == 0) {
		ret->skipped = "the manifest serves no subject";
		return 0;
	}
	code = suite_begin(suite, &suite->base, &tested, err);
	for (size_t i = 0; code == 0 && i < manifest->serve_count; i++) {
		uint64_t id = 0;

		traffic_call(suite, tested, i, &id);
		cancel_send(tested, id);
		code = tested_wait(tested, id, suite->base.timeout_ms, err);
		if (code != 0) {
			cairn_error_prefix(
			    err, code, "%s was cancelled, and not answered", suite->last);
			break;
		}
		cancel_send(tested, id);
		cancel_send(tested, UINT64_C(1) << 60);
		code = tested_ping(tested, suite->base.timeout_ms, err);
	}
	return code == 0 ? suite_end(suite, tested, err) : suite_drop(tested, code, err);
}

/* ---- jobs and events ----------------------------------------------------------------------- */

static uint64_t
job_send(struct suite *suite, struct tested *tested, const char *queue, const struct sample *sample)
{
	Cairn__Envelope envelope = CAIRN__ENVELOPE__INIT;
	Cairn__Job job = CAIRN__JOB__INIT;
	Cairn__Job *jobs[] = {&job};
	uint8_t bytes[BODY_MAX];
	char key[] = "conformance-1";
	/* Not of the ids that calls have. */
	static const uint64_t first = UINT64_C(1) << 40;

	memset(bytes, sample->fill, sample->length);
	job.id = first + (uint64_t)(sample - samples);
	job.queue = (char *)(uintptr_t)queue;
	job.key = key;
	job.attempt = 1;
	job.body.data = bytes;
	job.body.len = sample->length;
	envelope.kind = CAIRN__ENVELOPE__KIND__JOB;
	envelope.n_jobs = 1;
	envelope.jobs = jobs;
	snprintf(suite->last, sizeof suite->last, "a job of %.64s with %s", queue, sample->name);
	tested_send(tested, &envelope);
	return job.id;
}

/* A job that comes twice is ended twice, each time once. */
static int
job_check(struct suite *suite, struct tested *tested, const char *queue,
    const struct sample *sample, struct cairn_error *err)
{
	unsigned before = 0;
	int code = 0;

	for (int twice = 0; twice < 2 && code == 0; twice++) {
		uint64_t id = job_send(suite, tested, queue, sample);

		before = tested_answers(tested, id);
		do {
			code = tested_wait(tested, id, suite->base.timeout_ms, err);
			if (code == 0 && tested_answers(tested, id) == before)
				code = tested_ping(tested, suite->base.timeout_ms, err);
		} while (code == 0 && tested_answers(tested, id) == before);
	}
	if (code != 0)
		return cairn_error_prefix(err, code, "%s was not ended", suite->last);
	return 0;
}

int
check_jobs(struct suite *suite, struct check_result *ret, struct cairn_error *err)
{
	struct tested *tested;
	const char *queue;
	int code;

	if (capability(suite, job_prefix, 0) == NULL) {
		ret->skipped = "the manifest takes no jobs";
		return 0;
	}
	code = suite_begin(suite, &suite->base, &tested, err);
	for (size_t i = 0; code == 0 && (queue = capability(suite, job_prefix, i)) != NULL; i++) {
		for (size_t j = 0; code == 0 && j < SAMPLES; j++)
			code = job_check(suite, tested, queue, &samples[j], err);
	}
	return code == 0 ? suite_end(suite, tested, err) : suite_drop(tested, code, err);
}

static void
event_send(
    struct suite *suite, struct tested *tested, const char *subject, const struct sample *sample)
{
	Cairn__Envelope envelope = CAIRN__ENVELOPE__INIT;
	uint8_t bytes[BODY_MAX];
	char name[128];

	/* What "a.*" may bring. */
	snprintf(name, sizeof name, "%.*s%s", (int)strcspn(subject, "*"), subject,
	    strchr(subject, '*') == NULL ? "" : "anything");
	envelope.kind = CAIRN__ENVELOPE__KIND__EVENT;
	envelope.subject = name;
	body_set(&envelope, sample, bytes);
	snprintf(suite->last, sizeof suite->last, "an event %.64s with %s", name, sample->name);
	tested_send(tested, &envelope);
}

int
check_events(struct suite *suite, struct check_result *ret, struct cairn_error *err)
{
	struct tested *tested;
	const char *subject;
	int code;

	if (capability(suite, subscribe_prefix, 0) == NULL) {
		ret->skipped = "the manifest subscribes to nothing";
		return 0;
	}
	code = suite_begin(suite, &suite->base, &tested, err);
	for (size_t i = 0; code == 0 && (subject = capability(suite, subscribe_prefix, i)) != NULL;
	     i++) {
		for (size_t j = 0; code == 0 && j < SAMPLES; j++) {
			event_send(suite, tested, subject, &samples[j]);
			code = tested_ping(tested, suite->base.timeout_ms, err);
			if (code != 0)
				cairn_error_prefix(err, code, "%s", suite->last);
		}
	}
	return code == 0 ? suite_end(suite, tested, err) : suite_drop(tested, code, err);
}

/* ---- peers and bad moments ----------------------------------------------------------------- */

int
traffic_all(struct suite *suite, struct tested *tested, bool wait, struct cairn_error *err)
{
	const struct manifest *manifest = suite->base.manifest;
	const char *name;
	int code = 0;

	for (size_t i = 0; code == 0 && i < manifest->serve_count; i++) {
		uint64_t id = call_send(suite, tested, manifest->serves[i].subject, &samples[2]);

		if (wait)
			code = tested_wait(tested, id, suite->base.timeout_ms, err);
	}
	for (size_t i = 0; code == 0 && (name = capability(suite, job_prefix, i)) != NULL; i++) {
		uint64_t id = job_send(suite, tested, name, &samples[2]);

		if (wait)
			code = tested_wait(tested, id, suite->base.timeout_ms, err);
	}
	for (size_t i = 0; code == 0 && (name = capability(suite, subscribe_prefix, i)) != NULL;
	     i++)
		event_send(suite, tested, name, &samples[2]);
	if (code != 0)
		return cairn_error_prefix(err, code, "%s was not answered", suite->last);
	return tested_ping(tested, suite->base.timeout_ms, err);
}

/* STOP comes while everything is under way, and answers come after it. */
int
check_late(struct suite *suite, struct check_result *ret, struct cairn_error *err)
{
	struct tested_options options = suite->base;
	struct tested *tested;
	int code;

	(void)ret;
	options.peer = TESTED_SLOW;
	code = suite_begin(suite, &options, &tested, err);
	if (code != 0)
		return suite_drop(tested, code, err);
	code = traffic_all(suite, tested, false, err);
	if (code != 0)
		return suite_drop(tested, code, err);
	traffic_all(suite, tested, false, NULL);
	tested_ask_stop(tested);
	tested_answer_late(tested);
	snprintf(suite->last, sizeof suite->last, "a stop in the middle of everything");
	return suite_end(suite, tested, err);
}

/* Answers that do not come: the plugin lives on, hears its heartbeat and stops when asked.  Calls
 * that wait for them need not be answered before their deadline. */
int
check_slow_peer(struct suite *suite, struct check_result *ret, struct cairn_error *err)
{
	struct tested_options options = suite->base;
	struct tested *tested;
	int code;

	options.peer = TESTED_SLOW;
	code = suite_begin(suite, &options, &tested, err);
	if (code == 0)
		code = traffic_all(suite, tested, false, err);
	if (code != 0)
		return suite_drop(tested, code, err);
	if (tested_asked(tested) == 0)
		ret->skipped = "it asked nothing of the kernel";
	tested_answer_late(tested);
	code = tested_ping(tested, suite->base.timeout_ms, err);
	return code == 0 ? suite_end(suite, tested, err) : suite_drop(tested, code, err);
}

int
check_hostile_peer(struct suite *suite, struct check_result *ret, struct cairn_error *err)
{
	struct tested_options options = suite->base;
	struct tested *tested;
	int code;

	options.peer = TESTED_HOSTILE;
	code = suite_begin(suite, &options, &tested, err);
	for (int round = 0; round < 3 && code == 0; round++)
		code = traffic_all(suite, tested, true, err);
	if (code != 0)
		return suite_drop(tested, code, err);
	if (tested_asked(tested) == 0)
		ret->skipped = "it asked nothing of the kernel";
	return suite_end(suite, tested, err);
}
