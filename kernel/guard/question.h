/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GUARD_QUESTION_H
#define GUARD_QUESTION_H

/*
 * `q`, what a rule is asked.  One read-only table for the life of the Lua state, filled anew for
 * each decision; the message is turned into tables only for a rule that looks at it, and anew for
 * each, so that no rule sees what another one wrote.
 */

#include <stdbool.h>

#include <lua.h>

#include "guard/guard.h"

struct question_state {
	const ProtobufCMessage *message;
	bool built;
};

/* `state` must live as long as the Lua state. */
void question_open(lua_State *lua, struct question_state *state);
void question_set(
    lua_State *lua, struct question_state *state, const struct guard_question *question);
/* Pushes `q` for the next rule. */
void question_push(lua_State *lua, struct question_state *state);

#endif
