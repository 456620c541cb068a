/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WITHIN: two dated entities of one patient, so many days apart.  An operand selects studies,
 * entries, or both, by what its criteria are about.  The days of the second operand's entities are
 * laid out patient by patient and sorted; each entity of the first looks for one among its
 * patient's.  The answer is the first operand's entities that found one, carried to where they are
 * asked for.
 */
#include <stdlib.h>
#include <string.h>

#include "cohort/expr.h"
#include "entry.h"
#include "eval.h"

/* ---- what an operand selects ------------------------------------------------------------- */

struct operand {
	bool studies, entries; /* entries of any kind */
	uint32_t kinds;        /* a bit for each kind of entry */
	struct set study_set, entry_set;
};

/* Whether anybody has the attribute at the level now. */
static int
is_stated(struct eval *e, uint16_t attribute, enum term_level level, bool *ret)
{
	struct posting first = posting_make(attribute, level, 0, 0, 0), found;
	uint8_t wanted[TERM_KEY_BYTES];
	MDB_val key = {sizeof wanted, wanted}, value;
	int rc;

	posting_key(&first, wanted);
	rc = mdb_cursor_get(e->postings, &key, &value, MDB_SET_RANGE);
	if (rc != 0 && rc != MDB_NOTFOUND)
		return store_error(rc, "reading the cohort index", e->err);
	*ret = false;
	if (rc == MDB_NOTFOUND)
		return 0;
	if (key.mv_size != TERM_KEY_BYTES)
		return store_corrupt("a posting's key", e->err);
	found = posting_from_key(key.mv_data);
	*ret = found.major >> 40 == first.major >> 40;
	return 0;
}

/* An attribute that the table does not have is about what it is stated of. */
static int
note_stated(struct eval *e, uint16_t attribute, struct operand *ret)
{
	int code = 0;

	for (int level = TERM_STUDY; level <= TERM_ENTRY && code == 0; level++) {
		bool stated = false;

		code = is_stated(e, attribute, (enum term_level)level, &stated);
		if (stated)
			*(level == TERM_ENTRY ? &ret->entries : &ret->studies) = true;
	}
	return code;
}

static int
note_leaf(struct eval *e, const Cairn__Leaf *leaf, struct operand *ret)
{
	const struct cohort_attribute *known = cohort_attribute_find(leaf->attribute);
	int kind = eval_attribute_kind(leaf->attribute);

	if (kind != KIND_ANY) {
		ret->kinds |= 1U << kind;
		return 0;
	}
	if (known != NULL) {
		ret->studies |= known->entity != COHORT_PATIENT;
		return 0;
	}
	for (int type = TERM_CODE; type <= TERM_DAY; type++) {
		struct attribute_record attribute;
		int code = attribute_find(
		    e->index, e->txn, (enum term_type)type, leaf->attribute, &attribute);

		if (code == CAIRN_ENOTFOUND || !eval_asks_for(leaf, (enum term_type)type))
			continue;
		if (code != 0)
			return code;
		code = note_stated(e, attribute.id, ret);
		if (code != 0)
			return code;
	}
	return 0;
}

static int
note_operand(struct eval *e, const Cairn__Expression *node, struct operand *ret)
{
	int kind, code = 0;

	switch (node->operand) {
	case CAIRN__EXPRESSION__OPERAND__LEAF:
		return note_leaf(e, node->leaf, ret);
	case CAIRN__EXPRESSION__OPERAND__ALL:
		ret->studies = ret->entries = true;
		return 0;
	case CAIRN__EXPRESSION__OPERAND__SAME:
		if (eval_entity(node->entity, &kind) == TERM_ENTRY)
			ret->kinds |= 1U << kind;
		else
			ret->studies = true;
		return 0;
	case CAIRN__EXPRESSION__OPERAND__AT_LEAST:
		return 0; /* about the patient, who has no date */
	case CAIRN__EXPRESSION__OPERAND__WITHIN:
		return note_operand(e, node->children[0], ret);
	default:
		for (size_t i = 0; i < node->n_children && code == 0; i++)
			code = note_operand(e, node->children[i], ret);
		return code;
	}
}

int
eval_within_level(struct eval *e, const Cairn__Expression *node, enum term_level *ret)
{
	struct operand first = {0};
	int code = note_operand(e, node->children[0], &first);

	if (code == 0)
		*ret = first.studies ? TERM_STUDY : TERM_PATIENT;
	return code;
}

/* The entries of one kind that satisfy the operand. */
static int
add_kind(struct eval *e, const Cairn__Expression *node, int kind, struct set *entries)
{
	const struct context at = {TERM_ENTRY, kind, TERM_PATIENT};
	struct set set = {0}, own = {0};
	int code = eval_in(e, node, &at, &set);

	if (code == 0)
		code = eval_set_new(e, TERM_ENTRY, &own);
	if (code == 0)
		code = eval_kind(e, &own, kind);
	if (code == 0) {
		set_and(&set, &own);
		set_or(entries, &set);
	}
	eval_set_free(e, &own);
	eval_set_free(e, &set);
	return code;
}

static int
select_operand(struct eval *e, const Cairn__Expression *node, struct operand *ret)
{
	const struct context studies = {TERM_STUDY, KIND_ANY, TERM_PATIENT};
	int code = note_operand(e, node, ret);

	if (code == 0 && ret->studies)
		code = eval_in(e, node, &studies, &ret->study_set);
	if (code == 0 && (ret->entries || ret->kinds != 0))
		code = eval_set_new(e, TERM_ENTRY, &ret->entry_set);
	if (code == 0 && ret->entries)
		return add_kind(e, node, KIND_ANY, &ret->entry_set);
	for (int kind = 0; kind < ENTRY_KINDS_MAX && code == 0; kind++)
		if ((ret->kinds >> kind & 1) != 0)
			code = add_kind(e, node, kind, &ret->entry_set);
	return code;
}

static void
free_operand(struct eval *e, struct operand *operand)
{
	eval_set_free(e, &operand->study_set);
	eval_set_free(e, &operand->entry_set);
}

/* ---- the days of the second operand ------------------------------------------------------- */

struct days {
	uint32_t *ends; /* by patient: where its days end, after filling */
	size_t patients;
	uint32_t *days;
	size_t count;
};

/* Calls `each` for every member that has a date. */
static int
each_dated(struct eval *e, const struct set *set, bool study,
    int (*each)(void *arg, uint32_t id, uint32_t patient, uint32_t day), void *arg)
{
	struct column_reader patients = {.loaded = STORE_NONE}, dates = {.loaded = STORE_NONE};
	uint32_t id, patient, day;
	int code = 0;

	for (uint64_t from = 0; code == 0 && set->words != NULL && set_next(set, from, &id);
	     from = (uint64_t)id + 1) {
		code =
		    eval_column(e, &dates, study ? COLUMN_STUDY_DAY : COLUMN_ENTRY_DAY, id, &day);
		if (code != 0 || day == STORE_NONE)
			continue;
		code = eval_column(e, &patients,
		    study ? COLUMN_STUDY_PATIENT : COLUMN_ENTRY_PATIENT, id, &patient);
		if (code == 0 && patient >= e->counters.entities[TERM_PATIENT])
			return store_corrupt("a parent", e->err);
		if (code == 0)
			code = each(arg, id, patient, day);
	}
	return code;
}

/* A member's patient and day, gathered in one pass over the columns. */
struct pair {
	uint32_t patient, day;
};

struct pairs {
	struct pair *list;
	size_t count, capacity;
};

static int
add_pair(void *arg, uint32_t id, uint32_t patient, uint32_t day)
{
	struct pairs *pairs = arg;

	(void)id;
	if (pairs->count == pairs->capacity)
		return CAIRN_EINTERNAL; /* there is room for every member */
	pairs->list[pairs->count++] = (struct pair){patient, day};
	return 0;
}

static int
each_of_operand(struct eval *e, const struct operand *operand,
    int (*each)(void *arg, uint32_t id, uint32_t patient, uint32_t day), void *arg)
{
	int code = each_dated(e, &operand->study_set, true, each, arg);

	return code != 0 ? code : each_dated(e, &operand->entry_set, false, each, arg);
}

static int
compare_days(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* `ends` of a patient begins as where its days begin. */
static int
spread(struct eval *e, const struct pairs *pairs, struct days *ret)
{
	uint32_t begin = 0;

	ret->patients = e->counters.entities[TERM_PATIENT];
	ret->ends = eval_memory(e, ret->patients + 1, sizeof ret->ends[0]);
	if (ret->ends == NULL)
		return CAIRN_ELIMIT;
	ret->count = pairs->count;
	ret->days = eval_memory(e, ret->count, sizeof ret->days[0]);
	if (ret->days == NULL)
		return CAIRN_ELIMIT;
	for (size_t i = 0; i < pairs->count; i++)
		ret->ends[pairs->list[i].patient + 1]++;
	for (size_t i = 1; i <= ret->patients; i++)
		ret->ends[i] += ret->ends[i - 1];
	for (size_t i = 0; i < pairs->count; i++)
		ret->days[ret->ends[pairs->list[i].patient]++] = pairs->list[i].day;
	for (size_t i = 0; i < ret->patients; i++) {
		if (ret->ends[i] - begin > 1)
			qsort(ret->days + begin, ret->ends[i] - begin, sizeof ret->days[0],
			    compare_days);
		begin = ret->ends[i];
	}
	return eval_cancelled(e);
}

static size_t
members(const struct set *set)
{
	return set->words == NULL ? 0 : (size_t)set_count(set);
}

static int
lay_out(struct eval *e, const struct operand *operand, struct days *ret)
{
	struct pairs pairs = {0};
	int code;

	pairs.capacity = members(&operand->study_set) + members(&operand->entry_set);
	pairs.list = eval_memory(e, pairs.capacity, sizeof pairs.list[0]);
	if (pairs.list == NULL)
		return CAIRN_ELIMIT;
	code = each_of_operand(e, operand, add_pair, &pairs);
	if (code == 0)
		code = spread(e, &pairs, ret);
	eval_memory_free(e, pairs.list, pairs.capacity, sizeof pairs.list[0]);
	return code;
}

static void
free_days(struct eval *e, struct days *days)
{
	eval_memory_free(e, days->days, days->count, sizeof days->days[0]);
	eval_memory_free(e, days->ends, days->patients + 1, sizeof days->ends[0]);
}

/* ---- the join ---------------------------------------------------------------------------- */

struct join {
	const struct days *days;
	int64_t from, to;
	struct set *ret;
};

static int
look_for_day(void *arg, uint32_t id, uint32_t patient, uint32_t day)
{
	const struct join *join = arg;
	const struct days *days = join->days;
	uint32_t low = patient == 0 ? 0 : days->ends[patient - 1], end = days->ends[patient];
	uint32_t high = end;
	int64_t from = (int64_t)day + join->from, to = (int64_t)day + join->to;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (days->days[middle] < from)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < end && days->days[low] <= to)
		set_add(join->ret, id);
	return 0;
}

/* Of the first operand's members those that found a partner. */
static int
join_set(struct eval *e, struct set *set, enum term_level level, struct join *join)
{
	struct set found = {0};
	int code;

	if (set->words == NULL)
		return 0;
	code = eval_set_new(e, level, &found);
	join->ret = &found;
	if (code == 0)
		code = each_dated(e, set, level == TERM_STUDY, look_for_day, join);
	if (code == 0) {
		eval_set_free(e, set);
		*set = found;
		found.words = NULL;
	}
	eval_set_free(e, &found);
	return code;
}

/* ---- where it is asked for --------------------------------------------------------------- */

/* Entries of another kind than asked for speak through their patient. */
static int
carry_entries(struct eval *e, struct set *set, const struct context *at)
{
	struct set own = {0};
	int code = 0;

	if (at->level == TERM_ENTRY && at->kind == KIND_ANY)
		return 0;
	if (at->level == TERM_ENTRY) {
		code = eval_set_new(e, TERM_ENTRY, &own);
		if (code == 0)
			code = eval_kind(e, &own, at->kind);
		if (code == 0) {
			set_and(&own, set);
			set_xor(set, &own);
		}
	}
	if (code == 0)
		code = eval_move(e, set, TERM_ENTRY, TERM_PATIENT);
	if (code == 0)
		code = eval_move(e, set, TERM_PATIENT, at->level);
	if (code == 0 && own.words != NULL)
		set_or(set, &own);
	eval_set_free(e, &own);
	return code;
}

static int
carry(struct eval *e, struct operand *first, const struct context *at, struct set *ret)
{
	struct set all = {0};
	int code = eval_set_new(e, at->level, &all);

	if (code == 0 && first->study_set.words != NULL) {
		code = eval_move(e, &first->study_set, TERM_STUDY, at->level);
		if (code == 0)
			set_or(&all, &first->study_set);
	}
	if (code == 0 && first->entry_set.words != NULL) {
		code = carry_entries(e, &first->entry_set, at);
		if (code == 0)
			set_or(&all, &first->entry_set);
	}
	if (code != 0)
		eval_set_free(e, &all);
	else
		*ret = all;
	return code;
}

int
eval_within(
    struct eval *e, const Cairn__Expression *node, const struct context *at, struct set *ret)
{
	const Cairn__Window *window = node->window;
	struct operand first = {0}, second = {0};
	struct days days = {0};
	struct join join = {.days = &days,
	    .from = window->open_from ? INT32_MIN : window->from,
	    .to = window->open_to ? INT32_MAX : window->to};
	int code = select_operand(e, node->children[1], &second);

	if (code == 0)
		code = lay_out(e, &second, &days);
	free_operand(e, &second);
	if (code == 0)
		code = select_operand(e, node->children[0], &first);
	if (code == 0)
		code = join_set(e, &first.study_set, TERM_STUDY, &join);
	if (code == 0)
		code = join_set(e, &first.entry_set, TERM_ENTRY, &join);
	free_days(e, &days);
	if (code == 0)
		code = carry(e, &first, at, ret);
	free_operand(e, &first);
	return code;
}
