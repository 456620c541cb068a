/* SPDX-License-Identifier: Apache-2.0 */
#include "names.h"

#include "base/file.h"
#include "base/test.h"

/* ---- the table ---------------------------------------------------------------------------- */

static int
read_table(
    const char *text, struct names_options options, struct names **ret, struct cairn_error *err)
{
	struct test_dir dir;
	char path[128];
	int code;

	test_dir_make(&dir);
	assert_int_equal(file_join(path, sizeof path, dir.path, "samples.csv"), 0);
	assert_ok(file_write(path, text, strlen(text), 0600, err), err);
	options.table = path;
	code = names_new(ret, &options, err);
	test_dir_remove(&dir);
	return code;
}

static void
expect(const struct names *names, const char *file, const char *sample, const char *patient)
{
	char got[NAMES_TEXT_MAX + 1] = "";

	assert_int_equal(names_patient(names, file, sample, got), patient != NULL);
	if (patient != NULL)
		assert_string_equal(got, patient);
}

static void
names_reads_the_table(void **state)
{
	const struct names_options options = {.rule = "_P([0-9]+)"};
	struct cairn_error err = {0};
	struct names *names;

	(void)state;
	assert_ok(read_table("sample,patient\r\n# by hand\r\nS1,4711\r\n\"S,2\",\"a \"\"b\"\"\"\r\n"
			     "a.vcf:TUMOR,1\nb.vcf:TUMOR,2\nL_P9,3",
		      options, &names, &err),
	    &err);
	assert_int_equal(names_rows(names), 5);
	expect(names, "a.vcf", "S1", "4711");
	expect(names, "a.vcf", "S,2", "a \"b\"");
	expect(names, "a.vcf", "TUMOR", "1");
	expect(names, "b.vcf", "TUMOR", "2");
	expect(names, "c.vcf", "TUMOR", NULL);
	expect(names, "a.vcf", "S", NULL);
	expect(names, "a.vcf", "S11", NULL);
	expect(names, "a.vcf", "L_P9", "3");   /* the table comes first */
	expect(names, "a.vcf", "L_P10", "10"); /* and the rule where it says nothing */
	names_free(names);
}

static void
names_refuses_a_table_that_is_none(void **state)
{
	static const char *const bad[][2] = {{"S1,1\nS2\n", "line 2"}, {"S1,\n", "line 1"},
	    {",1\n", "line 1"}, {"\"S1,1\n", "line 1"}, {"\"S1\"x,1\n", "line 1"},
	    {"S1,12345678901234567890123456789012345678901234567890123456789012345\n", "line 1"},
	    {"S1,1\nS2,2\nS1,3\n", "twice, with two patients"}};
	struct names *names;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct cairn_error err = {0};

		assert_int_equal(
		    read_table(bad[i][0], (struct names_options){0}, &names, &err), CAIRN_EINVAL);
		if (strstr(err.text, bad[i][1]) == NULL)
			fail_msg("'%s' lacks '%s'", err.text, bad[i][1]);
	}
}

/* ---- rules -------------------------------------------------------------------------------- */

static void
names_takes_the_group_of_the_rule(void **state)
{
	struct names_options options = {
	    .rule = "_P([0-9]*)(?:_|$)", .tumour = "_T$", .normal = "_N$"};
	struct cairn_error err = {0};
	struct names *names;

	(void)state;
	/* The other group does not capture. */
	assert_ok(names_new(&names, &options, &err), &err);
	expect(names, "x_P7.vcf", "LIB_P123456_T", "123456");
	expect(names, "x_P7.vcf", "LIB_P_T", NULL); /* an empty identifier is none */
	expect(names, "x_P7.vcf", "LIB_P12a", NULL);
	assert_true(names_is_tumour(names, "LIB_P1_T") && !names_is_normal(names, "LIB_P1_T"));
	assert_true(names_is_normal(names, "LIB_P1_N") && !names_is_tumour(names, "LIB_P1_N"));
	names_free(names);
	options.rule = "_P([0-9]+)";
	options.rule_on_file = true;
	assert_ok(names_new(&names, &options, &err), &err);
	expect(names, "x_P7.vcf", "LIB_P123456_T", "7");
	names_free(names);
}

static void
names_takes_no_part_of_an_identifier_that_is_too_long(void **state)
{
	const struct names_options options = {.rule = "^P([0-9]+)"};
	struct cairn_error err = {0};
	struct names *names;
	char sample[NAMES_TEXT_MAX + 3] = "P";

	(void)state;
	assert_ok(names_new(&names, &options, &err), &err);
	memset(sample + 1, '1', NAMES_TEXT_MAX + 1);
	expect(names, "", sample, NULL);
	sample[NAMES_TEXT_MAX + 1] = 0;
	expect(names, "", sample, sample + 1);
	names_free(names);
}

static void
names_refuses_expressions_that_say_nothing(void **state)
{
	static const struct names_options bad[] = {{.rule = "P([0-9]+"}, {.rule = "P[0-9]+"},
	    {.rule = "(P)([0-9]+)"}, {.rule = "(P)", .normal = "(N)"}, {.tumour = "["}};
	struct names *names;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct cairn_error err = {0};

		assert_int_equal(names_new(&names, &bad[i], &err), CAIRN_EINVAL);
	}
}

/* A match that would take for ever ends, as none. */
static void
names_bounds_a_slow_expression(void **state)
{
	const struct names_options options = {.rule = "^((?:a+)+)$"};
	struct cairn_error err = {0};
	struct names *names;

	(void)state;
	assert_ok(names_new(&names, &options, &err), &err);
	expect(names, "", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", NULL);
	expect(names, "", "aaa", "aaa");
	names_free(names);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names_reads_the_table),
	    cmocka_unit_test(names_refuses_a_table_that_is_none),
	    cmocka_unit_test(names_takes_the_group_of_the_rule),
	    cmocka_unit_test(names_takes_no_part_of_an_identifier_that_is_too_long),
	    cmocka_unit_test(names_refuses_expressions_that_say_nothing),
	    cmocka_unit_test(names_bounds_a_slow_expression),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
