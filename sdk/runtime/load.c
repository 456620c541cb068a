/* SPDX-License-Identifier: Apache-2.0 */
#include <dlfcn.h>
#include <string.h>

#include "runtime/private.h"

#define DESCRIPTOR_MAX 4096

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

int
plugin_load(const char *path, const char *name, struct cairn_plugin *ret, struct cairn_error *err)
{
	const struct cairn_plugin *plugin;
	void *object;

	if (strchr(path, '/') == NULL)
		return cairn_error_set(err, CAIRN_EINVAL,
		    "plugin %s: '%s' must be a path, not a name to search for", name, path);
	object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (object == NULL)
		return cairn_error_set(
		    err, CAIRN_EINVAL, "cannot load plugin %s: %s", name, dlerror());
	plugin = dlsym(object, "cairn_plugin");
	if (plugin == NULL)
		return cairn_error_set(err, CAIRN_EINVAL,
		    "%s exports no cairn_plugin: it is not a plugin (use CAIRN_PLUGIN())", path);
	return plugin_take(plugin, name, ret, err);
}
