/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_WELCOME_H
#define CLI_WELCOME_H

/* The WELCOME of a plugin that is tested: its settings as configured, folders below the test's, and
 * keys that are no secret. */

#include "cli/tested.h"

struct welcome {
	uint8_t *bytes;
	size_t length;
};

int welcome_make(
    struct welcome *ret, const struct tested_options *options, struct cairn_error *err);
void welcome_fini(struct welcome *welcome);

/* Whether the option has a smallest or largest value that can be tried. */
bool welcome_can_override(const struct config_option *option, bool max);

#endif
