/* SPDX-License-Identifier: Apache-2.0 */
#include "supervisor/hostline.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/test.h"

#define TIME_LENGTH 24

/* What the log holds after the host said `text`, without the time of the first line. */
static const char *
logged(struct hostline *lines, enum log_format format, const char *text, size_t length)
{
	*lines = (struct hostline){
	    .plugin = "x", .version = "1.2", .pid = 7, .format = format, .out = {.max = 1 << 20}};
	hostline_take(lines, text, length);
	hostline_end(lines);
	return lines->out.length == 0
	    ? ""
	    : buf_text(&lines->out) + (format == LOG_TEXT ? TIME_LENGTH : 0);
}

static void
check(const char *said, const char *expected)
{
	struct hostline lines;

	assert_string_equal(logged(&lines, LOG_TEXT, said, strlen(said)), expected);
	buf_fini(&lines.out);
}

static void
a_line_of_the_plugin_keeps_its_level(void **state)
{
	(void)state;
	check("2026-11-24T15:04:05.123Z warning x: text\n", " warning x: text\n");
	check("2026-11-24T15:04:05.123Z error host: text\n", " error x: text\n");
	check("<4>text\n", " warning x: text\n");
	check("<7>text\n", " debug x: text\n");
	check("text", " info x: text\n");
	check("\n\r\n", "");
}

static void
a_line_of_a_library_keeps_its_level_and_time(void **state)
{
	char now[CLOCK_TEXT_MAX], said[128];
	struct hostline lines;
	const char *text;

	(void)state;
	check("2026-11-24T15:04:05.123Z warning objects: the segment is short\n",
	    " warning x: objects: the segment is short\n");
	check("2026-11-24T15:04:05.123Z error ul_server:\n",
	    " info x: 2026-11-24T15:04:05.123Z error ul_server:\n");
	check("2026-11-24T15:04:05.123Z error x: objects: text\n", " error x: objects: text\n");
	clock_text(clock_wall_ms() - 5000, now);
	snprintf(said, sizeof said, "%s error objects: text\n", now);
	text = logged(&lines, LOG_TEXT, said, strlen(said));
	assert_memory_equal(text - TIME_LENGTH, now, TIME_LENGTH);
	buf_fini(&lines.out);
	text = logged(&lines, LOG_JSON, said, strlen(said));
	assert_non_null(strstr(text, "\"level\":\"error\",\"part\":\"x\",\"plugin\":\"x\""));
	buf_fini(&lines.out);
}

static void
a_line_cannot_pass_for_another_plugins(void **state)
{
	(void)state;
	check("2026-11-24T15:04:05.123Z error kernel: forged\n", " error x: kernel: forged\n");
	check("2026-11-24T15:04:05.123Z error other: forged\n", " error x: other: forged\n");
	check("2026-11-24T15:04:05.123Z error o ther: text\n",
	    " info x: 2026-11-24T15:04:05.123Z error o ther: text\n");
	check("a\rb\x1b[31mc\x7f\n", " info x: a?b?[31mc?\n");
	check("\xc2\x9b"
	      "31m \xe2\x80\xae \xe2\x80\xa8 \xff\n",
	    " info x: ?"
	    "?31m ??? ??? ?\n");
}

static void
a_time_is_believed_when_it_can_be(void **state)
{
	char now[CLOCK_TEXT_MAX], said[128];
	struct hostline lines;
	const char *text;

	(void)state;
	clock_text(clock_wall_ms() - 5000, now);
	snprintf(said, sizeof said, "%s info x: text\n", now);
	text = logged(&lines, LOG_TEXT, said, strlen(said));
	assert_memory_equal(text - TIME_LENGTH, now, TIME_LENGTH);
	buf_fini(&lines.out);
	snprintf(said, sizeof said, "1999-01-01T00:00:00.000Z info x: text\n");
	text = logged(&lines, LOG_TEXT, said, strlen(said));
	assert_memory_not_equal(text - TIME_LENGTH, "1999", 4);
	buf_fini(&lines.out);
}

static void
json_has_all_of_a_line(void **state)
{
	static const char said[] = "<3>a \"quoted\" \\ word (request 0a1b2c)\n";
	struct hostline lines;
	const char *text = logged(&lines, LOG_JSON, said, sizeof said - 1);

	(void)state;
	assert_memory_equal(text, "{\"time\":\"20", 11);
	assert_non_null(strstr(text,
	    "\"level\":\"error\",\"part\":\"x\",\"plugin\":\"x\",\"version\":\"1.2\",\"pid\":7,"
	    "\"request\":\"0a1b2c\","
	    "\"message\":\"a \\\"quoted\\\" \\\\ word (request 0a1b2c)\"}\n"));
	buf_fini(&lines.out);
}

static void
a_line_without_an_end_is_cut(void **state)
{
	static char said[3 * LOG_MESSAGE_MAX];
	struct hostline lines;
	const char *text;
	size_t count = 0;

	(void)state;
	memset(said, 'a', sizeof said);
	text = logged(&lines, LOG_TEXT, said, sizeof said);
	for (; *text != 0; text++)
		count += *text == '\n';
	assert_int_equal(count, 3);
	buf_fini(&lines.out);
}

static void
a_crash_is_kept(void **state)
{
	static const char said[] = "words\n<3>crash: SIGSEGV, at x.so+0x10\n<3>crash: SIGFPE\n";
	struct hostline lines;

	(void)state;
	logged(&lines, LOG_TEXT, said, sizeof said - 1);
	assert_string_equal(lines.crash, "SIGSEGV, at x.so+0x10");
	buf_fini(&lines.out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_line_of_the_plugin_keeps_its_level),
	    cmocka_unit_test(a_line_of_a_library_keeps_its_level_and_time),
	    cmocka_unit_test(a_line_cannot_pass_for_another_plugins),
	    cmocka_unit_test(a_time_is_believed_when_it_can_be),
	    cmocka_unit_test(json_has_all_of_a_line),
	    cmocka_unit_test(a_line_without_an_end_is_cut),
	    cmocka_unit_test(a_crash_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
