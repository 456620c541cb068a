/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_NODE_H
#define NODE_NODE_H

/*
 * The node: one kernel with its plugins, wired together.  Everything happens on one libuv loop;
 * only the ledger's and the jobs' commits run on worker threads of their own.
 *
 *   node.c      opens and closes the parts in order
 *   plugins.c   the enabled set: adds, removes, hands each plugin its settings and secrets
 *   router.c    calls: find who serves, ask the guard, record, deliver, watch deadlines
 *   dispatch.c  events and durable jobs
 *   handover.c  replaces running plugins without losing a message
 *   listeners.c the plugins' listening sockets, kept over their processes
 *   replace.c   what operators ask of it: upgrade, rollback, restart, reload
 *   services.c  the subjects that the kernel itself serves
 *   pseudonyms.c  who a patient becomes; patients.c: what staff see of it and change
 *   policy.c    the policy: proven, exchanged while the node runs
 *   report.c    what plugins put into the ledger themselves
 *   access.c    what each host may do
 *   confine.c   its sandbox, and what it was refused
 *   owner.c     the user that each host runs as, where the node runs as root
 *   figures.c   the node as a page of figures
 *   observe.c   log, core files, metrics, what the service manager is told
 *   control.c   the socket that the CLI speaks to
 *   health.c    how the plugins say they are
 *   backup.c    who took a copy of everything stands in the ledger
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include <cairn/error.h>

#include "config/config.h"
#include "guard/guard.h"
#include "identity/identity.h"
#include "jobs/jobs.h"
#include "ledger/ledger.h"
#include "node/memory.h"
#include "supervisor/supervisor.h"

#define NODE_PLUGINS_MAX 64
#define NODE_JOB_WINDOW 256               /* unacknowledged jobs of one plugin */
#define NODE_JOB_WINDOW_BYTES (16u << 20) /* of their bodies; one job may be beyond */
#define NODE_REFUSALS_SHOWN                                                  \
	10 /* of one plugin in NODE_REFUSALS_MS; the others are only counted \
	    */
#define NODE_REFUSALS_MS 60000u

#define NODE_WATCHES_MAX 3
#define NODE_LISTENERS_MAX 8
#define NODE_ADDRESS_MAX 64

struct node;
struct exchange;
struct handover;
struct health;
struct watch;
struct router;
struct router_origin;
struct control;
struct endpoint;
struct metrics;
struct nodelog;
struct notify;
struct link;
struct budget;

struct node_job {
	uint64_t id;
	size_t bytes;
};

struct node_listener {
	char address[NODE_ADDRESS_MAX];
	uint16_t port;
	int fd;
	bool asked; /* by the latest process */
};

struct node_plugin {
	struct node *node;
	struct plugin_config config;
	struct supervisor_plugin *process; /* NULL once the supervisor is closed */
	bool removed; /* disabled while the node runs: stays stopped, serves nothing */
	bool was_ready;
	bool holding;              /* calls wait and no jobs are handed out: handover.h */
	struct exchange *exchange; /* it is being replaced */
	struct node_listener listeners[NODE_LISTENERS_MAX];
	size_t listener_count;
	int log_level; /* enum cairn_log_level; told to each process when it is ready */
	unsigned
	    incarnation; /* grows when the process is gone: answers to an old one are dropped */
	unsigned calls;  /* under way that it made */
	struct node_job taken[NODE_JOB_WINDOW];
	size_t taken_count;
	size_t taken_bytes;
	uint64_t events_dropped;
	uint64_t metrics_since_ms, metrics_dropped;
	unsigned metrics_count;                  /* METRICS since then */
	uint64_t refused;                        /* what it was not allowed to do */
	uint64_t refused_since_ms;               /* when the current NODE_REFUSALS_MS began */
	unsigned refused_shown;                  /* logged and recorded since then */
	char last_refused[256];                  /* "" when never */
	uint64_t reports_since_ms;               /* when its minute of own records began */
	unsigned reports;                        /* put into the ledger since then */
	struct watch *watches[NODE_WATCHES_MAX]; /* of its hosts, confine.c */
	struct health *health;                   /* what it said of itself last; NULL: not asked */
};

struct node {
	uv_loop_t *loop;
	struct node_config *config;
	struct identity *identity;
	struct ledger *ledger;
	struct jobs *jobs;
	struct link *link;
	struct guard *guard;
	struct budget *budget; /* NULL: none is kept */
	struct supervisor *supervisor;
	struct router *router;
	struct control *control;
	struct metrics *metrics; /* these are observe.c's and may be NULL */
	struct endpoint *endpoint;
	struct nodelog *log;
	struct notify *notify;
	bool settled;             /* the service manager was told that we are ready */
	uint64_t metrics_refused; /* figures of plugins that were not taken */
	struct memory *memory;
	struct handover *handover; /* under way, or NULL */
	uv_timer_t disk_timer;     /* confine.c; no data: not running */
	struct node_plugin *plugins[NODE_PLUGINS_MAX];
	size_t plugin_count;
	int lock;                /* descriptor of run/lock */
	uint64_t started_ms;     /* monotonic */
	int64_t clock_offset_ms; /* health.h, when it started */
	bool closing;
	bool gave_up;      /* a plugin with `on_failure: stop` failed: the exit status is 1 */
	const char *asker; /* who asks, during a call of kernel.* */
	const struct router_origin *asking; /* and where the answer goes */
	unsigned starting;                  /* plugins that have not been ready yet */
	void (*closed)(void *arg);
	void *closed_arg;
};

struct node_options {
	const char *home;
	bool development; /* plugins need no signature and no pin */
};

/* Opens everything under HOME and starts the enabled plugins; on failure all is closed again. */
int node_open(struct node **ret, uv_loop_t *loop, const struct node_options *options,
    struct cairn_error *err);

/* Stops plugins, commits what waits, writes the last checkpoint, frees, then calls `closed`. */
void node_close(struct node *node, void (*closed)(void *arg), void *arg);

/* Everything that can be read again is: node.yaml, plugins/enabled, the files behind it. */
struct supervisor_options node_supervisor_options(const struct node_config *config);
/* Starts a plugin that is `removed`, or whose process ended in order. */
int node_plugin_start(struct node_plugin *plugin, struct cairn_error *err);
/* Stops it for good. */
void node_plugin_take_out(struct node_plugin *plugin, const char *reason);

/* Reads plugins/enabled again: starts what is new, stops what is gone; what stays is untouched.
 * On any error nothing has changed. */
int node_rescan(struct node *node, struct cairn_error *err);

/* Reads the plugin's settings again and, when they are right, restarts it with them. */
int node_restart(struct node *node, const char *name, struct cairn_error *err);

/* ---- plugins.c -------------------------------------------------------------------------- */

int node_plugins_add(struct node *node, struct plugin_config *config, struct cairn_error *err);
/* Exchanges the plugin's configuration with `*config`; its next incarnation is told the new one. */
int node_plugin_configure(
    struct node_plugin *plugin, struct plugin_config *config, struct cairn_error *err);
/* A process of `config` beside the running one, not started; `*ret` becomes the plugin's. */
int node_plugin_successor(struct node_plugin *plugin, const struct plugin_config *config,
    struct supervisor_plugin **ret, struct cairn_error *err);
/* Whether `config` would tell and run nothing else than what the plugin has. */
bool node_plugin_same(struct node_plugin *plugin, const struct plugin_config *config);
/* Records and logs a plugin of which nobody knows where it comes from: CAIRN_EFORBIDDEN when it may
 * not run, 0 when it runs all the same (development mode) or nothing is wrong with it. */
int node_plugin_origin(
    struct node *node, const struct plugin_config *config, struct cairn_error *err);
struct node_plugin *node_plugin_find(const struct node *node, const char *name);
/* CAIRN_EUNAVAILABLE unless its process is ready; CAIRN_ELIMIT when its queue is full. */
int node_plugin_send(struct node_plugin *plugin, const Cairn__Envelope *envelope);
/* "closed", "open" or "stop". */
const char *node_plugin_on_failure(const struct node_plugin *plugin);
/* Why it did not take a call: sending returned `code`. */
void node_plugin_down(const struct node_plugin *plugin, int code, char *ret, size_t size);
void node_plugin_tell_log_level(struct node_plugin *plugin);
enum supervisor_state node_plugin_state(const struct node_plugin *plugin);
/* Whether the manifest has the capability KIND:WHAT. */
bool node_plugin_may(const struct node_plugin *plugin, const char *kind, const char *what);
/* It tried what it may not: logged and recorded, unless it does so all the time. */
void node_plugin_refuse(struct node_plugin *plugin, const char *text);
/* A record of a plugin's life, best effort. */
void node_record(struct node *node, const char *kind, const char *subject, const char *verdict,
    const char *reason);
/* memory_pids_fn, arg is the node: the kernel and every plugin that has a process. */
size_t node_pids(void *arg, int *ret, size_t max);
extern const struct supervisor_ops node_supervisor_ops;

/* ---- dispatch.c ------------------------------------------------------------------------- */

void dispatch_event(struct node_plugin *from, const Cairn__Envelope *envelope);
void dispatch_job_put(struct node_plugin *from, const Cairn__Envelope *envelope);
void dispatch_job_ack(struct node_plugin *from, const Cairn__Envelope *envelope);
/* Gives `plugin` the jobs it may have now. */
void dispatch_jobs(struct node_plugin *plugin);
void dispatch_release(struct node_plugin *plugin);
void dispatch_wake(void *arg, const char *queue); /* jobs_wake_fn, arg is the node */

#endif
