/* SPDX-License-Identifier: Apache-2.0 */
#include "outbox.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cairn/facts.pb-c.h"

#define CURSOR_NAME "facts"
#define BATCH_MAX 256
#define BATCH_BYTES_MAX (1u << 20)
/* Waits so long for more: every batch costs a sync in the kernel and one in its consumer, on the
 * disk that instances wait for. */
#define GATHER_MS 100
#define RETRY_MS 500

struct outbox {
	struct connector *connector;
	uv_timer_t timer;
	struct objects_cursor cursor; /* what the kernel has */
	struct objects_cursor next;   /* what the batch under way reaches to */
	bool putting;
	bool kicked;     /* something may follow `next` */
	bool full;       /* the batch under way ended at its limit */
	char again[32];  /* identity of the index to which all is handed over again, or "" */
	bool rewind;     /* the batch under way is of before */
	bool completing; /* the batch under way is the last one of that */
	void (*complete)(void *arg);
	void *complete_arg;
	uint64_t failing_since_ms;
	char failure[160];
	bool closed; /* the timer is; freed when no answer is awaited any more */
	void (*freed)(void *arg);
	void *freed_arg;
};

struct batch {
	Cairn__FactBatch message;
	Cairn__InstanceFacts *instances[BATCH_MAX];
	Cairn__ObjectRef refs[BATCH_MAX];
	uint8_t digests[BATCH_MAX][32];
	size_t bytes;
	struct objects_cursor end;
};

static void
add(struct batch *batch, Cairn__InstanceFacts *facts, const struct objects_ref *ref)
{
	size_t index = batch->message.n_instances++;
	Cairn__ObjectRef *object = &batch->refs[index];

	cairn__object_ref__init(object);
	memcpy(batch->digests[index], ref->sha256, 32);
	object->sha256.data = batch->digests[index];
	object->sha256.len = 32;
	object->segment = ref->segment;
	object->offset = ref->offset;
	object->length = ref->length;
	facts->object = object;
	batch->instances[index] = facts;
}

static void
batch_fini(struct batch *batch)
{
	for (size_t i = 0; i < batch->message.n_instances; i++) {
		batch->instances[i]->object = NULL; /* ours */
		cairn__instance_facts__free_unpacked(batch->instances[i], NULL);
	}
}

/* Reads what follows the cursor; `*ret_more` when it stopped before the end.  A note that cannot be
 * read is passed over, and said. */
static int
gather(struct outbox *outbox, struct batch *batch, bool *ret_more)
{
	batch->end = outbox->cursor;
	batch->message.instances = batch->instances;
	*ret_more = true;
	while (batch->message.n_instances < BATCH_MAX && batch->bytes < BATCH_BYTES_MAX) {
		struct objects_ref ref;
		struct cairn_error err = {0};
		Cairn__InstanceFacts *facts;
		uint8_t *note = NULL;
		size_t length = 0;
		int code = objects_next(
		    outbox->connector->objects, &batch->end, &ref, &note, &length, &err);

		if (code == CAIRN_ENOTFOUND) {
			*ret_more = false;
			break;
		}
		if (code != 0) {
			cairn_log(CAIRN_LOG_ERROR, "outbox: cannot read the store: %s", err.text);
			return code;
		}
		facts = length == 0 ? NULL : cairn__instance_facts__unpack(NULL, length, note);
		free(note);
		if (facts != NULL)
			add(batch, facts, &ref);
		else if (length > 0)
			cairn_log(CAIRN_LOG_ERROR,
			    "outbox: the facts of %s cannot be read; passing over them", ref.key);
		batch->bytes += length;
	}
	return 0;
}

static void step(struct outbox *outbox);

/* What the kernel took moves the cursor, unless all begins anew meanwhile. */
static void
advance(struct outbox *outbox)
{
	struct cairn_error err = {0};
	bool completed = outbox->completing && !outbox->rewind;

	outbox->cursor = outbox->rewind ? (struct objects_cursor){0} : outbox->next;
	outbox->rewind = false;
	outbox->completing = false;
	if (objects_cursor_set(outbox->connector->objects, CURSOR_NAME, &outbox->cursor, &err) != 0)
		cairn_log(CAIRN_LOG_WARNING, "outbox: cursor not kept: %s", err.text);
	if (completed) {
		outbox->again[0] = 0;
		outbox->complete(outbox->complete_arg);
	}
}

static void
on_timer(uv_timer_t *timer)
{
	step(timer->data);
}

static void
put_done(void *arg, int code, const char *text, const void *body, size_t length)
{
	struct outbox *outbox = arg;

	(void)body;
	(void)length;
	outbox->putting = false;
	if (outbox->closed) {
		free(outbox);
		return;
	}
	if (outbox->connector->stopping)
		return; /* the store may be closed; what the cursor does not pass is put again */
	if (code != 0) {
		if (outbox->failing_since_ms == 0)
			outbox->failing_since_ms = clock_monotonic_ms();
		snprintf(outbox->failure, sizeof outbox->failure, "%s", text);
		cairn_log(CAIRN_LOG_WARNING,
		    "outbox: the kernel did not take the facts (%s); trying again", text);
		outbox->kicked = true;
		uv_timer_start(&outbox->timer, on_timer, RETRY_MS, 0);
		return;
	}
	outbox->failing_since_ms = 0;
	advance(outbox);
	if (outbox->full)
		step(outbox);
	else if (outbox->kicked)
		uv_timer_start(&outbox->timer, on_timer, GATHER_MS, 0);
}

static int
put(struct outbox *outbox, const struct batch *batch)
{
	size_t length = cairn__fact_batch__get_packed_size(&batch->message);
	uint8_t *body = malloc(length + 1);
	char key[96];
	struct cairn_job_put job = {.queue = "facts", .key = key, .body = body, .length = length};
	int code = CAIRN_ENOMEM;

	if (body != NULL) {
		cairn__fact_batch__pack(&batch->message, body);
		/* The same facts for another index are another job. */
		snprintf(key, sizeof key, "%.8s%s%u:%llu-%u:%llu%s", outbox->again,
		    outbox->again[0] == 0 ? "" : ":", outbox->cursor.segment,
		    (unsigned long long)outbox->cursor.offset, batch->end.segment,
		    (unsigned long long)batch->end.offset,
		    batch->message.complete ? ":complete" : "");
		code = cairn_job_put(outbox->connector->cairn, &job, 1, put_done, outbox);
	}
	free(body);
	return code;
}

static void
step(struct outbox *outbox)
{
	struct batch batch;
	bool more;
	int code;

	if (outbox->putting || outbox->connector->stopping || !outbox->kicked)
		return;
	memset(&batch, 0, sizeof batch);
	cairn__fact_batch__init(&batch.message);
	batch.message.source = (char *)(uintptr_t) "dicom";
	code = gather(outbox, &batch, &more);
	if (code == 0)
		outbox->kicked = more;
	if (outbox->again[0] != 0) {
		batch.message.index = outbox->again;
		batch.message.held = objects_count(outbox->connector->objects);
		batch.message.complete = code == 0 && !more;
	}
	if (code == 0 && (batch.message.n_instances > 0 || batch.message.complete)) {
		outbox->next = batch.end;
		outbox->completing = batch.message.complete;
		outbox->full = more;
		code = put(outbox, &batch);
		outbox->putting = code == 0;
	} else if (code == 0) {
		outbox->cursor = batch.end;
		if (more)
			uv_timer_start(&outbox->timer, on_timer, GATHER_MS, 0);
	}
	if (code != 0) {
		outbox->kicked = true;
		uv_timer_start(&outbox->timer, on_timer, RETRY_MS, 0);
	}
	batch_fini(&batch);
}

void
outbox_state_get(const struct outbox *outbox, struct outbox_state *ret)
{
	*ret = (struct outbox_state){.busy = outbox->putting || outbox->kicked,
	    .failing_since_ms = outbox->failing_since_ms};
	memcpy(ret->failure, outbox->failure, sizeof ret->failure);
}

void
outbox_kick(struct outbox *outbox)
{
	outbox->kicked = true;
	if (!outbox->putting && !outbox->connector->stopping &&
	    !uv_is_active((uv_handle_t *)&outbox->timer))
		uv_timer_start(&outbox->timer, on_timer, GATHER_MS, 0);
}

void
outbox_again(struct outbox *outbox, const char *identity, bool resume, void (*complete)(void *arg),
    void *arg)
{
	struct cairn_error err = {0};
	const struct objects_cursor begin = {0};

	snprintf(outbox->again, sizeof outbox->again, "%s", identity);
	outbox->complete = complete;
	outbox->complete_arg = arg;
	outbox->completing = false;
	outbox->rewind = !resume && outbox->putting;
	if (!resume && !outbox->putting)
		outbox->cursor = begin;
	if (!resume &&
	    objects_cursor_set(outbox->connector->objects, CURSOR_NAME, &begin, &err) != 0)
		cairn_log(CAIRN_LOG_WARNING, "outbox: cursor not kept: %s", err.text);
	outbox_kick(outbox);
}

static void
on_notes(void *arg)
{
	outbox_kick(arg);
}

int
outbox_new(struct outbox **ret, struct connector *connector, struct cairn_error *err)
{
	struct outbox *outbox = calloc(1, sizeof *outbox);
	int code;

	if (outbox == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	outbox->connector = connector;
	code = objects_cursor_get(connector->objects, CURSOR_NAME, &outbox->cursor, err);
	if (code != 0 && code != CAIRN_ENOTFOUND) {
		free(outbox);
		return code;
	}
	uv_timer_init(cairn_loop(connector->cairn), &outbox->timer);
	outbox->timer.data = outbox;
	objects_on_notes(connector->objects, on_notes, outbox);
	outbox_kick(outbox); /* what the last run left */
	*ret = outbox;
	return 0;
}

static void
timer_closed(uv_handle_t *handle)
{
	struct outbox *outbox = handle->data;
	void (*freed)(void *arg) = outbox->freed;
	void *arg = outbox->freed_arg;

	outbox->closed = true;
	if (!outbox->putting)
		free(outbox);
	freed(arg);
}

void
outbox_free(struct outbox *outbox, void (*freed)(void *arg), void *arg)
{
	if (!outbox->connector->stopping) /* else the store may be gone */
		objects_on_notes(outbox->connector->objects, NULL, NULL);
	outbox->freed = freed;
	outbox->freed_arg = arg;
	uv_close((uv_handle_t *)&outbox->timer, timer_closed);
}
