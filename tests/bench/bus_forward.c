/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nng/nng.h>
#include <nng/protocol/pair0/pair.h>
#include <nng/supplemental/util/platform.h>

#include "base/clock.h"
#include "bus_bench.h"

/* The floor: pair0 sockets with the asynchronous API and buffers of 256, as the notes on NNG
 * recommend.  The forwarder and the echo are forked before this process uses NNG. */

static struct {
	pid_t forwarder, echo;
	nng_socket socket;
	char front[128], back[128];
} forward;

struct slot {
	nng_aio *aio;
	nng_socket from, to;
	bool sending;
};

static void
check(int rv, const char *what)
{
	if (rv != 0) {
		fprintf(stderr, "%s: %s\n", what, nng_strerror(rv));
		_exit(1);
	}
}

static nng_socket
open_pair(const char *url, bool listen)
{
	nng_socket socket;

	check(nng_pair0_open(&socket), "open");
	check(nng_socket_set_int(socket, NNG_OPT_SENDBUF, 256), "send buffer");
	check(nng_socket_set_int(socket, NNG_OPT_RECVBUF, 256), "receive buffer");
	if (listen)
		check(nng_listen(socket, url, NULL, 0), url);
	else
		check(nng_dial(socket, url, NULL, NNG_FLAG_NONBLOCK), url);
	return socket;
}

/* Receives on one socket and sends the same message on the other, for ever. */
static void
moved(void *arg)
{
	struct slot *slot = arg;

	check(nng_aio_result(slot->aio), "forward");
	slot->sending = !slot->sending;
	if (slot->sending)
		nng_send_aio(slot->to, slot->aio);
	else
		nng_recv_aio(slot->from, slot->aio);
}

static void
move(nng_socket from, nng_socket to)
{
	/* One receive at a time keeps the order, as a pair does. */
	struct slot *slot = calloc(1, sizeof *slot);

	*slot = (struct slot){.from = from, .to = to};
	check(nng_aio_alloc(&slot->aio, moved, slot), "aio");
	nng_recv_aio(from, slot->aio);
}

static void
be_forwarder(void)
{
	nng_socket front = open_pair(forward.front, true), back = open_pair(forward.back, true);

	move(front, back);
	move(back, front);
	for (;;)
		pause();
}

static void
be_echo(void)
{
	nng_socket socket = open_pair(forward.back, false);

	move(socket, socket);
	for (;;)
		pause();
}

static pid_t
spawn(void (*run)(void))
{
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		run();
	}
	return pid;
}

int
bus_forward_start(const char *dir)
{
	snprintf(forward.front, sizeof forward.front, "ipc://%s/front", dir);
	snprintf(forward.back, sizeof forward.back, "ipc://%s/back", dir);
	forward.forwarder = spawn(be_forwarder);
	forward.echo = spawn(be_echo);
	return forward.forwarder < 0 || forward.echo < 0 ? -1 : 0;
}

/* ---- the client ------------------------------------------------------------------------- */

static struct {
	nng_mtx *lock;
	nng_cv *done;
	nng_aio *receive;
	nng_aio *send[BUS_BENCH_WINDOW_MAX];
	uint64_t sent_ns[BUS_BENCH_WINDOW_MAX];
	uint32_t *latency_ns;
	uint32_t sent, answered, count;
} client;

static void
send_slot(uint32_t index, nng_msg *msg)
{
	nng_aio_wait(client.send[index]);
	client.sent_ns[index] = clock_monotonic_ns();
	client.sent++;
	nng_aio_set_msg(client.send[index], msg);
	nng_send_aio(forward.socket, client.send[index]);
}

static void
answered(void *arg)
{
	nng_msg *msg = nng_aio_get_msg(client.receive);
	uint32_t index;

	(void)arg;
	check(nng_aio_result(client.receive), "receive");
	memcpy(&index, nng_msg_body(msg), sizeof index);
	nng_mtx_lock(client.lock);
	client.latency_ns[client.answered++] =
	    (uint32_t)(clock_monotonic_ns() - client.sent_ns[index]);
	if (client.sent < client.count)
		send_slot(index, msg);
	else
		nng_msg_free(msg);
	if (client.answered == client.count)
		nng_cv_wake(client.done);
	else
		nng_recv_aio(forward.socket, client.receive);
	nng_mtx_unlock(client.lock);
}

static int
compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static void
client_open(void)
{
	if (client.lock != NULL)
		return;
	forward.socket = open_pair(forward.front, false);
	check(nng_mtx_alloc(&client.lock), "mutex");
	check(nng_cv_alloc(&client.done, client.lock), "condition");
	check(nng_aio_alloc(&client.receive, answered, NULL), "aio");
	for (uint32_t i = 0; i < BUS_BENCH_WINDOW_MAX; i++)
		check(nng_aio_alloc(&client.send[i], NULL, NULL), "aio");
}

void
bus_forward_run(const struct bus_bench_order *order, struct bus_bench_result *ret)
{
	uint64_t start_ns;

	client_open();
	client.latency_ns = calloc(order->count, sizeof *client.latency_ns);
	client.sent = client.answered = 0;
	client.count = order->count;
	start_ns = clock_monotonic_ns();
	nng_recv_aio(forward.socket, client.receive);
	nng_mtx_lock(client.lock);
	for (uint32_t i = 0; i < order->window; i++) {
		nng_msg *msg;

		check(nng_msg_alloc(&msg, BUS_BENCH_BODY), "message");
		memcpy(nng_msg_body(msg), &i, sizeof i);
		send_slot(i, msg);
	}
	while (client.answered < order->count)
		nng_cv_wait(client.done);
	nng_mtx_unlock(client.lock);
	*ret = (struct bus_bench_result){.elapsed_ns = clock_monotonic_ns() - start_ns};
	qsort(client.latency_ns, order->count, sizeof *client.latency_ns, compare);
	ret->p50_ns = client.latency_ns[order->count / 2];
	ret->p99_ns = client.latency_ns[order->count / 100 * 99];
	free(client.latency_ns);
}

void
bus_forward_stop(void)
{
	kill(forward.forwarder, SIGKILL);
	kill(forward.echo, SIGKILL);
	waitpid(forward.forwarder, NULL, 0);
	waitpid(forward.echo, NULL, 0);
}
