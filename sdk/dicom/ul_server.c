/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The listener and its limits.  An association is counted from its request on; a connection that
 * has none yet is a guest.  Associations never exceed their maximum, so when connections exceed it
 * by TURNED_AWAY there is a guest among them, and the oldest gives way to the newcomer: half-open
 * connections can hold neither memory nor the place of a peer that speaks.  Guests beyond the
 * maximum get as far as a rejection, which tells a well-behaved peer to try again.
 */
#include "dicom/ul_connection.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TURNED_AWAY 8

static bool
is_guest(const struct ul_connection *connection)
{
	enum ul_state state = connection->assoc.state;

	return state == UL_STA2 || state == UL_STA13;
}

static bool
is_associated(const struct ul_connection *connection)
{
	return !is_guest(connection) && connection->assoc.state != UL_STA1;
}

struct census {
	size_t open;
	size_t associated;
	struct ul_connection *oldest_guest;
};

/* Of all connections, or of one peer's. */
static struct census
take_census(const struct ul_server *server, const char *peer)
{
	struct census census = {0};

	for (struct ul_connection *c = server->oldest; c != NULL; c = c->younger) {
		if (c->closing || (peer != NULL && strcmp(c->assoc.peer, peer) != 0))
			continue;
		census.open++;
		census.associated += is_associated(c);
		if (census.oldest_guest == NULL && is_guest(c))
			census.oldest_guest = c;
	}
	return census;
}

static void
make_room(struct ul_server *server, const char *peer, size_t max)
{
	struct census census = take_census(server, peer);

	/* The newcomer counts as open, but is no guest yet: it is in Sta1. */
	if (census.open > max + TURNED_AWAY && census.oldest_guest != NULL)
		ul_connection_evict(census.oldest_guest);
}

/* `connection` is in Sta3 already and counted. */
bool
ul_server_admits(const struct ul_server *server, const struct ul_connection *connection)
{
	return take_census(server, NULL).associated <= server->options.max_associations &&
	    take_census(server, connection->assoc.peer).associated <= server->options.max_per_peer;
}

static void
take_connection(struct ul_server *server)
{
	struct ul_connection *connection;
	int code = ul_connection_accept(server, &connection);

	server->deaf = code == CAIRN_ENOMEM;
	if (code != 0)
		return;
	make_room(server, connection->assoc.peer, server->options.max_per_peer);
	make_room(server, NULL, server->options.max_associations);
	ul_connection_start(connection);
}

static void
on_connection(uv_stream_t *listener, int status)
{
	if (status == 0)
		take_connection(listener->data);
}

static void
on_idle(uv_idle_t *idle)
{
	struct ul_server *server = idle->data;

	/* Nothing leaves the list here: connections are freed in the loop's closing phase. */
	uv_idle_stop(idle);
	for (struct ul_connection *c = server->oldest; c != NULL; c = c->younger)
		if (c->wanted)
			ul_connection_work(c);
}

void
ul_server_want(struct ul_server *server)
{
	if (!server->closing)
		uv_idle_start(&server->idle, on_idle);
}

/* ---- its life ---------------------------------------------------------------------------- */

static void
free_when_empty(struct ul_server *server)
{
	if (!server->closing || server->handles > 0 || server->oldest != NULL)
		return;
	if (server->done != NULL)
		server->done(server->done_arg);
	free(server->receive);
	free(server);
}

static void
tell_drained(struct ul_server *server)
{
	void (*drained)(void *) = server->drained;

	if (drained == NULL || server->oldest != NULL)
		return;
	server->drained = NULL;
	drained(server->drained_arg);
}

void
ul_server_lost(struct ul_server *server)
{
	if (server->deaf && server->listening)
		take_connection(server);
	tell_drained(server);
	free_when_empty(server);
}

static void
on_handle_closed(uv_handle_t *handle)
{
	struct ul_server *server = handle->data;

	server->handles--;
	free_when_empty(server);
}

/* libuv writes without MSG_NOSIGNAL: a peer that hangs up would end the process. */
static void
ignore_broken_pipes(void)
{
	struct sigaction action;

	if (sigaction(SIGPIPE, NULL, &action) != 0 || action.sa_handler != SIG_DFL)
		return;
	action.sa_handler = SIG_IGN;
	(void)sigaction(SIGPIPE, &action, NULL);
}

static int
server_new(uv_loop_t *loop, const struct ul_options *options, const struct ul_ops *ops, void *arg,
    struct ul_server **ret_server)
{
	struct ul_server *server = calloc(1, sizeof *server);

	if (server == NULL)
		return CAIRN_ENOMEM;
	server->receive = malloc(options->receive_bytes);
	if (server->receive == NULL) {
		free(server);
		return CAIRN_ENOMEM;
	}
	ignore_broken_pipes();
	server->loop = loop;
	server->options = *options;
	server->ops = *ops;
	server->ops_arg = arg;
	uv_tcp_init(loop, &server->listener);
	uv_idle_init(loop, &server->idle);
	server->listener.data = server->idle.data = server;
	server->handles = 2;
	server->listening = true;
	*ret_server = server;
	return 0;
}

static int
check_options(const struct ul_options *options, struct cairn_error *err)
{
	if (options->max_associations == 0 || options->max_per_peer == 0)
		return cairn_error_set(err, CAIRN_EINVAL, "no association would be allowed");
	if (options->max_pdu < 4096)
		return cairn_error_set(err, CAIRN_EINVAL,
		    "a maximum PDU of %u bytes is less than "
		    "4096",
		    options->max_pdu);
	if (options->max_request_bytes < UL_REQUEST_MIN || options->receive_bytes < 4096)
		return cairn_error_set(err, CAIRN_EINVAL,
		    "the request or receive buffer is too "
		    "small");
	return 0;
}

static int
start_listening(struct ul_server *server, int code, struct cairn_error *err)
{
	if (code == 0)
		code = uv_listen(
		    (uv_stream_t *)&server->listener, server->options.backlog, on_connection);
	if (code == 0)
		return 0;
	ul_server_close(server, NULL, NULL);
	return cairn_error_set(err, CAIRN_EIO, "cannot listen: %s", uv_strerror(code));
}

int
ul_listen(struct uv_loop_s *loop, const char *address, uint16_t port,
    const struct ul_options *options, const struct ul_ops *ops, void *arg,
    struct ul_server **ret_server, struct cairn_error *err)
{
	struct sockaddr_storage where = {0};
	struct ul_server *server;
	int code = check_options(options, err);

	if (code != 0)
		return code;
	if (uv_ip4_addr(address, port, (struct sockaddr_in *)&where) != 0 &&
	    uv_ip6_addr(address, port, (struct sockaddr_in6 *)&where) != 0)
		return cairn_error_set(err, CAIRN_EINVAL, "'%s' is no IP address", address);
	code = server_new(loop, options, ops, arg, &server);
	if (code != 0)
		return cairn_error_set(err, code, "out of memory");
	code = start_listening(
	    server, uv_tcp_bind(&server->listener, (struct sockaddr *)&where, 0), err);
	if (code != 0)
		return cairn_error_prefix(err, code, "%s port %u", address, port);
	*ret_server = server;
	return 0;
}

int
ul_listen_fd(struct uv_loop_s *loop, int fd, const struct ul_options *options,
    const struct ul_ops *ops, void *arg, struct ul_server **ret_server, struct cairn_error *err)
{
	struct ul_server *server;
	int own = -1;
	int code = check_options(options, err);

	if (code != 0)
		return code;
	code = server_new(loop, options, ops, arg, &server);
	if (code != 0)
		return cairn_error_set(err, code, "out of memory");
	/* A copy, so that the caller keeps its descriptor when this fails. */
	own = dup(fd);
	code = own < 0 ? UV_EBADF : uv_tcp_open(&server->listener, own);
	if (code != 0 && own >= 0)
		close(own);
	code = start_listening(server, code, err);
	if (code != 0)
		return code;
	close(fd);
	*ret_server = server;
	return 0;
}

uint16_t
ul_server_port(const struct ul_server *server)
{
	struct sockaddr_storage where = {0};
	int length = sizeof where;

	if (uv_tcp_getsockname(&server->listener, (struct sockaddr *)&where, &length) != 0)
		return 0;
	return where.ss_family == AF_INET6 ? ntohs(((struct sockaddr_in6 *)&where)->sin6_port)
					   : ntohs(((struct sockaddr_in *)&where)->sin_port);
}

void
ul_server_stats(const struct ul_server *server, struct ul_stats *ret)
{
	struct ul_stats stats = server->stats;

	for (struct ul_connection *c = server->oldest; c != NULL; c = c->younger) {
		stats.associated += !c->closing && is_associated(c);
		stats.associations += c->assoc.was_accepted;
		stats.rejected += c->assoc.was_rejected;
	}
	*ret = stats;
}

void
ul_server_stop_listening(struct ul_server *server)
{
	if (!server->listening)
		return;
	server->listening = false;
	uv_close((uv_handle_t *)&server->listener, on_handle_closed);
}

void
ul_server_drain(struct ul_server *server, void (*drained)(void *arg), void *arg)
{
	server->drained = drained;
	server->drained_arg = arg;
	ul_server_stop_listening(server);
	tell_drained(server);
}

void
ul_server_close(struct ul_server *server, void (*done)(void *arg), void *arg)
{
	if (server->closing)
		return;
	server->closing = true;
	server->done = done;
	server->done_arg = arg;
	ul_server_stop_listening(server);
	uv_close((uv_handle_t *)&server->idle, on_handle_closed);
	for (struct ul_connection *c = server->oldest; c != NULL; c = c->younger) {
		ul_assoc_end(&c->assoc, UL_STOPPED);
		ul_abort(&c->assoc);
		ul_connection_close(c);
	}
}
