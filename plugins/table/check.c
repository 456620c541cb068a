/* SPDX-License-Identifier: Apache-2.0 */
/* Both readings of a table, on a worker thread. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "import_private.h"

static int
read_mapping(struct import *import)
{
	BUF_AUTO text = {.max = MAPPING_FILE_MAX};
	int code = file_read(import->mapping_path, &text, &import->err);

	if (code == CAIRN_ELIMIT)
		return cairn_error_set(&import->err, code, "%s is larger than %zu KiB",
		    import->mapping_path, MAPPING_FILE_MAX >> 10);
	return code != 0 ? code
			 : mapping_parse(&import->table.mapping, import->mapping_path,
			       (const char *)text.data, text.length, &import->err);
}

static int
open_table(struct import *import)
{
	int code = read_mapping(import);

	if (code == 0)
		code =
		    source_open(&import->source, import->path, import->table.mapping, &import->err);
	if (code == 0)
		code = source_next(&import->source, &import->err);
	if (code == CAIRN_ENOTFOUND && import->err.code == 0)
		return cairn_error_set(&import->err, CAIRN_EINVAL,
		    "%s is empty: its first row is to be the header", import->path);
	return code != 0 ? code : table_header(&import->table, &import->source.row, &import->err);
}

/* 0 with a row that is taken, or CAIRN_EINVAL for a bad one; CAIRN_ENOTFOUND at the end. */
static int
next_row(struct import *import, struct report *report, struct taken **ret, bool *ret_fatal)
{
	int code;

	do {
		code = source_next(&import->source, &import->err);
		*ret_fatal = code != 0;
		if (code == 0)
			code = take_row(&import->table, &import->source.row, report, ret);
	} while (code == CAIRN_ENOTFOUND && !*ret_fatal);
	if (code != CAIRN_EINVAL && code != 0)
		*ret_fatal = true;
	return code;
}

/* A table that is no table can be read no further: that is reported, too. */
static int
unreadable(struct import *import, int code)
{
	if (code == CAIRN_ENOTFOUND)
		return 0;
	if (import->err.code == 0)
		return cairn_error_set(&import->err, code, "%s", cairn_code_text(code));
	return cairn_error_prefix(&import->err, code, "%s", import->path);
}

static int
check_rows(struct import *import)
{
	while (!import->cancelled) {
		struct taken *taken = NULL;
		bool fatal;
		int code = next_row(import, &import->report, &taken, &fatal);

		if (fatal)
			return unreadable(import, code);
		import->rows++;
		if (code == 0)
			code = conflict_check(
			    &import->conflicts, &import->table, taken, &import->report);
		import->bad_rows += code != 0;
		taken_free(taken);
	}
	return CAIRN_ECANCELLED;
}

void
import_check(struct import *import)
{
	if (import->mode == IMPORT_GUESS) {
		import->code = guess_mapping(import->path, &import->draft, &import->err);
		return;
	}
	import->code = open_table(import);
	if (import->code == 0)
		import->code = check_rows(import);
	if (import->code == 0 && import->conflicts.full)
		report_add(&import->report, (struct report_place){0, 0, ""}, "",
		    "too many patients to compare their rows");
}

void
import_drop_batch(struct import *import)
{
	for (size_t i = 0; i < import->batch_count; i++)
		taken_free(import->batch[i]);
	import->batch_count = 0;
}

/* Conflicting rows were bad in the first reading and are so again. */
void
import_read_batch(struct import *import)
{
	bool fatal = false;

	import_drop_batch(import);
	if (!import->began) {
		import->began = true;
		conflict_fini(&import->conflicts);
		import->code = source_rewind(&import->source, &import->err);
		if (import->code == 0)
			import->code = source_next(&import->source, &import->err);
	}
	while (import->code == 0 && !import->at_end && import->batch_count < BATCH_ROWS) {
		struct taken *taken = NULL;
		int code = next_row(import, &import->second, &taken, &fatal);

		import->at_end = fatal;
		if (fatal && code != CAIRN_ENOTFOUND)
			import->code = unreadable(import, code);
		if (code == 0)
			code = conflict_check(
			    &import->conflicts, &import->table, taken, &import->second);
		if (code == 0)
			import->batch[import->batch_count++] = taken;
		else
			taken_free(taken);
		import->taken += code == 0;
	}
	if (import->code == 0 && import->at_end)
		import->code = source_unchanged(&import->source, &import->err);
	if (import->code == 0 && import->at_end && import->taken != import->rows - import->bad_rows)
		import->code = cairn_error_set(&import->err, CAIRN_EAGAIN,
		    "the file reads otherwise the second time; import it again when it is whole");
}
