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
 *                     failed      (breaker: restart_limit failures within restart_window_s)
 *
 * A failure is a crash or a failed start.  A crash is: the process ended without being asked, the
 * handshake took longer than 10 s, no sign of life for heartbeat_limit_ms (then SIGKILL); a failed
 * start: the plugin said why it cannot.  A host under a debugger has all the time it wants.  Each
 * incarnation gets a fresh socket on a fresh path in run_dir (nng pair sockets can stay silent
 * after a peer's sudden death), mode 0600, and only the spawned process's pid is accepted on it.
 * The host dies with the kernel.
 *
 * A successor (`standby`) is loaded beside the running one, waits in `prepared`, and starts at
 * supervisor_begin().  It is tried once; supervisor_adopt() makes it a plugin like others.
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
	SUPERVISOR_PREPARED, /* of a successor: loaded, start() waits */
};

const char *supervisor_state_text(enum supervisor_state state);

struct supervisor_options {
	const char *host_path; /* the cairn-host executable */
	const char *run_dir;   /* 0700, exists */
	const char *log_dir;   /* a host's output and errors are appended to LOG_DIR/NAME.log */
	uint64_t log_size_max; /* bytes in NAME.log before it becomes NAME.log.1; 0: 10 MiB */
	bool log_json;         /* an object a line in NAME.log */
	unsigned log_files;    /* NAME.log and the older ones together; 0: 5 */
	unsigned restart_limit;
	unsigned restart_window_s;
	unsigned stop_timeout_ms;
	unsigned heartbeat_ms;
	unsigned heartbeat_limit_ms; /* 0 means 3 * heartbeat_ms */
	unsigned handshake_ms;       /* 0 means 10,000 */
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
	/* For ledger and log: "started", "crashed", "failed to start", "failed" (the breaker is
	 * open), "stopped", with the reason. */
	void (*event)(
	    void *arg, struct supervisor_plugin *plugin, const char *what, const char *reason);
	/* It crashed and is not gone yet: what it was working on, "" for nothing.  May be NULL. */
	void (*work)(void *arg, struct supervisor_plugin *plugin, char *ret, size_t size);
	/* Before each start: a descriptor from which the host reads what it may do
	 * (sandbox/watch.h), closed by the supervisor, and the user that the host becomes, 0 for
	 * ours.  NULL: hosts are not confined, which only tests want. */
	int (*confine)(void *arg, struct supervisor_plugin *plugin, int *ret_fd, unsigned *ret_uid,
	    struct cairn_error *err);
	/* A successor can take over now.  May be NULL. */
	void (*prepared)(void *arg, struct supervisor_plugin *plugin);
	/* After supervisor_handover(): nothing from outside is under way any more.  May be NULL. */
	void (*drained)(void *arg, struct supervisor_plugin *plugin);
	/* The host asks for a listening socket; the descriptor stays the callee's.  NULL: refused.
	 */
	int (*listener)(void *arg, struct supervisor_plugin *plugin, const char *address,
	    uint16_t port, int *ret_fd, struct cairn_error *err);
};

struct supervisor_plugin_options {
	const char *name;
	const char *version;
	const char *path;        /* the shared object, or what `interpreter` runs */
	const char *interpreter; /* of a plugin in another language, or NULL */
	int object_fd; /* the shared object's bytes to run in place of `path`; duplicated; 0: none
			*/
	bool quiet;    /* its failures alarm nobody: they are logged as information */
	const Cairn__Welcome *welcome; /* copied (packed); sent at each handshake */
	void *user;                    /* supervisor_user() gives it back */
	bool standby;                  /* a successor */
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

/* What the next incarnation is: version, path, interpreter and object_fd of `options`. */
int supervisor_set_object(struct supervisor_plugin *plugin,
    const struct supervisor_plugin_options *options, struct cairn_error *err);
/* A stopped plugin that may not be started becomes failed, with the reason. */
void supervisor_refuse(struct supervisor_plugin *plugin, const char *reason);

/* ---- a successor ------------------------------------------------------------------------ */

/* A prepared successor starts; ready() or event() follows. */
int supervisor_begin(struct supervisor_plugin *plugin, struct cairn_error *err);
/* Tells a ready plugin that it has a successor; drained() follows.  False when it cannot be told:
 * it is not ready, or its host does not know how. */
bool supervisor_handover(struct supervisor_plugin *plugin);
/* The successor took over: from now on it is started again when it crashes. */
void supervisor_adopt(struct supervisor_plugin *plugin);
/* Counts starts, restarts and failures on from those of `before`, and keeps its last failures. */
void supervisor_inherit(struct supervisor_plugin *plugin, const struct supervisor_plugin *before);
/* Keeps a failure of another process among those of this plugin. */
void supervisor_blame(struct supervisor_plugin *plugin, const char *reason);
/* Frees one that is stopped or failed; nothing is called afterwards. */
void supervisor_remove(struct supervisor_plugin *plugin);
/* Whether `welcome` is what the next incarnation would be told already. */
bool supervisor_welcome_is(const struct supervisor_plugin *plugin, const Cairn__Welcome *welcome);
/* Times and limits from now on; the paths stay. */
void supervisor_set_options(
    struct supervisor *supervisor, const struct supervisor_options *options);

/* CAIRN_EUNAVAILABLE unless ready.  CAIRN_ELIMIT for an EVENT when its queue (4,096 messages, 64
 * MiB) is full; for all else, which a flood of events must not push out, at four times that. */
int supervisor_send(struct supervisor_plugin *plugin, const Cairn__Envelope *envelope);

#define SUPERVISOR_REASON_MAX 512
#define SUPERVISOR_FAILURES_KEPT 8

struct supervisor_failure {
	const char *what; /* "crashed", "failed to start" */
	uint64_t wall_ms;
	char reason[SUPERVISOR_REASON_MAX];
};

struct supervisor_info {
	const char *name, *version, *path;
	enum supervisor_state state;
	int pid;           /* 0 when none */
	unsigned restarts; /* that nobody asked for */
	unsigned starts;   /* processes begun */
	unsigned failures;
	uint64_t ready_for_ms;
	uint64_t next_try_ms; /* WAITING: from now */
	/* Why it last crashed or failed, "" once it has become ready after that: then it is the
	 * earlier error. */
	char last_error[SUPERVISOR_REASON_MAX];
	char earlier_error[SUPERVISOR_REASON_MAX];
};

void supervisor_info_get(const struct supervisor_plugin *plugin, struct supervisor_info *ret);
enum supervisor_state supervisor_state_get(const struct supervisor_plugin *plugin);
/* The last failures, latest first; fills at most `max`, returns how many. */
size_t supervisor_failures_get(
    const struct supervisor_plugin *plugin, struct supervisor_failure *ret, size_t max);
void *supervisor_user(const struct supervisor_plugin *plugin);

/* Stops every plugin, then frees everything and calls `closed`. */
void supervisor_close(struct supervisor *supervisor, void (*closed)(void *arg), void *arg);

#endif
