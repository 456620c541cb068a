/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_KEYS_H
#define CLI_KEYS_H

#include <limits.h>

#include "cli/cli.h"

/* Where the signing key NAME is: HOME/keys/signing/NAME.key, or NAME itself when it is a path. */
int keys_path(const struct cli *cli, const char *name, char ret[PATH_MAX], struct cairn_error *err);

#endif
