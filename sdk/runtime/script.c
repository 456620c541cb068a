/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/script.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "runtime/private.h"

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

void
script_work(struct cairn *cairn, const struct cairn_request *request, const struct cairn_job *job,
    char ret[SCRIPT_WORK_MAX])
{
	const char *version = getenv("CAIRN_PLUGIN_VERSION");
	const Cairn__Context *context = request == NULL ? NULL : request_envelope(request)->context;
	int wrote;

	if (version == NULL)
		version = "";
	if (request != NULL)
		wrote = snprintf(ret, SCRIPT_WORK_MAX,
		    "%.40s%s%.64s failed at a call of %.120s (request %.40s)", cairn->name,
		    version[0] == 0 ? "" : " ", version, cairn_request_subject(request),
		    context == NULL ? "" : context->request_id);
	else if (job != NULL)
		wrote = snprintf(ret, SCRIPT_WORK_MAX,
		    "%.40s%s%.64s failed at a job of %.120s (attempt %u)", cairn->name,
		    version[0] == 0 ? "" : " ", version, cairn_job_queue(job),
		    cairn_job_attempt(job));
	else
		wrote = snprintf(ret, SCRIPT_WORK_MAX, "%.40s%s%.64s failed in a handler",
		    cairn->name, version[0] == 0 ? "" : " ", version);
	if (wrote < 0)
		ret[0] = 0;
}
