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
codes_patterns_groups_and_windows_have_a_canonical_text(void **state)
{
	(void)state;
	assert_prints("diagnosis IN icd10:c34", "diagnosis in icd10:C34");
	assert_prints("diagnosis in ICD-10-GM:C501", "diagnosis in icd10:C50.1");
	assert_prints("diagnosis in (icd10:C34)", "diagnosis in (icd10:C34)");
	assert_prints("diagnosis in icd10:C34 , icd10:C50 or sex = male",
	    "diagnosis in icd10:C34, icd10:C50 or sex = male");
	assert_prints("diagnosis = \"http://x.org/y|Z\"", "diagnosis = \"http://x.org/y|Z\"");
	assert_prints("gene like \"BRCA%\"", "gene like \"BRCA%\"");
	assert_prints("diagnosis like \"icd10:C5%\"", "diagnosis like \"icd10:C5%\"");
	assert_prints("same conditions (diagnosis in icd10:C50 and laterality = left)",
	    "same condition (diagnosis in icd10:C50 and laterality = left)");
	assert_prints("AT LEAST 2 study (modality = MR)", "at least 2 studies (modality = MR)");
	assert_prints("at least 1 studies (*)", "at least 1 study (*)");
	assert_prints("at = 5 and least = 6", "at = 5 and least = 6");
	assert_prints(
	    "variant (EGFR, L858R)", "same variant (gene = EGFR and protein_change = L858R)");
	assert_prints("variant (EGFR)", "same variant (gene = EGFR)");
	assert_prints("variant = GRCh38:7:55191822:T:G", "variant = GRCh38:7:55191822:T:G");
	assert_prints("modality = MR within 90 days before procedure_kind = surgery and sex = male",
	    "modality = MR within 90 days before procedure_kind = surgery and sex = male");
	assert_prints("a = b within 1 day of c = d", "a = b within 1 days of c = d");
	assert_prints(
	    "a = b within 30 to 90 days after (c = d)", "a = b within 30 to 90 days after c = d");
	assert_prints(
	    "a = b within -90 to -30 days before c = d", "a = b within 30 to 90 days after c = d");
	assert_prints("a = b within -3 to 5 days of c = d", "a = b within -3 to 5 days of c = d");
	assert_prints("a = b within * to 5 days after c = d", "a = b within -5 to * days of c = d");
	assert_prints("a = b within 0 to 0 days before *", "a = b within 0 days of *");
	assert_prints("not a = b within 9 days of c = d", "not a = b within 9 days of c = d");
	assert_prints("(not a = b) within 9 days of (c = d or e = f)",
	    "(not a = b) within 9 days of (c = d or e = f)");
	assert_prints("same study (*) within 9 days after at least 2 series (*)",
	    "same study (*) within 9 days after at least 2 series (*)");
}

static void
a_misspelt_entity_or_code_system_is_guessed(void **state)
{
	(void)state;
	assert_says("same conditon (*)",
	    "expected study, series, condition, observation, procedure, medication, specimen or "
	    "variant, found \"conditon\"; did you mean \"condition\"?");
	assert_says("at least 2 serie (*)",
	    "expected study, series, condition, observation, procedure, medication, specimen or "
	    "variant, found \"serie\"; did you mean \"series\"?");
	assert_says("diagnosis = icd11:C34",
	    "diagnosis takes a code with its system, such as icd10:C34.1; you wrote "
	    "\"icd11:C34\"; did you mean \"icd10:C34\"?");
	assert_says("sex like \"z%\"", "sex has no value that is like \"z%\"");
	assert_says("a = b within 3 days befor c = d",
	    "expected \"before\", \"after\" or \"of\", found \"befor\"; did you mean "
	    "\"before\"?");
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
	    "column 10: expected =, !=, <, <=, >, >=, in, like, between or exists, found "
	    "\"betwen\"; did "
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

static void
a_code_that_cannot_be_is_refused_with_those_that_can(void **state)
{
	(void)state;
	assert_says("sex = M",
	    "sex takes female, male, other, unknown; you wrote \"M\"; did you mean \"male\"?");
	assert_says("sex != F",
	    "sex takes female, male, other, unknown; you wrote \"F\"; did you mean \"female\"?");
	assert_says("sex in (male, femal)",
	    "sex takes female, male, other, unknown; you wrote \"femal\"; did you mean "
	    "\"female\"?");
	assert_says("sex = none", "sex takes female, male, other, unknown; you wrote \"none\"");
	assert_says("sex = \"\"", "sex takes female, male, other, unknown; you wrote \"\"");
	assert_says("sex = 1", "sex takes female, male, other, unknown; you wrote \"1\"");
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
	    "sex takes female, male, other, unknown; you wrote "
	    "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...\"");
}

/* What people are shown must be what is accepted. */
static void
every_example_and_every_code_of_the_table_is_accepted(void **state)
{
	const struct cohort_attribute *attribute;

	(void)state;
	assert_non_null(cohort_attribute_at(COHORT_ATTRIBUTES - 1)->name);
	for (size_t i = 0; (attribute = cohort_attribute_at(i)) != NULL; i++) {
		Cairn__Expression *tree;

		if (attribute->withheld) {
			assert_says(attribute->example,
			    "birth_date is kept to compute ages and is not asked about; use age or "
			    "age_at_diagnosis");
			continue;
		}
		tree = parsed(attribute->example);

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
	    "variant(EGFR, L858R, x)", "variant()", "variant(EGFR", "at least 0 studies (*)",
	    "at least 2 (*)", "at least 2.5 studies (*)", "at least 2 patients (*)",
	    "at least 20000 studies (*)", "a = b within 3 days c = d", "a = b within days of c = d",
	    "a = b within -3 days of c = d", "a = b within 5 to 3 days of c = d",
	    "a = b within * to * days of c = d", "a = b within 60000 days of c = d",
	    "a = b within 3 days of c = d within 4 days of e = f", "sex in male", "age in 5",
	    "age like \"5%\"", "sex like \"z%\"", "diagnosis like \"C5%\"", "diagnosis = C34",
	    "same patient (*)", "same instance (*)", "same lesion (*)", "birth_date exists"};

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
	tree = parsed("not same study (zodiac = x)");
	assert_string_equal(cohort_unknown_attribute(tree, &suggestion), "zodiac");
	assert_null(suggestion);
	free_tree(tree);
	tree = parsed("modality = CT and not (sex = male)");
	assert_null(cohort_unknown_attribute(tree, &suggestion));
	free_tree(tree);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(text_becomes_canonical),
	    cmocka_unit_test(codes_patterns_groups_and_windows_have_a_canonical_text),
	    cmocka_unit_test(a_misspelt_entity_or_code_system_is_guessed),
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
