/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"
#include "man/roff.h"

static void
becomes(const char *markdown, const char *expected)
{
	BUF_AUTO page = {.max = ROFF_BYTES_MAX};

	assert_int_equal(roff_markdown(&page, markdown), 0);
	assert_string_equal(buf_text(&page), expected);
}

static void
words_are_never_requests(void **state)
{
	(void)state;
	becomes(".so /etc/passwd\n", ".PP\n\\&.so /etc/passwd\n");
	becomes("'tis a \\n\n", ".PP\n\\&'tis a \\en\n");
	becomes("    .ab\n", ".PP\n.nf\n.RS 4\n\\&.ab\n.RE\n.fi\n");
}

static void
marks_become_bold_and_links_their_words(void **state)
{
	(void)state;
	becomes("a `b-c` **d** [e](f.md) [g] h\n", ".PP\na \\fBb\\-c\\fR \\fBd\\fR e [g] h\n");
}

static void
headings_below_the_first_are_sections(void **state)
{
	(void)state;
	becomes("# name\n\n## Two\n\n### Three\n", ".SH \"TWO\"\n.SS \"Three\"\n");
}

static void
rows_are_tagged_paragraphs_without_their_head(void **state)
{
	(void)state;
	becomes("| a | b |\n|---|---|\n| `c` | d | |\n", ".TP\n\\fBc\\fR\nd\n.br\n");
}

static void
fences_and_items_are_kept_apart(void **state)
{
	(void)state;
	becomes("```sh\nls -l\n```\n- one\n  two\n",
	    ".PP\n.nf\n.RS 4\nls \\-l\n.RE\n.fi\n.IP \\(bu 2\none\ntwo\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(words_are_never_requests),
	    cmocka_unit_test(marks_become_bold_and_links_their_words),
	    cmocka_unit_test(headings_below_the_first_are_sections),
	    cmocka_unit_test(rows_are_tagged_paragraphs_without_their_head),
	    cmocka_unit_test(fences_and_items_are_kept_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
