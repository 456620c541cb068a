/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "supervisor/private.h"

void
plugin_note_failure(struct supervisor_plugin *plugin, const char *what, const char *reason)
{
	struct supervisor_failure *kept =
	    &plugin->kept[plugin->failures++ % SUPERVISOR_FAILURES_KEPT];

	kept->what = what;
	kept->wall_ms = clock_wall_ms();
	if (snprintf(kept->reason, sizeof kept->reason, "%s", reason) < 0)
		kept->reason[0] = 0;
	memcpy(plugin->last_error, kept->reason, sizeof plugin->last_error);
}
