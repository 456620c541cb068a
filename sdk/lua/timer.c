/* SPDX-License-Identifier: Apache-2.0 */
/* cairn.after(seconds, function) and cairn.every(): each firing is a task of its own. */
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <uv.h>

#include "lua/host.h"

#define TIMER_TYPE "cairn.timer"
#define SECONDS_MAX 31536000.0

/* Lives until it is closed: after its firing, or when the script stops it. */
struct timer {
	uv_timer_t handle;
	struct host *host;
	int function;
	int box; /* the script's view, LUA_NOREF once it has none */
	bool repeats;
};

static void
closed(uv_handle_t *handle)
{
	free(handle->data);
}

static void
timer_end(struct timer *timer)
{
	struct timer **box;
	lua_State *lua = timer->host->lua;

	if (uv_is_closing((uv_handle_t *)&timer->handle))
		return;
	lua_rawgeti(lua, LUA_REGISTRYINDEX, timer->box);
	box = lua_touserdata(lua, -1);
	if (box != NULL)
		*box = NULL;
	lua_pop(lua, 1);
	luaL_unref(lua, LUA_REGISTRYINDEX, timer->box);
	luaL_unref(lua, LUA_REGISTRYINDEX, timer->function);
	timer->host->timers--;
	uv_close((uv_handle_t *)&timer->handle, closed);
}

struct firing {
	struct timer *timer;
	struct task *task;
};

static int
fire(lua_State *lua)
{
	struct firing *firing = lua_touserdata(lua, 1);

	lua_rawgeti(lua, LUA_REGISTRYINDEX, firing->timer->function);
	firing->task = task_new(firing->timer->host, TASK_OTHER, 0);
	return 0;
}

static void
fired(uv_timer_t *handle)
{
	struct firing firing = {handle->data, NULL};
	struct host *host = firing.timer->host;
	char text[256];

	if (host->stopping || host->stop_called)
		return;
	if (!host_protected(host, fire, &firing, text, sizeof text))
		cairn_log(CAIRN_LOG_ERROR, "a timer could not run: %s", text);
	if (!firing.timer->repeats)
		timer_end(firing.timer);
	if (firing.task != NULL)
		task_resume(firing.task, 0);
}

static int
timer_new(lua_State *lua, bool repeats)
{
	struct host *host = host_of(lua);
	lua_Number seconds = luaL_checknumber(lua, 1);
	struct timer **box;
	struct timer *timer;
	uint64_t delay_ms;

	luaL_checktype(lua, 2, LUA_TFUNCTION);
	luaL_argcheck(lua, seconds >= (repeats ? 0.001 : 0) && seconds <= SECONDS_MAX, 1,
	    "0.001 (for once: 0) to a year of seconds");
	if (host->timers >= HOST_TIMERS_MAX)
		return luaL_error(lua, "%d timers are running", HOST_TIMERS_MAX);
	lua_settop(lua, 2);
	box = lua_newuserdatauv(lua, sizeof(struct timer *), 0);
	*box = NULL;
	luaL_setmetatable(lua, TIMER_TYPE);
	timer = calloc(1, sizeof *timer);
	if (timer == NULL)
		return luaL_error(lua, "out of memory");
	timer->host = host;
	timer->repeats = repeats;
	timer->handle.data = timer;
	lua_pushvalue(lua, 2);
	timer->function = luaL_ref(lua, LUA_REGISTRYINDEX);
	lua_pushvalue(lua, 3);
	timer->box = luaL_ref(lua, LUA_REGISTRYINDEX);
	*box = timer;
	host->timers++;
	delay_ms = (uint64_t)(seconds * 1000 + 0.5);
	uv_timer_init(cairn_loop(host->cairn), &timer->handle);
	uv_timer_start(&timer->handle, fired, delay_ms, repeats ? delay_ms : 0);
	return 1;
}

int
timer_after(lua_State *lua)
{
	return timer_new(lua, false);
}

int
timer_every(lua_State *lua)
{
	return timer_new(lua, true);
}

static int
timer_stop(lua_State *lua)
{
	struct timer **box = luaL_checkudata(lua, 1, TIMER_TYPE);

	if (*box != NULL)
		timer_end(*box);
	return 0;
}

void
timer_open(lua_State *lua)
{
	luaL_newmetatable(lua, TIMER_TYPE);
	lua_createtable(lua, 0, 1);
	lua_pushcfunction(lua, timer_stop);
	lua_setfield(lua, -2, "stop");
	lua_setfield(lua, -2, "__index");
	lua_pushboolean(lua, 0);
	lua_setfield(lua, -2, "__metatable");
	lua_pop(lua, 1);
}
