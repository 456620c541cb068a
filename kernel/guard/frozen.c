/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/frozen.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "guard/sandbox.h"

#define LOCALS_MAX 1024

static const char hidden_key; /* a read-only table's metatable: its contents */
static const char seen_key;   /* registry: set of the functions and tables already handled */

/* ---- read-only tables ------------------------------------------------------------------- */

/* Pushes the hidden table of the read-only one at `index`; or nothing, and false. */
static bool
push_hidden(lua_State *lua, int index)
{
	if (!lua_getmetatable(lua, index))
		return false;
	if (lua_rawgetp(lua, -1, &hidden_key) != LUA_TTABLE) {
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

int
frozen_contains(lua_State *lua)
{
	if (!lua_istable(lua, 1))
		return luaL_error(lua, "contains: the first argument must be a list, not a %s",
		    luaL_typename(lua, 1));
	lua_settop(lua, 2);
	if (!push_hidden(lua, 1))
		lua_pushvalue(lua, 1);
	sandbox_of(lua)->instructions += lua_rawlen(lua, 3); /* the hook looks at it */
	for (lua_Integer i = 1; lua_rawgeti(lua, 3, i) != LUA_TNIL; i++) {
		if (lua_rawequal(lua, -1, 2)) {
			lua_pushboolean(lua, 1);
			return 1;
		}
		lua_pop(lua, 1);
	}
	lua_pushboolean(lua, 0);
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
	    "nothing for the next (use 'local')",
	    key);
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
	lua_rawsetp(lua, -2, &hidden_key);
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

/* ---- local variables -------------------------------------------------------------------- */

/* Enough to know a value again: an object's address (it is anchored), a number's bits. */
struct value {
	int type;
	const void *object;
	uint64_t bits;
};

struct frozen_local {
	const void *id; /* functions share a variable */
	int number;     /* of the function's variables */
	struct value value;
};

static struct value
read_value(lua_State *lua, int index)
{
	struct value value = {.type = lua_type(lua, index)};
	lua_Number number;

	if (value.type == LUA_TBOOLEAN) {
		value.bits = (uint64_t)lua_toboolean(lua, index);
	} else if (lua_isinteger(lua, index)) {
		value.bits = (uint64_t)lua_tointeger(lua, index);
	} else if (value.type == LUA_TNUMBER) {
		number = lua_tonumber(lua, index);
		memcpy(&value.bits, &number, sizeof number);
		value.type = -2; /* a float, not the integer of the same bits */
	} else {
		value.object = lua_topointer(lua, index);
	}
	return value;
}

static bool
same_value(struct value a, struct value b)
{
	return a.type == b.type && a.object == b.object && a.bits == b.bits;
}

void
frozen_locals_open(lua_State *lua, struct frozen_locals *locals)
{
	locals->items = calloc(LOCALS_MAX, sizeof *locals->items);
	if (locals->items == NULL)
		luaL_error(lua, "no memory");
	lua_newtable(lua);
	locals->anchors = luaL_ref(lua, LUA_REGISTRYINDEX);
}

void
frozen_locals_fini(struct frozen_locals *locals)
{
	free(locals->items);
	*locals = (struct frozen_locals){0};
}

/* Writes down variable `number` of the function, whose value is on top (kept). */
static void
note_local(lua_State *lua, int function, int number, struct frozen_locals *locals)
{
	const void *id = lua_upvalueid(lua, function, number);

	for (size_t i = 0; i < locals->count; i++) {
		if (locals->items[i].id == id)
			return;
	}
	if (locals->count == LOCALS_MAX)
		luaL_error(lua, "more than %d variables in all policy files", LOCALS_MAX);
	lua_rawgeti(lua, LUA_REGISTRYINDEX, locals->anchors);
	lua_pushvalue(lua, function);
	lua_rawseti(lua, -2, (lua_Integer)(2 * locals->count + 1));
	lua_pushvalue(lua, -2);
	lua_rawseti(lua, -2, (lua_Integer)(2 * locals->count + 2));
	lua_pop(lua, 1);
	locals->items[locals->count++] = (struct frozen_local){id, number, read_value(lua, -1)};
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
enter_function(lua_State *lua, int function, int work, struct frozen_locals *locals)
{
	for (int i = 1; lua_getupvalue(lua, function, i) != NULL; i++) {
		if (!lua_iscfunction(lua, function))
			note_local(lua, function, i, locals);
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
frozen_make_reachable(lua_State *lua, int index, struct frozen_locals *locals)
{
	int work;
	lua_Integer at = 0;

	index = lua_absindex(lua, index);
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

const char *
frozen_changed(lua_State *lua, const struct frozen_locals *locals, size_t first, size_t end)
{
	const char *changed = NULL;

	if (first == end)
		return NULL;
	lua_rawgeti(lua, LUA_REGISTRYINDEX, locals->anchors);
	for (size_t i = first; i < end && changed == NULL; i++) {
		const struct frozen_local *local = &locals->items[i];
		const char *name;

		lua_rawgeti(lua, -1, (lua_Integer)(2 * i + 1));
		name = lua_getupvalue(lua, -1, local->number);
		if (!same_value(read_value(lua, -1), local->value))
			changed = name;
		lua_pop(lua, 2);
	}
	lua_pop(lua, 1);
	return changed;
}
