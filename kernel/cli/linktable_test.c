/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/linktable.h"

#include "base/test.h"

static int
parse(const char *text, struct linktable *ret)
{
	return linktable_parse(strdup(text), strlen(text), ret, NULL);
}

static void
a_table_gives_rows_of_identifiers(void **state)
{
	struct linktable table;

	(void)state;
	assert_int_equal(parse("type,issuer,id,type,issuer,id\r\n"
			       "# a comment\n"
			       "patient-id,A,1,sample,\"LAB, \"\"south\"\"\",S1\r\n"
			       "\n"
			       "patient-id,A,2,,,\n"
			       "patient-id,A,3,accession,,7",
			     &table),
	    0);
	assert_int_equal(table.error_count, 0);
	assert_int_equal(table.request.n_rows, 3);
	assert_int_equal(table.request.rows[0]->line, 3);
	assert_string_equal(table.request.rows[0]->identifiers[1]->issuer, "LAB, \"south\"");
	assert_int_equal(table.request.rows[1]->n_identifiers, 1);
	assert_string_equal(table.request.rows[2]->identifiers[1]->identifier, "7");
	assert_string_equal(table.request.rows[2]->identifiers[1]->issuer, "");
	linktable_fini(&table);
}

static void
what_is_wrong_in_a_table_is_said_with_its_line(void **state)
{
	static const struct {
		const char *text;
		uint32_t line;
	} cases[] = {{"patient-id,A\n", 1}, {"patient-id,A,1\npatient-id,A,\n", 2},
	    {"patient-id,A,1\n,A,2\n", 2}, {"patient-id,\"A\nB\",1\npatient-id,\"A,1\n", 3},
	    {"patient-id,\"A\"x,1\n", 1}};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct linktable table;

		assert_int_equal(parse(cases[i].text, &table), 0);
		assert_int_equal(table.error_count, 1);
		assert_int_equal(table.items[0].line, cases[i].line);
		linktable_fini(&table);
	}
}

static void
an_empty_table_is_an_error(void **state)
{
	struct linktable table;

	(void)state;
	assert_int_equal(parse("type,issuer,id\n#\n", &table), CAIRN_EINVAL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_table_gives_rows_of_identifiers),
	    cmocka_unit_test(what_is_wrong_in_a_table_is_said_with_its_line),
	    cmocka_unit_test(an_empty_table_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
