/* SPDX-License-Identifier: Apache-2.0 */
#include "node/words.h"

#include <stdint.h>
#include <string.h>

/* The character at the front of a zero-terminated text: its length, 0 when it is no UTF-8 (overlong
 * forms, surrogates and what lies beyond U+10FFFF included). */
static size_t
character(const char *text, uint32_t *ret)
{
	static const uint32_t lowest[] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char *at = (const unsigned char *)text;
	size_t length = at[0] < 0x80 ? 1
	    : at[0] < 0xc0           ? 0
	    : at[0] < 0xe0           ? 2
	    : at[0] < 0xf0           ? 3
	    : at[0] < 0xf8           ? 4
				     : 0;
	uint32_t value = length == 1 ? at[0] : at[0] & (0x7fu >> length);

	for (size_t i = 1; i < length; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0; /* the terminating zero too */
		value = value << 6 | (at[i] & 0x3f);
	}
	if (length == 0 || value < lowest[length] || value > 0x10ffff ||
	    (value >= 0xd800 && value <= 0xdfff))
		return 0;
	*ret = value;
	return length;
}

static bool
is_control(uint32_t value)
{
	return value < 0x20 || (value >= 0x7f && value < 0xa0);
}

bool
words_are_plain(const char *text, size_t max)
{
	uint32_t value;

	if (strnlen(text, max + 1) > max)
		return false;
	while (*text != 0) {
		size_t length = character(text, &value);

		if (length == 0 || is_control(value))
			return false;
		text += length;
	}
	return true;
}

void
words_clean(char *ret, size_t size, const char *text, bool lines)
{
	size_t used = 0;

	while (*text != 0) {
		uint32_t value = 0;
		size_t length = character(text, &value);
		bool kept = length > 0 &&
		    (!is_control(value) || (lines && (value == '\n' || value == '\t')));

		if (used + (kept ? length : 1) >= size)
			break;
		if (kept)
			memcpy(ret + used, text, length);
		else
			ret[used] = '?';
		used += kept ? length : 1;
		text += length == 0 ? 1 : length;
	}
	ret[used] = 0;
}
