/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFIG_SECTION_H
#define CONFIG_SECTION_H

/* Finds one section of a shared object without mapping or running it.  Private to kernel/config. */

#include <cairn/error.h>

#include "base/buf.h"

#define SECTION_COUNT_MAX 4096
#define SECTION_NAMES_MAX (1u << 20)

/* Appends the section's bytes to `buf`, whose max bounds them.  64-bit, this machine's kind. */
int section_read(const char *path, const char *name, struct buf *buf, struct cairn_error *err);
/* The same of an open file; `path` is its name in messages. */
int section_read_fd(
    int fd, const char *path, const char *name, struct buf *buf, struct cairn_error *err);

#endif
