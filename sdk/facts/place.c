/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A committed set is put in place a slice at a time, each in one transaction: first what is staged,
 * patient by patient, then what the set of that name said of others is taken back.  Each slice
 * leaves the rest to be done, so that a run that is killed leaves it to the next one.
 */
#include <stdlib.h>
#include <string.h>

#include "private.h"

#define SLICE_PATIENTS 256
#define SLICE_BYTES ((size_t)2 << 20)
#define SLICE_SCAN 8192

static int place_run(struct facts *facts, MDB_txn *txn, struct facts_step *step);
static void place_after(struct facts *facts, struct facts_step *step);

/* What a slice found; only when its transaction is committed does it count. */
static void
slice_begin(struct facts_place *place)
{
	place->slice = place->counts;
	place->slice_vanishing = place->vanishing;
	place->slice_finished = false;
	memcpy(place->slice_cursor, place->cursor, sizeof place->cursor);
}

/* ---- what is staged ----------------------------------------------------------------------------
 */

static int
first_staged(struct facts *facts, MDB_txn *txn, char patient[FACTS_PATIENT_MAX + 1],
    struct buf *bytes, struct cairn_error *err)
{
	MDB_val key, value;
	MDB_cursor *cursor;
	int rc = mdb_cursor_open(txn, facts->stage, &cursor);

	if (rc != 0)
		return store_error(rc, "reading what is staged", err);
	rc = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);
	mdb_cursor_close(cursor);
	if (rc == MDB_NOTFOUND)
		return CAIRN_ENOTFOUND;
	if (rc != 0)
		return store_error(rc, "reading what is staged", err);
	if (key.mv_size > FACTS_PATIENT_MAX)
		return cairn_error_set(err, CAIRN_ECORRUPT, "a staged patient is not readable");
	memcpy(patient, key.mv_data, key.mv_size);
	patient[key.mv_size] = 0;
	return buf_append(bytes, value.mv_data, value.mv_size);
}

static int
count(struct facts_place *place, const struct buf *bytes)
{
	struct record record = {0};
	int code = record_add(&record, bytes->data, bytes->length, 0, NULL);

	place->slice.patients++;
	place->slice.entries += record_entries(&record);
	record_fini(&record);
	return code;
}

static int
place_patient(struct facts *facts, MDB_txn *txn, const char *patient, const struct buf *bytes,
    struct cairn_error *err)
{
	struct facts_place *place = &facts->place;
	const struct facts_change change = {.patient = patient,
	    .part = place->name,
	    .bytes = bytes->data,
	    .length = bytes->length,
	    .whole = true};
	char key[FACTS_KEY_MAX];
	uint8_t generation[8];
	bool changed = false;
	int code = count(place, bytes);

	store_number(generation, place->generation);
	if (code == 0)
		code = apply_change(facts, txn, &change, &changed, err);
	if (code == 0)
		code = store_put(txn, facts->parts, key, store_pair(key, place->name, patient),
		    generation, sizeof generation, err);
	if (code == 0)
		code = store_delete(txn, facts->stage, patient, strlen(patient), err);
	place->slice.changed += changed;
	return code;
}

static int
place_staged(struct facts *facts, MDB_txn *txn, struct cairn_error *err)
{
	size_t done = 0, bytes_done = 0;
	int code = 0;

	while (code == 0 && done++ < SLICE_PATIENTS && bytes_done < SLICE_BYTES) {
		char patient[FACTS_PATIENT_MAX + 1];
		BUF_AUTO bytes = {.max = FACTS_KEPT_MAX};

		code = first_staged(facts, txn, patient, &bytes, err);
		if (code == 0)
			code = place_patient(facts, txn, patient, &bytes, err);
		bytes_done += bytes.length;
	}
	if (code != CAIRN_ENOTFOUND)
		return code;
	facts->place.slice_vanishing = true;
	return 0;
}

/* ---- what vanished -----------------------------------------------------------------------------
 */

/* The next patient of the set behind the cursor that this generation says nothing of; CAIRN_EAGAIN
 * when so many were looked at that it is enough for a slice. */
static int
next_vanished(struct facts *facts, MDB_txn *txn, size_t *scanned, struct cairn_error *err)
{
	struct facts_place *place = &facts->place;
	char at[FACTS_KEY_MAX + 1];
	size_t part = strlen(place->name);
	MDB_val key = {store_pair(at, place->name, place->slice_cursor), at}, value;
	MDB_cursor *cursor;
	int code = CAIRN_EAGAIN, rc = mdb_cursor_open(txn, facts->parts, &cursor);

	if (rc != 0)
		return store_error(rc, "reading what was stated", err);
	at[key.mv_size++] = 0; /* behind that patient, before all that sort after */
	rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
	for (; rc == 0 && *scanned < SLICE_SCAN; (*scanned)++) {
		if (key.mv_size <= part || memcmp(key.mv_data, place->name, part + 1) != 0) {
			rc = MDB_NOTFOUND;
			break;
		}
		code = store_second(&key, part, place->slice_cursor, sizeof place->slice_cursor);
		if (code != 0 || store_number_get(&value) != place->generation)
			break;
		code = CAIRN_EAGAIN;
		rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
	}
	mdb_cursor_close(cursor);
	if (rc == MDB_NOTFOUND)
		return CAIRN_ENOTFOUND;
	return rc == 0 ? code : store_error(rc, "reading what was stated", err);
}

static int
withdraw_patient(struct facts *facts, MDB_txn *txn, struct cairn_error *err)
{
	struct facts_place *place = &facts->place;
	const struct facts_change change = {
	    .patient = place->slice_cursor, .part = place->name, .whole = true};
	char key[FACTS_KEY_MAX];
	bool changed;
	int code = apply_change(facts, txn, &change, &changed, err);

	place->slice.gone++;
	return code != 0 ? code
			 : store_delete(txn, facts->parts, key,
			       store_pair(key, place->name, place->slice_cursor), err);
}

static int
finish(struct facts *facts, MDB_txn *txn, struct cairn_error *err)
{
	struct facts_place *place = &facts->place;
	const struct set_note note = {.generation = place->generation,
	    .committed_ms = place->committed_ms,
	    .patients = place->slice.patients};
	char key[FACTS_KEY_MAX];
	size_t length = store_pair(key, "set", place->name);
	int code = note.patients == 0
	    ? store_delete(txn, facts->meta, key, length, err)
	    : store_put(txn, facts->meta, key, length, &note, sizeof note, err);

	if (code == 0)
		code = store_delete(txn, facts->meta, "place", 5, err);
	place->slice_finished = true;
	return code;
}

static int
place_vanished(struct facts *facts, MDB_txn *txn, struct cairn_error *err)
{
	size_t scanned = 0;
	int code = 0;

	for (size_t i = 0; i < SLICE_PATIENTS && code == 0; i++) {
		code = next_vanished(facts, txn, &scanned, err);
		if (code == 0)
			code = withdraw_patient(facts, txn, err);
	}
	if (code == CAIRN_EAGAIN)
		return 0;
	return code == CAIRN_ENOTFOUND ? finish(facts, txn, err) : code;
}

/* ---- slices ------------------------------------------------------------------------------------
 */

/* The counts are kept with the note, so that they are whole also after a crash. */
static int
keep_counts(struct facts *facts, MDB_txn *txn, struct cairn_error *err)
{
	struct facts_place *place = &facts->place;
	struct place_note note = {.generation = place->generation,
	    .committed_ms = place->committed_ms,
	    .counts = place->slice};

	memcpy(note.name, place->name, sizeof place->name);
	return store_put(txn, facts->meta, "place", 5, &note, sizeof note, err);
}

static int
place_run(struct facts *facts, MDB_txn *txn, struct facts_step *step)
{
	struct facts_place *place = &facts->place;
	int code;

	slice_begin(place);
	code = place->vanishing ? place_vanished(facts, txn, &step->err)
				: place_staged(facts, txn, &step->err);
	if (code == 0 && !place->slice_finished)
		code = keep_counts(facts, txn, &step->err);
	return code;
}

static void
placed(struct facts *facts, int code, const char *why)
{
	struct facts_place *place = &facts->place;
	facts_set_fn *done = place->placed;

	place->placed = NULL;
	place->under_way = false;
	if (done != NULL)
		done(place->arg, code, why, code == 0 ? &place->counts : NULL);
}

static void
place_after(struct facts *facts, struct facts_step *step)
{
	struct facts_place *place = &facts->place;

	if (step->code != 0) {
		/* The note stays: the next start tries again. */
		cairn_log(CAIRN_LOG_ERROR, "facts: the set '%s' is not in place: %s", place->name,
		    step->err.text);
		placed(facts, step->code, step->err.text);
		place->under_way = true;
		return;
	}
	place->counts = place->slice;
	place->vanishing = place->slice_vanishing;
	memcpy(place->cursor, place->slice_cursor, sizeof place->cursor);
	sender_kick(facts);
	if (place->slice_finished)
		placed(facts, 0, "");
	else if (!facts->closing)
		work_add(facts, &place->step);
}

void
place_begin(struct facts *facts)
{
	struct facts_place *place = &facts->place;

	place->under_way = true;
	place->vanishing = false;
	place->cursor[0] = 0;
	place->step.run = place_run;
	place->step.after = place_after;
	if (!facts->closing)
		work_add(facts, &place->step);
}

/* After a start: what was committed goes on; what was only staged is dropped with the next set. */
int
place_resume(struct facts *facts, struct cairn_error *err)
{
	struct facts_place *place = &facts->place;
	struct place_note note;
	MDB_val value;
	MDB_txn *txn;
	int code, rc = mdb_txn_begin(facts->env, NULL, MDB_RDONLY, &txn);

	if (rc != 0)
		return store_error(rc, "reading what was stated", err);
	code = store_get(txn, facts->meta, "place", 5, &value, err);
	if (code == 0 && value.mv_size != sizeof note)
		code = cairn_error_set(err, CAIRN_ECORRUPT, "a committed set is not readable");
	if (code == 0)
		memcpy(&note, value.mv_data, sizeof note);
	mdb_txn_abort(txn);
	if (code != 0)
		return code == CAIRN_ENOTFOUND ? 0 : code;
	place->generation = note.generation;
	place->committed_ms = note.committed_ms;
	place->counts = note.counts;
	memcpy(place->name, note.name, sizeof place->name);
	place->name[sizeof place->name - 1] = 0;
	place_begin(facts);
	return 0;
}

int
facts_sets(struct facts *facts, facts_sets_fn *next, void *arg, struct cairn_error *err)
{
	char first[] = "set", name[FACTS_PART_MAX + 1];
	MDB_val key = {4, first}, value;
	MDB_cursor *cursor;
	MDB_txn *txn;
	int rc = mdb_txn_begin(facts->env, NULL, MDB_RDONLY, &txn);

	if (rc == 0) {
		rc = mdb_cursor_open(txn, facts->meta, &cursor);
		if (rc != 0)
			mdb_txn_abort(txn);
	}
	if (rc != 0)
		return store_error(rc, "reading what was stated", err);
	rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
	while (rc == 0 && key.mv_size > 4 && memcmp(key.mv_data, first, 4) == 0) {
		struct set_note note;

		if (value.mv_size == sizeof note && store_second(&key, 3, name, sizeof name) == 0) {
			memcpy(&note, value.mv_data, sizeof note);
			next(arg, name, note.patients, note.committed_ms);
		}
		rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
	}
	mdb_cursor_close(cursor);
	mdb_txn_abort(txn);
	next(arg, NULL, 0, 0);
	return 0;
}
