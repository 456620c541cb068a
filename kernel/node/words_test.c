/* SPDX-License-Identifier: Apache-2.0 */
#include "node/words.h"

#include "base/test.h"

static void
plain_words_are_short_utf8_without_controls(void **state)
{
	static const char *const plain[] = {
	    "", "alice@example.org", "Universit\xc3\xa4t", "\xe2\x82\xac", "\xf0\x9f\x8c\x8d"};
	static const char *const others[] = {"a\nb", "\x1b[31m", "\x7f", "\xc2\x9b[m", "\xff",
	    "\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\x80", "a\xe2\x82"};

	(void)state;
	for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
		assert_true(words_are_plain(plain[i], 40));
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
		assert_false(words_are_plain(others[i], 40));
	assert_true(words_are_plain("12345", 5));
	assert_false(words_are_plain("123456", 5));
}

static void
cleaned_words_keep_what_is_readable(void **state)
{
	char text[32];

	(void)state;
	words_clean(text, sizeof text, "a\x1b[2J\xff\xc3\xa4\n", false);
	assert_string_equal(text, "a?[2J?\xc3\xa4?");
	words_clean(text, sizeof text, "a\n\tb\r", true);
	assert_string_equal(text, "a\n\tb?");
	assert_true(words_are_plain("a?[2J?\xc3\xa4?", 40));
}

static void
cleaned_words_are_cut_between_characters(void **state)
{
	char text[4];

	(void)state;
	words_clean(text, sizeof text, "\xc3\xa4\xc3\xa4\xc3\xa4", false);
	assert_string_equal(text, "\xc3\xa4");
	words_clean(text, sizeof text, "abcdef", false);
	assert_string_equal(text, "abc");
	words_clean(text, 1, "abc", false);
	assert_string_equal(text, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(plain_words_are_short_utf8_without_controls),
	    cmocka_unit_test(cleaned_words_keep_what_is_readable),
	    cmocka_unit_test(cleaned_words_are_cut_between_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
