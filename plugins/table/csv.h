/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TABLE_CSV_H
#define TABLE_CSV_H

/*
 * Rows of a table, one at a time, in bounded memory.  CSV and TSV as RFC 4180 has them, strictly:
 * quotes around a whole cell, doubled inside; a quote elsewhere, text behind a closing quote and a
 * cell that never ends are errors, with their line.  LF and CRLF end a row; a byte order mark is
 * passed over.  Text becomes UTF-8; what is none is an error.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cairn/error.h>

#include "base/buf.h"

#define CSV_CELLS_MAX 4096
#define CSV_ROW_MAX ((size_t)4 << 20) /* bytes */

struct row_cell {
	const char *text; /* ends with a zero, and has none inside */
	size_t length;
	bool quoted; /* "" and nothing are not the same */
};

struct row {
	uint64_t line; /* where it begins */
	size_t count;
	struct row_cell cells[CSV_CELLS_MAX];
};

/* Fills `bytes`; 0 bytes at the end. */
typedef int csv_read_fn(
    void *arg, uint8_t *bytes, size_t size, size_t *ret_length, struct cairn_error *err);

struct csv {
	csv_read_fn *read;
	void *arg;
	char separator;
	bool latin; /* windows-1252 instead of UTF-8 */
	uint64_t line;
	bool began, ended, at_end; /* a byte order mark is behind us; the file, the rows are */
	struct buf text;           /* the cells of a row, each with a zero behind it */
	size_t offsets[CSV_CELLS_MAX];
	bool quoted[CSV_CELLS_MAX];
	size_t count, at, got;
	uint8_t chunk[65536];
};

void csv_init(struct csv *csv, csv_read_fn *read, void *arg, char separator, bool latin);
void csv_fini(struct csv *csv);

/* Cells live until the next call.  CAIRN_ENOTFOUND behind the last row; CAIRN_EINVAL ("line N:
 * ..."), CAIRN_ELIMIT, CAIRN_EIO, after which there is no next row. */
int csv_next(struct csv *csv, struct row *ret, struct cairn_error *err);

#endif
