/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/linktable.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "link/link.h"

#define TEXT(literal) ((char *)(size_t)(literal)) /* protobuf-c knows no const */
#define FIELDS_MAX (3 * LINK_IDENTIFIERS_MAX)

struct reader {
	char *at, *end;
	uint32_t line, begun; /* the line that is read, and where its row began */
	char *fields[FIELDS_MAX];
	size_t field_count;
	const char *wrong;
};

/* ---- CSV -------------------------------------------------------------------------------- */

/* Unquotes in place; returns behind the field. */
static char *
read_quoted(struct reader *r, char *at)
{
	char *to = at++;

	while (at < r->end) {
		if (*at == '"' && at + 1 < r->end && at[1] == '"')
			at++;
		else if (*at == '"')
			break;
		r->line += *at == '\n';
		*to++ = *at++;
	}
	if (at == r->end)
		r->wrong = "a quoted field does not end";
	else
		at++;
	if (at < r->end && strchr(",\r\n", *at) == NULL)
		r->wrong = "a quoted field is followed by something";
	while (at < r->end && strchr(",\r\n", *at) == NULL)
		at++;
	/* The character behind is looked at before it is overwritten. */
	if (to < at)
		*to = 0;
	return at;
}

static char *
read_plain(struct reader *r, char *at)
{
	while (at < r->end && strchr(",\r\n", *at) == NULL)
		at++;
	return at;
}

/* Fields end where their separators were. */
static void
read_row(struct reader *r)
{
	bool more = true;

	r->field_count = 0;
	r->wrong = NULL;
	r->begun = r->line;
	while (more) {
		char *begin = r->at, *end, separator;

		end =
		    begin < r->end && *begin == '"' ? read_quoted(r, begin) : read_plain(r, begin);
		separator = end < r->end ? *end : '\n';
		more = separator == ',';
		if (r->field_count == FIELDS_MAX)
			r->wrong = "more than 32 identifiers in a line";
		else
			r->fields[r->field_count++] = begin;
		if (end + 1 < r->end && separator == '\r' && end[1] == '\n')
			*end++ = 0;
		*end = 0; /* the text's own zero is behind the last */
		r->at = end < r->end ? end + 1 : end;
		r->line += !more;
	}
}

/* ---- rows ------------------------------------------------------------------------------- */

static void
say(struct linktable *table, uint32_t line, const char *reason)
{
	Cairn__LinkRowError *item;

	if (table->error_count == LINKTABLE_ERRORS_MAX)
		return;
	item = &table->items[table->error_count];
	cairn__link_row_error__init(item);
	item->line = line;
	item->reason = TEXT(reason);
	table->list[table->error_count++] = item;
}

static bool
is_empty(const struct reader *r)
{
	for (size_t i = 0; i < r->field_count; i++) {
		if (r->fields[i][0] != 0)
			return false;
	}
	return true;
}

static bool
is_skipped(const struct reader *r)
{
	return is_empty(r) || r->fields[0][0] == '#' ||
	    (r->begun == 1 && strcmp(r->fields[0], "type") == 0);
}

static int
add_identifier(Cairn__PatientLinkRow *row, char *const fields[3])
{
	Cairn__PatientIdentifier *identifier = calloc(1, sizeof *identifier);

	if (identifier == NULL)
		return CAIRN_ENOMEM;
	cairn__patient_identifier__init(identifier);
	identifier->identifier_type = fields[0];
	identifier->issuer = fields[1];
	identifier->identifier = fields[2];
	row->identifiers[row->n_identifiers++] = identifier;
	return 0;
}

static int
fill_row(struct linktable *table, const struct reader *r, Cairn__PatientLinkRow *row)
{
	int code = 0;

	if (r->field_count % 3 != 0) {
		say(table, r->begun, "a line has type,issuer,id for each identifier");
		return 0;
	}
	row->identifiers = calloc(r->field_count / 3, sizeof *row->identifiers);
	if (row->identifiers == NULL)
		return CAIRN_ENOMEM;
	for (size_t i = 0; i < r->field_count && code == 0; i += 3) {
		char *const *fields = &r->fields[i];

		if (fields[0][0] == 0 && fields[2][0] == 0)
			continue; /* this patient has none of that kind */
		if (fields[0][0] == 0 || fields[2][0] == 0)
			say(table, r->begun, "an identifier without type, or a type without one");
		else
			code = add_identifier(row, fields);
	}
	return code;
}

static int
add_row(struct linktable *table, const struct reader *r)
{
	Cairn__PatientLinkRow *row;

	if (table->request.n_rows == table->row_room) {
		size_t room = table->row_room == 0 ? 64 : 2 * table->row_room;
		Cairn__PatientLinkRow **more =
		    realloc(table->request.rows, room * sizeof(Cairn__PatientLinkRow *));

		if (more == NULL)
			return CAIRN_ENOMEM;
		table->request.rows = more;
		table->row_room = room;
	}
	row = calloc(1, sizeof *row);
	if (row == NULL)
		return CAIRN_ENOMEM;
	cairn__patient_link_row__init(row);
	row->line = r->begun;
	table->request.rows[table->request.n_rows++] = row;
	return fill_row(table, r, row);
}

int
linktable_parse(char *text, size_t length, struct linktable *ret, struct cairn_error *err)
{
	struct reader r = {.at = text, .end = text + length, .line = 1};
	int code = 0;

	*ret = (struct linktable){.text = text};
	cairn__patient_link__init(&ret->request);
	if (memchr(text, 0, length) != NULL)
		code = cairn_error_set(err, CAIRN_EINVAL, "the table is no text");
	while (code == 0 && r.at < r.end) {
		read_row(&r);
		if (r.wrong != NULL)
			say(ret, r.begun, r.wrong);
		else if (!is_skipped(&r) && add_row(ret, &r) != 0)
			code = cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
		if (ret->request.n_rows > LINK_ROWS_MAX)
			code = cairn_error_set(err, CAIRN_ELIMIT,
			    "the table has more than %d lines; divide it", LINK_ROWS_MAX);
	}
	if (code == 0 && ret->request.n_rows == 0 && ret->error_count == 0)
		code = cairn_error_set(err, CAIRN_EINVAL, "the table has no lines");
	if (code != 0)
		linktable_fini(ret);
	return code;
}

int
linktable_read(const char *path, struct linktable *ret, struct cairn_error *err)
{
	BUF_AUTO data = {.max = LINKTABLE_BYTES_MAX};
	const char *begin;
	char *text;
	int code = file_read(path, &data, err);

	if (code != 0)
		return code;
	/* Spreadsheets put a byte order mark before UTF-8. */
	begin = (const char *)data.data;
	if (data.length >= 3 && memcmp(begin, "\xef\xbb\xbf", 3) == 0) {
		begin += 3;
		data.length -= 3;
	}
	text = calloc(1, data.length + 1);
	if (text == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	if (data.length > 0)
		memcpy(text, begin, data.length);
	code = linktable_parse(text, data.length, ret, err);
	return code == 0 ? 0 : cairn_error_prefix(err, code, "%s", path);
}

const Cairn__PatientChange *
linktable_errors(struct linktable *table)
{
	cairn__patient_change__init(&table->change);
	table->change.errors = table->list;
	table->change.n_errors = table->error_count;
	return &table->change;
}

void
linktable_fini(struct linktable *table)
{
	for (size_t i = 0; i < table->request.n_rows; i++) {
		Cairn__PatientLinkRow *row = table->request.rows[i];

		for (size_t j = 0; j < row->n_identifiers; j++)
			free(row->identifiers[j]);
		free(row->identifiers);
		free(row);
	}
	free(table->request.rows);
	free(table->text);
	*table = (struct linktable){0};
}
