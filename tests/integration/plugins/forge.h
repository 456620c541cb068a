/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FORGE_H
#define TESTS_FORGE_H

/* What the API does not let a plugin say, it writes to its connection to the kernel by itself. */

#include <stddef.h>

/* `bytes` are what goes on the wire, frames and all; `name` is the plugin's.  0, or
 * ENOTCONN. */
int forge(const char *name, const char *bytes, size_t length);

#endif
