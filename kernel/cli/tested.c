/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/tested.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <uv.h>

#include "base/clock.h"
#include "base/file.h"
#include "cli/command.h"
#include "cli/confined.h"
#include "cli/welcome.h"
#include "runtime/channel.h"

#define ANSWERS_MAX 16384
#define OWED_MAX 1024
#define LOG_MAX ((size_t)4 << 20)
#define JUNK_BYTES 4096

struct tested {
	uv_loop_t loop;
	uv_timer_t tick;
	uv_process_t process;
	struct channel *channel;
	struct tested_options options;
	struct welcome welcome;
	char socket[PATH_MAX], log[PATH_MAX];
	bool spawned, exited, ready, stop_asked, stopped, down;
	int64_t status;
	int signal;
	int ready_code;
	char ready_text[CAIRN_ERROR_TEXT_MAX];
	uint64_t next_id, ping, pong;
	uint64_t answers[ANSWERS_MAX]; /* ids, in the order of their answers */
	size_t answer_count;
	uint64_t owed[OWED_MAX];
	size_t owed_count, asked;
	struct confined confined;
	uint8_t *findings;
	size_t findings_length;
	uint64_t wanted; /* whose reply's body is kept */
	char *body;
	size_t body_size;
};

/* ---- what the plugin says ------------------------------------------------------------------ */

static void
answered(struct tested *tested, uint64_t id)
{
	if (tested->answer_count < ANSWERS_MAX)
		tested->answers[tested->answer_count++] = id;
}

static void
reply(struct tested *tested, uint64_t id, int code, const char *text, bool junk)
{
	Cairn__Envelope envelope = CAIRN__ENVELOPE__INIT;
	uint8_t bytes[JUNK_BYTES];

	memset(bytes, 0xff, sizeof bytes);
	envelope.kind = CAIRN__ENVELOPE__KIND__REPLY;
	envelope.id = id;
	envelope.code = code;
	envelope.text = (char *)(uintptr_t)text;
	if (junk) {
		envelope.body.data = bytes;
		envelope.body.len = id % 2 == 0 ? sizeof bytes : 1;
	}
	channel_answer(tested->channel, &envelope);
}

/* A call, jobs or records from the plugin: all are answered with a REPLY of the same id. */
static void
asked(struct tested *tested, const Cairn__Envelope *envelope)
{
	bool call = envelope->kind == CAIRN__ENVELOPE__KIND__CALL;

	tested->asked++;
	switch (tested->options.peer) {
	case TESTED_POLITE:
		reply(tested, envelope->id, call ? CAIRN_EUNAVAILABLE : 0,
		    call ? "nobody serves this in a test" : "", false);
		break;
	case TESTED_SLOW:
		if (tested->owed_count < OWED_MAX)
			tested->owed[tested->owed_count++] = envelope->id;
		break;
	case TESTED_HOSTILE:
		reply(tested, envelope->id, 0, "", true);
		reply(tested, envelope->id, 0, "", true);
		break;
	}
}

static void
greet(struct tested *tested)
{
	Cairn__Envelope envelope = CAIRN__ENVELOPE__INIT;

	envelope.kind = CAIRN__ENVELOPE__KIND__WELCOME;
	envelope.body.data = tested->welcome.bytes;
	envelope.body.len = tested->welcome.length;
	channel_answer(tested->channel, &envelope);
}

static void
replied(struct tested *tested, const Cairn__Envelope *envelope)
{
	answered(tested, envelope->id);
	if (envelope->id != tested->wanted || tested->body == NULL)
		return;
	snprintf(tested->body, tested->body_size, "%.*s", (int)envelope->body.len,
	    (const char *)envelope->body.data);
}

static void
keep_findings(struct tested *tested, const Cairn__Envelope *envelope)
{
	free(tested->findings);
	tested->findings_length = 0;
	tested->findings = malloc(envelope->body.len + 1);
	if (tested->findings == NULL || envelope->body.len == 0)
		return;
	memcpy(tested->findings, envelope->body.data, envelope->body.len);
	tested->findings_length = envelope->body.len;
}

static void
take_ready(struct tested *tested, const Cairn__Envelope *envelope)
{
	if (tested->ready)
		return;
	tested->ready = true;
	tested->ready_code = envelope->code;
	snprintf(tested->ready_text, sizeof tested->ready_text, "%s", envelope->text);
	keep_findings(tested, envelope);
}

const uint8_t *
tested_findings(const struct tested *tested, size_t *ret_length)
{
	*ret_length = tested->findings_length;
	return tested->findings;
}

const char *
tested_refused(const struct tested *tested)
{
	return tested->confined.refused;
}

static void
handle(struct tested *tested, const Cairn__Envelope *envelope)
{
	switch (envelope->kind) {
	case CAIRN__ENVELOPE__KIND__HELLO:
		greet(tested);
		break;
	case CAIRN__ENVELOPE__KIND__READY:
		take_ready(tested, envelope);
		break;
	case CAIRN__ENVELOPE__KIND__HEALTH:
		keep_findings(tested, envelope);
		answered(tested, envelope->id);
		break;
	case CAIRN__ENVELOPE__KIND__PONG:
		tested->pong = envelope->id;
		break;
	case CAIRN__ENVELOPE__KIND__STOPPED:
		tested->stopped = true;
		tested_ask_stop(tested); /* that it was read */
		break;
	case CAIRN__ENVELOPE__KIND__REPLY:
		replied(tested, envelope);
		break;
	case CAIRN__ENVELOPE__KIND__JOB_DONE:
	case CAIRN__ENVELOPE__KIND__JOB_RETRY:
		for (size_t i = 0; i < envelope->n_job_ids; i++)
			answered(tested, envelope->job_ids[i]);
		break;
	case CAIRN__ENVELOPE__KIND__EVENT:
	case CAIRN__ENVELOPE__KIND__PROGRESS:
	case CAIRN__ENVELOPE__KIND__CANCEL:
	case CAIRN__ENVELOPE__KIND__METRICS:
		break;
	default:
		asked(tested, envelope);
		break;
	}
}

static void
on_message(void *arg, const uint8_t *bytes, size_t length)
{
	Cairn__Envelope *envelope = cairn__envelope__unpack(NULL, length, bytes);

	if (envelope == NULL)
		return;
	handle(arg, envelope);
	cairn__envelope__free_unpacked(envelope, NULL);
}

static void
on_down(void *arg)
{
	((struct tested *)arg)->down = true;
}

static void
on_exited(uv_process_t *process, int64_t status, int term_signal)
{
	struct tested *tested = process->data;

	tested->exited = true;
	tested->status = status;
	tested->signal = term_signal;
}

static void
ticked(uv_timer_t *timer)
{
	(void)timer;
}

/* ---- waiting ------------------------------------------------------------------------------- */

static int
ended_words(const struct tested *tested, struct cairn_error *err)
{
	char complaint[256] = "";

	if (tested_complaint(tested, complaint, sizeof complaint))
		return cairn_error_set(err, CAIRN_ECORRUPT, "the process ended: %s", complaint);
	if (tested->signal != 0)
		return cairn_error_set(err, CAIRN_ECORRUPT, "the process died of signal %d (%s)",
		    tested->signal, strsignal(tested->signal));
	return cairn_error_set(
	    err, CAIRN_ECORRUPT, "the process ended with status %d", (int)tested->status);
}

static bool
is_ready(const struct tested *tested, uint64_t arg)
{
	(void)arg;
	return tested->ready;
}

/* What was sent before the end is still read, also where another thread has yet to hand it over. */
static int
wait_until(struct tested *tested, bool (*condition)(const struct tested *tested, uint64_t arg),
    uint64_t arg, unsigned timeout_ms, struct cairn_error *err)
{
	uint64_t end_ms = clock_monotonic_ms() + timeout_ms;

	while (!condition(tested, arg)) {
		if (tested->exited) {
			end_ms = clock_monotonic_ms() + TESTED_REST_MS;
			while (!tested->down && clock_monotonic_ms() < end_ms)
				uv_run(&tested->loop, UV_RUN_ONCE);
			return condition(tested, arg) ? 0 : ended_words(tested, err);
		}
		if (condition == is_ready && tested->options.left != NULL &&
		    tested->options.left(tested->options.arg))
			return cairn_error_set(err, CAIRN_ECANCELLED,
			    "the debugger was left before the plugin was ready");
		if (clock_monotonic_ms() > end_ms)
			return cairn_error_set(err, CAIRN_ETIMEOUT, "not within %u ms", timeout_ms);
		uv_run(&tested->loop, UV_RUN_ONCE);
	}
	return 0;
}

unsigned
tested_answers(const struct tested *tested, uint64_t id)
{
	unsigned count = 0;

	for (size_t i = 0; i < tested->answer_count; i++)
		count += tested->answers[i] == id;
	return count;
}

static bool
is_answered(const struct tested *tested, uint64_t id)
{
	return tested_answers(tested, id) > 0;
}

static bool
is_back(const struct tested *tested, uint64_t id)
{
	return tested->pong >= id;
}

static bool
has_stopped(const struct tested *tested, uint64_t arg)
{
	(void)arg;
	return tested->stopped;
}

static bool
has_exited(const struct tested *tested, uint64_t arg)
{
	(void)arg;
	return tested->exited;
}

int
tested_wait(struct tested *tested, uint64_t id, unsigned timeout_ms, struct cairn_error *err)
{
	return wait_until(tested, is_answered, id, timeout_ms, err);
}

uint64_t
tested_send(struct tested *tested, Cairn__Envelope *envelope)
{
	if (envelope->id == 0)
		envelope->id = ++tested->next_id;
	channel_answer(tested->channel, envelope);
	return envelope->id;
}

int
tested_ping(struct tested *tested, unsigned timeout_ms, struct cairn_error *err)
{
	Cairn__Envelope envelope = CAIRN__ENVELOPE__INIT;

	envelope.kind = CAIRN__ENVELOPE__KIND__PING;
	tested->ping = tested_send(tested, &envelope);
	return wait_until(tested, is_back, tested->ping, timeout_ms, err);
}

int
tested_ask(struct tested *tested, const char *subject, const char *body, char *ret, size_t size,
    struct cairn_error *err)
{
	Cairn__Envelope envelope = CAIRN__ENVELOPE__INIT;
	int code;

	envelope.kind = CAIRN__ENVELOPE__KIND__CALL;
	envelope.subject = (char *)(uintptr_t)subject;
	envelope.body.data = (uint8_t *)(uintptr_t)body;
	envelope.body.len = strlen(body);
	tested->body = ret;
	tested->body_size = size;
	tested->wanted = envelope.id = ++tested->next_id;
	tested_send(tested, &envelope);
	code = tested_wait(tested, envelope.id, tested->options.timeout_ms, err);
	tested->body = NULL;
	return code;
}

void
tested_answer_late(struct tested *tested)
{
	for (size_t i = 0; i < tested->owed_count; i++)
		reply(tested, tested->owed[i], 0, "", false);
	tested->owed_count = 0;
	tested->options.peer = TESTED_POLITE; /* it has caught up with what is still to come */
}

size_t
tested_asked(const struct tested *tested)
{
	return tested->asked;
}

int
tested_pid(const struct tested *tested)
{
	return tested->spawned ? uv_process_get_pid(&tested->process) : 0;
}

/* ---- the log ------------------------------------------------------------------------------- */

static bool
log_find(const struct tested *tested, const char *mark, char *ret, size_t size)
{
	BUF_AUTO log = {.max = LOG_MAX};
	const char *text, *found;
	size_t skip = strcmp(mark, "conformance: ") == 0 ? strlen(mark) : 0;

	if (file_read(tested->log, &log, NULL) != 0 || (text = buf_text(&log)) == NULL)
		return false;
	found = strstr(text, mark);
	if (found == NULL)
		return false;
	if (ret != NULL)
		snprintf(ret, size, "%.*s", (int)strcspn(found + skip, "\n"), found + skip);
	return true;
}

bool
tested_complaint(const struct tested *tested, char *ret, size_t size)
{
	static const char *const marks[] = {"conformance: ", "ERROR: AddressSanitizer",
	    "WARNING: ThreadSanitizer", "runtime error: "};

	for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
		if (log_find(tested, marks[i], ret, size))
			return true;
	}
	return false;
}

bool
tested_noted(const struct tested *tested)
{
	return log_find(tested, "conformance-note: ", NULL, 0);
}

/* ---- starting ------------------------------------------------------------------------------ */

static int
spawn(struct tested *tested, struct cairn_error *err)
{
	struct command *command = calloc(1, sizeof *command);
	uv_process_options_t options = {.exit_cb = on_exited, .stdio_count = COMMAND_STDIO_MAX};
	int code = command == NULL ? cairn_error_set(err, CAIRN_ENOMEM, "out of memory")
				   : command_fill(command, &tested->options, tested->socket, err);

	if (code == 0 && tested->options.check != NULL && tested->options.check->policy != NULL)
		code = confined_begin(
		    &tested->confined, &tested->loop, tested->options.check, command, err);
	if (code == 0) {
		command->log = open(tested->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
		for (int i = 0; i < 3; i++) {
			bool own = tested->options.foreground;

			command->stdio[i].flags = i == 0 && !own ? UV_IGNORE : UV_INHERIT_FD;
			command->stdio[i].data.fd = own ? i : command->log;
		}
		options.file = command->arguments[0];
		options.args = command->arguments;
		options.env = command->environment;
		options.stdio = command->stdio;
		if (tested->options.foreground) /* Ctrl-C is for us: we stop it in order */
			options.flags = UV_PROCESS_DETACHED;
		code = uv_spawn(&tested->loop, &tested->process, &options);
		if (code != 0)
			code = cairn_error_set(err, CAIRN_ENOTFOUND, "cannot run %s: %s",
			    options.file, uv_strerror(code));
		else
			tested->spawned = true;
		file_close(&command->log);
		if (command->sandbox_fd > 0)
			close(command->sandbox_fd);
	}
	command_free(command);
	return code;
}

static int
listen_for(struct tested *tested, struct cairn_error *err)
{
	static const struct channel_ops ops = {.message = on_message, .down = on_down};
	char url[PATH_MAX + 8];
	const struct channel_options options = {
	    .url = url, .listen = true, .peer_pid = tested_pid(tested), .ops = &ops, .arg = tested};
	int code;

	snprintf(url, sizeof url, "ipc://%s", tested->socket);
	code = channel_open(&tested->channel, &tested->loop, &options, err);
	return code == 0 && tested->options.check != NULL
	    ? confined_may_dial(tested->options.check, tested->socket, err)
	    : code;
}

static int
open_all(struct tested *tested, struct cairn_error *err)
{
	const char *dir = tested->options.dir;
	int code = welcome_make(&tested->welcome, &tested->options, err);

	snprintf(tested->log, sizeof tested->log, "%s/log", dir);
	snprintf(tested->socket, sizeof tested->socket, "%s/socket", dir);
	unlink(tested->log);
	unlink(tested->socket);
	if (code == 0)
		code = spawn(tested, err);
	if (code == 0)
		code = listen_for(tested, err);
	if (code == 0 && tested->options.debug != NULL)
		code = tested->options.debug(tested->options.arg, tested_pid(tested), err);
	return code;
}

int
tested_start(struct tested **ret, const struct tested_options *options, struct cairn_error *err)
{
	struct tested *tested = calloc(1, sizeof *tested);
	int code;

	if (tested == NULL || uv_loop_init(&tested->loop) != 0) {
		free(tested);
		return cairn_error_set(err, CAIRN_EIO, "cannot make a loop");
	}
	tested->options = *options;
	tested->process.data = tested;
	uv_timer_init(&tested->loop, &tested->tick);
	uv_timer_start(&tested->tick, ticked, 20, 20);
	code = open_all(tested, err);
	if (code != 0) {
		tested_free(tested);
		cairn_error_prefix(err, code, "cannot start the host");
		return CAIRN_EIO;
	}
	*ret = tested;
	code = wait_until(tested, is_ready, 0, options->timeout_ms, err);
	if (code != 0)
		return cairn_error_prefix(err, code, "start() did not end well");
	if (tested->ready_code != 0)
		return cairn_error_set(
		    err, tested->ready_code, "start() said: %.400s", tested->ready_text);
	return 0;
}

/* ---- stopping ------------------------------------------------------------------------------ */

void
tested_ask_stop(struct tested *tested)
{
	Cairn__Envelope envelope = CAIRN__ENVELOPE__INIT;

	tested->stop_asked = true;
	envelope.kind = CAIRN__ENVELOPE__KIND__STOP;
	channel_answer(tested->channel, &envelope);
}

int
tested_stop(struct tested *tested, struct cairn_error *err)
{
	unsigned timeout_ms = tested->options.timeout_ms;
	int code;

	if (!tested->stop_asked) /* a second one says that STOPPED was read */
		tested_ask_stop(tested);
	code = wait_until(tested, has_stopped, 0, timeout_ms, err);
	if (code != 0)
		return cairn_error_prefix(
		    err, code, "asked to stop, the plugin did not call cairn_stopped()");
	code = wait_until(tested, has_exited, 0, timeout_ms, err);
	if (code == 0 && (tested->signal != 0 || tested->status != 0))
		return ended_words(tested, err);
	return code;
}

int
tested_abandon(struct tested *tested, struct cairn_error *err)
{
	channel_close(tested->channel, NULL, NULL);
	tested->channel = NULL;
	return wait_until(tested, has_exited, 0, tested->options.timeout_ms, err);
}

bool
tested_turn(struct tested *tested)
{
	if (!tested->exited)
		uv_run(&tested->loop, UV_RUN_ONCE);
	return !tested->exited;
}

void
tested_serve(struct tested *tested, const volatile sig_atomic_t *until)
{
	while ((until == NULL || !*until) && tested_turn(tested))
		continue;
}

void
tested_free(struct tested *tested)
{
	if (tested == NULL)
		return;
	if (tested->spawned && !tested->exited) {
		uv_process_kill(&tested->process, SIGKILL);
		tested_serve(tested, NULL);
	}
	if (tested->channel != NULL)
		channel_close(tested->channel, NULL, NULL);
	confined_end(&tested->confined);
	if (tested->spawned)
		uv_close((uv_handle_t *)&tested->process, NULL);
	uv_close((uv_handle_t *)&tested->tick, NULL);
	uv_run(&tested->loop, UV_RUN_DEFAULT);
	uv_loop_close(&tested->loop);
	welcome_fini(&tested->welcome);
	free(tested->findings);
	unlink(tested->socket);
	free(tested);
}
