/* SPDX-License-Identifier: Apache-2.0 */
#include "lua/host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lualib.h>

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "runtime/private.h"
#include "runtime/script.h"

#define TEXT_MAX 400

struct host *
host_of(lua_State *lua)
{
	struct host *host;

	lua_getallocf(lua, (void **)&host);
	return host;
}

struct task *
task_of(lua_State *lua)
{
	struct task *task;

	memcpy(&task, lua_getextraspace(lua), sizeof task);
	return task;
}

bool
host_protected(struct host *host, lua_CFunction function, void *arg, char *ret_text, size_t size)
{
	const char *message;
	int top = lua_gettop(host->lua);

	/* Neither push allocates, and the stack has room for LUA_MINSTACK values. */
	lua_pushcfunction(host->lua, function);
	lua_pushlightuserdata(host->lua, arg);
	if (lua_pcall(host->lua, 1, 0, 0) == LUA_OK)
		return true;
	message = lua_type(host->lua, -1) == LUA_TSTRING ? lua_tostring(host->lua, -1) : NULL;
	if (snprintf(ret_text, size, "%s", message == NULL ? "an error without words" : message) <
	    0)
		ret_text[0] = 0;
	lua_settop(host->lua, top);
	return false;
}

/* ---- a task's end ----------------------------------------------------------------------- */

/* What was raised: a string, or the table of cairn.fail() and of a refused cairn.call().  Plain
 * lookups of strings that exist: nothing here allocates or runs code of the script. */
static int
error_read(lua_State *co, char ret_text[TEXT_MAX])
{
	const char *code = NULL, *text = NULL;

	if (lua_type(co, -1) == LUA_TSTRING) {
		text = lua_tostring(co, -1);
	} else if (lua_type(co, -1) == LUA_TTABLE && lua_checkstack(co, 4)) {
		int table = lua_gettop(co);

		for (lua_Integer i = 1; i <= 2; i++) {
			const char **into = i == 1 ? &code : &text;

			if (lua_rawgeti(co, table, i) == LUA_TSTRING)
				*into = lua_tostring(co, -1);
		}
	}
	if (snprintf(ret_text, TEXT_MAX, "%s", text == NULL ? "an error without words" : text) < 0)
		ret_text[0] = 0;
	return code == NULL ? CAIRN_EINTERNAL : code_find(code);
}

static void
task_free(struct task *task)
{
	struct host *host = task->host;

	api_forget_request(host->lua, task);
	luaL_unref(host->lua, LUA_REGISTRYINDEX, task->reference);
	*task->link = task->next;
	if (task->next != NULL)
		task->next->link = task->link;
	host->task_count--;
	free(task);
	host_settle(host);
}

static void
task_done(struct task *task)
{
	size_t length = 0;
	const char *body = "";

	if (lua_gettop(task->co) > 0 && lua_type(task->co, 1) == LUA_TSTRING)
		body = lua_tolstring(task->co, 1, &length);
	if (task->request != NULL)
		cairn_reply(task->request, body, length);
	if (task->job != NULL)
		cairn_job_done(task->job);
}

static void
task_failed(struct task *task)
{
	char text[TEXT_MAX], work[SCRIPT_WORK_MAX];
	int code = error_read(task->co, text);

	script_work(task->host->cairn, task->request, task->job, work);
	if (task->request != NULL)
		cairn_fail(task->request, code, "%s", text);
	if (task->job != NULL)
		cairn_job_retry(task->job, text);
	if (code == CAIRN_EINTERNAL || task->kind == TASK_OTHER)
		cairn_log(CAIRN_LOG_ERROR, "%s: %s", work, text);
}

void
task_resume(struct task *task, int arguments)
{
	int results = 0, status;

	task->waiting = false;
	status = lua_resume(task->co, task->host->lua, arguments, &results);
	if (status == LUA_YIELD && task->waiting)
		return;
	if (status == LUA_OK) {
		lua_settop(task->co, results > 0 ? 1 : 0);
		task_done(task);
	} else {
		if (status == LUA_YIELD) {
			lua_settop(task->co, 0);
			lua_pushnil(task->co); /* it yielded to nobody */
		}
		task_failed(task);
	}
	task_free(task);
}

struct task *
task_new(struct host *host, enum task_kind kind, int arguments)
{
	lua_State *lua = host->lua;
	struct task *task;

	luaL_checkstack(lua, 4, NULL);
	if (host->task_count >= HOST_TASKS_MAX)
		luaL_error(lua, "%d handlers are under way", HOST_TASKS_MAX);
	task = calloc(1, sizeof *task);
	if (task == NULL)
		luaL_error(lua, "out of memory");
	/* Until it is in the list only the lines below may fail, and they leave it to leak once. */
	task->host = host;
	task->kind = kind;
	task->request_reference = LUA_NOREF;
	task->co = lua_newthread(lua);
	task->reference = luaL_ref(lua, LUA_REGISTRYINDEX);
	memcpy(lua_getextraspace(task->co), &task, sizeof task);
	luaL_checkstack(task->co, arguments + 8, NULL);
	lua_xmove(lua, task->co, arguments + 1);
	task->next = host->tasks;
	task->link = &host->tasks;
	if (task->next != NULL)
		task->next->link = &task->next;
	host->tasks = task;
	host->task_count++;
	return task;
}

/* ---- what the kernel sends --------------------------------------------------------------- */

struct incoming {
	struct host *host;
	struct task *task; /* made */
	struct cairn_request *request;
	struct cairn_job *job;
	const char *subject; /* of an event */
	const void *body;
	size_t length;
	int handler; /* the n-th of the events' */
	bool found;
};

static bool
push_handler(lua_State *lua, int table, const char *name)
{
	lua_rawgeti(lua, LUA_REGISTRYINDEX, table);
	lua_pushstring(lua, name);
	lua_rawget(lua, -2);
	lua_remove(lua, -2);
	return lua_isfunction(lua, -1);
}

static int
call_incoming(lua_State *lua)
{
	struct incoming *in = lua_touserdata(lua, 1);
	struct task *task;

	in->found = push_handler(lua, in->host->calls, cairn_request_subject(in->request));
	if (!in->found)
		return 0;
	task = task_new(in->host, TASK_CALL, 0);
	in->task = task;
	task->request = in->request;
	api_push_request(lua, task);
	lua_xmove(lua, task->co, 1);
	return 0;
}

static void
field(lua_State *lua, const char *name, const void *bytes, size_t length)
{
	lua_pushlstring(lua, bytes == NULL ? "" : bytes, length);
	lua_setfield(lua, -2, name);
}

static int
job_incoming(lua_State *lua)
{
	struct incoming *in = lua_touserdata(lua, 1);
	const char *queue = cairn_job_queue(in->job), *key = cairn_job_key(in->job);
	size_t length;
	const void *body = cairn_job_body(in->job, &length);

	in->found = push_handler(lua, in->host->jobs, queue);
	if (!in->found)
		return 0;
	lua_createtable(lua, 0, 4);
	field(lua, "queue", queue, strlen(queue));
	field(lua, "key", key, strlen(key));
	field(lua, "body", body, length);
	lua_pushinteger(lua, cairn_job_attempt(in->job));
	lua_setfield(lua, -2, "attempt");
	in->task = task_new(in->host, TASK_JOB, 1);
	in->task->job = in->job;
	return 0;
}

/* The handlers are a list of {pattern, function}. */
static int
event_incoming(lua_State *lua)
{
	struct incoming *in = lua_touserdata(lua, 1);

	lua_rawgeti(lua, LUA_REGISTRYINDEX, in->host->events);
	in->found = lua_rawgeti(lua, -1, in->handler) == LUA_TTABLE;
	if (!in->found)
		return 0;
	lua_rawgeti(lua, -1, 1);
	if (!text_subject_matches(lua_tostring(lua, -1), in->subject))
		return 0;
	lua_rawgeti(lua, -2, 2);
	lua_pushstring(lua, in->subject);
	lua_pushlstring(lua, in->body == NULL ? "" : in->body, in->length);
	in->task = task_new(in->host, TASK_OTHER, 2);
	return 0;
}

static int
call(void *self, struct cairn_request *req, struct cairn_error *err)
{
	struct incoming in = {.host = self, .request = req};
	char text[TEXT_MAX];

	if (!host_protected(self, call_incoming, &in, text, sizeof text)) {
		if (in.task != NULL) {
			in.task->request = NULL;
			task_free(in.task);
		}
		return cairn_error_set(err, CAIRN_ELIMIT, "%s", text);
	}
	if (!in.found)
		return cairn_error_set(
		    err, CAIRN_EUNSUPPORTED, "nothing answers %s here", cairn_request_subject(req));
	task_resume(in.task, 1);
	return 0;
}

static int
job(void *self, struct cairn_job *job, struct cairn_error *err)
{
	struct incoming in = {.host = self, .job = job};
	char text[TEXT_MAX];

	if (!host_protected(self, job_incoming, &in, text, sizeof text))
		return cairn_error_set(err, CAIRN_ELIMIT, "%s", text);
	if (!in.found)
		return cairn_error_set(err, CAIRN_EUNSUPPORTED, "this plugin takes no such jobs");
	task_resume(in.task, 1);
	return 0;
}

static void
event(void *self, const char *subject, const void *body, size_t length)
{
	struct incoming in = {.host = self, .subject = subject, .body = body, .length = length};
	char text[TEXT_MAX];

	do {
		in.handler++;
		in.task = NULL;
		if (!host_protected(self, event_incoming, &in, text, sizeof text)) {
			cairn_log(CAIRN_LOG_WARNING, "an event was dropped: %s", text);
			return;
		}
		if (in.task != NULL)
			task_resume(in.task, 2);
	} while (in.found);
}

/* The caller is answered at once; the handler runs on, and what it returns is dropped. */
static void
cancel(void *self, struct cairn_request *req)
{
	struct host *host = self;

	for (struct task *task = host->tasks; task != NULL; task = task->next) {
		if (task->request != req)
			continue;
		api_forget_request(host->lua, task);
		task->request = NULL;
		cairn_fail(req, CAIRN_ECANCELLED, "cancelled");
		return;
	}
}

/* ---- life ------------------------------------------------------------------------------- */

static void *
allocate(void *arg, void *block, size_t old_size, size_t new_size)
{
	struct host *host = arg;
	size_t held = block == NULL ? 0 : old_size;
	void *moved;

	if (new_size == 0) {
		free(block);
		host->memory -= held;
		return NULL;
	}
	if (new_size > held && new_size - held > HOST_MEMORY_MAX - host->memory)
		return NULL;
	moved = realloc(block, new_size);
	if (moved != NULL)
		host->memory = host->memory - held + new_size;
	return moved;
}

static void
open_libraries(lua_State *lua)
{
	static const luaL_Reg libraries[] = {{LUA_GNAME, luaopen_base},
	    {LUA_COLIBNAME, luaopen_coroutine}, {LUA_TABLIBNAME, luaopen_table},
	    {LUA_STRLIBNAME, luaopen_string}, {LUA_MATHLIBNAME, luaopen_math},
	    {LUA_UTF8LIBNAME, luaopen_utf8}};
	static const char *const banned[] = {"dofile", "loadfile", "load", "print"};

	for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++) {
		luaL_requiref(lua, libraries[i].name, libraries[i].func, 1);
		lua_pop(lua, 1);
	}
	for (size_t i = 0; i < sizeof banned / sizeof *banned; i++) {
		lua_pushnil(lua);
		lua_setglobal(lua, banned[i]);
	}
}

static int
run_script(lua_State *lua)
{
	struct host *host = lua_touserdata(lua, 1);
	struct cairn_error err = {0};
	struct buf script = {.max = HOST_SCRIPT_MAX};
	const char *name = getenv("CAIRN_SCRIPT"); /* where the path is that of a descriptor */
	const char *slash = strrchr(host->cairn->path, '/');
	int code;

	open_libraries(lua);
	api_open(host);
	if (file_read(host->cairn->path, &script, &err) != 0) {
		buf_fini(&script);
		return luaL_error(lua, "%s", err.text);
	}
	if (name == NULL)
		name = slash == NULL ? host->cairn->path : slash + 1;
	lua_pushfstring(lua, "@%s", name);
	code = luaL_loadbufferx(lua, script.length == 0 ? "" : (const char *)script.data,
	    script.length, lua_tostring(lua, -1), "t");
	buf_fini(&script);
	if (code != LUA_OK)
		return lua_error(lua);
	lua_call(lua, 0, 0);
	return 0;
}

static int
start(struct cairn *cairn, void **ret_self, struct cairn_error *err)
{
	struct host *host = calloc(1, sizeof *host);
	struct task *none = NULL;
	char text[TEXT_MAX];

	if (host == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	host->cairn = cairn;
	host->stop = host->check = host->health = LUA_NOREF;
	host->lua = lua_newstate(allocate, host);
	if (host->lua == NULL) {
		free(host);
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	}
	memcpy(lua_getextraspace(host->lua), &none, sizeof none);
	*ret_self = host;
	if (host_protected(host, run_script, host, text, sizeof text))
		return 0;
	return cairn_error_set(err, CAIRN_EINVAL, "%s", text); /* the process ends */
}

static int
stop_incoming(lua_State *lua)
{
	struct incoming *in = lua_touserdata(lua, 1);

	lua_rawgeti(lua, LUA_REGISTRYINDEX, in->host->stop);
	in->task = task_new(in->host, TASK_OTHER, 0);
	return 0;
}

/* on_stop runs when nothing else does, and may itself wait. */
void
host_settle(struct host *host)
{
	struct incoming in = {.host = host};
	char text[TEXT_MAX];

	if (!host->stopping || host->task_count > 0)
		return;
	if (host->stop != LUA_NOREF && !host->stop_called) {
		host->stop_called = true;
		if (host_protected(host, stop_incoming, &in, text, sizeof text)) {
			task_resume(in.task, 0); /* settles again at its end */
			return;
		}
		cairn_log(CAIRN_LOG_ERROR, "on_stop failed: %s", text);
	}
	host->stopping = false; /* once; the process ends, and with it the script */
	cairn_stopped(host->cairn);
}

static void
stop(void *self)
{
	struct host *host = self;

	host->stopping = true;
	host_settle(host);
}

/* ---- check and health ------------------------------------------------------------------- */

struct asking {
	struct host *host;
	int function;
};

static int
ask_script(lua_State *lua)
{
	struct asking *asking = lua_touserdata(lua, 1);

	lua_rawgeti(lua, LUA_REGISTRYINDEX, asking->function);
	lua_pushboolean(lua, cairn_serving(asking->host->cairn));
	lua_call(lua, 1, 0);
	return 0;
}

static void
ask(struct host *host, int function, const char *name, struct cairn_findings *findings)
{
	struct asking asking = {host, function};
	struct cairn_finding fault = {.severity = CAIRN_FAULT,
	    .why = "nobody knows how it is",
	    .advice = "correct the script; its log says where it failed"};
	char text[TEXT_MAX], what[64];

	if (function == LUA_NOREF) {
		findings_unsupported(findings);
		return;
	}
	host->findings = findings;
	if (!host_protected(host, ask_script, &asking, text, sizeof text)) {
		snprintf(what, sizeof what, "%s failed", name);
		fault.what = what;
		cairn_finding(findings, &fault);
		cairn_log(CAIRN_LOG_ERROR, "%s failed: %s", name, text);
	}
	host->findings = NULL;
}

/* In a process of its own: the script runs, and is asked. */
static void
check(struct cairn *cairn, struct cairn_findings *findings)
{
	struct cairn_error err = {0};
	struct cairn_finding fault = {
	    .severity = CAIRN_FAULT, .what = err.text, .advice = "correct the script"};
	void *host = NULL;

	if (start(cairn, &host, &err) != 0)
		cairn_finding(findings, &fault);
	else
		ask(host, ((struct host *)host)->check, "on_check", findings);
}

static void
health(void *self, struct cairn_findings *findings)
{
	struct host *host = self;

	ask(host, host->health, "on_health", findings);
}

const struct cairn_plugin lua_plugin = {.size = sizeof(struct cairn_plugin),
    .abi = CAIRN_ABI,
    .start = start,
    .call = call,
    .job = job,
    .event = event,
    .stop = stop,
    .cancel = cancel,
    .check = check,
    .health = health};
