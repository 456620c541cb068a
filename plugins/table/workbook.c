/* SPDX-License-Identifier: Apache-2.0 */
#include "workbook.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "xlsx.h"
#include "xml.h"

#define FORMATS_MAX 4096

struct reading {
	struct xml xml; /* first */
	struct workbook *workbook;
	const char *sheet;
	char id[64]; /* of the sheet's relationship */
	bool found, in_text, in_phonetic, in_xfs;
	bool *date_formats; /* by number of a format that the workbook defines */
};

static void
ignore_text(void *user, const char *text, int length)
{
	(void)user, (void)text, (void)length;
}

static void
ignore_end(void *user, const char *name)
{
	(void)user, (void)name;
}

/* ---- which part the sheet is
 * ------------------------------------------------------------------------ */

static void
sheets_start(void *user, const char *name, const char **attributes)
{
	struct reading *reading = user;
	const char *own = xml_attribute(attributes, "name"), *id = NULL;
	const char *from_1904 = xml_attribute(attributes, "date1904");

	name = xml_name(name);
	if (strcmp(name, "workbookPr") == 0 && from_1904 != NULL)
		reading->workbook->from_1904 =
		    strcmp(from_1904, "1") == 0 || strcmp(from_1904, "true") == 0;
	if (strcmp(name, "sheet") != 0 || reading->found || own == NULL)
		return;
	if (reading->sheet != NULL && strcmp(reading->sheet, own) != 0)
		return;
	id = xml_attribute(attributes, "id");
	reading->found = id != NULL && text_copy(reading->id, sizeof reading->id, id);
}

static void
relations_start(void *user, const char *name, const char **attributes)
{
	struct reading *reading = user;
	const char *id = xml_attribute(attributes, "Id");
	const char *target = xml_attribute(attributes, "Target");

	if (strcmp(xml_name(name), "Relationship") != 0 || id == NULL || target == NULL ||
	    strcmp(id, reading->id) != 0)
		return;
	if (target[0] == '/')
		text_copy(reading->workbook->part, sizeof reading->workbook->part, target + 1);
	else
		snprintf(
		    reading->workbook->part, sizeof reading->workbook->part, "xl/%.250s", target);
}

static int
read_part(struct reading *reading, const struct zip *zip, const char *name,
    XML_StartElementHandler start, XML_EndElementHandler end, XML_CharacterDataHandler text,
    struct cairn_error *err)
{
	int code = xml_open(&reading->xml, zip, name, start, end, text, err);

	if (code == 0)
		code = xml_run(&reading->xml, err);
	xml_close(&reading->xml);
	return code;
}

static int
find_sheet(struct reading *reading, const struct zip *zip, struct cairn_error *err)
{
	int code =
	    read_part(reading, zip, "xl/workbook.xml", sheets_start, ignore_end, ignore_text, err);

	if (code == 0 && !reading->found)
		return cairn_error_set(err, CAIRN_EINVAL, "the workbook has no sheet %.60s",
		    reading->sheet == NULL ? "" : reading->sheet);
	if (code == 0)
		code = read_part(reading, zip, "xl/_rels/workbook.xml.rels", relations_start,
		    ignore_end, ignore_text, err);
	if (code == 0 && reading->workbook->part[0] == 0)
		return cairn_error_set(
		    err, CAIRN_EINVAL, "the workbook does not say where its sheet is");
	return code;
}

/* ---- shared strings
 * --------------------------------------------------------------------------------- */

static bool
begin_string(struct workbook *workbook)
{
	if (workbook->string_count == workbook->string_capacity) {
		size_t capacity =
		    workbook->string_capacity == 0 ? 1024 : workbook->string_capacity * 2;
		size_t *grown;

		if (capacity > WORKBOOK_STRINGS_MAX)
			return false;
		grown = realloc(workbook->offsets, capacity * sizeof *grown);
		if (grown == NULL)
			return false;
		workbook->offsets = grown;
		workbook->string_capacity = capacity;
	}
	workbook->offsets[workbook->string_count++] = workbook->strings.length;
	return true;
}

static void
strings_start(void *user, const char *name, const char **attributes)
{
	struct reading *reading = user;

	(void)attributes;
	name = xml_name(name);
	if (strcmp(name, "si") == 0 && !begin_string(reading->workbook))
		xml_fail(&reading->xml, CAIRN_ELIMIT, "the workbook has too many texts");
	if (strcmp(name, "rPh") == 0)
		reading->in_phonetic = true;
	reading->in_text = strcmp(name, "t") == 0 && !reading->in_phonetic;
}

static void
strings_end(void *user, const char *name)
{
	struct reading *reading = user;

	name = xml_name(name);
	reading->in_text = false;
	if (strcmp(name, "rPh") == 0)
		reading->in_phonetic = false;
	if (strcmp(name, "si") == 0 && buf_append_zero(&reading->workbook->strings, 1) != 0)
		xml_fail(&reading->xml, CAIRN_ELIMIT, "the workbook's texts are too long");
}

static void
strings_text(void *user, const char *text, int length)
{
	struct reading *reading = user;

	if (reading->in_text && reading->workbook->string_count > 0 &&
	    buf_append(&reading->workbook->strings, text, (size_t)length) != 0)
		xml_fail(&reading->xml, CAIRN_ELIMIT, "the workbook's texts are too long");
}

/* ---- styles
 * ----------------------------------------------------------------------------------------- */

/* A format with a day or a year in it, outside of quotes and brackets. */
static bool
is_date(const char *format)
{
	char quote = 0;

	for (; *format != 0; format++) {
		if (quote != 0) {
			quote = *format == quote ? 0 : quote;
			continue;
		}
		if (*format == '"')
			quote = '"';
		else if (*format == '[')
			quote = ']';
		else if (*format == '\\' && format[1] != 0)
			format++;
		else if (strchr("dDyY", *format) != NULL)
			return true;
	}
	return false;
}

static void
take_style(struct reading *reading, const char **attributes)
{
	struct workbook *workbook = reading->workbook;
	const char *text = xml_attribute(attributes, "numFmtId");
	int64_t format = 0;
	bool *grown;

	if (workbook->style_count == WORKBOOK_STYLES_MAX) {
		xml_fail(&reading->xml, CAIRN_ELIMIT, "the workbook has too many styles");
		return;
	}
	grown = realloc(workbook->dates, workbook->style_count + 1);
	if (grown == NULL) {
		xml_fail(&reading->xml, CAIRN_ENOMEM, "out of memory");
		return;
	}
	workbook->dates = grown;
	if (text != NULL)
		text_to_integer(text, 0, FORMATS_MAX - 1, &format);
	/* 14 to 17 and 22 are the dates that need no definition. */
	grown[workbook->style_count++] =
	    (format >= 14 && format <= 17) || format == 22 || reading->date_formats[format];
}

static void
styles_start(void *user, const char *name, const char **attributes)
{
	struct reading *reading = user;
	const char *id = xml_attribute(attributes, "numFmtId");
	const char *format = xml_attribute(attributes, "formatCode");
	int64_t number;

	name = xml_name(name);
	if (strcmp(name, "numFmt") == 0 && id != NULL && format != NULL &&
	    text_to_integer(id, 0, FORMATS_MAX - 1, &number) == 0)
		reading->date_formats[number] = is_date(format);
	if (strcmp(name, "cellXfs") == 0)
		reading->in_xfs = true;
	if (strcmp(name, "xf") == 0 && reading->in_xfs)
		take_style(reading, attributes);
}

static void
styles_end(void *user, const char *name)
{
	struct reading *reading = user;

	if (strcmp(xml_name(name), "cellXfs") == 0)
		reading->in_xfs = false;
}

/* ---- all of it
 * -------------------------------------------------------------------------------------- */

int
workbook_read(
    struct workbook *workbook, const struct zip *zip, const char *sheet, struct cairn_error *err)
{
	struct reading *reading = calloc(1, sizeof *reading);
	int code;

	memset(workbook, 0, sizeof *workbook);
	buf_init(&workbook->strings, XLSX_STRINGS_MAX);
	if (reading != NULL)
		reading->date_formats = calloc(FORMATS_MAX, 1);
	if (reading == NULL || reading->date_formats == NULL) {
		free(reading);
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	}
	reading->workbook = workbook;
	reading->sheet = sheet;
	code = find_sheet(reading, zip, err);
	if (code == 0 && zip_find(zip, "xl/sharedStrings.xml") != NULL)
		code = read_part(reading, zip, "xl/sharedStrings.xml", strings_start, strings_end,
		    strings_text, err);
	if (code == 0 && zip_find(zip, "xl/styles.xml") != NULL)
		code = read_part(
		    reading, zip, "xl/styles.xml", styles_start, styles_end, ignore_text, err);
	free(reading->date_formats);
	free(reading);
	return code == CAIRN_ENOTFOUND ? cairn_error_prefix(err, CAIRN_EINVAL, "no xlsx file")
				       : code;
}

void
workbook_fini(struct workbook *workbook)
{
	buf_fini(&workbook->strings);
	free(workbook->offsets);
	free(workbook->dates);
	workbook->offsets = NULL;
	workbook->dates = NULL;
	workbook->string_count = workbook->style_count = 0;
}

const char *
workbook_string(const struct workbook *workbook, size_t index)
{
	return index < workbook->string_count
	    ? (const char *)workbook->strings.data + workbook->offsets[index]
	    : NULL;
}
