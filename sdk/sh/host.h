/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SH_HOST_H
#define SH_HOST_H

/*
 * A plugin that is a folder of programs: `call`, `job`, `event`, `start` and `stop`, each run anew
 * for each callback.  PLUGINS.md, "Shell", is the manual.
 */

#include <limits.h>
#include <stdbool.h>

#include <cairn/plugin.h>

#include "sh/files.h"
#include "sh/run.h"

#define HOST_RUNNING_MAX 16 /* programs at once; more wait */
#define HOST_WAITING_MAX 1024
#define HOST_TIMEOUT_MS 30000
#define HOST_START_MS 8000 /* the kernel waits 10 s for READY */
#define HOST_HEALTH_MS 1500
#define HOST_TEXT_MAX 400

/* The callbacks that need a run. */
enum turn_kind { TURN_CALL, TURN_JOB, TURN_EVENT, TURN_STOP };

struct host;

/* One callback: waiting, running, or waiting until the jobs it put are on disk. */
struct turn {
	struct host *host;
	struct turn *next;
	enum turn_kind kind;
	struct run *run;
	struct cairn_request *request; /* NULL once it was answered */
	struct cairn_job *job;
	char *subject;   /* of an event */
	struct buf body; /* of an event; then a call's answer */
	bool cancelled;
};

struct host {
	struct cairn *cairn;
	char program[PATH_MAX]; /* cairn-sh itself */
	struct files files;
	uint64_t timeout_ms;
	struct turn *turns;        /* all that are running */
	struct turn *first, *last; /* those that wait */
	size_t running, waiting;
	bool stopping;
};

extern const struct cairn_plugin sh_plugin;

/* env.c: what a program finds in its environment; freed by environment_free(). */
struct environment {
	struct buf text;
	char **list;
};
int environment_make(struct environment *ret, const struct host *host, const struct turn *turn,
    const char *callback);
void environment_free(struct environment *environment);

/* findings.c: what `check` and `health` print, a line each: `warning WHAT | WHY | ADVICE`.
 * CAIRN_EINVAL and words for a line that is none. */
int findings_read(const char *output, struct cairn_findings *findings, char *ret_text, size_t size);

/* commands.c: the lines of descriptor 3.  CAIRN_EINVAL and words for a line it does not know.
 * `*ret_put` is the number of jobs that were put; then `done` is called once they are on disk. */
int commands_run(struct turn *turn, struct buf *commands, cairn_call_fn done, size_t *ret_put,
    struct cairn_error *err);

#endif
