/* SPDX-License-Identifier: Apache-2.0 */
/* What of a request and an answer goes into the ledger, and what never does. */
#include "node/details.h"

#include "base/test.h"
#include "cairn/cohort.pb-c.h"
#include "cairn/imaging.pb-c.h"

static const char *
find(const struct details *details, const char *name)
{
	for (size_t i = 0; i < details->count; i++) {
		if (strcmp(details->items[i].name, name) == 0)
			return details->items[i].value;
	}
	return NULL;
}

static void
an_expression_is_recorded_as_json(void **state)
{
	static const char *const names[] = {"expression", "level", "no_such_field", NULL};
	Cairn__CountRequest request = CAIRN__COUNT_REQUEST__INIT;
	Cairn__Expression expression = CAIRN__EXPRESSION__INIT;
	Cairn__Leaf leaf = CAIRN__LEAF__INIT;
	Cairn__Scalar text = CAIRN__SCALAR__INIT;
	Cairn__Scalar *values[] = {&text};
	struct details details = {0};

	(void)state;
	text.value_case = CAIRN__SCALAR__VALUE_TEXT;
	text.text = (char[]){"C\"T\x1b"};
	leaf.attribute = (char[]){"modality"};
	leaf.values = values;
	leaf.n_values = 1;
	expression.leaf = &leaf;
	request.expression = &expression;
	request.level = CAIRN__LEVEL__STUDY;
	assert_int_equal(details_add(&details, names, &request.base), 0);
	assert_string_equal(find(&details, "expression"),
	    "{\"operand\":\"LEAF\",\"leaf\":{\"attribute\":\"modality\",\"operator\":\"EQ\","
	    "\"values\":[{\"text\":\"C\\\"T?\"}]}}");
	assert_string_equal(find(&details, "level"), "STUDY");
	assert_int_equal(details.count, 2);
	details_fini(&details);
}

static void
only_what_the_manifest_names_is_recorded_and_a_zero_is_not(void **state)
{
	static const char *const names[] = {"kind", "count", NULL};
	Cairn__CountAnswer answer = CAIRN__COUNT_ANSWER__INIT;
	struct details details = {0};

	(void)state;
	answer.kind = CAIRN__COUNT_ANSWER__KIND__SUPPRESSED;
	answer.min_cell = 10;
	assert_int_equal(details_add(&details, names, &answer.base), 0);
	assert_string_equal(find(&details, "kind"), "SUPPRESSED");
	assert_int_equal(details.count, 1);
	assert_int_equal(details_add(&details, NULL, &answer.base), 0);
	assert_int_equal(details.count, 1);
	details_fini(&details);
}

static void
lists_of_messages_are_counted_and_never_shown(void **state)
{
	static const char *const names[] = {"refusals", "imported", NULL};
	Cairn__ImportProgress answer = CAIRN__IMPORT_PROGRESS__INIT;
	Cairn__Refusal refusal = CAIRN__REFUSAL__INIT;
	Cairn__Refusal *refusals[] = {&refusal, &refusal};
	struct details details = {0};

	(void)state;
	refusal.path = (char[]){"/DOE^JOHN.dcm"};
	answer.refusals = refusals;
	answer.n_refusals = 2;
	answer.imported = 7;
	assert_int_equal(details_add(&details, names, &answer.base), 0);
	assert_string_equal(find(&details, "refusals"), "2");
	assert_string_equal(find(&details, "imported"), "7");
	details_fini(&details);
}

static void
what_is_too_long_for_a_record_says_so(void **state)
{
	static const char *const names[] = {"paths", NULL};
	Cairn__ImportRequest request = CAIRN__IMPORT_REQUEST__INIT;
	static char path[DETAIL_BYTES_MAX];
	char *paths[] = {path, path};
	struct details details = {0};

	(void)state;
	memset(path, 'x', sizeof path - 1);
	request.paths = paths;
	request.n_paths = 2;
	assert_int_equal(details_add(&details, names, &request.base), 0);
	assert_string_equal(find(&details, "paths"), "(too long for a record)");
	details_fini(&details);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_expression_is_recorded_as_json),
	    cmocka_unit_test(only_what_the_manifest_names_is_recorded_and_a_zero_is_not),
	    cmocka_unit_test(lists_of_messages_are_counted_and_never_shown),
	    cmocka_unit_test(what_is_too_long_for_a_record_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
