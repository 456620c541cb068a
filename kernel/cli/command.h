/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

/* The command line and environment of a host that tests a plugin. */

#include <limits.h>

#include <uv.h>

#include "cli/tested.h"

#define COMMAND_ARGUMENTS_MAX 32
#define COMMAND_STDIO_MAX 5 /* with the object's and the sandbox's descriptor */

struct command {
	char host[PATH_MAX], shim[PATH_MAX], url[PATH_MAX + 8];
	char plugin_variable[PATH_MAX + 40], fail_variable[64], debug_variable[32];
	char *arguments[COMMAND_ARGUMENTS_MAX];
	char **environment; /* ours and the shim's */
	uv_stdio_container_t stdio[COMMAND_STDIO_MAX];
	int log, sandbox_fd;
};

int command_fill(struct command *command, const struct tested_options *options, const char *socket,
    struct cairn_error *err);
void command_free(struct command *command); /* made with calloc() */

#endif
