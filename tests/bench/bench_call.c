/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a call costs in a whole, running node, against the floors of this machine.
 *
 *   socket    round trip with another process over a bare Unix socket
 *   forward   client - forwarder - echo over plain pair0 sockets, bytes passed on undecoded
 *   call      control socket - kernel - plugin and back, unguarded (hello.greet)
 *   guarded   the same with policy, ledger on disk before the answer, and outcome (cohort.count)
 *   job       a call whose plugin puts a job, answered when that is on disk (bench.put, job_put.c);
 *             the job is done meanwhile
 *
 * Rounds alternate; medians.  platform.py starts the node.
 *
 * usage: bench_call CONTROL_SOCKET [ROUNDS [COUNT]]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <arpa/inet.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/test.h"
#include "base/text.h"
#include "bus_bench.h"
#include "cairn/bus.pb-c.h"

#define COUNT_MAX 1000000
#define WINDOW 64
#define FRAME_MAX 65536

struct line {
	int fd;
	const char *subject, *purpose;
	const char *body;
	size_t length;
};

static struct line socket_line, call_line, guarded_line, job_line;
static uint32_t latency_ns[COUNT_MAX];

static void
die(const char *what)
{
	fprintf(stderr, "bench_call: %s\n", what);
	_exit(1);
}

/* ---- frames ----------------------------------------------------------------------------- */

static void
send_call(const struct line *line, uint64_t id)
{
	Cairn__Envelope envelope = CAIRN__ENVELOPE__INIT;
	Cairn__Context context = CAIRN__CONTEXT__INIT;
	uint8_t frame[FRAME_MAX];
	uint32_t length;

	context.purpose = (char *)(uintptr_t)line->purpose;
	envelope.kind = CAIRN__ENVELOPE__KIND__CALL;
	envelope.id = id;
	envelope.subject = (char *)(uintptr_t)line->subject;
	envelope.timeout_ms = 60000;
	envelope.context = &context;
	envelope.body.data = (uint8_t *)(uintptr_t)line->body;
	envelope.body.len = line->length;
	length = (uint32_t)cairn__envelope__pack(&envelope, frame + 4);
	*(uint32_t *)(void *)frame = htonl(length);
	if (file_write_all(line->fd, frame, length + 4) != 0)
		die("cannot send");
}

static void
take_reply(const struct line *line)
{
	uint8_t frame[FRAME_MAX];
	uint32_t length;
	Cairn__Envelope *reply;

	if (file_read_all(line->fd, &length, sizeof length) != 0)
		die("the other side is gone");
	length = ntohl(length);
	if (length > sizeof frame || file_read_all(line->fd, frame, length) != 0)
		die("cannot read a reply");
	reply = cairn__envelope__unpack(NULL, length, frame);
	if (reply == NULL || reply->code != 0)
		die(reply == NULL ? "no Envelope came" : reply->text);
	cairn__envelope__free_unpacked(reply, NULL);
}

/* ---- the five --------------------------------------------------------------------------- */

static void
run_line(const struct line *line, const struct bus_bench_order *order, struct bus_bench_result *ret)
{
	uint64_t start_ns = clock_monotonic_ns(), sent_ns[BUS_BENCH_WINDOW_MAX];
	uint32_t sent = 0;

	for (uint32_t done = 0; done < order->count; done++) {
		while (sent < order->count && sent - done < order->window) {
			sent_ns[sent % order->window] = clock_monotonic_ns();
			send_call(line, ++sent);
		}
		take_reply(line);
		latency_ns[done] = (uint32_t)(clock_monotonic_ns() - sent_ns[done % order->window]);
	}
	ret->elapsed_ns = clock_monotonic_ns() - start_ns;
	bus_bench_latency(latency_ns, order->count, ret);
}

static void
run_socket(const struct bus_bench_order *order, struct bus_bench_result *ret)
{
	run_line(&socket_line, order, ret);
}

static void
run_call(const struct bus_bench_order *order, struct bus_bench_result *ret)
{
	run_line(&call_line, order, ret);
}

static void
run_guarded(const struct bus_bench_order *order, struct bus_bench_result *ret)
{
	run_line(&guarded_line, order, ret);
}

static void
run_job(const struct bus_bench_order *order, struct bus_bench_result *ret)
{
	run_line(&job_line, order, ret);
}

static const struct bus_bench_kind kinds[] = {{"socket", run_socket}, {"forward", bus_forward_run},
    {"call", run_call}, {"guarded", run_guarded}, {"job", run_job}};

/* ---- the other sides -------------------------------------------------------------------- */

static int
connect_to(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (!text_copy(address.sun_path, sizeof address.sun_path, path) || fd < 0 ||
	    connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
		die("cannot connect to the node: is it running?");
	return fd;
}

/* Another process sends back what it gets. */
static int
echo_start(void)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		die("cannot make a socket pair");
	if (fork() == 0) {
		uint8_t bytes[FRAME_MAX];
		ssize_t got;

		close(pair[0]);
		while ((got = read(pair[1], bytes, sizeof bytes)) > 0)
			if (file_write_all(pair[1], bytes, (size_t)got) != 0)
				break;
		_exit(0);
	}
	close(pair[1]);
	return pair[0];
}

int
main(int argc, char **argv)
{
	static const char everyone[] = "\x0a\x02\x08\x06"; /* CountRequest: expression ALL */
	struct test_dir dir;
	int64_t rounds = 7, count = 20000;

	if (argc < 2 ||
	    (argc > 2 && text_to_integer(argv[2], 1, BUS_BENCH_ROUNDS_MAX, &rounds) != 0) ||
	    (argc > 3 && text_to_integer(argv[3], 1000, COUNT_MAX, &count) != 0))
		die("usage: bench_call CONTROL_SOCKET [ROUNDS [COUNT]]");
	test_dir_make(&dir);
	if (bus_forward_start(dir.path) != 0)
		die("cannot fork");
	socket_line = (struct line){echo_start(), "hello.greet", "", "", 0};
	call_line = (struct line){connect_to(argv[1]), "hello.greet", "", "", 0};
	guarded_line = (struct line){
	    connect_to(argv[1]), "cohort.count", "operations", everyone, sizeof everyone - 1};
	job_line = (struct line){connect_to(argv[1]), "bench.put", "", "", 0};
	bus_bench_table(
	    kinds, sizeof kinds / sizeof *kinds, (size_t)rounds, WINDOW, (uint32_t)count);
	bus_forward_stop();
	test_dir_remove(&dir);
	fflush(stdout);
	_exit(0); /* the plain sockets may not close: see channel.h */
}
