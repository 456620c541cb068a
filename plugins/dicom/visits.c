/* SPDX-License-Identifier: Apache-2.0 */
#include "visits.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define BATCH_MAX CAIRN_RECORDS_MAX
#define MINUTE_MS 60000u
#define FIELDS 9

/* What became of an association, in a ring. */
struct ended {
	struct visit visit;
	bool was_refused;
};

struct visits {
	struct connector *connector;
	uv_timer_t timer;
	struct ended *waiting; /* VISITS_WAITING_MAX, a ring */
	size_t first, count;
	size_t sending; /* the first so many are with the kernel; 0: none */
	uint64_t lost;
	uint64_t minute_ms; /* when the minute of refusals began */
	unsigned refused;   /* in it */
	struct visit last_refused;
	void (*freed)(void *arg); /* once it is to go */
	void *arg;
	bool closed;
};

static void flush(struct visits *visits);

/* ---- one association -------------------------------------------------------------------- */

/* What a peer calls itself ends in the ledger: printable ASCII. */
static void
copy_plain(char *ret, size_t size, const char *text)
{
	size_t i = 0;

	for (; text[i] != 0 && i + 1 < size; i++)
		ret[i] = text[i] >= 0x20 && text[i] < 0x7f ? text[i] : '?';
	ret[i] = 0;
}

struct visit *
visits_begin(const char *calling, const char *called, const char *peer)
{
	struct visit *visit = calloc(1, sizeof *visit);

	if (visit == NULL)
		return NULL;
	copy_plain(visit->calling, sizeof visit->calling, calling);
	copy_plain(visit->called, sizeof visit->called, called);
	copy_plain(visit->peer, sizeof visit->peer, peer);
	visit->first_ms = visit->last_ms = clock_wall_ms();
	return visit;
}

static void on_timer(uv_timer_t *timer);

/* The timer goes off in so many ms, or before. */
static void
arm(struct visits *visits, uint64_t ms)
{
	if (visits->freed == NULL &&
	    (!uv_is_active((uv_handle_t *)&visits->timer) ||
		uv_timer_get_due_in(&visits->timer) > ms))
		uv_timer_start(&visits->timer, on_timer, ms, 0);
}

static void
on_timer(uv_timer_t *timer)
{
	struct visits *visits = timer->data;

	flush(visits);
	if (visits->refused > VISITS_REFUSED_MAX)
		arm(visits, MINUTE_MS); /* their count is due then, if nobody else comes */
}

static void
add(struct visits *visits, const struct visit *visit, bool was_refused)
{
	if (visits->count == VISITS_WAITING_MAX) {
		visits->lost++;
		return;
	}
	visits->waiting[(visits->first + visits->count++) % VISITS_WAITING_MAX] =
	    (struct ended){*visit, was_refused};
	if (visits->count >= BATCH_MAX && visits->sending == 0)
		flush(visits);
	else
		arm(visits, VISITS_PAUSE_MS);
}

static void
end_when_over(struct visits *visits, struct visit *visit)
{
	if (!visit->closed || visit->waiting > 0)
		return;
	add(visits, visit, false);
	free(visit);
}

void
visits_close(struct visits *visits, struct visit *visit, const char *reason)
{
	if (visit == NULL)
		return;
	visit->closed = true;
	visit->released = reason == NULL;
	visit->last_ms = clock_wall_ms();
	copy_plain(visit->reason, sizeof visit->reason, reason == NULL ? "" : reason);
	end_when_over(visits, visit);
}

void
visits_instance(struct visit *visit)
{
	if (visit != NULL)
		visit->waiting++;
}

void
visits_answered(struct visits *visits, struct visit *visit, int code, bool duplicate)
{
	if (visit == NULL)
		return;
	if (code != 0)
		visit->refused++;
	else if (duplicate)
		visit->held++;
	else
		visit->stored++;
	visit->waiting--;
	end_when_over(visits, visit);
}

/* ---- refusals, bounded in rate ---------------------------------------------------------- */

static void
end_minute(struct visits *visits)
{
	unsigned more =
	    visits->refused > VISITS_REFUSED_MAX ? visits->refused - VISITS_REFUSED_MAX : 0;

	visits->refused = 0;
	if (more == 0)
		return;
	snprintf(visits->last_refused.reason, sizeof visits->last_refused.reason,
	    "%u more associations were refused within a minute; this peer's was the last", more);
	add(visits, &visits->last_refused, true);
}

void
visits_refused(struct visits *visits, const struct visit *visit)
{
	if (visit == NULL)
		return;
	if (visit->first_ms - visits->minute_ms >= MINUTE_MS) {
		end_minute(visits);
		visits->minute_ms = visit->first_ms;
	}
	visits->last_refused = *visit;
	if (++visits->refused <= VISITS_REFUSED_MAX)
		add(visits, visit, true);
	else
		arm(visits, MINUTE_MS);
}

/* ---- to the kernel ---------------------------------------------------------------------- */

struct texts {
	char number[4][24];
	char time[2][CLOCK_TEXT_MAX];
	struct cairn_record_field fields[FIELDS];
};

static void
describe(const struct ended *ended, struct texts *texts, struct cairn_record *ret)
{
	const struct visit *visit = &ended->visit;
	const uint64_t numbers[4] = {visit->stored, visit->held, visit->refused, visit->bytes};
	static const char *const names[4] = {"stored", "held", "refused", "bytes"};
	size_t count = 0;

	clock_text(visit->first_ms, texts->time[0]);
	clock_text(visit->last_ms, texts->time[1]);
	texts->fields[count++] = (struct cairn_record_field){"calling", visit->calling};
	texts->fields[count++] = (struct cairn_record_field){"called", visit->called};
	texts->fields[count++] = (struct cairn_record_field){"peer", visit->peer};
	for (size_t i = 0; i < 4 && !ended->was_refused; i++) {
		snprintf(texts->number[i], sizeof texts->number[i], "%" PRIu64, numbers[i]);
		texts->fields[count++] = (struct cairn_record_field){names[i], texts->number[i]};
	}
	texts->fields[count++] = (struct cairn_record_field){"first", texts->time[0]};
	if (!ended->was_refused)
		texts->fields[count++] = (struct cairn_record_field){"last", texts->time[1]};
	*ret = (struct cairn_record){.subject = "imaging.store",
	    .verdict = ended->was_refused ? "refused"
		: visit->released         ? "done"
					  : "failed",
	    .reason = visit->reason,
	    .fields = texts->fields,
	    .field_count = count};
}

static void
sent(void *arg, int code, const char *text, const void *body, size_t length)
{
	struct visits *visits = arg;
	size_t sending = visits->sending;

	(void)body, (void)length;
	visits->sending = 0;
	if (visits->freed != NULL) {
		if (visits->closed)
			free(visits);
		return;
	}
	if (code == 0) {
		visits->first = (visits->first + sending) % VISITS_WAITING_MAX;
		visits->count -= sending;
	} else {
		cairn_log(CAIRN_LOG_WARNING,
		    "%zu associations are not in the ledger yet, trying again: %s", visits->count,
		    text);
	}
	if (code == 0 && visits->count > 0)
		flush(visits);
	else if (visits->count > 0)
		arm(visits, VISITS_PAUSE_MS);
}

static int
send_batch(struct visits *visits, size_t count, cairn_call_fn done)
{
	struct cairn_record *records = calloc(count, sizeof *records);
	struct texts *texts = calloc(count, sizeof *texts);
	int code = CAIRN_ENOMEM;

	if (records != NULL && texts != NULL) {
		for (size_t i = 0; i < count; i++)
			describe(&visits->waiting[(visits->first + i) % VISITS_WAITING_MAX],
			    &texts[i], &records[i]);
		code = cairn_record(visits->connector->cairn, records, count, done, visits);
	}
	free(records);
	free(texts);
	return code;
}

/* There is room for it: the ring was full when something was lost, and is not now. */
static void
count_lost(struct visits *visits)
{
	struct visit visit = {.first_ms = clock_wall_ms(), .last_ms = clock_wall_ms()};

	if (visits->lost == 0 || visits->count == VISITS_WAITING_MAX)
		return;
	snprintf(visit.reason, sizeof visit.reason,
	    "%" PRIu64 " associations more were not recorded: the kernel took no records",
	    visits->lost);
	visits->lost = 0;
	add(visits, &visit, false);
}

static void
flush(struct visits *visits)
{
	size_t count;

	if (clock_wall_ms() - visits->minute_ms >= MINUTE_MS)
		end_minute(visits); /* which may send */
	if (visits->sending > 0)
		return;
	count = visits->count < BATCH_MAX ? visits->count : BATCH_MAX;
	if (count == 0)
		return;
	visits->sending = count;
	count_lost(visits);
	if (send_batch(visits, count, sent) != 0)
		sent(visits, CAIRN_EUNAVAILABLE, "the kernel cannot be reached", NULL, 0);
}

/* ---- life ------------------------------------------------------------------------------- */

int
visits_new(struct visits **ret, struct connector *connector, struct cairn_error *err)
{
	struct visits *visits = calloc(1, sizeof *visits);

	if (visits == NULL ||
	    (visits->waiting = calloc(VISITS_WAITING_MAX, sizeof *visits->waiting)) == NULL) {
		free(visits);
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	}
	visits->connector = connector;
	uv_timer_init(cairn_loop(connector->cairn), &visits->timer);
	visits->timer.data = visits;
	*ret = visits;
	return 0;
}

/* A kernel that stops us takes what we say, and answers no more. */
static void
ignore_answer(void *arg, int code, const char *text, const void *body, size_t length)
{
	(void)arg, (void)code, (void)text, (void)body, (void)length;
}

static void
timer_closed(uv_handle_t *handle)
{
	struct visits *visits = handle->data;
	void (*freed)(void *arg) = visits->freed;
	void *arg = visits->arg;

	visits->closed = true;
	free(visits->waiting);
	if (visits->sending == 0)
		free(visits); /* else sent() does, should it be called */
	freed(arg);
}

void
visits_free(struct visits *visits, void (*freed)(void *arg), void *arg)
{
	visits->freed = freed;
	visits->arg = arg;
	uv_timer_stop(&visits->timer);
	end_minute(visits);
	visits->first = (visits->first + visits->sending) % VISITS_WAITING_MAX;
	visits->count -= visits->sending;
	while (visits->count > 0) {
		size_t count = visits->count < BATCH_MAX ? visits->count : BATCH_MAX;

		if (send_batch(visits, count, ignore_answer) != 0)
			break;
		visits->first = (visits->first + count) % VISITS_WAITING_MAX;
		visits->count -= count;
	}
	uv_close((uv_handle_t *)&visits->timer, timer_closed);
}
