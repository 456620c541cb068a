/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HOST_CRASH_H
#define HOST_CRASH_H

/*
 * Says on standard error, which is the plugin's log, where the plugin crashed: one line for the
 * kernel (supervisor/hostline.h) and the backtrace.  For SIGSEGV, SIGBUS, SIGABRT, SIGFPE and
 * SIGILL; then the signal does what it always did.  A handler that is there already, a sanitizer's,
 * stays.
 */

/* Before the sandbox is closed: what a backtrace needs is loaded now.  `name` is the plugin's and
 * lives as long as the process. */
void crash_watch(const char *name);

#endif
