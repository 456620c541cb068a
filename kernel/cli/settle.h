/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_SETTLE_H
#define CLI_SETTLE_H

/* Waiting for what becomes of a plugin that was asked to start. */

#include "cli/cli.h"

/* `counts` is the node's answer to a restart or rescan.  0 once the plugin is ready; otherwise the
 * error says why it is not, in the plugin's own words. --timeout, else 30 s. */
int settle_wait(
    const struct cli *cli, const json_t *counts, const char *name, struct cairn_error *err);

#endif
