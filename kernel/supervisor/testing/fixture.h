/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISOR_TESTING_FIXTURE_H
#define SUPERVISOR_TESTING_FIXTURE_H

/* A supervisor with one plugin (or two) on a loop, that counts what it is told. */

#include <stdbool.h>

#include <uv.h>

#include "base/test.h"
#include "supervisor/supervisor.h"

#define WAIT_MS 30000 /* how long a condition may take before the test fails */

struct seen {
	unsigned started, crashed, start_failed, failed, stopped, ready, gone;
	unsigned replies, events, jobs_done;
	uint64_t last_reply_id;
	int last_code;
	char body[64];
	char reason[512];
	bool told_stopped; /* the callback of supervisor_stop() */
};

struct fixture {
	uv_loop_t loop;
	struct test_dir dir;
	struct supervisor_options options;
	struct supervisor *supervisor;
	struct supervisor_plugin *plugin;
	struct seen seen;
	uv_timer_t tick; /* lets a wait notice that its time is over */
	uint64_t next_id;
	bool closed;
	void (*work)(void *arg, struct supervisor_plugin *plugin, char *ret, size_t size);
	/* Called for each message, before it is counted; may be NULL. */
	void (*tap)(struct fixture *fixture, struct supervisor_plugin *plugin,
	    const Cairn__Envelope *envelope);
};

void fixture_init(struct fixture *fixture);
/* Adds the test plugin `file` ("echo") under `name` and starts it. */
struct supervisor_plugin *fixture_add(
    struct fixture *fixture, const char *name, const char *file, const char *version);
/* Opens the supervisor with fixture->options and starts one plugin. */
void fixture_open(struct fixture *fixture, const char *name, const char *file, const char *version);
void fixture_close(struct fixture *fixture);

/* Runs the loop until `condition` holds; fails the test after WAIT_MS. */
void fixture_wait(
    struct fixture *fixture, bool (*condition)(struct fixture *fixture), const char *what);
#define WAIT_FOR(fixture, condition) fixture_wait(fixture, condition, #condition)

int fixture_call(struct fixture *fixture, struct supervisor_plugin *plugin, const char *subject,
    const char *body);
enum supervisor_state fixture_state(struct fixture *fixture);
int fixture_pid(struct fixture *fixture);
void fixture_count_stop(void *fixture);

bool is_ready(struct fixture *fixture);
bool is_stopped(struct fixture *fixture);
bool is_failed(struct fixture *fixture);
bool has_reply(struct fixture *fixture);

#endif
