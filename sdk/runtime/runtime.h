/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNTIME_RUNTIME_H
#define RUNTIME_RUNTIME_H

/*
 * A plugin's side of the bus: what cairn-host is made of, and what a unit test runs a plugin in.
 * Implements the functions of cairn/plugin.h on top of a channel.
 *
 *   dial -> HELLO -> WELCOME -> load, start() -> READY -> traffic -> STOP -> stop() -> STOPPED
 *
 * A host that takes over from another is told so by WELCOME: it loads, says PREPARED, and start()
 * waits for BEGIN.  The other gets HANDOVER, says DRAINED when nothing from outside is under way,
 * and then STOP.
 *
 * READY with an error and STOPPED are acknowledged by the kernel with STOP, so that the process
 * does not end before they are read.  Losing the kernel ends everything at once.
 */

#include <uv.h>

#include <cairn/plugin.h>

/* A host whose descriptor of this number is sealed memory (memfd_create(2)) loads its plugin from
 * there: bytes that the kernel checked and nobody can change.  `path` is their name then. */
#define RUNTIME_OBJECT_FD 3
/* On its descriptor of this number the host asks the kernel for listening sockets (listener.h); 4
 * is the sandbox's.  Without one it makes them itself. */
#define RUNTIME_LISTENER_FD 5

struct runtime_options {
	const char *url;                   /* the kernel's socket */
	int kernel_pid;                    /* who must be listening on it */
	const char *name;                  /* the plugin's */
	const char *path;                  /* its shared object; or, in tests: */
	const struct cairn_plugin *plugin; /* a plugin linked into this program */
	/* The process should end now with this status.  Called once, on the loop. */
	void (*finished)(void *arg, int status);
	/* The kernel's socket is connected and the plugin not loaded yet: the last moment to
	 * confine this process.  May be NULL. */
	int (*confine)(void *arg, struct cairn_error *err);
	void *arg;
};

int runtime_new(struct cairn **ret, uv_loop_t *loop, const struct runtime_options *options,
    struct cairn_error *err);

/* Only tests need this: a host simply ends.  Calls that wait are never answered. */
void runtime_close(struct cairn *cairn, void (*closed)(void *arg), void *arg);

#endif
