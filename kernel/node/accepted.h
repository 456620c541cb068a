/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_ACCEPTED_H
#define NODE_ACCEPTED_H

#include "node/node.h"

/* Records in the ledger what was added to and taken from HOME/plugins/trust (which files are
 * accepted, what they may do) since it was looked at last, whoever wrote it and whether a node ran
 * then.  At the node's start and at every change of its plugins. */
void accepted_record(struct node *node);

#endif
