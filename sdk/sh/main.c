/* SPDX-License-Identifier: Apache-2.0 */
/* cairn-sh: what cairn-host becomes for a plugin that is a folder of programs. */

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <uv.h>

#include "base/log.h"
#include "runtime/script.h"
#include "sh/host.h"
#include "sh/run.h"

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
	struct runtime_options options = {.plugin = &sh_plugin, .finished = finished};
	char url[SCRIPT_URL_MAX];

	if (argc == 3 && strcmp(argv[1], "--become") == 0) {
		run_become(argv[2]);
		perror(argv[2]);
		return 126;
	}
	if (argc != 2 || script_options(&options, url, argv[1], &err) != 0) {
		fprintf(stderr, "usage: cairn-sh FOLDER (started by cairn-host)\n%s\n", err.text);
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
