/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bus: what a call from one plugin to another costs, against the floor.
 *
 *   forward   client - forwarder - echo over plain pair0 sockets, bytes passed on undecoded
 *   call      plugin - kernel - plugin: packed, decoded, routed, packed again, on all three sides
 *   hop       kernel - plugin alone
 *
 * The kernel here only routes; policy and ledger have benchmarks of their own.  Rounds alternate,
 * so that a noisy machine disturbs all alike; medians.  A message is a round trip of 200 bytes.
 *
 * usage: bench_bus [ROUNDS [COUNT]]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <uv.h>

#include "base/clock.h"
#include "base/test.h"
#include "base/text.h"
#include "bus_bench.h"
#include "supervisor/supervisor.h"

#define ROUTES 4096
#define WINDOW 256
#define RUN_ID 1

static struct {
	uv_loop_t loop;
	struct supervisor *supervisor;
	struct supervisor_plugin *client, *echo;
	unsigned ready;
	uint64_t routes[ROUTES]; /* our id modulo ROUTES to the client's */
	uint64_t next_id;
	struct bus_bench_result result;
	bool done;
	/* of a hop run */
	bool hopping;
	struct bus_bench_order order;
	uint32_t sent, answered;
	uint64_t sent_ns[ROUTES];
	uint32_t *latency_ns;
} kernel;

static char body[BUS_BENCH_BODY];

static void
die(const char *what)
{
	fprintf(stderr, "bench_bus: %s\n", what);
	_exit(1);
}

/* ---- routing ---------------------------------------------------------------------------- */

static void
hop_send(void)
{
	Cairn__Envelope envelope = CAIRN__ENVELOPE__INIT;
	char subject[] = "bench.echo";

	envelope.kind = CAIRN__ENVELOPE__KIND__CALL;
	envelope.id = ++kernel.next_id;
	envelope.subject = subject;
	envelope.timeout_ms = 60000;
	envelope.body.data = (uint8_t *)body;
	envelope.body.len = sizeof body;
	kernel.sent_ns[envelope.id % ROUTES] = clock_monotonic_ns();
	kernel.sent++;
	if (supervisor_send(kernel.echo, &envelope) != 0)
		die("cannot send");
}

static void
hop_answered(const Cairn__Envelope *envelope)
{
	kernel.latency_ns[kernel.answered++] =
	    (uint32_t)(clock_monotonic_ns() - kernel.sent_ns[envelope->id % ROUTES]);
	if (kernel.sent < kernel.order.count)
		hop_send();
	kernel.done = kernel.answered == kernel.order.count;
}

static void
on_message(void *arg, struct supervisor_plugin *plugin, const Cairn__Envelope *envelope)
{
	Cairn__Envelope routed = *envelope;

	(void)arg;
	if (plugin == kernel.client && envelope->kind == CAIRN__ENVELOPE__KIND__CALL) {
		routed.id = ++kernel.next_id;
		kernel.routes[routed.id % ROUTES] = envelope->id;
		if (supervisor_send(kernel.echo, &routed) != 0)
			die("cannot route a call");
	} else if (plugin == kernel.echo && kernel.hopping) {
		hop_answered(envelope);
	} else if (plugin == kernel.echo) {
		routed.id = kernel.routes[envelope->id % ROUTES];
		if (supervisor_send(kernel.client, &routed) != 0)
			die("cannot route a reply");
	} else if (envelope->kind == CAIRN__ENVELOPE__KIND__REPLY) {
		if (envelope->body.len != sizeof kernel.result)
			die("the client failed");
		memcpy(&kernel.result, envelope->body.data, sizeof kernel.result);
		kernel.done = true;
	}
}

static void
on_ready(void *arg, struct supervisor_plugin *plugin)
{
	(void)arg;
	(void)plugin;
	kernel.ready++;
}

static void
run_until_done(void)
{
	while (!kernel.done)
		uv_run(&kernel.loop, UV_RUN_ONCE);
	kernel.done = false;
}

/* ---- the three -------------------------------------------------------------------------- */

static void
run_forward(const struct bus_bench_order *order, struct bus_bench_result *ret)
{
	bus_forward_run(order, ret);
}

static void
run_call(const struct bus_bench_order *order, struct bus_bench_result *ret)
{
	Cairn__Envelope envelope = CAIRN__ENVELOPE__INIT;

	envelope.kind = CAIRN__ENVELOPE__KIND__CALL;
	envelope.id = RUN_ID;
	envelope.body.data = (uint8_t *)(uintptr_t)order;
	envelope.body.len = sizeof *order;
	if (supervisor_send(kernel.client, &envelope) != 0)
		die("cannot start the client");
	run_until_done();
	if (kernel.result.failed > 0)
		die("calls failed");
	*ret = kernel.result;
}

static void
run_hop(const struct bus_bench_order *order, struct bus_bench_result *ret)
{
	uint64_t start_ns = clock_monotonic_ns();

	kernel.hopping = true;
	kernel.order = *order;
	kernel.sent = kernel.answered = 0;
	kernel.latency_ns = calloc(order->count, sizeof *kernel.latency_ns);
	for (uint32_t i = 0; i < order->window; i++)
		hop_send();
	run_until_done();
	kernel.hopping = false;
	*ret = (struct bus_bench_result){.elapsed_ns = clock_monotonic_ns() - start_ns};
	bus_bench_latency(kernel.latency_ns, order->count, ret);
	free(kernel.latency_ns);
}

/* ---- rounds ----------------------------------------------------------------------------- */

static const struct bus_bench_kind kinds[] = {
    {"forward", run_forward}, {"call", run_call}, {"hop", run_hop}};

static struct supervisor_plugin *
add(const char *name, const char *path)
{
	Cairn__Welcome welcome = CAIRN__WELCOME__INIT;
	const struct supervisor_plugin_options options = {
	    .name = name, .version = "0.1.0", .path = path, .welcome = &welcome};
	struct supervisor_plugin *plugin;
	struct cairn_error err = {0};

	welcome.wire = 1;
	if (supervisor_add(kernel.supervisor, &options, &plugin, &err) != 0 ||
	    supervisor_start(plugin, &err) != 0)
		die(err.text);
	return plugin;
}

static void
closed(void *arg)
{
	(void)arg;
	kernel.done = true;
}

int
main(int argc, char **argv)
{
	const struct supervisor_ops ops = {.ready = on_ready, .message = on_message};
	struct supervisor_options options = {.host_path = BENCH_HOST,
	    .restart_limit = 1,
	    .restart_window_s = 60,
	    .stop_timeout_ms = 5000,
	    .heartbeat_ms = 2000};
	struct cairn_error err = {0};
	struct test_dir dir;
	int64_t rounds = 7, count = 100000;

	if ((argc > 1 && text_to_integer(argv[1], 1, BUS_BENCH_ROUNDS_MAX, &rounds) != 0) ||
	    (argc > 2 && text_to_integer(argv[2], 1000, 10000000, &count) != 0))
		die("usage: bench_bus [ROUNDS [COUNT]]");
	test_dir_make(&dir);
	if (bus_forward_start(dir.path) != 0) /* forks: before this process has threads */
		die("cannot fork");
	uv_loop_init(&kernel.loop);
	options.run_dir = options.log_dir = dir.path;
	if (supervisor_new(&kernel.supervisor, &kernel.loop, &options, &ops, NULL, &err) != 0)
		die(err.text);
	kernel.client = add("bus-client", BENCH_CLIENT);
	kernel.echo = add("bus-echo", BENCH_ECHO);
	while (kernel.ready < 2)
		uv_run(&kernel.loop, UV_RUN_ONCE);
	bus_bench_table(
	    kinds, sizeof kinds / sizeof *kinds, (size_t)rounds, WINDOW, (uint32_t)count);
	supervisor_close(kernel.supervisor, closed, NULL);
	run_until_done();
	bus_forward_stop();
	test_dir_remove(&dir);
	fflush(stdout);
	_exit(0); /* the plain sockets may not close: see channel.h */
}
