/* SPDX-License-Identifier: Apache-2.0 */
/* Trees that were not parsed: random ones, and hostile ones from outside. */
#include "base/test.h"
#include "cohort/expr.h"
#include "cohort/testing.h"

#include <math.h>

static Cairn__Expression *
parsed(const char *text)
{
	struct cairn_error err = {0};
	Cairn__Expression *tree = NULL;

	assert_ok(cohort_parse(text, &tree, &err), &err);
	return tree;
}

static void
free_tree(Cairn__Expression *tree)
{
	cairn__expression__free_unpacked(tree, NULL);
}

static void
assert_same_tree(const Cairn__Expression *a, const Cairn__Expression *b)
{
	size_t size = cairn__expression__get_packed_size(a);
	uint8_t *x = malloc(size), *y = malloc(size);

	assert_int_equal(cairn__expression__get_packed_size(b), size);
	cairn__expression__pack(a, x);
	cairn__expression__pack(b, y);
	assert_memory_equal(x, y, size);
	free(x);
	free(y);
}

static void
printing_then_parsing_gives_the_same_tree(void **state)
{
	uint64_t seed = 20261124;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		Cairn__Expression *tree =
		    testing_tree(&seed, 1 + (unsigned)testing_below(&seed, 5));
		Cairn__Expression *again = NULL;
		struct cairn_error err = {0};
		char *text = NULL;

		assert_ok(cohort_print(tree, &text, &err), &err);
		assert_ok(cohort_parse(text, &again, &err), &err);
		assert_same_tree(tree, again);
		free(text);
		free_tree(again);
		free_tree(tree);
	}
}

/* ---- trees from outside ------------------------------------------------------------------ */

static void
assert_check_refuses(Cairn__Expression *tree)
{
	struct cairn_error err = {0};

	assert_int_not_equal(cohort_check(tree, &err), 0);
	assert_string_not_equal(err.text, "");
	free_tree(tree);
}

static void
hostile_trees_are_refused(void **state)
{
	Cairn__Expression *tree = parsed("a = 1 and b = 2");

	(void)state;
	tree->operand = (Cairn__Expression__Operand)77;
	assert_check_refuses(tree);
	tree = parsed("a = 1 and b = 2");
	tree->operand = CAIRN__EXPRESSION__OPERAND__NOT;
	assert_check_refuses(tree);
	tree = parsed("a = 1");
	tree->leaf->operator_ = (Cairn__Leaf__Operator)99;
	assert_check_refuses(tree);
	tree = parsed("age = 1");
	tree->leaf->values[0]->number = (double)INFINITY;
	assert_check_refuses(tree);
	tree = parsed("age = 1");
	tree->leaf->values[0]->number = 151;
	assert_check_refuses(tree);
	tree = parsed("sex = male");
	memcpy(tree->leaf->values[0]->text, "mole", 4);
	assert_check_refuses(tree);
	tree = parsed("sop_class = 1.2");
	memcpy(tree->leaf->values[0]->text, "1,2", 3);
	assert_check_refuses(tree);
	tree = parsed("age between 1 and 2");
	tree->leaf->operator_ = CAIRN__LEAF__OPERATOR__EXISTS;
	assert_check_refuses(tree);
	tree = parsed("sex = male");
	tree->leaf->values[0]->value_case = CAIRN__SCALAR__VALUE_NUMBER;
	free(tree->leaf->values[0]->text);
	tree->leaf->values[0]->number = 1;
	assert_check_refuses(tree);
	tree = parsed("aaa = x");
	memcpy(tree->leaf->attribute, "not", 3);
	assert_check_refuses(tree);
	tree = parsed("same study (*)");
	memcpy(tree->entity, "stuff", 5);
	assert_check_refuses(tree);
	tree = parsed("at least 2 studies (*)");
	tree->number = 0;
	assert_check_refuses(tree);
	tree = parsed("at least 2 studies (*)");
	tree->operand = CAIRN__EXPRESSION__OPERAND__SAME;
	assert_check_refuses(tree);
	tree = parsed("a = b within 3 days of c = d");
	tree->window->to = -4;
	assert_check_refuses(tree);
	tree = parsed("a = b within 3 days of c = d");
	tree->window->to = INT32_MAX;
	assert_check_refuses(tree);
	tree = parsed("a = b within 3 days of c = d");
	tree->operand = CAIRN__EXPRESSION__OPERAND__AND;
	assert_check_refuses(tree);
	tree = parsed("diagnosis in icd10:C34");
	memcpy(tree->leaf->values[0]->text, "icd11:C34", 9);
	assert_check_refuses(tree);
	tree = parsed("a = xy");
	memcpy(tree->leaf->values[0]->text, "\xed\xa0", 2);
	assert_check_refuses(tree);
}

/* COUNT nested NOTs, packed by hand as a CountRequest would be. */
static size_t
pack_nested(uint8_t *ret, size_t room, size_t count)
{
	size_t at = room, length = 0;

	for (size_t i = 0; i <= count; i++) {
		size_t value = length;
		uint8_t digits[10];
		size_t n = 0;

		do
			digits[n++] = (uint8_t)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
		while ((value >>= 7) != 0);
		at -= n;
		memcpy(ret + at, digits, n);
		ret[--at] = i == count ? 0x0a : 0x12;
		length = room - at;
	}
	memmove(ret, ret + at, length);
	return length;
}

static void
packed_bytes_nested_too_deeply_are_refused_before_unpacking(void **state)
{
	size_t room = 1 << 20;
	uint8_t *bytes = malloc(room);
	size_t length = pack_nested(bytes, room, 100000);

	(void)state;
	assert_int_equal(cohort_check_packed(bytes, length, NULL), CAIRN_ELIMIT);
	assert_int_equal(cohort_check_packed(bytes, length - 1, NULL), CAIRN_EINVAL);
	length = pack_nested(bytes, room, 60);
	assert_int_equal(cohort_check_packed(bytes, length, NULL), 0);
	free(bytes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(printing_then_parsing_gives_the_same_tree),
	    cmocka_unit_test(hostile_trees_are_refused),
	    cmocka_unit_test(packed_bytes_nested_too_deeply_are_refused_before_unpacking),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
