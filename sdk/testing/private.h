/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTING_PRIVATE_H
#define TESTING_PRIVATE_H

/* What the files of the fake kernel share. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <uv.h>

#include <cairn/testing.h>

#include "testing/got.h"

#define TESTING_OBLIGATIONS_MAX 16
#define TESTING_SETTINGS_MAX 256
#define TESTING_SECRETS_MAX 16

struct obligation {
	char name[64];
	int64_t value;
};

struct chunk { /* memory that lives until cairn_testing_stop() */
	struct chunk *next;
	max_align_t bytes[];
};

struct sent {
	struct cairn_testing_sent public;
	struct cairn *kernel;
	struct sent *next;
	bool taken;
	/* of calls and puts */
	cairn_call_fn done;
	void *arg;
	bool waits;
	bool timed; /* `deadline` is in use */
	uv_timer_t deadline;
	struct reply *reply; /* that comes later */
};

struct reply {
	struct reply *next;
	char *subject;
	unsigned after_ms;
	int code;
	void *body;
	size_t length;
	uv_timer_t timer;
	struct sent *sent;
};

struct work {
	struct work *next;
	struct cairn *kernel;
	uv_work_t request;
	void (*work)(void *arg);
	void (*after)(void *arg);
	void *arg;
};

struct cairn_request {
	struct cairn *kernel;
	struct cairn_request *next;
	const char *subject, *principal, *purpose;
	const void *body;
	size_t length;
	struct obligation obligations[TESTING_OBLIGATIONS_MAX], fulfilled[TESTING_OBLIGATIONS_MAX];
	size_t obligation_count, fulfilled_count;
	bool answered;
	unsigned progress;
	int code;
	char text[CAIRN_ERROR_TEXT_MAX];
	void *reply;
	size_t reply_length;
};

struct cairn_job {
	struct cairn *kernel;
	const char *queue, *key;
	const void *body;
	size_t length;
	unsigned attempt;
	enum cairn_testing_end end;
	char reason[256];
};

#define TESTING_FINDING_BYTES 256 /* as the runtime's */

struct cairn_findings {
	struct cairn_finding items[CAIRN_FINDINGS_MAX];
	size_t count;
	char texts[CAIRN_FINDINGS_MAX][3][TESTING_FINDING_BYTES];
};

struct testing_metric {
	const struct cairn_metric *metric;
	char value[65];
	double number;
};

struct secret {
	const char *name;
	const void *bytes;
	size_t length;
};

/* The connection that a plugin sees and the kernel that a test sees are one thing. */
struct cairn {
	uv_loop_t loop;
	uv_thread_t thread;
	struct chunk *chunks;
	char dir[64];
	const char *objects, *intake;
	const char *settings[TESTING_SETTINGS_MAX];
	size_t setting_count;
	struct secret secrets[TESTING_SECRETS_MAX];
	size_t secret_count;

	struct cairn_plugin plugin;
	void *self;
	bool started, stopping, stopped, freeing;
	_Atomic bool strayed; /* a function was called from another thread */

	const char *principal, *purpose;
	struct obligation obligations[TESTING_OBLIGATIONS_MAX];
	size_t obligation_count;
	struct testing_metric metrics[CAIRN_METRICS_MAX];
	size_t metric_count;
	struct cairn_request *requests;

	struct sent *sent, **last_sent;
	struct reply *replies; /* for calls that have not come */
	struct work *held;
	size_t works; /* on the worker threads */
	bool hold_work;
	int refuse[CAIRN_TESTING_WORK + 1];
	bool watched; /* allocations */
	bool serving; /* what cairn_serving() says */
	bool handing_over; /* handover() was called, cairn_drained() not yet */
	struct cairn_findings findings;
};

/* kernel.c: memory that lives until the end; a copy with a zero behind it. */
void *testing_keep(struct cairn *kernel, size_t size);
void *testing_copy(struct cairn *kernel, const void *bytes, size_t length);
/* Around the plugin's code: there, allocations are counted. */
void testing_enter(void);
void testing_leave(struct cairn *kernel);
/* At the beginning of each function that a plugin calls, with `api_end` at its end. */
void testing_api(struct cairn *kernel, const char *function);
void testing_api_end(void);
bool testing_turn(struct cairn *kernel);

/* clock.c */
void testing_clock_start(void);
void testing_clock_end(void);
void testing_clock_run(bool real);
void testing_clock_move(unsigned ms);
uint64_t testing_clock_real_ms(void);

/* sent.c */
void testing_sent_cancel(struct cairn *kernel);
void testing_sent_close(struct cairn *kernel);

#endif
