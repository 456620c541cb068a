/* SPDX-License-Identifier: Apache-2.0 */
#include "consumer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cairn/cohort.pb-c.h"
#include "outbox.h"

#define SUBJECT "cohort.index"
#define DIGITS 16
#define ASK_MS 2000
#define RETRY_MS 100 /* the first time; then twice as long each time */
#define TIMEOUT_MS 10000

/* Beside the outbox's cursor, in the form of one, so that they become durable together. */
#define CURSOR_BEGUN "facts-begun" /* the index that is getting all facts */
#define CURSOR_FOR "facts-for"     /* the index that has got them */

struct consumer {
	struct connector *connector;
	uv_timer_t timer;
	unsigned retry_ms;
	bool first; /* the store was empty: any index gets all facts as they come */
	bool asking, again;
	bool closed; /* the timer is; freed when no answer is awaited any more */
	void (*freed)(void *arg);
	void *freed_arg;
};

/* ---- what is noted ---------------------------------------------------------------------- */

/* "" when there is none. */
static void
noted(struct consumer *consumer, const char *name, char ret[DIGITS + 1])
{
	struct objects_cursor cursor;

	ret[0] = 0;
	if (objects_cursor_get(consumer->connector->objects, name, &cursor, NULL) == 0)
		snprintf(ret, DIGITS + 1, "%016" PRIx64, cursor.offset);
}

static void
note(struct consumer *consumer, const char *name, const char *identity)
{
	struct objects_cursor cursor = {.offset = strtoull(identity, NULL, 16)};
	struct cairn_error err = {0};

	if (objects_cursor_set(consumer->connector->objects, name, &cursor, &err) != 0)
		cairn_log(CAIRN_LOG_WARNING,
		    "which index has the facts is not noted (%s); they will be handed over again",
		    err.text);
}

/* ---- handing over again ----------------------------------------------------------------- */

static void
recorded(void *arg, int code, const char *text, const void *body, size_t length)
{
	(void)arg, (void)body, (void)length;
	if (code != 0)
		cairn_log(CAIRN_LOG_WARNING,
		    "that facts are handed over again is not in the ledger: %s", text);
}

static void
say(struct consumer *consumer, const char *reason)
{
	char held[24];
	const struct cairn_record_field field = {"instances", held};
	const struct cairn_record record = {.subject = "imaging.facts",
	    .verdict = "done",
	    .reason = reason,
	    .fields = &field,
	    .field_count = 1};

	snprintf(held, sizeof held, "%" PRIu64, objects_count(consumer->connector->objects));
	cairn_log(CAIRN_LOG_INFO, "%s (%s instances)", reason, held);
	if (cairn_record(consumer->connector->cairn, &record, 1, recorded, consumer) != 0)
		recorded(NULL, CAIRN_EUNAVAILABLE, "the kernel cannot be reached", NULL, 0);
}

static void
complete(void *arg)
{
	struct consumer *consumer = arg;
	char begun[DIGITS + 1];

	noted(consumer, CURSOR_BEGUN, begun);
	note(consumer, CURSOR_FOR, begun);
	consumer->again = false;
	say(consumer, "the facts of all images have been handed over to the new index");
}

static bool
well_formed(const char *identity)
{
	return strlen(identity) == DIGITS && strspn(identity, "0123456789abcdef") == DIGITS;
}

static void
hear(struct consumer *consumer, const char *identity)
{
	char begun[DIGITS + 1], has[DIGITS + 1];
	bool resume;

	noted(consumer, CURSOR_BEGUN, begun);
	noted(consumer, CURSOR_FOR, has);
	if (strcmp(has, identity) == 0)
		return;
	resume = strcmp(begun, identity) == 0;
	if (resume && consumer->again)
		return; /* under way */
	note(consumer, CURSOR_BEGUN, identity);
	if (consumer->first || objects_count(consumer->connector->objects) == 0) {
		consumer->first = false;
		note(consumer, CURSOR_FOR, identity);
		return;
	}
	consumer->again = true;
	outbox_again(consumer->connector->outbox, identity, resume, complete, consumer);
	say(consumer,
	    resume ? "goes on handing over the facts of all images to a new index"
		   : "the index of facts is a new one: the facts of all images are handed over "
		     "again");
}

/* ---- asking ----------------------------------------------------------------------------- */

static void ask(uv_timer_t *timer);

/* One that starts is asked soon, so that it gives no count of what it lacks. */
static void
ask_later(struct consumer *consumer, int code)
{
	if (code != CAIRN_EUNAVAILABLE)
		consumer->retry_ms = RETRY_MS;
	else if (consumer->retry_ms < ASK_MS)
		consumer->retry_ms *= 2;
	uv_timer_start(
	    &consumer->timer, ask, code == CAIRN_EUNAVAILABLE ? consumer->retry_ms : ASK_MS, 0);
}

static void
answered(void *arg, int code, const char *text, const void *body, size_t length)
{
	struct consumer *consumer = arg;
	Cairn__IndexAnswer *answer = NULL;

	(void)text; /* no index is there: it may come, and nothing is lost meanwhile */
	consumer->asking = false;
	if (consumer->closed) {
		free(consumer);
		return;
	}
	if (consumer->connector->stopping)
		return;
	if (code == 0)
		answer = cairn__index_answer__unpack(NULL, length, body);
	if (answer != NULL && well_formed(answer->identity))
		hear(consumer, answer->identity);
	if (answer != NULL)
		cairn__index_answer__free_unpacked(answer, NULL);
	ask_later(consumer, code);
}

static void
ask(uv_timer_t *timer)
{
	struct consumer *consumer = timer->data;
	Cairn__IndexRequest request = CAIRN__INDEX_REQUEST__INIT;
	uint8_t body[64];
	char has[DIGITS + 1];

	if (consumer->connector->stopping)
		return;
	noted(consumer, CURSOR_FOR, has);
	request.source = (char *)(uintptr_t) "dicom";
	request.handed_to = has;
	request.held = consumer->first ? 0 : objects_count(consumer->connector->objects);
	if (cairn__index_request__get_packed_size(&request) <= sizeof body)
		consumer->asking = cairn_call(consumer->connector->cairn, SUBJECT, body,
				       cairn__index_request__pack(&request, body), TIMEOUT_MS,
				       answered, consumer) == 0;
	if (!consumer->asking)
		uv_timer_start(&consumer->timer, ask, ASK_MS, 0);
}

bool
consumer_again(const struct consumer *consumer)
{
	return consumer->again;
}

int
consumer_new(struct consumer **ret, struct connector *connector, struct cairn_error *err)
{
	struct consumer *consumer = calloc(1, sizeof *consumer);

	if (consumer == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	consumer->connector = connector;
	consumer->retry_ms = RETRY_MS / 2;
	consumer->first = objects_count(connector->objects) == 0;
	uv_timer_init(cairn_loop(connector->cairn), &consumer->timer);
	consumer->timer.data = consumer;
	uv_timer_start(&consumer->timer, ask, 0, 0);
	*ret = consumer;
	return 0;
}

static void
timer_closed(uv_handle_t *handle)
{
	struct consumer *consumer = handle->data;
	void (*freed)(void *arg) = consumer->freed;
	void *arg = consumer->freed_arg;

	consumer->closed = true;
	if (!consumer->asking)
		free(consumer);
	freed(arg);
}

void
consumer_free(struct consumer *consumer, void (*freed)(void *arg), void *arg)
{
	consumer->freed = freed;
	consumer->freed_arg = arg;
	uv_close((uv_handle_t *)&consumer->timer, timer_closed);
}
