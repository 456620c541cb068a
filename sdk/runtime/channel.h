/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RUNTIME_CHANNEL_H
#define RUNTIME_CHANNEL_H

/*
 * The wire between the kernel and one host: NNG over ipc://, seen from a libuv loop.
 *
 * NNG completes on its own threads and wakes the loop by uv_async, so every callback below is made
 * on the loop's thread and every function must be called from it.  Under load many messages share
 * one write and one read.  More is asked for only when what was received has been handled, and what
 * is sent waits in a bounded queue: nothing grows without bound on either side.
 *
 * The bytes are those of a pair0 socket, and a plain pair0 socket may be the other end.  We do not
 * use one ourselves because that of nng 1.5.2 loses a thread when a pipe closes between a message's
 * header and its body: ipc_pipe_recv_cb() then asks a stopped aio for the body, nobody is called
 * back, and the one thread that destroys pipes waits for ever; no socket of the process can be
 * closed or connected again after that.  (Seen within 50 closes under traffic.)  NNG's streams,
 * which are below that code, have no such gap.
 *
 * One channel serves one connection.  Nothing promises `down` after a peer's sudden death: the
 * kernel trusts the host's exit.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include <cairn/error.h>

#include "cairn/bus.pb-c.h"

#define CHANNEL_MESSAGE_MAX ((size_t)16 << 20)     /* bytes in one message */
#define CHANNEL_QUEUE_MAX ((size_t)4096)           /* messages waiting to be sent */
#define CHANNEL_QUEUE_BYTES_MAX ((size_t)64 << 20) /* bytes waiting to be sent */
#define CHANNEL_ANSWERS_FACTOR 4                   /* channel_answer() may go this far beyond */
#define CHANNEL_ARENA_MAX ((size_t)96 << 20)       /* memory for one unpacked message */

struct channel;

struct channel_ops {
	/* One message; the bytes are valid during the callback. */
	void (*message)(void *arg, const uint8_t *bytes, size_t length);
	void (*up)(void *arg);   /* the peer is connected; may be NULL */
	void (*down)(void *arg); /* the connection is lost; messages may be lost with it */
};

struct channel_options {
	const char *url; /* ipc:///path; the path holds at most 107 bytes */
	bool listen;     /* makes the socket file, mode 0600; otherwise dials until it is there */
	int peer_pid;    /* only this process is accepted as the peer */
	const struct channel_ops *ops;
	void *arg;
};

int channel_open(struct channel **ret, uv_loop_t *loop, const struct channel_options *options,
    struct cairn_error *err);

/* Packs and queues.  CAIRN_ELIMIT: the queue is full or the message too large. */
int channel_send(struct channel *channel, const Cairn__Envelope *envelope);

/* The same for what must not be refused while the peer is only slow: replies, acknowledgements,
 * heartbeats.  CAIRN_ELIMIT at CHANNEL_ANSWERS_FACTOR times the queue's maximum. */
int channel_answer(struct channel *channel, const Cairn__Envelope *envelope);

/* From cork to uncork messages are queued but not sent; `first` then goes before them. */
void channel_cork(struct channel *channel);
int channel_uncork(struct channel *channel, const Cairn__Envelope *first);

/* Drops what waits in both directions.  No callback but `closed` (on the loop) is made afterwards,
 * after which nothing of the channel is left.  May be called from a callback. */
void channel_close(struct channel *channel, void (*closed)(void *arg), void *arg);

#endif
