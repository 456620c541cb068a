/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/library.h"

#include <string.h>

#include <lauxlib.h>
#include <lualib.h>

#include "base/text.h"
#include "guard/frozen.h"
#include "guard/pattern.h"
#include "guard/sandbox.h"

#define REP_MAX 65536
#define FORMAT_MAX 4096
#define SUGGEST_MAX 256

static const char names_key; /* its address names the table in the registry */

/* ---- words ------------------------------------------------------------------------------ */

struct words {
	const char *words[SUGGEST_MAX + 1];
	size_t count;
};

static const char *
next_word(const void *arg, size_t index)
{
	return ((const struct words *)arg)->words[index];
}

const char *
library_suggest(lua_State *lua, int index, const char *word)
{
	struct words words = {.count = 0};

	index = lua_absindex(lua, index);
	for (lua_pushnil(lua); lua_next(lua, index) != 0; lua_pop(lua, 1)) {
		/* The strings live as long as the table that holds them. */
		if (lua_type(lua, -2) == LUA_TSTRING && words.count < SUGGEST_MAX)
			words.words[words.count++] = lua_tostring(lua, -2);
	}
	return text_suggest(word, next_word, &words);
}

int
library_unknown(lua_State *lua, int index, const char *what, const char *word)
{
	const char *meant = library_suggest(lua, index, word);

	if (meant == NULL)
		return luaL_error(lua, "%s '%s'", what, word);
	return luaL_error(lua, "%s '%s'; did you mean '%s'?", what, word, meant);
}

static int
unknown_name(lua_State *lua)
{
	return library_unknown(lua, 1, "unknown name", luaL_checkstring(lua, 2));
}

/* ---- functions -------------------------------------------------------------------------- */

/* Calls the library function in the upvalue after a look at the limits.  The function runs in our
 * own frame, which it cannot tell from its own: it has no upvalues. */
static int
bounded(lua_State *lua)
{
	sandbox_check(lua);
	return lua_tocfunction(lua, lua_upvalueindex(1))(lua);
}

static int
string_rep(lua_State *lua)
{
	size_t length, between;
	lua_Integer times = luaL_checkinteger(lua, 2);

	sandbox_check(lua);
	luaL_checklstring(lua, 1, &length);
	luaL_optlstring(lua, 3, "", &between);
	if (times > 0 &&
	    (length > REP_MAX || between > REP_MAX ||
		times > REP_MAX / (lua_Integer)(length + between + 1)))
		return luaL_error(lua, "string.rep: the result would be over %d bytes", REP_MAX);
	return lua_tocfunction(lua, lua_upvalueindex(1))(lua);
}

/* Lua allows two digits of width and precision, so the result is bounded by the text's length. */
static int
string_format(lua_State *lua)
{
	size_t length;

	sandbox_check(lua);
	luaL_checklstring(lua, 1, &length);
	if (length > FORMAT_MAX)
		return luaL_error(lua, "string.format: the format is over %d bytes", FORMAT_MAX);
	return lua_tocfunction(lua, lua_upvalueindex(1))(lua);
}

/* NULL for what takes no longer than a few instructions. */
static lua_CFunction
wrapper_of(const char *library, const char *name)
{
	if (strcmp(library, "base") == 0 || strcmp(library, "math") == 0)
		return NULL;
	if (strcmp(library, "string") == 0 && strcmp(name, "rep") == 0)
		return string_rep;
	if (strcmp(library, "string") == 0 && strcmp(name, "format") == 0)
		return string_format;
	return bounded;
}

/* Copies `names` from the table on top of the stack, which it pops, into the table below it. */
static void
take(lua_State *lua, const char *library, const char *const *names)
{
	for (; *names != NULL; names++) {
		lua_getfield(lua, -1, *names);
		if (lua_iscfunction(lua, -1) && wrapper_of(library, *names) != NULL)
			lua_pushcclosure(lua, wrapper_of(library, *names), 1);
		lua_setfield(lua, -3, *names);
	}
	lua_pop(lua, 1);
}

static void
take_library(lua_State *lua, lua_CFunction open, const char *library, const char *const *names)
{
	lua_newtable(lua);
	lua_pushcfunction(lua, open);
	lua_call(lua, 0, 1);
	take(lua, library, names);
	lua_setfield(lua, -2, library);
}

static void
take_all(lua_State *lua)
{
	static const char *const base[] = {
	    "assert", "error", "ipairs", "pairs", "select", "tonumber", "tostring", "type", NULL};
	static const char *const math[] = {"abs", "ceil", "floor", "fmod", "huge", "maxinteger",
	    "max", "min", "mininteger", "modf", "sqrt", "tointeger", "type", "ult", NULL};
	static const char *const table[] = {"concat", "insert", "remove", "sort", "unpack", NULL};
	static const char *const string[] = {
	    "byte", "char", "format", "len", "lower", "rep", "reverse", "sub", "upper", NULL};

	lua_pushcfunction(lua, luaopen_base);
	lua_call(lua, 0, 1);
	take(lua, "base", base);
	take_library(lua, luaopen_math, "math", math);
	take_library(lua, luaopen_table, "table", table);
	take_library(lua, luaopen_string, "string", string);
	lua_pushcfunction(lua, frozen_next);
	lua_setfield(lua, -2, "next");
	lua_pushcfunction(lua, frozen_contains);
	lua_setfield(lua, -2, "contains");
	lua_pushcfunction(lua, pattern_match);
	lua_setfield(lua, -2, "match");
	lua_pushcfunction(lua, pattern_replace);
	lua_setfield(lua, -2, "replace");
}

void
library_open(lua_State *lua)
{
	lua_newtable(lua);
	take_all(lua);
	lua_newtable(lua);
	lua_pushcfunction(lua, unknown_name);
	lua_setfield(lua, -2, "__index");
	lua_setmetatable(lua, -2);
	frozen_ignore(lua, -1);
	lua_pushvalue(lua, -1);
	lua_rawsetp(lua, LUA_REGISTRYINDEX, &names_key);
	/* Whatever the libraries left behind goes: the old globals and the table of modules. */
	lua_rawseti(lua, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
	lua_pushnil(lua);
	lua_setfield(lua, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
}

void
library_push_names(lua_State *lua)
{
	lua_rawgetp(lua, LUA_REGISTRYINDEX, &names_key);
}

void
library_seal(lua_State *lua)
{
	static const char *const libraries[] = {"math", "table", "string", NULL};

	library_push_names(lua);
	for (size_t i = 0; libraries[i] != NULL; i++) {
		lua_getfield(lua, -1, libraries[i]);
		frozen_make(lua, -1);
		lua_pop(lua, 1);
	}
	/* ("x"):upper() finds the same sealed table, and strings have no other metamethod: text is
	 * never taken for a number. */
	lua_pushliteral(lua, "");
	lua_newtable(lua);
	lua_getfield(lua, -3, "string");
	lua_setfield(lua, -2, "__index");
	lua_setmetatable(lua, -2);
	lua_pop(lua, 2);
}
