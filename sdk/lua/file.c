/* SPDX-License-Identifier: Apache-2.0 */
/* Files: those below the folders that the plugin was told of, whatever the sandbox allows besides.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "base/file.h"
#include "lua/host.h"

static bool
is_below(const char *path, const char *folder)
{
	char resolved[PATH_MAX];
	size_t length;

	if (folder == NULL || realpath(folder, resolved) == NULL)
		return false;
	length = strlen(resolved);
	return strncmp(path, resolved, length) == 0 && path[length] == '/';
}

static bool
may_read(struct host *host, const char *resolved)
{
	return is_below(resolved, cairn_state_dir(host->cairn)) ||
	    is_below(resolved, cairn_objects_dir(host->cairn)) ||
	    is_below(resolved, cairn_intake_dir(host->cairn));
}

/* nil and a text when it is not there or not ours. */
static int
nothing(lua_State *lua, const char *text)
{
	lua_pushnil(lua);
	lua_pushstring(lua, text);
	return 2;
}

static int
push_buffer(lua_State *lua)
{
	const struct buf *buf = lua_touserdata(lua, 1);

	lua_pushlstring(lua, buf->length == 0 ? "" : (const char *)buf->data, buf->length);
	return 1;
}

/* cairn.read_file(path): relative paths begin at state_dir. */
int
file_read_call(lua_State *lua)
{
	struct host *host = host_of(lua);
	const char *name = luaL_checkstring(lua, 1);
	struct buf buf = {.max = HOST_FILE_MAX};
	struct cairn_error err = {0};
	char path[PATH_MAX], resolved[PATH_MAX];
	bool pushed;

	if (name[0] == '/' ? strlen(name) >= sizeof path
			   : file_join(path, sizeof path, cairn_state_dir(host->cairn), name) != 0)
		return nothing(lua, "the path is too long");
	if (realpath(name[0] == '/' ? name : path, resolved) == NULL)
		return nothing(lua, "there is no such file");
	if (!may_read(host, resolved))
		return nothing(lua, "the file is not in a folder of this plugin");
	if (file_read(resolved, &buf, &err) != 0) {
		buf_fini(&buf);
		return nothing(lua, err.text);
	}
	/* In a call of its own, so that the buffer is freed when the script has no memory left. */
	lua_pushcfunction(lua, push_buffer);
	lua_pushlightuserdata(lua, &buf);
	pushed = lua_pcall(lua, 1, 1, 0) == LUA_OK;
	buf_fini(&buf);
	return pushed ? 1 : nothing(lua, "out of memory");
}

/* cairn.write_file(name, bytes): replaces a file in state_dir, whole or not at all. */
int
file_write_call(lua_State *lua)
{
	struct host *host = host_of(lua);
	const char *name = luaL_checkstring(lua, 1);
	struct cairn_error err = {0};
	char path[PATH_MAX];
	size_t length;
	const char *bytes = luaL_checklstring(lua, 2, &length);

	luaL_argcheck(lua, name[0] != 0 && name[0] != '.' && strchr(name, '/') == NULL, 1,
	    "a file's name, without '/'");
	luaL_argcheck(lua, length <= HOST_FILE_MAX, 2, "larger than 16 MiB");
	if (file_join(path, sizeof path, cairn_state_dir(host->cairn), name) != 0)
		return nothing(lua, "the path is too long");
	if (file_write(path, bytes, length, 0600, &err) != 0)
		return nothing(lua, err.text);
	lua_pushboolean(lua, 1);
	return 1;
}
