/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_SANDBOX_H
#define SANDBOX_SANDBOX_H

/*
 * How a host confines itself, in two steps, both before the plugin's first instruction:
 *
 *   sandbox_enter()  at once, while there is one thread: own user, no capabilities, no new
 *                    privileges, limits, Landlock.  The bus's threads inherit it.
 *   sandbox_seal()   when the kernel's socket is connected: system calls.  Nothing can be connected
 *                    afterwards that was not granted, and the refused calls go to the kernel.
 *
 * With `require` anything that cannot be enforced is an error; otherwise it is logged as what it
 * is: a gap.
 */

#include <cairn/error.h>

#include "sandbox/policy.h"

/* The host's descriptor on which the policy comes, and on which it sends its listener back. */
#define SANDBOX_FD 4

/* Reads it from there; blocks until it has come. */
int sandbox_receive(int fd, struct sandbox_policy *ret, struct cairn_error *err);

int sandbox_enter(const struct sandbox_policy *policy, struct cairn_error *err);

/* `report_fd` is a socket whose other end is the kernel's: the listener is sent there, and it is
 * closed.  -1: refused calls fail with EPERM and nobody is told. */
int sandbox_seal(const struct sandbox_policy *policy, int report_fd, struct cairn_error *err);

/* What this machine cannot enforce, in words, or NULL. */
const char *sandbox_missing(void);

#endif
