/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "runtime/private.h"

struct cairn_job {
	struct cairn *cairn;
	struct message *message; /* one reference for each job in it */
	const Cairn__Job *job;
};

const char *
cairn_job_queue(const struct cairn_job *job)
{
	return job->job->queue;
}

const char *
cairn_job_key(const struct cairn_job *job)
{
	return job->job->key;
}

const void *
cairn_job_body(const struct cairn_job *job, size_t *ret_length)
{
	*ret_length = job->job->body.len;
	return job->job->body.data;
}

unsigned
cairn_job_attempt(const struct cairn_job *job)
{
	return job->job->attempt;
}

/* Acknowledgements of the same kind and reason share an envelope: sent when it is full, or before
 * the loop sleeps. */
void
jobs_flush(struct cairn *cairn)
{
	struct acks *acks = &cairn->acks;
	Cairn__Envelope envelope = CAIRN__ENVELOPE__INIT;

	uv_prepare_stop(&cairn->flush);
	if (acks->count == 0)
		return;
	envelope.kind = acks->kind;
	envelope.text = acks->reason;
	envelope.n_job_ids = acks->count;
	envelope.job_ids = acks->ids;
	acks->count = 0;
	runtime_answer(cairn, &envelope);
}

static void
flush_before_sleep(uv_prepare_t *handle)
{
	jobs_flush(handle->data);
}

static void
acknowledge(struct cairn *cairn, uint64_t id, Cairn__Envelope__Kind kind, const char *reason)
{
	struct acks *acks = &cairn->acks;
	char text[sizeof acks->reason];

	if (snprintf(text, sizeof text, "%s", reason) < 0)
		text[0] = 0;
	if (acks->count > 0 && (acks->kind != kind || strcmp(acks->reason, text) != 0))
		jobs_flush(cairn);
	acks->kind = kind;
	memcpy(acks->reason, text, sizeof text);
	acks->ids[acks->count++] = id;
	if (acks->count == ACKS_MAX)
		jobs_flush(cairn);
	else
		uv_prepare_start(&cairn->flush, flush_before_sleep);
}

static void
job_end(struct cairn_job *job, Cairn__Envelope__Kind kind, const char *reason)
{
	acknowledge(job->cairn, job->job->id, kind, reason);
	message_unref(job->message);
	free(job);
}

void
cairn_job_done(struct cairn_job *job)
{
	job_end(job, CAIRN__ENVELOPE__KIND__JOB_DONE, "");
}

void
cairn_job_retry(struct cairn_job *job, const char *reason)
{
	job_end(job, CAIRN__ENVELOPE__KIND__JOB_RETRY, reason == NULL ? "" : reason);
}

static void
job_dispatch(struct cairn *cairn, struct message *message, const Cairn__Job *item)
{
	struct cairn_error err = {0};
	struct cairn_job *job;
	int code;

	if (cairn->plugin.job == NULL) {
		acknowledge(
		    cairn, item->id, CAIRN__ENVELOPE__KIND__JOB_RETRY, "this plugin takes no jobs");
		return;
	}
	job = calloc(1, sizeof *job);
	if (job == NULL) {
		acknowledge(cairn, item->id, CAIRN__ENVELOPE__KIND__JOB_RETRY, "out of memory");
		return;
	}
	*job = (struct cairn_job){.cairn = cairn, .message = message, .job = item};
	message->refs++;
	code = cairn->plugin.job(cairn->self, job, &err);
	if (code != 0)
		cairn_job_retry(job, err.code != 0 ? err.text : cairn_code_text(code));
}

void
jobs_dispatch(struct cairn *cairn, struct message *message)
{
	const Cairn__Envelope *envelope = message->envelope;

	for (size_t i = 0; i < envelope->n_jobs; i++)
		job_dispatch(cairn, message, envelope->jobs[i]);
	message_unref(message);
}
