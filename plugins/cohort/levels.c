/* SPDX-License-Identifier: Apache-2.0 */
/* From studies to their patients, from series to their instances, and so on. */
#include "eval.h"

#include <string.h>

static enum term_level
parent_level(enum term_level level)
{
	return level == TERM_ENTRY ? TERM_PATIENT : (enum term_level)(level - 1);
}

static enum store_column
parent_column(enum term_level level)
{
	switch (level) {
	case TERM_STUDY:
		return COLUMN_STUDY_PATIENT;
	case TERM_SERIES:
		return COLUMN_SERIES_STUDY;
	case TERM_ENTRY:
		return COLUMN_ENTRY_PATIENT;
	default:
		return COLUMN_INSTANCE_SERIES;
	}
}

static int
load_chunk(struct eval *e, struct column_reader *reader, enum store_column column, uint32_t number)
{
	uint8_t wanted[5];
	MDB_val key = {sizeof wanted, wanted}, value;
	int rc;

	column_key(column, number, wanted);
	rc = mdb_cursor_get(e->columns, &key, &value, MDB_SET_KEY);
	if (rc != 0 && rc != MDB_NOTFOUND)
		return store_error(rc, "reading the cohort index", e->err);
	/* Days are written for what has a date only. */
	if (rc == MDB_NOTFOUND && (column == COLUMN_STUDY_DAY || column == COLUMN_ENTRY_DAY)) {
		reader->loaded = STORE_NONE;
		reader->chunk = NULL;
		return 0;
	}
	if (rc == MDB_NOTFOUND || value.mv_size != COLUMN_CHUNK * sizeof(uint32_t))
		return store_corrupt("a column", e->err);
	reader->loaded = number;
	reader->chunk = value.mv_data;
	return eval_cancelled(e);
}

int
eval_column(struct eval *e, struct column_reader *reader, enum store_column column, uint32_t id,
    uint32_t *ret)
{
	uint32_t number = id / COLUMN_CHUNK;
	int code = reader->loaded == number ? 0 : load_chunk(e, reader, column, number);

	if (code == 0 && reader->chunk == NULL)
		*ret = STORE_NONE;
	else if (code == 0)
		memcpy(ret, reader->chunk + id % COLUMN_CHUNK * sizeof *ret, sizeof *ret);
	return code;
}

static int
to_parents(struct eval *e, const struct set *set, enum term_level level, struct set *ret)
{
	struct column_reader reader = {.loaded = STORE_NONE};
	enum store_column column = parent_column(level);
	uint32_t id;
	int code = 0;

	for (uint64_t from = 0; code == 0 && set_next(set, from, &id); from = (uint64_t)id + 1) {
		uint32_t parent;

		code = eval_column(e, &reader, column, id, &parent);
		if (code != 0)
			return code;
		if (parent >= ret->blocks * SET_BLOCK_BITS)
			return store_corrupt("a parent", e->err);
		set_add(ret, parent);
	}
	return code;
}

static int
to_children(struct eval *e, const struct set *set, enum term_level level, struct set *ret)
{
	struct column_reader reader = {.loaded = STORE_NONE};
	enum store_column column = parent_column(level);
	uint32_t children = e->counters.entities[level];

	for (uint32_t first = 0; first < children; first += COLUMN_CHUNK) {
		uint32_t count = children - first < COLUMN_CHUNK ? children - first : COLUMN_CHUNK;
		int code = load_chunk(e, &reader, column, first / COLUMN_CHUNK);

		if (code != 0)
			return code;
		for (uint32_t i = 0; i < count; i++) {
			uint32_t parent;

			memcpy(&parent, reader.chunk + i * sizeof parent, sizeof parent);
			ret->words[(first + i) / 64] |= (uint64_t)set_has(set, parent)
			    << ((first + i) % 64);
		}
		if (children - first <= COLUMN_CHUNK)
			break;
	}
	return 0;
}

/* The next level on the way: entries meet images at the patient. */
static enum term_level
next_level(enum term_level from, enum term_level to)
{
	if (from == to)
		return from;
	if (from == TERM_ENTRY || (to == TERM_ENTRY && from > TERM_PATIENT) ||
	    (to != TERM_ENTRY && from > to))
		return parent_level(from);
	return to == TERM_ENTRY ? TERM_ENTRY : (enum term_level)(from + 1);
}

static int
step(struct eval *e, const struct set *set, enum term_level from, enum term_level to,
    struct set *ret)
{
	struct set next = {0};
	int code = eval_set_new(e, to, &next);

	if (code == 0 && from == to)
		set_or(&next, set);
	else if (code == 0 && to == parent_level(from) && from != TERM_PATIENT)
		code = to_parents(e, set, from, &next);
	else if (code == 0)
		code = to_children(e, set, to, &next);
	if (code != 0) {
		eval_set_free(e, &next);
		return code;
	}
	*ret = next;
	return 0;
}

int
eval_moved(struct eval *e, const struct set *set, enum term_level from, enum term_level to,
    struct set *ret)
{
	enum term_level at = next_level(from, to);
	struct set moved = {0};
	int code = step(e, set, from, at, &moved);

	if (code == 0)
		code = eval_move(e, &moved, at, to);
	if (code != 0) {
		eval_set_free(e, &moved);
		return code;
	}
	*ret = moved;
	return 0;
}

int
eval_move(struct eval *e, struct set *set, enum term_level from, enum term_level to)
{
	while (from != to) {
		enum term_level at = next_level(from, to);
		struct set moved;
		int code = step(e, set, from, at, &moved);

		if (code != 0)
			return code;
		eval_set_free(e, set);
		*set = moved;
		from = at;
	}
	return 0;
}

int
eval_instances(struct eval *e, const struct set *series, uint64_t *ret)
{
	struct column_reader reader = {.loaded = STORE_NONE};
	uint64_t total = 0;
	uint32_t id;

	for (uint64_t from = 0; set_next(series, from, &id); from = (uint64_t)id + 1) {
		uint32_t count;
		int code = eval_column(e, &reader, COLUMN_SERIES_INSTANCES, id, &count);

		if (code != 0)
			return code;
		total += count;
	}
	*ret = total;
	return 0;
}
