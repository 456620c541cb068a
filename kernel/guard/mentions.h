/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GUARD_MENTIONS_H
#define GUARD_MENTIONS_H

/* Which words the policy files use, comments left out. */

#include "guard/files.h"

/* Whether a rule file has `word` as a whole word; `quoted`: as a text of its own. */
bool mentions_word(const struct files *files, const char *word, bool quoted);

/* The quoted text nearest to `word`, into `ret`; false when there is none. */
bool mentions_nearest(const struct files *files, const char *word, char ret[64]);

#endif
