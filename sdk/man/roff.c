/* SPDX-License-Identifier: Apache-2.0 */
#include <stdbool.h>
#include <string.h>

#include "man/roff.h"

/* ---- words ------------------------------------------------------------------------------- */

static int
append_character(struct buf *buf, char c, bool first, bool code)
{
	if (first && (c == '.' || c == '\''))
		return buf_append_format(buf, "\\&%c", c);
	if (c == '\\')
		return buf_append_text(buf, "\\e");
	if (code && c == '-')
		return buf_append_text(buf, "\\-");
	return buf_append(buf, &c, 1);
}

/* "[words](target)": only the words stay.  How many bytes the mark `at` is long that ends them; 0
 * when it ends no link. */
static size_t
link_end(const char *at, size_t length)
{
	const char *end;

	if (length < 2 || at[0] != ']' || at[1] != '(')
		return 0;
	end = memchr(at, ')', length);
	return end == NULL ? 0 : (size_t)(end - at) + 1;
}

static bool
begins_link(const char *at, size_t length)
{
	const char *end = at[0] == '[' ? memchr(at, ']', length) : NULL;

	return end != NULL && link_end(end, length - (size_t)(end - at)) > 0;
}

int
roff_words(struct buf *buf, const char *text, size_t length, bool marks)
{
	bool code = false, bold = false;
	int result = 0;

	for (size_t i = 0; i < length && result == 0; i++) {
		const char *at = text + i;
		size_t rest = length - i, skip;

		if (marks && *at == '`') {
			code = !code;
			result = buf_append_text(buf, code ? "\\fB" : "\\fR");
		} else if (marks && !code && rest > 1 && at[0] == '*' && at[1] == '*') {
			bold = !bold;
			i++;
			result = buf_append_text(buf, bold ? "\\fB" : "\\fR");
		} else if (marks && !code && begins_link(at, rest)) {
			continue;
		} else if (marks && !code && (skip = link_end(at, rest)) > 0) {
			i += skip - 1;
		} else {
			result = append_character(buf, *at, i == 0, code || !marks);
		}
	}
	return code || bold ? buf_append_text(buf, "\\fR") : result;
}

int
roff_macro(struct buf *buf, const char *macro, const char *argument)
{
	int code = buf_append_format(buf, "%s%s", macro, argument[0] == 0 ? "" : " \"");

	for (const char *at = argument; *at != 0 && code == 0; at++)
		code = *at == '"' ? buf_append_text(buf, "\\(dq")
				  : append_character(buf, *at, false, true);
	return code == 0 ? buf_append_text(buf, argument[0] == 0 ? "\n" : "\"\n") : code;
}

int
roff_literal(struct buf *buf, const char *text)
{
	int code = buf_append_text(buf, ".PP\n.nf\n.RS 4\n");

	while (*text != 0 && code == 0) {
		size_t length = strcspn(text, "\n");

		code = roff_words(buf, text, length, false);
		if (code == 0)
			code = buf_append_text(buf, "\n");
		text += length + (text[length] == '\n');
	}
	return code == 0 ? buf_append_text(buf, ".RE\n.fi\n") : code;
}

/* ---- Markdown ---------------------------------------------------------------------------- */

struct page {
	struct buf *buf;
	bool literal, fenced; /* within .nf; and that ends with a fence, not with the indentation */
	bool text;            /* the line above is one of a paragraph, which goes on */
};

static int
set_literal(struct page *page, bool literal)
{
	if (page->literal == literal)
		return 0;
	page->literal = literal;
	return buf_append_text(page->buf, literal ? ".PP\n.nf\n.RS 4\n" : ".RE\n.fi\n");
}

static int
line_of_words(struct page *page, const char *text, size_t length, bool marks)
{
	int code = roff_words(page->buf, text, length, marks);

	return code == 0 ? buf_append_text(page->buf, "\n") : code;
}

/* The next cell of a row, without blanks around it; "|" between backticks is no border. */
static bool
next_cell(const char **at, const char *end, const char **ret_cell, size_t *ret_length)
{
	const char *cell = *at + 1, *stop = cell, *last;
	bool code = false;

	for (; stop < end && (*stop != '|' || code); stop++)
		code ^= *stop == '`';
	if (stop == end)
		return false;
	*at = last = stop;
	while (cell < last && *cell == ' ')
		cell++;
	while (last > cell && last[-1] == ' ')
		last--;
	*ret_cell = cell;
	*ret_length = (size_t)(last - cell);
	return true;
}

/* A row becomes a tagged paragraph: the first cell, and the others behind it.  The row above the
 * line of dashes names columns, which a tagged paragraph has not. */
static int
row(struct page *page, const char *line, size_t length, bool head)
{
	const char *at = line, *end = line + length, *cell = "";
	size_t cell_length = 0;
	bool first = true;
	int code = 0;

	if (head || strspn(line, "|- :") >= length)
		return 0;
	while (code == 0 && next_cell(&at, end, &cell, &cell_length)) {
		if (first)
			code = buf_append_text(page->buf, ".TP\n");
		else if (cell_length == 0)
			continue;
		if (code == 0)
			code = line_of_words(page, cell_length > 0 ? cell : "\\&",
			    cell_length > 0 ? cell_length : 2, true);
		if (code == 0 && !first)
			code = buf_append_text(page->buf, ".br\n");
		first = false;
	}
	return code;
}

static int
heading(struct page *page, const char *line, size_t length)
{
	size_t level = strspn(line, "#");
	char words[256];

	if (level == 1)
		return 0; /* the page's own name */
	line += level + 1;
	length -= level + 1;
	if (length >= sizeof words)
		return CAIRN_ELIMIT;
	for (size_t i = 0; i < length; i++) {
		bool lower = level == 2 && line[i] >= 'a' && line[i] <= 'z';

		words[i] = lower ? (char)(line[i] - 'a' + 'A') : line[i];
	}
	words[length] = 0;
	return roff_macro(page->buf, level == 2 ? ".SH" : ".SS", words);
}

static int
plain(struct page *page, const char *line, size_t length)
{
	size_t number = strspn(line, "0123456789");
	bool item = length > 2 && line[0] == '-' && line[1] == ' ';
	int code = 0;

	if (number > 0 && number < length && strncmp(line + number, ". ", 2) == 0) {
		code = buf_append_format(page->buf, ".IP %.*s. 4\n", (int)number, line);
		line += number + 2;
		length -= number + 2;
	} else if (item) {
		code = buf_append_text(page->buf, ".IP \\(bu 2\n");
		line += 2;
		length -= 2;
	} else if (!page->text) {
		code = buf_append_text(page->buf, ".PP\n");
	}
	while (length > 0 && *line == ' ') {
		line++;
		length--;
	}
	page->text = true;
	return code == 0 ? line_of_words(page, line, length, true) : code;
}

/* One line; `next` is the one below, which says whether a row names columns. */
static int
one_line(struct page *page, const char *line, size_t length, const char *next)
{
	bool fence = strncmp(line, "```", 3) == 0;
	bool is_row = length > 1 && line[0] == '|';
	bool indented = !page->text && length > 4 && strncmp(line, "    ", 4) == 0;
	int code;

	if (fence) {
		page->fenced = !page->fenced;
		page->text = false;
		return set_literal(page, page->fenced);
	}
	if (page->fenced)
		return line_of_words(page, line, length, false);
	code = set_literal(page, indented);
	if (code != 0)
		return code;
	if (indented)
		return line_of_words(page, line + 4, length - 4, false);
	if (length == 0 || is_row || line[0] == '#')
		page->text = false;
	if (is_row)
		return row(page, line, length,
		    strspn(next, "|- :") > 2 && next[0] == '|' && next[1] == '-');
	if (line[0] == '#')
		return heading(page, line, length);
	return length == 0 ? 0 : plain(page, line, length);
}

int
roff_markdown(struct buf *buf, const char *text)
{
	struct page page = {.buf = buf};
	int code = 0;

	while (*text != 0 && code == 0) {
		size_t length = strcspn(text, "\n");
		const char *next = text + length + (text[length] == '\n');

		code = one_line(&page, text, length, next);
		text = next;
	}
	return code == 0 ? set_literal(&page, false) : code;
}
