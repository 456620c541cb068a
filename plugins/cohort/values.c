/* SPDX-License-Identifier: Apache-2.0 */
/* Criteria about many values at once: the dictionary says which, and neighbours become ranges. */
#include <stdlib.h>
#include <string.h>

#include "cohort/expr.h"
#include "cohort/hierarchy.h"
#include "eval.h"

struct numbers {
	struct eval *e;
	uint16_t attribute;
	uint32_t *list;
	size_t count, capacity;
	bool (*takes)(const void *arg, const char *text);
	const void *arg;
};

static int
add_number(struct numbers *numbers, uint32_t number)
{
	if (numbers->count == numbers->capacity) {
		size_t capacity = numbers->capacity * 2 + 64;
		uint32_t *list = realloc(numbers->list, capacity * sizeof *list);

		if (list == NULL)
			return CAIRN_ENOMEM;
		numbers->list = list;
		numbers->capacity = capacity;
	}
	numbers->list[numbers->count++] = number;
	return 0;
}

/* One value of the dictionary, with its text as it was first stated. */
static int
look_at(struct numbers *numbers, const MDB_val *value)
{
	char text[INDEX_TEXT_MAX + 1];
	uint32_t number;
	size_t length;

	if (value->mv_size < sizeof number || value->mv_size - sizeof number > INDEX_TEXT_MAX)
		return store_corrupt("a value", numbers->e->err);
	length = value->mv_size - sizeof number;
	memcpy(&number, value->mv_data, sizeof number);
	memcpy(text, (const char *)value->mv_data + sizeof number, length);
	text[length] = 0;
	return numbers->takes(numbers->arg, text) ? add_number(numbers, number) : 0;
}

/* All values of the attribute that begin with `prefix`. */
static int
scan_values(struct numbers *numbers, const char *prefix)
{
	struct eval *e = numbers->e;
	uint8_t wanted[STORE_VALUE_KEY_MAX];
	size_t length = value_key(numbers->attribute, prefix, wanted);
	MDB_val key = {length, wanted}, value;
	MDB_cursor *cursor;
	int code = 0, rc;

	if (length == 0)
		return 0;
	rc = mdb_cursor_open(e->txn, e->index->values, &cursor);
	if (rc != 0)
		return store_error(rc, "reading the cohort index", e->err);
	for (rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE); rc == 0 && code == 0;
	     rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) {
		if (key.mv_size < length || memcmp(key.mv_data, wanted, length) != 0)
			break;
		code = look_at(numbers, &value);
		if (code == 0)
			code = eval_cancelled(e);
	}
	mdb_cursor_close(cursor);
	if (code == 0 && rc != 0 && rc != MDB_NOTFOUND)
		code = store_error(rc, "reading the cohort index", e->err);
	return code;
}

static int
compare_numbers(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static int
add_entities(struct numbers *numbers, struct set *set, enum term_level level)
{
	size_t next;
	int code = 0;

	if (numbers->count > 0)
		qsort(numbers->list, numbers->count, sizeof numbers->list[0], compare_numbers);
	for (size_t i = 0; i < numbers->count && code == 0; i = next) {
		for (next = i + 1; next < numbers->count; next++)
			if (numbers->list[next] - numbers->list[next - 1] > 1)
				break;
		code = eval_range(numbers->e, set, numbers->attribute, level, numbers->list[i],
		    numbers->list[next - 1]);
	}
	return code;
}

/* ---- LIKE -------------------------------------------------------------------------------- */

static bool
takes_like(const void *arg, const char *text)
{
	return cohort_like(arg, text);
}

int
eval_like(struct eval *e, struct set *set, const Cairn__Leaf *leaf, uint16_t attribute,
    enum term_level level)
{
	const char *pattern = leaf->values[0]->text;
	struct numbers numbers = {
	    .e = e, .attribute = attribute, .takes = takes_like, .arg = pattern};
	size_t literal = strcspn(pattern, "%");
	char prefix[INDEX_TEXT_MAX + 1];
	int code = 0;

	/* A longer literal part than any value has. */
	if (literal > INDEX_TEXT_MAX)
		return 0;
	memcpy(prefix, pattern, literal);
	prefix[literal] = 0;
	code = scan_values(&numbers, prefix);
	if (code == 0)
		code = add_entities(&numbers, set, level);
	free(numbers.list);
	return code;
}

/* ---- UNDER ------------------------------------------------------------------------------- */

static bool
takes_below(const void *arg, const char *text)
{
	return hierarchy_below_has(arg, text);
}

static int
add_code(void *arg, const char *code_text, bool prefix)
{
	struct numbers *numbers = arg;
	uint32_t number;
	int code;

	if (prefix)
		return scan_values(numbers, code_text);
	code =
	    value_find(numbers->e->index, numbers->e->txn, numbers->attribute, code_text, &number);
	if (code == 0)
		return add_number(numbers, number);
	return code == CAIRN_ENOTFOUND ? 0 : code;
}

int
eval_under(struct eval *e, struct set *set, const Cairn__Leaf *leaf, uint16_t attribute,
    enum term_level level)
{
	struct numbers numbers = {.e = e, .attribute = attribute, .takes = takes_below};
	struct hierarchy_below *below = NULL;
	const char **ancestors = calloc(leaf->n_values + 1, sizeof *ancestors);
	int code = ancestors == NULL ? CAIRN_ENOMEM : 0;

	for (size_t i = 0; i < leaf->n_values && code == 0; i++)
		ancestors[i] = leaf->values[i]->text;
	if (code == 0)
		code = hierarchy_below_new(
		    e->index->hierarchy, ancestors, leaf->n_values, &below, e->err);
	numbers.arg = below;
	if (code == 0)
		code = hierarchy_below_each(below, add_code, &numbers);
	if (code == 0)
		code = add_entities(&numbers, set, level);
	free(numbers.list);
	free(ancestors);
	hierarchy_below_free(below);
	return code;
}
