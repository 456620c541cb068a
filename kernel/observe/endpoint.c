/* SPDX-License-Identifier: Apache-2.0 */
#include "observe/endpoint.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "observe/address.h"
#include "observe/http.h"

#define BACKLOG 16
#define ANSWER_HEAD_MAX 512

struct connection {
	struct endpoint *endpoint;
	struct connection *next, **link;
	union {
		uv_tcp_t tcp;
		uv_pipe_t pipe;
	} handle;
	uv_timer_t timer;
	uv_write_t write;
	unsigned handles; /* not closed yet */
	bool closing;
	size_t length; /* of `in` */
	uint8_t in[HTTP_HEAD_MAX];
	char head[ANSWER_HEAD_MAX];
	struct page page;
};

struct endpoint {
	uv_loop_t *loop;
	union {
		uv_tcp_t tcp;
		uv_pipe_t pipe;
	} listener;
	bool is_pipe;
	bool closing;
	char *path; /* of the Unix socket */
	endpoint_fill_fn fill;
	void *arg;
	struct connection *connections;
	unsigned count;
	unsigned parts; /* the listener and the connections that are still there */
	uint64_t pages;
};

/* ---- the end of a connection ------------------------------------------------------------ */

static void
endpoint_part_closed(struct endpoint *endpoint)
{
	if (--endpoint->parts > 0)
		return;
	free(endpoint->path);
	free(endpoint);
}

static void
handle_closed(uv_handle_t *handle)
{
	struct connection *connection = handle->data;
	struct endpoint *endpoint = connection->endpoint;

	if (--connection->handles > 0)
		return;
	page_fini(&connection->page);
	free(connection);
	endpoint_part_closed(endpoint);
}

static void
connection_close(struct connection *connection)
{
	if (connection->closing)
		return;
	connection->closing = true;
	*connection->link = connection->next;
	if (connection->next != NULL)
		connection->next->link = connection->link;
	connection->endpoint->count--;
	uv_close((uv_handle_t *)&connection->handle, handle_closed);
	uv_close((uv_handle_t *)&connection->timer, handle_closed);
}

static void
on_timeout(uv_timer_t *timer)
{
	connection_close(timer->data);
}

/* ---- answering -------------------------------------------------------------------------- */

static void
on_written(uv_write_t *write, int status)
{
	(void)status;
	connection_close(write->data);
}

static void
make_page(struct connection *connection, int *status)
{
	page_init(&connection->page);
	connection->endpoint->fill(connection->endpoint->arg, &connection->page);
	if (page_finish(&connection->page) != 0) {
		*status = 500;
		buf_clear(&connection->page.buf);
	} else {
		connection->endpoint->pages++;
	}
}

static void
answer(struct connection *connection, int status, bool head)
{
	const char *type = "text/plain; charset=utf-8";
	char refusal[64];
	uv_buf_t bufs[2];
	uv_stream_t *stream = (uv_stream_t *)&connection->handle;
	int length;

	if (status == 200) {
		make_page(connection, &status);
		type = "text/plain; version=0.0.4; charset=utf-8";
	}
	if (status != 200) {
		page_init(&connection->page);
		snprintf(refusal, sizeof refusal, "%d %s\n", status, http_status_text(status));
		buf_append_text(&connection->page.buf, refusal);
	}
	length = snprintf(connection->head, sizeof connection->head,
	    "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
	    "Connection: close\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n%s"
	    "\r\n",
	    status, http_status_text(status), type, connection->page.buf.length,
	    status == 405 ? "Allow: GET, HEAD\r\n" : "");
	bufs[0] = uv_buf_init(connection->head, (unsigned)length);
	bufs[1] =
	    uv_buf_init((char *)connection->page.buf.data, (unsigned)connection->page.buf.length);
	connection->write.data = connection;
	if (uv_write(&connection->write, stream, bufs, head ? 1 : 2, on_written) != 0)
		connection_close(connection);
}

static void
on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct connection *connection = handle->data;

	(void)suggested;
	*buf = uv_buf_init((char *)connection->in + connection->length,
	    (unsigned)(sizeof connection->in - connection->length));
}

static void
on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf)
{
	struct connection *connection = stream->data;
	struct http_request request = {0};
	int status;

	(void)buf;
	if (got < 0) {
		connection_close(connection);
		return;
	}
	connection->length += (size_t)got;
	status = http_parse(connection->in, connection->length, &request);
	if (status == 0)
		return;
	uv_read_stop(stream);
	answer(connection, status, request.head);
}

/* ---- connections ------------------------------------------------------------------------ */

static struct connection *
connection_new(struct endpoint *endpoint)
{
	struct connection *connection = calloc(1, sizeof *connection);
	uv_handle_t *handle;

	if (connection == NULL)
		return NULL;
	handle = (uv_handle_t *)&connection->handle;
	if (endpoint->is_pipe)
		uv_pipe_init(endpoint->loop, &connection->handle.pipe, 0);
	else
		uv_tcp_init(endpoint->loop, &connection->handle.tcp);
	uv_timer_init(endpoint->loop, &connection->timer);
	handle->data = connection;
	connection->timer.data = connection;
	connection->handles = 2;
	connection->endpoint = endpoint;
	connection->next = endpoint->connections;
	connection->link = &endpoint->connections;
	if (connection->next != NULL)
		connection->next->link = &connection->next;
	endpoint->connections = connection;
	endpoint->count++;
	endpoint->parts++;
	return connection;
}

static void
on_connection(uv_stream_t *listener, int status)
{
	struct endpoint *endpoint = listener->data;
	struct connection *connection;
	uv_stream_t *stream;

	if (status != 0 || (connection = connection_new(endpoint)) == NULL)
		return;
	stream = (uv_stream_t *)&connection->handle;
	if (uv_accept(listener, stream) != 0 || endpoint->count > ENDPOINT_CONNECTIONS_MAX ||
	    uv_read_start(stream, on_alloc, on_read) != 0)
		connection_close(connection);
	else
		uv_timer_start(&connection->timer, on_timeout, ENDPOINT_TIMEOUT_MS, 0);
}

/* ---- the listener ----------------------------------------------------------------------- */

static int
listen_unix(struct endpoint *endpoint, const char *path)
{
	struct stat st;
	int rv = uv_pipe_init(endpoint->loop, &endpoint->listener.pipe, 0);

	if (rv != 0)
		return rv;
	endpoint->parts = 1;
	endpoint->is_pipe = true;
	endpoint->listener.pipe.data = endpoint;
	/* Of a kernel that is no more: there is one per home. */
	if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
		unlink(path);
	rv = uv_pipe_bind(&endpoint->listener.pipe, path);
	if (rv != 0)
		return rv;
	endpoint->path = strdup(path);
	if (chmod(path, 0660) != 0)
		return uv_translate_sys_error(errno);
	return uv_listen((uv_stream_t *)&endpoint->listener, BACKLOG, on_connection);
}

static int
listen_tcp(struct endpoint *endpoint, const struct sockaddr_storage *address)
{
	int rv = uv_tcp_init(endpoint->loop, &endpoint->listener.tcp);

	if (rv != 0)
		return rv;
	endpoint->parts = 1;
	endpoint->listener.tcp.data = endpoint;
	rv = uv_tcp_bind(&endpoint->listener.tcp, (const struct sockaddr *)address, 0);
	return rv != 0 ? rv : uv_listen((uv_stream_t *)&endpoint->listener, BACKLOG, on_connection);
}

int
endpoint_open(struct endpoint **ret, uv_loop_t *loop, const char *address, endpoint_fill_fn fill,
    void *arg, struct cairn_error *err)
{
	struct sockaddr_storage parsed = {0};
	struct endpoint *endpoint;
	int code = address_check(address, err);
	int rv;

	if (code != 0)
		return code;
	endpoint = calloc(1, sizeof *endpoint);
	if (endpoint == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	endpoint->loop = loop;
	endpoint->fill = fill;
	endpoint->arg = arg;
	if (address[0] == '/')
		rv = listen_unix(endpoint, address);
	else
		rv = address_parse(address, &parsed) != 0 ? UV_EINVAL
							  : listen_tcp(endpoint, &parsed);
	if (rv != 0) {
		endpoint_close(endpoint);
		return cairn_error_set(err, CAIRN_EIO,
		    "cannot listen for metrics at %s: %s (node.yaml: metrics)", address,
		    uv_strerror(rv));
	}
	*ret = endpoint;
	return 0;
}

int
endpoint_port(const struct endpoint *endpoint)
{
	struct sockaddr_storage name = {0};
	int length = sizeof name;

	if (endpoint->is_pipe ||
	    uv_tcp_getsockname(&endpoint->listener.tcp, (struct sockaddr *)&name, &length) != 0)
		return 0;
	return ntohs(name.ss_family == AF_INET ? ((struct sockaddr_in *)&name)->sin_port
					       : ((struct sockaddr_in6 *)&name)->sin6_port);
}

uint64_t
endpoint_pages(const struct endpoint *endpoint)
{
	return endpoint == NULL ? 0 : endpoint->pages;
}

static void
listener_closed(uv_handle_t *handle)
{
	endpoint_part_closed(handle->data);
}

void
endpoint_close(struct endpoint *endpoint)
{
	if (endpoint == NULL || endpoint->closing)
		return;
	endpoint->closing = true;
	if (endpoint->path != NULL)
		unlink(endpoint->path);
	if (endpoint->parts == 0) { /* there is no handle */
		free(endpoint->path);
		free(endpoint);
		return;
	}
	while (endpoint->connections != NULL)
		connection_close(endpoint->connections);
	uv_close((uv_handle_t *)&endpoint->listener, listener_closed);
}
