/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GUARD_SANDBOX_H
#define GUARD_SANDBOX_H

/*
 * A Lua state that cannot reach anything and cannot run away.
 *
 * Instructions are counted by a hook.  Memory is counted by the allocator, in total and for one
 * block, so that no single operation on a value can take long.  Because some operations still do
 * much work in one instruction, processor time is a third limit: it is looked at by the hook,
 * before library functions that may work long, and by the allocator.  A limit that was reached
 * stays reached until sandbox_begin(): there is no pcall in the sandbox to swallow it.
 *
 * Everything that may raise a Lua error or run out of memory must run inside sandbox_protected().
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lua.h>

#define SANDBOX_BLOCK_MAX (1u << 20) /* a string, a table's array, the stack */
#define SANDBOX_CPU_MS 75            /* of processor time, for one decision */
#define SANDBOX_LOAD_CPU_MS 2000     /* for loading all files, on a slow machine too */
#define SANDBOX_TEXT_MAX 96

enum sandbox_limit {
	SANDBOX_NO_LIMIT,
	SANDBOX_INSTRUCTIONS,
	SANDBOX_MEMORY,
	SANDBOX_TIME,
};

struct sandbox {
	lua_State *lua;
	size_t memory_used, memory_max;
	size_t unchecked; /* bytes allocated since the clock was last looked at */
	uint64_t instructions, instructions_max;
	uint64_t looked_ns, cpu_started_ns;
	unsigned cpu_ms;
	uint32_t match_limit;
	enum sandbox_limit reached;
};

/* False when there is no memory.  `sandbox` must not move afterwards. */
bool sandbox_init(
    struct sandbox *sandbox, size_t memory_max, uint64_t instructions_max, uint32_t match_limit);
void sandbox_fini(struct sandbox *sandbox);

/* A new budget, with so much processor time. */
void sandbox_begin(struct sandbox *sandbox, unsigned cpu_ms);

/* Runs `function` with the light userdata `arg` as its only argument.  LUA_OK, or an error whose
 * message is left on the stack. */
int sandbox_protected(struct sandbox *sandbox, lua_CFunction function, void *arg);
/* lua_pcall() that notes the memory limit. */
int sandbox_pcall(lua_State *lua, int arguments, int results);

struct sandbox *sandbox_of(lua_State *lua);
/* Raises an error when a limit is reached; library functions call it before they work. */
void sandbox_check(lua_State *lua);
/* Counts work that a library function does as instructions. */
void sandbox_spend(lua_State *lua, uint64_t instructions);
/* "1000000 instructions". */
const char *sandbox_limit_text(const struct sandbox *sandbox, char ret[SANDBOX_TEXT_MAX]);

#endif
