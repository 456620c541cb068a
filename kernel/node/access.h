/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_ACCESS_H
#define NODE_ACCESS_H

/* A manifest's granted capabilities as a sandbox's policy. */

#include "config/config.h"
#include "sandbox/policy.h"

/* What a plugin of this manifest may do.  `bin_dir` is where cairnd lies. */
int access_policy(const struct node_config *config, const struct manifest *manifest,
    const char *bin_dir, struct sandbox_policy *ret, struct cairn_error *err);

/* What its check() may do, beside the one that may be serving. */
int access_check_policy(const struct node_config *config, const struct manifest *manifest,
    const char *bin_dir, struct sandbox_policy *ret, struct cairn_error *err);

#endif
