/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The index that consumes the facts.  Every few seconds it is told how many patients are kept and
 * to which index all of that was handed over, and says which index it is.  When that is another
 * one, because it was lost or an operator wants it made anew, all is handed over again.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cairn/cohort.pb-c.h"
#include "private.h"

#define SUBJECT "cohort.index"
#define ASK_MS 2000
#define RETRY_MS 100 /* the first time; then twice as long each time */
#define TIMEOUT_MS 10000

/* ---- handing over again ------------------------------------------------------------------------
 */

static void
say(const struct facts *facts, const char *what)
{
	cairn_log(CAIRN_LOG_INFO, "%s (%" PRIu64 " patients)", what, facts->shown.patients);
}

void
consumer_complete(struct facts *facts)
{
	struct facts_consumer *consumer = &facts->consumer;

	memcpy(consumer->has, consumer->begun, sizeof consumer->has);
	consumer->again = false;
	say(facts, "all facts have been handed over to the new index");
}

/* ---- hearing ------------------------------------------------------------------------------------
 */

/* `begun` in any case; `for` where nothing has to be handed over. */
static int
note_run(struct facts *facts, MDB_txn *txn, struct facts_step *step)
{
	const char *heard = facts->consumer.heard;
	int code =
	    store_put(txn, facts->meta, "begun", 5, heard, FACTS_IDENTITY_DIGITS, &step->err);

	facts->consumer.nothing = facts->consumer.first || facts->totals.patients == 0;
	if (code == 0 && facts->consumer.nothing)
		code =
		    store_put(txn, facts->meta, "for", 3, heard, FACTS_IDENTITY_DIGITS, &step->err);
	return code;
}

static void
note_after(struct facts *facts, struct facts_step *step)
{
	struct facts_consumer *consumer = &facts->consumer;
	bool resume = strcmp(consumer->begun, consumer->heard) == 0;

	consumer->noting = false;
	if (step->code != 0) {
		cairn_log(CAIRN_LOG_WARNING, "which index has the facts is not noted: %s",
		    step->err.text);
		return; /* it is asked again */
	}
	memcpy(consumer->begun, consumer->heard, sizeof consumer->begun);
	consumer->first = false;
	if (consumer->nothing) {
		memcpy(consumer->has, consumer->heard, sizeof consumer->has);
		return;
	}
	if (!resume)
		facts->sender.cursor[0] = 0;
	consumer->again = true;
	sender_kick(facts);
	say(facts,
	    resume ? "goes on handing over all facts to a new index"
		   : "the index of facts is a new one: all facts are handed over again");
}

static bool
well_formed(const char *identity)
{
	return strlen(identity) == FACTS_IDENTITY_DIGITS &&
	    strspn(identity, "0123456789abcdef") == FACTS_IDENTITY_DIGITS;
}

static void
hear(struct facts *facts, const char *identity)
{
	struct facts_consumer *consumer = &facts->consumer;

	if (!well_formed(identity) || consumer->noting || strcmp(consumer->has, identity) == 0)
		return;
	if (consumer->again && strcmp(consumer->begun, identity) == 0)
		return; /* under way */
	memcpy(consumer->heard, identity, sizeof consumer->heard);
	consumer->noting = true;
	work_add(facts, &consumer->note);
}

/* ---- asking ------------------------------------------------------------------------------------
 */

static void ask(uv_timer_t *timer);

/* One that starts is asked soon, so that it gives no count of what it lacks. */
static void
ask_later(struct facts *facts, int code)
{
	struct facts_consumer *consumer = &facts->consumer;

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
	struct facts *facts = arg;
	Cairn__IndexAnswer *answer = NULL;

	(void)text; /* no index is there: it may come, and nothing is lost meanwhile */
	facts->calls--;
	if (facts->closed) {
		if (facts->calls == 0)
			facts_free(facts);
		return;
	}
	if (facts->closing)
		return;
	if (code == 0)
		answer = cairn__index_answer__unpack(NULL, length, body);
	if (answer != NULL) {
		hear(facts, answer->identity);
		cairn__index_answer__free_unpacked(answer, NULL);
	}
	ask_later(facts, code);
}

static void
ask(uv_timer_t *timer)
{
	struct facts *facts = timer->data;
	struct facts_consumer *consumer = &facts->consumer;
	Cairn__IndexRequest request = CAIRN__INDEX_REQUEST__INIT;
	uint8_t body[160];

	if (facts->closing)
		return;
	request.source = facts->source;
	request.handed_to = consumer->has;
	request.held = consumer->first ? 0 : facts->shown.patients;
	if (cairn__index_request__get_packed_size(&request) <= sizeof body &&
	    cairn_call(facts->cairn, SUBJECT, body, cairn__index_request__pack(&request, body),
		TIMEOUT_MS, answered, facts) == 0)
		facts->calls++;
	else
		uv_timer_start(&consumer->timer, ask, ASK_MS, 0);
}

/* ---- opening -----------------------------------------------------------------------------------
 */

static int
read_notes(struct facts *facts, MDB_txn *txn, struct cairn_error *err)
{
	struct facts_consumer *consumer = &facts->consumer;
	char cursor[FACTS_IDENTITY_DIGITS + FACTS_PATIENT_MAX + 1];
	int code =
	    store_meta_text(facts, txn, "begun", consumer->begun, sizeof consumer->begun, err);

	if (code == 0)
		code = store_meta_text(facts, txn, "for", consumer->has, sizeof consumer->has, err);
	if (code == 0)
		code = store_meta_text(facts, txn, "cursor", cursor, sizeof cursor, err);
	if (code == 0 && consumer->begun[0] != 0 &&
	    strncmp(cursor, consumer->begun, FACTS_IDENTITY_DIGITS) == 0)
		snprintf(facts->sender.cursor, sizeof facts->sender.cursor, "%s",
		    cursor + FACTS_IDENTITY_DIGITS);
	return code;
}

int
consumer_open(struct facts *facts, struct cairn_error *err)
{
	struct facts_consumer *consumer = &facts->consumer;
	MDB_txn *txn;
	int code, rc = mdb_txn_begin(facts->env, NULL, MDB_RDONLY, &txn);

	if (rc != 0)
		return store_error(rc, "reading what was stated", err);
	code = read_notes(facts, txn, err);
	mdb_txn_abort(txn);
	if (code != 0)
		return code;
	consumer->retry_ms = RETRY_MS / 2;
	/* Where nothing was ever stated, any index gets all as it comes. */
	consumer->first = facts->shown.next == 1 && consumer->begun[0] == 0;
	consumer->note.run = note_run;
	consumer->note.after = note_after;
	uv_timer_init(cairn_loop(facts->cairn), &consumer->timer);
	consumer->timer.data = facts;
	facts->handles++;
	uv_timer_start(&consumer->timer, ask, 0, 0);
	return 0;
}

void
consumer_close(struct facts *facts)
{
	work_close_timer(facts, &facts->consumer.timer);
}
