/* SPDX-License-Identifier: Apache-2.0 */
#include "mapping.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "base/text.h"
#include "cohort/expr.h"

#define MEMORY_MAX ((size_t)32 << 20)
#define INSTRUCTIONS_MAX 20000000
#define PAIRS_MAX 10000

/* Of a load; the errors of Lua carry it away. */
struct load {
	struct mapping *mapping;
	const char *name;
	size_t memory;
	int line; /* of what is being read */
};

static const char *const as_names[MAPPING_AS_COUNT] = {"code", "map", "number", "unit", "day",
    "age", "tnm", "symbol", "protein", "coding", "genomic", "allele"};

/* ---- memory ------------------------------------------------------------------------------- */

static void
path_fini(struct mapping_path *path)
{
	for (size_t i = 0; i < path->count; i++) {
		free(path->steps[i].name);
		free(path->steps[i].filter);
	}
}

static void
table_fini(struct mapping_table *table)
{
	for (size_t i = 0; i < table->count; i++) {
		free(table->pairs[i].from);
		free(table->pairs[i].to);
	}
	free(table->pairs);
}

static void
tests_fini(struct mapping_tests *tests)
{
	for (size_t i = 0; i < tests->count; i++) {
		path_fini(&tests->tests[i].path);
		table_fini(&tests->tests[i].values);
	}
}

static void
fact_fini(struct mapping_fact *fact)
{
	free(fact->attribute);
	free(fact->other);
	for (size_t i = 0; i < fact->path_count; i++)
		path_fini(&fact->paths[i]);
	tests_fini(&fact->when);
	table_fini(&fact->map);
	table_fini(&fact->units);
}

void
mapping_free(struct mapping *mapping)
{
	if (mapping == NULL)
		return;
	for (size_t i = 0; i < mapping->count; i++) {
		struct mapping_block *block = &mapping->blocks[i];

		for (size_t j = 0; j < block->fact_count; j++)
			fact_fini(&block->facts[j]);
		free(block->facts);
		free(block->resource);
		free(block->entity);
		path_fini(&block->subject);
		tests_fini(&block->when);
		tests_fini(&block->withdrawn);
	}
	free(mapping->blocks);
	table_fini(&mapping->issuers);
	free(mapping);
}

static int
compare_pairs(const void *a, const void *b)
{
	return strcmp(
	    ((const struct mapping_pair *)a)->from, ((const struct mapping_pair *)b)->from);
}

const struct mapping_pair *
mapping_table_find(const struct mapping_table *table, const char *from)
{
	struct mapping_pair key = {.from = (char *)(uintptr_t)from};

	if (table->count == 0)
		return NULL;
	return bsearch(&key, table->pairs, table->count, sizeof key, compare_pairs);
}

/* ---- reading tables ----------------------------------------------------------------------- */

static struct load *
load_of(lua_State *lua)
{
	return *(struct load **)lua_getextraspace(lua);
}

/* Never returns; a mistake of the file. */
static int
complain(lua_State *lua, const char *format, const char *word)
{
	struct load *load = load_of(lua);

	lua_pushfstring(lua, "%s:%d: ", load->name, load->line);
	lua_pushfstring(lua, format, word);
	lua_concat(lua, 2);
	return lua_error(lua);
}

static void *
must(lua_State *lua, void *memory)
{
	if (memory == NULL)
		complain(lua, "out of memory%s", "");
	return memory;
}

static const char *
key_name(const void *arg, size_t index)
{
	return ((const char *const *)arg)[index];
}

/* All keys of the table at `at` that are words are among `known`. */
static void
check_keys(lua_State *lua, int at, const char *const *known)
{
	lua_pushnil(lua);
	while (lua_next(lua, at) != 0) {
		const char *key = lua_type(lua, -2) == LUA_TSTRING ? lua_tostring(lua, -2) : NULL;
		const char *near;
		size_t i = 0;

		lua_pop(lua, 1);
		while (key != NULL && known[i] != NULL && strcmp(known[i], key) != 0)
			i++;
		if (key == NULL || known[i] != NULL)
			continue;
		near = text_suggest(key, key_name, known);
		if (near != NULL) {
			lua_pushfstring(lua, "unknown key '%s'; did you mean '%s'?", key, near);
			complain(lua, "%s", lua_tostring(lua, -1));
		}
		complain(lua, "unknown key '%s'", key);
	}
}

static char *
copy_string(lua_State *lua, int at, const char *what)
{
	size_t length = 0;
	const char *text =
	    lua_type(lua, at) == LUA_TSTRING ? lua_tolstring(lua, at, &length) : NULL;

	if (text == NULL || length == 0 || length > 512 || strlen(text) != length)
		complain(lua, "'%s' is not a text of 1 to 512 bytes", what);
	return must(lua, strdup(text));
}

/* "component[loinc:48018-6].valueCodeableConcept.coding" */
static void
read_path(lua_State *lua, int at, struct mapping_path *ret)
{
	const char *text = lua_type(lua, at) == LUA_TSTRING ? lua_tostring(lua, at) : NULL;

	if (text == NULL)
		complain(lua, "a path is a text%s", "");
	while (text[0] != 0) {
		size_t name = strcspn(text, ".["), filter = 0;
		struct mapping_step *step = &ret->steps[ret->count];

		if (name == 0 || name > 64 || ret->count == MAPPING_STEPS_MAX)
			complain(lua, "'%s' is no path, or has more than 12 steps", text);
		ret->count++;
		*step = (struct mapping_step){.name = must(lua, strndup(text, name))};
		text += name;
		if (text[0] == '[') {
			filter = strcspn(++text, "]");
			if (text[filter] != ']' || filter == 0)
				complain(lua, "the bracket in a path is not closed: '%s'", text);
			step->filter = must(lua, strndup(text, filter));
			step->url = strstr(step->filter, "://") != NULL;
			text += filter + 1;
		}
		if (text[0] == '.' && text[1] != 0)
			text++;
		else if (text[0] != 0)
			complain(lua, "a path goes on with a dot, not with '%s'", text);
	}
	if (ret->count == 0)
		complain(lua, "a path is empty%s", "");
}

static struct mapping_pair *
new_pair(lua_State *lua, struct mapping_table *table)
{
	struct mapping_pair *grown;

	if (table->count == PAIRS_MAX)
		complain(lua, "a table has more than 10000 values%s", "");
	if (table->count % 16 == 0) {
		grown = realloc(table->pairs, (table->count + 16) * sizeof *grown);
		table->pairs = must(lua, grown);
	}
	table->pairs[table->count] = (struct mapping_pair){0};
	return &table->pairs[table->count++];
}

/* {"a", "b"} or {["a"] = "x", ["b"] = 2.5}, or one text. */
static void
read_table(lua_State *lua, int at, struct mapping_table *ret, bool numbers)
{
	if (lua_type(lua, at) == LUA_TSTRING) {
		new_pair(lua, ret)->from = must(lua, strdup(lua_tostring(lua, at)));
		return;
	}
	if (!lua_istable(lua, at))
		complain(lua, "a list or table of values is expected%s", "");
	lua_pushnil(lua);
	while (lua_next(lua, at) != 0) {
		bool list = lua_type(lua, -2) == LUA_TNUMBER;
		struct mapping_pair *pair = new_pair(lua, ret);

		pair->from = copy_string(lua, list ? -1 : -2, "value");
		if (!list && numbers && lua_type(lua, -1) == LUA_TNUMBER)
			pair->factor = lua_tonumber(lua, -1);
		else if (!list && !numbers)
			pair->to = copy_string(lua, -1, "value");
		else if (numbers)
			complain(lua, "units are given with a number: {[\"ug/L\"] = 1}%s", "");
		lua_pop(lua, 1);
	}
	qsort(ret->pairs, ret->count, sizeof *ret->pairs, compare_pairs);
}

/* {["status"] = {"final", ...}, ...} */
static void
read_tests(lua_State *lua, int at, struct mapping_tests *ret)
{
	if (!lua_istable(lua, at))
		complain(lua, "a condition is a table: {[\"status\"] = {\"final\"}}%s", "");
	lua_pushnil(lua);
	while (lua_next(lua, at) != 0) {
		struct mapping_test *test = &ret->tests[ret->count];

		if (ret->count == MAPPING_TESTS_MAX)
			complain(lua, "more than 8 conditions%s", "");
		ret->count++;
		*test = (struct mapping_test){0};
		read_path(lua, -2, &test->path);
		read_table(lua, lua_gettop(lua), &test->values, false);
		lua_pop(lua, 1);
	}
}

static int
line_of(lua_State *lua, int at)
{
	int line;

	lua_getfield(lua, at, "line");
	line = (int)lua_tointeger(lua, -1);
	lua_pop(lua, 1);
	return line;
}

/* ---- facts and blocks --------------------------------------------------------------------- */

static void
read_paths(lua_State *lua, int at, struct mapping_fact *fact)
{
	lua_Integer count = lua_istable(lua, at) ? luaL_len(lua, at) : 1;

	if (count < 1 || count > MAPPING_PATHS_MAX)
		complain(lua, "'from' is one path or a list of at most 8%s", "");
	for (lua_Integer i = 1; i <= count; i++) {
		if (lua_istable(lua, at))
			lua_geti(lua, at, i);
		else
			lua_pushvalue(lua, at);
		fact->path_count++;
		read_path(lua, lua_gettop(lua), &fact->paths[fact->path_count - 1]);
		lua_pop(lua, 1);
	}
}

static void
read_as(lua_State *lua, struct mapping_fact *fact)
{
	const char *word = lua_isnil(lua, -1) ? "code" : lua_tostring(lua, -1);

	for (size_t i = 0; word != NULL && i < MAPPING_AS_COUNT; i++) {
		if (strcmp(as_names[i], word) == 0) {
			fact->as = (enum mapping_as)i;
			return;
		}
	}
	complain(lua,
	    "as = '%s': one of code, map, number, unit, day, age, tnm, symbol, protein, coding, "
	    "genomic, allele",
	    word == NULL ? "?" : word);
}

/* The attribute is one of the cohort language's, of this entity. */
static void
check_attribute(lua_State *lua, const struct mapping_block *block, const struct mapping_fact *fact)
{
	const struct cohort_attribute *attribute = cohort_attribute_find(fact->attribute);
	const char *near = cohort_attribute_suggest(fact->attribute);

	if (attribute != NULL || fact->as == MAPPING_GENOMIC)
		return;
	(void)block;
	if (near == NULL)
		complain(lua,
		    "the cohort language has no attribute '%s'; cairn cohort fields lists them",
		    fact->attribute);
	lua_pushfstring(lua, "the cohort language has no attribute '%s'; did you mean '%s'?",
	    fact->attribute, near);
	complain(lua, "%s", lua_tostring(lua, -1));
}

static void
read_fact(lua_State *lua, int at, struct mapping_block *block)
{
	static const char *const known[] = {
	    "attribute", "as", "from", "of", "when", "map", "other", "units", "line", NULL};
	struct mapping_fact *fact = &block->facts[block->fact_count++];

	*fact = (struct mapping_fact){.line = line_of(lua, at)};
	load_of(lua)->line = fact->line;
	check_keys(lua, at, known);
	lua_getfield(lua, at, "attribute");
	fact->attribute = copy_string(lua, -1, "attribute");
	lua_getfield(lua, at, "as");
	read_as(lua, fact);
	lua_getfield(lua, at, "of");
	fact->of_patient = lua_isstring(lua, -1) && strcmp(lua_tostring(lua, -1), "patient") == 0;
	if (!fact->of_patient && !lua_isnil(lua, -1))
		complain(lua, "'of' can only be \"patient\"%s", "");
	lua_getfield(lua, at, "from");
	read_paths(lua, lua_gettop(lua), fact);
	if (lua_getfield(lua, at, "when") != LUA_TNIL)
		read_tests(lua, lua_gettop(lua), &fact->when);
	if (lua_getfield(lua, at, "map") != LUA_TNIL)
		read_table(lua, lua_gettop(lua), &fact->map, false);
	if (lua_getfield(lua, at, "units") != LUA_TNIL)
		read_table(lua, lua_gettop(lua), &fact->units, true);
	if (lua_getfield(lua, at, "other") != LUA_TNIL)
		fact->other = copy_string(lua, -1, "other");
	if (fact->as == MAPPING_MAP && fact->map.count == 0)
		complain(lua, "as = \"map\" needs a table 'map'%s", "");
	check_attribute(lua, block, fact);
	lua_pop(lua, 8);
}

static const char *const entities[] = {
    "patient", "condition", "observation", "procedure", "medication", "specimen", "variant", NULL};

static void
read_block(lua_State *lua, int at, struct mapping_block *block)
{
	static const char *const known[] = {
	    "type", "entity", "subject", "when", "withdrawn", "line", NULL};
	lua_Integer count = luaL_len(lua, at);
	size_t i = 0;

	block->line = load_of(lua)->line = line_of(lua, at);
	check_keys(lua, at, known);
	if (count > MAPPING_FACTS_MAX)
		complain(lua, "more than 1024 facts%s", "");
	lua_getfield(lua, at, "type");
	block->resource = copy_string(lua, -1, "type");
	lua_getfield(lua, at, "entity");
	block->entity = copy_string(lua, -1, "entity");
	while (entities[i] != NULL && strcmp(entities[i], block->entity) != 0)
		i++;
	if (entities[i] == NULL)
		complain(lua, "no entity '%s'", block->entity);
	if (lua_getfield(lua, at, "subject") == LUA_TNIL) {
		lua_pop(lua, 1);
		lua_pushliteral(lua, "subject.reference");
	}
	read_path(lua, lua_gettop(lua), &block->subject);
	if (lua_getfield(lua, at, "when") != LUA_TNIL)
		read_tests(lua, lua_gettop(lua), &block->when);
	if (lua_getfield(lua, at, "withdrawn") != LUA_TNIL)
		read_tests(lua, lua_gettop(lua), &block->withdrawn);
	lua_pop(lua, 5);
	block->facts = must(lua, calloc((size_t)count + 1, sizeof *block->facts));
	for (lua_Integer n = 1; n <= count; n++) {
		if (lua_geti(lua, at, n) != LUA_TTABLE)
			complain(lua, "what is listed in a resource is made by fact {...}%s", "");
		read_fact(lua, lua_gettop(lua), block);
		lua_pop(lua, 1);
	}
}

/* ---- the functions of the file ------------------------------------------------------------ */

static int
calling_line(lua_State *lua)
{
	lua_Debug debug;

	if (lua_getstack(lua, 1, &debug) == 0 || lua_getinfo(lua, "l", &debug) == 0)
		return 0;
	return debug.currentline;
}

/* fact { ... }: the table, with its line. */
static int
make_fact(lua_State *lua)
{
	load_of(lua)->line = calling_line(lua);
	if (!lua_istable(lua, 1))
		return complain(lua, "fact { ... } takes a table%s", "");
	lua_pushinteger(lua, load_of(lua)->line);
	lua_setfield(lua, 1, "line");
	lua_settop(lua, 1);
	return 1;
}

static int
make_resource(lua_State *lua)
{
	struct load *load = load_of(lua);
	struct mapping *mapping = load->mapping;
	struct mapping_block *grown;

	load->line = calling_line(lua);
	if (!lua_istable(lua, 1))
		return complain(lua, "resource { ... } takes a table%s", "");
	if (mapping->count == MAPPING_BLOCKS_MAX)
		return complain(lua, "more than 256 resources%s", "");
	lua_settop(lua, 1);
	lua_pushinteger(lua, load->line);
	lua_setfield(lua, 1, "line");
	grown = realloc(mapping->blocks, (mapping->count + 1) * sizeof *grown);
	mapping->blocks = must(lua, grown);
	mapping->blocks[mapping->count++] = (struct mapping_block){0};
	read_block(lua, 1, &mapping->blocks[mapping->count - 1]);
	return 0;
}

static int
set_issuers(lua_State *lua)
{
	struct load *load = load_of(lua);

	load->line = calling_line(lua);
	lua_settop(lua, 1);
	table_fini(&load->mapping->issuers);
	load->mapping->issuers = (struct mapping_table){0};
	read_table(lua, 1, &load->mapping->issuers, false);
	return 0;
}

/* ---- the state ---------------------------------------------------------------------------- */

static void *
allocate(void *arg, void *block, size_t old_size, size_t new_size)
{
	struct load *load = arg;
	size_t held = block == NULL ? 0 : old_size;
	void *moved;

	if (new_size == 0) {
		free(block);
		load->memory -= held;
		return NULL;
	}
	if (new_size > held && new_size - held > MEMORY_MAX - load->memory)
		return NULL;
	moved = realloc(block, new_size);
	if (moved != NULL)
		load->memory = load->memory - held + new_size;
	return moved;
}

static void
on_count(lua_State *lua, lua_Debug *debug)
{
	(void)debug;
	luaL_error(lua, "the mapping does not come to an end");
}

static int
run(lua_State *lua)
{
	static const luaL_Reg functions[] = {{"fact", make_fact}, {"resource", make_resource},
	    {"issuers", set_issuers}, {NULL, NULL}};
	static const char *const out[] = {"load", "loadfile", "dofile", "collectgarbage", "print",
	    "pcall", "xpcall", "require", "setmetatable", "getmetatable", NULL};
	char *const *chunk = lua_touserdata(lua, 1);

	luaL_requiref(lua, "_G", luaopen_base, 1);
	luaL_requiref(lua, "table", luaopen_table, 1);
	for (size_t i = 0; out[i] != NULL; i++) {
		lua_pushnil(lua);
		lua_setglobal(lua, out[i]);
	}
	lua_pushglobaltable(lua);
	luaL_setfuncs(lua, functions, 0);
	lua_settop(lua, 0);
	lua_sethook(lua, on_count, LUA_MASKCOUNT, INSTRUCTIONS_MAX);
	if (luaL_loadbufferx(
		lua, chunk[0], *(const size_t *)(const void *)chunk[1], chunk[2], "t") != LUA_OK)
		return lua_error(lua);
	lua_call(lua, 0, 0);
	return 0;
}

static int
finish(struct load *load, struct cairn_error *err)
{
	if (load->mapping->count == 0)
		return cairn_error_set(err, CAIRN_EINVAL,
		    "%s: it has no resource { ... }; begin with a copy of the mapping that comes "
		    "with Cairn (cairn fhir mapping)",
		    load->name);
	return 0;
}

int
mapping_load(struct mapping **ret, const char *name, const char *text, size_t length,
    struct cairn_error *err)
{
	struct mapping *mapping = calloc(1, sizeof *mapping);
	struct load load = {.mapping = mapping, .name = name}, *pointer = &load;
	lua_State *lua = mapping == NULL ? NULL : lua_newstate(allocate, &load);
	char title[256];
	const void *chunk[] = {text, &length, title};
	int code = CAIRN_ENOMEM;

	snprintf(title, sizeof title, "=%s", name);
	if (lua != NULL && length <= MAPPING_BYTES_MAX) {
		memcpy(lua_getextraspace(lua), &pointer, sizeof pointer);
		lua_pushcfunction(lua, run);
		lua_pushlightuserdata(lua, chunk);
		code = lua_pcall(lua, 1, 0, 0) == LUA_OK ? finish(&load, err) : CAIRN_EINVAL;
		if (code == CAIRN_EINVAL && lua_gettop(lua) > 0) {
			const char *why = lua_tostring(lua, -1);
			bool placed = why != NULL && strncmp(why, name, strlen(name)) == 0;

			cairn_error_set(err, code, "%s%s%s", placed ? "" : name, placed ? "" : ": ",
			    why == NULL ? "no text says why" : why);
		}
	} else {
		cairn_error_set(err, code, "%s: out of memory, or larger than 1 MiB", name);
	}
	if (lua != NULL)
		lua_close(lua);
	if (code == 0)
		*ret = mapping;
	else
		mapping_free(mapping);
	return code;
}
