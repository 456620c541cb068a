/* SPDX-License-Identifier: Apache-2.0 */
#include "cohort/dialect.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cohort/expr.h"

#define COLUMNS 5

struct dialect {
	char *text; /* the lines, cut into fields */
	struct dialect_row *rows;
	size_t count, room;
};

extern const unsigned char cohort_eucaim[];
extern const size_t cohort_eucaim_length;

/* ---- lines ------------------------------------------------------------------------------- */

static int
set_how(struct dialect_row *row, const char *how)
{
	row->range = strcmp(how, "*") == 0;
	if (strcmp(how, "=") == 0 || row->range)
		row->how = CAIRN__LEAF__OPERATOR__EQ;
	else if (strcmp(how, "under") == 0)
		row->how = CAIRN__LEAF__OPERATOR__UNDER;
	else if (strcmp(how, "like") == 0)
		row->how = CAIRN__LEAF__OPERATOR__LIKE;
	else
		return CAIRN_EINVAL;
	return 0;
}

/* "GE | GE %". */
static int
set_values(struct dialect_row *row, char *text)
{
	while (text != NULL) {
		char *next = strstr(text, " | ");

		if (row->value_count == DIALECT_VALUES_MAX)
			return CAIRN_EINVAL;
		if (next != NULL) {
			*next = 0;
			next += 3;
		}
		row->values[row->value_count++] = text;
		text = next;
	}
	return 0;
}

static const char *
read_row(char *line, struct dialect_row *ret)
{
	char *fields[COLUMNS];

	for (size_t i = 0; i < COLUMNS; i++) {
		fields[i] = line;
		if (line == NULL || line[0] == 0)
			return "expected five columns, separated by tabs";
		line = strchr(line, '\t');
		if (line != NULL)
			*line++ = 0;
	}
	if (line != NULL)
		return "expected five columns, separated by tabs";
	*ret = (struct dialect_row){.key = fields[0], .value = fields[1], .attribute = fields[2]};
	if (cohort_attribute_find(ret->attribute) == NULL)
		return "the third column is no field of the cohort language";
	if (set_how(ret, fields[3]) != 0)
		return "the fourth column is =, under, like or *";
	if (set_values(ret, fields[4]) != 0)
		return "too many values in the fifth column";
	return NULL;
}

static int
add_row(struct dialect *d, const struct dialect_row *row)
{
	if (d->count == DIALECT_ROWS_MAX)
		return CAIRN_ELIMIT;
	if (d->count == d->room) {
		size_t room = d->room == 0 ? 128 : d->room * 2;
		struct dialect_row *rows = realloc(d->rows, room * sizeof *rows);

		if (rows == NULL)
			return CAIRN_ENOMEM;
		d->rows = rows;
		d->room = room;
	}
	d->rows[d->count++] = *row;
	return 0;
}

static int
read_lines(struct dialect *d, char *text, const char *path, struct cairn_error *err)
{
	unsigned line = 0;

	while (text != NULL && text[0] != 0) {
		char *end = strchr(text, '\n');
		struct dialect_row row;
		const char *problem;

		line++;
		if (end != NULL)
			*end++ = 0;
		text[strcspn(text, "\r")] = 0;
		problem = text[0] == 0 || text[0] == '#' ? NULL : read_row(text, &row);
		if (problem != NULL)
			return cairn_error_set(
			    err, CAIRN_EINVAL, "%s, line %u: %s", path, line, problem);
		if (text[0] != 0 && text[0] != '#' && add_row(d, &row) != 0)
			return cairn_error_set(
			    err, CAIRN_ELIMIT, "%s: at most %d lines", path, DIALECT_ROWS_MAX);
		text = end;
	}
	return 0;
}

/* Appends a file's text behind what is there; the caller ends it. */
static int
read_file(const char *path, char *ret, size_t room, size_t *ret_length, struct cairn_error *err)
{
	FILE *in = fopen(path, "re");
	size_t length;
	bool failed;

	if (in == NULL)
		return cairn_error_set(err, CAIRN_EIO, "%s: %s", path, strerror(errno));
	length = fread(ret, 1, room, in);
	failed = ferror(in) != 0;
	fclose(in);
	if (failed || length == room || memchr(ret, 0, length) != NULL)
		return cairn_error_set(err, CAIRN_EINVAL, "%s: %s", path,
		    failed               ? "cannot be read"
			: length == room ? "the table is too long"
					 : "this is no text");
	*ret_length = length;
	return 0;
}

int
dialect_open(struct dialect **ret, const char *path, struct cairn_error *err)
{
	struct dialect *d = calloc(1, sizeof *d);
	size_t site = cohort_eucaim_length + 1, room = path != NULL ? DIALECT_BYTES_MAX : 0;
	size_t length = 0;
	int code = 0;

	if (d != NULL)
		d->text = calloc(1, site + room + 1);
	if (d == NULL || d->text == NULL) {
		dialect_free(d);
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	}
	memcpy(d->text, cohort_eucaim, cohort_eucaim_length);
	code = read_lines(d, d->text, "eucaim.tsv", err);
	if (code == 0 && path != NULL)
		code = read_file(path, d->text + site, room, &length, err);
	if (code == 0 && path != NULL)
		code = read_lines(d, d->text + site, path, err);
	if (code != 0) {
		dialect_free(d);
		return code;
	}
	*ret = d;
	return 0;
}

void
dialect_free(struct dialect *d)
{
	if (d == NULL)
		return;
	free(d->rows);
	free(d->text);
	free(d);
}

/* ---- looking up -------------------------------------------------------------------------- */

const struct dialect_row *
dialect_at(const struct dialect *d, size_t index)
{
	return index < d->count ? &d->rows[index] : NULL;
}

const struct dialect_row *
dialect_find(const struct dialect *d, const char *key, const char *value)
{
	for (size_t i = 0; i < d->count; i++) {
		const struct dialect_row *row = &d->rows[i];

		if (strcmp(row->key, key) != 0)
			continue;
		if (value == NULL ? row->range : !row->range && strcmp(row->value, value) == 0)
			return row;
	}
	return NULL;
}

bool
dialect_has_key(const struct dialect *d, const char *key)
{
	for (size_t i = 0; i < d->count; i++)
		if (strcmp(d->rows[i].key, key) == 0)
			return true;
	return false;
}

static const char *
key_at(const void *arg, size_t index)
{
	const struct dialect_row *row = dialect_at(arg, index);

	return row != NULL ? row->key : NULL;
}

const char *
dialect_suggest_key(const struct dialect *d, const char *key)
{
	const char *near = cohort_attribute_suggest(key);

	return near != NULL ? near : text_suggest(key, key_at, d);
}
