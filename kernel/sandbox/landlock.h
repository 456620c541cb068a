/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_LANDLOCK_H
#define SANDBOX_LANDLOCK_H

/*
 * Files and TCP through Landlock, by system call (Debian 12's headers know version 2 only).  What
 * the running kernel is too old for is reported, never silently left out.
 *
 *   1  files and folders    3  truncating      5  device ioctls
 *   2  moving between them  4  TCP             6  signals and abstract sockets of others
 */

#include <cairn/error.h>

#include "sandbox/policy.h"

/* The version that the running kernel offers; 0: none. */
int landlock_version(void);
/* What a kernel of that version cannot enforce, in words; NULL when nothing is missing. */
const char *landlock_missing(int version);

/* For this thread and what it starts; needs no privilege but PR_SET_NO_NEW_PRIVS.  Does what the
 * kernel can; CAIRN_EUNSUPPORTED when that is nothing. */
int landlock_enter(const struct sandbox_policy *policy, struct cairn_error *err);

#endif
