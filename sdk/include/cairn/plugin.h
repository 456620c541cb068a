/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CAIRN_PLUGIN_H
#define CAIRN_PLUGIN_H

/*
 * The plugin ABI: the one header an integrator learns.
 *
 * A plugin is a shared object with one exported symbol, `cairn_plugin`, and one ELF section,
 * `.cairn.manifest`, which the kernel reads without running the plugin's code.  CAIRN_PLUGIN()
 * makes both:
 *
 *     #include <cairn/plugin.h>
 *
 *     static int
 *     greet(void *self, struct cairn_request *req, struct cairn_error *err)
 *     {
 *         return cairn_reply(req, "hello", 5);
 *     }
 *
 *     CAIRN_PLUGIN("hello", "0.1.0", "summary: Says hello\nserves: [{subject: hello.greet}]\n",
 *         .call = greet)
 *
 * Each plugin runs in its own process (`cairn-host`) with one libuv loop.  Every callback is made
 * on that loop's thread and every function below must be called from it, except cairn_work()'s
 * `work` function, which runs on a worker thread and may call only cairn_log().
 *
 * Life of a plugin:   start -> (call | job | event | health)* -> stop
 * The kernel sends nothing before start() has returned 0, and nothing after stop() was called;
 * stop() is given time to finish what is under way, then the process ends.  There is no unload.
 *
 * ABI: structs begin with their size and grow only at the end; a NULL callback means "not
 * supported".  Messages are protobuf (proto/cairn); bodies here are their packed bytes.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cairn/error.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CAIRN_ABI 1

struct cairn;          /* this plugin's connection to the kernel; lives from start to process end */
struct cairn_request;  /* a call that waits for our reply */
struct cairn_job;      /* a durable job that waits for our acknowledgement */
struct cairn_findings; /* what check() or health() has found so far; valid during the callback */
struct uv_loop_s;

struct cairn_plugin {
	size_t size;  /* sizeof(struct cairn_plugin) when the plugin was compiled */
	unsigned abi; /* CAIRN_ABI when the plugin was compiled */

	/* Opens what the plugin needs.  `*ret_self` is handed to every other callback. CAIRN_EAGAIN
	 * says that something outside must become different first (an address is in use): it is
	 * tried again after 1 s, 2 s and so on up to 60 s, for as long as it takes; after any other
	 * code ten failures within a minute are the end. */
	int (*start)(struct cairn *cairn, void **ret_self, struct cairn_error *err);

	/* Answers a call now or later: exactly one cairn_reply() or cairn_fail() for each request.
	 * Returning non-zero fails the request with `err`; the request must not be touched then. */
	int (*call)(void *self, struct cairn_request *req, struct cairn_error *err);

	/* Handles a durable job now or later: exactly one cairn_job_done() or cairn_job_retry().
	 * At least once: the same key may come again after a crash.  Non-zero is a retry. */
	int (*job)(void *self, struct cairn_job *job, struct cairn_error *err);

	/* An event this plugin subscribed to.  `body` is valid during the callback only. */
	void (*event)(void *self, const char *subject, const void *body, size_t length);

	/* Close what start() opened.  Calls cairn_stopped() when done, now or later. */
	void (*stop)(void *self);

	/* The caller of `req` no longer waits; stop working on it and cairn_fail() it. */
	void (*cancel)(void *self, struct cairn_request *req);

	/* Since 0.2.  `cairn check` asks whether this configuration would work on this machine:
	 * each cairn_finding() is one answer, none is "yes".  In a process of its own, in place of
	 * start(), while the plugin may be serving in another (cairn_serving() says so): it may
	 * read its state and listen, and can write nothing.  Nothing may be asked of the kernel. It
	 * is killed after some seconds. */
	void (*check)(struct cairn *cairn, struct cairn_findings *findings);

	/* Since 0.2.  `cairn doctor` asks how the plugin is doing: cairn_finding() also for what is
	 * well (CAIRN_FINE).  Must not block: it answers from what is known. */
	void (*health)(void *self, struct cairn_findings *findings);

	/* Since 0.2.  Another process of this plugin, a newer build or the same with other
	 * settings, is loaded and waits to take over.  Take nothing new from outside: stop
	 * accepting, for what connects now waits in the kernel's copy of the socket
	 * (cairn_listener()) for the successor.  Finish what is under way, then say
	 * cairn_drained(), now or later; calls and jobs go on until then.  stop() follows, also
	 * when that takes too long.  NULL: nothing to do. */
	void (*handover)(void *self);
};

/* ---- what a plugin may ask of the kernel ------------------------------------------------ */

/* The host program exports these; a plugin only refers to them. */
#pragma GCC visibility push(default)

struct uv_loop_s *cairn_loop(struct cairn *cairn);

enum cairn_log_level { CAIRN_LOG_ERROR, CAIRN_LOG_WARNING, CAIRN_LOG_INFO, CAIRN_LOG_DEBUG };

/* One line of the plugin's log.  Never put patient data or secrets in it.  Any thread. */
void cairn_log(enum cairn_log_level level, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Configuration, checked against the manifest's schema before the plugin was started, so that a
 * declared key is always there with its type.  `key` is a dotted path ("deid.options").  Asking
 * for a key the schema does not declare, or with another type, is our own mistake: assert.
 * Strings live as long as the process. */
const char *cairn_config_string(struct cairn *cairn, const char *key);
int64_t cairn_config_integer(struct cairn *cairn, const char *key);
double cairn_config_number(struct cairn *cairn, const char *key);
bool cairn_config_bool(struct cairn *cairn, const char *key);
size_t cairn_config_list_length(struct cairn *cairn, const char *key);
const char *cairn_config_list_get(struct cairn *cairn, const char *key, size_t index);

const char *cairn_node_id(struct cairn *cairn);
const char *cairn_project(struct cairn *cairn);     /* the project pseudonyms belong to */
const char *cairn_state_dir(struct cairn *cairn);   /* private to this plugin, exists */
const char *cairn_objects_dir(struct cairn *cairn); /* NULL without objects:read or :write */
const char *cairn_intake_dir(struct cairn *cairn);  /* NULL without intake:write */

/* A granted secret (`secret:NAME`): `*ret_bytes` is valid for the process's life.
 * CAIRN_EFORBIDDEN when the manifest did not ask for it or the operator did not grant it. */
int cairn_secret(
    struct cairn *cairn, const char *name, const uint8_t **ret_bytes, size_t *ret_length);

/* Calls another plugin or the kernel.  `done` is called exactly once, later, on the loop:
 * `code` 0 with the reply, or a negative code with `text` saying why. The reply is valid during
 * the callback.  Returns non-zero when the call could not be sent; then `done` is not called. */
typedef void (*cairn_call_fn)(
    void *arg, int code, const char *text, const void *body, size_t length);
int cairn_call(struct cairn *cairn, const char *subject, const void *body, size_t length,
    unsigned timeout_ms, cairn_call_fn done, void *arg);

/* Publishes an event, best effort. */
int cairn_publish(struct cairn *cairn, const char *subject, const void *body, size_t length);

/* Puts durable jobs, all or none.  `done(arg, 0, ...)` says that they are on disk.  A job whose
 * key the queue has seen (in the last 100,000 keys) is accepted and dropped. */
struct cairn_job_put {
	const char *queue;
	const char *key; /* idempotency key, at most 128 bytes */
	const void *body;
	size_t length;
};
int cairn_job_put(struct cairn *cairn, const struct cairn_job_put *jobs, size_t count,
    cairn_call_fn done, void *arg);

/* Runs `work` on a worker thread, then `after` on the loop. */
int cairn_work(struct cairn *cairn, void (*work)(void *arg), void (*after)(void *arg), void *arg);

/* Says that stop() is complete. */
void cairn_stopped(struct cairn *cairn);

/* Says that what handover() had to finish is finished.  Since 0.2. */
void cairn_drained(struct cairn *cairn);

/* A TCP socket that listens on a numeric address and port.  The kernel makes it (so that a port
 * below 1024 needs no privilege here) and keeps a copy while the plugin is enabled: over a crash, a
 * restart and an upgrade connections wait in its backlog and none is refused.  In start() or later;
 * the same address and port give the same socket again.  Close `*ret_fd` as any other.  Needs the
 * capability listen:tcp.  CAIRN_EEXIST: something else listens there.  Since 0.2. */
int cairn_listener(
    struct cairn *cairn, const char *address, uint16_t port, int *ret_fd, struct cairn_error *err);

/* ---- answering a call ------------------------------------------------------------------- */

const char *cairn_request_subject(const struct cairn_request *req);
const void *cairn_request_body(const struct cairn_request *req, size_t *ret_length);
/* Who asks and for what, as the kernel verified it; "" where absent. */
const char *cairn_request_principal(const struct cairn_request *req);
const char *cairn_request_purpose(const struct cairn_request *req);

/* The obligations the policy attached.  A handler must carry each one out and say so with
 * cairn_fulfil(); the kernel withholds an answer whose obligations were not all reported. */
bool cairn_obligation_integer(
    const struct cairn_request *req, const char *name, int64_t *ret_value);
int cairn_fulfil(struct cairn_request *req, const char *name, int64_t value);

/* Part of an answer on the way (progress); as many as wanted before the reply. */
int cairn_progress(struct cairn_request *req, const void *body, size_t length);

/* Ends the request.  The bytes are copied.  Returns 0 so that a handler can `return` it. */
int cairn_reply(struct cairn_request *req, const void *body, size_t length);
int cairn_fail(struct cairn_request *req, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- handling a job --------------------------------------------------------------------- */

const char *cairn_job_queue(const struct cairn_job *job);
const char *cairn_job_key(const struct cairn_job *job);
const void *cairn_job_body(const struct cairn_job *job, size_t *ret_length);
unsigned cairn_job_attempt(const struct cairn_job *job); /* 1 the first time */
void cairn_job_done(struct cairn_job *job);
/* Comes again after a growing pause; after the queue's last attempt it is a dead letter. */
void cairn_job_retry(struct cairn_job *job, const char *reason);

/* ---- check and health ------------------------------------------------------------------- */

enum cairn_severity {
	CAIRN_FINE,    /* as it should be; shown so that a person sees it */
	CAIRN_WARNING, /* works, and somebody should look at it by day */
	CAIRN_FAULT    /* does not work, or data are at risk */
};

/* For the operator at three in the morning.  Never patient data, never secrets. */
struct cairn_finding {
	enum cairn_severity severity;
	const char *what;   /* "port 11112 is in use by another program"; at most 255 bytes count */
	const char *why;    /* why it matters; NULL or "" where `what` says it */
	const char *advice; /* what to do, a command where there is one; NULL or "" */
};

#define CAIRN_FINDINGS_MAX 32 /* of one check() or health(); what is beyond is dropped */

/* Copies.  Since 0.2. */
void cairn_finding(struct cairn_findings *findings, const struct cairn_finding *finding);

/* In check(): whether this plugin is serving in the node now, so that what it listens on and has
 * locked is its own.  Since 0.2. */
bool cairn_serving(const struct cairn *cairn);

/* ---- the ledger ------------------------------------------------------------------------- */

/* What a plugin did that no call led to (a connection served, a file taken in), for the node's
 * ledger.  Needs the capability `record`.  Never put patient data in it: a ledger forgets nothing.
 * The kernel adds the time and the plugin's name; a record is of kind "report". */
struct cairn_record_field {
	const char *name; /* at most 31 bytes */
	const char *value;
};

struct cairn_record {
	const char *subject; /* what was done: "imaging.store"; at most 120 bytes */
	const char *verdict; /* "done", "failed" or "refused" */
	const char *reason;  /* for people; NULL or "" when there is none */
	const struct cairn_record_field *fields;
	size_t field_count; /* at most 32 */
};

#define CAIRN_RECORDS_MAX 256 /* in one call */

/* All or none.  `done(arg, 0, ...)` says that they are on disk; the ledger commits what waits as
 * one group, so gather rather than call for each.  Of one plugin the kernel takes 12,000 records a
 * minute; `done` gets CAIRN_ELIMIT for what is beyond, and may try again later.  Since 0.2. */
int cairn_record(struct cairn *cairn, const struct cairn_record *records, size_t count,
    cairn_call_fn done, void *arg);

/* ---- metrics ---------------------------------------------------------------------------- */

/* What the plugin counts of itself, shown with the node's own figures where `metrics` is set in
 * node.yaml: as cairn_plugin_own_NAME{plugin="PLUGIN",LABEL="VALUE"}.  Cheap: gathered, and sent
 * at most once a second.  Counters outlive the process; a gauge is shown while the process lives.
 * Never patient data, persons or secrets, neither in names nor in values of labels.  Since 0.2. */
struct cairn_metric {
	const char *name;  /* a-z, 0-9 and _, at most 64; a counter's ends in _total by custom */
	const char *help;  /* one sentence */
	const char *label; /* the name of its one label (not "plugin" or "le"), or NULL */
};

#define CAIRN_METRICS_MAX 64 /* different metrics and values of labels; what is beyond is dropped \
			      */

/* `metric` lives as long as the process (a static const), and is used with one of these only.
 * `value` is its label's, at most 64 bytes of few different ones; NULL without a label. */
void cairn_metric_add(struct cairn *cairn, const struct cairn_metric *metric, const char *value,
    double increment); /* a counter; never negative */
void cairn_metric_set(
    struct cairn *cairn, const struct cairn_metric *metric, const char *value, double number);
/* A histogram of seconds. */
void cairn_metric_observe(
    struct cairn *cairn, const struct cairn_metric *metric, const char *value, double seconds);

#pragma GCC visibility pop

/* ---- the entry -------------------------------------------------------------------------- */

#define CAIRN_EXPORT __attribute__((visibility("default")))

/* The one exported symbol.  Declared here so that a definition of another type does not compile. */
extern CAIRN_EXPORT const struct cairn_plugin cairn_plugin;

/* NAME and VERSION are string literals; MANIFEST is YAML text (PLUGINS.md, "The manifest"). */
#define CAIRN_PLUGIN(NAME, VERSION, MANIFEST, ...)                                       \
	__attribute__((                                                                  \
	    section(".cairn.manifest"), used)) static const char cairn_manifest_text[] = \
	    "name: " NAME "\nversion: " VERSION "\nabi: 1\n" MANIFEST;                   \
	const struct cairn_plugin cairn_plugin = {                                       \
	    .size = sizeof(struct cairn_plugin), .abi = CAIRN_ABI, __VA_ARGS__};

#ifdef __cplusplus
}
#endif

#endif
