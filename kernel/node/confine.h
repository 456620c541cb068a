/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_CONFINE_H
#define NODE_CONFINE_H

/*
 * What each host may do: its granted capabilities as a sandbox's policy, its user, and the watch
 * that brings what was refused into log, ledger and status.  Also how much a plugin keeps on disk.
 */

#include "node/node.h"

/* The `confine` of supervisor_ops; arg is the node. */
int confine_host(void *arg, struct supervisor_plugin *process, int *ret_fd, unsigned *ret_uid,
    struct cairn_error *err);
/* After the last host has ended. */
void confine_close(struct node *node);

/* Whether a process of that session is a plugin's: hosts cannot leave their session. */
struct node_plugin *confine_plugin_of(const struct node *node, int pid);

/* Every CONFINE_DISK_MS: a plugin whose state folder is beyond plugin_disk_mb is stopped. */
#define CONFINE_DISK_MS 2000
void confine_watch_disk(struct node *node);

#endif
