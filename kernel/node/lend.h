/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_LEND_H
#define NODE_LEND_H

/*
 * An operator who has files imported lends them: for as long as the command's connection lives, the
 * plugin that serves the call may read what the command named, and nothing else outside its own
 * folders.  The kernel opens each file (sandbox/watch.h); the node's home is never lent.
 */

#include "node/node.h"

#define LEND_PATHS_MAX 16 /* in one call */

struct lend;

/* Lends to whoever serves `subject` and remembers it in `*list`.  CAIRN_EINVAL for what is no
 * absolute path; CAIRN_ELIMIT. */
int lend_paths(struct node *node, struct lend **list, const char *subject, char *const *paths,
    size_t count, struct cairn_error *err);
/* Takes all back. */
void lend_end(struct lend **list);

#endif
