/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CAIRN_TESTING_H
#define CAIRN_TESTING_H

/*
 * A fake kernel for a plugin's unit tests (pkg-config cairn-testing).
 *
 * The test program holds the plugin's sources and this library, which implements what
 * cairn/plugin.h declares.  There is no process, no socket and no sleep: the test says what the
 * kernel says, looks at what the plugin asked of it, and moves the time.  With cmocka:
 *
 *     static void
 *     it_says_hello(void **state)
 *     {
 *         static const char *const settings[] = {"greeting=hello", NULL};
 *         struct cairn_testing *kernel = cairn_testing_new(settings);
 *         struct cairn_testing_call *call;
 *
 *         (void)state;
 *         cairn_testing_start(kernel, &cairn_plugin);
 *         call = cairn_testing_call(kernel, "hello.greet", "", 0);
 *         assert_string_equal(cairn_testing_body(call, NULL), "hello");
 *         cairn_testing_stop(kernel);
 *     }
 *
 * What breaks the ABI's rules fails the test at once: answering twice, not answering, ending a job
 * twice, a setting that is not there, a function called from another thread, stop() without
 * cairn_stopped().  Functions that wait turn the plugin's loop and fail the test after
 * CAIRN_TESTING_WAIT_MS of real time.
 *
 * Time stands still from cairn_testing_new() to cairn_testing_stop() and moves with
 * cairn_testing_advance() only: clock_gettime() of this program, and so libuv's timers, follow it.
 * One kernel at a time in a program.  It does not read the manifest: `cairn plugin test` holds the
 * built plugin against that.  All functions are called from the test's thread.  Since 0.1.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cairn/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CAIRN_TESTING_WAIT_MS 20000

struct cairn_testing;

/* ---- life --------------------------------------------------------------------------------- */

/* `settings` is NULL or ends with NULL: "key=value"; a list is its key once for every item, or
 * "key[]" when it is empty.  Never NULL.  Makes a loop and a state folder of its own. */
struct cairn_testing *cairn_testing_new(const char *const *settings);

/* Lets time run as it does (for a plugin with threads or peers of its own), or stop again. */
void cairn_testing_real_time(struct cairn_testing *kernel, bool real);

/* Grants a secret, an object store's folder ("objects") or an intake's ("intake"); before start. */
void cairn_testing_secret(
    struct cairn_testing *kernel, const char *name, const void *bytes, size_t length);
void cairn_testing_folder(struct cairn_testing *kernel, const char *what, const char *path);

/* Starts the plugin; fails the test when start() fails. */
void cairn_testing_start(struct cairn_testing *kernel, const struct cairn_plugin *plugin);
/* The same, giving start()'s code and words. */
int cairn_testing_try_start(
    struct cairn_testing *kernel, const struct cairn_plugin *plugin, struct cairn_error *err);

/* Calls stop(), answers what the plugin still waits for with CAIRN_ECANCELLED, waits for
 * cairn_stopped(), checks that nothing was left unanswered and no handle left open, frees. */
void cairn_testing_stop(struct cairn_testing *kernel);

/* What callbacks are given, for a test of a part of a plugin. */
struct cairn *cairn_testing_cairn(struct cairn_testing *kernel);

/* ---- time --------------------------------------------------------------------------------- */

/* Moves the time; timers that become due on the way run, each at its moment. */
void cairn_testing_advance(struct cairn_testing *kernel, unsigned ms);
/* Turns the loop until it has nothing to do now. */
void cairn_testing_settle(struct cairn_testing *kernel);
/* Turns the loop until `*flag`. */
void cairn_testing_wait(struct cairn_testing *kernel, const bool *flag);

/* ---- calls to the plugin ------------------------------------------------------------------ */

struct cairn_testing_call; /* lives until cairn_testing_stop() */

/* Who asks in the calls that follow, and for what. */
void cairn_testing_as(struct cairn_testing *kernel, const char *principal, const char *purpose);
/* An obligation of the calls that follow; NULL takes them all away. */
void cairn_testing_oblige(struct cairn_testing *kernel, const char *name, int64_t value);

/* Calls; `_call` waits for the answer, `_begin` does not. */
struct cairn_testing_call *cairn_testing_call(
    struct cairn_testing *kernel, const char *subject, const void *body, size_t length);
struct cairn_testing_call *cairn_testing_begin(
    struct cairn_testing *kernel, const char *subject, const void *body, size_t length);
/* The caller no longer waits: the plugin must still answer (cairn_testing_finish() waits for it).
 */
void cairn_testing_cancel(struct cairn_testing_call *call);
void cairn_testing_finish(struct cairn_testing_call *call);

bool cairn_testing_answered(const struct cairn_testing_call *call);
int cairn_testing_code(const struct cairn_testing_call *call);
const char *cairn_testing_text(const struct cairn_testing_call *call); /* of cairn_fail() */
/* The answer; a zero stands behind its last byte.  `ret_length` may be NULL. */
const void *cairn_testing_body(const struct cairn_testing_call *call, size_t *ret_length);
unsigned cairn_testing_progress(const struct cairn_testing_call *call);
/* What the plugin reported with cairn_fulfil(). */
bool cairn_testing_fulfilled(
    const struct cairn_testing_call *call, const char *name, int64_t *ret_value);

/* ---- jobs and events to the plugin -------------------------------------------------------- */

enum cairn_testing_end { CAIRN_TESTING_OPEN, CAIRN_TESTING_DONE, CAIRN_TESTING_RETRY };

struct cairn_testing_job;

struct cairn_testing_job *cairn_testing_job(struct cairn_testing *kernel, const char *queue,
    const char *key, const void *body, size_t length);
/* How the job ended; waits for it. */
enum cairn_testing_end cairn_testing_job_end(struct cairn_testing_job *job);
/* The same without waiting. */
enum cairn_testing_end cairn_testing_job_state(const struct cairn_testing_job *job);
const char *cairn_testing_job_reason(const struct cairn_testing_job *job); /* of a retry */

void cairn_testing_event(
    struct cairn_testing *kernel, const char *subject, const void *body, size_t length);

/* ---- check and health --------------------------------------------------------------------- */

/* In place of start: the plugin's check(), `serving` as cairn_serving() says; how many findings. */
size_t cairn_testing_check(
    struct cairn_testing *kernel, const struct cairn_plugin *plugin, bool serving);
/* health() of a started plugin; how many findings. */
size_t cairn_testing_health(struct cairn_testing *kernel);

/* A successor is prepared: calls handover() of a started plugin.  Whether the plugin has said
 * cairn_drained() by now is asked with the other.  cairn_listener() gives real sockets. */
void cairn_testing_handover(struct cairn_testing *kernel);
bool cairn_testing_drained(const struct cairn_testing *kernel);
/* One of them, until the next of the two above; fails the test when there are not so many.  Texts
 * are never NULL, and cut as the kernel cuts them. */
const struct cairn_finding *cairn_testing_finding(struct cairn_testing *kernel, size_t index);

/* ---- what the plugin asks of the kernel --------------------------------------------------- */

enum cairn_testing_kind {
	CAIRN_TESTING_CALL,
	CAIRN_TESTING_PUBLISH,
	CAIRN_TESTING_JOB_PUT,
	CAIRN_TESTING_WORK
};

struct cairn_testing_sent {
	enum cairn_testing_kind kind;
	const char *subject; /* of a job: its queue */
	const char *key;     /* of a job */
	const void *body;    /* a zero stands behind its last byte */
	size_t length;
	unsigned timeout_ms; /* of a call */
};

/* The oldest thing the plugin sent to `subject` (NULL: to any) that was not taken yet; NULL when
 * there is none.  Lives until cairn_testing_stop(). */
const struct cairn_testing_sent *cairn_testing_take(
    struct cairn_testing *kernel, const char *subject);

/* A recorded reply: answers the oldest call of `subject` (or put on that queue) that waits, or else
 * the next one that comes.  Every call needs one: those without wait for ever, as a slow peer
 * makes them, until their deadline. */
void cairn_testing_answer(
    struct cairn_testing *kernel, const char *subject, int code, const void *body, size_t length);
/* The same, `after_ms` after the call. */
void cairn_testing_answer_late(struct cairn_testing *kernel, const char *subject, unsigned after_ms,
    int code, const void *body, size_t length);
/* Recorded replies from a file: a line each, SUBJECT AFTER_MS CODE BODY (to the end of the line);
 * empty lines and those that begin with # are left out. */
void cairn_testing_answers_load(struct cairn_testing *kernel, const char *path);

/* What the plugin counted (of a histogram: how often); 0 when never.  `value` is the label's, or
 * NULL. */
double cairn_testing_metric(struct cairn_testing *kernel, const char *name, const char *value);

/* ---- faults ------------------------------------------------------------------------------- */

/* The next one of that kind is refused with `code`, as by a full queue or a missing grant. */
void cairn_testing_refuse(struct cairn_testing *kernel, enum cairn_testing_kind kind, int code);
/* The plugin's nth allocation from now (1: the next) fails, once; 0 takes it back.  False where
 * this program's allocations cannot be reached (clang's ASan): skip the test then. */
bool cairn_testing_fail_allocation(struct cairn_testing *kernel, unsigned nth);
/* Whether that failure has come: a loop over n ends when it has not. */
bool cairn_testing_allocation_failed(const struct cairn_testing *kernel);
/* Work given to cairn_work() waits until cairn_testing_run_work(), which does it on this thread. */
void cairn_testing_hold_work(struct cairn_testing *kernel, bool hold);
void cairn_testing_run_work(struct cairn_testing *kernel);

#ifdef __cplusplus
}
#endif

#endif
