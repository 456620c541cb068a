/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cairn/error.h>

#define SUGGEST_WORD_MAX 64

void
text_hex(const uint8_t *bytes, size_t length, char *ret)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < length; i++) {
		ret[2 * i] = digits[bytes[i] >> 4];
		ret[2 * i + 1] = digits[bytes[i] & 15];
	}
	ret[2 * length] = 0;
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int
text_unhex(const char *text, uint8_t *ret, size_t length)
{
	if (strlen(text) != 2 * length)
		return CAIRN_EINVAL;
	for (size_t i = 0; i < length; i++) {
		int high = hex_value(text[2 * i]), low = hex_value(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return CAIRN_EINVAL;
		ret[i] = (uint8_t)(high * 16 + low);
	}
	return 0;
}

int
text_to_integer(const char *text, int64_t min, int64_t max, int64_t *ret)
{
	char *end;
	long long value;

	if (*text != '-' && (*text < '0' || *text > '9'))
		return CAIRN_EINVAL;
	errno = 0;
	value = strtoll(text, &end, 10);
	if (errno != 0 || *end != 0 || value < min || value > max)
		return CAIRN_EINVAL;
	*ret = value;
	return 0;
}

int
text_to_number(const char *text, double *ret)
{
	char *end;
	double value;

	if (*text == 0 || strspn(text, "0123456789+-.eE") != strlen(text))
		return CAIRN_EINVAL;
	value = strtod(text, &end);
	if (*end != 0 || !isfinite(value))
		return CAIRN_EINVAL;
	*ret = value;
	return 0;
}

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Optimal string alignment: insertions, deletions, replacements and swaps of neighbours. */
static size_t
edit_distance(const char *a, size_t n, const char *b, size_t m)
{
	size_t rows[3][SUGGEST_WORD_MAX + 1];

	for (size_t j = 0; j <= m; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= n; i++) {
		size_t *now = rows[i % 3], *last = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];

		now[0] = i;
		for (size_t j = 1; j <= m; j++) {
			size_t cost = a[i - 1] == b[j - 1] ? 0 : 1;

			now[j] = least(least(last[j] + 1, now[j - 1] + 1), last[j - 1] + cost);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				now[j] = least(now[j], before[j - 2] + 1);
		}
	}
	return rows[n % 3][m];
}

const char *
text_suggest(const char *word, const char *(*next)(const void *arg, size_t index), const void *arg)
{
	size_t length = strlen(word);
	size_t best = 3;
	const char *found = NULL;
	const char *candidate;

	if (length == 0 || length > SUGGEST_WORD_MAX)
		return NULL;
	for (size_t i = 0; (candidate = next(arg, i)) != NULL; i++) {
		size_t other = strlen(candidate);
		size_t distance;

		if (other > SUGGEST_WORD_MAX)
			continue;
		distance = edit_distance(word, length, candidate, other);
		if (distance < best && distance * 2 <= length) {
			best = distance;
			found = candidate;
		}
	}
	return found;
}

bool
text_subject_matches(const char *pattern, const char *subject)
{
	size_t length = strlen(pattern);

	if (length > 0 && pattern[length - 1] == '*')
		return strncmp(pattern, subject, length - 1) == 0;
	return strcmp(pattern, subject) == 0;
}

bool
text_copy(char *ret, size_t size, const char *text)
{
	size_t length = strlen(text);

	if (length >= size)
		return false;
	memcpy(ret, text, length + 1);
	return true;
}
