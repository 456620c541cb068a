/* SPDX-License-Identifier: Apache-2.0 */
#include "shift.h"

#include <string.h>

bool
shift_fact(struct fact *fact, int64_t days)
{
	int64_t day;

	if (days == 0 || TERM_TYPE(fact->attribute) != TERM_DAY)
		return true;
	day = (int64_t)term_number(fact->key) + days;
	if (column_day(day) == STORE_NONE)
		return false;
	fact->key = term_order((double)day);
	return true;
}

/* ---- messages ---------------------------------------------------------------------------- */

static bool
facts_fit(Cairn__Fact *const *facts, size_t count, int64_t days)
{
	bool fit = true;

	for (size_t i = 0; i < count; i++)
		fit &= facts[i]->value_case != CAIRN__FACT__VALUE_DAY ||
		    column_day(facts[i]->day + days) != STORE_NONE;
	return fit;
}

bool
shift_message_fits(const Cairn__PatientFacts *facts, int64_t days)
{
	bool fit = facts_fit(facts->facts, facts->n_facts, days);

	for (size_t i = 0; i < facts->n_entries; i++)
		fit &= facts_fit(facts->entries[i]->facts, facts->entries[i]->n_facts, days);
	for (size_t i = 0; i < facts->n_observations; i++)
		fit &= facts->observations[i]->day == 0 ||
		    column_day(facts->observations[i]->day + days) != STORE_NONE;
	return fit || days == 0;
}

/* ---- statements -------------------------------------------------------------------------- */

/* Facts of one attribute keep their order, so that the bytes stay canonical and those that differ
 * differ still. */
int
shift_statement(uint8_t *bytes, size_t length, int64_t days, bool *ret_fits)
{
	struct fact_reader levels[4];
	struct fact fact;
	bool fits = true;
	int code = statement_read(bytes, length, levels);

	for (unsigned level = 0; level < 4 && code == 0; level++) {
		uint8_t *at = bytes + (levels[level].at - bytes);

		for (; fact_next(&levels[level], &fact); at += FACT_BYTES) {
			fits &= shift_fact(&fact, days);
			memcpy(at + 2, &fact.key, sizeof fact.key);
		}
	}
	if (code == 0)
		*ret_fits = fits;
	return code;
}

/* ---- what a patient has ------------------------------------------------------------------ */

struct shift {
	struct index_write *w;
	uint32_t patient;
	int64_t days;
	bool write;     /* else it is only looked at */
	bool fits;      /* all that was looked at */
	bool instances; /* have days of their own */
};

static bool
has_days(struct fact_reader reader)
{
	struct fact fact;

	while (fact_next(&reader, &fact))
		if (TERM_TYPE(fact.attribute) == TERM_DAY)
			return true;
	return false;
}

static int
shift_series(struct shift *s, uint32_t series)
{
	uint8_t bytes[STATEMENT_MAX];
	const uint8_t *stored;
	size_t length;
	uint32_t references, n = 0;
	int code;

	for (; (code = statement_next(s->w, series, &n, &references, &stored, &length)) == 0; n++) {
		struct fact_reader levels[4];
		bool fits = false;

		if (length > sizeof bytes)
			return CAIRN_ECORRUPT;
		memcpy(bytes, stored, length);
		code = shift_statement(bytes, length, s->days, &fits);
		if (code == 0)
			code = statement_read(bytes, length, levels);
		if (code != 0)
			return code;
		s->fits &= fits;
		s->instances |= has_days(levels[TERM_INSTANCE]);
		if (s->write)
			code = statement_put(s->w, series, n, references, bytes, length);
		if (code != 0)
			return code;
	}
	return code == CAIRN_ENOTFOUND ? 0 : code;
}

/* All series below `parent`, whose children are of `level`. */
static int
shift_children(struct shift *s, enum term_level level, uint32_t parent)
{
	MDB_cursor *cursor = NULL;
	uint32_t child;
	int code;

	while ((code = name_each(s->w->index, s->w->txn, level, parent, &cursor, &child)) == 0) {
		code = level == TERM_STUDY ? shift_children(s, TERM_SERIES, child)
					   : shift_series(s, child);
		if (code != 0)
			break;
	}
	if (cursor != NULL)
		mdb_cursor_close(cursor);
	return code == CAIRN_ENOTFOUND ? 0 : code;
}

/* All are cleared before the first is set: one may become what another one was. */
static int
repost_days(struct shift *s, uint32_t id, const struct fact_reader *reader)
{
	struct index_write *w = s->w;
	int code = 0;

	for (int set = 0; set <= 1 && code == 0; set++) {
		struct fact_reader again = *reader;
		struct fact fact;

		while (code == 0 && fact_next(&again, &fact)) {
			if (TERM_TYPE(fact.attribute) != TERM_DAY)
				continue;
			if (set == 1 && !shift_fact(&fact, s->days))
				return CAIRN_EINTERNAL;
			code = postings_change_fact(w, &fact, TERM_INSTANCE, id, set == 1);
		}
	}
	return code;
}

static int
shift_instance(struct shift *s, uint32_t id)
{
	struct index_write *w = s->w;
	struct instance_record record;
	struct fact_reader levels[4];
	const uint8_t *stored;
	size_t length;
	uint32_t references;
	int code = record_get(w->index, w->txn, TERM_INSTANCE, id, &record, sizeof record, NULL);

	if (code == 0)
		code = statement_get(
		    w, record.series, record.statement, &references, &stored, &length);
	if (code != 0)
		return code == CAIRN_ENOTFOUND ? CAIRN_ECORRUPT : code;
	code = statement_read(stored, length, levels);
	return code != 0 ? code : repost_days(s, id, &levels[TERM_INSTANCE]);
}

/* Days that instances state of themselves are posted with them, and are rare enough to look at all
 * instances. */
static int
shift_instances(struct shift *s)
{
	struct index_write *w = s->w;
	uint32_t series, owner;
	int code = 0;

	for (uint32_t i = 0; code == 0 && i < w->counters.entities[TERM_INSTANCE]; i++) {
		code = column_get(w->index, w->txn, &w->chunks[COLUMN_INSTANCE_SERIES],
		    COLUMN_INSTANCE_SERIES, i, &series);
		if (code != 0 || series == STORE_NONE)
			continue;
		code = entity_patient(w, series, &owner);
		if (code == 0 && owner == s->patient)
			code = shift_instance(s, i);
	}
	return code;
}

static int
shift_row(struct shift *s, const struct entry_key *key, const struct entry *entry)
{
	struct index_write *w = s->w;
	struct entry moved = *entry;
	int code = 0;

	for (size_t i = 0; i < moved.count; i++)
		s->fits &= shift_fact(&moved.facts[i], s->days);
	if (!s->write)
		return 0;
	if (key->has_digest)
		code = entry_post(w, entry, false);
	if (code == 0)
		code = entry_put(w, key, &moved);
	if (code != 0 || !key->has_digest)
		return code;
	code = entry_post(w, &moved, true);
	return code != 0 ? code
			 : column_set(w->index, w->txn, &w->chunks[COLUMN_ENTRY_DAY],
			       COLUMN_ENTRY_DAY, moved.number, entry_day(w, &moved));
}

static int
shift_rows(struct shift *s)
{
	struct entry_key key = {.patient = s->patient};
	struct entry entry;
	bool first = true;
	int code;

	while ((code = entry_next(s->w, &key, 0, first, &entry)) == 0) {
		first = false;
		code = shift_row(s, &key, &entry);
		if (code != 0)
			return code;
	}
	return code == CAIRN_ENOTFOUND ? 0 : code;
}

static int
look(struct shift *s)
{
	int code = shift_rows(s);

	return code != 0 ? code : shift_children(s, TERM_STUDY, s->patient);
}

int
shift_patient_fits(struct index_write *w, uint32_t patient, int64_t days, bool *ret_fits)
{
	struct shift s = {.w = w, .patient = patient, .days = days, .fits = true};
	int code = days == 0 ? 0 : look(&s);

	if (code == 0)
		*ret_fits = s.fits;
	return code;
}

int
shift_patient(struct index_write *w, uint32_t patient, int64_t days)
{
	struct shift s = {.w = w, .patient = patient, .days = days, .fits = true};
	int code = days == 0 ? 0 : look(&s);

	if (code != 0 || days == 0)
		return code;
	if (!s.fits)
		return CAIRN_EINTERNAL;
	/* By what the statements say before they are written. */
	if (s.instances)
		code = shift_instances(&s);
	s.write = true;
	return code != 0 ? code : look(&s);
}
