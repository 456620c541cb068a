/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DEID_DATES_H
#define DEID_DATES_H

/* Shifting dates (VR DA and DT) and capping ages (AS), PS3.5 6.2. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/*
 * Appends the value with every date moved by `days`; times, fractions, zones, ranges ("a-b", "-b",
 * "a-") and several values keep their form.  A date of lower precision is taken as its first day
 * and answered in the same precision.  The ACR-NEMA form 1999.01.31 becomes 19990131. CAIRN_EINVAL,
 * and nothing appended, when a part is no date or leaves the years 1 to 9999.
 */
int deid_dates_shift(
    struct buf *out, const uint8_t *text, size_t length, bool with_time, int32_t days);

/* The age of an AS value with everything above 89 years as "090Y".  False when it is no age. */
bool deid_age_cap(const uint8_t *text, size_t length, char ret[5]);

#endif
