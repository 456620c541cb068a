/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_FIGURES_H
#define NODE_FIGURES_H

/* The node as a page of figures, and what the service manager is told of it. */

#include "node/node.h"
#include "observe/page.h"

/* endpoint_fill_fn; arg is the node. */
void figures_page(void *arg, struct page *page);

/* Opens what node.yaml asks for: log, core files, metrics.  What cannot be opened is logged and
 * does not keep the node from serving. */
void observe_open(struct node *node);
void observe_close(struct node *node);
/* METRICS of a plugin. */
void observe_metrics(struct node_plugin *plugin, const Cairn__Envelope *envelope);
/* `on_failure: open`: it is missed by nobody, so that its failures are no alarm. */
bool observe_is_quiet(const struct plugin_config *config);
/* A plugin's state may have changed: STATUS, and READY once each is ready or known to fail. */
void observe_plugins(struct node *node);
/* Around a reload. */
void observe_reload(struct node *node, bool begins);
/* Where the system puts core files, in words; "" when core_files is off. */
void observe_core(const struct node *node, char *ret, size_t size);

#endif
