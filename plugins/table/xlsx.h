/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TABLE_XLSX_H
#define TABLE_XLSX_H

/*
 * Rows of a worksheet (ECMA-376, "xlsx"), streamed: the archive's directory and the shared strings
 * are in memory, within limits; the sheet is inflated and parsed as it is read.  Cells are text as
 * the file has them: formatted dates are numbers there, so dates are read where a cell is text, or
 * in the 1900 date system where its style is a date's (written as YYYY-MM-DD then).
 */

#include "csv.h"

#define XLSX_STRINGS_MAX ((size_t)256 << 20) /* bytes of shared strings */

struct xlsx;

/* `sheet` by name; NULL: the first.  `fd` is the caller's. */
int xlsx_open(struct xlsx **ret, int fd, const char *sheet, struct cairn_error *err);
void xlsx_close(struct xlsx *xlsx); /* NULL is fine */
int xlsx_next(struct xlsx *xlsx, struct row *ret, struct cairn_error *err);

#endif
