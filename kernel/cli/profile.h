/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_PROFILE_H
#define CLI_PROFILE_H

/* Setting one key in a YAML file that people edit too: the line is replaced, every other line and
 * comment stays.  Top-level keys with scalar values only. */

#include <stddef.h>

#include "base/buf.h"

#define PROFILE_VALUE_MAX 200

/* Appends `text` to `ret` with `key: value` set: in place of the line that has the key, else of the
 * comment that shows its default ("#key: ..."), else at the end.  `ret_before` gets the value that
 * stood there, "" for none.  A comment behind the value goes with it. */
int profile_set(const char *text, const char *key, const char *value, struct buf *ret,
    char ret_before[PROFILE_VALUE_MAX + 1]);

#endif
