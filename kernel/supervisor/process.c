/* SPDX-License-Identifier: Apache-2.0 */
#include "supervisor/process.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "runtime/channel.h"
#include "runtime/listener.h"
#include "runtime/runtime.h"
#include "sandbox/sandbox.h"

#define URL_MAX_BYTES 256
#define STATUS_MAX 65536 /* of /proc/PID/status */
#define ENVIRONMENT_MAX 16
#define ENVIRONMENT_TEXT_MAX 4096

struct process {
	uv_process_t handle;
	uv_loop_t *loop;
	struct channel *channel;
	struct hostlog *log;
	struct process_ops ops; /* zero once nobody wants to know */
	void *arg;
	void (*released)(void *arg);
	void *released_arg;
	uv_poll_t listener; /* the host asks for sockets; no data: none */
	int listener_fd;
	unsigned parts; /* that must close before we are gone */
	bool exited;
};

/* ---- releasing -------------------------------------------------------------------------- */

static void
part_closed(struct process *process)
{
	void (*released)(void *) = process->released;
	void *arg = process->released_arg;

	if (--process->parts > 0)
		return;
	free(process);
	released(arg);
}

static void
handle_closed(uv_handle_t *handle)
{
	part_closed(handle->data);
}

static void
part_gone(void *arg)
{
	part_closed(arg);
}

static void
listener_closed(uv_handle_t *handle)
{
	struct process *process = handle->data;

	close(process->listener_fd);
	part_closed(process);
}

void
process_release(struct process *process)
{
	process->ops = (struct process_ops){0};
	process->parts = 1u + (process->channel != NULL) + (process->log != NULL) +
	    (process->listener.data != NULL);
	if (process->listener.data != NULL)
		uv_close((uv_handle_t *)&process->listener, listener_closed);
	if (process->channel != NULL)
		channel_close(process->channel, part_gone, process);
	if (process->log != NULL)
		hostlog_close(process->log, part_gone, process);
	process->channel = NULL;
	process->log = NULL;
	uv_close((uv_handle_t *)&process->handle, handle_closed);
}

/* ---- running ---------------------------------------------------------------------------- */

static void
on_exit_status(uv_process_t *handle, int64_t status, int term_signal)
{
	struct process *process = handle->data;

	process->exited = true;
	if (process->ops.exited != NULL)
		process->ops.exited(process->arg, status, term_signal);
	else
		process_release(process); /* its start failed half way */
}

static void
on_message(void *arg, const uint8_t *bytes, size_t length)
{
	struct process *process = arg;

	process->ops.message(process->arg, bytes, length);
}

static void
on_down(void *arg)
{
	struct process *process = arg;

	process->ops.down(process->arg);
}

int
process_send(struct process *process, const Cairn__Envelope *envelope)
{
	return channel_send(process->channel, envelope);
}

int
process_command(struct process *process, const Cairn__Envelope *envelope)
{
	return channel_answer(process->channel, envelope);
}

void
process_kill(struct process *process)
{
	if (!process->exited)
		uv_process_kill(&process->handle, SIGKILL);
}

int
process_pid(const struct process *process)
{
	return process->exited ? 0 : uv_process_get_pid(&process->handle);
}

/* ---- listening sockets ------------------------------------------------------------------ */

static void
on_listener(uv_poll_t *poll, int status, int events)
{
	struct process *process = poll->data;
	struct listener_request request;
	struct cairn_error err = {0};
	int code = status < 0 ? CAIRN_EUNAVAILABLE : listener_take(process->listener_fd, &request);
	int fd = -1;

	(void)events;
	if (code == CAIRN_EAGAIN)
		return;
	if (code != 0) {
		uv_poll_stop(poll); /* the host is gone, or sends what it should not */
		return;
	}
	code = process->ops.listener == NULL
	    ? cairn_error_set(&err, CAIRN_EUNSUPPORTED, "the plugin is stopping")
	    : process->ops.listener(process->arg, request.address, request.port, &fd, &err);
	if (listener_answer(process->listener_fd, code, err.text, fd) != 0)
		uv_poll_stop(poll);
}

/* `*ret_fd` is the host's end. */
static int
open_listener(struct process *process, int *ret_fd, struct cairn_error *err)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return cairn_error_set(
		    err, CAIRN_EIO, "cannot make a socket pair: %s", strerror(errno));
	*ret_fd = pair[1];
	process->listener_fd = pair[0];
	if (uv_poll_init(process->loop, &process->listener, pair[0]) != 0) {
		close(pair[0]);
		return cairn_error_set(err, CAIRN_EIO, "cannot watch a socket");
	}
	process->listener.data = process;
	uv_poll_start(&process->listener, UV_READABLE, on_listener);
	return 0;
}

void
process_crash(struct process *process, char ret[HOSTLINE_CRASH_MAX])
{
	ret[0] = 0;
	if (process->log != NULL)
		hostlog_crash(process->log, ret);
}

void
process_note(struct process *process, const char *text)
{
	if (process->log != NULL)
		hostlog_note(process->log, text);
}

/* ---- starting --------------------------------------------------------------------------- */

/* A plugin sees little of the kernel's environment: what programs need, and the sanitizers'. */
struct environment {
	char text[ENVIRONMENT_MAX][ENVIRONMENT_TEXT_MAX];
	char *pointers[ENVIRONMENT_MAX + 1];
};

static void
environment_fill(struct environment *environment)
{
	static const char *const allowed[] = {
	    "PATH", "LANG", "TZ", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS"};
	size_t count = 0;

	for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++) {
		const char *value = getenv(allowed[i]);
		int wrote;

		if (value == NULL)
			continue;
		wrote = snprintf(
		    environment->text[count], ENVIRONMENT_TEXT_MAX, "%s=%s", allowed[i], value);
		if (wrote < 0 || wrote >= ENVIRONMENT_TEXT_MAX)
			continue; /* nobody's PATH; a cut one would be worse than none */
		environment->pointers[count] = environment->text[count];
		count++;
	}
	/* A host that begins after our death would take its new parent for us. */
	snprintf(
	    environment->text[count], ENVIRONMENT_TEXT_MAX, "CAIRN_KERNEL=%ld", (long)getpid());
	environment->pointers[count] = environment->text[count];
	environment->pointers[count + 1] = NULL;
}

/* A session of its own keeps a terminal's Ctrl-C from reaching the host before our orderly STOP. */
static int
spawn(struct process *process, const struct process_options *options, char *url, int log_fd,
    int listener_fd)
{
	char *args[] = {(char *)(uintptr_t)options->host_path, url,
	    (char *)(uintptr_t)options->plugin_path, (char *)(uintptr_t)options->name,
	    (char *)(uintptr_t)options->interpreter, NULL};
	uv_stdio_container_t stdio[RUNTIME_LISTENER_FD + 1] = {{.flags = UV_IGNORE},
	    {.flags = UV_INHERIT_FD, .data.fd = log_fd},
	    {.flags = UV_INHERIT_FD, .data.fd = log_fd},
	    {.flags = options->object_fd > 0 ? UV_INHERIT_FD : UV_IGNORE,
		.data.fd = options->object_fd},
	    {.flags = options->sandbox_fd > 0 ? UV_INHERIT_FD : UV_IGNORE,
		.data.fd = options->sandbox_fd},
	    {.flags = listener_fd > 0 ? UV_INHERIT_FD : UV_IGNORE, .data.fd = listener_fd}};
	struct environment *environment = calloc(1, sizeof *environment);
	uv_process_options_t spawn_options = {.exit_cb = on_exit_status,
	    .file = options->host_path,
	    .args = args,
	    .stdio = stdio,
	    .stdio_count = RUNTIME_LISTENER_FD + 1,
	    .flags = UV_PROCESS_DETACHED};
	int rv;

	if (environment == NULL)
		return UV_ENOMEM;
	environment_fill(environment);
	spawn_options.env = environment->pointers;
	rv = uv_spawn(process->loop, &process->handle, &spawn_options);
	free(environment);
	return rv;
}

static const struct channel_ops channel_ops = {.message = on_message, .down = on_down};

/* Listening begins after the spawn, for then the one pid that may connect is known; the host dials
 * until we are there. */
static int
process_listen(struct process *process, const struct process_options *options, const char *url,
    struct cairn_error *err)
{
	const struct channel_options channel = {.url = url,
	    .listen = true,
	    .peer_pid = uv_process_get_pid(&process->handle),
	    .ops = &channel_ops,
	    .arg = process};

	int code = channel_open(&process->channel, process->loop, &channel, err);

	if (code == 0 && options->uid != 0 &&
	    chown(options->socket_path, options->uid, (gid_t)-1) != 0)
		return cairn_error_set(err, CAIRN_EIO, "cannot give %s to user %u: %s",
		    options->socket_path, options->uid, strerror(errno));
	return code;
}

static int
start(struct process *process, const struct process_options *options, bool *ret_spawned,
    struct cairn_error *err)
{
	char url[URL_MAX_BYTES];
	int wrote = snprintf(url, sizeof url, "ipc://%s", options->socket_path);
	FD_AUTO log_fd = -1;
	FD_AUTO listener_fd = -1;
	int rv;

	if (wrote < 0 || (size_t)wrote >= sizeof url)
		return cairn_error_set(
		    err, CAIRN_EINVAL, "the socket path %s is too long", options->socket_path);
	rv = hostlog_open(&process->log, process->loop, &options->log, &log_fd, err);
	if (rv == 0 && options->interpreter == NULL)
		rv = open_listener(process, &listener_fd, err);
	if (rv != 0)
		return rv;
	rv = spawn(process, options, url, log_fd, listener_fd);
	if (rv != 0)
		return cairn_error_set(
		    err, CAIRN_EIO, "cannot run %s: %s", options->host_path, uv_strerror(rv));
	*ret_spawned = true;
	hostlog_set_pid(process->log, uv_process_get_pid(&process->handle));
	return process_listen(process, options, url, err);
}

static void
never_began(struct process *process)
{
	process->parts = 1u + (process->log != NULL) + (process->listener.data != NULL);
	if (process->listener.data != NULL)
		uv_close((uv_handle_t *)&process->listener, listener_closed);
	if (process->log != NULL)
		hostlog_close(process->log, part_gone, process);
	part_closed(process);
}

int
process_start(struct process **ret, uv_loop_t *loop, const struct process_options *options,
    struct cairn_error *err)
{
	struct process *process = calloc(1, sizeof *process);
	bool spawned = false;
	int code;

	if (process == NULL) {
		options->released(options->released_arg);
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	}
	process->loop = loop;
	process->handle.data = process;
	process->released = options->released;
	process->released_arg = options->released_arg;
	code = start(process, options, &spawned, err);
	if (code == 0) {
		process->ops = *options->ops;
		process->arg = options->arg;
		*ret = process;
		return 0;
	}
	if (spawned)
		process_kill(process); /* its exit releases it */
	else if (process->handle.loop != NULL)
		process_release(process);
	else
		never_began(process); /* uv_spawn() was not reached: there is no handle */
	return code;
}

bool
process_traced(const struct process *process)
{
	BUF_AUTO text = {.max = STATUS_MAX};
	const char *line;
	char path[64];

	if (snprintf(path, sizeof path, "/proc/%d/status", process_pid(process)) < 0 ||
	    file_read(path, &text, NULL) != 0 || buf_text(&text) == NULL)
		return false;
	line = strstr(buf_text(&text), "\nTracerPid:");
	return line != NULL && strtol(line + sizeof "\nTracerPid:" - 1, NULL, 10) != 0;
}
