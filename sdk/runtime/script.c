/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/script.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"

int
script_options(struct runtime_options *options, char url[SCRIPT_URL_MAX], const char *script,
    struct cairn_error *err)
{
	const char *socket_path = getenv("CAIRN_SOCKET"), *kernel = getenv("CAIRN_KERNEL");
	int64_t pid = 0;
	int wrote;

	options->name = getenv("CAIRN_PLUGIN");
	options->path = script;
	if (socket_path == NULL || options->name == NULL || kernel == NULL ||
	    text_to_integer(kernel, 1, INT_MAX, &pid) != 0)
		return cairn_error_set(err, CAIRN_EINVAL,
		    "CAIRN_SOCKET, CAIRN_PLUGIN and CAIRN_KERNEL do not say where the kernel is");
	options->kernel_pid = (int)pid;
	wrote = snprintf(url, SCRIPT_URL_MAX, "ipc://%s", socket_path);
	if (wrote < 0 || wrote >= SCRIPT_URL_MAX)
		return cairn_error_set(err, CAIRN_ELIMIT, "CAIRN_SOCKET is too long");
	options->url = url;
	return 0;
}
