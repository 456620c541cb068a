/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger/base64.h"

#include <string.h>

#include <cairn/error.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void
base64_encode(const uint8_t *bytes, size_t length, char *ret)
{
	for (size_t i = 0; i < length; i += 3) {
		size_t left = length - i;
		uint32_t second = left > 1 ? bytes[i + 1] : 0, third = left > 2 ? bytes[i + 2] : 0;
		uint32_t group = (uint32_t)bytes[i] << 16 | second << 8 | third;

		*ret++ = digits[group >> 18];
		*ret++ = digits[group >> 12 & 63];
		*ret++ = left > 1 ? digits[group >> 6 & 63] : '=';
		*ret++ = left > 2 ? digits[group & 63] : '=';
	}
	*ret = 0;
}

/* The value of a digit; 64 for anything else. */
static uint32_t
value_of(char digit)
{
	const char *at = digit == 0 ? NULL : strchr(digits, digit);

	return at == NULL ? 64 : (uint32_t)(at - digits);
}

int
base64_decode(const char *text, uint8_t *ret, size_t length)
{
	if (strlen(text) != BASE64_TEXT(length) - 1)
		return CAIRN_EINVAL;
	for (size_t i = 0; i < length; i += 3, text += 4) {
		size_t take = length - i < 3 ? length - i : 3;
		uint32_t group = 0;

		for (size_t j = 0; j < 4; j++) {
			uint32_t value = j > take ? (text[j] == '=' ? 0 : 64) : value_of(text[j]);

			if (value == 64)
				return CAIRN_EINVAL;
			group = group << 6 | value;
		}
		if ((group & ((UINT32_C(1) << (8 * (3 - take))) - 1)) != 0)
			return CAIRN_EINVAL;
		for (size_t j = 0; j < take; j++)
			ret[i + j] = (uint8_t)(group >> (16 - 8 * j));
	}
	return 0;
}
