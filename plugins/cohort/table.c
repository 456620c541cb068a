/* SPDX-License-Identifier: Apache-2.0 */
/* Breakdowns and distributions: for each value the patients that have it, of those in the cohort.
 */
#include "table.h"

#include <stdlib.h>
#include <string.h>

#include "cohort/expr.h"
#include "eval.h"

/* ---- the values of an attribute ---------------------------------------------------------- */

struct axis {
	uint16_t attribute;
	enum term_type type;
	uint64_t *keys;
	size_t count, capacity;
};

static int
add_key(struct axis *axis, uint64_t key, struct cairn_error *err)
{
	if (axis->count > 0 && axis->keys[axis->count - 1] == key)
		return 0;
	if (axis->count == BREAKDOWN_LOOKED_MAX)
		return cairn_error_set(err, CAIRN_ELIMIT,
		    "the attribute has more than %d different values; break down by another one",
		    BREAKDOWN_LOOKED_MAX);
	if (axis->count == axis->capacity) {
		size_t capacity = axis->capacity * 2 + 64;
		uint64_t *keys = realloc(axis->keys, capacity * sizeof *keys);

		if (keys == NULL)
			return CAIRN_ENOMEM;
		axis->keys = keys;
		axis->capacity = capacity;
	}
	axis->keys[axis->count++] = key;
	return 0;
}

/* Steps over a value's containers to the next value. */
static int
add_keys(struct eval *e, struct axis *axis, enum term_level level)
{
	struct posting at = posting_make(axis->attribute, level, 0, 0, 0);
	uint64_t prefix = at.major >> 32;

	for (;;) {
		uint8_t wanted[TERM_KEY_BYTES];
		MDB_val key = {sizeof wanted, wanted}, value;
		uint64_t number;
		int code, rc;

		posting_key(&at, wanted);
		rc = mdb_cursor_get(e->postings, &key, &value, MDB_SET_RANGE);
		if (rc == MDB_NOTFOUND)
			return 0;
		if (rc != 0)
			return store_error(rc, "reading the cohort index", e->err);
		if (key.mv_size != TERM_KEY_BYTES)
			return store_corrupt("a posting's key", e->err);
		at = posting_from_key(key.mv_data);
		if (at.major >> 32 != prefix)
			return 0;
		number = at.major << 32 | at.minor >> 32;
		code = add_key(axis, number, e->err);
		if (code == 0)
			code = eval_cancelled(e);
		if (code != 0 || number == UINT64_MAX)
			return code;
		at = posting_make(axis->attribute, level, 0, number + 1, 0);
	}
}

static int
compare_keys(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static int
open_axis(struct eval *e, const char *name, struct axis *ret)
{
	struct attribute_record record;
	size_t kept = 0;
	int code = CAIRN_ENOTFOUND;

	for (int type = TERM_CODE; type <= TERM_NUMBER && code == CAIRN_ENOTFOUND; type++) {
		ret->type = (enum term_type)type;
		code = attribute_find(e->index, e->txn, ret->type, name, &record);
	}
	if (code == CAIRN_ENOTFOUND)
		return cairn_error_set(e->err, CAIRN_EINVAL,
		    "%s is no attribute with codes or numbers here (cairn cohort fields)", name);
	if (code != 0)
		return code;
	ret->attribute = record.id;
	code = add_keys(e, ret, TERM_PATIENT);
	if (code == 0)
		code = add_keys(e, ret, TERM_FOLDED);
	if (code != 0)
		return code;
	if (ret->count > 0)
		qsort(ret->keys, ret->count, sizeof ret->keys[0], compare_keys);
	for (size_t i = 0; i < ret->count; i++)
		if (i == 0 || ret->keys[i - 1] != ret->keys[i])
			ret->keys[kept++] = ret->keys[i];
	ret->count = kept;
	return 0;
}

/* ---- how they are written ----------------------------------------------------------------- */

static void
number_text(uint64_t key, char ret[INDEX_TEXT_MAX + 1])
{
	Cairn__Scalar scalar = CAIRN__SCALAR__INIT;

	scalar.value_case = CAIRN__SCALAR__VALUE_NUMBER;
	scalar.number = term_number(key);
	cohort_scalar_text(&scalar, ret);
}

/* Codes as they were first stated: the dictionary is searched once for all. */
static int
code_texts(struct eval *e, const struct axis *axis, const uint64_t *keys, struct index_value *ret,
    size_t count)
{
	uint8_t prefix[STORE_VALUE_KEY_MAX];
	size_t length = value_key(axis->attribute, "", prefix);
	MDB_val key = {length, prefix}, value;
	MDB_cursor *cursor;
	int rc = mdb_cursor_open(e->txn, e->index->values, &cursor);

	if (rc != 0)
		return store_error(rc, "reading the cohort index", e->err);
	for (rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE); rc == 0;
	     rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) {
		uint32_t number;

		if (key.mv_size < length || memcmp(key.mv_data, prefix, length) != 0)
			break;
		if (value.mv_size < sizeof number || value.mv_size - sizeof number > INDEX_TEXT_MAX)
			continue;
		memcpy(&number, value.mv_data, sizeof number);
		for (size_t i = 0; i < count; i++)
			if (keys[i] == number)
				memcpy(ret[i].text, (const char *)value.mv_data + sizeof number,
				    value.mv_size - sizeof number);
	}
	mdb_cursor_close(cursor);
	return rc == 0 || rc == MDB_NOTFOUND ? 0
					     : store_error(rc, "reading the cohort index", e->err);
}

/* ---- one axis ---------------------------------------------------------------------------- */

static int
patients_between(struct eval *e, uint16_t attribute, uint64_t low, uint64_t high,
    const struct set *cohort, struct set *ret)
{
	int code = eval_set_new(e, TERM_PATIENT, ret);

	if (code == 0)
		code = eval_range(e, ret, attribute, TERM_PATIENT, low, high);
	if (code == 0)
		code = eval_range(e, ret, attribute, TERM_FOLDED, low, high);
	if (code == 0)
		set_and(ret, cohort);
	else
		eval_set_free(e, ret);
	return code;
}

struct ranked {
	uint64_t key, count;
};

static int
compare_ranked(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	if (x->count != y->count)
		return x->count > y->count ? -1 : 1;
	return x->key < y->key ? -1 : x->key > y->key;
}

static int
rank(struct eval *e, const struct axis *axis, const struct set *cohort, struct ranked *ret)
{
	int code = 0;

	for (size_t i = 0; i < axis->count && code == 0; i++) {
		struct set set = {0};

		code = patients_between(
		    e, axis->attribute, axis->keys[i], axis->keys[i], cohort, &set);
		if (code == 0)
			ret[i] = (struct ranked){axis->keys[i], set_count(&set)};
		eval_set_free(e, &set);
	}
	if (code == 0 && axis->count > 0)
		qsort(ret, axis->count, sizeof ret[0], compare_ranked);
	return code;
}

/* The most frequent values, those of nobody in the cohort left out; the axis is cut to them. */
static int
fill_axis(struct eval *e, struct axis *axis, const struct set *cohort, size_t limit,
    struct index_value **ret, bool *ret_truncated)
{
	struct ranked *ranked = calloc(axis->count + 1, sizeof *ranked);
	struct index_value *values = calloc(limit + 1, sizeof *values);
	size_t count = 0;
	int code = ranked == NULL || values == NULL ? CAIRN_ENOMEM : 0;

	if (code == 0)
		code = rank(e, axis, cohort, ranked);
	for (; code == 0 && count < axis->count && ranked[count].count > 0; count++) {
		if (count == limit) {
			*ret_truncated = true;
			break;
		}
		axis->keys[count] = ranked[count].key;
		values[count].count = ranked[count].count;
		if (axis->type == TERM_NUMBER)
			number_text(ranked[count].key, values[count].text);
	}
	if (code == 0)
		axis->count = count;
	if (code == 0 && axis->type == TERM_CODE)
		code = code_texts(e, axis, axis->keys, values, count);
	free(ranked);
	if (code != 0)
		free(values);
	else
		*ret = values;
	return code;
}

/* ---- the table --------------------------------------------------------------------------- */

static int
fill_row(struct eval *e, const struct axis *columns, const struct set *row, uint64_t *ret)
{
	int code = 0;

	for (size_t c = 0; c < columns->count && code == 0; c++) {
		struct set set = {0};

		code = patients_between(
		    e, columns->attribute, columns->keys[c], columns->keys[c], row, &set);
		if (code == 0)
			ret[c] = set_count(&set);
		eval_set_free(e, &set);
	}
	return code;
}

static int
fill_cells(struct eval *e, const struct axis axes[2], const struct set *cohort,
    struct index_breakdown *ret)
{
	int code = 0;

	for (size_t r = 0; r < axes[0].count && code == 0; r++) {
		struct set row = {0};

		code = patients_between(
		    e, axes[0].attribute, axes[0].keys[r], axes[0].keys[r], cohort, &row);
		if (code == 0)
			code = fill_row(e, &axes[1], &row, ret->cells + r * axes[1].count);
		eval_set_free(e, &row);
	}
	return code;
}

static int
break_down(struct eval *e, const struct set *cohort, const char *const *attributes, size_t count,
    size_t limit, struct index_breakdown *ret)
{
	struct axis axes[2] = {{0}, {0}};
	struct index_value **values[2] = {&ret->rows, &ret->columns};
	int code = 0;

	for (size_t i = 0; i < count && code == 0; i++) {
		code = open_axis(e, attributes[i], &axes[i]);
		if (code == 0)
			code = fill_axis(e, &axes[i], cohort, limit, values[i], &ret->truncated);
	}
	ret->row_count = axes[0].count;
	ret->column_count = count == 2 ? axes[1].count : 1;
	if (code == 0) {
		ret->cells = calloc(ret->row_count * ret->column_count + 1, sizeof ret->cells[0]);
		code = ret->cells == NULL ? CAIRN_ENOMEM : 0;
	}
	for (size_t r = 0; count == 1 && r < ret->row_count && code == 0; r++)
		ret->cells[r] = ret->rows[r].count;
	if (count == 2 && code == 0)
		code = fill_cells(e, axes, cohort, ret);
	free(axes[0].keys);
	free(axes[1].keys);
	return code;
}

/* Begins a query, and makes the set of the cohort's patients unless criteria are unknown. */
static int
begin_cohort(struct eval *e, const Cairn__Expression *expression, struct index_count *ret_count,
    struct set *ret)
{
	enum term_level at;
	int code;

	eval_use_carriers(e, expression);
	code = eval_criteria(e, expression, ret_count);
	return code != 0 || ret_count->criteria_count > 0
	    ? code
	    : eval_expression(e, expression, TERM_PATIENT, &at, ret);
}

/* wide: a question, and the table's shape */
int
index_breakdown(struct index *index, const Cairn__Expression *expression,
    const struct index_asking *asking, const char *const *attributes, size_t count, size_t limit,
    struct index_breakdown *ret, struct cairn_error *err)
{
	struct index_breakdown breakdown = {0};
	struct index_count unknown = {0};
	struct set cohort = {0};
	struct eval e;
	int code;

	if (count < 1 || count > 2 || limit < 1 || limit > BREAKDOWN_VALUES_MAX)
		return cairn_error_set(err, CAIRN_EINVAL,
		    "a breakdown is by one or two attributes, with 1 to %d values each",
		    BREAKDOWN_VALUES_MAX);
	code = eval_begin(&e, index, asking, err);
	if (code != 0)
		return code;
	code = begin_cohort(&e, expression, &unknown, &cohort);
	if (code == 0 && unknown.criteria_count == 0)
		code = break_down(&e, &cohort, attributes, count, limit, &breakdown);
	eval_set_free(&e, &cohort);
	code = eval_finish(&e, code, &unknown);
	if (code != 0) {
		index_breakdown_fini(&breakdown);
		return code;
	}
	breakdown.criteria = unknown.criteria;
	breakdown.criteria_count = unknown.criteria_count;
	*ret = breakdown;
	return 0;
}

void
index_breakdown_fini(struct index_breakdown *breakdown)
{
	struct index_count count = {
	    .criteria = breakdown->criteria, .criteria_count = breakdown->criteria_count};

	index_count_fini(&count);
	free(breakdown->rows);
	free(breakdown->columns);
	free(breakdown->cells);
	*breakdown = (struct index_breakdown){0};
}

/* ---- bins -------------------------------------------------------------------------------- */

double
index_bin_end(const struct index_bins *bins, size_t i)
{
	return i == bins->count
	    ? bins->to
	    : bins->from + (bins->to - bins->from) * (double)i / (double)bins->count;
}

static int
fill_bins(struct eval *e, const struct set *cohort, uint16_t attribute, struct index_bins *bins)
{
	int code = 0;

	for (size_t i = 0; i < bins->count && code == 0; i++) {
		uint64_t low = term_order(index_bin_end(bins, i));
		uint64_t high = term_order(index_bin_end(bins, i + 1));
		struct set set = {0};

		code = patients_between(
		    e, attribute, low, i + 1 == bins->count ? high : high - 1, cohort, &set);
		if (code == 0)
			bins->patients[i] = set_count(&set);
		eval_set_free(e, &set);
	}
	return code;
}

int
index_distribution(struct index *index, const Cairn__Expression *expression,
    const struct index_asking *asking, const char *attribute, struct index_bins *bins,
    struct cairn_error *err)
{
	struct index_count unknown = {0};
	struct attribute_record record;
	struct set cohort = {0};
	struct eval e;
	int code;

	if (bins->count < 1 || bins->count > DISTRIBUTION_BINS_MAX || !(bins->from < bins->to))
		return cairn_error_set(err, CAIRN_EINVAL,
		    "a distribution has 1 to %d bins, from a number to a larger one",
		    DISTRIBUTION_BINS_MAX);
	code = eval_begin(&e, index, asking, err);
	if (code != 0)
		return code;
	code = attribute_find(index, e.txn, TERM_NUMBER, attribute, &record);
	if (code == CAIRN_ENOTFOUND)
		code = cairn_error_set(err, CAIRN_EINVAL,
		    "%s is no attribute with numbers here (cairn cohort fields)", attribute);
	if (code == 0)
		code = begin_cohort(&e, expression, &unknown, &cohort);
	if (code == 0 && unknown.criteria_count == 0)
		code = fill_bins(&e, &cohort, record.id, bins);
	eval_set_free(&e, &cohort);
	code = eval_finish(&e, code, &unknown);
	bins->criteria = unknown.criteria;
	bins->criteria_count = unknown.criteria_count;
	return code;
}
