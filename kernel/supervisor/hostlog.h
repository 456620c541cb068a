/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_HOSTLOG_H
#define SUPERVISOR_HOSTLOG_H

/*
 * What a host writes to its standard output and error goes through a pipe to the kernel and from
 * there, line by line under the plugin's name (hostline.h), to PATH, so that a chatty plugin cannot
 * fill the disk: before PATH would grow beyond `size_max` bytes it becomes PATH.1, that PATH.2, and
 * so on; the oldest of `files` goes.  The host waits when it writes faster than the disk takes.
 * What the disk refuses (it is full) is dropped.
 */

#include <stdint.h>

#include <uv.h>

#include <cairn/error.h>

#include "supervisor/hostline.h"

#define HOSTLOG_SIZE_MIN ((uint64_t)65536) /* smaller maxima are this */
#define HOSTLOG_FILES_MAX 100u

struct hostlog;

struct hostlog_options {
	const char *path;
	const char *name;    /* the plugin's */
	const char *version; /* or NULL */
	enum log_format format;
	uint64_t size_max;
	unsigned files; /* PATH and the older ones together; 1 to HOSTLOG_FILES_MAX */
};

/* `*ret_fd` is the end that the host gets as its output; the caller closes it. */
int hostlog_open(struct hostlog **ret, uv_loop_t *loop, const struct hostlog_options *options,
    int *ret_fd, struct cairn_error *err);

/* Of the process that has the other end. */
void hostlog_set_pid(struct hostlog *log, int pid);

/* What the crash handler of a host that has ended said, "" when it said nothing. */
void hostlog_crash(struct hostlog *log, char ret[HOSTLINE_CRASH_MAX]);

/* A line of the kernel's own, an error, behind what a host that has ended said. */
void hostlog_note(struct hostlog *log, const char *text);

/* Takes what is still in the pipe, then calls `closed` on the loop; nothing is left of it then. */
void hostlog_close(struct hostlog *log, void (*closed)(void *arg), void *arg);

#endif
