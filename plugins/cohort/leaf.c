/* SPDX-License-Identifier: Apache-2.0 */
/* From a criterion to ranges of posting keys to a set. */
#include "entry.h"
#include "eval.h"

#include <endian.h>
#include <string.h>

#include "cohort/expr.h"

/* Adds every container between two values at one coarseness: they lie side by side. */
static int
scan(struct eval *e, struct set *set, const struct posting *from, const struct posting *to)
{
	uint8_t first[TERM_KEY_BYTES], last[TERM_KEY_BYTES];
	MDB_val key = {sizeof first, first}, value;
	int rc;

	posting_key(from, first);
	posting_key(to, last);
	rc = mdb_cursor_get(e->postings, &key, &value, MDB_SET_RANGE);
	for (; rc == 0; rc = mdb_cursor_get(e->postings, &key, &value, MDB_NEXT)) {
		uint16_t block;

		if (key.mv_size != TERM_KEY_BYTES)
			return store_corrupt("a posting's key", e->err);
		if (memcmp(key.mv_data, last, TERM_KEY_BYTES) > 0)
			return eval_cancelled(e);
		memcpy(&block, (const uint8_t *)key.mv_data + TERM_KEY_BYTES - 2, sizeof block);
		block = be16toh(block);
		if (block >= set->blocks ||
		    !container_or(
			set->words + (size_t)block * SET_BLOCK_WORDS, value.mv_data, value.mv_size))
			return store_corrupt("a posting", e->err);
	}
	return rc == MDB_NOTFOUND ? eval_cancelled(e)
				  : store_error(rc, "reading the cohort index", e->err);
}

static int
scan_keys(struct eval *e, struct set *set, uint16_t attribute, enum term_level level,
    const uint64_t bounds[2], unsigned shift)
{
	struct posting from = posting_make(attribute, level, shift, bounds[0] >> shift, 0);
	struct posting to = posting_make(attribute, level, shift, bounds[1] >> shift, UINT32_MAX);

	return scan(e, set, &from, &to);
}

/* Whole buckets where the range holds them, and what sticks out at both ends one size finer. */
int
eval_range(struct eval *e, struct set *set, uint16_t attribute, enum term_level level, uint64_t low,
    uint64_t high)
{
	unsigned sizes = TERM_TYPE(attribute) == TERM_CODE ? 1 : TERM_SHIFTS;
	int code = 0;

	if (low > high)
		return 0;
	for (unsigned i = 0; code == 0; i++) {
		unsigned shift = term_shift(i);
		uint64_t step, inner_low, inner_high;

		if (i + 1 == sizes)
			return scan_keys(e, set, attribute, level, (uint64_t[]){low, high}, shift);
		step = (uint64_t)1 << term_shift(i + 1);
		inner_low = (low + step - 1) & ~(step - 1);
		inner_high = (high + 1) & ~(step - 1);
		if (inner_low >= inner_high)
			return scan_keys(e, set, attribute, level, (uint64_t[]){low, high}, shift);
		if (low < inner_low)
			code = scan_keys(
			    e, set, attribute, level, (uint64_t[]){low, inner_low - 1}, shift);
		if (code == 0 && inner_high <= high)
			code = scan_keys(
			    e, set, attribute, level, (uint64_t[]){inner_high, high}, shift);
		low = inner_low;
		high = inner_high - 1;
	}
	return code;
}

int
eval_universe(struct eval *e, struct set *set, enum term_level level)
{
	if (level == TERM_ENTRY)
		return eval_kind(e, set, KIND_ANY);
	return scan_keys(e, set, TERM_UNIVERSE, level, (uint64_t[]){0, 0}, 0);
}

int
eval_kind(struct eval *e, struct set *set, int kind)
{
	unsigned low = kind == KIND_ANY ? 0 : (unsigned)kind;
	unsigned high = kind == KIND_ANY ? ENTRY_KINDS_MAX : (unsigned)kind;

	return scan_keys(
	    e, set, TERM_UNIVERSE, TERM_ENTRY, (uint64_t[]){KIND_KEY(low), KIND_KEY(high)}, 0);
}

/* ---- one criterion ----------------------------------------------------------------------- */

/* Below and above every finite number; also below and above every dictionary number. */
#define KEY_MIN 0
#define KEY_MAX 0xffefffffffffffffU

static int
scalar_key(struct eval *e, uint16_t attribute, const Cairn__Scalar *value, uint64_t *ret)
{
	uint32_t number;
	int code;

	if (value->value_case != CAIRN__SCALAR__VALUE_TEXT) {
		*ret = term_order(
		    value->value_case == CAIRN__SCALAR__VALUE_NUMBER ? value->number : value->day);
		return 0;
	}
	code = value_find(e->index, e->txn, attribute, value->text, &number);
	if (code == 0)
		*ret = number;
	return code;
}

struct range {
	uint64_t low, high;
};

/* The value ranges that satisfy a comparison with a known value. */
static size_t
compare_ranges(Cairn__Leaf__Operator operator_, uint64_t key, struct range ret[2])
{
	switch (operator_) {
	case CAIRN__LEAF__OPERATOR__NE:
		ret[0] = (struct range){KEY_MIN, key - 1};
		ret[1] = (struct range){key + 1, KEY_MAX};
		if (key > 0)
			return 2;
		ret[0] = ret[1];
		return 1;
	case CAIRN__LEAF__OPERATOR__LT:
		ret[0] = (struct range){KEY_MIN, key - 1};
		return 1;
	case CAIRN__LEAF__OPERATOR__LE:
		ret[0] = (struct range){KEY_MIN, key};
		return 1;
	case CAIRN__LEAF__OPERATOR__GT:
		ret[0] = (struct range){key + 1, KEY_MAX};
		return 1;
	case CAIRN__LEAF__OPERATOR__GE:
		ret[0] = (struct range){key, KEY_MAX};
		return 1;
	default:
		ret[0] = (struct range){key, key};
		return 1;
	}
}

static int
add_value(struct eval *e, struct set *set, const Cairn__Leaf *leaf, size_t i,
    const struct attribute_record *attribute, enum term_level level)
{
	struct range ranges[2];
	uint64_t key;
	size_t count = 1;
	int code = scalar_key(e, attribute->id, leaf->values[i], &key);

	if (code == CAIRN_ENOTFOUND) {
		/* Nobody has this code, so that every code is another one. */
		if (leaf->operator_ != CAIRN__LEAF__OPERATOR__NE)
			return 0;
		ranges[0] = (struct range){KEY_MIN, KEY_MAX};
	} else if (code != 0) {
		return code;
	} else {
		count = compare_ranges(leaf->operator_, key, ranges);
	}
	code = 0;
	for (size_t r = 0; r < count && code == 0; r++)
		code = eval_range(e, set, attribute->id, level, ranges[r].low, ranges[r].high);
	return code;
}

static int
add_between(struct eval *e, struct set *set, const Cairn__Leaf *leaf,
    const struct attribute_record *attribute, enum term_level level)
{
	uint64_t low = KEY_MIN, high = KEY_MAX;
	int code = 0;

	if (leaf->values[0]->value_case != CAIRN__SCALAR__VALUE__NOT_SET)
		code = scalar_key(e, attribute->id, leaf->values[0], &low);
	if (code == 0 && leaf->values[1]->value_case != CAIRN__SCALAR__VALUE__NOT_SET)
		code = scalar_key(e, attribute->id, leaf->values[1], &high);
	return code != 0 ? code : eval_range(e, set, attribute->id, level, low, high);
}

/* What was stated at one level. */
static int
add_level(struct eval *e, struct set *set, const Cairn__Leaf *leaf,
    const struct attribute_record *attribute, enum term_level level)
{
	int code = 0;

	if (leaf->operator_ == CAIRN__LEAF__OPERATOR__EXISTS)
		return eval_range(e, set, attribute->id, level, KEY_MIN, KEY_MAX);
	if (leaf->operator_ == CAIRN__LEAF__OPERATOR__BETWEEN)
		return add_between(e, set, leaf, attribute, level);
	if (leaf->operator_ == CAIRN__LEAF__OPERATOR__UNDER)
		return eval_under(e, set, leaf, attribute->id, level);
	if (leaf->operator_ == CAIRN__LEAF__OPERATOR__LIKE)
		return eval_like(e, set, leaf, attribute->id, level);
	for (size_t i = 0; i < leaf->n_values && code == 0; i++)
		code = add_value(e, set, leaf, i, attribute, level);
	return code;
}

/* The patients' own facts and the folded ones answer for patients. */
static int
add_patients(struct eval *e, struct set *set, const Cairn__Leaf *leaf,
    const struct attribute_record *attribute)
{
	int code = add_level(e, set, leaf, attribute, TERM_PATIENT);

	return code != 0 ? code : add_level(e, set, leaf, attribute, TERM_FOLDED);
}

/* What patients have, carried to a level that is below them. */
static int
add_from_patients(struct eval *e, struct set *set, const Cairn__Leaf *leaf,
    const struct attribute_record *attribute, enum term_level level)
{
	struct set patients = {0};
	int code = eval_set_new(e, TERM_PATIENT, &patients);

	if (code == 0)
		code = add_patients(e, &patients, leaf, attribute);
	if (code == 0)
		code = eval_move(e, &patients, TERM_PATIENT, level);
	if (code == 0)
		set_or(set, &patients);
	eval_set_free(e, &patients);
	return code;
}

/* What each level states, carried over to `level`. */
static int
add_every_level(struct eval *e, struct set *set, const Cairn__Leaf *leaf,
    const struct attribute_record *attribute, enum term_level level)
{
	int code = 0;

	for (int at = TERM_PATIENT; at <= TERM_ENTRY && code == 0; at++) {
		struct set stated = {0};

		if ((attribute->levels >> at & 1) == 0)
			continue;
		if (at == (int)level) {
			code = add_level(e, set, leaf, attribute, level);
			continue;
		}
		code = eval_set_new(e, (enum term_level)at, &stated);
		if (code == 0)
			code = add_level(e, &stated, leaf, attribute, (enum term_level)at);
		if (code == 0)
			code = eval_move(e, &stated, (enum term_level)at, level);
		if (code == 0)
			set_or(set, &stated);
		eval_set_free(e, &stated);
	}
	return code;
}

#define IMAGE_LEVELS (1U << TERM_STUDY | 1U << TERM_SERIES | 1U << TERM_INSTANCE)

static int
add_attribute(struct eval *e, struct set *set, const Cairn__Leaf *leaf,
    const struct attribute_record *attribute, const struct context *at)
{
	int kind = at->level == TERM_ENTRY ? eval_attribute_kind(leaf->attribute) : KIND_ANY;

	if (at->level == TERM_PATIENT)
		return add_patients(e, set, leaf, attribute);
	/* Of another kind of entry, or stated for patients only: the patient decides. */
	if (at->level == TERM_ENTRY && kind != KIND_ANY && at->kind != KIND_ANY && kind != at->kind)
		return add_from_patients(e, set, leaf, attribute, at->level);
	if (at->level != TERM_ENTRY && (attribute->levels & IMAGE_LEVELS) == 0)
		return add_from_patients(e, set, leaf, attribute, at->level);
	return add_every_level(e, set, leaf, attribute, at->level);
}

int
eval_attribute_kind(const char *name)
{
	const struct cohort_attribute *known = cohort_attribute_find(name);

	return known == NULL ? KIND_ANY : kind_find(cohort_entity_name(known->entity));
}

bool
eval_asks_for(const Cairn__Leaf *leaf, enum term_type type)
{
	static const Cairn__Scalar__ValueCase cases[] = {
	    [TERM_CODE] = CAIRN__SCALAR__VALUE_TEXT,
	    [TERM_NUMBER] = CAIRN__SCALAR__VALUE_NUMBER,
	    [TERM_DAY] = CAIRN__SCALAR__VALUE_DAY,
	};

	for (size_t i = 0; i < leaf->n_values; i++)
		if (leaf->values[i]->value_case != CAIRN__SCALAR__VALUE__NOT_SET)
			return leaf->values[i]->value_case == cases[type];
	return true;
}

int
eval_leaf(struct eval *e, const Cairn__Leaf *leaf, const struct context *at, struct set *set)
{
	int code = 0;

	for (int type = TERM_CODE; type <= TERM_DAY && code == 0; type++) {
		struct attribute_record attribute;

		if (!eval_asks_for(leaf, (enum term_type)type))
			continue;
		code = attribute_find(
		    e->index, e->txn, (enum term_type)type, leaf->attribute, &attribute);
		if (code == 0)
			code = add_attribute(e, set, leaf, &attribute, at);
		else if (code == CAIRN_ENOTFOUND)
			code = 0;
	}
	return code;
}

int
eval_leaf_level(struct eval *e, const Cairn__Leaf *leaf, enum term_level *ret)
{
	bool found = false;
	int code = 0;

	*ret = TERM_PATIENT;
	for (int type = TERM_CODE; type <= TERM_DAY; type++) {
		struct attribute_record attribute;

		if (!eval_asks_for(leaf, (enum term_type)type))
			continue;
		code = attribute_find(
		    e->index, e->txn, (enum term_type)type, leaf->attribute, &attribute);
		if (code != 0 && code != CAIRN_ENOTFOUND)
			return code;
		if (code == CAIRN_ENOTFOUND)
			continue;
		found = true;
		for (int at = TERM_STUDY; at <= TERM_INSTANCE; at++)
			if ((attribute.levels >> at & 1) != 0 && at > (int)*ret)
				*ret = (enum term_level)at;
	}
	return found ? 0 : CAIRN_EUNSUPPORTED;
}
