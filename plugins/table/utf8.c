/* SPDX-License-Identifier: Apache-2.0 */
#include "utf8.h"

/* How many bytes the sequence has that begins here; 0 for none that is well formed. */
static size_t
sequence(const uint8_t *at, size_t left)
{
	uint32_t code;
	size_t length = at[0] < 0x80 ? 1
	    : at[0] < 0xc2           ? 0
	    : at[0] < 0xe0           ? 2
	    : at[0] < 0xf0           ? 3
				     : 4;

	if (length == 0 || at[0] > 0xf4 || length > left)
		return 0;
	if (length == 1)
		return 1;
	code = at[0] & (0x7fU >> length);
	for (size_t i = 1; i < length; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (at[i] & 0x3f);
	}
	if (length == 3 && (code < 0x800 || (code >= 0xd800 && code < 0xe000)))
		return 0;
	return length == 4 && (code < 0x10000 || code > 0x10ffff) ? 0 : length;
}

bool
utf8_valid(const uint8_t *text, size_t length)
{
	for (size_t at = 0; at < length;) {
		size_t step = sequence(text + at, length - at);

		if (step == 0)
			return false;
		at += step;
	}
	return true;
}

size_t
utf8_of_latin(uint8_t byte, uint8_t ret[4])
{
	static const uint16_t high[32] = {0x20ac, 0xfffd, 0x201a, 0x0192, 0x201e, 0x2026, 0x2020,
	    0x2021, 0x02c6, 0x2030, 0x0160, 0x2039, 0x0152, 0xfffd, 0x017d, 0xfffd, 0xfffd, 0x2018,
	    0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153,
	    0xfffd, 0x017e, 0x0178};
	uint32_t code = byte >= 0x80 && byte < 0xa0 ? high[byte - 0x80] : byte;

	if (code < 0x80) {
		ret[0] = (uint8_t)code;
		return 1;
	}
	if (code < 0x800) {
		ret[0] = (uint8_t)(0xc0 | code >> 6);
		ret[1] = (uint8_t)(0x80 | (code & 0x3f));
		return 2;
	}
	ret[0] = (uint8_t)(0xe0 | code >> 12);
	ret[1] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
	ret[2] = (uint8_t)(0x80 | (code & 0x3f));
	return 3;
}
