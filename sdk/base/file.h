/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cairn/error.h>

#include "base/buf.h"

/* Appends a whole file to `buf` (whose max bounds it). */
int file_read(const char *path, struct buf *buf, struct cairn_error *err);

/* Replaces `path` by these bytes or leaves it as it was: temporary file beside it, fsync, rename,
 * fsync of the directory. */
int file_write(
    const char *path, const void *bytes, size_t length, mode_t mode, struct cairn_error *err);

/* mkdir -p; parents get the same mode.  An existing directory is fine. */
int file_mkdirs(const char *path, mode_t mode, struct cairn_error *err);

/* fsync of a directory, so that names made in it last. */
int file_sync_dir(const char *path, struct cairn_error *err);

/* All bytes or an error; EINTR is retried. */
int file_write_all(int fd, const void *bytes, size_t length);
int file_read_all(int fd, void *bytes, size_t length); /* CAIRN_EIO when the file is shorter */

bool file_exists(const char *path);

/* dir + "/" + name into `ret`; CAIRN_ELIMIT when it does not fit. */
int file_join(char *ret, size_t size, const char *dir, const char *name);

void file_close(const int *fd); /* for the cleanup attribute; ignores -1 */
#define FD_AUTO __attribute__((cleanup(file_close))) int

#endif
