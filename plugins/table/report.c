/* SPDX-License-Identifier: Apache-2.0 */
#include "report.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "utf8.h"

/* Cutting may have left half a character. */
static void
mend(char *text)
{
	size_t length = strlen(text);

	while (length > 0 && !utf8_valid((const uint8_t *)text, length))
		text[--length] = 0;
}

void
report_add(
    struct report *report, struct report_place place, const char *advice, const char *what, ...)
{
	struct report_item *item = &report->items[report->count];
	char text[512];
	va_list arguments;

	report->errors++;
	if (report->count == REPORT_MAX)
		return;
	va_start(arguments, what);
	vsnprintf(text, sizeof text, what, arguments);
	va_end(arguments);
	mend(text);
	*item = (struct report_item){
	    place.line, (uint32_t)place.column, strdup(place.name), strdup(text), strdup(advice)};
	if (item->column_name == NULL || item->what == NULL || item->advice == NULL) {
		free(item->column_name);
		free(item->what);
		free(item->advice);
		return;
	}
	report->count++;
}

void
report_fini(struct report *report)
{
	for (size_t i = 0; i < report->count; i++) {
		free(report->items[i].column_name);
		free(report->items[i].what);
		free(report->items[i].advice);
	}
	report->count = 0;
}
