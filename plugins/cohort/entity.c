/* SPDX-License-Identifier: Apache-2.0 */
#include "entity.h"

#include "entry.h"
#include "patients.h"

int
entity_find(struct index_write *w, const Cairn__InstanceFacts *facts, struct entity_path *ret)
{
	struct entity_path path = {0};
	int code = name_find(w->index, w->txn, TERM_PATIENT, 0, facts->patient, &path.patient);

	if (code == 0)
		code = name_find(
		    w->index, w->txn, TERM_STUDY, path.patient, facts->study, &path.study);
	if (code == 0)
		code = name_find(
		    w->index, w->txn, TERM_SERIES, path.study, facts->series, &path.series);
	if (code == 0)
		*ret = path;
	return code;
}

static int
set_parent(struct index_write *w, enum term_level level, uint32_t id, uint32_t parent)
{
	enum store_column column = level == TERM_STUDY ? COLUMN_STUDY_PATIENT : COLUMN_SERIES_STUDY;

	if (level == TERM_PATIENT)
		return 0;
	return column_set(w->index, w->txn, &w->chunks[column], column, id, parent);
}

/* So that the digest of a set of patients can be added up without looking at their names. */
static int
set_digest(struct index_write *w, uint32_t patient, const char *name)
{
	uint32_t words[2];
	int code = patient_digest(name, words);

	if (code == 0)
		code = column_set(w->index, w->txn, &w->chunks[COLUMN_PATIENT_LOW],
		    COLUMN_PATIENT_LOW, patient, words[0]);
	return code != 0 ? code
			 : column_set(w->index, w->txn, &w->chunks[COLUMN_PATIENT_HIGH],
			       COLUMN_PATIENT_HIGH, patient, words[1]);
}

static int
find_or_make(
    struct index_write *w, enum term_level level, uint32_t parent, const char *name, uint32_t *ret)
{
	struct entity_record record = {parent};
	int code = name_find(w->index, w->txn, level, parent, name, ret);

	if (code != CAIRN_ENOTFOUND)
		return code;
	if (w->counters.entities[level] == STORE_NONE)
		return CAIRN_ELIMIT;
	*ret = w->counters.entities[level]++;
	code = name_put(w->index, w->txn, level, parent, name, *ret);
	if (code == 0)
		code = record_put(w->index, w->txn, level, *ret, &record, sizeof record, name);
	if (code == 0 && level == TERM_PATIENT)
		code = set_digest(w, *ret, name);
	return code != 0 ? code : set_parent(w, level, *ret, parent);
}

int
entity_make_patient(struct index_write *w, const char *name, uint32_t *ret)
{
	return find_or_make(w, TERM_PATIENT, 0, name, ret);
}

int
entity_make(struct index_write *w, const Cairn__InstanceFacts *facts, struct entity_path *ret)
{
	struct entity_path path = {0};
	int code = find_or_make(w, TERM_PATIENT, 0, facts->patient, &path.patient);

	if (code == 0)
		code = find_or_make(w, TERM_STUDY, path.patient, facts->study, &path.study);
	if (code == 0)
		code = find_or_make(w, TERM_SERIES, path.study, facts->series, &path.series);
	if (code == 0)
		*ret = path;
	return code;
}

int
entity_patient(struct index_write *w, uint32_t series, uint32_t *ret)
{
	uint32_t study, patient = STORE_NONE;
	int code = column_get(
	    w->index, w->txn, &w->chunks[COLUMN_SERIES_STUDY], COLUMN_SERIES_STUDY, series, &study);

	if (code == 0 && study != STORE_NONE)
		code = column_get(w->index, w->txn, &w->chunks[COLUMN_STUDY_PATIENT],
		    COLUMN_STUDY_PATIENT, study, &patient);
	if (code != 0)
		return code;
	if (patient == STORE_NONE)
		return CAIRN_ECORRUPT;
	*ret = patient;
	return 0;
}

static int
has_children(struct index_write *w, enum term_level level, uint32_t id, bool *ret)
{
	MDB_cursor *cursor = NULL;
	uint32_t child;
	int code = name_each(w->index, w->txn, (enum term_level)(level + 1), id, &cursor, &child);

	if (cursor != NULL)
		mdb_cursor_close(cursor);
	if (code == CAIRN_ENOTFOUND && level == TERM_PATIENT)
		return entry_any(w, id, ret);
	if (code == 0 || code == CAIRN_ENOTFOUND)
		*ret = code == 0;
	return code == CAIRN_ENOTFOUND ? 0 : code;
}

static int
remove_entity(struct index_write *w, enum term_level level, uint32_t id, uint32_t *ret_parent)
{
	struct entity_record record;
	char name[INDEX_NAME_MAX + 1];
	int code = record_get(w->index, w->txn, level, id, &record, sizeof record, name);

	if (code == 0)
		code = name_delete(w->index, w->txn, level, record.parent, name);
	if (code == 0)
		code = record_delete(w->index, w->txn, level, id);
	if (code == 0)
		code = set_parent(w, level, id, STORE_NONE);
	if (code != 0)
		return code == CAIRN_ENOTFOUND ? CAIRN_ECORRUPT : code;
	*ret_parent = record.parent;
	return 0;
}

int
entity_prune(struct index_write *w, uint32_t series)
{
	uint32_t count, id = series, parent = 0;
	bool inhabited;
	int code = column_get(w->index, w->txn, &w->chunks[COLUMN_SERIES_INSTANCES],
	    COLUMN_SERIES_INSTANCES, series, &count);

	inhabited = code == 0 && count > 0;
	for (int level = TERM_SERIES; code == 0 && !inhabited; level--) {
		code = remove_entity(w, (enum term_level)level, id, &parent);
		if (code != 0 || level == TERM_PATIENT)
			break;
		id = parent;
		code = has_children(w, (enum term_level)(level - 1), id, &inhabited);
	}
	return code;
}

int
entity_prune_patient(struct index_write *w, uint32_t patient)
{
	uint32_t none;
	bool inhabited = false;
	int code = has_children(w, TERM_PATIENT, patient, &inhabited);

	return code != 0 || inhabited ? code : remove_entity(w, TERM_PATIENT, patient, &none);
}

int
entity_move(struct index_write *w, enum term_level level, uint32_t id, uint32_t parent)
{
	struct entity_record record;
	char name[INDEX_NAME_MAX + 1];
	int code = record_get(w->index, w->txn, level, id, &record, sizeof record, name);

	if (code == 0)
		code = name_delete(w->index, w->txn, level, record.parent, name);
	record.parent = parent;
	if (code == 0)
		code = name_put(w->index, w->txn, level, parent, name, id);
	if (code == 0)
		code = record_put(w->index, w->txn, level, id, &record, sizeof record, name);
	return code != 0 ? code : set_parent(w, level, id, parent);
}

int
entity_remove(struct index_write *w, enum term_level level, uint32_t id)
{
	uint32_t parent;

	return remove_entity(w, level, id, &parent);
}
