/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GUARD_LIBRARY_H
#define GUARD_LIBRARY_H

/*
 * The allow-list: what a policy may call besides lua/prelude.lua's own words.  There is no load,
 * require, os, io, debug, package, coroutine, pcall, setmetatable, rawset or collectgarbage, and of
 * Lua's patterns none, because they cannot be interrupted.
 */

#include <lua.h>

/* Makes the table of names; an unknown name in it is an error that suggests the nearest. */
void library_open(lua_State *lua);
void library_push_names(lua_State *lua);
/* Makes string, table and math read-only; after the prelude had its turn. */
void library_seal(lua_State *lua);

/* The string key of the table at `index` nearest to `word`, or NULL. */
const char *library_suggest(lua_State *lua, int index, const char *word);
/* Raises "WHAT 'word'; did you mean 'nearest'?" with the caller's file and line. */
int library_unknown(lua_State *lua, int index, const char *what, const char *word);

#endif
