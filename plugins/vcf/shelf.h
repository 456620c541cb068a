/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VCF_SHELF_H
#define VCF_SHELF_H

/*
 * The carrier indexes that are held, and the patients of them all by number.  An index file is
 * named SOURCE-CONTENT.gx: SOURCE is a digest of where its file was, CONTENT of what was in it and
 * whose its samples are.  A file that is imported again with other content takes the place of the
 * earlier one.  Owner thread: the plugin's loop.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "genomics/carriers.h"

#define SHELF_INDEXES_MAX 100000u
#define SHELF_PATIENTS_MAX 1000000u
#define SHELF_DIGEST 16u                  /* hexadecimal digits of each */
#define SHELF_NAME (2 * SHELF_DIGEST + 5) /* with "-", ".gx" and the zero */

struct shelved {
	struct carriers *carriers;
	char name[SHELF_NAME];
	uint32_t *patient; /* of each sample: its number */
};

struct shelf {
	char *dir;
	struct shelved **indexes;
	size_t count;
	char **patients; /* the dictionary */
	size_t patient_count;
	char version[17]; /* of it */
	size_t damaged;   /* index files that could not be opened */
};

int shelf_open(struct shelf **ret, const char *dir, struct cairn_error *err);
void shelf_free(struct shelf *shelf);
/* Where an index of that name is put. */
void shelf_name(const char *source, const char *content, char ret[SHELF_NAME]);
bool shelf_has_content(const struct shelf *shelf, const char *content);
/* Opens what was put at `name` and drops the one that it replaces; `*ret_replaced`. */
int shelf_add(struct shelf *shelf, const char *name, bool *ret_replaced, struct cairn_error *err);

#endif
