/* SPDX-License-Identifier: Apache-2.0 */
#include "csv.h"

#include <inttypes.h>
#include <string.h>

#include "utf8.h"

#define END (-1)

void
csv_init(struct csv *csv, csv_read_fn *read, void *arg, char separator, bool latin)
{
	memset(csv, 0, sizeof *csv);
	csv->read = read;
	csv->arg = arg;
	csv->separator = separator;
	csv->latin = latin;
	csv->line = 1;
	buf_init(&csv->text, CSV_ROW_MAX);
}

void
csv_fini(struct csv *csv)
{
	buf_fini(&csv->text);
}

static int
fill(struct csv *csv, struct cairn_error *err)
{
	int code = 0;

	csv->at = csv->got = 0;
	if (!csv->ended)
		code = csv->read(csv->arg, csv->chunk, sizeof csv->chunk, &csv->got, err);
	csv->ended = csv->got == 0;
	return code;
}

/* The next byte, or END; it stays. */
static int
peek(struct csv *csv, int *ret, struct cairn_error *err)
{
	if (csv->at == csv->got) {
		int code = fill(csv, err);

		if (code != 0)
			return code;
	}
	*ret = csv->at == csv->got ? END : csv->chunk[csv->at];
	return 0;
}

static int
wrong(const struct csv *csv, uint64_t line, struct cairn_error *err, const char *what)
{
	(void)csv;
	return cairn_error_set(err, CAIRN_EINVAL, "line %" PRIu64 ": %s", line, what);
}

static int
add_byte(struct csv *csv, int byte, struct cairn_error *err)
{
	uint8_t bytes[4] = {(uint8_t)byte};
	size_t length = csv->latin ? utf8_of_latin((uint8_t)byte, bytes) : 1;

	if (byte == 0)
		return wrong(
		    csv, csv->line, err, "a zero byte: this is no text (UTF-16? save it as UTF-8)");
	if (buf_append(&csv->text, bytes, length) != 0)
		return cairn_error_set(err, CAIRN_ELIMIT,
		    "line %" PRIu64 ": the row is longer than %zu MiB; is a quote missing?",
		    csv->line, CSV_ROW_MAX >> 20);
	return 0;
}

/* Behind the opening quote, to behind the closing one. */
static int
take_quoted(struct csv *csv, struct cairn_error *err)
{
	uint64_t began = csv->line;

	for (;;) {
		int byte, code = peek(csv, &byte, err);

		if (code != 0)
			return code;
		if (byte == END)
			return wrong(csv, began, err, "a cell's quote is opened and never closed");
		csv->at++;
		if (byte == '"') {
			code = peek(csv, &byte, err);
			if (code != 0)
				return code;
			if (byte != '"')
				return 0;
			csv->at++;
		}
		csv->line += byte == '\n';
		code = add_byte(csv, byte, err);
		if (code != 0)
			return code;
	}
}

static int
take_plain(struct csv *csv, struct cairn_error *err)
{
	for (;;) {
		int byte, code = peek(csv, &byte, err);

		if (code != 0)
			return code;
		if (byte == END || byte == csv->separator || byte == '\n' || byte == '\r')
			return 0;
		if (byte == '"')
			return wrong(csv, csv->line, err,
			    "a quote inside a cell that does not begin with one; put the cell in "
			    "quotes and double those inside");
		csv->at++;
		code = add_byte(csv, byte, err);
		if (code != 0)
			return code;
	}
}

/* What ends a cell: the separator (`*ret_more`), the end of the row or of the file. */
static int
end_cell(struct csv *csv, bool *ret_more, struct cairn_error *err)
{
	int byte, code = peek(csv, &byte, err);

	*ret_more = code == 0 && byte == csv->separator;
	if (code != 0 || byte == END)
		return code;
	csv->at++;
	if (byte == csv->separator)
		return 0;
	if (byte == '\r') {
		code = peek(csv, &byte, err);
		if (code != 0)
			return code;
		if (byte != '\n')
			return wrong(
			    csv, csv->line, err, "a carriage return that no line feed follows");
		csv->at++;
	}
	if (byte != '\n')
		return wrong(csv, csv->line, err, "text behind a cell's closing quote");
	csv->line++;
	return 0;
}

static int
take_cell(struct csv *csv, bool *ret_more, struct cairn_error *err)
{
	size_t begin = csv->text.length;
	int byte, code = peek(csv, &byte, err);
	bool quoted = code == 0 && byte == '"';

	if (code != 0)
		return code;
	if (csv->count == CSV_CELLS_MAX)
		return wrong(csv, csv->line, err, "the row has more than 4096 cells");
	csv->offsets[csv->count] = begin;
	csv->quoted[csv->count] = quoted;
	csv->at += quoted;
	code = quoted ? take_quoted(csv, err) : take_plain(csv, err);
	if (code == 0 && !utf8_valid(csv->text.data + begin, csv->text.length - begin))
		return wrong(csv, csv->line, err,
		    "the text is no UTF-8; save it as UTF-8 or say `encoding: windows-1252`");
	if (code == 0 && buf_append_zero(&csv->text, 1) != 0)
		code = cairn_error_set(
		    err, CAIRN_ELIMIT, "line %" PRIu64 ": the row is too long", csv->line);
	csv->count++;
	return code != 0 ? code : end_cell(csv, ret_more, err);
}

static int
pass_mark(struct csv *csv, struct cairn_error *err)
{
	int byte, code = peek(csv, &byte, err);

	csv->began = true;
	if (code == 0 && csv->got >= 3 && memcmp(csv->chunk, "\xef\xbb\xbf", 3) == 0)
		csv->at = 3;
	return code;
}

static void
give(const struct csv *csv, struct row *ret)
{
	ret->count = csv->count;
	for (size_t i = 0; i < csv->count; i++) {
		size_t end = i + 1 < csv->count ? csv->offsets[i + 1] : csv->text.length;

		ret->cells[i] = (struct row_cell){(const char *)csv->text.data + csv->offsets[i],
		    end - csv->offsets[i] - 1, csv->quoted[i]};
	}
}

int
csv_next(struct csv *csv, struct row *ret, struct cairn_error *err)
{
	bool more = true;
	int byte, code = csv->began ? 0 : pass_mark(csv, err);

	if (code == 0)
		code = peek(csv, &byte, err);
	if (code != 0)
		return code;
	if (byte == END || csv->at_end)
		return CAIRN_ENOTFOUND;
	buf_clear(&csv->text);
	if (buf_reserve(&csv->text, 1) != 0) /* so that there is a first byte to point to */
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	csv->count = 0;
	ret->line = csv->line;
	while (code == 0 && more)
		code = take_cell(csv, &more, err);
	csv->at_end = code != 0;
	if (code == 0)
		give(csv, ret);
	return code;
}
