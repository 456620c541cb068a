/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNTIME_SCRIPT_H
#define RUNTIME_SCRIPT_H

/* What cairn-host tells the interpreter that it becomes: CAIRN_SOCKET, CAIRN_PLUGIN, CAIRN_KERNEL
 * in the environment and the script as the argument. */

#include "runtime/runtime.h"

#define SCRIPT_URL_MAX 256
#define SCRIPT_WORK_MAX 400

/* Fills url, kernel_pid, name and path; `url` and the environment must outlive the options. */
int script_options(struct runtime_options *options, char url[SCRIPT_URL_MAX], const char *script,
    struct cairn_error *err);

/* What failed, for the log: "hello-lua 0.1.0, call of hello-lua.greet (request R)".  Both may be
 * NULL. */
void script_work(struct cairn *cairn, const struct cairn_request *request,
    const struct cairn_job *job, char ret[SCRIPT_WORK_MAX]);

#endif
