/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_WATCH_H
#define SANDBOX_WATCH_H

/*
 * The kernel's side of a sealed host: each call that the filter does not allow, and each open,
 * waits here for an answer.  Opens of what the policy allows go on, everything else is refused and
 * told.  An open is judged by its path's words, for the report's sake; a plugin that changes the
 * words meanwhile hides them from the report and still meets Landlock.
 *
 * What is lent (folders that are watched, files that an operator has imported) is opened here and
 * handed over as a descriptor: the plugin reads the very file that was judged, and no folder is
 * open to it.
 *
 * A plugin that tries without end waits for its answers: more than WATCH_REFUSED_PER_S refusals or
 * WATCH_OPENS_PER_S opens are put off to the next second, so that nobody else pays for it.
 */

#include <uv.h>

#include <cairn/error.h>

#include "sandbox/policy.h"

#define WATCH_REFUSED_PER_S 100
#define WATCH_OPENS_PER_S 20000
#define WATCH_TEXT_MAX 256

struct watch;

struct watch_ops {
	/* One sentence without the plugin's name: "may not open /etc/shadow". */
	void (*refused)(void *arg, const char *text);
	/* The host is gone or has no listener; the watch is freed after this. */
	void (*closed)(void *arg, struct watch *watch);
};

/* `policy` is copied.  The host's end of the socket is put into `*ret_host_fd`: it is the caller's
 * to close once the host has it. */
int watch_new(struct watch **ret, uv_loop_t *loop, const struct sandbox_policy *policy,
    const struct watch_ops *ops, void *arg, int *ret_host_fd, struct cairn_error *err);
/* One path more that is lent, until it is taken back as often. */
int watch_lend(struct watch *watch, const char *path, struct cairn_error *err);
void watch_take_back(struct watch *watch, const char *path);

/* Ends without calling anybody back; what waits in the host fails with ENOSYS. */
void watch_close(struct watch *watch);

#endif
