/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_REPLACE_H
#define NODE_REPLACE_H

/* What operators ask of handover.h: kernel.plugin.switch, kernel.plugin.restart, kernel.reload.
 * JSON in and out, answered when all is done; whoever asked may have left by then. */

#include <jansson.h>

#include "node/node.h"

/* {name, version, verb}: runs another installed version, "" for that of plugin_dir; the links
 * `current` and `previous` follow once it serves.  drain_ms, ready_ms: limits. */
int replace_switch(
    struct node *node, const json_t *request, json_t *reply, struct cairn_error *err);
/* {name}: with its settings read again. */
int replace_restart(
    struct node *node, const json_t *request, json_t *reply, struct cairn_error *err);
/* Everything that is read at the start is read and proven again, and what changed is replaced. */
int replace_reload(
    struct node *node, const json_t *request, json_t *reply, struct cairn_error *err);
/* The same, for a signal: what comes of it is in log and ledger. */
void replace_reload_quietly(struct node *node, const char *asker);

#endif
