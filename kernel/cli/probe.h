/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_PROBE_H
#define CLI_PROBE_H

/* A plugin's own check(): in a confined cairn-host of its own, with the node's settings and
 * folders, none of which it can write. */

#include "cairn/bus.pb-c.h"
#include "cli/cli.h"
#include "config/config.h"

/* `*ret` is freed with cairn__findings__free_unpacked(); its `supported` is false for a plugin
 * without check().  CAIRN_ETIMEOUT after `timeout_ms`, CAIRN_EUNSUPPORTED for a plugin in another
 * language, which has none. */
int probe_check(const struct node_config *node, const struct plugin_config *config, bool serving,
    unsigned timeout_ms, Cairn__Findings **ret, struct cairn_error *err);

/* "fine", "warning" or "fault" */
const char *probe_severity(const Cairn__Finding *finding);

#endif
