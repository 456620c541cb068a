/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_LENT_H
#define CLI_LENT_H

#include <stddef.h>

#define LENT_MAX 16

/* What the node lends a plugin (Envelope.lend): at most LENT_MAX paths. */
struct lent {
	char **paths;
	size_t count;
};

/* The absolute `paths` without doubles, or folders above them when they are too many.
 * CAIRN_ENOMEM. */
int lent_cover(struct lent *ret, char *const *paths, size_t count);
void lent_fini(struct lent *lent);

#endif
