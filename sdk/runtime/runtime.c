/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/runtime.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "runtime/private.h"

#define HANDSHAKE_MS 10000
#define LEAVE_MS 2000
#define VERSION "0.1.0"

/* ---- messages --------------------------------------------------------------------------- */

static struct message *
message_unpack(const uint8_t *bytes, size_t length)
{
	struct message *message = malloc(sizeof *message);

	if (message == NULL)
		return NULL;
	message->refs = 1;
	arena_init(&message->arena, CHANNEL_ARENA_MAX);
	message->envelope = cairn__envelope__unpack(&message->arena.allocator, length, bytes);
	if (message->envelope == NULL) {
		message_unref(message);
		return NULL;
	}
	return message;
}

void
message_unref(struct message *message)
{
	if (message == NULL || --message->refs > 0)
		return;
	arena_fini(&message->arena);
	free(message);
}

/* ---- leaving ---------------------------------------------------------------------------- */

void
runtime_finish(struct cairn *cairn, int status)
{
	if (cairn->state == RUNTIME_FINISHED)
		return;
	cairn->state = RUNTIME_FINISHED;
	uv_timer_stop(&cairn->deadline);
	cairn->finished(cairn->arg, status);
}

void
runtime_answer(struct cairn *cairn, const Cairn__Envelope *envelope)
{
	int code;

	if (cairn->state == RUNTIME_FINISHED)
		return;
	code = channel_answer(cairn->channel, envelope);
	if (code == 0)
		return;
	log_error(RUNTIME_TOPIC, "plugin %s: an answer cannot be sent (%s), leaving", cairn->name,
	    cairn_code_text(code));
	runtime_finish(cairn, 1);
}

static void
leave_timeout(uv_timer_t *timer)
{
	struct cairn *cairn = timer->data;

	runtime_finish(cairn, cairn->leave_status);
}

/* The last message is on its way: the kernel's STOP says that it was read. */
static void
leave(struct cairn *cairn, int status)
{
	if (cairn->state == RUNTIME_FINISHED)
		return;
	cairn->state = RUNTIME_LEAVING;
	cairn->leave_status = status;
	uv_timer_start(&cairn->deadline, leave_timeout, LEAVE_MS, 0);
}

void
cairn_stopped(struct cairn *cairn)
{
	Cairn__Envelope envelope = CAIRN__ENVELOPE__INIT;

	if (cairn->state != RUNTIME_STOPPING) {
		log_error(RUNTIME_TOPIC,
		    "plugin %s says that it stopped without being asked, "
		    "ignoring",
		    cairn->name);
		return;
	}
	jobs_flush(cairn);
	metrics_flush(cairn);
	envelope.kind = CAIRN__ENVELOPE__KIND__STOPPED;
	runtime_answer(cairn, &envelope);
	leave(cairn, 0);
}

static void
stop(struct cairn *cairn)
{
	switch (cairn->state) {
	case RUNTIME_RUNNING:
		cairn->state = RUNTIME_STOPPING;
		if (cairn->plugin.stop != NULL)
			cairn->plugin.stop(cairn->self);
		else
			cairn_stopped(cairn);
		break;
	case RUNTIME_LEAVING:
		runtime_finish(cairn, cairn->leave_status);
		break;
	case RUNTIME_GREETING:
	case RUNTIME_PREPARED:
		runtime_finish(cairn, 0);
		break;
	default:
		break; /* asked twice */
	}
}

/* ---- starting --------------------------------------------------------------------------- */

static int
hello(struct cairn *cairn)
{
	Cairn__Envelope envelope = CAIRN__ENVELOPE__INIT;
	Cairn__Hello body = CAIRN__HELLO__INIT;
	uint8_t bytes[256];
	char version[] = VERSION;

	body.wire_min = RUNTIME_WIRE;
	body.wire_max = RUNTIME_WIRE;
	body.plugin = cairn->name;
	body.version = version;
	body.abi = CAIRN_ABI;
	body.pid = (uint32_t)getpid();
	body.hands_over = true;
	if (cairn__hello__get_packed_size(&body) > sizeof bytes)
		return CAIRN_EINVAL;
	envelope.kind = CAIRN__ENVELOPE__KIND__HELLO;
	envelope.body.data = bytes;
	envelope.body.len = cairn__hello__pack(&body, bytes);
	return channel_answer(cairn->channel, &envelope);
}

static int
load(struct cairn *cairn, struct cairn_error *err)
{
	int code = cairn->confine == NULL ? 0 : cairn->confine(cairn->arg, err);

	if (code != 0)
		return code;
	return cairn->linked != NULL ? plugin_take(cairn->linked, cairn->name, &cairn->plugin, err)
				     : plugin_load(cairn->path, cairn->name, &cairn->plugin, err);
}

static int
load_and_start(struct cairn *cairn, struct cairn_error *err)
{
	/* One that was prepared is loaded. */
	int code = cairn->welcome->prepare ? 0 : load(cairn, err);

	if (code != 0 || cairn->plugin.start == NULL || cairn->welcome->check)
		return code;
	return cairn->plugin.start(cairn, &cairn->self, err);
}

/* In place of starting: nothing is served, and the kernel's STOP ends this process. */
static void
check(struct cairn *cairn)
{
	struct cairn_error err = {0};
	Cairn__Envelope ready = CAIRN__ENVELOPE__INIT;
	int code = load_and_start(cairn, &err);

	ready.kind = CAIRN__ENVELOPE__KIND__READY;
	ready.code = code > 0 ? CAIRN_EINTERNAL : code;
	if (code != 0) {
		ready.text = err.text;
		runtime_answer(cairn, &ready);
	} else {
		runtime_check(cairn, &ready);
	}
	leave(cairn, 0);
}

/* What start() sends waits behind READY, for the kernel lets nobody speak before that. */
static void
start(struct cairn *cairn)
{
	struct cairn_error err = {0};
	Cairn__Envelope ready = CAIRN__ENVELOPE__INIT;
	int code;

	cairn->state = RUNTIME_STARTING;
	channel_cork(cairn->channel);
	code = load_and_start(cairn, &err);
	ready.kind = CAIRN__ENVELOPE__KIND__READY;
	ready.code = code > 0 ? CAIRN_EINTERNAL : code;
	if (code != 0) {
		ready.text = err.code != 0 ? err.text : (char *)(uintptr_t)cairn_code_text(code);
		log_error(RUNTIME_TOPIC, "plugin %s cannot start: %s", cairn->name, ready.text);
	}
	if (channel_uncork(cairn->channel, &ready) != 0)
		runtime_finish(cairn, 1);
	else if (code != 0)
		leave(cairn, 1);
	else if (cairn->state == RUNTIME_STARTING)
		cairn->state = RUNTIME_RUNNING;
}

/* The predecessor still has the state: all but start() is done here. */
static void
prepare(struct cairn *cairn)
{
	struct cairn_error err = {0};
	Cairn__Envelope envelope = CAIRN__ENVELOPE__INIT;
	int code = load(cairn, &err);

	envelope.kind = code == 0 ? CAIRN__ENVELOPE__KIND__PREPARED : CAIRN__ENVELOPE__KIND__READY;
	envelope.code = code > 0 ? CAIRN_EINTERNAL : code;
	if (code != 0) {
		envelope.text = err.text;
		log_error(RUNTIME_TOPIC, "plugin %s cannot start: %s", cairn->name, err.text);
	}
	cairn->state = RUNTIME_PREPARED;
	runtime_answer(cairn, &envelope);
	if (code != 0)
		leave(cairn, 1);
}

static void
welcome(struct cairn *cairn, struct message *message)
{
	ProtobufCBinaryData body = message->envelope->body;

	cairn->welcome = cairn->state == RUNTIME_GREETING
	    ? cairn__welcome__unpack(&message->arena.allocator, body.len, body.data)
	    : NULL;
	if (cairn->welcome == NULL || cairn->welcome->wire != RUNTIME_WIRE) {
		log_error(RUNTIME_TOPIC,
		    "the kernel speaks wire version %u, this host %u; install cairnd and "
		    "cairn-host of one release",
		    cairn->welcome == NULL ? 0 : cairn->welcome->wire, RUNTIME_WIRE);
		message_unref(message);
		runtime_finish(cairn, 1);
		return;
	}
	cairn->welcome_message = message;
	uv_timer_stop(&cairn->deadline);
	if (cairn->welcome->check)
		check(cairn);
	else if (cairn->welcome->prepare)
		prepare(cairn);
	else
		start(cairn);
}

static void
handshake_timeout(uv_timer_t *timer)
{
	struct cairn *cairn = timer->data;

	log_error(RUNTIME_TOPIC, "the kernel did not welcome plugin %s, leaving", cairn->name);
	runtime_finish(cairn, 1);
}

/* ---- receiving -------------------------------------------------------------------------- */

static void
pong(struct cairn *cairn, uint64_t id)
{
	Cairn__Envelope envelope = CAIRN__ENVELOPE__INIT;

	envelope.kind = CAIRN__ENVELOPE__KIND__PONG;
	envelope.id = id;
	runtime_answer(cairn, &envelope);
}

static void
set_log_level(const char *text)
{
	enum cairn_log_level level;

	if (log_level_parse(text, &level) == 0)
		log_set_level(level);
	else
		log_warning(RUNTIME_TOPIC, "the kernel asks for an unknown log level, ignoring");
}

/* Traffic is taken while running; replies also while stopping, for stop() may wait for them. */
static void
dispatch(struct cairn *cairn, struct message *message)
{
	const Cairn__Envelope *envelope = message->envelope;
	bool running = cairn->state == RUNTIME_RUNNING;

	if (envelope->kind == CAIRN__ENVELOPE__KIND__CALL && running) {
		requests_dispatch(cairn, message);
		return;
	}
	if (envelope->kind == CAIRN__ENVELOPE__KIND__JOB && running) {
		jobs_dispatch(cairn, message);
		return;
	}
	if (envelope->kind == CAIRN__ENVELOPE__KIND__REPLY &&
	    (running || cairn->state == RUNTIME_STOPPING))
		calls_reply(cairn, envelope);
	else if (envelope->kind == CAIRN__ENVELOPE__KIND__CANCEL && running)
		requests_cancel(cairn, envelope->id);
	else if (envelope->kind == CAIRN__ENVELOPE__KIND__EVENT && running &&
	    cairn->plugin.event != NULL)
		cairn->plugin.event(
		    cairn->self, envelope->subject, envelope->body.data, envelope->body.len);
	message_unref(message);
}

static void
on_message(void *arg, const uint8_t *bytes, size_t length)
{
	struct cairn *cairn = arg;
	struct message *message;

	if (cairn->state == RUNTIME_FINISHED)
		return;
	message = message_unpack(bytes, length);
	if (message == NULL) {
		log_error(RUNTIME_TOPIC, "the kernel sent bytes that are not an envelope, leaving");
		runtime_finish(cairn, 1);
		return;
	}
	switch (message->envelope->kind) {
	case CAIRN__ENVELOPE__KIND__WELCOME:
		welcome(cairn, message);
		return;
	case CAIRN__ENVELOPE__KIND__PING:
		pong(cairn, message->envelope->id);
		break;
	case CAIRN__ENVELOPE__KIND__STOP:
		stop(cairn);
		break;
	case CAIRN__ENVELOPE__KIND__BEGIN:
		if (cairn->state == RUNTIME_PREPARED)
			start(cairn);
		break;
	case CAIRN__ENVELOPE__KIND__HANDOVER:
		runtime_handover(cairn);
		break;
	case CAIRN__ENVELOPE__KIND__HEALTH:
		if (cairn->state == RUNTIME_RUNNING)
			runtime_health(cairn, message->envelope->id);
		break;
	case CAIRN__ENVELOPE__KIND__LOG_LEVEL:
		set_log_level(message->envelope->text);
		break;
	default:
		dispatch(cairn, message);
		return;
	}
	message_unref(message);
}

static void
on_down(void *arg)
{
	struct cairn *cairn = arg;

	if (cairn->state != RUNTIME_LEAVING)
		log_error(RUNTIME_TOPIC, "plugin %s lost the kernel, leaving", cairn->name);
	runtime_finish(cairn, cairn->state == RUNTIME_LEAVING ? cairn->leave_status : 1);
}

/* ---- making and unmaking ---------------------------------------------------------------- */

static void
runtime_free(struct cairn *cairn)
{
	requests_free(cairn);
	calls_free(cairn);
	metrics_free(cairn);
	message_unref(cairn->welcome_message);
	free(cairn->name);
	free(cairn->path);
	free(cairn);
}

static void
part_closed(struct cairn *cairn)
{
	void (*closed)(void *) = cairn->closed;
	void *arg = cairn->closed_arg;

	if (--cairn->closing > 0)
		return;
	runtime_free(cairn);
	if (closed != NULL)
		closed(arg);
}

static void
handle_closed(uv_handle_t *handle)
{
	part_closed(handle->data);
}

static void
channel_closed(void *arg)
{
	part_closed(arg);
}

void
runtime_close(struct cairn *cairn, void (*closed)(void *arg), void *arg)
{
	cairn->state = RUNTIME_FINISHED;
	cairn->closed = closed;
	cairn->closed_arg = arg;
	cairn->closing = 3;
	if (cairn->channel != NULL) {
		cairn->closing++;
		channel_close(cairn->channel, channel_closed, cairn);
	}
	calls_close(cairn, handle_closed);
	uv_close((uv_handle_t *)&cairn->deadline, handle_closed);
	uv_close((uv_handle_t *)&cairn->flush, handle_closed);
	uv_close((uv_handle_t *)&cairn->metrics_timer, handle_closed);
}

static const struct channel_ops channel_ops = {.message = on_message, .down = on_down};

static int
runtime_connect(struct cairn *cairn, const struct runtime_options *options, struct cairn_error *err)
{
	const struct channel_options channel = {.url = options->url,
	    .peer_pid = options->kernel_pid,
	    .ops = &channel_ops,
	    .arg = cairn};
	int code = channel_open(&cairn->channel, cairn->loop, &channel, err);

	if (code == 0)
		code = hello(cairn);
	if (code != 0)
		return cairn_error_prefix(err, code, "cannot reach the kernel");
	uv_timer_start(&cairn->deadline, handshake_timeout, HANDSHAKE_MS, 0);
	return 0;
}

int
runtime_new(struct cairn **ret, uv_loop_t *loop, const struct runtime_options *options,
    struct cairn_error *err)
{
	struct cairn *cairn = calloc(1, sizeof *cairn);
	int code;

	if (cairn == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	cairn->loop = loop;
	cairn->name = strdup(options->name);
	cairn->path = strdup(options->path == NULL ? "" : options->path);
	cairn->linked = options->plugin;
	cairn->finished = options->finished;
	cairn->confine = options->confine;
	cairn->arg = options->arg;
	cairn->deadline.data = cairn;
	cairn->flush.data = cairn;
	cairn->metrics_timer.data = cairn;
	uv_timer_init(loop, &cairn->deadline);
	uv_prepare_init(loop, &cairn->flush);
	uv_timer_init(loop, &cairn->metrics_timer);
	code = cairn->name == NULL || cairn->path == NULL
	    ? cairn_error_set(err, CAIRN_ENOMEM, "out of memory")
	    : runtime_connect(cairn, options, err);
	if (code != 0) {
		runtime_close(cairn, NULL, NULL);
		return code;
	}
	runtime_log_topic(cairn->name);
	*ret = cairn;
	return 0;
}
