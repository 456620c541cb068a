/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GUARD_PATTERN_H
#define GUARD_PATTERN_H

/*
 * Pattern matching for policies: PCRE2 with a match limit for every position at which a match may
 * start, and a look at the sandbox's limits between positions.  Texts are bytes; '$' is the very
 * end.  Compiled patterns are kept, PATTERN_KEPT_MAX at most.
 */

#include <lua.h>

#define PATTERN_MAX 512
#define PATTERN_SUBJECT_MAX 4096
#define PATTERN_RESULT_MAX 65536
#define PATTERN_KEPT_MAX 64

/* match(text, pattern): nil, or the captures, or the whole match when the pattern has none. */
int pattern_match(lua_State *lua);
/* replace(text, pattern, by): every match replaced by the text `by`. */
int pattern_replace(lua_State *lua);

#endif
