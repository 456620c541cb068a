/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TABLE_REPORT_H
#define TABLE_REPORT_H

/* What is wrong with the data, cell by cell: the first 1,000, and how many in all. */

#include <stddef.h>
#include <stdint.h>

#include "csv.h"

#define REPORT_MAX 1000
#define REPORT_VALUE_MAX 40 /* bytes of a value that are shown */

struct report_item {
	uint64_t line;
	uint32_t column;
	char *column_name, *what, *advice;
};

struct report {
	uint64_t errors;
	size_t count;
	struct report_item items[REPORT_MAX];
};

/* `column` from 1; 0 with "" for the whole row. */
struct report_place {
	uint64_t line;
	size_t column;
	const char *name;
};
void report_add(struct report *report, struct report_place place, const char *advice,
    const char *what, ...) __attribute__((format(printf, 4, 5)));
void report_fini(struct report *report);

#endif
