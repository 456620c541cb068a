/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/channel.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include <nng/nng.h>
#include <nng/protocol/pair0/pair.h>
#include <nng/transport/ipc/ipc.h>

#include "runtime/ring.h"

#define SOCKET_BUFFER 256
#define RECEIVE_QUEUE_MAX ((size_t)4096)
#define RECEIVE_BYTES_MAX ((size_t)32 << 20)
#define RECONNECT_MS 2
#define RECONNECT_MAX_MS 50
#define URL_SCHEME "ipc://"

/* Which thread: `lock` guards what both NNG's threads and the loop touch; the atomics are written
 * by NNG's pipe callbacks, which run under a lock of NNG's and therefore must not take ours. */
struct channel {
	uv_async_t wake;
	nng_socket socket;
	nng_aio *receive_aio;
	nng_aio *send_aio;
	struct channel_ops ops;
	void *arg;
	int peer_pid;
	atomic_uint ups;
	atomic_uint downs;

	uv_mutex_t lock;
	struct ring out;
	struct ring in;
	bool sending;
	bool receiving;
	bool corked;
	bool closing;

	/* the loop's alone */
	struct ring draining;
	unsigned ups_told;
	unsigned downs_told;
	bool closed; /* channel_close() was called */
	void (*closed_fn)(void *arg);
	void *closed_arg;
};

/* ---- NNG's threads ---------------------------------------------------------------------- */

/* Locked.  One send at a time: it completes as soon as the socket's buffer has room. */
static void
pump(struct channel *channel)
{
	nng_msg *msg;

	if (channel->sending || channel->corked || channel->closing)
		return;
	msg = ring_take(&channel->out);
	if (msg == NULL)
		return;
	channel->sending = true;
	nng_aio_set_msg(channel->send_aio, msg);
	nng_send_aio(channel->socket, channel->send_aio);
}

static void
sent(void *arg)
{
	struct channel *channel = arg;

	if (nng_aio_result(channel->send_aio) != 0)
		nng_msg_free(nng_aio_get_msg(channel->send_aio));
	uv_mutex_lock(&channel->lock);
	channel->sending = false;
	pump(channel);
	uv_mutex_unlock(&channel->lock);
}

static bool
receive_has_room(const struct channel *channel)
{
	return channel->in.count < RECEIVE_QUEUE_MAX && channel->in.bytes < RECEIVE_BYTES_MAX;
}

/* Locked. */
static void
receive_next(struct channel *channel)
{
	if (channel->receiving || channel->closing || !receive_has_room(channel))
		return;
	channel->receiving = true;
	nng_recv_aio(channel->socket, channel->receive_aio);
}

static void
received(void *arg)
{
	struct channel *channel = arg;
	nng_msg *msg;
	bool first;

	if (nng_aio_result(channel->receive_aio) != 0) {
		atomic_fetch_add(&channel->downs, 1);
		uv_async_send(&channel->wake);
		return; /* the socket is closed or broken: `receiving` stays set, nothing is asked */
	}
	msg = nng_aio_get_msg(channel->receive_aio);
	uv_mutex_lock(&channel->lock);
	channel->receiving = false;
	first = channel->in.count == 0;
	if (ring_reserve(&channel->in) == 0)
		ring_put(&channel->in, msg);
	else
		nng_msg_free(msg);
	receive_next(channel);
	uv_mutex_unlock(&channel->lock);
	if (first)
		uv_async_send(&channel->wake);
}

static void
pipe_event(nng_pipe pipe, nng_pipe_ev event, void *arg)
{
	struct channel *channel = arg;
	uint64_t pid = 0;

	switch (event) {
	case NNG_PIPE_EV_ADD_PRE:
		if (nng_pipe_get_uint64(pipe, NNG_OPT_IPC_PEER_PID, &pid) != 0 ||
		    pid != (uint64_t)channel->peer_pid)
			nng_pipe_close(pipe); /* a stranger: it never becomes the peer */
		return;
	case NNG_PIPE_EV_ADD_POST:
		atomic_fetch_add(&channel->ups, 1);
		break;
	case NNG_PIPE_EV_REM_POST:
		if (atomic_load(&channel->ups) == 0)
			return;
		atomic_fetch_add(&channel->downs, 1);
		break;
	default:
		return;
	}
	uv_async_send(&channel->wake);
}

/* ---- the loop --------------------------------------------------------------------------- */

static void
deliver(struct channel *channel)
{
	nng_msg *msg;

	while (!channel->closed && (msg = ring_take(&channel->draining)) != NULL) {
		channel->ops.message(channel->arg, nng_msg_body(msg), nng_msg_len(msg));
		nng_msg_free(msg);
	}
}

static void
woken(uv_async_t *handle)
{
	struct channel *channel = handle->data;
	unsigned ups = atomic_load(&channel->ups);
	unsigned downs = atomic_load(&channel->downs);
	struct ring empty = channel->draining;

	if (ups != channel->ups_told && channel->ops.up != NULL)
		channel->ops.up(channel->arg);
	channel->ups_told = ups;
	if (channel->closed)
		return;
	uv_mutex_lock(&channel->lock);
	channel->draining = channel->in;
	channel->in = empty;
	receive_next(channel);
	uv_mutex_unlock(&channel->lock);
	deliver(channel);
	if (!channel->closed && downs != channel->downs_told) {
		channel->downs_told = downs;
		channel->ops.down(channel->arg);
	}
}

static int
message_pack(nng_msg **ret, const Cairn__Envelope *envelope)
{
	size_t size = cairn__envelope__get_packed_size(envelope);
	nng_msg *msg;

	if (size > CHANNEL_MESSAGE_MAX)
		return CAIRN_ELIMIT;
	if (nng_msg_alloc(&msg, size) != 0)
		return CAIRN_ENOMEM;
	cairn__envelope__pack(envelope, nng_msg_body(msg));
	*ret = msg;
	return 0;
}

static int
enqueue(struct channel *channel, const Cairn__Envelope *envelope, size_t factor)
{
	nng_msg *msg;
	int code = message_pack(&msg, envelope);

	if (code != 0)
		return code;
	uv_mutex_lock(&channel->lock);
	if (channel->out.count >= factor * CHANNEL_QUEUE_MAX ||
	    channel->out.bytes >= factor * CHANNEL_QUEUE_BYTES_MAX)
		code = CAIRN_ELIMIT;
	else
		code = ring_reserve(&channel->out);
	if (code == 0) {
		ring_put(&channel->out, msg);
		pump(channel);
	}
	uv_mutex_unlock(&channel->lock);
	if (code != 0)
		nng_msg_free(msg);
	return code;
}

int
channel_send(struct channel *channel, const Cairn__Envelope *envelope)
{
	return enqueue(channel, envelope, 1);
}

int
channel_answer(struct channel *channel, const Cairn__Envelope *envelope)
{
	return enqueue(channel, envelope, CHANNEL_ANSWERS_FACTOR);
}

void
channel_cork(struct channel *channel)
{
	uv_mutex_lock(&channel->lock);
	channel->corked = true;
	uv_mutex_unlock(&channel->lock);
}

int
channel_uncork(struct channel *channel, const Cairn__Envelope *first)
{
	nng_msg *msg;
	int code = message_pack(&msg, first);

	if (code != 0)
		return code;
	uv_mutex_lock(&channel->lock);
	code = ring_reserve(&channel->out);
	if (code == 0) {
		ring_put_first(&channel->out, msg);
		channel->corked = false;
		pump(channel);
	}
	uv_mutex_unlock(&channel->lock);
	if (code != 0)
		nng_msg_free(msg);
	return code;
}

/* ---- opening and closing ---------------------------------------------------------------- */

static int
socket_listen(struct channel *channel, const char *url)
{
	nng_listener listener;
	int rv = nng_listener_create(&listener, channel->socket, url);

	if (rv == 0)
		rv = nng_listener_set_int(listener, NNG_OPT_IPC_PERMISSIONS, 0600);
	if (rv == 0)
		rv = nng_listener_start(listener, 0);
	return rv;
}

/* The kernel learns our pid before it listens, so the first attempts may find nobody there. */
static int
socket_dial(struct channel *channel, const char *url)
{
	nng_dialer dialer;
	int rv = nng_dialer_create(&dialer, channel->socket, url);

	if (rv == 0)
		rv = nng_dialer_set_ms(dialer, NNG_OPT_RECONNMINT, RECONNECT_MS);
	if (rv == 0)
		rv = nng_dialer_set_ms(dialer, NNG_OPT_RECONNMAXT, RECONNECT_MAX_MS);
	if (rv == 0)
		rv = nng_dialer_start(dialer, NNG_FLAG_NONBLOCK);
	return rv;
}

static int
socket_open(struct channel *channel, const struct channel_options *options)
{
	nng_socket socket;
	int rv = nng_pair0_open(&socket);

	if (rv != 0)
		return rv;
	channel->socket = socket;
	if ((rv = nng_socket_set_int(socket, NNG_OPT_SENDBUF, SOCKET_BUFFER)) == 0 &&
	    (rv = nng_socket_set_int(socket, NNG_OPT_RECVBUF, SOCKET_BUFFER)) == 0 &&
	    (rv = nng_socket_set_size(socket, NNG_OPT_RECVMAXSZ, CHANNEL_MESSAGE_MAX)) == 0 &&
	    (rv = nng_pipe_notify(socket, NNG_PIPE_EV_ADD_PRE, pipe_event, channel)) == 0 &&
	    (rv = nng_pipe_notify(socket, NNG_PIPE_EV_ADD_POST, pipe_event, channel)) == 0 &&
	    (rv = nng_pipe_notify(socket, NNG_PIPE_EV_REM_POST, pipe_event, channel)) == 0 &&
	    (rv = nng_aio_alloc(&channel->send_aio, sent, channel)) == 0 &&
	    (rv = nng_aio_alloc(&channel->receive_aio, received, channel)) == 0)
		rv = options->listen ? socket_listen(channel, options->url)
		                     : socket_dial(channel, options->url);
	return rv;
}

static void
channel_free(struct channel *channel)
{
	if (channel->send_aio != NULL)
		nng_aio_free(channel->send_aio);
	if (channel->receive_aio != NULL)
		nng_aio_free(channel->receive_aio);
	ring_fini(&channel->out);
	ring_fini(&channel->in);
	ring_fini(&channel->draining);
	uv_mutex_destroy(&channel->lock);
	free(channel);
}

static void
wake_closed(uv_handle_t *handle)
{
	struct channel *channel = handle->data;
	void (*closed)(void *) = channel->closed_fn;
	void *arg = channel->closed_arg;

	channel_free(channel);
	if (closed != NULL)
		closed(arg);
}

/* After nng_close() and both nng_aio_stop()s none of NNG's threads is in our callbacks or will
 * enter one, so that nothing can touch `wake` once uv_close() was called. */
void
channel_close(struct channel *channel, void (*closed)(void *arg), void *arg)
{
	uv_mutex_lock(&channel->lock);
	channel->closing = true;
	uv_mutex_unlock(&channel->lock);
	channel->closed = true;
	channel->closed_fn = closed;
	channel->closed_arg = arg;
	if (channel->receive_aio != NULL)
		nng_aio_stop(channel->receive_aio);
	if (channel->send_aio != NULL)
		nng_aio_stop(channel->send_aio);
	nng_close(channel->socket);
	uv_close((uv_handle_t *)&channel->wake, wake_closed);
}

static int
url_check(const char *url, struct cairn_error *err)
{
	const size_t path_max = sizeof ((struct sockaddr_un *)NULL)->sun_path - 1;
	size_t scheme = strlen(URL_SCHEME);

	if (strncmp(url, URL_SCHEME, scheme) != 0 || url[scheme] == 0)
		return cairn_error_set(err, CAIRN_EINVAL, "'%s' is not an ipc:// address", url);
	if (strlen(url + scheme) > path_max)
		return cairn_error_set(err, CAIRN_EINVAL,
		    "the socket path %s is longer than %zu bytes: choose a shorter home directory",
		    url + scheme, path_max);
	return 0;
}

static int
channel_new(struct channel **ret, uv_loop_t *loop, const struct channel_options *options)
{
	struct channel *channel = calloc(1, sizeof *channel);

	if (channel == NULL)
		return CAIRN_ENOMEM;
	channel->ops = *options->ops;
	channel->arg = options->arg;
	channel->peer_pid = options->peer_pid;
	channel->wake.data = channel;
	if (uv_mutex_init(&channel->lock) != 0) {
		free(channel);
		return CAIRN_ENOMEM;
	}
	if (uv_async_init(loop, &channel->wake, woken) != 0) {
		uv_mutex_destroy(&channel->lock);
		free(channel);
		return CAIRN_EIO;
	}
	*ret = channel;
	return 0;
}

int
channel_open(struct channel **ret, uv_loop_t *loop, const struct channel_options *options,
    struct cairn_error *err)
{
	struct channel *channel;
	int code = url_check(options->url, err);
	int rv;

	if (code != 0)
		return code;
	code = channel_new(&channel, loop, options);
	if (code != 0)
		return cairn_error_set(err, code, "cannot make a channel on %s", options->url);
	rv = socket_open(channel, options);
	if (rv != 0) {
		channel_close(channel, NULL, NULL);
		return cairn_error_set(err, CAIRN_EIO, "cannot open %s: %s", options->url,
		    nng_strerror(rv));
	}
	uv_mutex_lock(&channel->lock);
	receive_next(channel);
	uv_mutex_unlock(&channel->lock);
	*ret = channel;
	return 0;
}
