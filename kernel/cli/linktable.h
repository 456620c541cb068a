/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_LINKTABLE_H
#define CLI_LINKTABLE_H

/*
 * A table of identifiers: CSV (RFC 4180) of type,issuer,id triplets, those of a line one patient's;
 * triplets that are empty are left out, and so are empty lines, comments (#) and a first line that
 * begins with the word "type".
 */

#include "cairn/link.pb-c.h"

#include <cairn/error.h>

#define LINKTABLE_BYTES_MAX (12u << 20)
#define LINKTABLE_ERRORS_MAX 100

struct linktable {
	Cairn__PatientLink request;
	Cairn__PatientChange change; /* holds the errors, for linktable_errors() */
	Cairn__LinkRowError items[LINKTABLE_ERRORS_MAX], *list[LINKTABLE_ERRORS_MAX];
	size_t error_count;
	size_t row_room;
	char *text;
};

int linktable_read(const char *path, struct linktable *ret, struct cairn_error *err);
/* Takes `text` (malloc'ed, ends in a zero), also on failure. */
int linktable_parse(char *text, size_t length, struct linktable *ret, struct cairn_error *err);
const Cairn__PatientChange *linktable_errors(struct linktable *table);
void linktable_fini(struct linktable *table);

#endif
