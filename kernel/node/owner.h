/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_OWNER_H
#define NODE_OWNER_H

/*
 * A user for each plugin, where the node runs as root.  The owner of state/NAME is the record of
 * who that is, so that nothing else can disagree.  Plugins that share the object store share the
 * first user of the range; Landlock keeps them out of each other's state all the same.
 */

#include "config/config.h"

/* `*ret_uid` is 0 where the node is not root, node.yaml says so, or other users cannot reach the
 * home or `bin_dir`; the log says which.  Files of the plugin are given to the user. */
int owner_take(const struct node_config *config, const struct manifest *manifest,
    const char *bin_dir, unsigned *ret_uid, struct cairn_error *err);

#endif
