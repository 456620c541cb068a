/* SPDX-License-Identifier: Apache-2.0 */
#include "node/control.h"
#include "node/confine.h"

#include <assert.h>
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "depth.h"
#include "node/frames.h"
#include "node/lend.h"
#include "node/router.h"
#include "runtime/arena.h"

#define READ_CHUNK 65536
#define BACKLOG 128
#define UNSENT_PAUSE                                                                            \
	(1u << 20)             /* nothing more is taken from a client with so many unread bytes \
				*/
#define UNSENT_MAX (64u << 20) /* when its answers grow to that nevertheless, it is cut off */
#define ENVELOPE_MEMORY_MAX ((size_t)48 << 20) /* one Envelope, unpacked */
#define USER_MAX 64
#define SOCKET_PATH_MAX 107

struct connection {
	struct control *control;
	struct connection *next;
	uv_pipe_t pipe;
	struct buf in;
	char user[USER_MAX]; /* "local:root" */
	struct lend *lends;  /* for as long as it lives */
	bool closing;
	bool paused;
	char chunk[READ_CHUNK];
};

struct control {
	struct node *node;
	uv_pipe_t listener;
	struct arena arena; /* of the envelope that is being handled */
	struct connection *connections;
	size_t count;
	char *path;
	bool closing;
	bool listener_closed;
	void (*closed)(void *arg);
	void *closed_arg;
};

static void
finish_if_closed(struct control *control)
{
	void (*closed)(void *arg) = control->closed;
	void *arg = control->closed_arg;

	if (!control->closing || !control->listener_closed || control->count > 0)
		return;
	unlink(control->path);
	arena_fini(&control->arena);
	free(control->path);
	free(control);
	if (closed != NULL)
		closed(arg);
}

static void
connection_closed(uv_handle_t *handle)
{
	struct connection *connection = handle->data;
	struct control *control = connection->control;
	struct connection **at = &control->connections;

	while (*at != connection)
		at = &(*at)->next;
	*at = connection->next;
	control->count--;
	buf_fini(&connection->in);
	free(connection);
	finish_if_closed(control);
}

static void
connection_close(struct connection *connection)
{
	if (connection->closing)
		return;
	connection->closing = true;
	router_cancel(connection->control->node->router, connection, 0, true);
	lend_end(&connection->lends);
	uv_close((uv_handle_t *)&connection->pipe, connection_closed);
}

/* ---- out -------------------------------------------------------------------------------- */

struct frame {
	uv_write_t request;
	uint8_t bytes[];
};

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf);
static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf);

static void
pause_or_resume(struct connection *connection)
{
	uv_stream_t *stream = (uv_stream_t *)&connection->pipe;
	bool full = uv_stream_get_write_queue_size(stream) > UNSENT_PAUSE;

	if (connection->closing || full == connection->paused)
		return;
	connection->paused = full;
	if (full)
		uv_read_stop(stream);
	else if (uv_read_start(stream, on_alloc, on_read) != 0)
		connection_close(connection);
}

static void
frame_written(uv_write_t *request, int status)
{
	struct connection *connection = request->handle->data;

	free(request);
	if (status != 0)
		connection_close(connection);
	else
		pause_or_resume(connection);
}

static void
send_envelope(void *arg, const Cairn__Envelope *envelope)
{
	struct connection *connection = arg;
	size_t length = cairn__envelope__get_packed_size(envelope);
	struct frame *frame;
	uv_buf_t out;

	if (connection->closing)
		return;
	if (length > CONTROL_FRAME_MAX ||
	    uv_stream_get_write_queue_size((uv_stream_t *)&connection->pipe) > UNSENT_MAX) {
		log_warning("control", "a client of %s does not take its answers; closing it",
		    connection->user);
		connection_close(connection);
		return;
	}
	frame = malloc(sizeof *frame + FRAMES_HEADER_BYTES + length);
	if (frame == NULL) {
		connection_close(connection);
		return;
	}
	frames_header(frame->bytes, length);
	cairn__envelope__pack(envelope, frame->bytes + FRAMES_HEADER_BYTES);
	out = uv_buf_init((char *)frame->bytes, (unsigned)(FRAMES_HEADER_BYTES + length));
	if (uv_write(&frame->request, (uv_stream_t *)&connection->pipe, &out, 1, frame_written) !=
	    0) {
		free(frame);
		connection_close(connection);
	}
}

/* ---- in --------------------------------------------------------------------------------- */

static void
refuse_call(struct connection *connection, uint64_t id, const struct cairn_error *err)
{
	Cairn__Envelope reply = CAIRN__ENVELOPE__INIT;

	reply.kind = CAIRN__ENVELOPE__KIND__REPLY;
	reply.id = id;
	reply.code = err->code;
	reply.text = (char *)(uintptr_t)err->text;
	send_envelope(connection, &reply);
}

/* In their own name local users are operators, and may lend what they have imported; in somebody
 * else's they are what the policy says. */
static void
take_call(struct connection *connection, const Cairn__Envelope *envelope)
{
	struct node *node = connection->control->node;
	struct router_origin origin = {send_envelope, connection, envelope->id, NULL};
	struct router_principal principal = {connection->user, "operator", "control", ""};
	const Cairn__Context *context = envelope->context;
	const char *as =
	    context != NULL && context->principal != NULL ? context->principal->name : "";

	struct cairn_error err = {0};

	if (as[0] != 0 && strcmp(as, connection->user) != 0) {
		principal.name = as;
		principal.role = guard_role(node->guard, as);
		principal.asked_by = connection->user;
	} else if (lend_paths(node, &connection->lends, envelope->subject, envelope->lend,
		       envelope->n_lend, &err) != 0) {
		refuse_call(connection, envelope->id, &err);
		return;
	}
	router_call(node->router, &origin, &principal, envelope);
}

/* True while the connection lives. */
static bool
take_frame(void *arg, const uint8_t *bytes, size_t length)
{
	struct connection *connection = arg;
	struct arena *arena = &connection->control->arena;
	Cairn__Envelope *envelope = (Cairn__Envelope *)proto_unpack(
	    &cairn__envelope__descriptor, &arena->allocator, bytes, length);

	if (envelope == NULL) {
		log_warning("control",
		    "%s sent a frame that is no Envelope; closing the connection",
		    connection->user);
		arena_reset(arena);
		connection_close(connection);
		return false;
	}
	if (envelope->kind == CAIRN__ENVELOPE__KIND__CALL)
		take_call(connection, envelope);
	else if (envelope->kind == CAIRN__ENVELOPE__KIND__CANCEL)
		router_cancel(connection->control->node->router, connection, envelope->id, false);
	arena_reset(arena);
	return !connection->closing;
}

static void
take_frames(struct connection *connection)
{
	size_t length = 0;
	int code = frames_take(&connection->in, CONTROL_FRAME_MAX, take_frame, connection, &length);

	if (code != CAIRN_EPROTO)
		return;
	log_warning("control", "%s sent a frame of %zu bytes; closing the connection",
	    connection->user, length);
	connection_close(connection);
}

static void
on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct connection *connection = handle->data;

	(void)suggested;
	*buf = uv_buf_init(connection->chunk, sizeof connection->chunk);
}

static void
on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf)
{
	struct connection *connection = stream->data;

	if (got == 0 || connection->closing)
		return;
	if (got < 0 || buf_append(&connection->in, buf->base, (size_t)got) != 0)
		connection_close(connection);
	else
		take_frames(connection);
	pause_or_resume(connection);
}

/* ---- connections ------------------------------------------------------------------------ */

static int
find_user(const struct control *control, uv_pipe_t *pipe, char ret[USER_MAX])
{
	struct node_plugin *plugin;
	struct ucred peer;
	socklen_t size = sizeof peer;
	struct passwd entry, *found = NULL;
	char scratch[4096];
	uv_os_fd_t fd;

	if (uv_fileno((uv_handle_t *)pipe, &fd) != 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
		return CAIRN_EIO;
	/* A plugin that runs as the operator's user is no operator for that. */
	plugin = confine_plugin_of(control->node, peer.pid);
	if (plugin != NULL) {
		node_plugin_refuse(plugin, "a plugin tried to connect to the control socket");
		return CAIRN_EFORBIDDEN;
	}
	if (getpwuid_r(peer.uid, &entry, scratch, sizeof scratch, &found) == 0 && found != NULL)
		snprintf(ret, USER_MAX, "local:%.50s", entry.pw_name);
	else
		snprintf(ret, USER_MAX, "local:%u", (unsigned)peer.uid);
	return 0;
}

/* One small frame fits a fresh socket's buffer. */
static void
refuse_connection(struct connection *connection)
{
	Cairn__Envelope reply = CAIRN__ENVELOPE__INIT;
	uint8_t frame[256];
	uv_buf_t out;
	size_t length;

	reply.kind = CAIRN__ENVELOPE__KIND__REPLY;
	reply.code = CAIRN_ELIMIT;
	reply.text = (char *)(uintptr_t) "the node has as many control connections as it takes; "
					 "try again shortly";
	length = cairn__envelope__get_packed_size(&reply);
	assert(length <= sizeof frame - FRAMES_HEADER_BYTES);
	frames_header(frame, length);
	cairn__envelope__pack(&reply, frame + FRAMES_HEADER_BYTES);
	out = uv_buf_init((char *)frame, (unsigned)(FRAMES_HEADER_BYTES + length));
	uv_try_write((uv_stream_t *)&connection->pipe, &out, 1);
	connection_close(connection);
}

static void
on_connection(uv_stream_t *listener, int status)
{
	struct control *control = listener->data;
	struct connection *connection;

	if (status != 0 || control->closing)
		return;
	connection = calloc(1, sizeof *connection);
	if (connection == NULL)
		return;
	connection->control = control;
	buf_init(&connection->in, CONTROL_FRAME_MAX + READ_CHUNK + FRAMES_HEADER_BYTES);
	uv_pipe_init(control->node->loop, &connection->pipe, 0);
	connection->pipe.data = connection;
	connection->next = control->connections;
	control->connections = connection;
	control->count++;
	if (uv_accept(listener, (uv_stream_t *)&connection->pipe) != 0 ||
	    find_user(control, &connection->pipe, connection->user) != 0)
		connection_close(connection);
	else if (control->count > CONTROL_CONNECTIONS_MAX)
		refuse_connection(connection);
	else if (uv_read_start((uv_stream_t *)&connection->pipe, on_alloc, on_read) != 0)
		connection_close(connection);
}

static int
listen_on(struct control *control, const char *path, struct cairn_error *err)
{
	mode_t mask;
	int status;

	if (strlen(path) > SOCKET_PATH_MAX)
		return cairn_error_set(err, CAIRN_EINVAL,
		    "the path %s is too long for a socket (%d bytes at most); use a shorter home",
		    path, SOCKET_PATH_MAX);
	mask = umask(0177);
	status = uv_pipe_bind(&control->listener, path);
	umask(mask);
	if (status == 0)
		status = uv_listen((uv_stream_t *)&control->listener, BACKLOG, on_connection);
	if (status != 0)
		return cairn_error_set(
		    err, CAIRN_EIO, "cannot listen on %s: %s", path, uv_strerror(status));
	return 0;
}

int
control_open(struct control **ret, struct node *node, const char *path, struct cairn_error *err)
{
	struct control *control = calloc(1, sizeof *control);
	int code;

	if (control == NULL || (control->path = strdup(path)) == NULL) {
		free(control);
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	}
	control->node = node;
	arena_init(&control->arena, ENVELOPE_MEMORY_MAX);
	uv_pipe_init(node->loop, &control->listener, 0);
	control->listener.data = control;
	unlink(path); /* the lock file says that no other kernel uses it */
	code = listen_on(control, path, err);
	if (code != 0) {
		control_close(control, NULL, NULL);
		return code;
	}
	*ret = control;
	return 0;
}

static void
listener_closed(uv_handle_t *handle)
{
	struct control *control = handle->data;

	control->listener_closed = true;
	finish_if_closed(control);
}

void
control_close(struct control *control, void (*closed)(void *arg), void *arg)
{
	control->closing = true;
	control->closed = closed;
	control->closed_arg = arg;
	for (struct connection *at = control->connections; at != NULL; at = at->next)
		connection_close(at);
	uv_close((uv_handle_t *)&control->listener, listener_closed);
}
