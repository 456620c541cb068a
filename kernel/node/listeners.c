/* SPDX-License-Identifier: Apache-2.0 */
#include "node/listeners.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "node/handover.h"
#include "node/words.h"
#include "runtime/listener.h"

static struct node_listener *
find(struct node_plugin *plugin, const char *address, uint16_t port)
{
	for (size_t i = 0; i < plugin->listener_count; i++) {
		struct node_listener *listener = &plugin->listeners[i];

		if (listener->port == port && strcmp(listener->address, address) == 0)
			return listener;
	}
	return NULL;
}

int
listeners_get(void *arg, struct supervisor_plugin *process, const char *address, uint16_t port,
    int *ret_fd, struct cairn_error *err)
{
	struct node_plugin *plugin = supervisor_user(process);
	struct node_listener *listener;
	char text[160];
	int fd = -1, code;

	(void)arg;
	if (!words_are_plain(address, NODE_ADDRESS_MAX - 1))
		return cairn_error_set(err, CAIRN_EINVAL, "that is no IP address");
	if (!manifest_has(handover_manifest(plugin, process), "listen:tcp")) {
		snprintf(text, sizeof text,
		    "plugin '%.32s' has no capability listen:tcp (it wants %.60s port %u)",
		    plugin->config.manifest->name, address, port);
		node_plugin_refuse(plugin, text);
		return cairn_error_set(err, CAIRN_EFORBIDDEN, "%s", text);
	}
	listener = find(plugin, address, port);
	if (listener == NULL && plugin->listener_count == NODE_LISTENERS_MAX)
		return cairn_error_set(err, CAIRN_ELIMIT,
		    "a plugin has at most %d listening sockets", NODE_LISTENERS_MAX);
	if (listener == NULL) {
		code = listener_make(address, port, &fd, err);
		if (code != 0)
			return code;
		listener = &plugin->listeners[plugin->listener_count++];
		listener->fd = fd;
		listener->port = port;
		snprintf(listener->address, sizeof listener->address, "%s", address);
	}
	listener->asked = true;
	*ret_fd = listener->fd;
	return 0;
}

void
listeners_renew(struct node_plugin *plugin)
{
	for (size_t i = 0; i < plugin->listener_count; i++)
		plugin->listeners[i].asked = false;
}

void
listeners_close(struct node_plugin *plugin, bool unasked)
{
	for (size_t i = plugin->listener_count; i-- > 0;) {
		if (unasked && plugin->listeners[i].asked)
			continue;
		close(plugin->listeners[i].fd);
		plugin->listeners[i] = plugin->listeners[--plugin->listener_count];
	}
}
