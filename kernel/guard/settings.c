/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/settings.h"

#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "guard/declared.h"
#include "guard/frozen.h"
#include "guard/library.h"
#include "guard/permits.h"

#define ROLE_MAX 32
#define NAME_MAX_BYTES 128

/* ---- principals ------------------------------------------------------------------------- */

static int
compare(const void *a, const void *b)
{
	const struct settings_principal *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static int
read_principal(const struct tree *tree, const struct tree_node *node,
    struct settings_principal *ret, struct cairn_error *err)
{
	const struct tree_node *role = node->kind == TREE_MAP ? tree_find(node, "role") : NULL;

	if (role == NULL || role->kind != TREE_SCALAR || role->length == 0 ||
	    role->length > ROLE_MAX ||
	    strspn(role->text, "abcdefghijklmnopqrstuvwxyz-") != role->length)
		return tree_error(tree, role == NULL ? node : role, err,
		    "principal '%s' needs a role such as {role: researcher}", node->key);
	if (strcmp(role->text, "plugin") == 0 || strncmp(node->key, "local:", 6) == 0)
		return tree_error(tree, node, err,
		    "principal '%s': the role 'plugin' and the names 'local:...' are the kernel's "
		    "to "
		    "give",
		    node->key);
	ret->name = node->key;
	ret->role = role->text;
	ret->line = role->line;
	return 0;
}

static int
read_principals(struct settings *settings, struct cairn_error *err)
{
	const struct tree *tree = settings->tree;
	const struct tree_node *node = tree_find(tree->root, "principals");
	int code = 0;

	if (node == NULL || tree_is_null(node))
		return 0;
	if (node->kind != TREE_MAP)
		return tree_error(tree, node, err,
		    "'principals' must be a map of names such as alice@example.org: {role: "
		    "researcher}");
	settings->principals = calloc(node->count + 1, sizeof *settings->principals);
	if (settings->principals == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "settings.yaml: out of memory");
	for (const struct tree_node *at = node->first; at != NULL && code == 0; at = at->next) {
		code = read_principal(tree, at, &settings->principals[settings->count], err);
		settings->count += code == 0;
	}
	qsort(settings->principals, settings->count, sizeof *settings->principals, compare);
	return code;
}

const char *
settings_role(const struct settings *settings, const char *principal)
{
	struct settings_principal key = {.name = principal};
	const struct settings_principal *found = settings->count == 0
	    ? NULL
	    : bsearch(&key, settings->principals, settings->count, sizeof key, compare);

	return found == NULL ? "" : found->role;
}

/* Every key but an empty `principals:` or `permits:` must have a value: a forgotten one is no
 * number. */
static int
check_values(const struct tree *tree, struct cairn_error *err)
{
	for (const struct tree_node *at = tree->root->first; at != NULL; at = at->next) {
		if (tree_is_null(at) && strcmp(at->key, "principals") != 0 &&
		    strcmp(at->key, "permits") != 0)
			return tree_error(tree, at, err, "'%s' has no value", at->key);
	}
	return 0;
}

int
settings_parse(const struct settings_bytes *bytes, struct settings *ret, struct cairn_error *err)
{
	struct settings settings = {0};
	const struct buf *schema = bytes->schema;
	int code = tree_parse(bytes->length == 0 ? "" : bytes->text, bytes->length, "settings.yaml",
	    &settings.tree, err);

	if (code != 0)
		return code;
	if (settings.tree->root->kind != TREE_MAP)
		code = tree_error(settings.tree, settings.tree->root, err,
		    "expected lines of the form 'key: value'");
	if (code == 0)
		code = check_values(settings.tree, err);
	if (code == 0 && schema != NULL)
		code = declared_check(schema->length == 0 ? (const uint8_t *)"" : schema->data,
		    schema->length, settings.tree, err);
	if (code == 0)
		code = permits_check(settings.tree, err);
	if (code == 0)
		code = read_principals(&settings, err);
	if (code != 0)
		settings_fini(&settings);
	else
		*ret = settings;
	return code;
}

void
settings_fini(struct settings *settings)
{
	free(settings->principals);
	tree_free(settings->tree);
	*settings = (struct settings){0};
}

/* ---- in Lua ----------------------------------------------------------------------------- */

static void
push_scalar(lua_State *lua, const struct tree_node *node)
{
	int64_t integer;
	double number;
	bool boolean;

	if (tree_integer(node, &integer) == 0)
		lua_pushinteger(lua, integer);
	else if (tree_number(node, &number) == 0)
		lua_pushnumber(lua, number);
	else if (tree_bool(node, &boolean) == 0)
		lua_pushboolean(lua, boolean);
	else if (tree_is_null(node))
		lua_pushliteral(lua, "");
	else
		lua_pushlstring(lua, node->text, node->length);
}

static void push_node(lua_State *lua, const struct tree_node *node);

/* A plain table of a list's or map's children. */
static void
push_children(lua_State *lua, const struct tree_node *node)
{
	lua_Integer index = 0;

	lua_newtable(lua);
	for (const struct tree_node *at = node->first; at != NULL; at = at->next) {
		push_node(lua, at);
		if (node->kind == TREE_LIST)
			lua_rawseti(lua, -2, ++index);
		else
			lua_setfield(lua, -2, at->key);
	}
}

/* Recurses as deep as the tree, at most TREE_DEPTH_MAX. */
static void
push_node(lua_State *lua, const struct tree_node *node)
{
	luaL_checkstack(lua, 8, "settings");
	if (node->kind == TREE_SCALAR) {
		push_scalar(lua, node);
		return;
	}
	push_children(lua, node);
	frozen_wrap(lua);
}

static int
unknown_setting(lua_State *lua)
{
	return library_unknown(lua, 1, "settings.yaml has no", luaL_checkstring(lua, 2));
}

static int
find_setting(lua_State *lua)
{
	const struct settings *settings = lua_touserdata(lua, lua_upvalueindex(1));
	const char *name = luaL_checkstring(lua, 1);
	const struct tree_node *node =
	    settings->tree == NULL ? NULL : tree_find(settings->tree->root, name);
	const char *meant;

	lua_pushvalue(lua, lua_upvalueindex(2));
	if (node != NULL) {
		lua_getfield(lua, -1, name);
		lua_pushinteger(lua, node->line);
		return 2;
	}
	meant = library_suggest(lua, -1, name);
	lua_pushnil(lua);
	lua_pushstring(lua, meant);
	return 2;
}

void
settings_open(lua_State *lua, const struct settings *settings, int kernel)
{
	kernel = lua_absindex(lua, kernel);
	if (settings->tree != NULL)
		push_children(lua, settings->tree->root);
	else
		lua_newtable(lua);
	lua_pushlightuserdata(lua, (void *)(uintptr_t)settings);
	lua_pushvalue(lua, -2);
	lua_pushcclosure(lua, find_setting, 2);
	lua_setfield(lua, kernel, "find_setting");
	lua_createtable(lua, 0, 1);
	lua_pushcfunction(lua, unknown_setting);
	lua_setfield(lua, -2, "__index");
	lua_setmetatable(lua, -2);
	frozen_wrap(lua);
	lua_setfield(lua, -2, "settings");
}
