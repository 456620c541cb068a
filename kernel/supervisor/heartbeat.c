/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "supervisor/private.h"

bool
heartbeat_traced(struct supervisor_plugin *plugin)
{
	bool traced = process_traced(plugin->process);

	if (traced && !plugin->traced)
		log_info(SUPERVISOR_TOPIC,
		    "%s is under a debugger: it is not asked for signs of life", plugin->name);
	plugin->traced = traced;
	return traced;
}

static unsigned
heartbeats_allowed(const struct supervisor_options *options)
{
	unsigned count = options->heartbeat_ms == 0
	    ? 1
	    : (options->heartbeat_limit_ms + options->heartbeat_ms - 1) / options->heartbeat_ms;

	return count == 0 ? 1 : count;
}

/* Counted in questions, not in time: when the kernel itself stood still, nobody is to blame. */
void
heartbeat_ask(struct supervisor_plugin *plugin)
{
	const struct supervisor_options *options = &plugin->supervisor->options;

	if (plugin->unanswered >= heartbeats_allowed(options)) {
		if (heartbeat_traced(plugin))
			plugin->unanswered = 0;
		else
			plugin_condemn(plugin, "gave no sign of life for %u ms, killed",
			    options->heartbeat_limit_ms);
		return;
	}
	plugin->unanswered++;
	if (plugin_command(plugin, CAIRN__ENVELOPE__KIND__PING) != 0)
		plugin_condemn(plugin, "does not read what the kernel sends, killed");
}
