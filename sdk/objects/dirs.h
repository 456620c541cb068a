/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OBJECTS_DIRS_H
#define OBJECTS_DIRS_H

/* The directories of a store, held open, and the segment files in them. */

#include <limits.h>

#include "objects/scan.h"

struct objects_dirs {
	char path[PATH_MAX];
	int root;
	int segments;
	int blobs;
	int files;    /* RECORD_FILE objects under their paths */
	int incoming; /* files not yet recorded */
};

/* What is missing is created when `create`; otherwise CAIRN_ENOTFOUND. */
int objects_dirs_open(
    struct objects_dirs *dirs, const char *path, bool create, struct cairn_error *err);
void objects_dirs_close(struct objects_dirs *dirs);

/* Opens a segment file; -1 with errno. */
int objects_dirs_segment(
    const struct objects_dirs *dirs, uint32_t id, uint32_t generation, int flags);

/* Opens a segment file for walking; its header has to say what its name says.  The caller closes
 * scan->fd.  CAIRN_ENOTFOUND when there is none. */
int objects_dirs_scan(
    const struct objects_dirs *dirs, uint32_t id, uint32_t generation, int flags, struct scan *ret);
/* Where a segment ends according to the one after it, which is there; UINT64_MAX otherwise, and
 * when that does not know. */
uint64_t objects_dirs_end(const struct objects_dirs *dirs, uint32_t next, uint32_t generation);

struct segment_file {
	uint32_t id;
	uint32_t generation;
};

/* All segment files by id, then generation; `*ret` is malloc'ed.  Files with other names are left
 * alone, but for half-made ones (".new"), which are removed when `clean`. */
int objects_dirs_list(
    const struct objects_dirs *dirs, bool clean, struct segment_file **ret, size_t *ret_count);

#endif
