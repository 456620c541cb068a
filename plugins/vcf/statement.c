/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose genotypes are held, as the cohort engine hears it: it counts patients that it knows, and of
 * one with nothing but a genome nobody else tells it.  Of each patient of the shelf there is one
 * specimen with no fact about it, so that the patient is there and no criterion is met by it.
 *
 * The shelf comes first and is what is true: all of its patients are stated as one set, at every
 * start and after every change of the shelf.  So what a killed plugin did not state, or take back,
 * is stated or taken back by the next run, and until then the engine leaves the patient out.
 */
#include "statement.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "base/text.h"
#include "connector.h"
#include "facts/facts.h"

#define SET_NAME "genotypes"
#define BATCH 256
#define BUSY_MS 100   /* another set is being put in place */
#define RETRY_MS 5000 /* after a failure */

struct statement {
	struct connector *connector;
	struct facts_set *set; /* being staged */
	bool placing, closing, closed;
	uint64_t wanted, pass, told; /* states of the shelf, counted */
	char last[FACTS_PATIENT_MAX + 1];
	char failure[160];
	uv_timer_t timer;
};

static void begin(struct statement *statement);
static void on_timer(uv_timer_t *timer);
static void added(void *arg, int code, const char *why);

/* ---- a pass ------------------------------------------------------------------------------- */

static void
fail(struct statement *statement, const char *why)
{
	facts_set_drop(statement->set);
	statement->set = NULL;
	if (statement->failure[0] == 0)
		cairn_log(CAIRN_LOG_ERROR,
		    "whose genotypes are held cannot be stated: %s; it is tried again", why);
	snprintf(statement->failure, sizeof statement->failure, "%s", why);
	uv_timer_start(&statement->timer, on_timer, RETRY_MS, 0);
	import_stated(statement->connector, UINT64_MAX, statement->failure);
}

static void
placed(void *arg, int code, const char *why, const struct facts_set_counts *counts)
{
	struct statement *statement = arg;

	statement->placing = false;
	if (statement->connector->stopping)
		return;
	if (code != 0) {
		fail(statement, why);
		return;
	}
	statement->told = statement->pass;
	statement->failure[0] = 0;
	if (counts->changed > 0 || counts->gone > 0)
		cairn_log(CAIRN_LOG_INFO,
		    "genotypes of %llu patients are held: %llu were stated anew, %llu taken back",
		    (unsigned long long)counts->patients, (unsigned long long)counts->changed,
		    (unsigned long long)counts->gone);
	import_stated(statement->connector, statement->told, NULL);
	begin(statement);
}

/* The first patient behind `last`.  The shelf may have changed since: its order is by name. */
static size_t
next_patient(const struct shelf *shelf, const char *last)
{
	size_t low = 0, high = shelf->patient_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(shelf->patients[middle], last) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int
add_batch(struct statement *statement, size_t first, size_t count, struct cairn_error *err)
{
	const struct shelf *shelf = statement->connector->shelf;
	Cairn__EntryFacts entry = CAIRN__ENTRY_FACTS__INIT, *entries[] = {&entry};
	Cairn__PatientFacts patients[BATCH], *list[BATCH];

	entry.kind = (char *)(uintptr_t) "specimen";
	entry.id = (char *)(uintptr_t)SET_NAME;
	for (size_t i = 0; i < count; i++) {
		cairn__patient_facts__init(&patients[i]);
		patients[i].patient = shelf->patients[first + i];
		patients[i].entries = entries;
		patients[i].n_entries = 1;
		list[i] = &patients[i];
	}
	if (!text_copy(statement->last, sizeof statement->last, shelf->patients[first + count - 1]))
		return cairn_error_set(err, CAIRN_EINVAL, "a pseudonym is too long");
	return facts_set_add(statement->set, list, count, added, statement, err);
}

static void
next_batch(struct statement *statement)
{
	const struct shelf *shelf = statement->connector->shelf;
	size_t first = next_patient(shelf, statement->last), left = shelf->patient_count - first;
	struct cairn_error err = {0};
	int code;

	if (left > 0) {
		code = add_batch(statement, first, left < BATCH ? left : BATCH, &err);
	} else {
		code = facts_set_commit(statement->set, NULL, placed, statement, &err);
		if (code == 0) {
			statement->set = NULL;
			statement->placing = true;
		}
	}
	if (code != 0)
		fail(statement, err.text);
}

static void
added(void *arg, int code, const char *why)
{
	struct statement *statement = arg;

	if (statement->connector->stopping) {
		facts_set_drop(statement->set); /* the next run states it */
		statement->set = NULL;
		connector_rest(statement->connector);
	} else if (code != 0) {
		fail(statement, why);
	} else {
		next_batch(statement);
	}
}

static void
begin(struct statement *statement)
{
	struct connector *connector = statement->connector;
	struct cairn_error err = {0};
	int code;

	if (connector->stopping || statement->set != NULL || statement->placing ||
	    statement->told == statement->wanted)
		return;
	code = facts_set_begin(&statement->set, connector->facts, SET_NAME, &err);
	if (code == CAIRN_EAGAIN) {
		uv_timer_start(&statement->timer, on_timer, BUSY_MS, 0);
		return;
	}
	if (code != 0) {
		fail(statement, err.text);
		return;
	}
	statement->pass = statement->wanted;
	statement->last[0] = 0;
	next_batch(statement);
}

static void
on_timer(uv_timer_t *timer)
{
	begin(timer->data);
}

/* ---- for the others ----------------------------------------------------------------------- */

void
statement_refresh(struct statement *statement)
{
	statement->wanted++;
	if (statement->failure[0] == 0) /* else the timer begins */
		begin(statement);
}

uint64_t
statement_wanted(const struct statement *statement)
{
	return statement->wanted;
}

bool
statement_is_told(const struct statement *statement)
{
	return statement->told == statement->wanted;
}

const char *
statement_failure(const struct statement *statement)
{
	return statement->failure[0] == 0 ? NULL : statement->failure;
}

bool
statement_is_staging(const struct statement *statement)
{
	return statement->set != NULL;
}

int
statement_new(struct statement **ret, struct connector *connector, struct cairn_error *err)
{
	struct statement *statement = calloc(1, sizeof *statement);

	if (statement == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	statement->connector = connector;
	uv_timer_init(cairn_loop(connector->cairn), &statement->timer);
	statement->timer.data = statement;
	*ret = statement;
	return 0;
}

static void
on_closed(uv_handle_t *handle)
{
	struct statement *statement = handle->data;

	statement->closed = true;
	connector_rest(statement->connector);
}

bool
statement_close(struct statement *statement)
{
	if (!statement->closing)
		uv_close((uv_handle_t *)&statement->timer, on_closed);
	statement->closing = true;
	return statement->closed;
}

void
statement_free(struct statement *statement)
{
	free(statement);
}
