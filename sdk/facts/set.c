/* SPDX-License-Identifier: Apache-2.0 */
/* A set is staged in a table of its own; committing it is a note that it is to be put in place. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "private.h"

struct facts_set {
	struct facts *facts;
	char name[FACTS_PART_MAX + 1];
};

/* A step about the stage. */
struct staging {
	struct facts_step step;
	struct buf packed; /* framed */
	char name[FACTS_PART_MAX + 1];
	uint64_t committed_ms;
	facts_done_fn *done;
	facts_set_fn *placed;
	void *arg;
};

static struct staging *
staging_new(int (*run)(struct facts *facts, MDB_txn *txn, struct facts_step *step),
    void (*after)(struct facts *facts, struct facts_step *step))
{
	struct staging *staging = calloc(1, sizeof *staging);

	if (staging == NULL)
		return NULL;
	buf_init(&staging->packed, FACTS_WAITING_MAX);
	staging->step.run = run;
	staging->step.after = after;
	return staging;
}

/* ---- emptying it ---------------------------------------------------------------------------- */

int
place_clear_stage(struct facts *facts, MDB_txn *txn, struct facts_step *step)
{
	int rc = mdb_drop(txn, facts->stage, 0);

	facts->stage_bad = rc != 0;
	return rc == 0 ? 0 : store_error(rc, "dropping what was staged", &step->err);
}

static void
clear_after(struct facts *facts, struct facts_step *step)
{
	(void)facts;
	if (step->code != 0)
		cairn_log(CAIRN_LOG_WARNING, "facts: %s", step->err.text);
	free(step);
}

static int
clear(struct facts *facts)
{
	struct staging *staging = staging_new(place_clear_stage, clear_after);

	if (staging == NULL)
		return CAIRN_ENOMEM;
	work_add(facts, &staging->step);
	return 0;
}

int
facts_set_begin(
    struct facts_set **ret, struct facts *facts, const char *name, struct cairn_error *err)
{
	struct facts_set *set;

	if (name == NULL || name[0] == 0 || strlen(name) > FACTS_PART_MAX)
		return cairn_error_set(
		    err, CAIRN_EINVAL, "the name of a set has 1 to %d bytes", FACTS_PART_MAX);
	if (facts->closing)
		return cairn_error_set(err, CAIRN_ECANCELLED, "the plugin is stopping");
	if (facts->set != NULL || facts->place.under_way)
		return cairn_error_set(err, CAIRN_EAGAIN, "another set is being %s",
		    facts->set != NULL ? "read" : "put in place");
	set = calloc(1, sizeof *set);
	if (set == NULL || clear(facts) != 0) {
		free(set);
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	}
	set->facts = facts;
	memcpy(set->name, name, strlen(name) + 1);
	facts->set = set;
	*ret = set;
	return 0;
}

void
facts_set_drop(struct facts_set *set)
{
	if (set == NULL)
		return;
	if (clear(set->facts) != 0)
		cairn_log(
		    CAIRN_LOG_WARNING, "facts: out of memory; what was staged is dropped later");
	set->facts->set = NULL;
	free(set);
}

/* ---- adding --------------------------------------------------------------------------------- */

static int
stage_record(struct facts *facts, MDB_txn *txn, struct record_span packed, struct record *record,
    struct buf *whole, struct cairn_error *err)
{
	char patient[FACTS_PATIENT_MAX + 1];
	struct record_head head;
	MDB_val had;
	int code = record_add(record, packed.at, packed.length, 1, &head);

	if (code == 0) {
		memcpy(patient, head.patient.at, head.patient.length);
		patient[head.patient.length] = 0;
		code = store_get(txn, facts->stage, patient, strlen(patient), &had, err);
	}
	if (code == 0 && !head.withdrawn)
		code = record_add(record, had.mv_data, had.mv_size, 0, NULL);
	else if (code == CAIRN_ENOTFOUND)
		code = 0;
	if (code == 0) {
		record_settle(record);
		code = record_write(record, whole);
	}
	if (code == 0)
		code = store_put(
		    txn, facts->stage, patient, strlen(patient), whole->data, whole->length, err);
	if (code != 0 && err->code == 0)
		return cairn_error_set(
		    err, code, "what is said about one patient: %s", cairn_code_text(code));
	return code;
}

static int
add_run(struct facts *facts, MDB_txn *txn, struct facts_step *step)
{
	struct staging *staging = (struct staging *)step;
	struct record_span packed;
	size_t at = 0;
	int code = 0;

	while (code == 0 && framed_next(&staging->packed, &at, &packed)) {
		struct record record = {0};
		BUF_AUTO whole = {.max = FACTS_KEPT_MAX};

		code = stage_record(facts, txn, packed, &record, &whole, &step->err);
		record_fini(&record);
	}
	if (code != 0)
		facts->stage_bad = true;
	return code;
}

static void
add_after(struct facts *facts, struct facts_step *step)
{
	struct staging *staging = (struct staging *)step;

	facts->waiting_bytes -= staging->packed.length;
	buf_fini(&staging->packed);
	if (staging->done != NULL)
		staging->done(staging->arg, step->code, step->err.text);
	free(staging);
}

int
facts_set_add(struct facts_set *set, Cairn__PatientFacts *const *patients, size_t count,
    facts_done_fn *done, void *arg, struct cairn_error *err)
{
	struct staging *staging = staging_new(add_run, add_after);
	int code;

	if (staging == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	code = state_pack(set->facts, patients, count, &staging->packed, err);
	if (code != 0) {
		buf_fini(&staging->packed);
		free(staging);
		return code;
	}
	staging->done = done;
	staging->arg = arg;
	set->facts->waiting_bytes += staging->packed.length;
	work_add(set->facts, &staging->step);
	return 0;
}

/* ---- committing ------------------------------------------------------------------------------ */

static int
commit_run(struct facts *facts, MDB_txn *txn, struct facts_step *step)
{
	struct staging *staging = (struct staging *)step;
	struct place_note note = {.committed_ms = staging->committed_ms};

	if (facts->stage_bad)
		return cairn_error_set(
		    &step->err, CAIRN_EIO, "a part of the set could not be staged");
	facts->totals.generation++;
	facts->totals_dirty = true;
	note.generation = facts->totals.generation;
	memcpy(note.name, staging->name, sizeof staging->name);
	return store_put(txn, facts->meta, "place", 5, &note, sizeof note, &step->err);
}

static void
commit_after(struct facts *facts, struct facts_step *step)
{
	struct staging *staging = (struct staging *)step;

	if (step->code == 0) {
		facts->place.counts = (struct facts_set_counts){0};
		facts->place.placed = staging->placed;
		facts->place.arg = staging->arg;
		facts->place.generation = facts->shown.generation;
		facts->place.committed_ms = staging->committed_ms;
		memcpy(facts->place.name, staging->name, sizeof staging->name);
		place_begin(facts);
	} else {
		facts->place.under_way = false;
		clear(facts);
	}
	if (staging->done != NULL)
		staging->done(staging->arg, step->code, step->err.text);
	if (step->code != 0 && staging->placed != NULL)
		staging->placed(staging->arg, step->code, step->err.text, NULL);
	free(staging);
}

int
facts_set_commit(struct facts_set *set, facts_done_fn *durable, facts_set_fn *placed, void *arg,
    struct cairn_error *err)
{
	struct facts *facts = set->facts;
	struct staging *staging = staging_new(commit_run, commit_after);

	if (staging == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	staging->done = durable;
	staging->placed = placed;
	staging->arg = arg;
	staging->committed_ms = clock_wall_ms();
	memcpy(staging->name, set->name, sizeof set->name);
	facts->set = NULL;
	facts->place.under_way = true; /* nothing else is staged meanwhile */
	free(set);
	work_add(facts, &staging->step);
	return 0;
}

int
facts_set_withdraw(
    struct facts *facts, const char *name, facts_set_fn *placed, void *arg, struct cairn_error *err)
{
	struct facts_set *set = NULL;
	int code = facts_set_begin(&set, facts, name, err);

	if (code == 0)
		code = facts_set_commit(set, NULL, placed, arg, err);
	if (code != 0)
		facts_set_drop(set);
	return code;
}
