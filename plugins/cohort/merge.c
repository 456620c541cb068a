/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A patient that was known under two pseudonyms.  Everything moves: rows, studies with all below
 * them, and whatever comes later for the old pseudonym, its days by the difference of the two.
 * Where both have a statement of the same source about the same thing, the successor's holds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "entity.h"
#include "entry.h"
#include "merge.h"
#include "shift.h"

/* ---- rows -------------------------------------------------------------------------------- */

/* The successor's attributes hold; those that only the old one had are added. */
static int
move_patient_row(struct index_write *w, const struct entry_key *to, const struct entry *old)
{
	struct entry now;
	size_t own;
	int code = entry_get(w, to, &now);

	if (code == CAIRN_ENOTFOUND)
		return entry_put(w, to, old);
	own = code == 0 ? now.count : 0;
	for (size_t i = 0; i < old->count && code == 0 && now.count < INDEX_FACTS_MAX; i++) {
		bool has = false;

		for (size_t j = 0; j < own; j++)
			has |= now.facts[j].attribute == old->facts[i].attribute;
		if (!has)
			now.facts[now.count++] = old->facts[i];
	}
	if (code != 0)
		return code;
	now.count = facts_sort(now.facts, now.count);
	return entry_put(w, to, &now);
}

static int
move_entry(struct index_write *w, const struct entry_key *to, const struct entry *old)
{
	struct entry has;
	uint32_t owner = to->patient;
	int code = entry_get(w, to, &has);

	if (code == CAIRN_ENOTFOUND) {
		code = entry_put(w, to, old);
	} else if (code == 0) {
		owner = STORE_NONE;
		code = entry_post(w, old, false);
	}
	return code != 0 ? code
			 : column_set(w->index, w->txn, &w->chunks[COLUMN_ENTRY_PATIENT],
			       COLUMN_ENTRY_PATIENT, old->number, owner);
}

static int
move_rows(struct index_write *w, uint32_t from, uint32_t to)
{
	struct entry_key key = {.patient = from};
	struct entry entry;
	bool first = true;
	int code;

	while ((code = entry_next(w, &key, 0, first, &entry)) == 0) {
		struct entry_key moved = key;

		first = false;
		moved.patient = to;
		code = touch_two(w, from, to);
		if (code == 0)
			code = key.has_digest ? move_entry(w, &moved, &entry)
					      : move_patient_row(w, &moved, &entry);
		if (code == 0)
			code = entry_delete(w, &key);
		if (code != 0)
			return code;
	}
	return code == CAIRN_ENOTFOUND ? 0 : code;
}

/* ---- images ------------------------------------------------------------------------------ */

static int
first_child(struct index_write *w, enum term_level level, uint32_t parent, uint32_t *ret)
{
	MDB_cursor *cursor = NULL;
	int code = name_each(w->index, w->txn, level, parent, &cursor, ret);

	if (cursor != NULL)
		mdb_cursor_close(cursor);
	return code;
}

/* The same series under both pseudonyms, as happens when one series was sent half before and half
 * after: rare enough to look at all instances. */
static int
move_instances(struct index_write *w, uint32_t from, const struct entity_path *to)
{
	uint32_t series;
	int code = 0;

	for (uint32_t i = 0; i < w->counters.entities[TERM_INSTANCE] && code == 0; i++) {
		code = column_get(w->index, w->txn, &w->chunks[COLUMN_INSTANCE_SERIES],
		    COLUMN_INSTANCE_SERIES, i, &series);
		if (code == 0 && series == from)
			code = instance_move(w, i, to);
	}
	return code;
}

/* One child of `from` goes below `to`, where a child of its name may be already. */
static int
move_child(struct index_write *w, enum term_level level, uint32_t child, struct entity_path *to)
{
	uint32_t parent = level == TERM_STUDY ? to->patient : to->study, same;
	struct entity_record record;
	char name[INDEX_NAME_MAX + 1];
	int code = record_get(w->index, w->txn, level, child, &record, sizeof record, name);

	if (code == 0)
		code = name_find(w->index, w->txn, level, parent, name, &same);
	if (code == CAIRN_ENOTFOUND)
		return entity_move(w, level, child, parent);
	if (code != 0)
		return code;
	if (level == TERM_SERIES) {
		to->series = same;
		code = move_instances(w, child, to);
		return code != 0 ? code : entity_remove(w, TERM_SERIES, child);
	}
	to->study = same;
	for (uint32_t series; (code = first_child(w, TERM_SERIES, child, &series)) == 0;) {
		code = move_child(w, TERM_SERIES, series, to);
		if (code != 0)
			break;
	}
	return code == CAIRN_ENOTFOUND ? entity_remove(w, TERM_STUDY, child) : code;
}

static int
move_studies(struct index_write *w, uint32_t from, uint32_t patient)
{
	struct entity_path to = {.patient = patient};
	uint32_t study;
	int code;

	while ((code = first_child(w, TERM_STUDY, from, &study)) == 0) {
		code = touch_two(w, from, patient);
		if (code == 0)
			code = move_child(w, TERM_STUDY, study, &to);
		if (code != 0)
			return code;
	}
	return code == CAIRN_ENOTFOUND ? 0 : code;
}

/* ---- pseudonyms -------------------------------------------------------------------------- */

/* One pseudonym that the message's patient replaces. */
struct merge {
	const char *old, *patient;
	char from[INDEX_NAME_MAX + 1]; /* what `old` is known as now */
	int64_t days;                  /* to add to what that has */
};

/* Whether `name` is known as `successor` by now, or is it. */
static int
is_known_as(struct index_write *w, const char *name, const char *successor, bool *ret)
{
	struct alias_record record;
	char at[INDEX_NAME_MAX + 1];
	int code = 0;

	snprintf(at, sizeof at, "%s", name);
	*ret = strcmp(at, successor) == 0;
	for (uint32_t i = 0; i < w->counters.aliases && code == 0 && !*ret; i++) {
		code = alias_get(w->index, w->txn, at, &record, at);
		*ret = code == 0 && strcmp(at, successor) == 0;
	}
	return code == CAIRN_ENOTFOUND ? 0 : code;
}

/* The days count from what was stated under `old` to what was stated under the message's patient,
 * and either may be known as another one by now.  CAIRN_ENOTFOUND: nothing is to be done. */
static int
plan(struct index_write *w, const Cairn__PatientFacts *facts, size_t i, int64_t after,
    struct merge *ret)
{
	int64_t before;
	bool back = false;
	int code = alias_resolve(w, facts->replaces[i], ret->from, &before);

	ret->old = facts->replaces[i];
	if (code == 0)
		code = is_known_as(w, facts->patient, ret->old, &back);
	if (code != 0)
		return code;
	ret->days = (i < facts->n_replaces_days ? facts->replaces_days[i] : 0) + after - before;
	/* The way back of a merge that is known says nothing new. */
	if (back)
		return CAIRN_ENOTFOUND;
	return ret->days == 0 && strcmp(ret->from, ret->patient) == 0 ? CAIRN_ENOTFOUND : 0;
}

/* They are one patient already, whose facts cannot be told apart any more: what is stated under the
 * old pseudonym from now on, or again, is moved by the other number. */
static int
correct_alias(struct index_write *w, const struct merge *merge)
{
	struct alias_record record;
	char successor[INDEX_NAME_MAX + 1];
	int code = alias_get(w->index, w->txn, merge->old, &record, successor);

	if (code != 0)
		return code == CAIRN_ENOTFOUND ? CAIRN_EINTERNAL : code;
	record.days += merge->days;
	return alias_put(w->index, w->txn, merge->old, &record, successor);
}

static int
merge_patients(struct index_write *w, const struct merge *merge)
{
	const struct alias_record record = {.days = merge->days};
	uint32_t from, to;
	int code = alias_put(w->index, w->txn, merge->from, &record, merge->patient);

	w->counters.aliases++;
	if (code == 0)
		code = name_find(w->index, w->txn, TERM_PATIENT, 0, merge->from, &from);
	if (code != 0)
		return code == CAIRN_ENOTFOUND ? 0 : code;
	code = entity_make_patient(w, merge->patient, &to);
	if (code == 0)
		code = touch_two(w, from, to);
	if (code == 0)
		code = shift_patient(w, from, merge->days);
	if (code == 0)
		code = move_rows(w, from, to);
	if (code == 0)
		code = move_studies(w, from, to);
	return code != 0 ? code : entity_remove(w, TERM_PATIENT, from);
}

int
patient_merge_all(struct index_write *w, const Cairn__PatientFacts *facts, const char *name,
    int64_t days, bool *ret_changed)
{
	for (size_t i = 0; i < facts->n_replaces; i++) {
		struct merge merge = {.patient = name};
		int code = plan(w, facts, i, days, &merge);

		if (code == CAIRN_ENOTFOUND)
			continue;
		if (code == 0)
			code = strcmp(merge.from, name) == 0 ? correct_alias(w, &merge)
							     : merge_patients(w, &merge);
		if (code != 0)
			return code;
		*ret_changed = true;
	}
	return 0;
}

static int
merge_fits(struct index_write *w, const struct merge *merge, bool *ret_fits)
{
	uint32_t from;
	int code;

	*ret_fits = merge->days >= -SHIFT_MAX && merge->days <= SHIFT_MAX;
	if (!*ret_fits || strcmp(merge->from, merge->patient) == 0)
		return 0;
	code = name_find(w->index, w->txn, TERM_PATIENT, 0, merge->from, &from);
	if (code != 0)
		return code == CAIRN_ENOTFOUND ? 0 : code;
	return shift_patient_fits(w, from, merge->days, ret_fits);
}

int
patient_shift_problem(struct index_write *w, const Cairn__PatientFacts *facts, const char **ret)
{
	char name[INDEX_NAME_MAX + 1];
	int64_t days;
	int code = alias_resolve(w, facts->patient, name, &days);
	bool fits = code == 0 && shift_message_fits(facts, days);

	for (size_t i = 0; i < facts->n_replaces && code == 0 && fits; i++) {
		struct merge merge = {.patient = name};

		code = plan(w, facts, i, days, &merge);
		if (code == 0)
			code = merge_fits(w, &merge, &fits);
		code = code == CAIRN_ENOTFOUND ? 0 : code;
	}
	if (code == 0)
		*ret = fits ? NULL : SHIFT_PROBLEM;
	return code;
}

/* ---- forgetting -------------------------------------------------------------------------- */

static int
forget_aliases(struct index_write *w, const char *name)
{
	MDB_cursor *cursor;
	MDB_val key, value;
	size_t length = strlen(name);
	int rc = mdb_cursor_open(w->txn, w->index->aliases, &cursor);

	if (rc != 0)
		return CAIRN_EIO;
	while ((rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
		if (value.mv_size != sizeof(struct alias_record) + length ||
		    memcmp((const char *)value.mv_data + sizeof(struct alias_record), name,
			length) != 0)
			continue;
		rc = mdb_cursor_del(cursor, 0);
		if (rc != 0)
			break;
		w->counters.aliases--;
	}
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND ? 0 : CAIRN_EIO;
}

int
patient_forget(struct index_write *w, uint32_t patient, const char *name)
{
	struct entry_key key = {.patient = patient};
	struct entry entry;
	bool first = true, any = false;
	int code;

	while ((code = entry_next(w, &key, 0, first, &entry)) == 0) {
		first = false;
		any = true;
		w->changed = true;
		code = touch(w, patient);
		if (code == 0 && key.has_digest)
			code = entry_post(w, &entry, false);
		if (code == 0 && key.has_digest)
			code = column_set(w->index, w->txn, &w->chunks[COLUMN_ENTRY_PATIENT],
			    COLUMN_ENTRY_PATIENT, entry.number, STORE_NONE);
		if (code == 0)
			code = entry_delete(w, &key);
		if (code != 0)
			return code;
	}
	if (code != CAIRN_ENOTFOUND)
		return code;
	code = forget_aliases(w, name);
	return code != 0 || !any ? code : entity_prune_patient(w, patient);
}
