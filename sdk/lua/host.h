/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LUA_HOST_H
#define LUA_HOST_H

/*
 * A plugin that is one Lua file.  The script runs once, at the start, and registers handlers;
 * each call, job and event then runs its handler in a coroutine of its own (a task), so that
 * cairn.call() and cairn.put() can wait for their answer while others go on.
 *
 * Whatever may raise a Lua error or run out of memory runs inside host_protected().
 */

#include <stdbool.h>
#include <stddef.h>

#include <lua.h>

#include <cairn/plugin.h>

#define HOST_TASKS_MAX 8192                 /* handlers under way */
#define HOST_MEMORY_MAX ((size_t)256 << 20) /* of the script */
#define HOST_FILE_MAX ((size_t)16 << 20)    /* what cairn.read_file() and write_file() take */
#define HOST_SCRIPT_MAX ((size_t)1 << 20)   /* the script itself */
#define HOST_TIMERS_MAX 1024
#define HOST_REPLY_MAX ((size_t)16 << 20)

enum task_kind { TASK_CALL, TASK_JOB, TASK_OTHER };

struct host;

/* One handler under way.  `request` and `job` are NULL once they were answered. */
struct task {
	struct host *host;
	struct task *next, **link;
	lua_State *co;
	int reference;         /* keeps `co` from being collected */
	int request_reference; /* the script's view of the request, or LUA_NOREF */
	enum task_kind kind;
	struct cairn_request *request;
	struct cairn_job *job;
	bool waiting; /* for an answer: a yield that is ours */
};

struct host {
	struct cairn *cairn;
	lua_State *lua;
	size_t memory;
	struct task *tasks;
	size_t task_count;
	size_t timers;
	/* Registry references: tables by name, a list, functions. */
	int calls, jobs, events, stop, check, health;
	struct cairn_findings *findings; /* during on_check and on_health */
	bool stopping;
	bool stop_called;
};

/* The plugin that runs the script at the path the runtime was given. */
extern const struct cairn_plugin lua_plugin;

struct host *host_of(lua_State *lua);
/* NULL outside a task's own coroutine. */
struct task *task_of(lua_State *lua);

/* Runs `function` with `arg`; false and a message in `text` when it raised an error. */
bool host_protected(
    struct host *host, lua_CFunction function, void *arg, char *ret_text, size_t size);

/* A new task for the function on top of the stack of `host->lua` and `arguments` values above it,
 * all of which it takes.  Raises an error. */
struct task *task_new(struct host *host, enum task_kind kind, int arguments);
/* Starts or goes on with `arguments` values on its stack; ends it when its handler returned. */
void task_resume(struct task *task, int arguments);
/* After the last task of a stopping plugin. */
void host_settle(struct host *host);

/* api.c: the table `cairn`.  Raises an error. */
void api_open(struct host *host);
/* The request's methods. */
void api_push_request(lua_State *lua, struct task *task);
/* Ends the script's view of a request. */
void api_forget_request(lua_State *lua, struct task *task);

/* file.c and timer.c: functions of that table. */
int file_read_call(lua_State *lua);
int file_write_call(lua_State *lua);
int timer_after(lua_State *lua);
int timer_every(lua_State *lua);
void timer_open(lua_State *lua);

/* Codes by name: "ENOTFOUND"; CAIRN_EINTERNAL for others. */
int code_find(const char *name);
const char *code_name(int code);

#endif
