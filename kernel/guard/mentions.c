/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/mentions.h"

#include <string.h>

#include "base/text.h"

#define WORD_MAX 63
#define QUOTED_MAX 256

struct scan {
	const char *word;
	bool quoted;
	bool found;
	char texts[QUOTED_MAX][WORD_MAX + 1]; /* every short quoted text, when collecting */
	size_t count;
};

static bool
is_part(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	    c == '_';
}

static void
see(struct scan *scan, const char *text, size_t length, bool quoted)
{
	if (scan->word != NULL) {
		if ((quoted || !scan->quoted) && strlen(scan->word) == length &&
		    memcmp(text, scan->word, length) == 0)
			scan->found = true;
	} else if (quoted && length > 0 && length <= WORD_MAX && scan->count < QUOTED_MAX) {
		memcpy(scan->texts[scan->count], text, length);
		scan->texts[scan->count++][length] = 0;
	}
}

/* The length of the quoted text at `at`, both quotes included. */
static size_t
quoted_length(const char *at, size_t left)
{
	size_t i = 1;

	while (i < left && at[i] != at[0] && at[i] != '\n')
		i += at[i] == '\\' ? 2 : 1;
	return i + 1 < left ? i + 1 : left;
}

static size_t
word_length(const char *at, size_t left)
{
	size_t i = 0;

	while (i < left && is_part(at[i]))
		i++;
	return i;
}

/* Long comments are read as their first line is, which at worst finds a word too many. */
static void
scan_file(struct scan *scan, const char *text, size_t length)
{
	for (size_t i = 0; i < length;) {
		const char *at = text + i;
		size_t left = length - i, used = 1;

		if (left > 1 && at[0] == '-' && at[1] == '-') {
			const char *end = memchr(at, '\n', left);

			used = end == NULL ? left : (size_t)(end - at);
		} else if (at[0] == '"' || at[0] == '\'') {
			used = quoted_length(at, left);
			if (used > 1)
				see(scan, at + 1, used - 2, true);
		} else if (is_part(at[0])) {
			used = word_length(at, left);
			see(scan, at, used, false);
		}
		i += used;
	}
}

static void
scan_all(struct scan *scan, const struct files *files)
{
	for (size_t i = 0; i < files->count; i++)
		scan_file(scan, (const char *)files->items[i].bytes, files->items[i].length);
}

bool
mentions_word(const struct files *files, const char *word, bool quoted)
{
	struct scan scan = {.word = word, .quoted = quoted};

	scan_all(&scan, files);
	return scan.found;
}

static const char *
next_text(const void *arg, size_t index)
{
	const struct scan *scan = arg;

	return index < scan->count ? scan->texts[index] : NULL;
}

bool
mentions_nearest(const struct files *files, const char *word, char ret[64])
{
	struct scan scan = {0};
	const char *near;

	scan_all(&scan, files);
	near = text_suggest(word, next_text, &scan);
	return near != NULL && text_copy(ret, 64, near);
}
