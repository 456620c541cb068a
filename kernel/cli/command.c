/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/paths.h"
#include "runtime/runtime.h"

static int
command_environment(struct command *command)
{
	size_t count = 0, kept = 0;

	while (environ[count] != NULL)
		count++;
	command->environment = calloc(count + 4, sizeof(char *));
	if (command->environment == NULL)
		return CAIRN_ENOMEM;
	for (size_t i = 0; i < count; i++) {
		if (strncmp(environ[i], "CAIRN_CONFORMANCE_", 18) != 0)
			command->environment[kept++] = environ[i];
	}
	command->environment[kept++] = command->plugin_variable;
	command->environment[kept++] = command->fail_variable;
	if (command->debug_variable[0] != 0)
		command->environment[kept] = command->debug_variable;
	return 0;
}

int
command_fill(struct command *command, const struct tested_options *options, const char *socket,
    struct cairn_error *err)
{
	const struct manifest *manifest = options->manifest;
	const char *path = manifest->script == NULL ? manifest->path : manifest->script;
	size_t count = 0;
	int wrote;

	if (paths_program("cairn-host", command->host) != 0 ||
	    paths_library("conformance.so", command->shim) != 0)
		return cairn_error_set(err, CAIRN_EIO, "cannot tell where this program lies");
	wrote = snprintf(command->url, sizeof command->url, "ipc://%s", socket);
	if (wrote < 0 || (size_t)wrote >= sizeof command->url)
		return cairn_error_set(err, CAIRN_ELIMIT, "the path is too long");
	snprintf(command->plugin_variable, sizeof command->plugin_variable,
	    "CAIRN_CONFORMANCE_PLUGIN=%s", path);
	snprintf(command->fail_variable, sizeof command->fail_variable, "CAIRN_CONFORMANCE_FAIL=%u",
	    options->fail_allocation);
	if (options->object_fd > 0) {
		command->stdio[RUNTIME_OBJECT_FD].flags = UV_INHERIT_FD;
		command->stdio[RUNTIME_OBJECT_FD].data.fd = options->object_fd;
	}
	if (options->debug != NULL)
		snprintf(command->debug_variable, sizeof command->debug_variable,
		    "CAIRN_AWAIT_DEBUGGER=1");
	for (; options->tool != NULL && options->tool[count] != NULL; count++) {
		if (count >= COMMAND_ARGUMENTS_MAX - 7)
			return cairn_error_set(err, CAIRN_ELIMIT, "too many words for the tool");
		command->arguments[count] = (char *)(uintptr_t)options->tool[count];
	}
	command->arguments[count++] = command->host;
	command->arguments[count++] = command->url;
	command->arguments[count++] = options->watched && options->manifest->script == NULL
	    ? command->shim
	    : (char *)(uintptr_t)path;
	command->arguments[count++] = options->manifest->name;
	command->arguments[count] = options->manifest->interpreter;
	return command_environment(command) != 0
	    ? cairn_error_set(err, CAIRN_ENOMEM, "out of memory")
	    : 0;
}

void
command_free(struct command *command)
{
	if (command != NULL)
		free(command->environment);
	free(command);
}
