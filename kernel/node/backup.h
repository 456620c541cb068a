/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_BACKUP_H
#define NODE_BACKUP_H

/* What the kernel has to do with a backup, which another process makes while the node runs: it
 * stands in the ledger who took a copy of everything, where to, and whether with the keys. */

#include <jansson.h>

#include "node/node.h"

/* kernel.backup: {"step": "begun" | "made" | "failed", "to": PATH, "keys": BOOL} */
int backup_serve(struct node *node, const json_t *request, json_t *reply, struct cairn_error *err);

#endif
