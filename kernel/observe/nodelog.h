/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OBSERVE_NODELOG_H
#define OBSERVE_NODELOG_H

/*
 * HOME/log/kernel.log: what the kernel says on standard error, kept where `cairn logs` finds it,
 * whatever becomes of standard error.  Rotated as plugins' logs are, by a look each second.
 */

#include <uv.h>

#include <cairn/error.h>

struct nodelog;

int nodelog_open(struct nodelog **ret, uv_loop_t *loop, const char *path, uint64_t size_max,
    unsigned files, struct cairn_error *err);
/* Log lines still go to the file until the process ends.  NULL is fine. */
void nodelog_close(struct nodelog *log);

#endif
