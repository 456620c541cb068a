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

/* Of a file by its name; of a folder by the first file found in it, at most a few thousand deep. */
const struct import_kind *import_kind_of(const char *path);
const struct import_kind *import_kind_at(unsigned index); /* NULL past the end */

#endif
