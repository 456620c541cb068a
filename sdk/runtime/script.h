/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNTIME_SCRIPT_H
#define RUNTIME_SCRIPT_H

/* What cairn-host tells the interpreter that it becomes: CAIRN_SOCKET, CAIRN_PLUGIN, CAIRN_KERNEL
 * in the environment and the script as the argument. */

#include "runtime/runtime.h"

#define SCRIPT_URL_MAX 256

/* Fills url, kernel_pid, name and path; `url` and the environment must outlive the options. */
int script_options(struct runtime_options *options, char url[SCRIPT_URL_MAX], const char *script,
    struct cairn_error *err);

#endif
