/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_FILTER_H
#define SANDBOX_FILTER_H

/*
 * System calls through seccomp: a list of what may be called, everything else is refused.  With a
 * listener the kernel is asked about each refused call, each open and each change of a folder, and
 * so knows of them; the plugin cannot silence that.  Without one they fail with EPERM unseen.
 */

#include <stdbool.h>
#include <stddef.h>

#include <cairn/error.h>

#include "sandbox/policy.h"

/* For all threads of this process, for ever.  With `listen` the listener's descriptor is put into
 * `*ret_fd`; it must be handed to a process outside before the next refused call. */
int filter_enter(
    const struct sandbox_policy *policy, bool listen, int *ret_fd, struct cairn_error *err);

/* "ptrace" of a system call's number; NULL when it has no name here. */
const char *filter_call_name(int number);

/* Where an opening call has its path, and whether it would write; false for any other call. */
struct filter_open {
	int dir; /* AT_FDCWD or a descriptor of the caller */
	unsigned long long path;
	bool writing;
};
bool filter_is_open(int number, const unsigned long long args[6], struct filter_open *ret);

/* The same of a call that removes, makes, renames or shortens: one path or two, and the verb. */
#define FILTER_PATHS_MAX 2
size_t filter_changes(int number, const unsigned long long args[6],
    struct filter_open ret[FILTER_PATHS_MAX], const char **ret_verb);

#endif
