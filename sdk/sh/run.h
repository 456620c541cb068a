/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SH_RUN_H
#define SH_RUN_H

/*
 * One run of a callback's program: the body on its standard input, its answer on standard output,
 * commands on descriptor 3.  It has a process group of its own; at its end, at its timeout or when
 * it says too much, everything in that group is killed, so that nothing outlives the run.
 */

#include <stdbool.h>
#include <stddef.h>

#include <uv.h>

#include "base/buf.h"

#define RUN_OUTPUT_MAX ((size_t)15 << 20)
#define RUN_COMMANDS_MAX ((size_t)1 << 20)

struct run;

struct run_result {
	int status; /* exit status, or -1 */
	int signal; /* that ended it, 0 otherwise */
	bool timed_out;
	bool too_much; /* it wrote more than the maximum */
	bool cancelled;
	struct buf *output, *commands;
};

typedef void (*run_done_fn)(void *arg, const struct run_result *result);

struct run_options {
	const char *program; /* this one, which becomes the script: see run_become() */
	const char *script;  /* absolute */
	char **environment;  /* NULL-terminated */
	const void *body;    /* copied */
	size_t length;
	uint64_t timeout_ms;
	run_done_fn done; /* exactly once, unless run_new() failed */
	void *arg;
};

/* 0, or a negative code when it could not be started. */
int run_new(struct run **ret, uv_loop_t *loop, const struct run_options *options);
/* Kills it; `done` follows. */
void run_cancel(struct run *run);

/* In the new process: dies with its parent, then becomes the script.  Returns when it cannot. */
int run_become(const char *script);

#endif
