/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNTIME_BUNDLE_H
#define RUNTIME_BUNDLE_H

/*
 * A plugin in another language as one run of bytes, which is what is digested, signed, sealed and
 * run: its manifest; every file's bytes, each followed by a line with their number, whether they
 * are a program, and the file's name; and a last line with the number of files and whether they
 * were a folder:
 *
 *     name: hello-sh...
 *     #!/bin/sh...
 *     (newline)42 runs call(newline)
 *     1 folder(newline)
 *
 * It is read from its end, so that no two plugins have the same bytes.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cairn/error.h>

#define BUNDLE_FILES_MAX 64
#define BUNDLE_NAME_MAX 128
#define BUNDLE_FD_MIN 32 /* out of the way of what scripts open themselves */

struct bundle_file {
	const uint8_t *bytes;
	size_t length;
	char name[BUNDLE_NAME_MAX + 1];
	bool runs;
	int fd; /* of bundle_unpack(), else -1 */
};

struct bundle {
	const uint8_t *manifest;
	size_t manifest_length;
	struct bundle_file files[BUNDLE_FILES_MAX];
	size_t count;
	bool folder;
};

/* Borrows `bytes`. */
int bundle_read(const void *bytes, size_t length, struct bundle *ret, struct cairn_error *err);

/* Each file as a sealed memory file of its own, which a program that is executed inherits.  They
 * stay open when it fails. */
int bundle_unpack(struct bundle *bundle, struct cairn_error *err);

/* The line behind a file's bytes, and the last one.  What snprintf() returns. */
int bundle_file_line(char *ret, size_t size, size_t length, bool runs, const char *name);
int bundle_last_line(char *ret, size_t size, size_t count, bool folder);

/* No path, no control characters, not hidden. */
bool bundle_name_is_good(const char *name);

#endif
