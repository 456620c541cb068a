/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_IMPORT_KIND_H
#define CLI_IMPORT_KIND_H

/* Which connector takes a file: by its name's end. */
struct import_kind {
	const char *subject; /* of the call */
	const char *plugin;
	const char *what;            /* for people */
	const char *const *suffixes; /* NULL: whatever no other kind takes */
};

/* Bit n: there is something for import_kind_at(n).  Of a file by its name; of a folder all kinds of
 * files that are among the first few thousand in it, and DICOM where there is nothing known. */
unsigned import_kinds_of(const char *path);
const struct import_kind *import_kind_at(unsigned index); /* NULL past the end */

#endif
