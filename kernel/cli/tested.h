/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_TESTED_H
#define CLI_TESTED_H

/*
 * One plugin in a real cairn-host process, with this program as its kernel: what `cairn plugin
 * test` and `cairn plugin run` are made of.  Functions that wait turn a loop of their own; nothing
 * here waits longer than `timeout_ms`.
 */

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "cairn/bus.pb-c.h"
#include "config/config.h"
#include "sandbox/policy.h"

#define TESTED_REST_MS 1000 /* for what a process said before it ended */

struct tested;

/* How the kernel answers what the plugin asks of it. */
enum tested_peer {
	TESTED_POLITE, /* calls: nobody there; jobs and records: taken */
	TESTED_SLOW,   /* not at all until tested_answer_late() */
	TESTED_HOSTILE /* as if well, with bytes that mean nothing, and twice */
};

struct tested_options {
	const struct manifest *manifest;
	const struct config_values *values;
	const char *dir;      /* a folder of ours: state, socket, log */
	const char *override; /* the key of a setting that has its smallest or largest value */
	bool override_max;
	int object_fd;           /* a script's bytes, sealed (runtime/bundle.h); 0: none */
	const char *const *tool; /* what the host runs under (valgrind), NULL-terminated */
	/* The host waits for a debugger, and this begins one for it; or NULL. */
	int (*debug)(void *arg, int pid, struct cairn_error *err);
	bool (*left)(void *arg); /* that the debugger has ended */
	void *arg;
	bool foreground;          /* standard input and output are ours */
	bool watched;             /* by the conformance shim */
	unsigned fail_allocation; /* in start(); needs `watched` */
	enum tested_peer peer;
	unsigned timeout_ms;
	const struct tested_check *check; /* NULL: start() */
};

/* check() in place of start(), in the node's own folders, confined. */
struct tested_check {
	const struct node_config *node;
	const struct sandbox_policy *policy; /* NULL: not confined */
	int object_fd;                       /* the plugin's bytes, sealed */
	bool serving;
};

/* Returns 0 when the plugin is ready, and otherwise why not: CAIRN_ETIMEOUT, CAIRN_ECORRUPT when
 * its process ended, or what start() said.  `*ret` is set in every case but CAIRN_EIO. */
int tested_start(
    struct tested **ret, const struct tested_options *options, struct cairn_error *err);
/* STOP; 0 when it said that it stopped and its process ended well. */
int tested_stop(struct tested *tested, struct cairn_error *err);
/* Sends STOP and does not wait. */
void tested_ask_stop(struct tested *tested);
/* Cuts the connection, as a dead kernel does; 0 when the process ended by itself. */
int tested_abandon(struct tested *tested, struct cairn_error *err);
/* Kills what is left; frees. */
void tested_free(struct tested *tested);
/* Turns the loop until the process has ended or `*until` is set (by a signal; may be NULL). */
/* Once; false when the process has ended. */
bool tested_turn(struct tested *tested);
void tested_serve(struct tested *tested, const volatile sig_atomic_t *until);

/* Sends one message; `id` is chosen and given back. */
uint64_t tested_send(struct tested *tested, Cairn__Envelope *envelope);
/* Waits until `count` answers for `id` are there (REPLY, or JOB_DONE or JOB_RETRY naming it) or,
 * with 0, until a PING has come back.  0, CAIRN_ETIMEOUT, or CAIRN_ECORRUPT when the process ended.
 */
int tested_wait(struct tested *tested, uint64_t id, unsigned timeout_ms, struct cairn_error *err);
int tested_ping(struct tested *tested, unsigned timeout_ms, struct cairn_error *err);
/* CALL and wait; the reply's body is copied, cut to `size` - 1. */
int tested_ask(struct tested *tested, const char *subject, const char *body, char *ret, size_t size,
    struct cairn_error *err);
/* How often `id` was answered. */
unsigned tested_answers(const struct tested *tested, uint64_t id);
/* What a slow kernel owes; and whether the plugin asked anything. */
void tested_answer_late(struct tested *tested);
size_t tested_asked(const struct tested *tested);

/* The body of READY (of check(), its Findings) or of the last HEALTH. */
const uint8_t *tested_findings(const struct tested *tested, size_t *ret_length);
/* What the sandbox refused last; "" when nothing. */
const char *tested_refused(const struct tested *tested);

int tested_pid(const struct tested *tested);
/* The first line of its log that a shim or a sanitizer wrote, without its mark; false: none. */
bool tested_complaint(const struct tested *tested, char *ret, size_t size);
bool tested_noted(const struct tested *tested); /* that an allocation failed in start() */

#endif
