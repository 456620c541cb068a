/* SPDX-License-Identifier: Apache-2.0 */
#include "xlsx.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "workbook.h"
#include "xml.h"

#define DAYS_1900 25569 /* 1970-01-01 as a serial number; right from March 1900 on */
#define DAYS_1904 24107

struct xlsx {
	struct xml xml; /* first */
	struct zip zip;
	struct workbook workbook;
	struct buf text; /* the row's cells, each with a zero behind it */
	size_t offsets[CSV_CELLS_MAX];
	size_t count, columns; /* of this row, of the first one */
	uint64_t line;
	struct buf value; /* of the cell under way */
	char type[16];
	size_t style, column;
	bool in_value, row_done;
};

static void
too_long(struct xlsx *xlsx)
{
	xml_fail(&xlsx->xml, CAIRN_ELIMIT, "a row of the sheet is too long");
}

/* ---- cells
 * ------------------------------------------------------------------------------------------ */

static void
put_cell(struct xlsx *xlsx, const char *text, size_t length)
{
	if (xlsx->count == CSV_CELLS_MAX) {
		too_long(xlsx);
		return;
	}
	xlsx->offsets[xlsx->count++] = xlsx->text.length;
	if (buf_append(&xlsx->text, text, length) != 0 || buf_append_zero(&xlsx->text, 1) != 0)
		too_long(xlsx);
}

/* A serial number as a date; the time of the day is left out. */
static bool
put_date(struct xlsx *xlsx, const char *text)
{
	int year, month, day;
	char date[32];
	double number;

	if (text_to_number(text, &number) != 0 || number < 61 || number > 2958465)
		return false;
	clock_date((int32_t)floor(number) - (xlsx->workbook.from_1904 ? DAYS_1904 : DAYS_1900),
	    &year, &month, &day);
	snprintf(date, sizeof date, "%04d-%02d-%02d", year, month, day);
	put_cell(xlsx, date, strlen(date));
	return true;
}

static void
put_value(struct xlsx *xlsx)
{
	const char *text = buf_text(&xlsx->value);
	int64_t index;

	if (text == NULL) {
		too_long(xlsx);
		return;
	}
	if (strcmp(xlsx->type, "s") == 0) {
		const char *shared = text_to_integer(text, 0, WORKBOOK_STRINGS_MAX, &index) != 0
		    ? NULL
		    : workbook_string(&xlsx->workbook, (size_t)index);

		if (shared == NULL)
			xml_fail(&xlsx->xml, CAIRN_EINVAL,
			    "a cell refers to a text that the workbook does not have");
		else
			put_cell(xlsx, shared, strlen(shared));
		return;
	}
	if (xlsx->type[0] == 0 && xlsx->style < xlsx->workbook.style_count &&
	    xlsx->workbook.dates[xlsx->style] && put_date(xlsx, text))
		return;
	if (strcmp(xlsx->type, "b") == 0)
		text = strcmp(text, "1") == 0 ? "true" : "false";
	put_cell(xlsx, text, strlen(text));
}

/* "BC12": 54; without letters: the next one. */
static size_t
column_of(const char *reference, size_t next)
{
	size_t column = 0;

	if (reference == NULL || reference[0] < 'A' || reference[0] > 'Z')
		return next;
	for (; *reference >= 'A' && *reference <= 'Z' && column <= CSV_CELLS_MAX; reference++)
		column = column * 26 + (size_t)(*reference - 'A' + 1);
	return column - 1;
}

/* ---- the sheet
 * -------------------------------------------------------------------------------------- */

static void
begin_row(struct xlsx *xlsx, const char **attributes)
{
	const char *number = xml_attribute(attributes, "r");
	int64_t line = (int64_t)xlsx->line + 1;

	if (number != NULL)
		text_to_integer(number, 1, 16777216, &line);
	xlsx->line = (uint64_t)line;
	xlsx->count = 0;
	buf_clear(&xlsx->text);
}

static void
begin_cell(struct xlsx *xlsx, const char **attributes)
{
	const char *type = xml_attribute(attributes, "t");
	const char *style = xml_attribute(attributes, "s");
	int64_t number = 0;

	xlsx->column = column_of(xml_attribute(attributes, "r"), xlsx->count);
	if (type == NULL || strcmp(type, "n") == 0 ||
	    !text_copy(xlsx->type, sizeof xlsx->type, type))
		xlsx->type[0] = 0;
	if (style != NULL)
		text_to_integer(style, 0, WORKBOOK_STYLES_MAX, &number);
	xlsx->style = (size_t)number;
	buf_clear(&xlsx->value);
	if (xlsx->column < xlsx->count || xlsx->column >= CSV_CELLS_MAX)
		xml_fail(&xlsx->xml, CAIRN_EINVAL, "the cells of a row are not in order");
	while (xlsx->xml.code == 0 && xlsx->count < xlsx->column)
		put_cell(xlsx, "", 0);
}

static void
start(void *user, const char *name, const char **attributes)
{
	struct xlsx *xlsx = user;

	name = xml_name(name);
	if (strcmp(name, "row") == 0)
		begin_row(xlsx, attributes);
	else if (strcmp(name, "c") == 0)
		begin_cell(xlsx, attributes);
	xlsx->in_value = strcmp(name, "v") == 0 || strcmp(name, "t") == 0;
}

static void
end(void *user, const char *name)
{
	struct xlsx *xlsx = user;

	name = xml_name(name);
	xlsx->in_value = false;
	if (xlsx->xml.code != 0)
		return;
	if (strcmp(name, "c") == 0)
		put_value(xlsx);
	if (strcmp(name, "row") != 0 || xlsx->count == 0)
		return;
	while (xlsx->xml.code == 0 && xlsx->count < xlsx->columns)
		put_cell(xlsx, "", 0); /* cells without a value need not be there */
	xlsx->row_done = true;
	xml_pause(&xlsx->xml);
}

static void
text(void *user, const char *bytes, int length)
{
	struct xlsx *xlsx = user;

	if (xlsx->in_value && buf_append(&xlsx->value, bytes, (size_t)length) != 0)
		too_long(xlsx);
}

/* ---- rows
 * ------------------------------------------------------------------------------------------- */

int
xlsx_open(struct xlsx **ret, int fd, const char *sheet, struct cairn_error *err)
{
	struct xlsx *xlsx = calloc(1, sizeof *xlsx);
	int code;

	if (xlsx == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	buf_init(&xlsx->text, CSV_ROW_MAX);
	buf_init(&xlsx->value, CSV_ROW_MAX);
	code = zip_open(&xlsx->zip, fd, err);
	if (code == 0)
		code = workbook_read(&xlsx->workbook, &xlsx->zip, sheet, err);
	if (code == 0)
		code = xml_open(&xlsx->xml, &xlsx->zip, xlsx->workbook.part, start, end, text, err);
	if (code == 0)
		*ret = xlsx;
	else
		xlsx_close(xlsx);
	return code == CAIRN_ENOTFOUND ? CAIRN_EINVAL : code;
}

void
xlsx_close(struct xlsx *xlsx)
{
	if (xlsx == NULL)
		return;
	xml_close(&xlsx->xml);
	workbook_fini(&xlsx->workbook);
	zip_close(&xlsx->zip);
	buf_fini(&xlsx->text);
	buf_fini(&xlsx->value);
	free(xlsx);
}

int
xlsx_next(struct xlsx *xlsx, struct row *ret, struct cairn_error *err)
{
	int code;

	xlsx->row_done = false;
	code = xml_run(&xlsx->xml, err);
	if (code != 0)
		return code == CAIRN_ENOTFOUND ? CAIRN_EINVAL : code;
	if (!xlsx->row_done)
		return CAIRN_ENOTFOUND;
	if (xlsx->columns == 0)
		xlsx->columns = xlsx->count;
	ret->line = xlsx->line;
	ret->count = xlsx->count;
	for (size_t i = 0; i < xlsx->count; i++) {
		const char *at = (const char *)xlsx->text.data + xlsx->offsets[i];

		ret->cells[i] = (struct row_cell){at, strlen(at), false};
	}
	return 0;
}
