/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_SUBJECTS_H
#define NODE_SUBJECTS_H

/* Who serves what. */

#include "node/node.h"

/* The plugin that serves `subject`, and what its manifest says of it; NULL when none does. */
struct node_plugin *subjects_handler(
    const struct node *node, const char *subject, const struct manifest_serve **ret_serve);

/* A subject that is served here and was probably meant, or NULL. */
const char *subjects_near(const struct node *node, const char *subject);

#endif
