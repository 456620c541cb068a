/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_SUPERVISOR_H
#define SUPERVISOR_SUPERVISOR_H

/*
 * One cairn-host process per plugin: started, shaken hands with, watched, restarted with back-off,
 * stopped in order.
 *
 *   stopped -> starting -> ready -> stopping -> stopped
 *                 |          |
 *                 +- waiting <+   (crashed; starts again after 50 ms, 100 ms, ... at most 10 s)
 *                       |
 *                     failed      (breaker: restart_limit crashes within restart_window_s)
 *
 * A crash is: the process ended without being asked, start() failed, the handshake took longer
 * than 10 s, three heartbeats in a row unanswered (then SIGKILL).  Each incarnation gets a fresh
 * socket on a fresh path in run_dir (nng pair sockets can stay silent after a peer's sudden death),
 * mode 0600, and only the spawned process's pid is accepted on it.  The host dies with the kernel.
 */

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include <cairn/error.h>

#include "cairn/bus.pb-c.h"

struct supervisor;

enum supervisor_state {
	SUPERVISOR_STOPPED,
	SUPERVISOR_STARTING,
	SUPERVISOR_READY,
	SUPERVISOR_WAITING,
	SUPERVISOR_STOPPING,
	SUPERVISOR_FAILED,
};

const char *supervisor_state_text(enum supervisor_state state);

struct supervisor_options {
	const char *host_path; /* the cairn-host executable */
	const char *run_dir;   /* 0700, exists */
	const char *log_dir;   /* a host's output and errors are appended to LOG_DIR/NAME.log */
	unsigned restart_limit;
	unsigned restart_window_s;
	unsigned stop_timeout_ms;
	unsigned heartbeat_ms;
	unsigned handshake_ms; /* 0 means 10,000 */
};

struct supervisor_plugin; /* one plugin; lives as long as the supervisor */

struct supervisor_ops {
	/* start() returned 0: traffic may flow. */
	void (*ready)(void *arg, struct supervisor_plugin *plugin);
	/* The process is gone (or going): fail its calls, release its jobs.  After each ready. */
	void (*gone)(void *arg, struct supervisor_plugin *plugin);
	/* Any envelope but HELLO, READY, PONG and STOPPED, which the supervisor handles.
	 * Borrowed. */
	void (*message)(
	    void *arg, struct supervisor_plugin *plugin, const Cairn__Envelope *envelope);
	/* For ledger and log: "started", "crashed", "failed", "stopped", with the reason. */
	void (*event)(
	    void *arg, struct supervisor_plugin *plugin, const char *what, const char *reason);
};

struct supervisor_plugin_options {
	const char *name;
	const char *version;
	const char *path;              /* the shared object */
	const Cairn__Welcome *welcome; /* copied (packed); sent at each handshake */
	void *user;                    /* supervisor_user() gives it back */
};

int supervisor_new(struct supervisor **ret, uv_loop_t *loop,
    const struct supervisor_options *options, const struct supervisor_ops *ops, void *arg,
    struct cairn_error *err);

int supervisor_add(struct supervisor *supervisor, const struct supervisor_plugin_options *options,
    struct supervisor_plugin **ret, struct cairn_error *err);

int supervisor_start(struct supervisor_plugin *plugin, struct cairn_error *err);
/* Orderly: STOP, wait stop_timeout_ms, SIGKILL.  `stopped` (may be NULL) is called later on the
 * loop, once the process is gone (also when there was none). */
void supervisor_stop(struct supervisor_plugin *plugin, void (*stopped)(void *arg), void *arg);
/* Stop, clear the breaker, start. */
int supervisor_restart(struct supervisor_plugin *plugin, struct cairn_error *err);

/* What the next incarnation is told; the running one keeps what it has.  Copied (packed). */
int supervisor_set_welcome(
    struct supervisor_plugin *plugin, const Cairn__Welcome *welcome, struct cairn_error *err);

/* CAIRN_EUNAVAILABLE unless ready.  CAIRN_ELIMIT for an EVENT when its queue (4,096 messages, 64
 * MiB) is full; for all else, which a flood of events must not push out, at four times that. */
int supervisor_send(struct supervisor_plugin *plugin, const Cairn__Envelope *envelope);

struct supervisor_info {
	const char *name, *version, *path;
	enum supervisor_state state;
	int pid; /* 0 when none */
	unsigned restarts;
	uint64_t ready_for_ms;
	char last_error[256]; /* why it last crashed or failed; "" when never */
};

void supervisor_info_get(const struct supervisor_plugin *plugin, struct supervisor_info *ret);
void *supervisor_user(const struct supervisor_plugin *plugin);

/* Stops every plugin, then frees everything and calls `closed`. */
void supervisor_close(struct supervisor *supervisor, void (*closed)(void *arg), void *arg);

#endif
