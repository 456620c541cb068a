/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GUARD_PRELUDE_H
#define GUARD_PRELUDE_H

/* lua/prelude.lua, put into the program by the build. */

#include <stddef.h>

extern const unsigned char prelude_text[];
extern const size_t prelude_length;

#endif
