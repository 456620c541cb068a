/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TABLE_SOURCE_H
#define TABLE_SOURCE_H

/* A table's file, of whatever format, as rows.  Blocks: for a worker thread. */

#include <sys/stat.h>

#include "csv.h"
#include "mapping.h"
#include "xlsx.h"

struct source {
	int fd;
	struct stat opened; /* to see that it is the same on the second reading */
	enum mapping_format format;
	char separator;
	bool latin;
	const char *sheet;
	struct csv csv;
	struct xlsx *xlsx;
	struct row row; /* the last one */
};

/* By the mapping, or, where it says nothing or is NULL, by the file's name. */
int source_open(struct source *source, const char *path, const struct mapping *mapping,
    struct cairn_error *err);
void source_close(struct source *source);
/* As csv_next(), into source->row. */
int source_next(struct source *source, struct cairn_error *err);
/* Back to the first row. */
int source_rewind(struct source *source, struct cairn_error *err);
/* CAIRN_EAGAIN when the file was written to since it was opened. */
int source_unchanged(const struct source *source, struct cairn_error *err);

#endif
