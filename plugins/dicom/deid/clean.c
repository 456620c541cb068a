/* SPDX-License-Identifier: Apache-2.0 */
#include "deid/clean.h"

#include <string.h>
#include <strings.h>

#define WORD_MAX 31

struct word {
	const uint8_t *at;
	size_t length;
};

static bool
is_letter(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

/* Bytes above ASCII belong to their word, which then is on no list. */
static bool
is_word_byte(uint8_t c)
{
	return is_letter(c) || is_digit(c) || c >= 0x80;
}

static bool
listed(const uint8_t *at, size_t length)
{
	char lower[WORD_MAX + 1];
	size_t low = 0, high = deid_words_count;

	if (length == 0 || length > WORD_MAX)
		return false;
	for (size_t i = 0; i < length; i++)
		lower[i] = (char)(at[i] >= 'A' && at[i] <= 'Z' ? at[i] + 32 : at[i]);
	lower[length] = 0;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(lower, deid_words[middle]);

		if (order == 0)
			return true;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return false;
}

static bool
is_unit(const struct word *word)
{
	static const char *const units[] = {"mm", "cm", "m", "um", "nm", "ml", "l", "cc", "mg", "g",
	    "kg", "mcg", "ug", "sec", "s", "ms", "min", "mins", "hz", "khz", "mhz", "ghz", "deg",
	    "degree", "degrees", "t", "tesla", "kv", "kvp", "kev", "ma", "mas", "mev", "mgy", "gy",
	    "msv", "sv", "mbq", "bq", "gbq", "mci", "hu", "x", "bpm"};

	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
		if (strlen(units[i]) == word->length &&
		    strncasecmp((const char *)word->at, units[i], word->length) == 0)
			return true;
	return false;
}

/* At most three digits, a point and three digits; the length of the number, 0 when it is none. */
static size_t
measure_number(const struct word *word)
{
	size_t whole = 0, fraction = 0;

	while (whole < word->length && is_digit(word->at[whole]))
		whole++;
	if (whole == 0 || whole > 3)
		return 0;
	if (whole == word->length || word->at[whole] != '.')
		return whole;
	while (whole + 1 + fraction < word->length && is_digit(word->at[whole + 1 + fraction]))
		fraction++;
	return fraction == 0 || fraction > 3 ? 0 : whole + 1 + fraction;
}

static struct word
next_word(const uint8_t **at, const uint8_t *end)
{
	struct word word;

	while (*at < end && !is_word_byte(**at))
		(*at)++;
	word.at = *at;
	while (*at < end &&
	    (is_word_byte(**at) ||
		(**at == '.' && *at > word.at && *at + 1 < end && is_digit((*at)[-1]) &&
		    is_digit((*at)[1]))))
		(*at)++;
	word.length = (size_t)(*at - word.at);
	return word;
}

/* A number with its unit.  `*ret_open`: the unit is the next word, and stays too. */
static bool
is_measure(const struct word *word, const uint8_t *at, const uint8_t *end, bool *ret_open)
{
	size_t digits = measure_number(word);
	struct word rest = {word->at + digits, word->length - digits};

	if (digits == 0)
		return false;
	if (rest.length != 0)
		return is_unit(&rest);
	/* The unit has to follow after nothing but a space. */
	if (at < end && *at == ' ')
		at++;
	if (at == end || !is_letter(*at))
		return false;
	rest = next_word(&at, end);
	*ret_open = is_unit(&rest);
	return *ret_open;
}

static int
clean_value(struct buf *out, const uint8_t *at, const uint8_t *end)
{
	bool first = true, open = false;
	int code = 0;

	if (memchr(at, 0x1b, (size_t)(end - at)) != NULL)
		return 0;
	while (code == 0) {
		struct word word = next_word(&at, end);

		if (word.length == 0)
			break;
		if (open)
			open = false;
		else if (!listed(word.at, word.length) && !is_measure(&word, at, end, &open))
			continue;
		if (!first)
			code = buf_append(out, " ", 1);
		first = false;
		if (code == 0)
			code = buf_append(out, word.at, word.length);
	}
	return code;
}

int
deid_clean(struct buf *out, const uint8_t *text, size_t length, bool several)
{
	const uint8_t *end = text + length;
	size_t before = out->length, kept = 0;
	int code;

	for (;;) {
		const uint8_t *stop = several ? memchr(text, '\\', (size_t)(end - text)) : NULL;
		size_t begin = out->length;

		code = clean_value(out, text, stop == NULL ? end : stop);
		kept += out->length - begin;
		if (code != 0 || stop == NULL)
			break;
		code = buf_append(out, "\\", 1);
		if (code != 0)
			break;
		text = stop + 1;
	}
	if (code != 0 || kept == 0)
		out->length = before;
	return code;
}
