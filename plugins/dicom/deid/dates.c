/* SPDX-License-Identifier: Apache-2.0 */
#include "deid/dates.h"

#include <stdio.h>
#include <string.h>

#include <cairn/error.h>

#include "base/clock.h"

struct cursor {
	const uint8_t *at;
	const uint8_t *end;
};

static size_t
count_digits(const struct cursor *cursor, size_t max)
{
	size_t count = 0;

	while (count < max && cursor->at + count < cursor->end && cursor->at[count] >= '0' &&
	    cursor->at[count] <= '9')
		count++;
	return count;
}

static int
number(const uint8_t *digits, size_t count)
{
	int value = 0;

	for (size_t i = 0; i < count; i++)
		value = value * 10 + (digits[i] - '0');
	return value;
}

/* Writes year, month and day in as many digits as the original had. */
static int
append_shifted(struct buf *out, const uint8_t *digits, size_t count, int32_t days)
{
	int year = number(digits, 4), month = count >= 6 ? number(digits + 4, 2) : 1;
	int day = count >= 8 ? number(digits + 6, 2) : 1;
	char text[16];
	int32_t when;

	if (clock_days(year, month, day, &when) != 0 || __builtin_add_overflow(when, days, &when) ||
	    when < -719162 || when > 2932896)
		return CAIRN_EINVAL;
	clock_date(when, &year, &month, &day);
	/* The masks only tell the compiler what the test above guarantees. */
	snprintf(text, sizeof text, "%04u%02u%02u", (unsigned)year % 10000, (unsigned)month % 100,
	    (unsigned)day % 100);
	return buf_append(out, text, count);
}

/* "1999.01.31", as objects of the ACR-NEMA time have it */
static bool
is_dotted(const struct cursor *cursor)
{
	static const char form[] = "dddd.dd.dd";

	if (cursor->end - cursor->at < 10)
		return false;
	for (size_t i = 0; i < 10; i++) {
		bool digit = cursor->at[i] >= '0' && cursor->at[i] <= '9';

		if (form[i] == 'd' ? !digit : cursor->at[i] != '.')
			return false;
	}
	return true;
}

static int
take_date(struct buf *out, struct cursor *cursor, bool with_time, int32_t days)
{
	uint8_t digits[8];
	size_t count;

	if (is_dotted(cursor)) {
		memcpy(digits, cursor->at, 4);
		memcpy(digits + 4, cursor->at + 5, 2);
		memcpy(digits + 6, cursor->at + 8, 2);
		cursor->at += 10;
		return append_shifted(out, digits, 8, days);
	}
	count = count_digits(cursor, 8);
	if (count != 8 && !(with_time && (count == 4 || count == 6)))
		return CAIRN_EINVAL;
	memcpy(digits, cursor->at, count);
	cursor->at += count;
	return append_shifted(out, digits, count, days);
}

/* A zone is four digits from -1200 to +1400 (PS3.5 6.2); what else follows '-' is a range's end. */
static bool
is_zone(const struct cursor *cursor)
{
	struct cursor digits = {cursor->at + 1, cursor->end};

	if (cursor->end - cursor->at < 5 || (*cursor->at != '+' && *cursor->at != '-'))
		return false;
	return count_digits(&digits, 5) == 4 && number(digits.at, 4) <= 1400;
}

static int
take_time(struct buf *out, struct cursor *cursor)
{
	const uint8_t *begin = cursor->at;
	size_t count = count_digits(cursor, 6);

	if (count % 2 != 0)
		return CAIRN_EINVAL;
	cursor->at += count;
	if (count == 6 && cursor->at < cursor->end && *cursor->at == '.') {
		cursor->at++;
		cursor->at += count_digits(cursor, 6);
	}
	if (is_zone(cursor))
		cursor->at += 5;
	return buf_append(out, begin, (size_t)(cursor->at - begin));
}

static void
skip_spaces(struct cursor *cursor)
{
	while (cursor->at < cursor->end && (*cursor->at == ' ' || *cursor->at == 0))
		cursor->at++;
}

/* One value: a date, a range, or nothing. */
static int
take_value(struct buf *out, struct cursor *cursor, bool with_time, int32_t days)
{
	bool ranged = false;
	int code;

	for (;;) {
		skip_spaces(cursor);
		if (cursor->at == cursor->end)
			return 0;
		if (*cursor->at == '-' && !ranged) {
			ranged = true;
			cursor->at++;
			code = buf_append(out, "-", 1);
		} else {
			code = take_date(out, cursor, with_time, days);
			if (code == 0 && with_time)
				code = take_time(out, cursor);
			skip_spaces(cursor);
			if (code == 0 && cursor->at < cursor->end && *cursor->at != '-')
				code = CAIRN_EINVAL;
		}
		if (code != 0)
			return code;
	}
}

int
deid_dates_shift(struct buf *out, const uint8_t *text, size_t length, bool with_time, int32_t days)
{
	size_t before = out->length;
	const uint8_t *end = text + length;
	int code = 0;

	for (;;) {
		const uint8_t *stop = memchr(text, '\\', (size_t)(end - text));
		struct cursor cursor = {text, stop == NULL ? end : stop};

		code = take_value(out, &cursor, with_time, days);
		if (code != 0 || stop == NULL)
			break;
		code = buf_append(out, "\\", 1);
		text = stop + 1;
	}
	if (code != 0)
		out->length = before;
	return code;
}

bool
deid_age_cap(const uint8_t *text, size_t length, char ret[5])
{
	int age;

	if (length != 4 || memchr("DWMY", text[3], 4) == NULL)
		return false;
	for (size_t i = 0; i < 3; i++)
		if (text[i] < '0' || text[i] > '9')
			return false;
	age = number(text, 3);
	memcpy(ret, text, 4);
	ret[4] = 0;
	if (text[3] == 'Y' && age > 89)
		memcpy(ret, "090Y", 4);
	return true;
}
