/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GUARD_FROZEN_H
#define GUARD_FROZEN_H

/*
 * Nothing that a rule does may be seen by the next decision.  After a policy file is loaded, every
 * table it can reach (its globals, its locals, what these hold) is made read-only, and the local
 * variables of its functions are written down, so that a changed one is noticed.
 *
 * A read-only table is empty; its contents live in a hidden one behind `__index`.
 */

#include <stdbool.h>

#include <lua.h>

/* Makes the table at `index` read-only, keeping its identity.  Not what it holds. */
void frozen_make(lua_State *lua, int index);
/* Pushes a read-only view of the table on top, in its place: the owner can go on writing to it. */
void frozen_wrap(lua_State *lua);

/* Everything reachable from the value at `index`; appends function, number and value of each local
 * variable to the array at `locals`. */
void frozen_make_reachable(lua_State *lua, int index, int locals);
/* Never frozen nor entered by frozen_make_reachable(). */
void frozen_ignore(lua_State *lua, int index);

/* Whether the locals written down in `locals` from `first` to before `end` are unchanged; else the
 * name of one that is not. */
bool frozen_unchanged(lua_State *lua, int locals, lua_Integer first, lua_Integer end,
    const char **ret_name);

/* next(), also for read-only tables. */
int frozen_next(lua_State *lua);

#endif
