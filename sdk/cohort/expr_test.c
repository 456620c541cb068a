/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"
#include "cohort/expr.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>

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
assert_prints(const char *text, const char *canonical)
{
	struct cairn_error err = {0};
	Cairn__Expression *tree = parsed(text);
	char *printed = NULL;

	assert_ok(cohort_print(tree, &printed, &err), &err);
	assert_string_equal(printed, canonical);
	free(printed);
	free_tree(tree);
}

static void
assert_refused(const char *text, const char *words)
{
	struct cairn_error err = {0};
	Cairn__Expression *tree = NULL;

	if (cohort_parse(text, &tree, &err) == 0)
		fail_msg("accepted: %s", text);
	assert_null(tree);
	if (strcmp(err.text, words) != 0)
		fail_msg("%s\nsaid:     %s\nexpected: %s", text, err.text, words);
}

static void
text_becomes_canonical(void **state)
{
	(void)state;
	assert_prints("modality=CT", "modality = CT");
	assert_prints("x\tEXISTS", "x exists");
	assert_prints("modality = CT AND NOT sex = female", "modality = CT and not sex = female");
	assert_prints("(modality = CT)", "modality = CT");
	assert_prints(
	    "modality = CT and sex = male or age < 5", "modality = CT and sex = male or age < 5");
	assert_prints("modality = CT and (sex = male or age < 5)",
	    "modality = CT and (sex = male or age < 5)");
	assert_prints("(a = x and b = y) and c = z", "(a = x and b = y) and c = z");
	assert_prints("age between 40 and 60", "age between 40 and 60");
	assert_prints("age between * and 60.50", "age between * and 60.5");
	assert_prints(
	    "model in ( A1 ,\"B \\\"2\\\"\", 5 )", "model in (A1, \"B \\\"2\\\"\", \"5\")");
	assert_prints("study_date >= 2020-01-01", "study_date >= 2020-01-01");
	assert_prints("same study(modality = CT)", "same study (modality = CT)");
	assert_prints("same SERIES (*)", "same series (*)");
	assert_prints("not not *", "not not *");
	assert_prints("a != \"and\"", "a != \"and\"");
	assert_prints("a = icd10:C34", "a = icd10:C34");
}

static void
sop_classes_are_accepted_by_name(void **state)
{
	(void)state;
	assert_prints("sop_class = CTImageStorage", "sop_class = 1.2.840.10008.5.1.4.1.1.2");
	assert_prints(
	    "sop_class = 1.2.840.10008.5.1.4.1.1.2", "sop_class = 1.2.840.10008.5.1.4.1.1.2");
}

static void
numbers_are_text_where_the_attribute_is_a_code(void **state)
{
	Cairn__Expression *tree = parsed("model = 128");

	(void)state;
	assert_int_equal(tree->leaf->values[0]->value_case, CAIRN__SCALAR__VALUE_TEXT);
	assert_string_equal(tree->leaf->values[0]->text, "128");
	free_tree(tree);
}

static void
errors_show_the_place_and_what_was_meant(void **state)
{
	(void)state;
	assert_refused("modality = CT adn sex = male",
	    "column 15: expected \"and\", \"or\", \"xor\" or the end, found \"adn\"; did you mean "
	    "\"and\"?\n  modality = CT adn sex = male\n                ^");
	assert_refused("Modality = CT",
	    "column 1: attributes are lower-case names; did you mean \"modality\"?\n"
	    "  Modality = CT\n  ^");
	assert_refused("modality betwen CT",
	    "column 10: expected =, !=, <, <=, >, >=, in, between or exists, found \"betwen\"; did "
	    "you mean \"between\"?\n  modality betwen CT\n           ^");
	assert_refused("modality =",
	    "column 11: expected a value, found the end\n"
	    "  modality =\n            ^");
	assert_refused("x = \"\xc3\xa9\xc3\xa9\" )",
	    "column 10: expected \"and\", \"or\", \"xor\" or the end, found \")\"\n"
	    "  x = \"\xc3\xa9\xc3\xa9\" )\n           ^");
	assert_refused("sop_class = CTImageStorag",
	    "column 13: \"CTImageStorag\" is neither a UID nor a storage SOP class; did you mean "
	    "\"CTImageStorage\"?\n  sop_class = CTImageStorag\n              ^");
	assert_refused("slice_thickness <= thin",
	    "column 20: slice_thickness takes a number of mm from 0 to 1000; you wrote \"thin\", "
	    "which is text\n  slice_thickness <= thin\n                     ^");
}

/* Only the first line of the error: what is wrong. */
static void
assert_says(const char *text, const char *words)
{
	struct cairn_error err = {0};
	Cairn__Expression *tree = NULL;
	const char *said;

	if (cohort_parse(text, &tree, &err) == 0)
		fail_msg("accepted: %s", text);
	err.text[strcspn(err.text, "\n")] = 0;
	said = strstr(err.text, ": ");
	if (said == NULL || strcmp(said + 2, words) != 0)
		fail_msg("%s\nsaid:     %s\nexpected: %s", text, err.text, words);
}

static void
a_code_that_cannot_be_is_refused_with_those_that_can(void **state)
{
	(void)state;
	assert_says(
	    "sex = M", "sex takes female, male, other; you wrote \"M\"; did you mean \"male\"?");
	assert_says(
	    "sex != F", "sex takes female, male, other; you wrote \"F\"; did you mean \"female\"?");
	assert_says("sex in (male, femal)",
	    "sex takes female, male, other; you wrote \"femal\"; did you mean \"female\"?");
	assert_says("sex = unknown", "sex takes female, male, other; you wrote \"unknown\"");
	assert_says("sex = \"\"", "sex takes female, male, other; you wrote \"\"");
	assert_says("sex = 1", "sex takes female, male, other; you wrote \"1\"");
	assert_says("modality = CTT",
	    "modality takes one of 97 codes such as CT, MR, MG, PT, US, NM; you wrote \"CTT\"; "
	    "did you mean \"CT\"?");
	assert_says("modality = pet",
	    "modality takes one of 97 codes such as CT, MR, MG, PT, US, NM; you wrote \"pet\"; "
	    "did you mean \"PT\"?");
}

static void
a_code_is_known_in_any_case(void **state)
{
	(void)state;
	assert_prints("modality in (ct, Mr, rtstruct)", "modality in (ct, Mr, rtstruct)");
	assert_prints("sex = Female", "sex = Female");
}

static void
codes_with_an_open_list_stay_open(void **state)
{
	(void)state;
	assert_prints("manufacturer = nobody", "manufacturer = nobody");
	assert_prints("model = \"X 1\"", "model = \"X 1\"");
	assert_prints("body_part = ELBOWS", "body_part = ELBOWS");
	assert_prints("sop_class = 1.3.12.2.1107.5.9.1", "sop_class = 1.3.12.2.1107.5.9.1");
}

static void
a_number_or_date_that_cannot_be_is_refused_with_its_range(void **state)
{
	(void)state;
	assert_says("age > 151", "age takes a number of years from 0 to 150; you wrote \"151\"");
	assert_says("age = 4e2",
	    "age takes a number of years from 0 to 150; you wrote \"4e2\", which is 400");
	assert_says(
	    "age between -1 and 5", "age takes a number of years from 0 to 150; you wrote \"-1\"");
	assert_says("age = 4O",
	    "age takes a number of years from 0 to 150; you wrote \"4O\", which is text");
	assert_says("age >= 2020-01-01",
	    "age takes a number of years from 0 to 150; you wrote \"2020-01-01\", which is a date");
	assert_says("study_date > 2020",
	    "study_date takes a date (2026-01-31) from 0001-01-01 to 9999-12-31; you wrote "
	    "\"2020\", which is a number");
	assert_says("study_date > \"2020-01-01\"",
	    "study_date takes a date (2026-01-31) from 0001-01-01 to 9999-12-31; you wrote "
	    "\"2020-01-01\", which is text");
	assert_says("study_date = 2023-02-29",
	    "the date 2023-02-29 does not exist: dates are year-month-day, from 0001-01-01 to "
	    "9999-12-31");
	assert_says("age between 60 and 40",
	    "between takes the lower end first: from 60 to 40 there is nothing");
	assert_prints("age between 0 and 150", "age between 0 and 150");
	assert_prints("study_date <= 9999-12-31", "study_date <= 9999-12-31");
}

static void
a_long_wrong_value_is_cut_between_characters(void **state)
{
	(void)state;
	assert_says("sex = \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\xc3\xa9\xc3\xa9\"",
	    "sex takes female, male, other; you wrote "
	    "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...\"");
}

/* What people are shown must be what is accepted. */
static void
every_example_and_every_code_of_the_table_is_accepted(void **state)
{
	const struct cohort_attribute *attribute;

	(void)state;
	for (size_t i = 0; (attribute = cohort_attribute_at(i)) != NULL; i++) {
		Cairn__Expression *tree = parsed(attribute->example);

		assert_string_equal(tree->leaf->attribute, attribute->name);
		free_tree(tree);
		for (size_t c = 0; attribute->codes != NULL && attribute->codes[c] != NULL; c++) {
			char text[100];

			snprintf(
			    text, sizeof text, "%s = \"%s\"", attribute->name, attribute->codes[c]);
			free_tree(parsed(text));
		}
	}
}

static void
wrong_texts_are_refused(void **state)
{
	static const char *const texts[] = {"", "  ", "and", "modality", "modality = ", "= CT", "(",
	    "()", "modality = CT)", "(modality = CT", "modality = and", "modality CT",
	    "a = b or c = d xor e = f", "a = b xor c = d or e = f", "same (a = b)",
	    "same patient (a = b)", "same study a = b", "modality < CT", "age = old",
	    "age between 60 and 40", "age between * and *", "age between 40", "age in ()",
	    "age in (1,)", "age in (1 2)", "age in (1, 2020-01-01)", "study_date = 2023-02-29",
	    "study_date > 2020", "a = \"x", "a = \"x\\n\"", "a = \"\n\"", "a = \"\xff\"", "a ! b",
	    "a = $", "a..b = c", "a. = c", "A = b", "a = b, c = d", "* *", "not", "a exists b",
	    "variant(EGFR, L858R)"};

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		struct cairn_error err = {0};
		Cairn__Expression *tree = NULL;

		if (cohort_parse(texts[i], &tree, &err) != CAIRN_EINVAL)
			fail_msg("accepted: %s", texts[i]);
		assert_non_null(strstr(err.text, "column "));
		assert_non_null(strchr(err.text, '^'));
	}
}

static char *
repeated(const char *head, const char *unit, size_t count, const char *tail)
{
	size_t step = strlen(unit), size = strlen(head) + step * count + strlen(tail) + 1;
	char *text = malloc(size), *at = text;

	assert_non_null(text);
	memcpy(at, head, strlen(head));
	at += strlen(head);
	for (size_t i = 0; i < count; i++, at += step)
		memcpy(at, unit, step);
	memcpy(at, tail, strlen(tail) + 1);
	return text;
}

static void
assert_limit(char *text)
{
	struct cairn_error err = {0};
	Cairn__Expression *tree = NULL;

	assert_int_equal(cohort_parse(text, &tree, &err), CAIRN_ELIMIT);
	assert_null(tree);
	free(text);
}

static void
limits_on_depth_and_size_hold(void **state)
{
	(void)state;
	assert_limit(repeated("", "(", 60000, "*"));
	assert_limit(repeated("", "not ", COHORT_DEPTH_MAX, "*"));
	assert_limit(repeated("*", " or *", COHORT_NODES_MAX, ""));
	assert_limit(repeated("a in (1", ",1", COHORT_NODES_MAX, ")"));
	assert_limit(repeated("", " ", COHORT_TEXT_MAX, "*"));
	free_tree(parsed("((((((((((((((((((((((((((((((*))))))))))))))))))))))))))))))"));
}

static void
an_unknown_attribute_parses_and_is_named(void **state)
{
	Cairn__Expression *tree = parsed("modality = CT and (sex = male or modalitiy = MR)");
	const char *suggestion = NULL;

	(void)state;
	assert_string_equal(cohort_unknown_attribute(tree, &suggestion), "modalitiy");
	assert_string_equal(suggestion, "modality");
	free_tree(tree);
	tree = parsed("not same study (diagnosis = x)");
	assert_string_equal(cohort_unknown_attribute(tree, &suggestion), "diagnosis");
	assert_null(suggestion);
	free_tree(tree);
	tree = parsed("modality = CT and not (sex = male)");
	assert_null(cohort_unknown_attribute(tree, &suggestion));
	free_tree(tree);
}

/* ---- random trees ------------------------------------------------------------------------ */

static uint64_t
next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static size_t
below(uint64_t *seed, size_t limit)
{
	return (size_t)(next_random(seed) % limit);
}

static char *
random_text(uint64_t *seed)
{
	static const char *const texts[] = {"CT", "and", "NOT", "5", "2020-01-01", "x y", "\"",
	    "\\", "", "\xc3\xa9t\xc3\xa9", "1.2.840", "a:b/c", "(", "*", "-", "1e5", "+1",
	    "2020-99-99"};

	return strdup(texts[below(seed, sizeof texts / sizeof texts[0])]);
}

static void
random_value(uint64_t *seed, unsigned type, bool in_range, Cairn__Scalar *value)
{
	cairn__scalar__init(value);
	if (type == 0) {
		value->value_case = CAIRN__SCALAR__VALUE_TEXT;
		value->text = random_text(seed);
	} else if (type == 1) {
		value->value_case = CAIRN__SCALAR__VALUE_NUMBER;
		value->number = in_range
		    ? (double)below(seed, 150001) / 1000
		    : ((double)below(seed, 1000000) - 500000) / (double)(1 + below(seed, 1000));
	} else {
		value->value_case = CAIRN__SCALAR__VALUE_DAY;
		value->day = (int32_t)below(seed, 3652058) - 719162;
	}
}

static void
set_ends(Cairn__Leaf *leaf, uint64_t *seed)
{
	Cairn__Scalar *low = leaf->values[0], *high = leaf->values[1];
	bool swap = low->value_case == CAIRN__SCALAR__VALUE_NUMBER ? low->number > high->number
								   : low->day > high->day;

	if (swap) {
		leaf->values[0] = high;
		leaf->values[1] = low;
	}
	if (below(seed, 3) == 0)
		cairn__scalar__init(leaf->values[below(seed, 2)]);
}

static Cairn__Leaf *
random_leaf(uint64_t *seed)
{
	static const char *const names[3] = {"model", "age", "study_date"};
	static const char *const unknown[3] = {"diagnosis", "x.y_1", "a"};
	unsigned type = (unsigned)below(seed, 3);
	bool known = below(seed, 2) == 0;
	Cairn__Leaf *leaf = malloc(sizeof *leaf);
	size_t count = 1;

	cairn__leaf__init(leaf);
	leaf->attribute = strdup(known ? names[type] : unknown[below(seed, 3)]);
	do
		leaf->operator_ = (Cairn__Leaf__Operator)below(seed, 9);
	while (type == 0 && leaf->operator_ > CAIRN__LEAF__OPERATOR__NE &&
	    leaf->operator_ != CAIRN__LEAF__OPERATOR__IN &&
	    leaf->operator_ != CAIRN__LEAF__OPERATOR__EXISTS);
	if (leaf->operator_ == CAIRN__LEAF__OPERATOR__EXISTS)
		count = 0;
	if (leaf->operator_ == CAIRN__LEAF__OPERATOR__IN)
		count = 1 + below(seed, 5);
	if (leaf->operator_ == CAIRN__LEAF__OPERATOR__BETWEEN)
		count = 2;
	leaf->values = calloc(count + 1, sizeof *leaf->values);
	for (leaf->n_values = 0; leaf->n_values < count; leaf->n_values++) {
		leaf->values[leaf->n_values] = malloc(sizeof(Cairn__Scalar));
		random_value(seed, type, known, leaf->values[leaf->n_values]);
	}
	if (leaf->operator_ == CAIRN__LEAF__OPERATOR__BETWEEN)
		set_ends(leaf, seed);
	return leaf;
}

static Cairn__Expression *
random_tree(uint64_t *seed, unsigned depth)
{
	Cairn__Expression *node = malloc(sizeof *node);
	size_t count = 0;

	cairn__expression__init(node);
	node->operand = depth == 0 ? CAIRN__EXPRESSION__OPERAND__LEAF
				   : (Cairn__Expression__Operand)below(seed, 7);
	if (node->operand == CAIRN__EXPRESSION__OPERAND__LEAF)
		node->leaf = random_leaf(seed);
	else if (node->operand <= CAIRN__EXPRESSION__OPERAND__XOR)
		count = 2 + below(seed, 3);
	else if (node->operand <= CAIRN__EXPRESSION__OPERAND__SAME)
		count = 1;
	if (node->operand == CAIRN__EXPRESSION__OPERAND__SAME)
		node->entity = strdup(below(seed, 2) == 0 ? "study" : "series");
	node->children = calloc(count + 1, sizeof(void *));
	for (; node->n_children < count; node->n_children++)
		node->children[node->n_children] = random_tree(seed, depth - 1);
	return node;
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
	for (int i = 0; i < 10000; i++) {
		Cairn__Expression *tree = random_tree(&seed, 1 + (unsigned)below(&seed, 5));
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
	    cmocka_unit_test(text_becomes_canonical),
	    cmocka_unit_test(sop_classes_are_accepted_by_name),
	    cmocka_unit_test(numbers_are_text_where_the_attribute_is_a_code),
	    cmocka_unit_test(errors_show_the_place_and_what_was_meant),
	    cmocka_unit_test(a_code_that_cannot_be_is_refused_with_those_that_can),
	    cmocka_unit_test(a_code_is_known_in_any_case),
	    cmocka_unit_test(codes_with_an_open_list_stay_open),
	    cmocka_unit_test(a_number_or_date_that_cannot_be_is_refused_with_its_range),
	    cmocka_unit_test(a_long_wrong_value_is_cut_between_characters),
	    cmocka_unit_test(every_example_and_every_code_of_the_table_is_accepted),
	    cmocka_unit_test(wrong_texts_are_refused),
	    cmocka_unit_test(limits_on_depth_and_size_hold),
	    cmocka_unit_test(an_unknown_attribute_parses_and_is_named),
	    cmocka_unit_test(printing_then_parsing_gives_the_same_tree),
	    cmocka_unit_test(hostile_trees_are_refused),
	    cmocka_unit_test(packed_bytes_nested_too_deeply_are_refused_before_unpacking),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
