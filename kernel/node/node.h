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
 *   services.c  the subjects that the kernel itself serves
 *   control.c   the socket that the CLI speaks to
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
#include "supervisor/supervisor.h"

#define NODE_PLUGINS_MAX 64
#define NODE_JOB_WINDOW 256 /* unacknowledged jobs of one plugin */

struct node;
struct router;
struct control;

struct node_plugin {
	struct node *node;
	struct plugin_config config;
	struct supervisor_plugin *process;
	bool removed; /* disabled while the node runs: stays stopped, serves nothing */
	uint64_t taken[NODE_JOB_WINDOW];
	size_t taken_count;
	uint64_t events_dropped;
};

struct node {
	uv_loop_t *loop;
	struct node_config *config;
	struct identity *identity;
	struct ledger *ledger;
	struct jobs *jobs;
	struct guard *guard;
	struct supervisor *supervisor;
	struct router *router;
	struct control *control;
	struct node_plugin *plugins[NODE_PLUGINS_MAX];
	size_t plugin_count;
	int lock;               /* descriptor of run/lock */
	uint64_t started_ms;    /* monotonic */
	bool closing;
	unsigned starting;      /* plugins that have not been ready yet */
	void (*closed)(void *arg);
	void *closed_arg;
};

/* Opens everything under HOME and starts the enabled plugins; on failure all is closed again. */
int node_open(struct node **ret, uv_loop_t *loop, const char *home, struct cairn_error *err);

/* Stops plugins, commits what waits, writes the last checkpoint, frees, then calls `closed`. */
void node_close(struct node *node, void (*closed)(void *arg), void *arg);

/* Reads plugins/enabled again: starts what is new, stops what is gone; what stays is untouched.
 * On any error nothing has changed. */
int node_rescan(struct node *node, struct cairn_error *err);

/* Reads the plugin's settings again and, when they are right, restarts it with them. */
int node_restart(struct node *node, const char *name, struct cairn_error *err);

/* ---- plugins.c -------------------------------------------------------------------------- */

int node_plugins_add(struct node *node, struct plugin_config *config, struct cairn_error *err);
/* Exchanges the plugin's configuration with `*config`; its next incarnation is told the new one. */
int node_plugin_configure(struct node_plugin *plugin, struct plugin_config *config,
    struct cairn_error *err);
struct node_plugin *node_plugin_find(const struct node *node, const char *name);
/* A record of a plugin's life, best effort. */
void node_record(struct node *node, const char *kind, const char *subject, const char *verdict,
    const char *reason);
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
