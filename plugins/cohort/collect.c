/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a patient has, from the statements of all of its series: the postings of the patient, its
 * studies and its series, and what is folded to the patient.  Taken before and after a change, the
 * difference is what the change means, study_day included.
 */
#include "entry.h"
#include "write.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

static int
add_posting(struct collected *list, const struct posting *posting)
{
	if (list->count == list->capacity) {
		size_t capacity = list->capacity == 0 ? 64 : list->capacity * 2;
		struct posting *postings;

		if (capacity > COLLECTED_MAX)
			return CAIRN_ELIMIT;
		postings = realloc(list->postings, capacity * sizeof *postings);
		if (postings == NULL)
			return CAIRN_ENOMEM;
		list->postings = postings;
		list->capacity = capacity;
	}
	list->postings[list->count++] = *posting;
	return 0;
}

static int
add_fact(struct collected *list, const struct fact *fact, enum term_level level, uint32_t id)
{
	struct posting expanded[TERM_SHIFTS];
	unsigned count = posting_expand(fact->attribute, level, fact->key, id, expanded);
	int code = 0;

	for (unsigned i = 0; i < count && code == 0; i++)
		code = add_posting(list, &expanded[i]);
	return code;
}

struct walk {
	struct index_write *w;
	struct collected *list;
	uint32_t patient, study, series;
	bool note_days;         /* the studies' column of days is brought up to date */
	struct collected dates; /* (date's order key, study) pairs, in the shape of postings */
};

/* Facts stated below the patient count for the patient as well, on a level of their own. */
static int
add_level(struct walk *walk, struct fact_reader reader, enum term_level level, uint32_t id)
{
	struct fact fact;
	int code = 0;

	while (code == 0 && fact_next(&reader, &fact)) {
		if (level != TERM_INSTANCE)
			code = add_fact(walk->list, &fact, level, id);
		if (code == 0 && level != TERM_PATIENT)
			code = add_fact(walk->list, &fact, TERM_FOLDED, walk->patient);
		if (code == 0 && level == TERM_STUDY && fact.attribute == walk->w->study_date)
			code = add_posting(&walk->dates, &(struct posting){fact.key, id});
	}
	return code;
}

static int
add_statement(struct walk *walk, const MDB_val *value)
{
	struct fact_reader levels[4];
	int code;

	if (value->mv_size < sizeof(uint32_t))
		return CAIRN_ECORRUPT;
	code = statement_read((const uint8_t *)value->mv_data + sizeof(uint32_t),
	    value->mv_size - sizeof(uint32_t), levels);
	if (code == 0)
		code = add_level(walk, levels[TERM_PATIENT], TERM_PATIENT, walk->patient);
	if (code == 0)
		code = add_level(walk, levels[TERM_STUDY], TERM_STUDY, walk->study);
	if (code == 0)
		code = add_level(walk, levels[TERM_SERIES], TERM_SERIES, walk->series);
	return code != 0 ? code : add_level(walk, levels[TERM_INSTANCE], TERM_INSTANCE, 0);
}

/* Patient, study and series are there as long as one instance states something in them. */
static int
add_presence(struct walk *walk)
{
	const uint32_t ids[] = {walk->patient, walk->study, walk->series};
	int code = 0;

	for (unsigned level = TERM_PATIENT; level <= TERM_SERIES && code == 0; level++) {
		struct posting posting =
		    posting_make(TERM_UNIVERSE, (enum term_level)level, 0, 0, ids[level]);

		code = add_posting(walk->list, &posting);
	}
	return code;
}

static int
walk_series(struct walk *walk)
{
	uint32_t words[2] = {htobe32(walk->series), 0};
	MDB_val key = {sizeof words, words}, value;
	bool any = false;
	int code = 0, rc = mdb_cursor_get(walk->w->statements, &key, &value, MDB_SET_RANGE);

	while (rc == 0 && code == 0 && key.mv_size == sizeof words) {
		uint32_t series;

		memcpy(&series, key.mv_data, sizeof series);
		if (be32toh(series) != walk->series)
			break;
		any = true;
		code = add_statement(walk, &value);
		rc = mdb_cursor_get(walk->w->statements, &key, &value, MDB_NEXT);
	}
	if (rc != 0 && rc != MDB_NOTFOUND)
		return CAIRN_EIO;
	return code == 0 && any ? add_presence(walk) : code;
}

static int
note_day(struct walk *walk, uint32_t study, uint32_t day)
{
	struct index_write *w = walk->w;
	uint32_t now;
	int code = column_get(
	    w->index, w->txn, &w->chunks[COLUMN_STUDY_DAY], COLUMN_STUDY_DAY, study, &now);

	if (code != 0 || (day != STORE_NONE && now <= day))
		return code;
	return now == day ? 0
			  : column_set(w->index, w->txn, &w->chunks[COLUMN_STUDY_DAY],
				COLUMN_STUDY_DAY, study, day);
}

/* All series below `parent`, whose children are of `level`: studies of a patient, or series of a
 * study. */
static int
walk_children(struct walk *walk, enum term_level level, uint32_t parent)
{
	uint32_t *child = level == TERM_STUDY ? &walk->study : &walk->series;
	MDB_cursor *cursor = NULL;
	int code;

	while (
	    (code = name_each(walk->w->index, walk->w->txn, level, parent, &cursor, child)) == 0) {
		code =
		    level == TERM_STUDY && walk->note_days ? note_day(walk, *child, STORE_NONE) : 0;
		if (code == 0)
			code = level == TERM_STUDY ? walk_children(walk, TERM_SERIES, *child)
						   : walk_series(walk);
		if (code != 0)
			break;
	}
	if (cursor != NULL)
		mdb_cursor_close(cursor);
	return code == CAIRN_ENOTFOUND ? 0 : code;
}

/* Days since the patient's first study: intervals survive the shifting of dates. */
static int
add_study_days(struct walk *walk)
{
	uint64_t first = UINT64_MAX;
	int code = 0;

	for (size_t i = 0; i < walk->dates.count; i++)
		if (walk->dates.postings[i].major < first)
			first = walk->dates.postings[i].major;
	for (size_t i = 0; i < walk->dates.count && code == 0; i++) {
		struct fact fact = {walk->w->study_day,
		    term_order(term_number(walk->dates.postings[i].major) - term_number(first))};

		code = add_fact(
		    walk->list, &fact, TERM_STUDY, (uint32_t)walk->dates.postings[i].minor);
		if (code == 0)
			code = add_fact(walk->list, &fact, TERM_FOLDED, walk->patient);
		if (code == 0 && walk->note_days)
			code = note_day(walk, (uint32_t)walk->dates.postings[i].minor,
			    column_day((int64_t)term_number(walk->dates.postings[i].major)));
	}
	return code;
}

static void
sort_once(struct collected *list)
{
	size_t kept = 0;

	if (list->count > 0)
		qsort(list->postings, list->count, sizeof list->postings[0], posting_compare);
	for (size_t i = 0; i < list->count; i++)
		if (i == 0 || posting_compare(&list->postings[i - 1], &list->postings[i]) != 0)
			list->postings[kept++] = list->postings[i];
	list->count = kept;
}

/* The patient's own facts, and what its entries fold to it. */
static int
walk_row(struct walk *walk, const struct entry_key *key, const struct entry *entry)
{
	enum term_level level = key->has_digest ? TERM_FOLDED : TERM_PATIENT;
	struct posting posting = posting_make(TERM_UNIVERSE, TERM_PATIENT, 0, 0, walk->patient);
	int code = add_posting(walk->list, &posting);

	for (size_t i = 0; i < entry->count && code == 0; i++)
		code = add_fact(walk->list, &entry->facts[i], level, walk->patient);
	if (code != 0 || !key->has_digest)
		return code;
	posting = posting_make(TERM_UNIVERSE, TERM_FOLDED, 0, KIND_KEY(entry->kind), walk->patient);
	return add_posting(walk->list, &posting);
}

static int
walk_rows(struct walk *walk)
{
	struct entry_key key = {.patient = walk->patient};
	struct entry entry;
	bool first = true;
	int code;

	while ((code = entry_next(walk->w, &key, 0, first, &entry)) == 0) {
		first = false;
		code = walk_row(walk, &key, &entry);
		if (code != 0)
			return code;
	}
	return code == CAIRN_ENOTFOUND ? 0 : code;
}

int
collect(struct index_write *w, uint32_t patient, bool note_days, struct collected *ret)
{
	struct walk walk = {.w = w, .list = ret, .patient = patient, .note_days = note_days};
	int code = walk_children(&walk, TERM_STUDY, patient);

	if (code == 0)
		code = walk_rows(&walk);

	if (code == 0)
		code = add_study_days(&walk);
	free(walk.dates.postings);
	if (code == 0)
		sort_once(ret);
	return code;
}

/* ---- touched patients -------------------------------------------------------------------- */

#define SLOTS (2 * TOUCHED_MAX)

static uint32_t *
slot_of(struct index_write *w, uint32_t patient)
{
	uint32_t i = patient * 2654435761U % SLOTS;

	while (w->touched_slots[i] != 0 && w->touched[w->touched_slots[i] - 1].patient != patient)
		i = (i + 1) % SLOTS;
	return &w->touched_slots[i];
}

static int
touched_room(struct index_write *w)
{
	size_t capacity = w->touched_capacity == 0 ? 64 : w->touched_capacity * 2;
	struct touched *touched;

	if (w->touched_slots == NULL)
		w->touched_slots = calloc(SLOTS, sizeof w->touched_slots[0]);
	if (w->touched_slots == NULL)
		return CAIRN_ENOMEM;
	if (w->touched_count < w->touched_capacity)
		return 0;
	touched = realloc(w->touched, capacity * sizeof *touched);
	if (touched == NULL)
		return CAIRN_ENOMEM;
	w->touched = touched;
	w->touched_capacity = capacity;
	return 0;
}

static int
remember(struct index_write *w, uint32_t patient)
{
	struct touched entry = {.patient = patient};
	uint32_t *slot;
	int code = touched_room(w);

	if (code != 0)
		return code;
	slot = slot_of(w, patient);
	if (*slot != 0)
		return 0;
	code = collect(w, patient, false, &entry.before);
	if (code != 0) {
		free(entry.before.postings);
		return code;
	}
	w->touched_bytes += entry.before.capacity * sizeof entry.before.postings[0];
	w->touched[w->touched_count++] = entry;
	*slot = (uint32_t)w->touched_count;
	return 0;
}

static int
settle_when_full(struct index_write *w)
{
	if (w->touched_count + 2 > TOUCHED_MAX || w->touched_bytes > TOUCHED_BYTES_MAX)
		return settle(w);
	return 0;
}

int
touch(struct index_write *w, uint32_t patient)
{
	int code = settle_when_full(w);

	return code != 0 ? code : remember(w, patient);
}

int
touch_two(struct index_write *w, uint32_t a, uint32_t b)
{
	int code = settle_when_full(w);

	if (code == 0)
		code = remember(w, a);
	return code != 0 ? code : remember(w, b);
}

/* Both lists ascend: what only one of them has is a change. */
static int
post_difference(
    struct index_write *w, const struct collected *before, const struct collected *after)
{
	size_t i = 0, j = 0;
	int code = 0;

	while (code == 0 && (i < before->count || j < after->count)) {
		int order = i == before->count ? 1
		    : j == after->count
		    ? -1
		    : posting_compare(&before->postings[i], &after->postings[j]);

		if (order < 0)
			code = postings_change(w, &before->postings[i], false);
		else if (order > 0)
			code = postings_change(w, &after->postings[j], true);
		i += order <= 0;
		j += order >= 0;
	}
	return code;
}

int
settle(struct index_write *w)
{
	struct collected after = {0};
	int code = 0;

	for (size_t i = 0; i < w->touched_count; i++) {
		after.count = 0;
		if (code == 0)
			code = collect(w, w->touched[i].patient, true, &after);
		if (code == 0)
			code = post_difference(w, &w->touched[i].before, &after);
		free(w->touched[i].before.postings);
	}
	free(after.postings);
	w->touched_count = 0;
	w->touched_bytes = 0;
	if (w->touched_slots != NULL)
		memset(w->touched_slots, 0, SLOTS * sizeof w->touched_slots[0]);
	return code;
}
