/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_CALLS_H
#define SANDBOX_CALLS_H

/* The system calls that any plugin may make, whatever their arguments.  Private to the sandbox. */

#include <stddef.h>

extern const int calls_allowed[];
extern const size_t calls_allowed_count;

#endif
