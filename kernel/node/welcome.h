/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_WELCOME_H
#define NODE_WELCOME_H

/* What a plugin is told at its start: settings, secrets, folders. */

#include <limits.h>

#include "node/node.h"

#define WELCOME_SECRETS_MAX 8
#define WELCOME_SECRET_BYTES 32

/* Everything a Welcome points to, so that nothing needs to be freed field by field. */
struct welcome {
	Cairn__Welcome message;
	Cairn__Setting *settings;
	Cairn__Setting **setting_list;
	Cairn__Secret secrets[WELCOME_SECRETS_MAX];
	Cairn__Secret *secret_list[WELCOME_SECRETS_MAX];
	uint8_t secret_bytes[WELCOME_SECRETS_MAX][WELCOME_SECRET_BYTES];
	char state_dir[PATH_MAX], objects_dir[PATH_MAX], intake_dir[PATH_MAX];
};

/* NULL with `err`; the folders that it names exist then.  It borrows from `config`. */
struct welcome *welcome_new(
    struct node *node, const struct plugin_config *config, struct cairn_error *err);
void welcome_free(struct welcome *welcome);

#endif
