/* SPDX-License-Identifier: Apache-2.0 */
/* From studies to their patients, from series to their instances, and so on. */
#include "eval.h"

#include <endian.h>
#include <string.h>

static enum store_column
parent_column(enum term_level level)
{
	return level == TERM_STUDY ? COLUMN_STUDY_PATIENT
	    : level == TERM_SERIES ? COLUMN_SERIES_STUDY
				   : COLUMN_INSTANCE_SERIES;
}

static int
read_chunk(struct eval *e, enum store_column column, uint32_t number, uint32_t ret[COLUMN_CHUNK])
{
	uint8_t wanted[5];
	MDB_val key = {sizeof wanted, wanted}, value;
	int rc;

	column_key(column, number, wanted);
	rc = mdb_cursor_get(e->columns, &key, &value, MDB_SET_KEY);
	if (rc != 0 && rc != MDB_NOTFOUND)
		return store_error(rc, "reading the cohort index", e->err);
	if (rc == MDB_NOTFOUND || value.mv_size != COLUMN_CHUNK * sizeof ret[0])
		return store_corrupt("a column", e->err);
	memcpy(ret, value.mv_data, value.mv_size);
	return 0;
}

static int
to_parents(struct eval *e, const struct set *set, enum term_level level, struct set *ret)
{
	uint32_t chunk[COLUMN_CHUNK], loaded = STORE_NONE, id;
	int code = 0;

	for (uint64_t from = 0; code == 0 && set_next(set, from, &id); from = (uint64_t)id + 1) {
		uint32_t parent;

		if (id / COLUMN_CHUNK != loaded) {
			loaded = id / COLUMN_CHUNK;
			code = read_chunk(e, parent_column(level), loaded, chunk);
			if (code == 0)
				code = eval_cancelled(e);
			if (code != 0)
				return code;
		}
		parent = chunk[id % COLUMN_CHUNK];
		if (parent >= ret->blocks * SET_BLOCK_BITS)
			return store_corrupt("a parent", e->err);
		set_add(ret, parent);
	}
	return code;
}

static int
to_children(struct eval *e, const struct set *set, enum term_level level, struct set *ret)
{
	uint32_t chunk[COLUMN_CHUNK], children = e->counters.entities[level + 1];
	int code = 0;

	for (uint32_t first = 0; first < children; first += COLUMN_CHUNK) {
		uint32_t count = children - first < COLUMN_CHUNK ? children - first : COLUMN_CHUNK;

		code = read_chunk(
		    e, parent_column((enum term_level)(level + 1)), first / COLUMN_CHUNK, chunk);
		if (code == 0)
			code = eval_cancelled(e);
		if (code != 0)
			return code;
		for (uint32_t i = 0; i < count; i++)
			ret->words[(first + i) / 64] |= (uint64_t)set_has(set, chunk[i])
			    << ((first + i) % 64);
		if (children - first <= COLUMN_CHUNK)
			break;
	}
	return code;
}

static int
step(struct eval *e, const struct set *set, enum term_level from, enum term_level to,
    struct set *ret)
{
	struct set next = {0};
	int code = eval_set_new(e, to, &next);

	if (code == 0 && from == to)
		set_or(&next, set);
	else if (code == 0)
		code =
		    from > to ? to_parents(e, set, from, &next) : to_children(e, set, from, &next);
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
	int direction = from == to ? 0 : from > to ? -1 : 1;
	enum term_level at = (enum term_level)((int)from + direction);
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
		enum term_level at = (enum term_level)((int)from + (from > to ? -1 : 1));
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
	uint32_t chunk[COLUMN_CHUNK], loaded = STORE_NONE, id;
	uint64_t total = 0;

	for (uint64_t from = 0; set_next(series, from, &id); from = (uint64_t)id + 1) {
		if (id / COLUMN_CHUNK != loaded) {
			int code;

			loaded = id / COLUMN_CHUNK;
			code = read_chunk(e, COLUMN_SERIES_INSTANCES, loaded, chunk);
			if (code != 0)
				return code;
		}
		total += chunk[id % COLUMN_CHUNK];
	}
	*ret = total;
	return 0;
}
