/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SH_FILES_H
#define SH_FILES_H

/* The files of the plugin's folder.  cairn-host hands them over as descriptors with the bytes that
 * were judged (CAIRN_FILES); a developer's run of cairn-sh itself names a folder instead. */

#include <stdbool.h>
#include <stddef.h>

#include <cairn/error.h>

#define FILES_MAX 64

struct file {
	char *name, *path; /* what to open or execute */
	bool runs;
};

struct files {
	struct file list[FILES_MAX];
	size_t count;
};

/* `lines` (`N runs|data NAME`) or, where that is NULL, `folder`. */
int files_find(struct files *files, const char *lines, const char *folder, struct cairn_error *err);
void files_free(struct files *files);

/* The program of that name, or NULL. */
const char *files_program(const struct files *files, const char *name);

#endif
