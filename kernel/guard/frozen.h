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
#include <stddef.h>

#include <lua.h>

/* Makes the table at `index` read-only, keeping its identity.  Not what it holds. */
void frozen_make(lua_State *lua, int index);
/* Pushes a read-only view of the table on top, in its place: the owner can go on writing to it. */
void frozen_wrap(lua_State *lua);

/* What the local variables of a file's functions held when it had been loaded. */
struct frozen_local;
struct frozen_locals {
	struct frozen_local *items;
	size_t count;
	int anchors; /* registry: the functions and the values, so that none is collected */
};

void frozen_locals_open(lua_State *lua, struct frozen_locals *locals);
void frozen_locals_fini(struct frozen_locals *locals);

/* Makes everything reachable from the value at `index` read-only and appends to `locals`. */
void frozen_make_reachable(lua_State *lua, int index, struct frozen_locals *locals);
/* Never frozen nor entered by frozen_make_reachable(). */
void frozen_ignore(lua_State *lua, int index);

/* The name of a local from `first` to before `end` that has another value now, or NULL. */
const char *frozen_changed(
    lua_State *lua, const struct frozen_locals *locals, size_t first, size_t end);

/* next() and contains(list, value), also for read-only tables. */
int frozen_next(lua_State *lua);
int frozen_contains(lua_State *lua);

#endif
