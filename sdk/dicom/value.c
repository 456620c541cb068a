/* SPDX-License-Identifier: Apache-2.0 */
/* What a value's bytes mean: text without padding, dates, ages, decimal strings (PS3.5 6.2). */
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "dicom/reader.h"

#define NUMBER_MAX 64

bool
dcm_value_text(const uint8_t *data, const struct dcm_token *token, char *ret, size_t size)
{
	const uint8_t *at = data + token->value_offset;
	size_t length = token->length;
	const uint8_t *zero = length == 0 ? NULL : memchr(at, 0, length);

	if (zero != NULL)
		length = (size_t)(zero - at);
	while (length > 0 && at[length - 1] == ' ')
		length--;
	while (length > 0 && *at == ' ') {
		at++;
		length--;
	}
	if (length >= size)
		return false;
	if (length > 0)
		memcpy(ret, at, length);
	ret[length] = 0;
	return true;
}

/* Reads exactly `count` digits. */
static bool
digits(const char **at, int count, int *ret)
{
	int value = 0;

	for (; count > 0; count--, (*at)++) {
		if (**at < '0' || **at > '9')
			return false;
		value = value * 10 + (**at - '0');
	}
	*ret = value;
	return true;
}

static bool
skip_dot(const char **at, bool dotted)
{
	if (!dotted)
		return true;
	return *(*at)++ == '.';
}

int
dcm_text_date(const char *text, int32_t *ret_days)
{
	const char *at = text;
	int year, month, day;
	bool dotted;

	if (!digits(&at, 4, &year))
		return CAIRN_EINVAL;
	dotted = *at == '.';
	if (!skip_dot(&at, dotted) || !digits(&at, 2, &month) || !skip_dot(&at, dotted) ||
	    !digits(&at, 2, &day) || *at != 0)
		return CAIRN_EINVAL;
	return clock_days(year, month, day, ret_days);
}

int
dcm_text_age(const char *text, double *ret_days)
{
	static const char units[] = "DWMY";
	static const double days[] = {1, 7, 30.4375, 365.25};
	const char *unit;
	size_t count = strspn(text, "0123456789");
	const char *at = text;
	int value;

	if (count < 1 || count > 3 || !digits(&at, (int)count, &value))
		return CAIRN_EINVAL;
	unit = strchr(units, *at);
	if (*at == 0 || unit == NULL || at[1] != 0)
		return CAIRN_EINVAL;
	*ret_days = value * days[unit - units];
	return 0;
}

int
dcm_text_number(const char *text, double *ret)
{
	char number[NUMBER_MAX];
	size_t length;

	text += strspn(text, " ");
	length = strcspn(text, "\\");
	while (length > 0 && text[length - 1] == ' ')
		length--;
	if (length >= sizeof number)
		return CAIRN_EINVAL;
	memcpy(number, text, length);
	number[length] = 0;
	return text_to_number(number, ret);
}
