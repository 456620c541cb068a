/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/frozen.h"

#include <lauxlib.h>

#include "guard/sandbox.h"

static const char seen_key; /* registry: set of the functions and tables already handled */

/* ---- read-only tables ------------------------------------------------------------------- */

/* Pushes the hidden table of the read-only one at `index`; or nothing, and false. */
static bool
push_hidden(lua_State *lua, int index)
{
	if (!lua_getmetatable(lua, index))
		return false;
	lua_pushliteral(lua, "frozen");
	lua_rawget(lua, -2);
	if (!lua_istable(lua, -1)) {
		lua_pop(lua, 2);
		return false;
	}
	lua_remove(lua, -2);
	return true;
}

int
frozen_next(lua_State *lua)
{
	sandbox_check(lua);
	luaL_checktype(lua, 1, LUA_TTABLE);
	lua_settop(lua, 2);
	if (push_hidden(lua, 1))
		lua_replace(lua, 1);
	if (lua_next(lua, 1) != 0)
		return 2;
	lua_pushnil(lua);
	return 1;
}

static int
frozen_pairs(lua_State *lua)
{
	luaL_checktype(lua, 1, LUA_TTABLE);
	lua_pushcfunction(lua, frozen_next);
	lua_pushvalue(lua, 1); /* not the hidden one: it would come into the rule's hands */
	lua_pushnil(lua);
	return 3;
}

static int
frozen_length(lua_State *lua)
{
	if (!push_hidden(lua, 1))
		lua_pushvalue(lua, 1);
	lua_pushinteger(lua, (lua_Integer)lua_rawlen(lua, -1));
	return 1;
}

static int
refuse_write(lua_State *lua)
{
	const char *key = lua_type(lua, 2) == LUA_TSTRING ? lua_tostring(lua, 2) : "...";

	return luaL_error(lua,
	    "'%s' cannot be set: after loading everything is read-only, and one decision leaves "
	    "nothing for the next (use 'local')", key);
}

/* Gives the empty table at `index` the hidden one on top, which it pops. */
static void
hide(lua_State *lua, int index)
{
	static const luaL_Reg methods[] = {{"__newindex", refuse_write}, {"__len", frozen_length},
	    {"__pairs", frozen_pairs}, {NULL, NULL}};

	index = lua_absindex(lua, index);
	lua_createtable(lua, 0, 5);
	luaL_setfuncs(lua, methods, 0);
	lua_pushvalue(lua, -2);
	lua_setfield(lua, -2, "__index");
	lua_pushvalue(lua, -2);
	lua_setfield(lua, -2, "frozen");
	lua_setmetatable(lua, index);
	lua_pop(lua, 1);
}

void
frozen_make(lua_State *lua, int index)
{
	index = lua_absindex(lua, index);
	luaL_checkstack(lua, 8, "too much at once");
	if (push_hidden(lua, index)) {
		lua_pop(lua, 1);
		return;
	}
	lua_newtable(lua);
	for (lua_pushnil(lua); lua_next(lua, index) != 0;) {
		lua_pushvalue(lua, -2);
		lua_insert(lua, -2);
		lua_rawset(lua, -4);
	}
	for (lua_pushnil(lua); lua_next(lua, index) != 0;) {
		lua_pop(lua, 1);
		lua_pushvalue(lua, -1);
		lua_pushnil(lua);
		lua_rawset(lua, index); /* allowed for the key lua_next() is at */
	}
	if (lua_getmetatable(lua, index))
		lua_setmetatable(lua, -2);
	hide(lua, index);
}

void
frozen_wrap(lua_State *lua)
{
	lua_newtable(lua);
	lua_insert(lua, -2);
	hide(lua, -2);
}

/* ---- everything reachable --------------------------------------------------------------- */

/* True the first time for the value at `index`. */
static bool
is_new(lua_State *lua, int index)
{
	bool seen;

	index = lua_absindex(lua, index);
	if (lua_rawgetp(lua, LUA_REGISTRYINDEX, &seen_key) == LUA_TNIL) {
		lua_pop(lua, 1);
		lua_newtable(lua);
		lua_pushvalue(lua, -1);
		lua_rawsetp(lua, LUA_REGISTRYINDEX, &seen_key);
	}
	lua_pushvalue(lua, index);
	lua_rawget(lua, -2);
	seen = lua_toboolean(lua, -1) != 0;
	lua_pop(lua, 1);
	lua_pushvalue(lua, index);
	lua_pushboolean(lua, 1);
	lua_rawset(lua, -3);
	lua_pop(lua, 1);
	return !seen;
}

void
frozen_ignore(lua_State *lua, int index)
{
	(void)is_new(lua, index);
}

/* Appends the value on top, which it pops, to the array at `list`. */
static void
append(lua_State *lua, int list)
{
	lua_rawseti(lua, list, (lua_Integer)lua_rawlen(lua, list) + 1);
}

/* Puts the value on top, which it pops, on the list of what is still to be looked at. */
static void
queue(lua_State *lua, int work)
{
	int type = lua_type(lua, -1);

	if ((type == LUA_TTABLE || type == LUA_TFUNCTION) && is_new(lua, -1))
		append(lua, work);
	else
		lua_pop(lua, 1);
}

static void
enter_function(lua_State *lua, int function, int work, int locals)
{
	for (int i = 1; lua_getupvalue(lua, function, i) != NULL; i++) {
		if (!lua_iscfunction(lua, function)) {
			lua_pushvalue(lua, function);
			append(lua, locals);
			lua_pushinteger(lua, i);
			append(lua, locals);
			/* A nil would end the array; the null pointer stands for it. */
			lua_pushvalue(lua, -1);
			if (lua_isnil(lua, -1)) {
				lua_pop(lua, 1);
				lua_pushlightuserdata(lua, NULL);
			}
			append(lua, locals);
		}
		queue(lua, work);
	}
}

static void
enter_table(lua_State *lua, int table, int work)
{
	frozen_make(lua, table);
	if (!push_hidden(lua, table))
		return;
	for (lua_pushnil(lua); lua_next(lua, -2) != 0;) {
		queue(lua, work);
		lua_pushvalue(lua, -1);
		queue(lua, work);
	}
	lua_pop(lua, 1);
}

void
frozen_make_reachable(lua_State *lua, int index, int locals)
{
	int work;
	lua_Integer at = 0;

	index = lua_absindex(lua, index);
	locals = lua_absindex(lua, locals);
	luaL_checkstack(lua, 16, "too much at once");
	lua_newtable(lua);
	work = lua_gettop(lua);
	lua_pushvalue(lua, index);
	queue(lua, work);
	while (lua_rawgeti(lua, work, ++at) != LUA_TNIL) {
		if (lua_istable(lua, -1))
			enter_table(lua, lua_gettop(lua), work);
		else
			enter_function(lua, lua_gettop(lua), work, locals);
		lua_pop(lua, 1);
	}
	lua_pop(lua, 2);
}

bool
frozen_unchanged(lua_State *lua, int locals, lua_Integer first, lua_Integer end,
    const char **ret_name)
{
	bool same = true;

	for (lua_Integer i = first; i < end && same; i += 3) {
		const char *name;
		int number;

		lua_rawgeti(lua, locals, i + 1);
		number = (int)lua_tointeger(lua, -1);
		lua_rawgeti(lua, locals, i);
		name = lua_getupvalue(lua, -1, number);
		lua_rawgeti(lua, locals, i + 2);
		same = lua_rawequal(lua, -1, -2) != 0
		    || (lua_isnil(lua, -2) && lua_touserdata(lua, -1) == NULL
		        && lua_islightuserdata(lua, -1));
		if (!same)
			*ret_name = name;
		lua_pop(lua, 4);
	}
	return same;
}
