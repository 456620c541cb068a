/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/sandbox.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <lauxlib.h>

#include "base/clock.h"
#include "guard/library.h"

#define HOOK_EVERY 100
#define LOOK_EVERY_NS                                                              \
	1000000u /* the processor's clock costs a system call, the wall's does not \
		  */
#define LOOK_EVERY_BYTES (1u << 20)

/* ---- time ------------------------------------------------------------------------------- */

static uint64_t
cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* The first look only notes the time, so that a short decision never asks for it. */
static bool
is_late(struct sandbox *s)
{
	uint64_t now = clock_monotonic_ns();
	uint64_t cpu;

	s->unchecked = 0;
	if (now - s->looked_ns < LOOK_EVERY_NS)
		return false;
	s->looked_ns = now;
	cpu = cpu_ns();
	if (s->cpu_started_ns == 0)
		s->cpu_started_ns = cpu;
	return cpu - s->cpu_started_ns > s->cpu_ms * (uint64_t)1000000u;
}

void
sandbox_begin(struct sandbox *s, unsigned cpu_ms)
{
	s->cpu_ms = cpu_ms;
	s->instructions = 0;
	s->unchecked = 0;
	s->reached = SANDBOX_NO_LIMIT;
	s->looked_ns = clock_monotonic_ns();
	s->cpu_started_ns = 0;
}

/* ---- memory ----------------------------------------------------------------------------- */

static bool
may_grow(struct sandbox *s, size_t block, size_t more)
{
	if (block > SANDBOX_BLOCK_MAX || more > s->memory_max - s->memory_used)
		return false;
	s->unchecked += more;
	if (s->unchecked > LOOK_EVERY_BYTES && s->reached == SANDBOX_NO_LIMIT && is_late(s))
		s->reached = SANDBOX_TIME;
	return s->reached != SANDBOX_TIME;
}

static void *
allocate(void *arg, void *block, size_t old_size, size_t new_size)
{
	struct sandbox *s = arg;
	size_t held = block == NULL ? 0 : old_size; /* else it is a kind of object */
	void *moved;

	if (new_size == 0) {
		free(block);
		s->memory_used -= held;
		return NULL;
	}
	if (new_size > held && !may_grow(s, new_size, new_size - held))
		return NULL;
	moved = realloc(block, new_size);
	if (moved == NULL && new_size <= held)
		moved = block; /* Lua relies on shrinking to succeed */
	if (moved != NULL)
		s->memory_used = s->memory_used - held + new_size;
	return moved;
}

/* ---- limits ----------------------------------------------------------------------------- */

struct sandbox *
sandbox_of(lua_State *lua)
{
	struct sandbox *s;

	memcpy(&s, lua_getextraspace(lua), sizeof s);
	return s;
}

const char *
sandbox_limit_text(const struct sandbox *s, char ret[SANDBOX_TEXT_MAX])
{
	switch (s->reached) {
	case SANDBOX_INSTRUCTIONS:
		snprintf(ret, SANDBOX_TEXT_MAX, "%llu instructions",
		    (unsigned long long)s->instructions_max);
		break;
	case SANDBOX_MEMORY:
		snprintf(ret, SANDBOX_TEXT_MAX, "%zu KiB of memory (%u KiB for one value)",
		    s->memory_max >> 10, SANDBOX_BLOCK_MAX >> 10);
		break;
	case SANDBOX_TIME:
		snprintf(ret, SANDBOX_TEXT_MAX, "%u ms of processor time", s->cpu_ms);
		break;
	default:
		ret[0] = 0;
	}
	return ret;
}

void
sandbox_check(lua_State *lua)
{
	struct sandbox *s = sandbox_of(lua);
	char text[SANDBOX_TEXT_MAX];

	if (s->reached == SANDBOX_NO_LIMIT && s->instructions > s->instructions_max)
		s->reached = SANDBOX_INSTRUCTIONS;
	if (s->reached == SANDBOX_NO_LIMIT && is_late(s))
		s->reached = SANDBOX_TIME;
	if (s->reached != SANDBOX_NO_LIMIT)
		luaL_error(lua, "more than %s", sandbox_limit_text(s, text));
}

void
sandbox_spend(lua_State *lua, uint64_t instructions)
{
	sandbox_of(lua)->instructions += instructions;
	sandbox_check(lua);
}

static void
count(lua_State *lua, lua_Debug *ar)
{
	(void)ar;
	sandbox_spend(lua, HOOK_EVERY);
}

int
sandbox_pcall(lua_State *lua, int arguments, int results)
{
	struct sandbox *s = sandbox_of(lua);
	int status = lua_pcall(lua, arguments, results, 0);

	if (status == LUA_ERRMEM && s->reached == SANDBOX_NO_LIMIT)
		s->reached = SANDBOX_MEMORY;
	return status;
}

int
sandbox_protected(struct sandbox *s, lua_CFunction function, void *arg)
{
	/* Neither push allocates, and the stack has room for LUA_MINSTACK values. */
	lua_pushcfunction(s->lua, function);
	lua_pushlightuserdata(s->lua, arg);
	return sandbox_pcall(s->lua, 1, 0);
}

/* ---- life ------------------------------------------------------------------------------- */

static int
open_library(lua_State *lua)
{
	library_open(lua);
	return 0;
}

bool
sandbox_init(struct sandbox *s, size_t memory_max, uint64_t instructions_max, uint32_t match_limit)
{
	*s = (struct sandbox){.memory_max = memory_max,
	    .instructions_max = instructions_max,
	    .match_limit = match_limit};
	sandbox_begin(s, SANDBOX_LOAD_CPU_MS);
	s->lua = lua_newstate(allocate, s);
	if (s->lua == NULL)
		return false;
	memcpy(lua_getextraspace(s->lua), &s, sizeof s);
	lua_sethook(s->lua, count, LUA_MASKCOUNT, HOOK_EVERY);
	if (sandbox_protected(s, open_library, NULL) == LUA_OK)
		return true;
	sandbox_fini(s);
	return false;
}

void
sandbox_fini(struct sandbox *s)
{
	if (s->lua != NULL)
		lua_close(s->lua);
	s->lua = NULL;
}
