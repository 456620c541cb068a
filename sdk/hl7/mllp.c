/* SPDX-License-Identifier: Apache-2.0 */
#include <cairn/hl7.h>

#include <stdlib.h>
#include <string.h>

#include <uv.h>

#define VT 0x0b
#define FS 0x1c
#define READ_BYTES 65536
#define ACK_MAX 4096

struct mllp {
	struct cairn *cairn;
	struct mllp_handler handler;
	size_t message_max, connections_max;
	uint64_t idle_ms, frame_ms;
	uv_tcp_t tcp;
	struct mllp_connection *connections;
	size_t count; /* connections */
	bool closing, closed;
};

struct mllp_connection {
	struct mllp *mllp;
	struct mllp_connection *next;
	uv_tcp_t tcp;
	uv_timer_t timer;
	uv_write_t write;
	char *in, *out;
	size_t length, capacity, looked; /* of `in`; how far there is no end of a frame */
	bool busy;                       /* until its answer is sent */
	bool turning, closing;
	unsigned open; /* handles */
};

static void
end_when_closed(struct mllp *mllp)
{
	if (!mllp->closed || mllp->connections != NULL)
		return;
	mllp->handler.closed(mllp->handler.arg);
	free(mllp);
}

static void
server_closed(uv_handle_t *handle)
{
	struct mllp *mllp = handle->data;

	mllp->closed = true;
	end_when_closed(mllp);
}

static void
free_when_closed(struct mllp_connection *c)
{
	struct mllp_connection **link = &c->mllp->connections;

	if (c->open > 0 || c->busy)
		return;
	while (*link != c)
		link = &(*link)->next;
	*link = c->next;
	c->mllp->count--;
	end_when_closed(c->mllp);
	free(c->in);
	free(c->out);
	free(c);
}

static void
handle_closed(uv_handle_t *handle)
{
	struct mllp_connection *c = handle->data;

	c->open--;
	free_when_closed(c);
}

static void
close_connection(struct mllp_connection *c, const char *why)
{
	if (c->closing)
		return;
	c->closing = true;
	cairn_log(CAIRN_LOG_INFO, "a connection is closed: %s", why);
	uv_close((uv_handle_t *)&c->tcp, handle_closed);
	uv_close((uv_handle_t *)&c->timer, handle_closed);
}

static void
timed_out(uv_timer_t *timer)
{
	close_connection(timer->data, "the time for a message is over");
}

/* ---- in ---------------------------------------------------------------------------------- */

/* A frame that is whole goes to the plugin; NULL, or what the sender does wrong. */
static const char *
turn_once(struct mllp_connection *c)
{
	struct mllp *mllp = c->mllp;
	size_t skip = 0;
	char *end;

	while (skip < c->length && (c->in[skip] == '\r' || c->in[skip] == '\n'))
		skip++;
	if (skip > 0) {
		c->length -= skip;
		memmove(c->in, c->in + skip, c->length);
	}
	if (c->length > 0 && c->in[0] != VT)
		return "there are bytes outside of a frame";
	end = c->length > c->looked ? memchr(c->in + c->looked, FS, c->length - c->looked) : NULL;
	if ((end == NULL ? c->length : (size_t)(end - c->in)) > mllp->message_max + 1)
		return "a message is larger than the limit";
	if (end == NULL) {
		if (c->length == 0 || c->looked == 0)
			uv_timer_start(&c->timer, timed_out,
			    c->length == 0 ? mllp->idle_ms : mllp->frame_ms, 0);
		c->looked = c->length;
		return NULL;
	}
	if (memchr(c->in + 1, VT, (size_t)(end - c->in) - 1) != NULL)
		return "a frame begins within a frame";
	c->busy = true;
	uv_timer_stop(&c->timer);
	uv_read_stop((uv_stream_t *)&c->tcp);
	c->looked = (size_t)(end - c->in) + 1;
	mllp->handler.message(mllp->handler.arg, c, c->in + 1, c->looked - 2);
	return NULL;
}

static void
make_room(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
	struct mllp_connection *c = handle->data;
	size_t capacity = 2 * c->length + READ_BYTES;
	char *in = c->in;

	(void)suggested;
	*ret = uv_buf_init(NULL, 0); /* which closes the connection */
	if (c->capacity < c->length + READ_BYTES) {
		in = realloc(c->in, capacity);
		if (in == NULL)
			return;
		c->in = in;
		c->capacity = capacity;
	}
	*ret = uv_buf_init(in + c->length, (unsigned)(c->capacity - c->length));
}

static void turn(struct mllp_connection *c);

static void
received(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf)
{
	struct mllp_connection *c = stream->data;

	(void)buf;
	if (got < 0) {
		close_connection(
		    c, got == UV_EOF ? "the sender has ended it" : uv_strerror((int)got));
		return;
	}
	c->length += (size_t)got;
	turn(c);
}

/* A loop, because answers may come at once: a thousand small messages must not nest. */
static void
turn(struct mllp_connection *c)
{
	if (c->turning)
		return;
	c->turning = true;
	while (!c->busy && !c->closing) {
		const char *wrong = turn_once(c);

		if (wrong != NULL)
			close_connection(c, wrong);
		else if (!c->busy && c->looked == c->length) {
			uv_read_start((uv_stream_t *)&c->tcp, make_room, received);
			break;
		}
	}
	c->turning = false;
}

/* ---- out --------------------------------------------------------------------------------- */

static void
answered(uv_write_t *write, int status)
{
	struct mllp_connection *c = write->data;

	c->busy = false;
	free(c->out);
	c->out = NULL;
	c->length -= c->looked;
	memmove(c->in, c->in + c->looked, c->length);
	c->looked = 0;
	if (status != 0 || c->mllp->closing)
		close_connection(c, status != 0 ? uv_strerror(status) : "the plugin stops");
	if (c->closing)
		free_when_closed(c);
	else
		turn(c);
}

void
mllp_answer(struct mllp_connection *c, const char *text, size_t length)
{
	uv_buf_t buf;
	int rc = UV_ENOMEM;

	c->write.data = c;
	c->out = length > 0 && !c->closing ? malloc(length + 3) : NULL;
	if (c->out != NULL) {
		c->out[0] = VT;
		memcpy(c->out + 1, text, length);
		memcpy(c->out + 1 + length, "\x1c\r", 2);
		buf = uv_buf_init(c->out, (unsigned)length + 3);
		uv_timer_start(&c->timer, timed_out, c->mllp->frame_ms, 0);
		rc = uv_write(&c->write, (uv_stream_t *)&c->tcp, &buf, 1, answered);
	}
	if (rc != 0)
		answered(&c->write, length > 0 ? rc : 0);
}

void
hl7_acknowledge(struct mllp_connection *connection, const struct hl7 *m, struct hl7_problem problem)
{
	char ack[ACK_MAX];

	mllp_answer(connection, ack, hl7_ack(m, problem, ack, sizeof ack));
}

/* ---- connections ------------------------------------------------------------------------- */

static bool
is_peer(struct cairn *cairn, const uv_tcp_t *tcp)
{
	struct sockaddr_storage address;
	int length = sizeof address;
	size_t count = cairn_config_list_length(cairn, "peers");
	char name[64] = "", *plain = name;

	if (uv_tcp_getpeername(tcp, (struct sockaddr *)&address, &length) != 0 ||
	    uv_ip_name((struct sockaddr *)&address, name, sizeof name) != 0)
		return false;
	if (strncmp(name, "::ffff:", 7) == 0)
		plain += 7; /* IPv4 on a socket of both */
	for (size_t i = 0; i < count; i++) {
		if (strcmp(cairn_config_list_get(cairn, "peers", i), plain) == 0)
			return true;
	}
	return count == 0 && (strcmp(plain, "127.0.0.1") == 0 || strcmp(plain, "::1") == 0);
}

static void
connected(uv_stream_t *server, int status)
{
	struct mllp *mllp = server->data;
	struct mllp_connection *c = status == 0 ? calloc(1, sizeof *c) : NULL;

	if (c == NULL)
		return;
	c->mllp = mllp;
	c->next = mllp->connections;
	mllp->connections = c;
	c->open = 2;
	c->tcp.data = c->timer.data = c;
	uv_tcp_init(server->loop, &c->tcp);
	uv_timer_init(server->loop, &c->timer);
	if (uv_accept(server, (uv_stream_t *)&c->tcp) != 0 || !is_peer(mllp->cairn, &c->tcp))
		close_connection(c, "its address is not among the peers");
	else if (mllp->count >= mllp->connections_max)
		close_connection(c, "there are connections_max already");
	mllp->count++;
	uv_tcp_nodelay(&c->tcp, 1);
	turn(c);
}

static void
configure(struct mllp *mllp, struct cairn *cairn, const struct mllp_handler *handler)
{
	mllp->cairn = cairn;
	mllp->handler = *handler;
	mllp->tcp.data = mllp;
	mllp->message_max = (size_t)cairn_config_integer(cairn, "message_kb") << 10;
	mllp->connections_max = (size_t)cairn_config_integer(cairn, "connections_max");
	mllp->idle_ms = (uint64_t)cairn_config_integer(cairn, "idle_s") * 1000;
	mllp->frame_ms = (uint64_t)cairn_config_integer(cairn, "frame_s") * 1000;
}

/* On failure the process ends, so that the handle need not be closed. */
int
mllp_open(struct mllp **ret, struct cairn *cairn, const struct mllp_handler *handler,
    struct cairn_error *err)
{
	const char *ip = cairn_config_string(cairn, "address");
	int port = (int)cairn_config_integer(cairn, "port");
	struct mllp *mllp = calloc(1, sizeof *mllp);
	struct sockaddr_storage address;
	int rc;

	if (mllp == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	configure(mllp, cairn, handler);
	rc = uv_ip4_addr(ip, port, (struct sockaddr_in *)&address);
	if (rc != 0)
		rc = uv_ip6_addr(ip, port, (struct sockaddr_in6 *)&address);
	if (rc != 0) {
		free(mllp);
		return cairn_error_set(err, CAIRN_EINVAL, "'%s' is no numeric address", ip);
	}
	uv_tcp_init(cairn_loop(cairn), &mllp->tcp);
	rc = uv_tcp_bind(&mllp->tcp, (struct sockaddr *)&address, 0);
	if (rc == 0)
		rc = uv_listen((uv_stream_t *)&mllp->tcp, 128, connected);
	if (rc != 0)
		return cairn_error_set(err, rc == UV_EADDRINUSE ? CAIRN_EAGAIN : CAIRN_EIO,
		    "cannot listen on %s port %d: %s", ip, port, uv_strerror(rc));
	*ret = mllp;
	return 0;
}

void
mllp_close(struct mllp *mllp)
{
	for (struct mllp_connection *c = mllp->connections; c != NULL; c = c->next) {
		if (!c->busy)
			close_connection(c, "the plugin stops");
	}
	mllp->closing = true;
	uv_close((uv_handle_t *)&mllp->tcp, server_closed);
}
