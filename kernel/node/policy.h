/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_POLICY_H
#define NODE_POLICY_H

/* The policy of a running node: proven before it decides, exchanged without a restart. */

#include <jansson.h>

#include "node/node.h"

/* Loads HOME/policies. */
int node_policy_open(const struct node *node, struct guard **ret, struct cairn_error *err);

/* Holds the policy against the enabled plugins, and puts the site's cases to it.  Warnings go to
 * the log and, unless NULL, into the array `warnings`; the first error is the result. */
int node_policy_check(
    const struct node *node, struct guard *guard, json_t *warnings, struct cairn_error *err);

/* The same against the plugins that there would be. */
int node_policy_check_set(const struct node *node, struct guard *guard,
    const struct manifest *const *manifests, size_t count, json_t *warnings,
    struct cairn_error *err);

/* Decides by `guard`, which was checked, from now on; takes it.  Recorded, when it is another, with
 * who asked for it.  `reply` (may be NULL) gets changed, digest, before, rules and warnings. */
void node_policy_take(
    struct node *node, struct guard *guard, const char *principal, json_t *reply, json_t *warnings);
/* Records that the policy stays, and why. */
void node_policy_keep(struct node *node, const char *principal, const struct cairn_error *err);

/* rules, digest, and whether the files are others by now. */
json_t *node_policy_json(const struct node *node);

#endif
