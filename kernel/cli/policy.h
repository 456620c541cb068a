/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_POLICY_H
#define CLI_POLICY_H

/* The site's policy as the commands see it: loaded from the home's files, without a node. */

#include "cli/cli.h"
#include "config/config.h"
#include "guard/check.h"

struct policy_site {
	struct node_config *node; /* NULL when node.yaml cannot be read */
	struct plugin_config *plugins;
	size_t plugin_count;
	struct guard_served served[GUARD_SERVED_MAX];
	size_t served_count;
	struct guard *guard;
};

/* `policies`: another folder than the home's; then nothing of a home is needed.  An error is about
 * the policy's files; plugins that cannot be read serve nothing here. */
int policy_site_open(
    struct policy_site *ret, const struct cli *cli, const char *policies, struct cairn_error *err);
void policy_site_close(struct policy_site *site);

/* A message of a subject's sample question, or NULL; freed by the caller. */
ProtobufCMessage *policy_sample(const struct policy_site *site, const char *subject);

enum policy_level { POLICY_FINE, POLICY_WARNING, POLICY_ERROR };

/* What `cairn check` says of the policies and of policies/cases. */
void policy_check(const struct cli *cli,
    void (*report)(void *arg, enum policy_level level, const char *text), void *arg);

#endif
