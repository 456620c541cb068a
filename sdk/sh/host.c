/* SPDX-License-Identifier: Apache-2.0 */
#include "sh/host.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/private.h"
#include "runtime/script.h"

/* What a program's exit status says, where it is not 0. */
static int
status_code(int status)
{
	switch (status) {
	case 2:
		return CAIRN_EINVAL;
	case 3:
		return CAIRN_ENOTFOUND;
	case 4:
		return CAIRN_EUNSUPPORTED;
	case 75: /* EX_TEMPFAIL of sysexits.h */
		return CAIRN_EAGAIN;
	case 77: /* EX_NOPERM */
		return CAIRN_EFORBIDDEN;
	default:
		return CAIRN_EINTERNAL;
	}
}

/* 0, or a code and in `text` the first line of what it printed. */
static int
result_read(const struct run_result *result, char text[HOST_TEXT_MAX])
{
	const char *printed = result->output->length == 0 ? NULL : buf_text(result->output);
	int length = printed == NULL ? 0 : (int)strcspn(printed, "\n");
	int wrote = 0, code = status_code(result->status);

	if (result->cancelled) {
		wrote = snprintf(text, HOST_TEXT_MAX, "cancelled");
		code = CAIRN_ECANCELLED;
	} else if (result->too_much) {
		wrote = snprintf(text, HOST_TEXT_MAX, "the program printed too much");
		code = CAIRN_ELIMIT;
	} else if (result->timed_out) {
		wrote = snprintf(text, HOST_TEXT_MAX, "the program took too long and was killed");
		code = CAIRN_ETIMEOUT;
	} else if (result->signal != 0) {
		wrote = snprintf(
		    text, HOST_TEXT_MAX, "the program was killed by signal %d", result->signal);
		code = CAIRN_EINTERNAL;
	} else if (result->status == 0) {
		code = 0;
	} else if (length > 0) {
		wrote = snprintf(text, HOST_TEXT_MAX, "%.*s", length < 300 ? length : 300, printed);
	} else {
		wrote = snprintf(text, HOST_TEXT_MAX,
		    "the program ended with status %d, see its log", result->status);
	}
	if (wrote < 0)
		text[0] = 0;
	return code;
}

/* ---- a turn's end ----------------------------------------------------------------------- */

static void next(struct host *host);

static void
turn_free(struct turn *turn)
{
	struct host *host = turn->host;
	struct turn **at = &host->turns;

	while (*at != turn)
		at = &(*at)->next;
	*at = turn->next;
	host->running--;
	free(turn->subject);
	buf_fini(&turn->body);
	free(turn);
	next(host);
}

static void
turn_end(struct turn *turn, int code, const char *text)
{
	static const char *const names[] = {"call", "job", "event", "stop"};
	struct host *host = turn->host;
	bool stopped = turn->kind == TURN_STOP;
	char work[SCRIPT_WORK_MAX];

	/* The program's words may be about a patient: they go to who asked, not to the log. */
	script_work(host->cairn, turn->request, turn->job, work);
	if (code != 0 && code != CAIRN_ECANCELLED)
		cairn_log(CAIRN_LOG_WARNING, "%s: %s: %s", work, names[turn->kind],
		    cairn_code_text(code));
	if (turn->request != NULL && code == 0)
		cairn_reply(turn->request, turn->body.data, turn->body.length);
	else if (turn->request != NULL)
		cairn_fail(turn->request, code, "%s", text);
	if (turn->job != NULL && code == 0)
		cairn_job_done(turn->job);
	else if (turn->job != NULL)
		cairn_job_retry(turn->job, text);
	turn->request = NULL;
	turn->job = NULL;
	turn_free(turn);
	if (stopped)
		cairn_stopped(host->cairn);
}

static void
put_durable(void *arg, int code, const char *text, const void *body, size_t length)
{
	(void)body;
	(void)length;
	turn_end(arg, code, text == NULL ? "" : text);
}

/* Its commands are carried out only when it ended well. */
static void
run_done(void *arg, const struct run_result *result)
{
	struct turn *turn = arg;
	struct cairn_error err = {0};
	char text[HOST_TEXT_MAX] = "";
	int code = result_read(result, text);
	size_t put = 0;

	turn->run = NULL;
	if (code == 0) {
		buf_fini(&turn->body);
		turn->body = *result->output;
		*result->output = (struct buf){0};
		code = commands_run(turn, result->commands, put_durable, &put, &err);
	}
	if (code != 0 || put == 0)
		turn_end(turn, code, err.code != 0 ? err.text : text);
}

/* ---- a turn's begin ---------------------------------------------------------------------- */

static int
turn_run(struct turn *turn)
{
	static const char *const callbacks[] = {"call", "job", "event", "stop"};
	struct host *host = turn->host;
	struct environment environment;
	struct run_options options = {.program = host->program,
	    .script = files_program(&host->files, callbacks[turn->kind]),
	    .body = turn->body.data,
	    .length = turn->body.length,
	    .timeout_ms = host->timeout_ms,
	    .done = run_done,
	    .arg = turn};
	uint32_t asked = turn->request == NULL ? 0 : request_envelope(turn->request)->timeout_ms;
	int code;

	if (options.script == NULL)
		return CAIRN_EUNSUPPORTED;
	if (turn->request != NULL)
		options.body = cairn_request_body(turn->request, &options.length);
	if (turn->job != NULL)
		options.body = cairn_job_body(turn->job, &options.length);
	if (asked != 0 && asked < options.timeout_ms)
		options.timeout_ms = asked;
	code = environment_make(&environment, host, turn, callbacks[turn->kind]);
	options.environment = environment.list;
	if (code == 0)
		code = run_new(&turn->run, cairn_loop(host->cairn), &options);
	environment_free(&environment);
	return code;
}

static void
turn_begin(struct turn *turn)
{
	struct host *host = turn->host;
	int code;

	turn->next = host->turns;
	host->turns = turn;
	host->running++;
	code = turn->cancelled ? CAIRN_ECANCELLED : turn_run(turn);
	if (code != 0)
		turn_end(turn, code, cairn_code_text(code));
}

/* The next that waits; a stopping plugin's last turn is `stop`. */
static void
next(struct host *host)
{
	struct turn *turn = host->first;

	if (turn != NULL && host->running < HOST_RUNNING_MAX) {
		host->first = turn->next;
		if (host->first == NULL)
			host->last = NULL;
		host->waiting--;
		turn_begin(turn);
	} else if (turn == NULL && host->running == 0 && host->stopping) {
		host->stopping = false;
		turn = files_program(&host->files, "stop") != NULL ? calloc(1, sizeof *turn) : NULL;
		if (turn == NULL) {
			cairn_stopped(host->cairn);
			return;
		}
		turn->host = host;
		turn->kind = TURN_STOP;
		turn_begin(turn);
	}
}

static struct turn *
turn_new(struct host *host, enum turn_kind kind)
{
	struct turn *turn = host->waiting == HOST_WAITING_MAX ? NULL : calloc(1, sizeof *turn);

	if (turn != NULL) {
		turn->host = host;
		turn->kind = kind;
		buf_init(&turn->body, CHANNEL_MESSAGE_MAX);
	}
	return turn;
}

static void
turn_add(struct turn *turn)
{
	struct host *host = turn->host;

	if (host->last == NULL)
		host->first = turn;
	else
		host->last->next = turn;
	host->last = turn;
	host->waiting++;
	next(host);
}

/* ---- what the kernel sends --------------------------------------------------------------- */

static int
call(void *self, struct cairn_request *req, struct cairn_error *err)
{
	struct host *host = self;
	struct turn *turn = turn_new(host, TURN_CALL);

	if (turn == NULL)
		return cairn_error_set(err, CAIRN_ELIMIT, "too many requests at once");
	turn->request = req;
	turn_add(turn);
	return 0;
}

static int
job(void *self, struct cairn_job *job, struct cairn_error *err)
{
	struct host *host = self;
	struct turn *turn = turn_new(host, TURN_JOB);

	if (turn == NULL)
		return cairn_error_set(err, CAIRN_ELIMIT, "too many jobs at once");
	turn->job = job;
	turn_add(turn);
	return 0;
}

static void
event(void *self, const char *subject, const void *body, size_t length)
{
	struct turn *turn = turn_new(self, TURN_EVENT);

	if (turn == NULL)
		return; /* best effort */
	turn->subject = strdup(subject);
	if (turn->subject == NULL || buf_append(&turn->body, body, length) != 0) {
		free(turn->subject);
		buf_fini(&turn->body);
		free(turn);
		return;
	}
	turn_add(turn);
}

static void
cancel(void *self, struct cairn_request *req)
{
	struct host *host = self;

	for (struct turn *turn = host->turns; turn != NULL; turn = turn->next) {
		if (turn->request == req && turn->run != NULL)
			run_cancel(turn->run);
	}
	for (struct turn *turn = host->first; turn != NULL; turn = turn->next) {
		if (turn->request == req)
			turn->cancelled = true;
	}
}

/* ---- life ------------------------------------------------------------------------------- */

struct alone {
	unsigned timeout_ms;
	struct cairn_findings *findings; /* where its output goes; or NULL */
	int code;
	char text[HOST_TEXT_MAX];
};

static void
alone_done(void *arg, const struct run_result *result)
{
	struct alone *alone = arg;

	alone->code = result_read(result, alone->text);
	if (alone->code == 0 && alone->findings != NULL && result->output->length > 0)
		alone->code = findings_read(
		    buf_text(result->output), alone->findings, alone->text, HOST_TEXT_MAX);
}

/* On a loop of its own, because nothing else may happen before it has ended. */
static int
run_alone(struct host *host, const char *callback, const char *script, struct alone *alone)
{
	struct environment environment;
	struct run *run;
	uv_loop_t loop;
	int code = environment_make(&environment, host, NULL, callback);
	const struct run_options options = {.program = host->program,
	    .script = script,
	    .environment = environment.list,
	    .body = "",
	    .timeout_ms = alone->timeout_ms,
	    .done = alone_done,
	    .arg = alone};

	if (code == 0 && uv_loop_init(&loop) != 0)
		code = CAIRN_EIO;
	if (code == 0) {
		code = run_new(&run, &loop, &options);
		uv_run(&loop, UV_RUN_DEFAULT);
		uv_loop_close(&loop);
	}
	environment_free(&environment);
	if (code != 0)
		snprintf(alone->text, sizeof alone->text, "it could not be run");
	return code == 0 ? alone->code : code;
}

static int
run_start(struct host *host, const char *script, struct cairn_error *err)
{
	struct alone alone = {.timeout_ms = HOST_START_MS};
	int code = run_alone(host, "start", script, &alone);

	return code == 0 ? 0 : cairn_error_set(err, code, "start: %s", alone.text);
}

static void
read_timeout(struct host *host)
{
	const Cairn__Welcome *welcome = host->cairn->welcome;

	host->timeout_ms = HOST_TIMEOUT_MS;
	for (size_t i = 0; i < welcome->n_settings; i++) {
		const Cairn__Setting *setting = welcome->settings[i];

		if (strcmp(setting->key, "timeout_s") == 0 &&
		    setting->value_case == CAIRN__SETTING__VALUE_INTEGER && setting->integer > 0 &&
		    setting->integer <= 86400)
			host->timeout_ms = (uint64_t)setting->integer * 1000;
	}
}

/* All but the program `start`. */
static int
open_host(struct cairn *cairn, struct host **ret, struct cairn_error *err)
{
	struct host *host = calloc(1, sizeof *host);
	ssize_t length;
	int code;

	if (host == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	host->cairn = cairn;
	read_timeout(host);
	length = readlink("/proc/self/exe", host->program, sizeof host->program - 1);
	if (length <= 0)
		code = cairn_error_set(
		    err, CAIRN_EIO, "cannot read /proc/self/exe: %s", strerror(errno));
	else
		code = files_find(&host->files, getenv("CAIRN_FILES"), cairn->path, err);
	if (code != 0) {
		files_free(&host->files);
		free(host);
	} else {
		*ret = host;
	}
	return code;
}

static int
start(struct cairn *cairn, void **ret_self, struct cairn_error *err)
{
	struct host *host;
	const char *program;
	int code = open_host(cairn, &host, err);

	if (code != 0)
		return code;
	program = files_program(&host->files, "start");
	if (program != NULL)
		code = run_start(host, program, err);
	if (code != 0) {
		files_free(&host->files);
		free(host);
		return code;
	}
	*ret_self = host;
	return 0;
}

/* ---- check and health ------------------------------------------------------------------- */

static void
ask(struct host *host, const char *callback, unsigned timeout_ms, struct cairn_findings *findings)
{
	const char *program = files_program(&host->files, callback);
	struct alone alone = {.timeout_ms = timeout_ms, .findings = findings};
	char what[HOST_TEXT_MAX + 32];
	const struct cairn_finding fault = {.severity = CAIRN_FAULT,
	    .what = what,
	    .why = "nobody knows how it is",
	    .advice = "correct the program; its log may say more"};

	if (program == NULL) {
		findings_unsupported(findings);
		return;
	}
	if (run_alone(host, callback, program, &alone) == 0)
		return;
	snprintf(what, sizeof what, "the program '%s' failed: %.200s", callback, alone.text);
	cairn_finding(findings, &fault);
	cairn_log(CAIRN_LOG_WARNING, "%s failed", callback);
}

static void
check(struct cairn *cairn, struct cairn_findings *findings)
{
	struct cairn_error err = {0};
	const struct cairn_finding fault = {.severity = CAIRN_FAULT, .what = err.text};
	struct host *host;

	if (open_host(cairn, &host, &err) != 0) {
		cairn_finding(findings, &fault);
		return;
	}
	ask(host, "check", HOST_START_MS, findings);
	files_free(&host->files);
	free(host);
}

/* The loop waits for it, hence the short time. */
static void
health(void *self, struct cairn_findings *findings)
{
	ask(self, "health", HOST_HEALTH_MS, findings);
}

static void
stop(void *self)
{
	struct host *host = self;

	host->stopping = true;
	next(host);
}

const struct cairn_plugin sh_plugin = {.size = sizeof(struct cairn_plugin),
    .abi = CAIRN_ABI,
    .start = start,
    .call = call,
    .job = job,
    .event = event,
    .stop = stop,
    .cancel = cancel,
    .check = check,
    .health = health};
