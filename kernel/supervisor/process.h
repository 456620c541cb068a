/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_PROCESS_H
#define SUPERVISOR_PROCESS_H

/*
 * One incarnation of a plugin: a cairn-host process and the channel to it, on a socket of its own.
 * Knows nothing of handshakes or restarts.
 */

#include <stdint.h>

#include <uv.h>

#include <cairn/error.h>

#include "cairn/bus.pb-c.h"
#include "supervisor/hostlog.h"

struct process;

struct process_ops {
	void (*message)(void *arg, const uint8_t *bytes, size_t length);
	void (*down)(void *arg); /* the connection is lost; the process may still be there */
	void (*exited)(void *arg, int64_t status, int signal);
	/* The host asks for a listening socket, which stays the callee's. */
	int (*listener)(
	    void *arg, const char *address, uint16_t port, int *ret_fd, struct cairn_error *err);
};

struct process_options {
	const char *host_path;
	const char *plugin_path;
	const char *interpreter; /* that runs plugin_path; NULL for a shared object */
	int object_fd; /* becomes the host's RUNTIME_OBJECT_FD, which it loads from; 0: none */
	const char *name;
	struct hostlog_options log;
	const char *socket_path; /* must not exist */
	int sandbox_fd; /* where the host reads what it may do, its descriptor 4; 0: not confined */
	unsigned uid;   /* who dials the socket; 0: our own */
	const struct process_ops *ops;
	void *arg;
	/* Called once after each process_start(), failed or not, when nothing of it is left. */
	void (*released)(void *arg);
	void *released_arg;
};

int process_start(struct process **ret, uv_loop_t *loop, const struct process_options *options,
    struct cairn_error *err);
/* For what may be dropped while the host is slow: events. */
int process_send(struct process *process, const Cairn__Envelope *envelope);
/* For what may not be. */
int process_command(struct process *process, const Cairn__Envelope *envelope);
void process_kill(struct process *process); /* SIGKILL; `exited` follows */
int process_pid(const struct process *process);
/* A debugger is at it. */
bool process_traced(const struct process *process);
/* After its end: what its crash handler said, or "". */
void process_crash(struct process *process, char ret[HOSTLINE_CRASH_MAX]);
/* After its end: a line in its log. */
void process_note(struct process *process, const char *text);
/* After `exited`: drops what is in flight, closes, frees.  No callback but `released` follows. */
void process_release(struct process *process);

#endif
