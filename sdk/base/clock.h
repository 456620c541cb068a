/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

/* Monotonic time for deadlines, wall time for records; the wall may jump, the other never does. */

#include <stdint.h>

#define CLOCK_TEXT_MAX 32

uint64_t clock_monotonic_ms(void);
uint64_t clock_monotonic_ns(void);
uint64_t clock_wall_ms(void);
/* "2026-11-24T15:04:05.123Z" */
void clock_text(uint64_t wall_ms, char ret_text[CLOCK_TEXT_MAX]);

/* Proleptic Gregorian calendar, days since 1970-01-01.  clock_days() returns 0 and sets
 * `*ret_days`, or CAIRN_EINVAL for a date that does not exist. */
int clock_days(int year, int month, int day, int32_t *ret_days);
void clock_date(int32_t days, int *ret_year, int *ret_month, int *ret_day);

#endif
