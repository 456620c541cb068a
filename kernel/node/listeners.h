/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_LISTENERS_H
#define NODE_LISTENERS_H

/* The listening sockets that the kernel made for a plugin and keeps a copy of, so that what
 * connects while no process accepts waits in the backlog.  Those that the latest process did not
 * ask for are closed when it serves. */

#include "node/node.h"

/* The `listener` of supervisor_ops; arg is the node. */
int listeners_get(void *arg, struct supervisor_plugin *process, const char *address, uint16_t port,
    int *ret_fd, struct cairn_error *err);
/* A process has ended: the next one asks anew. */
void listeners_renew(struct node_plugin *plugin);
/* Closes all, or those that nobody asked for. */
void listeners_close(struct node_plugin *plugin, bool unasked);

#endif
