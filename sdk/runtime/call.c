/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "runtime/private.h"

#define SLOT_BITS 12
#define DEFAULT_TIMEOUT_MS 30000
#define SUBJECT_MAX 256
#define PUT_JOBS_MAX 4096

_Static_assert(CALLS_MAX == 1 << SLOT_BITS, "an id's low bits are the slot");

static int
call_new(struct cairn *cairn, struct call **ret)
{
	struct call *call = cairn->free_calls;

	if (call != NULL) {
		cairn->free_calls = call->next_free;
		*ret = call;
		return 0;
	}
	if (cairn->calls_made == CALLS_MAX)
		return CAIRN_ELIMIT;
	call = calloc(1, sizeof *call);
	if (call == NULL)
		return CAIRN_ENOMEM;
	call->slot = cairn->calls_made;
	call->id = call->slot;
	call->cairn = cairn;
	call->timer.data = call;
	uv_timer_init(cairn->loop, &call->timer);
	cairn->calls[cairn->calls_made++] = call;
	*ret = call;
	return 0;
}

/* Back to the free list; the callback may be made afterwards from the copies the caller took. */
static void
call_retire(struct call *call)
{
	uv_timer_stop(&call->timer);
	call->done = NULL;
	call->arg = NULL;
	call->next_free = call->cairn->free_calls;
	call->cairn->free_calls = call;
}

static struct call *
call_find(struct cairn *cairn, uint64_t id)
{
	struct call *call = cairn->calls[id & (CALLS_MAX - 1)];

	return call == NULL || call->id != id || call->done == NULL ? NULL : call;
}

static void
call_timeout(uv_timer_t *timer)
{
	struct call *call = timer->data;
	struct cairn *cairn = call->cairn;
	cairn_call_fn done = call->done;
	void *arg = call->arg;
	Cairn__Envelope envelope = CAIRN__ENVELOPE__INIT;

	envelope.kind = CAIRN__ENVELOPE__KIND__CANCEL;
	envelope.id = call->id;
	call_retire(call);
	runtime_answer(cairn, &envelope);
	done(arg, CAIRN_ETIMEOUT, "no answer before the deadline", NULL, 0);
}

static void
ignore_reply(void *arg, int code, const char *text, const void *body, size_t length)
{
	(void)arg;
	(void)code;
	(void)text;
	(void)body;
	(void)length;
}

static int
call_send(struct cairn *cairn, Cairn__Envelope *envelope, cairn_call_fn done, void *arg)
{
	struct call *call;
	int code;

	if (cairn->state > RUNTIME_STOPPING)
		return CAIRN_ECANCELLED;
	code = call_new(cairn, &call);
	if (code != 0)
		return code;
	call->id += CALLS_MAX; /* the next generation of this slot: never 0 */
	call->done = done == NULL ? ignore_reply : done;
	call->arg = arg;
	envelope->id = call->id;
	code = channel_send(cairn->channel, envelope);
	if (code == 0 && envelope->timeout_ms > 0)
		uv_timer_start(&call->timer, call_timeout, envelope->timeout_ms, 0);
	if (code != 0)
		call_retire(call);
	return code;
}

static bool
subject_is_sane(const char *subject)
{
	return subject != NULL && *subject != 0 && strlen(subject) <= SUBJECT_MAX;
}

static void
body_set(Cairn__Envelope *envelope, const void *body, size_t length)
{
	envelope->body.data = (uint8_t *)(uintptr_t)body; /* only read: packing takes no const */
	envelope->body.len = length;
}

/* wide: it is the ABI's signature */
int
cairn_call(struct cairn *cairn, const char *subject, const void *body, size_t length,
    unsigned timeout_ms, cairn_call_fn done, void *arg)
{
	Cairn__Envelope envelope = CAIRN__ENVELOPE__INIT;

	if (!subject_is_sane(subject))
		return CAIRN_EINVAL;
	if (length > CHANNEL_MESSAGE_MAX)
		return CAIRN_ELIMIT;
	envelope.kind = CAIRN__ENVELOPE__KIND__CALL;
	envelope.subject = (char *)(uintptr_t)subject;
	envelope.timeout_ms = timeout_ms == 0 ? DEFAULT_TIMEOUT_MS : timeout_ms;
	body_set(&envelope, body, length);
	return call_send(cairn, &envelope, done, arg);
}

int
cairn_publish(struct cairn *cairn, const char *subject, const void *body, size_t length)
{
	Cairn__Envelope envelope = CAIRN__ENVELOPE__INIT;

	if (!subject_is_sane(subject))
		return CAIRN_EINVAL;
	if (length > CHANNEL_MESSAGE_MAX)
		return CAIRN_ELIMIT;
	if (cairn->state > RUNTIME_STOPPING)
		return CAIRN_ECANCELLED;
	envelope.kind = CAIRN__ENVELOPE__KIND__EVENT;
	envelope.subject = (char *)(uintptr_t)subject;
	body_set(&envelope, body, length);
	return channel_send(cairn->channel, &envelope);
}

/* Fills `jobs` and the pointers to them; the total is bounded before anything is packed. */
static int
jobs_fill(const struct cairn_job_put *puts, size_t count, Cairn__Job *jobs, Cairn__Job **pointers)
{
	size_t total = 0;

	for (size_t i = 0; i < count; i++) {
		if (puts[i].length > CHANNEL_MESSAGE_MAX - total)
			return CAIRN_ELIMIT;
		total += puts[i].length;
		if (!subject_is_sane(puts[i].queue) ||
		    (puts[i].key != NULL && strlen(puts[i].key) > 128))
			return CAIRN_EINVAL;
		cairn__job__init(&jobs[i]);
		jobs[i].queue = (char *)(uintptr_t)puts[i].queue;
		if (puts[i].key != NULL)
			jobs[i].key = (char *)(uintptr_t)puts[i].key;
		jobs[i].body.data = (uint8_t *)(uintptr_t)puts[i].body;
		jobs[i].body.len = puts[i].length;
		pointers[i] = &jobs[i];
	}
	return 0;
}

int
cairn_job_put(struct cairn *cairn, const struct cairn_job_put *puts, size_t count,
    cairn_call_fn done, void *arg)
{
	Cairn__Envelope envelope = CAIRN__ENVELOPE__INIT;
	Cairn__Job *jobs;
	Cairn__Job **pointers;
	int code;

	if (count == 0)
		return CAIRN_EINVAL;
	if (count > PUT_JOBS_MAX)
		return CAIRN_ELIMIT;
	jobs = calloc(count, sizeof *jobs);
	pointers = calloc(count, sizeof(Cairn__Job *));
	code = jobs == NULL || pointers == NULL ? CAIRN_ENOMEM
						: jobs_fill(puts, count, jobs, pointers);
	if (code == 0) {
		envelope.kind = CAIRN__ENVELOPE__KIND__JOB_PUT;
		envelope.n_jobs = count;
		envelope.jobs = pointers;
		code = call_send(cairn, &envelope, done, arg);
	}
	free(jobs);
	free(pointers);
	return code;
}

void
calls_reply(struct cairn *cairn, const Cairn__Envelope *envelope)
{
	struct call *call = call_find(cairn, envelope->id);
	cairn_call_fn done;
	void *arg;

	if (call == NULL)
		return; /* it timed out; the kernel could not know */
	done = call->done;
	arg = call->arg;
	call_retire(call);
	done(arg, envelope->code, envelope->text, envelope->body.data, envelope->body.len);
}

void
calls_close(struct cairn *cairn, uv_close_cb closed)
{
	for (uint32_t i = 0; i < cairn->calls_made; i++) {
		cairn->calls[i]->timer.data = cairn;
		cairn->closing++;
		uv_close((uv_handle_t *)&cairn->calls[i]->timer, closed);
	}
}

void
calls_free(struct cairn *cairn)
{
	for (uint32_t i = 0; i < cairn->calls_made; i++)
		free(cairn->calls[i]);
}
