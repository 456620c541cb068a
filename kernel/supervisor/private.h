/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_PRIVATE_H
#define SUPERVISOR_PRIVATE_H

/* What supervisor.c (the public functions) and plugin.c (one plugin's life) share. */

#include "runtime/arena.h"
#include "supervisor/breaker.h"
#include "supervisor/process.h"
#include "supervisor/supervisor.h"

#define SUPERVISOR_TOPIC "supervisor"
#define SUPERVISOR_NAME_MAX 32

struct waiter {
	struct waiter *next;
	void (*stopped)(void *arg);
	void *arg;
};

struct supervisor_plugin {
	struct supervisor *supervisor;
	struct supervisor_plugin *next;
	char *name, *version, *path;
	bool quiet;
	char *interpreter; /* that runs `path`; or NULL */
	int object_fd;     /* our own; 0 when `path` is loaded as it is */
	uint8_t *welcome;  /* packed */
	size_t welcome_length;
	void *user;

	enum supervisor_state state;
	struct process *process; /* from its start to its exit */
	struct breaker breaker;
	/* STARTING: the handshake's deadline; READY: heartbeats; WAITING: the back-off; STOPPING:
	 * the deadline; STOPPED: 0, to tell those who wait. */
	uv_timer_t timer;
	unsigned unanswered; /* heartbeats sent since we last heard from the host */
	bool down;           /* the connection is lost, the process not yet */
	bool ready_told;     /* ops.ready was called, ops.gone not yet */
	bool start_again;    /* when stopped */
	bool start_refused;  /* the plugin said that it cannot start */
	bool start_waits;    /* ... until something outside is different (CAIRN_EAGAIN) */
	unsigned wait_ms;    /* how long it waited for that last; 0: not yet */
	bool traced;         /* said in the log that it is under a debugger */
	bool standby;        /* a successor: prepared first, tried once */
	bool hands_over;     /* its host said that it knows how */
	unsigned restarts;
	unsigned starts;
	unsigned failures;
	uint64_t ready_since_ms;
	struct waiter *waiters;
	char verdict[SUPERVISOR_REASON_MAX]; /* why we kill it, "" otherwise */
	char last_error[SUPERVISOR_REASON_MAX];
	char earlier_error[SUPERVISOR_REASON_MAX];
	struct supervisor_failure kept[SUPERVISOR_FAILURES_KEPT]; /* a ring, by `failures` */
};

struct supervisor {
	uv_loop_t *loop;
	char *host_path, *run_dir, *log_dir;
	struct supervisor_options options;
	struct supervisor_ops ops;
	void *arg;
	struct supervisor_plugin *plugins;
	struct arena arena;   /* of the message that is being handled */
	uint64_t incarnation; /* makes socket paths that were never used before */
	size_t processes;     /* not yet released */
	size_t timers;        /* plugins whose timer is not closed, while closing */
	bool closing;
	void (*closed)(void *arg);
	void *closed_arg;
};

/* plugin.c */
int plugin_start(struct supervisor_plugin *plugin, struct cairn_error *err);
int plugin_begin(struct supervisor_plugin *plugin, struct cairn_error *err);
void plugin_stop(struct supervisor_plugin *plugin);
/* Makes the 0 ms timer tell the waiters, when STOPPED. */
void plugin_tell_waiters(struct supervisor_plugin *plugin);
void plugin_timer(uv_timer_t *timer);
/* Says why this incarnation has to end, once, and ends it. */
void plugin_condemn(struct supervisor_plugin *plugin, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A message that is nothing but its kind; WELCOME has the body that belongs to it. */
int plugin_command(struct supervisor_plugin *plugin, Cairn__Envelope__Kind kind);

/* failure.c: the last few are kept. */
void plugin_note_failure(struct supervisor_plugin *plugin, const char *what, const char *reason);

/* heartbeat.c: one question; without an answer to the ones before, the end. */
void heartbeat_ask(struct supervisor_plugin *plugin);
/* A person has stopped it to look at it; that is no reason to kill it. */
bool heartbeat_traced(struct supervisor_plugin *plugin);

/* supervisor.c: a process of this supervisor is released or a plugin stopped. */
void supervisor_progress(struct supervisor *supervisor);

#endif
