/* SPDX-License-Identifier: Apache-2.0 */
#include "dicom/ul_connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct pending_write {
	uv_write_t request;
	uint8_t bytes[];
};

static struct ul_connection *
connection_of(struct ul_assoc *assoc)
{
	return (struct ul_connection *)assoc;
}

/* ---- reading ----------------------------------------------------------------------------- */

/* DCMTK leaves Nagle's algorithm on: the last part of a message waits until the parts before it are
 * acknowledged, and a delayed acknowledgement costs 40 ms an instance.  Linux falls back to
 * delaying by itself, so this is said again after every read. */
static void
acknowledge_quickly(const struct ul_connection *connection)
{
	int on = 1;

	(void)setsockopt(connection->fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
}

static void
on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct ul_connection *connection = handle->data;
	struct ul_server *server = connection->server;

	(void)suggested;
	buf->base = (char *)server->receive;
	buf->len = server->options.receive_bytes;
}

/* Delivers, and keeps what a pause left over. */
static void
deliver(struct ul_connection *connection, const uint8_t *bytes, size_t length)
{
	size_t used = ul_assoc_feed(&connection->assoc, bytes, length);

	if (used < length && !connection->closing &&
	    buf_append(&connection->stash, bytes + used, length - used) != 0)
		ul_drop(&connection->assoc, UL_LIMIT);
}

static void
on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buf)
{
	struct ul_connection *connection = stream->data;

	if (length < 0) {
		if (ul_event(&connection->assoc, UL_EVT17_TRANSPORT_CLOSED) != 0)
			ul_connection_close(connection);
		return;
	}
	if (length == 0)
		return;
	acknowledge_quickly(connection);
	connection->active_ms = uv_now(connection->server->loop);
	deliver(connection, (const uint8_t *)buf->base, (size_t)length);
}

static void
read_on(struct ul_connection *connection)
{
	if (connection->closing || connection->reading || connection->assoc.paused > 0)
		return;
	if (uv_read_start((uv_stream_t *)&connection->tcp, on_alloc, on_read) != 0)
		ul_drop(&connection->assoc, UL_LIMIT);
	else
		connection->reading = true;
}

/* What was kept during a pause goes first, and may end in the next pause. */
static void
deliver_stash(struct ul_connection *connection)
{
	struct buf *stash = &connection->stash;
	size_t used;

	if (stash->length == 0)
		return;
	used = ul_assoc_feed(&connection->assoc, stash->data, stash->length);
	if (used == stash->length)
		buf_fini(stash);
	else
		buf_consume(stash, used);
}

void
ul_connection_work(struct ul_connection *connection)
{
	connection->wanted = false;
	ul_assoc_wake(&connection->assoc);
	if (!connection->closing)
		deliver_stash(connection);
	if (connection->stash.length == 0)
		read_on(connection);
}

/* ---- what the association asks for ------------------------------------------------------- */

static void
on_written(uv_write_t *request, int status)
{
	(void)status; /* a broken connection shows in reading, too */
	free(request);
}

static void
queue(struct ul_connection *connection, const uint8_t *bytes, size_t length)
{
	uv_stream_t *stream = (uv_stream_t *)&connection->tcp;
	size_t waiting = uv_stream_get_write_queue_size(stream);
	size_t limit = connection->server->options.write_queue_bytes;
	struct pending_write *pending;
	uv_buf_t buf;

	if (length > limit || waiting > limit - length) {
		ul_drop(&connection->assoc, UL_LIMIT);
		return;
	}
	pending = malloc(sizeof *pending + length);
	if (pending == NULL) {
		ul_drop(&connection->assoc, UL_LIMIT);
		return;
	}
	memcpy(pending->bytes, bytes, length);
	buf = uv_buf_init((char *)pending->bytes, (unsigned)length);
	if (uv_write(&pending->request, stream, &buf, 1, on_written) != 0) {
		free(pending);
		ul_drop(&connection->assoc, UL_LOST);
	}
}
static void
transport_send(struct ul_assoc *assoc, const uint8_t *bytes, size_t length)
{
	struct ul_connection *connection = connection_of(assoc);
	uv_buf_t buf = uv_buf_init((char *)(uintptr_t)bytes, (unsigned)length);
	int sent;

	if (connection->closing)
		return;
	sent = uv_try_write((uv_stream_t *)&connection->tcp, &buf, 1);
	if (sent == UV_EAGAIN)
		sent = 0;
	if (sent < 0)
		ul_drop(assoc, UL_LOST);
	else if ((size_t)sent < length)
		queue(connection, bytes + sent, length - (size_t)sent);
}

static void
on_timer(uv_timer_t *timer)
{
	struct ul_connection *connection = timer->data;
	struct ul_assoc *assoc = &connection->assoc;
	uint64_t idle_ms = connection->server->options.idle_ms;
	uint64_t quiet_ms = uv_now(connection->server->loop) - connection->active_ms;

	if (connection->artim) {
		connection->server->stats.timed_out++;
		ul_event(assoc, UL_EVT18_ARTIM_EXPIRED);
		return;
	}
	/* The timer is not moved at every read; it looks when it would have expired. */
	if (assoc->paused > 0 || assoc->held > 0 || quiet_ms < idle_ms) {
		if (assoc->paused > 0 || assoc->held > 0)
			quiet_ms = 0;
		uv_timer_start(timer, on_timer, idle_ms - quiet_ms, 0);
		return;
	}
	ul_assoc_end(assoc, UL_IDLE);
	ul_abort(assoc);
}

static void
transport_artim(struct ul_assoc *assoc, bool run)
{
	struct ul_connection *connection = connection_of(assoc);
	const struct ul_options *options = &connection->server->options;

	if (connection->closing)
		return;
	connection->artim = run;
	if (run)
		uv_timer_start(&connection->timer, on_timer, options->artim_ms, 0);
	else if (options->idle_ms > 0)
		uv_timer_start(&connection->timer, on_timer, options->idle_ms, 0);
	else
		uv_timer_stop(&connection->timer);
}

static void
transport_close(struct ul_assoc *assoc)
{
	ul_connection_close(connection_of(assoc));
}

static void
transport_pause(struct ul_assoc *assoc)
{
	struct ul_connection *connection = connection_of(assoc);

	if (connection->closing)
		return;
	connection->reading = false;
	uv_read_stop((uv_stream_t *)&connection->tcp);
}

static void
transport_wake(struct ul_assoc *assoc)
{
	struct ul_connection *connection = connection_of(assoc);

	connection->wanted = true;
	ul_server_want(connection->server);
}

static bool
transport_admit(struct ul_assoc *assoc)
{
	struct ul_connection *connection = connection_of(assoc);

	return ul_server_admits(connection->server, connection);
}

static const struct ul_transport tcp_transport = {
    .send = transport_send,
    .close = transport_close,
    .artim = transport_artim,
    .pause = transport_pause,
    .wake = transport_wake,
    .admit = transport_admit,
};

/* ---- its life ---------------------------------------------------------------------------- */

static void
on_handle_closed(uv_handle_t *handle)
{
	struct ul_connection *connection = handle->data;
	struct ul_server *server = connection->server;

	if (--connection->handles > 0)
		return;
	ul_assoc_wake(&connection->assoc);
	*(connection->older != NULL ? &connection->older->younger : &server->oldest) =
	    connection->younger;
	*(connection->younger != NULL ? &connection->younger->older : &server->youngest) =
	    connection->older;
	server->stats.open--;
	server->stats.associations += connection->assoc.was_accepted;
	server->stats.rejected += connection->assoc.was_rejected;
	ul_assoc_fini(&connection->assoc);
	buf_fini(&connection->stash);
	free(connection);
	ul_server_lost(server);
}

void
ul_connection_close(struct ul_connection *connection)
{
	if (connection->closing)
		return;
	connection->closing = true;
	uv_close((uv_handle_t *)&connection->tcp, on_handle_closed);
	uv_close((uv_handle_t *)&connection->timer, on_handle_closed);
}

void
ul_connection_evict(struct ul_connection *connection)
{
	connection->server->stats.evicted++;
	ul_event(&connection->assoc, UL_EVT18_ARTIM_EXPIRED);
}

static void
peer_name(struct ul_connection *connection)
{
	static const char mapped[] = "::ffff:";
	struct sockaddr_storage address;
	int length = sizeof address;
	char *peer = connection->assoc.peer;

	memcpy(peer, "unknown", sizeof "unknown");
	if (uv_tcp_getpeername(&connection->tcp, (struct sockaddr *)&address, &length) == 0)
		(void)uv_ip_name((struct sockaddr *)&address, peer, UL_PEER_MAX);
	if (strncmp(peer, mapped, sizeof mapped - 1) == 0 && strchr(peer, '.') != NULL)
		memmove(peer, peer + sizeof mapped - 1, strlen(peer) - sizeof mapped + 2);
}

static void
link_youngest(struct ul_connection *connection)
{
	struct ul_server *server = connection->server;

	connection->older = server->youngest;
	*(server->youngest != NULL ? &server->youngest->younger : &server->oldest) = connection;
	server->youngest = connection;
	server->stats.open++;
	server->stats.connections++;
}

int
ul_connection_accept(struct ul_server *server, struct ul_connection **ret_connection)
{
	struct ul_connection *connection = calloc(1, sizeof *connection);

	if (connection == NULL)
		return CAIRN_ENOMEM;
	connection->server = server;
	uv_tcp_init(server->loop, &connection->tcp);
	uv_timer_init(server->loop, &connection->timer);
	connection->tcp.data = connection->timer.data = connection;
	connection->handles = 2;
	buf_init(&connection->stash, server->options.receive_bytes);
	ul_assoc_init(
	    &connection->assoc, &tcp_transport, &server->options, &server->ops, server->ops_arg);
	link_youngest(connection);
	if (uv_accept((uv_stream_t *)&server->listener, (uv_stream_t *)&connection->tcp) != 0 ||
	    uv_fileno((uv_handle_t *)&connection->tcp, &connection->fd) != 0) {
		ul_connection_close(connection);
		return CAIRN_EIO;
	}
	peer_name(connection);
	*ret_connection = connection;
	return 0;
}

void
ul_connection_start(struct ul_connection *connection)
{
	uv_tcp_nodelay(&connection->tcp, 1);
	acknowledge_quickly(connection);
	connection->active_ms = uv_now(connection->server->loop);
	ul_event(&connection->assoc, UL_EVT5_TRANSPORT_INDICATION);
	read_on(connection);
}
