/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "runtime/channel.h"
#include "supervisor/private.h"

/* One plugin's life.  Only a process's exit decides that an incarnation is gone: everything that
 * goes wrong before sets a verdict and sends SIGKILL, and the rest happens in on_exited(). */

#define DOWN_MS 500 /* for a host that lost its connection to end by itself */
#define WIRE 1
#define FIRST_WAIT_MS 1000u
#define LAST_WAIT_MS 60000u

static void
tell(struct supervisor_plugin *plugin, const char *what, const char *reason)
{
	struct supervisor *supervisor = plugin->supervisor;

	if (supervisor->ops.event != NULL)
		supervisor->ops.event(supervisor->arg, plugin, what, reason);
}

/* The first verdict stays: later ones are consequences. */
void
plugin_condemn(struct supervisor_plugin *plugin, const char *format, ...)
{
	va_list args;

	if (plugin->verdict[0] == 0) {
		va_start(args, format);
		if (vsnprintf(plugin->verdict, sizeof plugin->verdict, format, args) < 0)
			plugin->verdict[0] = 0;
		va_end(args);
	}
	if (plugin->process != NULL)
		process_kill(plugin->process);
}

/* WELCOME with `prepare`: packed messages one after the other are read as one. */
static int
welcome_standby(struct supervisor_plugin *plugin)
{
	Cairn__Envelope envelope = CAIRN__ENVELOPE__INIT;
	Cairn__Welcome more = CAIRN__WELCOME__INIT;
	size_t size;
	int code;

	more.prepare = true;
	size = plugin->welcome_length + cairn__welcome__get_packed_size(&more);
	envelope.body.data = malloc(size);
	if (envelope.body.data == NULL)
		return CAIRN_ENOMEM;
	memcpy(envelope.body.data, plugin->welcome, plugin->welcome_length);
	cairn__welcome__pack(&more, envelope.body.data + plugin->welcome_length);
	envelope.body.len = size;
	envelope.kind = CAIRN__ENVELOPE__KIND__WELCOME;
	code = process_command(plugin->process, &envelope);
	explicit_bzero(envelope.body.data, size); /* it held secrets */
	free(envelope.body.data);
	return code;
}

int
plugin_command(struct supervisor_plugin *plugin, Cairn__Envelope__Kind kind)
{
	Cairn__Envelope envelope = CAIRN__ENVELOPE__INIT;

	envelope.kind = kind;
	if (kind == CAIRN__ENVELOPE__KIND__WELCOME) {
		envelope.body.data = plugin->welcome;
		envelope.body.len = plugin->welcome_length;
	}
	return process_command(plugin->process, &envelope);
}

static void
timer_set(struct supervisor_plugin *plugin, unsigned delay_ms, unsigned repeat_ms)
{
	uv_timer_start(&plugin->timer, plugin_timer, delay_ms, repeat_ms);
}

/* ---- messages --------------------------------------------------------------------------- */

static void
on_hello(struct supervisor_plugin *plugin, const Cairn__Envelope *envelope)
{
	Cairn__Hello *hello = cairn__hello__unpack(
	    &plugin->supervisor->arena.allocator, envelope->body.len, envelope->body.data);

	if (hello == NULL || strcmp(hello->plugin, plugin->name) != 0) {
		plugin_condemn(plugin, "said hello in a way that we do not understand");
		return;
	}
	if (hello->wire_min > WIRE || hello->wire_max < WIRE) {
		plugin_condemn(plugin,
		    "its host speaks wire versions %u to %u, the kernel speaks %u to %u; install "
		    "cairnd, cairn-host and the plugin's SDK of one release",
		    hello->wire_min, hello->wire_max, WIRE, WIRE);
		return;
	}
	plugin->hands_over = hello->hands_over;
	if ((plugin->standby && hello->hands_over
		    ? welcome_standby(plugin)
		    : plugin_command(plugin, CAIRN__ENVELOPE__KIND__WELCOME)) != 0)
		plugin_condemn(plugin, "its configuration is too large to send");
}

static void
on_ready(struct supervisor_plugin *plugin, const Cairn__Envelope *envelope)
{
	struct supervisor *supervisor = plugin->supervisor;
	char reason[SUPERVISOR_REASON_MAX];

	if (envelope->code != 0) {
		plugin->start_refused = true;
		plugin->start_waits = envelope->code == CAIRN_EAGAIN && !plugin->standby;
		if (snprintf(plugin->verdict, sizeof plugin->verdict, "failed to start: %s",
			envelope->text) < 0)
			plugin->verdict[0] = 0;
		if (plugin_command(plugin, CAIRN__ENVELOPE__KIND__STOP) != 0)
			process_kill(plugin->process);
		return; /* it leaves now; the handshake's deadline still runs */
	}
	plugin->state = SUPERVISOR_READY;
	plugin->wait_ms = 0;
	if (plugin->last_error[0] != 0)
		memcpy(plugin->earlier_error, plugin->last_error, sizeof plugin->earlier_error);
	plugin->last_error[0] = 0;
	plugin->ready_told = true;
	plugin->ready_since_ms = clock_monotonic_ms();
	plugin->unanswered = 0;
	timer_set(plugin, supervisor->options.heartbeat_ms, supervisor->options.heartbeat_ms);
	if (snprintf(reason, sizeof reason, "%s %s is ready, pid %d", plugin->name, plugin->version,
		process_pid(plugin->process)) < 0)
		reason[0] = 0;
	log_info(SUPERVISOR_TOPIC, "%s", reason);
	tell(plugin, "started", reason);
	if (supervisor->ops.ready != NULL)
		supervisor->ops.ready(supervisor->arg, plugin);
}

/* It waits, however long the other takes: no deadline and no heartbeat until it begins. */
static void
on_prepared(struct supervisor_plugin *plugin)
{
	struct supervisor *supervisor = plugin->supervisor;

	plugin->state = SUPERVISOR_PREPARED;
	uv_timer_stop(&plugin->timer);
	if (supervisor->ops.prepared != NULL)
		supervisor->ops.prepared(supervisor->arg, plugin);
}

static void
on_drained(struct supervisor_plugin *plugin)
{
	struct supervisor *supervisor = plugin->supervisor;

	if (supervisor->ops.drained != NULL)
		supervisor->ops.drained(supervisor->arg, plugin);
}

/* STOPPED is answered with a second STOP, so that the host does not end before we have read all it
 * sent. */
static void
on_stopped_message(struct supervisor_plugin *plugin)
{
	if (plugin->state != SUPERVISOR_STOPPING)
		plugin_condemn(plugin, "stopped without being asked");
	else if (plugin_command(plugin, CAIRN__ENVELOPE__KIND__STOP) != 0)
		process_kill(plugin->process);
}

static void
handle(struct supervisor_plugin *plugin, const Cairn__Envelope *envelope)
{
	struct supervisor *supervisor = plugin->supervisor;

	plugin->unanswered = 0;
	switch (envelope->kind) {
	case CAIRN__ENVELOPE__KIND__HELLO:
		if (plugin->state == SUPERVISOR_STARTING)
			on_hello(plugin, envelope);
		return;
	case CAIRN__ENVELOPE__KIND__READY:
		if (plugin->state == SUPERVISOR_STARTING)
			on_ready(plugin, envelope);
		return;
	case CAIRN__ENVELOPE__KIND__PONG:
		return;
	case CAIRN__ENVELOPE__KIND__PREPARED:
		if (plugin->state == SUPERVISOR_STARTING && plugin->standby)
			on_prepared(plugin);
		return;
	case CAIRN__ENVELOPE__KIND__DRAINED:
		if (plugin->state == SUPERVISOR_READY)
			on_drained(plugin);
		return;
	case CAIRN__ENVELOPE__KIND__STOPPED:
		on_stopped_message(plugin);
		return;
	default:
		/* Before READY nothing else may come. */
		if (plugin->ready_told && supervisor->ops.message != NULL)
			supervisor->ops.message(supervisor->arg, plugin, envelope);
	}
}

static void
on_message(void *arg, const uint8_t *bytes, size_t length)
{
	struct supervisor_plugin *plugin = arg;
	struct arena *arena = &plugin->supervisor->arena;
	Cairn__Envelope *envelope;

	if (plugin->verdict[0] != 0)
		return; /* condemned: it is being killed, or leaves after a failed start() */
	envelope = cairn__envelope__unpack(&arena->allocator, length, bytes);
	if (envelope == NULL)
		plugin_condemn(plugin, "sent bytes that are not an envelope");
	else
		handle(plugin, envelope);
	arena_reset(arena);
}

/* Nearly always the process is ending, and its exit says why. */
static void
on_down(void *arg)
{
	struct supervisor_plugin *plugin = arg;

	if (plugin->state == SUPERVISOR_STOPPING)
		return;
	plugin->down = true;
	timer_set(plugin, DOWN_MS, 0);
}

/* ---- the end of a process --------------------------------------------------------------- */

/* With the place that the host's crash handler named. */
static int
describe_signal(
    const struct supervisor_plugin *plugin, int term_signal, char ret[SUPERVISOR_REASON_MAX])
{
	char crash[HOSTLINE_CRASH_MAX];
	const char *at;

	process_crash(plugin->process, crash);
	at = strstr(crash, ", at ");
	return snprintf(ret, SUPERVISOR_REASON_MAX, "%s %s was killed by signal %d (%s)%s",
	    plugin->name, plugin->version, term_signal, strsignal(term_signal),
	    at == NULL || term_signal == SIGKILL ? "" : at + 1);
}

static void
describe_exit(const struct supervisor_plugin *plugin, int64_t status, int term_signal,
    char ret[SUPERVISOR_REASON_MAX])
{
	const char *name = plugin->name, *version = plugin->version;
	bool verdict = plugin->verdict[0] != 0 &&
	    (term_signal == SIGKILL || (term_signal == 0 && status != 0));
	int wrote;

	if (verdict)
		wrote = snprintf(
		    ret, SUPERVISOR_REASON_MAX, "%s %s %s", name, version, plugin->verdict);
	else if (term_signal != 0)
		wrote = describe_signal(plugin, term_signal, ret);
	else
		wrote = snprintf(ret, SUPERVISOR_REASON_MAX,
		    "%s %s ended by itself with status %d; its log may say why", name, version,
		    (int)status);
	if (wrote < 0)
		ret[0] = 0;
}

/* The process is gone: what was it working on? */
static void
add_work(struct supervisor_plugin *plugin, char reason[SUPERVISOR_REASON_MAX])
{
	struct supervisor *supervisor = plugin->supervisor;
	char work[SUPERVISOR_REASON_MAX] = "";
	size_t length = strlen(reason);

	if (!plugin->ready_told || supervisor->ops.work == NULL)
		return;
	supervisor->ops.work(supervisor->arg, plugin, work, sizeof work);
	if (work[0] != 0 &&
	    snprintf(reason + length, SUPERVISOR_REASON_MAX - length, " while it worked on %s",
		work) < 0)
		reason[length] = 0;
}

/* An address in use is no crash loop: it is tried for as long as it takes, and ever more rarely. */
static void
wait_for_outside(struct supervisor_plugin *plugin, const char *reason)
{
	unsigned next_ms = plugin->wait_ms == 0 ? FIRST_WAIT_MS : plugin->wait_ms * 2;

	plugin->wait_ms = next_ms > LAST_WAIT_MS ? LAST_WAIT_MS : next_ms;
	plugin_note_failure(plugin, "failed to start", reason);
	plugin->state = SUPERVISOR_WAITING;
	timer_set(plugin, plugin->wait_ms, 0);
	log_line(plugin->quiet ? CAIRN_LOG_INFO : CAIRN_LOG_WARNING, SUPERVISOR_TOPIC,
	    "%s; it is tried again in %u s, and then until it can start (at once: `cairn plugin "
	    "restart %s`)",
	    reason, plugin->wait_ms / 1000, plugin->name);
	tell(plugin, "failed to start", reason);
}

/* It crashed, or could not start. */
static void
failed(
    struct supervisor_plugin *plugin, const char *what, const char *reason, uint64_t ready_for_ms)
{
	unsigned delay_ms = 0;
	bool again = !plugin->standby &&
	    breaker_crash(&plugin->breaker, clock_monotonic_ms(), ready_for_ms, &delay_ms);

	plugin_note_failure(plugin, what, reason);
	if (plugin->standby) {
		plugin->state = SUPERVISOR_FAILED;
		tell(plugin, what, reason);
		return;
	}
	if (!again) {
		plugin->state = SUPERVISOR_FAILED;
		log_line(plugin->quiet ? CAIRN_LOG_INFO : CAIRN_LOG_ERROR, SUPERVISOR_TOPIC,
		    "%s; that was failure %u within %u s, giving up until "
		    "`cairn plugin restart %s`",
		    reason, plugin->breaker.limit, plugin->supervisor->options.restart_window_s,
		    plugin->name);
		tell(plugin, "failed", reason);
		return;
	}
	plugin->state = SUPERVISOR_WAITING;
	timer_set(plugin, delay_ms, 0);
	log_line(plugin->quiet ? CAIRN_LOG_INFO : CAIRN_LOG_WARNING, SUPERVISOR_TOPIC,
	    "%s; starting it again in %u ms", reason, delay_ms);
	tell(plugin, what, reason);
}

static void
not_spawned(struct supervisor_plugin *plugin, const struct cairn_error *err)
{
	failed(plugin, "failed to start", err->text, 0);
}

static void
stopped(struct supervisor_plugin *plugin)
{
	char reason[SUPERVISOR_REASON_MAX];

	plugin->state = SUPERVISOR_STOPPED;
	if (snprintf(reason, sizeof reason, "%s %s %s", plugin->name, plugin->version,
		plugin->verdict[0] != 0 ? plugin->verdict : "stopped in order") < 0)
		reason[0] = 0;
	log_info(SUPERVISOR_TOPIC, "%s", reason);
	tell(plugin, "stopped", reason);
	if (plugin->state == SUPERVISOR_STOPPED)
		plugin_tell_waiters(plugin);
}

static void
on_exited(void *arg, int64_t status, int term_signal)
{
	struct supervisor_plugin *plugin = arg;
	struct supervisor *supervisor = plugin->supervisor;
	char reason[SUPERVISOR_REASON_MAX];
	uint64_t ready_for_ms = 0;
	bool asked = plugin->state == SUPERVISOR_STOPPING;

	uv_timer_stop(&plugin->timer);
	describe_exit(plugin, status, term_signal, reason);
	if (term_signal != 0)
		process_note(plugin->process, reason);
	process_release(plugin->process);
	plugin->process = NULL;
	plugin->state = asked ? SUPERVISOR_STOPPED : SUPERVISOR_WAITING;
	if (!asked)
		add_work(plugin, reason);
	if (plugin->ready_told) {
		plugin->ready_told = false;
		ready_for_ms = clock_monotonic_ms() - plugin->ready_since_ms;
		if (supervisor->ops.gone != NULL)
			supervisor->ops.gone(supervisor->arg, plugin);
	}
	if (asked)
		stopped(plugin);
	else if (plugin->state == SUPERVISOR_WAITING && plugin->start_waits)
		wait_for_outside(plugin, reason);
	else if (plugin->state == SUPERVISOR_WAITING) /* gone() may have stopped it */
		failed(plugin, plugin->start_refused ? "failed to start" : "crashed", reason,
		    ready_for_ms);
	supervisor_progress(supervisor);
}

/* ---- starting and stopping -------------------------------------------------------------- */

static void
on_released(void *arg)
{
	struct supervisor *supervisor = arg;

	supervisor->processes--;
	supervisor_progress(supervisor);
}

static int
on_listener(void *arg, const char *address, uint16_t port, int *ret_fd, struct cairn_error *err)
{
	struct supervisor_plugin *plugin = arg;
	struct supervisor *supervisor = plugin->supervisor;

	if (supervisor->ops.listener == NULL)
		return cairn_error_set(
		    err, CAIRN_EUNSUPPORTED, "this kernel makes no listening sockets");
	return supervisor->ops.listener(supervisor->arg, plugin, address, port, ret_fd, err);
}

static const struct process_ops process_ops = {on_message, on_down, on_exited, on_listener};

int
plugin_start(struct supervisor_plugin *plugin, struct cairn_error *err)
{
	struct supervisor *supervisor = plugin->supervisor;
	char socket_path[PATH_MAX], log_path[PATH_MAX];
	struct process_options options = {.host_path = supervisor->host_path,
	    .plugin_path = plugin->path,
	    .interpreter = plugin->interpreter,
	    .object_fd = plugin->object_fd,
	    .name = plugin->name,
	    .log = {.path = log_path,
		.name = plugin->name,
		.version = plugin->version,
		.format = supervisor->options.log_json ? LOG_JSON : LOG_TEXT,
		.size_max = supervisor->options.log_size_max,
		.files = supervisor->options.log_files},
	    .socket_path = socket_path,
	    .ops = &process_ops,
	    .arg = plugin,
	    .released = on_released,
	    .released_arg = supervisor};
	int a = snprintf(socket_path, sizeof socket_path, "%s/%s.%llu.sock", supervisor->run_dir,
	    plugin->name, (unsigned long long)++supervisor->incarnation);
	int b = snprintf(log_path, sizeof log_path, "%s/%s.log", supervisor->log_dir, plugin->name);
	FD_AUTO sandbox_fd = -1;
	int code;

	if (a < 0 || b < 0 || a >= (int)sizeof socket_path || b >= (int)sizeof log_path)
		return cairn_error_set(err, CAIRN_EINVAL, "the node's home has too long a path");
	plugin->verdict[0] = 0;
	plugin->down = false;
	plugin->start_refused = false;
	plugin->start_waits = false;
	plugin->starts++;
	if (supervisor->ops.confine != NULL) {
		code = supervisor->ops.confine(
		    supervisor->arg, plugin, &sandbox_fd, &options.uid, err);
		if (code != 0)
			return cairn_error_prefix(
			    err, code, "plugin %s %s", plugin->name, plugin->version);
		options.sandbox_fd = sandbox_fd;
	}
	supervisor->processes++;
	code = process_start(&plugin->process, supervisor->loop, &options, err);
	if (code != 0)
		return cairn_error_prefix(err, code, "plugin %s %s", plugin->name, plugin->version);
	plugin->state = SUPERVISOR_STARTING;
	timer_set(plugin, supervisor->options.handshake_ms, 0);
	return 0;
}

int
plugin_begin(struct supervisor_plugin *plugin, struct cairn_error *err)
{
	if (plugin_command(plugin, CAIRN__ENVELOPE__KIND__BEGIN) != 0)
		return cairn_error_set(
		    err, CAIRN_EUNAVAILABLE, "plugin %s does not read", plugin->name);
	plugin->state = SUPERVISOR_STARTING;
	timer_set(plugin, plugin->supervisor->options.handshake_ms, 0);
	return 0;
}

void
plugin_stop(struct supervisor_plugin *plugin)
{
	switch (plugin->state) {
	case SUPERVISOR_STARTING:
	case SUPERVISOR_PREPARED:
	case SUPERVISOR_READY:
		plugin->state = SUPERVISOR_STOPPING;
		timer_set(plugin, plugin->supervisor->options.stop_timeout_ms, 0);
		if (plugin_command(plugin, CAIRN__ENVELOPE__KIND__STOP) != 0)
			plugin_condemn(plugin, "could not be asked to stop");
		break;
	case SUPERVISOR_WAITING:
		uv_timer_stop(&plugin->timer);
		/* fallthrough */
	case SUPERVISOR_FAILED:
	case SUPERVISOR_STOPPED:
		plugin->state = SUPERVISOR_STOPPED;
		plugin_tell_waiters(plugin);
		break;
	case SUPERVISOR_STOPPING:
		break;
	}
}

void
plugin_tell_waiters(struct supervisor_plugin *plugin)
{
	timer_set(plugin, 0, 0);
}

/* ---- the timer -------------------------------------------------------------------------- */

static void
retry_start(struct supervisor_plugin *plugin)
{
	struct cairn_error err = {0};

	plugin->restarts++;
	if (plugin_start(plugin, &err) != 0)
		not_spawned(plugin, &err);
}

/* Those who wait may add themselves again or start the plugin: the list is taken first. */
static void
wake_waiters(struct supervisor_plugin *plugin)
{
	struct waiter *waiter = plugin->waiters;
	struct cairn_error err = {0};

	plugin->waiters = NULL;
	if (plugin->start_again && !plugin->supervisor->closing) {
		plugin->start_again = false;
		if (plugin_start(plugin, &err) != 0)
			not_spawned(plugin, &err);
	}
	while (waiter != NULL) {
		struct waiter *next = waiter->next;

		waiter->stopped(waiter->arg);
		free(waiter);
		waiter = next;
	}
	supervisor_progress(plugin->supervisor);
}

void
plugin_timer(uv_timer_t *timer)
{
	struct supervisor_plugin *plugin = timer->data;
	struct supervisor_options *options = &plugin->supervisor->options;

	if (plugin->process != NULL && plugin->down && plugin->state != SUPERVISOR_STOPPING) {
		plugin_condemn(plugin, "closed its connection to the kernel, killed");
		return;
	}
	switch (plugin->state) {
	case SUPERVISOR_STARTING:
		if (heartbeat_traced(plugin))
			timer_set(plugin, options->handshake_ms, 0);
		else
			plugin_condemn(
			    plugin, "was not ready within %u ms, killed", options->handshake_ms);
		break;
	case SUPERVISOR_READY:
		heartbeat_ask(plugin);
		break;
	case SUPERVISOR_WAITING:
		retry_start(plugin);
		break;
	case SUPERVISOR_STOPPING:
		plugin_condemn(
		    plugin, "did not stop within %u ms, killed", options->stop_timeout_ms);
		break;
	case SUPERVISOR_STOPPED:
		wake_waiters(plugin);
		break;
	case SUPERVISOR_FAILED:
	case SUPERVISOR_PREPARED:
		break;
	}
}
