/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/question.h"

#include <string.h>

#include <lauxlib.h>

#include "guard/frozen.h"
#include "guard/library.h"
#include "guard/message.h"

static const char q_key, fields_key, principal_key;

static int
absent_field(lua_State *lua)
{
	struct question_state *state = lua_touserdata(lua, lua_upvalueindex(1));
	const char *key = luaL_checkstring(lua, 2);

	if (state == NULL || strcmp(key, "message") != 0)
		return library_unknown(lua, 1, "the question has no", key);
	if (state->message == NULL) {
		lua_pushnil(lua);
		return 1;
	}
	message_push(lua, state->message);
	lua_pushvalue(lua, -1);
	lua_setfield(lua, 1, "message");
	state->built = true;
	return 1;
}

/* Pushes a new table whose absent fields are looked up with `state`, and keeps it at `key`. */
static void
push_fields(lua_State *lua, struct question_state *state, const void *key)
{
	lua_newtable(lua);
	lua_createtable(lua, 0, 1);
	lua_pushlightuserdata(lua, state);
	lua_pushcclosure(lua, absent_field, 1);
	lua_setfield(lua, -2, "__index");
	lua_setmetatable(lua, -2);
	lua_pushvalue(lua, -1);
	lua_rawsetp(lua, LUA_REGISTRYINDEX, key);
}

void
question_open(lua_State *lua, struct question_state *state)
{
	push_fields(lua, state, &fields_key);
	push_fields(lua, NULL, &principal_key);
	frozen_wrap(lua);
	lua_setfield(lua, -2, "principal");
	frozen_wrap(lua);
	lua_rawsetp(lua, LUA_REGISTRYINDEX, &q_key);
}

static void
set(lua_State *lua, const char *name, const char *value)
{
	lua_pushstring(lua, value == NULL ? "" : value);
	lua_setfield(lua, -2, name);
}

static void
forget_message(lua_State *lua, struct question_state *state)
{
	if (!state->built)
		return;
	lua_rawgetp(lua, LUA_REGISTRYINDEX, &fields_key);
	lua_pushnil(lua);
	lua_setfield(lua, -2, "message");
	lua_pop(lua, 1);
	state->built = false;
}

void
question_set(lua_State *lua, struct question_state *state, const struct guard_question *question)
{
	forget_message(lua, state);
	state->message = question->message;
	lua_rawgetp(lua, LUA_REGISTRYINDEX, &fields_key);
	set(lua, "subject", question->subject);
	set(lua, "purpose", question->purpose);
	set(lua, "permit", question->permit);
	set(lua, "request_id", question->request_id);
	lua_rawgetp(lua, LUA_REGISTRYINDEX, &principal_key);
	set(lua, "name", question->principal);
	set(lua, "role", question->role);
	set(lua, "via", question->via);
	set(lua, "asked_by", question->asked_by);
	lua_pop(lua, 2);
}

void
question_push(lua_State *lua, struct question_state *state)
{
	forget_message(lua, state);
	lua_rawgetp(lua, LUA_REGISTRYINDEX, &q_key);
}
