/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HOST_EXEC_H
#define HOST_EXEC_H

/*
 * A plugin that is no shared object: this process becomes its interpreter.  It keeps its pid, by
 * which the kernel knows it on the socket, its parent's death signal, and whatever confinement was
 * put on before, for none of these ends with execve().
 *
 * The interpreter gets the script as its one argument, which is a sealed memory file with the bytes
 * that the kernel judged: /proc/self/fd/N.  In its environment are
 *
 *   CAIRN_SCRIPT   the script's name
 *   CAIRN_FILES    for "sh": a line for each file of the folder, `N runs|data NAME`
 *   CAIRN_SOCKET   the path of the kernel's socket
 *   CAIRN_PLUGIN   the plugin's name
 *   CAIRN_KERNEL   the process id of the kernel, who must be listening there
 *
 * and, when it is a Python, where the package `cairn` is.
 */

#include <sys/types.h>

#include <cairn/error.h>

struct exec_options {
	const char *url;         /* ipc:///path */
	const char *name;        /* the plugin's */
	const char *script;      /* where it lay, for messages */
	int object_fd;           /* the bundle (runtime/bundle.h) */
	const char *interpreter; /* absolute, or "lua" or "sh" for the hosts beside this program */
	pid_t kernel;
};

/* Returns only when it failed. */
int exec_run(const struct exec_options *options, struct cairn_error *err);

/* The program that `interpreter` means; `program` is this one's path. */
int exec_resolve(const char *interpreter, const char *program, char *ret, size_t size);

#endif
