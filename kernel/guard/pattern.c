/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <stdbool.h>
#include <stddef.h>

#include <lauxlib.h>

#include "guard/sandbox.h"

#define CAPTURES_MAX 16
#define DEPTH_MAX 1000
#define HEAP_MAX_KIB 1024
#define NEST_MAX 20
#define MATCH_COSTS 20 /* instructions, for what PCRE2 does before the first step */

static const char kept_key; /* registry: compiled patterns by their text */

/* A full userdata, so that whatever way a match ends Lua frees it. */
struct pattern {
	pcre2_code *code;
	pcre2_match_data *data;
	pcre2_match_context *context;
	bool anchored;
};

static int
free_pattern(lua_State *lua)
{
	struct pattern *p = lua_touserdata(lua, 1);

	pcre2_code_free(p->code);
	pcre2_match_data_free(p->data);
	pcre2_match_context_free(p->context);
	*p = (struct pattern){0};
	return 0;
}

/* ---- compiling -------------------------------------------------------------------------- */

static pcre2_code *
compile(lua_State *lua, const char *text, size_t length)
{
	const uint32_t options = PCRE2_NEVER_BACKSLASH_C | PCRE2_NEVER_UTF | PCRE2_DOLLAR_ENDONLY |
	    PCRE2_USE_OFFSET_LIMIT;
	pcre2_compile_context *context = pcre2_compile_context_create(NULL);
	PCRE2_UCHAR words[128];
	pcre2_code *code = NULL;
	PCRE2_SIZE offset = 0;
	int error = PCRE2_ERROR_NOMEMORY;

	if (context != NULL) {
		pcre2_set_parens_nest_limit(context, NEST_MAX);
		code = pcre2_compile((PCRE2_SPTR)text, length, options, &error, &offset, context);
		pcre2_compile_context_free(context);
	}
	if (code == NULL) {
		pcre2_get_error_message(error, words, sizeof words);
		luaL_error(lua, "pattern '%s': %s at character %d", text, (const char *)words,
		    (int)offset + 1);
	}
	return code;
}

static bool
prepare(lua_State *lua, struct pattern *p)
{
	uint32_t options = 0;

	p->data = pcre2_match_data_create(CAPTURES_MAX + 1, NULL);
	p->context = pcre2_match_context_create(NULL);
	if (p->data == NULL || p->context == NULL)
		return false;
	pcre2_set_match_limit(p->context, sandbox_of(lua)->match_limit);
	pcre2_set_depth_limit(p->context, DEPTH_MAX);
	pcre2_set_heap_limit(p->context, HEAP_MAX_KIB);
	pcre2_pattern_info(p->code, PCRE2_INFO_ALLOPTIONS, &options);
	p->anchored = (options & PCRE2_ANCHORED) != 0;
	return true;
}

/* Pushes the table of kept patterns, a new one when it is full. */
static void
push_kept(lua_State *lua)
{
	lua_Integer count = 0;

	if (lua_rawgetp(lua, LUA_REGISTRYINDEX, &kept_key) == LUA_TTABLE) {
		lua_rawgeti(lua, -1, 1);
		count = lua_tointeger(lua, -1);
		lua_pop(lua, 1);
		if (count < PATTERN_KEPT_MAX)
			return;
	}
	lua_pop(lua, 1);
	lua_newtable(lua);
	lua_pushvalue(lua, -1);
	lua_rawsetp(lua, LUA_REGISTRYINDEX, &kept_key);
}

static void
keep(lua_State *lua, int kept, int text)
{
	lua_pushvalue(lua, text);
	lua_pushvalue(lua, -2);
	lua_rawset(lua, kept);
	lua_rawgeti(lua, kept, 1);
	lua_pushinteger(lua, lua_tointeger(lua, -1) + 1);
	lua_rawseti(lua, kept, 1);
	lua_pop(lua, 1);
}

/* Leaves the pattern on the stack, so that it is not collected while in use. */
static struct pattern *
push_pattern(lua_State *lua, int text)
{
	struct pattern *p;
	size_t length;
	const char *words = luaL_checklstring(lua, text, &length);
	int kept;

	if (length > PATTERN_MAX)
		luaL_error(lua, "a pattern of %d bytes is over %d", (int)length, PATTERN_MAX);
	push_kept(lua);
	kept = lua_gettop(lua);
	lua_pushvalue(lua, text);
	if (lua_rawget(lua, kept) == LUA_TUSERDATA)
		return lua_touserdata(lua, -1);
	lua_pop(lua, 1);
	p = lua_newuserdatauv(lua, sizeof *p, 0);
	*p = (struct pattern){0};
	lua_createtable(lua, 0, 1);
	lua_pushcfunction(lua, free_pattern);
	lua_setfield(lua, -2, "__gc");
	lua_setmetatable(lua, -2);
	p->code = compile(lua, words, length);
	if (!prepare(lua, p))
		luaL_error(lua, "no memory for a pattern");
	keep(lua, kept, text);
	return p;
}

/* ---- matching --------------------------------------------------------------------------- */

struct subject {
	const char *bytes;
	size_t length;
};

static struct subject
check_subject(lua_State *lua, int index)
{
	struct subject subject;

	subject.bytes = luaL_checklstring(lua, index, &subject.length);
	if (subject.length > PATTERN_SUBJECT_MAX)
		luaL_error(lua, "a text of %d bytes is over the %d that patterns are matched with",
		    (int)subject.length, PATTERN_SUBJECT_MAX);
	return subject;
}

/*
 * The first match that begins at or after `start`: its captures' count, or 0.  One position at a
 * time: PCRE2 begins to count anew at each, and between them we look at our own limits.
 */
static int
find(lua_State *lua, struct pattern *p, struct subject subject, size_t start)
{
	PCRE2_UCHAR words[128];
	int found = PCRE2_ERROR_NOMATCH;

	sandbox_spend(lua, MATCH_COSTS);
	for (size_t at = start; at <= subject.length && found == PCRE2_ERROR_NOMATCH; at++) {
		pcre2_set_offset_limit(p->context, at);
		found = pcre2_match(
		    p->code, (PCRE2_SPTR)subject.bytes, subject.length, at, 0, p->data, p->context);
		sandbox_spend(lua, 1);
		if (p->anchored)
			break;
	}
	if (found == PCRE2_ERROR_NOMATCH)
		return 0;
	if (found == PCRE2_ERROR_MATCHLIMIT || found == PCRE2_ERROR_DEPTHLIMIT ||
	    found == PCRE2_ERROR_HEAPLIMIT)
		return luaL_error(lua,
		    "a pattern exceeded its limit of %d steps (write it without "
		    "nested repetition such as (a+)+)",
		    (int)sandbox_of(lua)->match_limit);
	if (found < 0) {
		pcre2_get_error_message(found, words, sizeof words);
		return luaL_error(lua, "a pattern could not be matched: %s", (const char *)words);
	}
	return found == 0 ? CAPTURES_MAX + 1 : found;
}

static void
push_capture(lua_State *lua, const struct pattern *p, struct subject subject, int index)
{
	const PCRE2_SIZE *offsets = pcre2_get_ovector_pointer(p->data);
	PCRE2_SIZE from = offsets[2 * index], to = offsets[2 * index + 1];

	if (from == PCRE2_UNSET || to < from)
		lua_pushboolean(lua, 0);
	else
		lua_pushlstring(lua, subject.bytes + from, to - from);
}

int
pattern_match(lua_State *lua)
{
	struct subject subject = check_subject(lua, 1);
	struct pattern *p = push_pattern(lua, 2);
	uint32_t groups = 0;
	int found = find(lua, p, subject, 0);
	int count = 0;

	if (found == 0) {
		lua_pushnil(lua);
		return 1;
	}
	pcre2_pattern_info(p->code, PCRE2_INFO_CAPTURECOUNT, &groups);
	luaL_checkstack(lua, CAPTURES_MAX + 2, "captures");
	if (groups == 0) {
		push_capture(lua, p, subject, 0);
		return 1;
	}
	for (int i = 1; i <= (int)groups && i <= CAPTURES_MAX; i++, count++) {
		if (i < found)
			push_capture(lua, p, subject, i);
		else
			lua_pushboolean(lua, 0); /* a group that took no part */
	}
	return count;
}

int
pattern_replace(lua_State *lua)
{
	struct subject subject = check_subject(lua, 1);
	size_t length;
	const char *by = luaL_checklstring(lua, 3, &length);
	struct pattern *p = push_pattern(lua, 2);
	size_t total = 0, start = 0;
	luaL_Buffer out;

	luaL_buffinit(lua, &out);
	while (start <= subject.length) {
		const PCRE2_SIZE *offsets = pcre2_get_ovector_pointer(p->data);
		size_t from, to;

		if (find(lua, p, subject, start) == 0)
			break;
		from = offsets[0];
		to = offsets[1] < from ? from : offsets[1];
		total += from - start + length;
		if (from < start || length > PATTERN_RESULT_MAX || total > PATTERN_RESULT_MAX)
			return luaL_error(
			    lua, "replace: the result would be over %d bytes", PATTERN_RESULT_MAX);
		luaL_addlstring(&out, subject.bytes + start, from - start);
		luaL_addlstring(&out, by, length);
		if (to == from && to < subject.length) /* an empty match: step over one byte */
			luaL_addchar(&out, subject.bytes[to]);
		start = to == from ? to + 1 : to;
		if (p->anchored)
			break;
	}
	if (start < subject.length)
		luaL_addlstring(&out, subject.bytes + start, subject.length - start);
	luaL_pushresult(&out);
	return 1;
}
