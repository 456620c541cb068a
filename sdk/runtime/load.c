/* SPDX-License-Identifier: Apache-2.0 */
#include <dlfcn.h>
#include <fcntl.h>
#include <string.h>

#include "runtime/private.h"
#include "runtime/runtime.h"

#define DESCRIPTOR_MAX 4096
#define OBJECT_PATH "/proc/self/fd/3" /* RUNTIME_OBJECT_FD */

/* The callbacks of ABI 1 as first released; a descriptor that holds less is not one. */
#define DESCRIPTOR_MIN (offsetof(struct cairn_plugin, cancel) + sizeof(void (*)(void)))

int
plugin_take(const struct cairn_plugin *plugin, const char *name, struct cairn_plugin *ret,
    struct cairn_error *err)
{
	const uint8_t *bytes = (const uint8_t *)plugin;
	struct cairn_plugin copy = {0};

	if (plugin->size < DESCRIPTOR_MIN || plugin->size > DESCRIPTOR_MAX)
		return cairn_error_set(err, CAIRN_EINVAL,
		    "plugin %s has a descriptor of %zu bytes; expected at least %zu: rebuild it "
		    "with CAIRN_PLUGIN()",
		    name, plugin->size, DESCRIPTOR_MIN);
	if (plugin->abi != CAIRN_ABI)
		return cairn_error_set(err, CAIRN_EUNSUPPORTED,
		    "plugin %s was built for ABI %u, this host speaks ABI %u: rebuild it with this "
		    "SDK",
		    name, plugin->abi, CAIRN_ABI);
	for (size_t i = sizeof copy; i < plugin->size; i++) {
		if (bytes[i] != 0)
			return cairn_error_set(err, CAIRN_EUNSUPPORTED,
			    "plugin %s uses callbacks that this host does not know: install a "
			    "newer Cairn",
			    name);
	}
	memcpy(&copy, plugin, plugin->size < sizeof copy ? plugin->size : sizeof copy);
	*ret = copy;
	return 0;
}

static bool
has_sealed_object(void)
{
	int seals = fcntl(RUNTIME_OBJECT_FD, F_GET_SEALS);

	return seals >= 0 && (seals & F_SEAL_WRITE) != 0;
}

/* What dlopen() says of the file that an operator knows. */
static int
load_error(const char *path, const char *name, const char *text, struct cairn_error *err)
{
	size_t length = sizeof OBJECT_PATH - 1;

	const char *advice = strstr(text, "undefined symbol") == NULL
	    ? ""
	    : "; this Cairn does not have it: link the plugin with what it uses, or install a "
	      "newer Cairn";

	if (strncmp(text, OBJECT_PATH, length) == 0)
		return cairn_error_set(err, CAIRN_EINVAL, "cannot load plugin %s: %s%s%s", name,
		    path, text + length, advice);
	return cairn_error_set(
	    err, CAIRN_EINVAL, "cannot load plugin %s: %s%s", name, text, advice);
}

int
plugin_load(const char *path, const char *name, struct cairn_plugin *ret, struct cairn_error *err)
{
	bool sealed = has_sealed_object();
	int code;
	const struct cairn_plugin *plugin;
	void *object;

	if (strchr(path, '/') == NULL)
		return cairn_error_set(err, CAIRN_EINVAL,
		    "plugin %s: '%s' must be a path, not a name to search for", name, path);
	object = dlopen(sealed ? OBJECT_PATH : path, RTLD_NOW | RTLD_LOCAL);
	/* It stays open, because debuggers and sanitizers read symbols from there. */
	if (sealed)
		fcntl(RUNTIME_OBJECT_FD, F_SETFD, FD_CLOEXEC);
	if (object == NULL)
		return load_error(path, name, dlerror(), err);
	plugin = dlsym(object, "cairn_plugin");
	if (plugin == NULL)
		return cairn_error_set(err, CAIRN_EINVAL,
		    "%s exports no cairn_plugin: it is not a plugin (use CAIRN_PLUGIN())", path);
	code = plugin_take(plugin, name, ret, err);
	return code == 0 ? 0 : cairn_error_prefix(err, code, "%s", path);
}
