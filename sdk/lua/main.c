/* SPDX-License-Identifier: Apache-2.0 */
/* cairn-lua: what cairn-host becomes for a plugin that is a Lua file. */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <uv.h>

#include "base/log.h"
#include "lua/host.h"
#include "runtime/script.h"

static void
finished(void *arg, int status)
{
	(void)arg;
	_exit(status);
}

int
main(int argc, char **argv)
{
	struct cairn_error err = {0};
	struct cairn *cairn;
	struct runtime_options options = {.plugin = &lua_plugin, .finished = finished};
	char url[SCRIPT_URL_MAX];

	if (argc != 2 || script_options(&options, url, argv[1], &err) != 0) {
		fprintf(
		    stderr, "usage: cairn-lua SCRIPT.lua (started by cairn-host)\n%s\n", err.text);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	if (runtime_new(&cairn, uv_default_loop(), &options, &err) != 0) {
		log_error("host", "%s", err.text);
		return 1;
	}
	uv_run(uv_default_loop(), UV_RUN_DEFAULT);
	_exit(1); /* not reached: the channel keeps the loop alive until finished() */
}
