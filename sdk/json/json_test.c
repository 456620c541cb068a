/* SPDX-License-Identifier: Apache-2.0 */
#include "json.h"

#include "base/buf.h"
#include "base/test.h"
#include "locate.h"
#include "records.h"

static struct json_parser *parser;

static int
make_parser(void **state)
{
	const struct json_limits limits = {1 << 20, 32};

	(void)state;
	return json_new(&parser, &limits, NULL);
}

static int
free_parser(void **state)
{
	(void)state;
	json_free(parser);
	return 0;
}

static int
parse(const char *text, struct json_value *ret, struct cairn_error *err)
{
	static char padded[4096];

	assert_true(strlen(text) + JSON_PADDING < sizeof padded);
	memset(padded, 0, sizeof padded);
	memcpy(padded, text, strlen(text));
	return json_parse(parser, padded, strlen(text), ret, err);
}

static void
values_are_read(void **state)
{
	struct cairn_error err = {0};
	struct json_value root, value;
	struct json_walk walk;
	double number = 0;
	size_t length = 0;

	(void)state;
	assert_ok(
	    parse("{\"a\":[1,2.5,\"x\\u0041\\n\",true,null,{}],\"b\":{\"c\":-3}}", &root, &err),
	    &err);
	assert_true(json_get(root, "a", &value));
	walk = json_walk(value);
	assert_true(json_next(&walk) && json_number(walk.value, &number) && number == 1);
	assert_true(json_next(&walk) && json_number(walk.value, &number) && number == 2.5);
	assert_true(json_next(&walk));
	assert_string_equal(json_string(walk.value, &length), "xA\n");
	assert_int_equal(length, 3);
	assert_true(json_next(&walk) && json_type(walk.value) == JSON_TRUE);
	assert_true(json_next(&walk) && json_type(walk.value) == JSON_NULL);
	assert_true(json_next(&walk) && json_type(walk.value) == JSON_OBJECT);
	assert_false(json_next(&walk));
	walk = json_walk(root);
	assert_true(json_next(&walk));
	assert_string_equal(walk.key, "a");
	assert_true(json_next(&walk));
	assert_string_equal(walk.key, "b");
	assert_true(json_get(walk.value, "c", &value) && json_number(value, &number));
	assert_false(json_next(&walk));
	assert_false(json_get(root, "d", &value));
	assert_false(json_get(value, "d", &value));
}

static void
what_is_no_json_is_said_with_byte_and_line(void **state)
{
	static const struct {
		const char *text, *words;
	} cases[] = {{"", "byte 0, line 1: it ends where a value should be"},
	    {"{\n\"a\":1,\n}", "byte 9, line 3: a member's name"},
	    {"[1 2]", "byte 3, line 1: a comma or the closing"},
	    {"[01]", "byte 2, line 1: a comma or the closing"}, {"[1.]", "byte 3"},
	    {"nul", "byte 0"}, {"\"a\tb\"", "byte 2"}, {"{\"a\" 1}", "byte 5"},
	    {"[1]x", "byte 3, line 1: something follows"}, {"\"\\ud800\"", "byte 1"},
	    {"\"\xc0\x80\"", "byte 1, line 1: a byte that is no UTF-8"},
	    {"[1,2", "byte 4, line 1: it ends within"}, {"\xef\xbb\xbf{}", "byte order mark"}};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct cairn_error err = {0};
		struct json_value root;

		assert_int_equal(parse(cases[i].text, &root, &err), CAIRN_EINVAL);
		if (strstr(err.text, cases[i].words) == NULL)
			fail_msg("%s: %s", cases[i].text, err.text);
	}
}

static void
limits_hold(void **state)
{
	struct cairn_error err = {0};
	struct json_value root;
	char deep[128] = {0};
	char *big = calloc(1, (1 << 20) + 100);

	(void)state;
	memset(deep, '[', 33);
	memset(deep + 33, ']', 33);
	assert_int_equal(parse(deep, &root, &err), CAIRN_ELIMIT);
	assert_non_null(big);
	memset(big, ' ', (1 << 20) + 1);
	assert_int_equal(json_parse(parser, big, (1 << 20) + 1, &root, &err), CAIRN_ELIMIT);
	free(big);
	assert_ok(parse("[1]", &root, &err), &err);
}

/* All records of `text`, each followed by `;`, fed `step` bytes at a time. */
static int
cut(enum records_format format, const char *text, size_t step, struct buf *out,
    struct cairn_error *err)
{
	struct records *records = NULL;
	size_t length = strlen(text), at = 0;
	struct record record;
	int code = records_new(&records, format, 200, err);

	while (code == 0) {
		code = records_next(records, &record, err);
		if (code == 0) {
			buf_append_format(out, "%llu@%llu%s:%.*s;",
			    (unsigned long long)record.offset, (unsigned long long)record.line,
			    record.envelope ? "E" : "", (int)record.length, record.text);
		} else if (code == CAIRN_EAGAIN && at == length) {
			records_end(records);
			code = 0;
		} else if (code == CAIRN_EAGAIN) {
			size_t take = length - at < step ? length - at : step;

			code = records_feed(records, text + at, take, err);
			at += take;
		}
	}
	records_free(records);
	return code == CAIRN_ENOTFOUND ? 0 : code;
}

static void
check_cut(enum records_format format, const char *text, const char *expected)
{
	for (size_t step = 1; step < 40; step++) {
		BUF_AUTO out = {.max = 4096};
		struct cairn_error err = {0};

		assert_ok(cut(format, text, step, &out, &err), &err);
		assert_string_equal(buf_text(&out), expected);
	}
}

static void
lines_are_records(void **state)
{
	(void)state;
	check_cut(RECORDS_LINES, "{\"a\":1}\n\n {\"b\":2}\r\n{}",
	    "0@1:{\"a\":1};9@3: {\"b\":2}\r;19@4:{};");
}

static void
entries_of_a_bundle_are_records(void **state)
{
	(void)state;
	check_cut(RECORDS_DOCUMENT,
	    "{\"resourceType\":\"Bundle\",\n\"entry\":[ {\"x\":\"}]\\\"\"},\n{\"y\":[{}]}] "
	    ",\"link\":[1]}\n",
	    "36@2:{\"x\":\"}]\\\"\"};50@3:{\"y\":[{}]};0@1E:{\"resourceType\":\"Bundle\","
	    "\n\"entry\":["
	    "] ,\"link\":[1]}\n;");
	check_cut(RECORDS_DOCUMENT, "{\"resourceType\":\"List\",\"entry\":[{}]}",
	    "0@1:{\"resourceType\":\"List\",\"entry\":[{}]};");
	check_cut(RECORDS_DOCUMENT, "{\"entry\":[{}],\"resourceType\":\"Bundle\"}",
	    "0@1:{\"entry\":[{}],\"resourceType\":\"Bundle\"};");
}

static void
what_is_between_entries_is_checked(void **state)
{
	static const char *const wrong[] = {"{\"resourceType\":\"Bundle\",\"entry\":[{}{}]}",
	    "{\"resourceType\":\"Bundle\",\"entry\":[{},]}",
	    "{\"resourceType\":\"Bundle\",\"entry\":[1]}",
	    "{\"resourceType\":\"Bundle\",\"entry\":[{}",
	    "{\"resourceType\":\"Bundle\",\"entry\":[{\"a",
	    "{\"resourceType\":\"Bundle\",\"entry\":[],\"entry\":[]}"};

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		BUF_AUTO out = {.max = 4096};
		struct cairn_error err = {0};

		assert_int_equal(cut(RECORDS_DOCUMENT, wrong[i], 7, &out, &err), CAIRN_EINVAL);
		assert_non_null(strstr(err.text, "byte"));
	}
}

static void
a_record_has_a_largest_size(void **state)
{
	char text[300] = {0};
	BUF_AUTO out = {.max = 4096};

	(void)state;
	memset(text, '1', 250);
	assert_int_equal(cut(RECORDS_LINES, text, 20, &out, NULL), CAIRN_ELIMIT);
	assert_int_equal(cut(RECORDS_DOCUMENT, text, 20, &out, NULL), CAIRN_ELIMIT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(values_are_read, make_parser, free_parser),
	    cmocka_unit_test_setup_teardown(
		what_is_no_json_is_said_with_byte_and_line, make_parser, free_parser),
	    cmocka_unit_test_setup_teardown(limits_hold, make_parser, free_parser),
	    cmocka_unit_test(lines_are_records),
	    cmocka_unit_test(entries_of_a_bundle_are_records),
	    cmocka_unit_test(what_is_between_entries_is_checked),
	    cmocka_unit_test(a_record_has_a_largest_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
