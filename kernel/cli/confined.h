/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_CONFINED_H
#define CLI_CONFINED_H

/* A host that this program starts, confined as a node's are. */

#include "cli/command.h"
#include "sandbox/watch.h"

struct confined {
	struct watch *watch;
	char refused[WATCH_TEXT_MAX]; /* the last that was */
};

/* As the kernel does it: the plugin's sealed bytes and what it may do, on the command's
 * descriptors.
 */
int confined_begin(struct confined *confined, uv_loop_t *loop, const struct tested_check *check,
    struct command *command, struct cairn_error *err);
/* A plugin with a user of its own must be able to dial. */
int confined_may_dial(
    const struct tested_check *check, const char *socket, struct cairn_error *err);
void confined_end(struct confined *confined);

#endif
