/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GUARD_CHANGES_H
#define GUARD_CHANGES_H

/* Which settings of settings.yaml differ between two loaded policies, for the ledger.  What stands
 * there are thresholds, names of roles and who has them: nothing secret. */

#include "guard/guard.h"

#define CHANGES_KEY_MAX 200  /* "principals.alice@example.org.role"; longer ones are cut */
#define CHANGES_TEXT_MAX 200 /* a value as text */

/* `before` and `after` are "nothing" for a key that is not there. */
typedef void (*changes_fn)(void *arg, const char *key, const char *before, const char *after);

void guard_changes(
    const struct guard *before, const struct guard *after, changes_fn each, void *arg);

#endif
