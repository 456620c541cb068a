/* SPDX-License-Identifier: Apache-2.0 */
/* One transaction: instances come, are replaced and go. */
#include "write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "entity.h"
#include "entry.h"
#include "merge.h"
#include "shift.h"

/* Errors from the tables come without words. */
static int
explain(int code, struct cairn_error *err)
{
	if (code == 0 || err == NULL || err->code != 0)
		return code;
	if (code == CAIRN_ECORRUPT)
		return store_corrupt("a record has an impossible length", err);
	if (code == CAIRN_ELIMIT)
		return cairn_error_set(err, code, "the cohort index is full; raise map_size_mb");
	return cairn_error_set(err, code, "writing the cohort index: %s", cairn_code_text(code));
}

/* ---- instances --------------------------------------------------------------------------- */

/* The instance's own presence and facts: nobody else states them, so they are posted directly. */
static int
post_instance(struct index_write *w, uint32_t id, const uint8_t *bytes, size_t length, bool set)
{
	struct fact_reader levels[4];
	struct posting presence = posting_make(TERM_UNIVERSE, TERM_INSTANCE, 0, 0, id);
	struct fact fact;
	int code = statement_read(bytes, length, levels);

	if (code == 0)
		code = postings_change(w, &presence, set);
	while (code == 0 && fact_next(&levels[TERM_INSTANCE], &fact))
		code = postings_change_fact(w, &fact, TERM_INSTANCE, id, set);
	return code;
}

static int
add_to_series(struct index_write *w, uint32_t series, int step)
{
	uint32_t count;
	int code = column_get(w->index, w->txn, &w->chunks[COLUMN_SERIES_INSTANCES],
	    COLUMN_SERIES_INSTANCES, series, &count);

	if (code != 0)
		return code;
	if (step < 0 && count == 0)
		return CAIRN_ECORRUPT;
	return column_set(w->index, w->txn, &w->chunks[COLUMN_SERIES_INSTANCES],
	    COLUMN_SERIES_INSTANCES, series, count + (uint32_t)step);
}

/* Takes away what the instance stated.  Its series may be left empty: see entity_prune(). */
static int
detach(struct index_write *w, uint32_t id, const struct instance_record *record)
{
	uint32_t references, patient;
	const uint8_t *stored;
	uint8_t bytes[STATEMENT_MAX];
	size_t length;
	int code = entity_patient(w, record->series, &patient);

	if (code == 0)
		code = statement_get(
		    w, record->series, record->statement, &references, &stored, &length);
	if (code != 0)
		return code == CAIRN_ENOTFOUND ? CAIRN_ECORRUPT : code;
	if (length > sizeof bytes || references == 0)
		return CAIRN_ECORRUPT;
	memcpy(bytes, stored, length);
	if (references == 1)
		code = touch(w, patient);
	if (code == 0)
		code = statement_put(
		    w, record->series, record->statement, references - 1, bytes, length);
	if (code == 0)
		code = post_instance(w, id, bytes, length, false);
	return code != 0 ? code : add_to_series(w, record->series, -1);
}

static int
attach(struct index_write *w, uint32_t id, const struct entity_path *path,
    const struct buf *statement, uint32_t *ret_statement)
{
	uint32_t references;
	int code = statement_find(w, path->series, statement, ret_statement, &references);

	if (code == 0 && references == 0)
		code = touch(w, path->patient);
	if (code == 0)
		code = statement_put(w, path->series, *ret_statement, references + 1,
		    statement->data, statement->length);
	if (code == 0)
		code = post_instance(w, id, statement->data, statement->length, true);
	return code != 0 ? code : add_to_series(w, path->series, 1);
}

int
instance_move(struct index_write *w, uint32_t id, const struct entity_path *to)
{
	struct instance_record record;
	BUF_AUTO bytes = {.max = STATEMENT_MAX};
	const uint8_t *stored;
	size_t length;
	uint32_t references;
	char name[INDEX_NAME_MAX + 1];
	int code = record_get(w->index, w->txn, TERM_INSTANCE, id, &record, sizeof record, name);

	if (code == 0)
		code = statement_get(
		    w, record.series, record.statement, &references, &stored, &length);
	if (code == 0)
		code = buf_append(&bytes, stored, length);
	if (code == 0)
		code = detach(w, id, &record);
	if (code == 0)
		code = attach(w, id, to, &bytes, &record.statement);
	if (code != 0)
		return code;
	record.series = to->series;
	code = record_put(w->index, w->txn, TERM_INSTANCE, id, &record, sizeof record, name);
	return code != 0 ? code
			 : column_set(w->index, w->txn, &w->chunks[COLUMN_INSTANCE_SERIES],
			       COLUMN_INSTANCE_SERIES, id, to->series);
}

static void
set_object(struct instance_record *record, const Cairn__ObjectRef *object)
{
	if (object == NULL)
		return;
	record->has_object = 1;
	record->segment = object->segment;
	record->offset = object->offset;
	record->length = object->length;
	memcpy(record->sha256, object->sha256.data, sizeof record->sha256);
}

/* The same place, the same facts and the same object as before. */
static int
is_unchanged(struct index_write *w, const struct instance_record *old,
    const Cairn__InstanceFacts *facts, const struct buf *statement, bool *ret)
{
	struct instance_record changed = *old;
	struct entity_path path;
	uint32_t references;
	const uint8_t *stored;
	size_t length;
	int code = entity_find(w, facts, &path);

	*ret = false;
	if (code == CAIRN_ENOTFOUND)
		return 0;
	if (code != 0)
		return code;
	set_object(&changed, facts->object);
	if (path.series != old->series || memcmp(&changed, old, sizeof changed) != 0)
		return 0;
	code = statement_get(w, old->series, old->statement, &references, &stored, &length);
	if (code != 0)
		return code == CAIRN_ENOTFOUND ? CAIRN_ECORRUPT : code;
	*ret = length == statement->length && memcmp(stored, statement->data, length) == 0;
	return 0;
}

static int
put_instance(struct index_write *w, uint32_t id, struct instance_record *record,
    const Cairn__InstanceFacts *facts, const struct buf *statement)
{
	struct entity_path path;
	int code = entity_make(w, facts, &path);

	if (code == 0)
		code = attach(w, id, &path, statement, &record->statement);
	if (code != 0)
		return code;
	record->series = path.series;
	set_object(record, facts->object);
	code = record_put(
	    w->index, w->txn, TERM_INSTANCE, id, record, sizeof *record, facts->instance);
	return code != 0 ? code
			 : column_set(w->index, w->txn, &w->chunks[COLUMN_INSTANCE_SERIES],
			       COLUMN_INSTANCE_SERIES, id, path.series);
}

static int
new_instance(struct index_write *w, const Cairn__InstanceFacts *facts, const struct buf *statement)
{
	struct instance_record record;
	uint32_t id = w->counters.entities[TERM_INSTANCE];
	int code;

	if (id == STORE_NONE)
		return CAIRN_ELIMIT;
	memset(&record, 0, sizeof record);
	w->counters.entities[TERM_INSTANCE]++;
	code = name_put(w->index, w->txn, TERM_INSTANCE, 0, facts->instance, id);
	return code != 0 ? code : put_instance(w, id, &record, facts, statement);
}

static int
apply_one(struct index_write *w, const Cairn__InstanceFacts *facts, const struct buf *statement,
    bool *ret_changed)
{
	struct instance_record record;
	uint32_t id, old_series;
	bool unchanged;
	int code = name_find(w->index, w->txn, TERM_INSTANCE, 0, facts->instance, &id);

	*ret_changed = true;
	if (code == CAIRN_ENOTFOUND)
		return new_instance(w, facts, statement);
	if (code == 0)
		code =
		    record_get(w->index, w->txn, TERM_INSTANCE, id, &record, sizeof record, NULL);
	if (code == 0)
		code = is_unchanged(w, &record, facts, statement, &unchanged);
	if (code != 0)
		return code;
	*ret_changed = !unchanged;
	if (unchanged)
		return 0;
	old_series = record.series;
	code = detach(w, id, &record);
	if (code == 0)
		code = put_instance(w, id, &record, facts, statement);
	return code != 0 ? code : entity_prune(w, old_series);
}

static void
refuse(struct index_applied *applied, const char *problem)
{
	if (applied->refused++ == 0)
		snprintf(applied->reason, sizeof applied->reason, "%s", problem);
}

static void
note_applied(struct index_write *w, struct index_applied *applied, bool changed)
{
	w->changed |= changed;
	applied->changed += changed;
	applied->unchanged += !changed;
}

/* Of a pseudonym that was replaced everything goes to its successor, its days moved. */
static int
apply_resolved(struct index_write *w, const Cairn__InstanceFacts *facts,
    const struct buf *statement, struct index_applied *applied)
{
	Cairn__InstanceFacts copy = *facts;
	BUF_AUTO moved = {.max = STATEMENT_MAX};
	char patient[INDEX_NAME_MAX + 1];
	int64_t days = 0;
	bool fits = true, changed = false;
	int code = alias_resolve(w, facts->patient, patient, &days);

	copy.patient = patient;
	if (code == 0 && days != 0) {
		code = buf_append(&moved, statement->data, statement->length);
		if (code == 0)
			code = shift_statement(moved.data, moved.length, days, &fits);
		statement = &moved;
	}
	if (code == 0 && !fits) {
		refuse(applied, SHIFT_PROBLEM);
		return 0;
	}
	if (code == 0)
		code = apply_one(w, &copy, statement, &changed);
	note_applied(w, applied, changed);
	return code;
}

static int
apply_instances(struct index_write *w, const Cairn__FactBatch *batch, struct index_applied *applied,
    struct cairn_error *err)
{
	const Cairn__InstanceFacts *last = NULL;
	int code = 0;

	for (size_t i = 0; i < batch->n_instances && code == 0; i++) {
		const Cairn__InstanceFacts *facts = batch->instances[i];
		const char *problem = facts_problem(facts);

		if (problem != NULL) {
			refuse(applied, problem);
			continue;
		}
		if (last == NULL || !facts_equal(last, facts))
			code = statement_encode(w, facts, &w->statement, err);
		last = facts;
		if (code == 0)
			code = apply_resolved(w, facts, &w->statement, applied);
	}
	return code;
}

static int
apply_patients(struct index_write *w, uint16_t source, const Cairn__FactBatch *batch,
    struct index_applied *applied, struct cairn_error *err)
{
	int code = 0;

	for (size_t i = 0; i < batch->n_patients && code == 0; i++) {
		const char *problem = patient_problem(batch->patients[i]);
		bool changed = false;

		if (problem == NULL)
			code = patient_shift_problem(w, batch->patients[i], &problem);
		if (code == 0 && problem != NULL) {
			refuse(applied, problem);
			continue;
		}
		if (code == 0)
			code = patient_apply(w, source, batch->patients[i], &changed, err);
		note_applied(w, applied, changed);
	}
	return code;
}

int
index_apply(struct index_write *w, const Cairn__FactBatch *batch, struct index_applied *applied,
    struct cairn_error *err)
{
	uint16_t source = 0;
	int code = batch->n_instances + batch->n_patients == 0
	    ? 0
	    : source_number(w, batch->source, batch->n_instances > 0, &source, err);

	if (code == 0)
		code = apply_instances(w, batch, applied, err);
	if (code == 0)
		code = apply_patients(w, source, batch, applied, err);
	return explain(code, err);
}

/* ---- erasing ----------------------------------------------------------------------------- */

static int
erase(struct index_write *w, uint32_t id)
{
	struct instance_record record;
	char name[INDEX_NAME_MAX + 1];
	int code = record_get(w->index, w->txn, TERM_INSTANCE, id, &record, sizeof record, name);

	if (code == 0)
		code = detach(w, id, &record);
	if (code == 0)
		code = name_delete(w->index, w->txn, TERM_INSTANCE, 0, name);
	if (code == 0)
		code = record_delete(w->index, w->txn, TERM_INSTANCE, id);
	if (code == 0)
		code = column_set(w->index, w->txn, &w->chunks[COLUMN_INSTANCE_SERIES],
		    COLUMN_INSTANCE_SERIES, id, STORE_NONE);
	if (code != 0)
		return code == CAIRN_ENOTFOUND ? CAIRN_ECORRUPT : code;
	w->changed = true;
	return entity_prune(w, record.series);
}

int
index_erase_instance(struct index_write *w, const char *instance, struct cairn_error *err)
{
	uint32_t id;
	int code = name_find(w->index, w->txn, TERM_INSTANCE, 0, instance, &id);

	if (code == CAIRN_ENOTFOUND)
		return cairn_error_set(err, code, "no such instance");
	return explain(code != 0 ? code : erase(w, id), err);
}

/* Erasing is rare, so that the instances of a patient are found by looking at all. */
int
index_erase_patient(struct index_write *w, const char *patient, struct cairn_error *err)
{
	uint32_t id, series, owner;
	char name[INDEX_NAME_MAX + 1];
	int code = alias_resolve(w, patient, name, NULL);

	if (code == 0)
		code = name_find(w->index, w->txn, TERM_PATIENT, 0, name, &id);
	if (code == CAIRN_ENOTFOUND)
		return cairn_error_set(err, code, "no such patient");
	for (uint32_t i = 0; code == 0 && i < w->counters.entities[TERM_INSTANCE]; i++) {
		code = column_get(w->index, w->txn, &w->chunks[COLUMN_INSTANCE_SERIES],
		    COLUMN_INSTANCE_SERIES, i, &series);
		if (code != 0 || series == STORE_NONE)
			continue;
		code = entity_patient(w, series, &owner);
		if (code == 0 && owner == id)
			code = erase(w, i);
	}
	if (code == 0)
		code = patient_forget(w, id, name);
	return explain(code, err);
}

/* ---- the transaction --------------------------------------------------------------------- */

static int
find_dates(struct index_write *w)
{
	struct attribute_record record;
	int code = attribute_find(w->index, w->txn, TERM_DAY, "study_date", &record);

	if (code != 0)
		return code;
	w->study_date = record.id;
	code = attribute_find(w->index, w->txn, TERM_NUMBER, "study_day", &record);
	w->study_day = record.id;
	for (unsigned kind = 0; code == 0 && kind_name(kind) != NULL; kind++) {
		if (kind_date(kind) == NULL)
			continue;
		code = attribute_find(w->index, w->txn, TERM_DAY, kind_date(kind), &record);
		w->entry_dates[kind] = record.id;
	}
	return code;
}

int
index_begin(struct index *index, struct index_write **ret, struct cairn_error *err)
{
	struct index_write *w = calloc(1, sizeof *w);
	int code = 0, rc;

	if (w == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	w->index = index;
	buf_init(&w->statement, STATEMENT_MAX);
	for (unsigned i = 0; i < COLUMN_COUNT; i++)
		w->chunks[i].number = STORE_NONE;
	rc = mdb_txn_begin(index->env, NULL, 0, &w->txn);
	if (rc == 0)
		rc = mdb_cursor_open(w->txn, index->statements, &w->statements);
	if (rc == 0)
		rc = mdb_cursor_open(w->txn, index->entries, &w->entries);
	if (rc != 0)
		code = store_error(rc, "beginning to write the cohort index", err);
	if (code == 0)
		code = counters_read(index, w->txn, &w->counters, err);
	if (code == 0)
		code = find_dates(w);
	if (code != 0) {
		index_abort(w);
		return explain(code, err);
	}
	*ret = w;
	return 0;
}

static void
free_write(struct index_write *w)
{
	for (size_t i = 0; i < w->touched_count; i++)
		free(w->touched[i].before.postings);
	free(w->touched);
	free(w->touched_slots);
	free(w->changes);
	buf_fini(&w->statement);
	fact_cache_free(w->cache);
	free(w);
}

static void
close_cursors(struct index_write *w)
{
	if (w->statements != NULL)
		mdb_cursor_close(w->statements);
	if (w->entries != NULL)
		mdb_cursor_close(w->entries);
}

void
index_abort(struct index_write *w)
{
	if (w == NULL)
		return;
	close_cursors(w);
	if (w->txn != NULL)
		mdb_txn_abort(w->txn);
	free_write(w);
}

int
index_commit(struct index_write *w, struct cairn_error *err)
{
	int code = 0, rc;

	if (!w->changed) {
		index_abort(w);
		return 0;
	}
	code = settle(w);
	if (code == 0)
		code = postings_flush(w);
	for (unsigned i = 0; i < COLUMN_COUNT && code == 0; i++)
		code = column_flush(w->index, w->txn, &w->chunks[i], (enum store_column)i);
	if (code == 0)
		code = counters_write(w->index, w->txn, &w->counters, err);
	if (code != 0) {
		index_abort(w);
		return explain(code, err);
	}
	close_cursors(w);
	rc = mdb_txn_commit(w->txn);
	free_write(w);
	return rc == 0 ? 0 : store_error(rc, "committing the cohort index", err);
}
