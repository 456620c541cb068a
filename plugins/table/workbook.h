/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TABLE_WORKBOOK_H
#define TABLE_WORKBOOK_H

/* What a sheet's cells refer to: shared strings, styles that are dates, where the sheet is. */

#include "base/buf.h"
#include "zip.h"

#define WORKBOOK_STYLES_MAX 65536
#define WORKBOOK_STRINGS_MAX 16777216u

struct workbook {
	struct buf strings; /* each with a zero behind it */
	size_t *offsets;
	size_t string_count, string_capacity;
	bool *dates; /* by style */
	size_t style_count;
	bool from_1904;
	char part[300]; /* of the sheet */
};

int workbook_read(
    struct workbook *workbook, const struct zip *zip, const char *sheet, struct cairn_error *err);
void workbook_fini(struct workbook *workbook);
/* NULL past the end. */
const char *workbook_string(const struct workbook *workbook, size_t index);

#endif
