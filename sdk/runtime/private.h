/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNTIME_PRIVATE_H
#define RUNTIME_PRIVATE_H

/* What the files of the runtime share.  Everything here lives on the loop's thread. */

#include <uv.h>

#include <cairn/plugin.h>

#include "runtime/arena.h"
#include "runtime/channel.h"
#include "runtime/runtime.h"

#define RUNTIME_TOPIC "host"
#define RUNTIME_WIRE 1

/* A received message with the memory it was unpacked into; a JOB is shared by its jobs. */
struct message {
	struct arena arena;
	Cairn__Envelope *envelope;
	unsigned refs;
};

/* Calls and job_puts that wait for their REPLY.  An id holds the slot and how often the slot was
 * used, so that a reply that comes after its timeout finds nobody. */
#define CALLS_MAX 4096

struct call {
	uint64_t id; /* 0: free */
	uint32_t slot;
	cairn_call_fn done;
	void *arg;
	uv_timer_t timer;
	struct cairn *cairn;
	struct call *next_free;
};

#define ACKS_MAX 64

struct acks {
	Cairn__Envelope__Kind kind;
	uint64_t ids[ACKS_MAX];
	size_t count;
	char reason[256]; /* of a JOB_RETRY */
};

enum runtime_state {
	RUNTIME_GREETING, /* HELLO is sent */
	RUNTIME_PREPARED, /* loaded; start() waits for BEGIN */
	RUNTIME_STARTING,
	RUNTIME_RUNNING,
	RUNTIME_STOPPING, /* stop() was called */
	RUNTIME_LEAVING,  /* the last message is sent; the kernel's STOP ends us */
	RUNTIME_FINISHED,
};

struct cairn {
	uv_loop_t *loop;
	struct channel *channel;
	enum runtime_state state;
	char *name;
	char *path;
	struct cairn_plugin plugin; /* zero where the plugin is older than this build */
	const struct cairn_plugin *linked;
	void *self;
	struct message *welcome_message; /* owns what `welcome` points into */
	Cairn__Welcome *welcome;
	uv_timer_t deadline; /* of the handshake, then of the kernel's last STOP */
	uv_prepare_t flush;
	void (*finished)(void *arg, int status);
	int (*confine)(void *arg, struct cairn_error *err);
	void *arg;
	int leave_status;
	bool handing_over; /* HANDOVER came and DRAINED was not sent */

	struct call *calls[CALLS_MAX];
	uint32_t calls_made; /* slots in use or on the free list */
	struct call *free_calls;
	struct cairn_request *requests;
	size_t request_count;
	struct acks acks;
	struct metrics *metrics; /* NULL until the plugin counts something */
	uv_timer_t metrics_timer;
	size_t works;

	unsigned closing; /* handles that runtime_close() waits for */
	void (*closed)(void *arg);
	void *closed_arg;
};

void message_unref(struct message *message);

/* load.c: the descriptor of the shared object at `path`, checked; see plugin_take(). */
int plugin_load(
    const char *path, const char *name, struct cairn_plugin *ret, struct cairn_error *err);
/* Copies a descriptor of any size: what we do not know must be zero, what it lacks becomes zero. */
int plugin_take(const struct cairn_plugin *plugin, const char *name, struct cairn_plugin *ret,
    struct cairn_error *err);

/* runtime.c */
void runtime_finish(struct cairn *cairn, int status);
/* Sends what may not be lost; a kernel that does not read ends this process. */
void runtime_answer(struct cairn *cairn, const Cairn__Envelope *envelope);

/* log.c */
void runtime_log_topic(const char *name);

/* handover.c */
void runtime_handover(struct cairn *cairn);

/* call.c */
void calls_reply(struct cairn *cairn, const Cairn__Envelope *envelope);
void calls_close(struct cairn *cairn, uv_close_cb closed);
void calls_free(struct cairn *cairn);

/* request.c: takes the reference */
void requests_dispatch(struct cairn *cairn, struct message *message);
void requests_cancel(struct cairn *cairn, uint64_t id);
void requests_free(struct cairn *cairn);
/* All that the ABI does not show, for hosts of other languages. */
const Cairn__Envelope *request_envelope(const struct cairn_request *req);

/* findings.c: READY of a host that only checks, and the answer to HEALTH. */
void runtime_check(struct cairn *cairn, Cairn__Envelope *ready);
void runtime_health(struct cairn *cairn, uint64_t id);
/* By a callback that found out that its script has none. */
void findings_unsupported(struct cairn_findings *findings);

/* metrics.c */
void metrics_flush(struct cairn *cairn);
void metrics_free(struct cairn *cairn);

/* job.c */
void jobs_dispatch(struct cairn *cairn, struct message *message);
void jobs_flush(struct cairn *cairn);

#endif
