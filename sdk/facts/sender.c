/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes go to the queue `facts` in order, a batch at a time, and are forgotten when the kernel
 * says that it has them.  While all is handed over again, batches of that and of changes take
 * turns: a change that what is kept contains already is said twice, which means the same.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/sha.h>

#include "base/clock.h"
#include "base/text.h"
#include "private.h"

#define GATHER_MS 100 /* waits so long for more: every batch costs a sync or two elsewhere */
#define RETRY_MS 500
#define BATCH_MAX 256
#define BATCH_BYTES ((size_t)1 << 20)
#define BODY_MAX ((size_t)4 << 20)

static void gather(struct facts *facts);

/* ---- what is put ---------------------------------------------------------------------------- */

static int
body_begin(struct facts *facts, struct buf *body)
{
	buf_init(body, BODY_MAX);
	return wire_put_bytes(body, 1, facts->source, strlen(facts->source));
}

static int
take_change(struct facts *facts, const MDB_val *key, const MDB_val *value)
{
	struct facts_sender *sender = &facts->sender;
	uint64_t number = store_number_get(key);
	int code = 0;

	if (sender->body_count == 0) {
		sender->body_count = 1;
		sender->first = number;
		code = body_begin(facts, &sender->bodies[0]);
	}
	sender->last = number;
	return code != 0 ? code
			 : wire_put_bytes(&sender->bodies[0], 3, value->mv_data, value->mv_size);
}

static int
gather_changes(struct facts *facts, MDB_txn *txn, struct cairn_error *err)
{
	MDB_cursor *cursor;
	MDB_val key, value;
	int code = 0, rc = mdb_cursor_open(txn, facts->queue, &cursor);

	if (rc != 0)
		return store_error(rc, "reading what is to be told", err);
	rc = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);
	for (size_t i = 0; rc == 0 && code == 0 && i < BATCH_MAX; i++) {
		code = take_change(facts, &key, &value);
		if (facts->sender.bodies[0].length > BATCH_BYTES)
			break;
		rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
	}
	mdb_cursor_close(cursor);
	if (code == 0 && rc != 0 && rc != MDB_NOTFOUND)
		return store_error(rc, "reading what is to be told", err);
	return code == 0
	    ? 0
	    : cairn_error_set(err, code, "what is to be told: %s", cairn_code_text(code));
}

static void
drop_bodies(struct facts_sender *sender)
{
	for (size_t i = 0; i < sender->body_count; i++)
		buf_fini(&sender->bodies[i]);
	sender->body_count = 0;
	sender->complete = false;
}

static int
gather_run(struct facts *facts, MDB_txn *txn, struct facts_step *step)
{
	struct facts_sender *sender = &facts->sender;
	bool walk;

	drop_bodies(sender);
	walk = sender->walk_wanted && (facts->totals.queued == 0 || sender->walk_next);
	if (facts->totals.queued == 0 && !walk)
		return 0;
	sender->walking = walk;
	sender->walk_next = !walk;
	return walk ? walk_gather(facts, txn, &step->err) : gather_changes(facts, txn, &step->err);
}

/* ---- what the kernel has ----------------------------------------------------------------------
 */

static int
forget_changes(struct facts *facts, MDB_txn *txn, struct cairn_error *err)
{
	struct facts_sender *sender = &facts->sender;
	int code = 0;

	for (uint64_t number = sender->first; code == 0 && number <= sender->last; number++) {
		uint8_t key[8];

		store_number(key, number);
		code = store_delete(txn, facts->queue, key, sizeof key, err);
	}
	if (code == 0) {
		facts->totals.queued -= sender->last - sender->first + 1;
		facts->totals_dirty = true;
	}
	return code;
}

static int
forget_run(struct facts *facts, MDB_txn *txn, struct facts_step *step)
{
	struct facts_sender *sender = &facts->sender;
	char cursor[FACTS_IDENTITY_DIGITS + FACTS_PATIENT_MAX + 1];

	if (!sender->walking)
		return forget_changes(facts, txn, &step->err);
	if (sender->complete)
		return store_put(
		    txn, facts->meta, "for", 3, sender->index, strlen(sender->index), &step->err);
	snprintf(cursor, sizeof cursor, "%.16s%s", sender->index, sender->reached);
	return store_put(txn, facts->meta, "cursor", 6, cursor, strlen(cursor), &step->err);
}

static void
retry(struct facts *facts, int code, const char *text)
{
	struct facts_sender *sender = &facts->sender;

	sender->busy = false;
	drop_bodies(sender);
	if (facts->closing)
		return;
	if (sender->failing_since_ms == 0)
		sender->failing_since_ms = clock_monotonic_ms();
	snprintf(sender->failure, sizeof sender->failure, "%s",
	    text != NULL && text[0] != 0 ? text : cairn_code_text(code));
	cairn_log(CAIRN_LOG_WARNING, "facts: not handed over (%s); trying again", sender->failure);
	sender_start_timer(facts, RETRY_MS);
}

static void
forget_after(struct facts *facts, struct facts_step *step)
{
	struct facts_sender *sender = &facts->sender;
	/* Meanwhile all may have begun anew for yet another index. */
	bool current = sender->walking && strcmp(sender->index, facts->consumer.begun) == 0;
	bool completed = current && sender->complete;

	if (step->code != 0) {
		retry(facts, step->code, step->err.text);
		return;
	}
	if (current)
		memcpy(sender->cursor, sender->reached, sizeof sender->cursor);
	sender->failing_since_ms = 0;
	sender->busy = false;
	drop_bodies(sender);
	if (completed)
		consumer_complete(facts);
	if (!facts->closing && (facts->shown.queued > 0 || facts->consumer.again))
		gather(facts);
}

static void
put_done(void *arg, int code, const char *text, const void *body, size_t length)
{
	struct facts *facts = arg;

	(void)body, (void)length;
	facts->calls--;
	if (facts->closed) {
		if (facts->calls == 0)
			facts_free(facts);
		return;
	}
	if (code != 0 || facts->closing) /* what is not forgotten is put again */
		retry(facts, code, text);
	else
		work_add(facts, &facts->sender.forget);
}

/* ---- putting ----------------------------------------------------------------------------------
 */

/* A key names the change, or the walk's place, and the bytes: after a crash more may have come into
 * the batch, and that is another job. */
static void
make_key(struct facts *facts, size_t index, char ret[129])
{
	const struct facts_sender *sender = &facts->sender;
	const struct buf *body = &sender->bodies[index];
	uint8_t digest[SHA256_DIGEST_LENGTH];
	char digits[33];

	SHA256(body->data, body->length, digest);
	text_hex(digest, 16, digits);
	if (sender->walking)
		snprintf(ret, 129, "%.16s:%s:%" PRIu64 ".%zu:%s", facts->shown.identity,
		    sender->index, sender->slice, index, digits);
	else
		snprintf(ret, 129, "%.16s:%" PRIu64 "-%" PRIu64 ":%s", facts->shown.identity,
		    sender->first, sender->last, digits);
}

static int
put(struct facts *facts)
{
	struct facts_sender *sender = &facts->sender;
	struct cairn_job_put jobs[SENDER_JOBS_MAX];
	char keys[SENDER_JOBS_MAX][129];
	int code;

	for (size_t i = 0; i < sender->body_count; i++) {
		make_key(facts, i, keys[i]);
		jobs[i] = (struct cairn_job_put){.queue = "facts",
		    .key = keys[i],
		    .body = sender->bodies[i].data,
		    .length = sender->bodies[i].length};
	}
	code = cairn_job_put(facts->cairn, jobs, sender->body_count, put_done, facts);
	if (code == 0)
		facts->calls++;
	return code;
}

static void
gather_after(struct facts *facts, struct facts_step *step)
{
	struct facts_sender *sender = &facts->sender;
	int code = step->code;

	if (code == 0 && (sender->body_count == 0 || facts->closing)) {
		drop_bodies(sender);
		sender->busy = false;
		return;
	}
	if (code == 0)
		code = put(facts);
	if (code != 0)
		retry(facts, code, step->err.text);
}

static void
gather(struct facts *facts)
{
	struct facts_sender *sender = &facts->sender;

	if (sender->busy || facts->closing)
		return;
	sender->busy = true;
	sender->walk_wanted = facts->consumer.again;
	memcpy(sender->index, facts->consumer.begun, sizeof sender->index);
	memcpy(sender->from, sender->cursor, sizeof sender->from);
	sender->slice++;
	work_add(facts, &sender->gather);
}

static void
on_timer(uv_timer_t *timer)
{
	gather(timer->data);
}

void
sender_start_timer(struct facts *facts, unsigned ms)
{
	if (!facts->closing && !uv_is_active((uv_handle_t *)&facts->sender.timer))
		uv_timer_start(&facts->sender.timer, on_timer, ms, 0);
}

void
sender_kick(struct facts *facts)
{
	if (!facts->sender.busy && (facts->shown.queued > 0 || facts->consumer.again))
		sender_start_timer(facts, GATHER_MS);
}

void
sender_open(struct facts *facts)
{
	struct facts_sender *sender = &facts->sender;

	sender->gather.run = gather_run;
	sender->gather.after = gather_after;
	sender->forget.run = forget_run;
	sender->forget.after = forget_after;
	uv_timer_init(cairn_loop(facts->cairn), &sender->timer);
	sender->timer.data = facts;
	facts->handles++;
	sender_kick(facts);
}

void
sender_close(struct facts *facts)
{
	work_close_timer(facts, &facts->sender.timer);
}
