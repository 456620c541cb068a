/* SPDX-License-Identifier: Apache-2.0 */
/* The table `cairn` that a script sees; PLUGINS.md, "Lua", is its manual. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <lauxlib.h>

#include "lua/host.h"
#include "runtime/private.h"

#define REQUEST_TYPE "cairn.request"

/* ---- errors ----------------------------------------------------------------------------- */

/* Raises {code, text}, also as fields of these names. */
static int
raise_error(lua_State *lua, int code, const char *text)
{
	lua_createtable(lua, 2, 2);
	lua_pushstring(lua, code_name(code));
	lua_pushvalue(lua, -1);
	lua_rawseti(lua, -3, 1);
	lua_setfield(lua, -2, "code");
	lua_pushstring(lua, text == NULL ? "" : text);
	lua_pushvalue(lua, -1);
	lua_rawseti(lua, -3, 2);
	lua_setfield(lua, -2, "text");
	return lua_error(lua);
}

static int
fail_call(lua_State *lua)
{
	return raise_error(lua, code_find(luaL_checkstring(lua, 1)), luaL_optstring(lua, 2, ""));
}

static int
check(lua_State *lua, int code)
{
	return code == 0 ? 0 : raise_error(lua, code, cairn_code_text(code));
}

/* ---- handlers --------------------------------------------------------------------------- */

static int
register_by_name(lua_State *lua, int table)
{
	luaL_checkstring(lua, 1);
	luaL_checktype(lua, 2, LUA_TFUNCTION);
	lua_settop(lua, 2);
	lua_rawgeti(lua, LUA_REGISTRYINDEX, table);
	lua_pushvalue(lua, 1);
	if (lua_rawget(lua, 3) != LUA_TNIL)
		return luaL_error(lua, "%s has a handler already", lua_tostring(lua, 1));
	lua_pop(lua, 1);
	lua_insert(lua, 1);
	lua_rawset(lua, 1);
	return 0;
}

static int
on_call(lua_State *lua)
{
	return register_by_name(lua, host_of(lua)->calls);
}

static int
on_job(lua_State *lua)
{
	return register_by_name(lua, host_of(lua)->jobs);
}

static int
on_event(lua_State *lua)
{
	luaL_checkstring(lua, 1);
	luaL_checktype(lua, 2, LUA_TFUNCTION);
	lua_rawgeti(lua, LUA_REGISTRYINDEX, host_of(lua)->events);
	lua_createtable(lua, 2, 0);
	lua_pushvalue(lua, 1);
	lua_rawseti(lua, -2, 1);
	lua_pushvalue(lua, 2);
	lua_rawseti(lua, -2, 2);
	lua_rawseti(lua, -2, (lua_Integer)lua_rawlen(lua, -2) + 1);
	return 0;
}

static int
register_function(lua_State *lua, int *reference)
{
	luaL_checktype(lua, 1, LUA_TFUNCTION);
	lua_settop(lua, 1);
	luaL_unref(lua, LUA_REGISTRYINDEX, *reference);
	*reference = luaL_ref(lua, LUA_REGISTRYINDEX);
	return 0;
}

static int
on_stop(lua_State *lua)
{
	return register_function(lua, &host_of(lua)->stop);
}

static int
on_check(lua_State *lua)
{
	return register_function(lua, &host_of(lua)->check);
}

static int
on_health(lua_State *lua)
{
	return register_function(lua, &host_of(lua)->health);
}

/* cairn.finding(severity, what, why, advice) */
static int
finding_call(lua_State *lua)
{
	static const char *const severities[] = {"fine", "warning", "fault", NULL};
	struct host *host = host_of(lua);
	struct cairn_finding finding = {
	    .severity = (enum cairn_severity)luaL_checkoption(lua, 1, NULL, severities),
	    .what = luaL_checkstring(lua, 2),
	    .why = luaL_optstring(lua, 3, ""),
	    .advice = luaL_optstring(lua, 4, "")};

	if (host->findings == NULL)
		return luaL_error(lua, "findings are of on_check and on_health");
	cairn_finding(host->findings, &finding);
	return 0;
}

/* ---- requests --------------------------------------------------------------------------- */

static struct cairn_request *
request_check(lua_State *lua)
{
	struct task **box = luaL_checkudata(lua, 1, REQUEST_TYPE);

	if (*box == NULL || (*box)->request == NULL)
		raise_error(lua, CAIRN_ECANCELLED, "the request has ended");
	return (*box)->request;
}

static int
request_fulfil(lua_State *lua)
{
	struct cairn_request *req = request_check(lua);

	return check(lua, cairn_fulfil(req, luaL_checkstring(lua, 2), luaL_checkinteger(lua, 3)));
}

static int
request_progress(lua_State *lua)
{
	struct cairn_request *req = request_check(lua);
	size_t length;
	const char *body = luaL_checklstring(lua, 2, &length);

	return check(lua, cairn_progress(req, body, length));
}

static int
request_obligation(lua_State *lua)
{
	int64_t value;

	if (cairn_obligation_integer(request_check(lua), luaL_checkstring(lua, 2), &value))
		lua_pushinteger(lua, value);
	else
		lua_pushnil(lua);
	return 1;
}

static int
request_index(lua_State *lua)
{
	static const luaL_Reg methods[] = {{"fulfil", request_fulfil},
	    {"progress", request_progress}, {"obligation", request_obligation}};
	struct task **box = luaL_checkudata(lua, 1, REQUEST_TYPE);
	const char *key = luaL_checkstring(lua, 2);

	for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
		if (strcmp(methods[i].name, key) == 0) {
			lua_pushcfunction(lua, methods[i].func);
			return 1;
		}
	}
	if (strcmp(key, "ended") == 0) {
		lua_pushboolean(lua, *box == NULL || (*box)->request == NULL);
	} else if (strcmp(key, "body") == 0) {
		size_t length;
		const void *body = cairn_request_body(request_check(lua), &length);

		lua_pushlstring(lua, body == NULL ? "" : body, length);
	} else if (strcmp(key, "subject") == 0) {
		lua_pushstring(lua, cairn_request_subject(request_check(lua)));
	} else if (strcmp(key, "principal") == 0) {
		lua_pushstring(lua, cairn_request_principal(request_check(lua)));
	} else if (strcmp(key, "purpose") == 0) {
		lua_pushstring(lua, cairn_request_purpose(request_check(lua)));
	} else {
		return luaL_error(lua, "a request has no '%s'", key);
	}
	return 1;
}

void
api_push_request(lua_State *lua, struct task *task)
{
	struct task **box = lua_newuserdatauv(lua, sizeof(struct task *), 0);

	*box = NULL;
	luaL_setmetatable(lua, REQUEST_TYPE);
	lua_pushvalue(lua, -1);
	task->request_reference = luaL_ref(lua, LUA_REGISTRYINDEX);
	*box = task;
}

void
api_forget_request(lua_State *lua, struct task *task)
{
	struct task **box;

	if (task->request_reference == LUA_NOREF)
		return;
	lua_rawgeti(lua, LUA_REGISTRYINDEX, task->request_reference);
	box = lua_touserdata(lua, -1);
	if (box != NULL)
		*box = NULL;
	lua_pop(lua, 1);
	luaL_unref(lua, LUA_REGISTRYINDEX, task->request_reference);
	task->request_reference = LUA_NOREF;
}

/* ---- asking ----------------------------------------------------------------------------- */

struct answer {
	struct task *task;
	int code;
	const char *text;
	const void *body;
	size_t length;
};

static int
push_answer(lua_State *lua)
{
	struct answer *answer = lua_touserdata(lua, 1);
	lua_State *co = answer->task->co;

	luaL_checkstack(co, 4, NULL);
	lua_pushinteger(lua, answer->code);
	if (answer->code == 0)
		lua_pushlstring(lua, answer->body == NULL ? "" : answer->body, answer->length);
	else
		lua_pushstring(lua, answer->text == NULL ? "" : answer->text);
	lua_xmove(lua, co, 2);
	return 0;
}

static void
answered(void *arg, int code, const char *text, const void *body, size_t length)
{
	struct answer answer = {arg, code, text, body, length};
	char words[128];

	/* Without memory for the answer the handler learns that much: two integers fit. */
	if (!host_protected(answer.task->host, push_answer, &answer, words, sizeof words)) {
		lua_pushinteger(answer.task->co, CAIRN_ENOMEM);
		lua_pushinteger(answer.task->co, 0);
	}
	task_resume(answer.task, 2);
}

/* Goes on in the handler once the answer is there: the body, or the refusal as an error. */
static int
continue_with_answer(lua_State *lua, int status, lua_KContext context)
{
	lua_Integer code = lua_tointeger(lua, -2);

	(void)status;
	(void)context;
	if (code != 0)
		return raise_error(lua, (int)code, lua_tostring(lua, -1));
	return 1;
}

static struct task *
waiting_task(lua_State *lua)
{
	struct task *task = task_of(lua);

	if (task == NULL)
		luaL_error(lua, "only a handler can wait: use cairn.after(0, function)");
	return task;
}

static int
wait_for_answer(lua_State *lua, struct task *task, int code)
{
	if (code != 0)
		return raise_error(lua, code, cairn_code_text(code));
	task->waiting = true;
	return lua_yieldk(lua, 0, 0, continue_with_answer);
}

static int
call_call(lua_State *lua)
{
	struct task *task = waiting_task(lua);
	size_t length;
	const char *subject = luaL_checkstring(lua, 1);
	const char *body = luaL_optlstring(lua, 2, "", &length);
	lua_Number seconds = luaL_optnumber(lua, 3, 30);

	luaL_argcheck(lua, seconds > 0 && seconds <= 86400, 3, "0 to 86400 seconds");
	return wait_for_answer(lua, task,
	    cairn_call(task->host->cairn, subject, body, length, (unsigned)(seconds * 1000 + 0.5),
		answered, task));
}

static int
put_call(lua_State *lua)
{
	struct task *task = waiting_task(lua);
	struct cairn_job_put put = {
	    .queue = luaL_checkstring(lua, 1), .key = luaL_optstring(lua, 3, "")};

	put.body = luaL_checklstring(lua, 2, &put.length);
	return wait_for_answer(
	    lua, task, cairn_job_put(task->host->cairn, &put, 1, answered, task));
}

static int
publish_call(lua_State *lua)
{
	size_t length;
	const char *subject = luaL_checkstring(lua, 1);
	const char *body = luaL_optlstring(lua, 2, "", &length);

	return check(lua, cairn_publish(host_of(lua)->cairn, subject, body, length));
}

static int
log_call(lua_State *lua)
{
	static const char *const levels[] = {"error", "warning", "info", "debug", NULL};
	int level = luaL_checkoption(lua, 1, NULL, levels);

	cairn_log((enum cairn_log_level)level, "%s", luaL_checkstring(lua, 2));
	return 0;
}

static int
now_call(lua_State *lua)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	lua_pushnumber(lua, (lua_Number)now.tv_sec + (lua_Number)now.tv_nsec / 1e9);
	return 1;
}

/* ---- settings and secrets ---------------------------------------------------------------- */

static void
push_setting(lua_State *lua, const Cairn__Setting *setting)
{
	switch (setting->value_case) {
	case CAIRN__SETTING__VALUE_TEXT:
		lua_pushstring(lua, setting->text);
		break;
	case CAIRN__SETTING__VALUE_INTEGER:
		lua_pushinteger(lua, setting->integer);
		break;
	case CAIRN__SETTING__VALUE_NUMBER:
		lua_pushnumber(lua, setting->number);
		break;
	case CAIRN__SETTING__VALUE_BOOLEAN:
		lua_pushboolean(lua, setting->boolean);
		break;
	default:
		lua_pushnil(lua);
	}
}

/* One value, or with `list` a table of all that the key has. */
static int
setting_find(lua_State *lua, bool list)
{
	const Cairn__Welcome *welcome = host_of(lua)->cairn->welcome;
	const char *key = luaL_checkstring(lua, 1);
	bool found = false;
	lua_Integer count = 0;

	if (list)
		lua_newtable(lua);
	for (size_t i = 0; i < welcome->n_settings; i++) {
		if (strcmp(welcome->settings[i]->key, key) != 0)
			continue;
		found = true;
		push_setting(lua, welcome->settings[i]);
		if (!list)
			return 1;
		if (lua_isnil(lua, -1))
			lua_pop(lua, 1);
		else
			lua_rawseti(lua, -2, ++count);
	}
	if (!found)
		return luaL_error(lua, "the manifest declares no setting '%s'", key);
	return 1;
}

static int
config_call(lua_State *lua)
{
	return setting_find(lua, false);
}

static int
list_call(lua_State *lua)
{
	return setting_find(lua, true);
}

static int
secret_call(lua_State *lua)
{
	const uint8_t *bytes;
	size_t length;
	int code = cairn_secret(host_of(lua)->cairn, luaL_checkstring(lua, 1), &bytes, &length);

	if (code != 0)
		return raise_error(lua, code, "the secret was not granted");
	lua_pushlstring(lua, (const char *)bytes, length);
	return 1;
}

/* ---- the table -------------------------------------------------------------------------- */

static const luaL_Reg functions[] = {{"on_call", on_call}, {"on_job", on_job},
    {"on_event", on_event}, {"on_stop", on_stop}, {"on_check", on_check}, {"on_health", on_health},
    {"finding", finding_call}, {"call", call_call}, {"put", put_call}, {"publish", publish_call},
    {"fail", fail_call}, {"log", log_call}, {"now", now_call}, {"config", config_call},
    {"list", list_call}, {"secret", secret_call}, {"read_file", file_read_call},
    {"write_file", file_write_call}, {"after", timer_after}, {"every", timer_every}, {NULL, NULL}};

static int
new_reference(lua_State *lua)
{
	lua_newtable(lua);
	return luaL_ref(lua, LUA_REGISTRYINDEX);
}

static void
text_field(lua_State *lua, const char *name, const char *text)
{
	lua_pushstring(lua, text); /* nil for NULL */
	lua_setfield(lua, -2, name);
}

void
api_open(struct host *host)
{
	lua_State *lua = host->lua;

	host->calls = new_reference(lua);
	host->jobs = new_reference(lua);
	host->events = new_reference(lua);
	luaL_newmetatable(lua, REQUEST_TYPE);
	lua_pushcfunction(lua, request_index);
	lua_setfield(lua, -2, "__index");
	lua_pushboolean(lua, 0);
	lua_setfield(lua, -2, "__metatable");
	lua_pop(lua, 1);
	timer_open(lua);
	luaL_newlib(lua, functions);
	text_field(lua, "node_id", cairn_node_id(host->cairn));
	text_field(lua, "project", cairn_project(host->cairn));
	text_field(lua, "state_dir", cairn_state_dir(host->cairn));
	text_field(lua, "objects_dir", cairn_objects_dir(host->cairn));
	text_field(lua, "intake_dir", cairn_intake_dir(host->cairn));
	lua_setglobal(lua, "cairn");
}
