/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/channel.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include <nng/nng.h>
#include <nng/transport/ipc/ipc.h>

#include "base/buf.h"
#include "runtime/frame.h"
#include "runtime/tsan.h"

#define RETRY_MS 2
#define RECEIVE_BYTES ((size_t)65536)
#define KEEP_BYTES ((size_t)1 << 20) /* a buffer that grew beyond this is given back */
#define OUT_BYTES_MAX (CHANNEL_ANSWERS_FACTOR * CHANNEL_QUEUE_BYTES_MAX + 2 * CHANNEL_MESSAGE_MAX)
#define URL_SCHEME "ipc://"

/* Packed messages one after the other, as they go on the wire. */
struct out {
	struct buf bytes;
	size_t count;
};

/* `lock` guards what NNG's threads and the loop share.  `in` belongs to NNG while `receiving` is
 * set and to the loop otherwise. */
struct channel {
	uv_async_t wake;
	struct channel_ops ops;
	void *arg;
	int peer_pid;
	nng_stream_listener *listener;
	nng_stream_dialer *dialer;
	nng_aio *connect_aio;
	nng_aio *receive_aio;
	nng_aio *send_aio;

	uv_mutex_t lock;
	nng_stream *stream; /* once the peer is the right one */
	struct out waiting;
	struct out flying; /* what is being sent, from `flown` on; first the greeting */
	size_t flown;
	bool pausing; /* connect_aio sleeps before the next attempt */
	bool sending;
	bool receiving;
	bool corked;
	bool closing;
	bool lost;        /* nothing more will be received */
	bool send_failed; /* nothing more can be sent; the receiver will notice too */
	struct buf in;

	/* the loop's alone */
	bool up_told;
	bool down_told;
	void (*closed_fn)(void *arg);
	void *closed_arg;
};

/* ---- sending: any thread, locked ---------------------------------------------------------- */

static void
out_reset(struct out *out)
{
	out->count = 0;
	if (out->bytes.capacity > KEEP_BYTES)
		buf_fini(&out->bytes);
	buf_clear(&out->bytes);
}

static void
send_rest(struct channel *channel)
{
	nng_iov iov = {.iov_buf = channel->flying.bytes.data + channel->flown,
	    .iov_len = channel->flying.bytes.length - channel->flown};

	channel->sending = true;
	nng_aio_set_iov(channel->send_aio, 1, &iov);
	nng_stream_send(channel->stream, channel->send_aio);
}

/* Everything that waits goes in one write. */
static void
pump(struct channel *channel)
{
	struct out sent = channel->flying;

	if (channel->stream == NULL || channel->sending || channel->corked || channel->closing ||
	    channel->send_failed || channel->waiting.bytes.length == 0)
		return;
	channel->flying = channel->waiting;
	channel->flown = 0;
	channel->waiting = sent;
	out_reset(&channel->waiting);
	send_rest(channel);
}

static void
sent(void *arg)
{
	struct channel *channel = arg;
	int rv = nng_aio_result(channel->send_aio);

	uv_mutex_lock(&channel->lock);
	channel->sending = false;
	if (rv != 0) {
		channel->send_failed = true;
	} else {
		channel->flown += nng_aio_count(channel->send_aio);
		if (channel->flown < channel->flying.bytes.length && !channel->closing) {
			send_rest(channel);
		} else {
			out_reset(&channel->flying);
			pump(channel);
		}
	}
	uv_mutex_unlock(&channel->lock);
}

/* ---- receiving ---------------------------------------------------------------------------- */

/* Locked, on the loop or before it knows of the stream. */
static void
receive_next(struct channel *channel)
{
	nng_iov iov = {.iov_buf = channel->in.data + channel->in.length,
	    .iov_len = channel->in.capacity - channel->in.length};

	if (channel->receiving || channel->closing || channel->lost)
		return;
	channel->receiving = true;
	nng_aio_set_iov(channel->receive_aio, 1, &iov);
	nng_stream_recv(channel->stream, channel->receive_aio);
}

static void
received(void *arg)
{
	struct channel *channel = arg;
	int rv = nng_aio_result(channel->receive_aio);

	uv_mutex_lock(&channel->lock);
	channel->receiving = false;
	if (rv == 0)
		channel->in.length += nng_aio_count(channel->receive_aio);
	else
		channel->lost = true;
	uv_mutex_unlock(&channel->lock);
	uv_async_send(&channel->wake);
}

/* ---- connecting: NNG's threads ------------------------------------------------------------ */

static void
connect_next(struct channel *channel)
{
	if (channel->listener != NULL)
		nng_stream_listener_accept(channel->listener, channel->connect_aio);
	else
		nng_stream_dialer_dial(channel->dialer, channel->connect_aio);
}

/* The kernel learns our pid before it listens, so the first attempts may find nobody there; and a
 * listener that fails (no descriptors) must not spin. */
static void
connect_pause(struct channel *channel)
{
	channel->pausing = true;
	nng_sleep_aio(RETRY_MS, channel->connect_aio);
}

static bool
is_the_peer(const struct channel *channel, nng_stream *stream)
{
	uint64_t pid = 0;

	return nng_stream_get_uint64(stream, NNG_OPT_IPC_PEER_PID, &pid) == 0 &&
	    pid == (uint64_t)channel->peer_pid;
}

static void
connected(void *arg)
{
	struct channel *channel = arg;
	nng_stream *stream = NULL;
	bool paused = channel->pausing;

	channel->pausing = false;
	if (nng_aio_result(channel->connect_aio) == 0 && !paused)
		stream = nng_aio_get_output(channel->connect_aio, 0);
	if (stream != NULL && !is_the_peer(channel, stream)) {
		nng_stream_free(stream); /* a stranger; the next may be the peer */
		stream = NULL;
	}
	uv_mutex_lock(&channel->lock);
	channel->stream = stream;
	if (stream != NULL) {
		send_rest(channel);
		receive_next(channel);
	} else if (!channel->closing) {
		if (paused)
			connect_next(channel);
		else
			connect_pause(channel);
	}
	uv_mutex_unlock(&channel->lock);
}

/* ---- the loop --------------------------------------------------------------------------- */

/* Takes the greeting and whole messages from the front of `in`.  `*ret_wanted` is how much room the
 * next message needs.  False: the peer broke the protocol. */
static bool
deliver(struct channel *channel, size_t *ret_used, size_t *ret_wanted)
{
	const uint8_t *bytes = channel->in.data;
	size_t length = channel->in.length, at = 0, body = 0;
	int code = 0;

	if (!channel->up_told && length >= FRAME_GREETING_BYTES) {
		if (memcmp(bytes, frame_greeting, FRAME_GREETING_BYTES) != 0)
			return false;
		at = FRAME_GREETING_BYTES;
		channel->up_told = true;
		if (channel->ops.up != NULL)
			channel->ops.up(channel->arg);
	}
	while (channel->up_told && !channel->closing) {
		code = frame_read(bytes + at, length - at, CHANNEL_MESSAGE_MAX, &body);
		if (code != 0)
			break;
		channel->ops.message(channel->arg, bytes + at + FRAME_HEADER_BYTES, body);
		at += FRAME_HEADER_BYTES + body;
	}
	*ret_used = at;
	*ret_wanted = FRAME_HEADER_BYTES + body;
	return code != CAIRN_EPROTO;
}

/* Room for the rest of the next message; what a large one needed is given back after it. */
static bool
make_room(struct channel *channel, size_t used, size_t wanted)
{
	struct buf *in = &channel->in;

	buf_consume(in, used);
	if (in->length == 0 && in->capacity > RECEIVE_BYTES && wanted <= RECEIVE_BYTES)
		buf_fini(in);
	if (wanted < RECEIVE_BYTES)
		wanted = RECEIVE_BYTES;
	return wanted <= in->capacity || buf_reserve(in, wanted - in->length) == 0;
}

static void
woken(uv_async_t *handle)
{
	struct channel *channel = handle->data;
	size_t used = 0, wanted = 0;
	bool mine, lost;

	uv_mutex_lock(&channel->lock);
	mine = channel->stream != NULL && !channel->receiving && !channel->closing;
	uv_mutex_unlock(&channel->lock);
	if (!mine || channel->down_told)
		return;
	if (!deliver(channel, &used, &wanted) || channel->closing ||
	    !make_room(channel, used, wanted)) {
		uv_mutex_lock(&channel->lock);
		channel->lost = true;
		uv_mutex_unlock(&channel->lock);
	}
	if (channel->closing)
		return;
	uv_mutex_lock(&channel->lock);
	receive_next(channel);
	lost = channel->lost;
	uv_mutex_unlock(&channel->lock);
	if (lost) {
		channel->down_told = true;
		channel->ops.down(channel->arg);
	}
}

/* Locked: appends one framed message, at the front when `first`. */
static int
append(struct channel *channel, const Cairn__Envelope *envelope, size_t size, bool first)
{
	struct buf *bytes = &channel->waiting.bytes;
	size_t frame = FRAME_HEADER_BYTES + size;
	uint8_t *at;
	int code = buf_reserve(bytes, frame);

	if (code != 0)
		return code;
	at = bytes->data + bytes->length;
	if (first) {
		at = bytes->data;
		memmove(at + frame, at, bytes->length);
	}
	frame_header(at, size);
	cairn__envelope__pack(envelope, at + FRAME_HEADER_BYTES);
	bytes->length += frame;
	channel->waiting.count++;
	return 0;
}

static int
enqueue(struct channel *channel, const Cairn__Envelope *envelope, size_t factor)
{
	size_t size = cairn__envelope__get_packed_size(envelope);
	int code;

	if (size > CHANNEL_MESSAGE_MAX)
		return CAIRN_ELIMIT;
	uv_mutex_lock(&channel->lock);
	if (channel->waiting.count + channel->flying.count >= factor * CHANNEL_QUEUE_MAX ||
	    channel->waiting.bytes.length + channel->flying.bytes.length >=
		factor * CHANNEL_QUEUE_BYTES_MAX)
		code = CAIRN_ELIMIT;
	else
		code = append(channel, envelope, size, false);
	pump(channel);
	uv_mutex_unlock(&channel->lock);
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
	size_t size = cairn__envelope__get_packed_size(first);
	int code;

	if (size > CHANNEL_MESSAGE_MAX)
		return CAIRN_ELIMIT;
	uv_mutex_lock(&channel->lock);
	code = append(channel, first, size, true);
	if (code == 0) {
		channel->corked = false;
		pump(channel);
	}
	uv_mutex_unlock(&channel->lock);
	return code;
}

/* ---- closing ---------------------------------------------------------------------------- */

static void
wake_closed(uv_handle_t *handle)
{
	struct channel *channel = handle->data;
	void (*closed)(void *) = channel->closed_fn;
	void *arg = channel->closed_arg;

	nng_aio_free(channel->connect_aio);
	nng_aio_free(channel->receive_aio);
	nng_aio_free(channel->send_aio);
	buf_fini(&channel->waiting.bytes);
	buf_fini(&channel->flying.bytes);
	buf_fini(&channel->in);
	uv_mutex_destroy(&channel->lock);
	free(channel);
	if (closed != NULL)
		closed(arg);
}

/* nng_aio_stop() cancels and waits for the callback, if one runs; afterwards none is made, so that
 * nothing touches `wake` once uv_close() was called. */
void
channel_close(struct channel *channel, void (*closed)(void *arg), void *arg)
{
	uv_mutex_lock(&channel->lock);
	channel->closing = true;
	uv_mutex_unlock(&channel->lock);
	channel->closed_fn = closed;
	channel->closed_arg = arg;
	nng_aio_stop(channel->connect_aio);
	nng_aio_stop(channel->receive_aio);
	nng_aio_stop(channel->send_aio);
	if (channel->stream != NULL)
		nng_stream_free(channel->stream);
	channel->stream = NULL;
	if (channel->listener != NULL)
		nng_stream_listener_free(channel->listener);
	if (channel->dialer != NULL)
		nng_stream_dialer_free(channel->dialer);
	uv_close((uv_handle_t *)&channel->wake, wake_closed);
}

/* ---- opening ---------------------------------------------------------------------------- */

static int
url_check(const char *url, struct cairn_error *err)
{
	const size_t path_max = sizeof((struct sockaddr_un *)NULL)->sun_path - 1;
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
	buf_init(&channel->waiting.bytes, OUT_BYTES_MAX);
	buf_init(&channel->flying.bytes, OUT_BYTES_MAX);
	buf_init(&channel->in, 2 * CHANNEL_MESSAGE_MAX);
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

static int
endpoint_open(struct channel *channel, const struct channel_options *options)
{
	int rv;

	if (!options->listen)
		return nng_stream_dialer_alloc(&channel->dialer, options->url);
	rv = nng_stream_listener_alloc(&channel->listener, options->url);
	if (rv == 0)
		rv = nng_stream_listener_set_int(channel->listener, NNG_OPT_IPC_PERMISSIONS, 0600);
	if (rv == 0)
		rv = nng_stream_listener_listen(channel->listener);
	return rv;
}

static int
socket_open(struct channel *channel, const struct channel_options *options)
{
	int rv;

	if (buf_reserve(&channel->in, RECEIVE_BYTES) != 0 ||
	    buf_append(&channel->flying.bytes, frame_greeting, FRAME_GREETING_BYTES) != 0)
		return NNG_ENOMEM;
	if ((rv = nng_aio_alloc(&channel->connect_aio, connected, channel)) == 0 &&
	    (rv = nng_aio_alloc(&channel->receive_aio, received, channel)) == 0 &&
	    (rv = nng_aio_alloc(&channel->send_aio, sent, channel)) == 0)
		rv = endpoint_open(channel, options);
	return rv;
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
		return cairn_error_set(
		    err, CAIRN_EIO, "cannot open %s: %s", options->url, nng_strerror(rv));
	}
	connect_next(channel);
	*ret = channel;
	return 0;
}
