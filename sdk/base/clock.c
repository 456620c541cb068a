/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

#include <cairn/error.h>

static uint64_t
read_ns(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t
clock_monotonic_ns(void)
{
	return read_ns(CLOCK_MONOTONIC);
}

uint64_t
clock_monotonic_ms(void)
{
	return read_ns(CLOCK_MONOTONIC) / 1000000u;
}

uint64_t
clock_wall_ms(void)
{
	return read_ns(CLOCK_REALTIME) / 1000000u;
}

void
clock_text(uint64_t wall_ms, char ret_text[CLOCK_TEXT_MAX])
{
	time_t seconds = (time_t)(wall_ms / 1000u);
	struct tm utc;
	char text[CLOCK_TEXT_MAX];

	gmtime_r(&seconds, &utc);
	strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
	snprintf(ret_text, CLOCK_TEXT_MAX, "%.20s.%03uZ", text, (unsigned)(wall_ms % 1000u));
}

/* Days from civil and back, after H. Hinnant's derivation with eras of 400 years. */
static int32_t
days_from_civil(int year, int month, int day)
{
	int y = month <= 2 ? year - 1 : year;
	int era = (y >= 0 ? y : y - 399) / 400;
	int yoe = y - era * 400;
	int doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	int doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;

	return era * 146097 + doe - 719468;
}

void
clock_date(int32_t days, int *ret_year, int *ret_month, int *ret_day)
{
	int z = days + 719468;
	int era = (z >= 0 ? z : z - 146096) / 146097;
	int doe = z - era * 146097;
	int yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int mp = (5 * doy + 2) / 153;
	int month = mp < 10 ? mp + 3 : mp - 9;

	*ret_day = doy - (153 * mp + 2) / 5 + 1;
	*ret_month = month;
	*ret_year = yoe + era * 400 + (month <= 2);
}

int
clock_days(int year, int month, int day, int32_t *ret_days)
{
	int y, m, d;
	int32_t days;

	if (year < 1 || year > 9999 || month < 1 || month > 12 || day < 1 || day > 31)
		return CAIRN_EINVAL;
	days = days_from_civil(year, month, day);
	clock_date(days, &y, &m, &d);
	if (y != year || m != month || d != day)
		return CAIRN_EINVAL;
	*ret_days = days;
	return 0;
}
