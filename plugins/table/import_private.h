/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TABLE_IMPORT_PRIVATE_H
#define TABLE_IMPORT_PRIVATE_H

#include <stdatomic.h>

#include "cairn/table.pb-c.h"
#include "conflict.h"
#include "import.h"
#include "source.h"
#include "take.h"

#define BATCH_ROWS 256

enum import_mode { IMPORT_IMPORT, IMPORT_CHECK, IMPORT_GUESS };

struct question {
	struct import *import;
	size_t same_as; /* the row of this batch that asks for the same patient */
	char pseudonym[FACTS_PATIENT_MAX + 1];
	int32_t shift;
};

struct import {
	struct plugin *plugin;
	struct import *next;
	struct cairn_request *req;
	enum import_mode mode;
	bool skip_bad_rows, began, at_end, placing;
	atomic_bool cancelled;
	char *path, *mapping_path, *draft;
	struct table table;
	struct source source;
	struct conflicts conflicts;
	struct report report, second;   /* of either reading; the second is not shown */
	uint64_t rows, bad_rows, taken; /* of the first reading; rows of the second */
	int code;
	struct cairn_error err;
	struct facts_set *set;
	struct taken *batch[BATCH_ROWS];
	struct question questions[BATCH_ROWS];
	size_t batch_count, asking;
};

/* check.c, on a worker thread: reads all of it, reports; into import->code and ->err. */
void import_check(struct import *import);
/* The next batch of the second reading. */
void import_read_batch(struct import *import);

void import_drop_batch(struct import *import);

/* guess.c: a mapping's draft from a table; malloc'ed. */
int guess_mapping(const char *path, char **ret, struct cairn_error *err);

#endif
