/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin that calls `bench.echo` as fast as its window allows, and says how long that took. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cairn/plugin.h>

#include "base/clock.h"
#include "bus_bench.h"

static struct {
	struct cairn *cairn;
	struct cairn_request *run;
	struct bus_bench_order order;
	struct bus_bench_result result;
	uint64_t *sent_ns;
	uint32_t *latency_ns;
	uint32_t sent, answered;
	uint64_t start_ns;
	char body[BUS_BENCH_BODY];
} bench;

static void call_next(void);

static int
compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static void
finish(void)
{
	bench.result.elapsed_ns = clock_monotonic_ns() - bench.start_ns;
	qsort(bench.latency_ns, bench.order.count, sizeof *bench.latency_ns, compare);
	bench.result.p50_ns = bench.latency_ns[bench.order.count / 2];
	bench.result.p99_ns = bench.latency_ns[bench.order.count / 100 * 99];
	free(bench.sent_ns);
	free(bench.latency_ns);
	cairn_reply(bench.run, &bench.result, sizeof bench.result);
}

static void
answered(void *arg, int code, const char *text, const void *body, size_t length)
{
	const uint64_t *sent_ns = arg;

	(void)text;
	(void)body;
	if (code != 0 || length != BUS_BENCH_BODY)
		bench.result.failed++;
	bench.latency_ns[sent_ns - bench.sent_ns] = (uint32_t)(clock_monotonic_ns() - *sent_ns);
	if (++bench.answered == bench.order.count)
		finish();
	else if (bench.sent < bench.order.count)
		call_next();
}

static void
call_next(void)
{
	uint64_t *sent_ns = &bench.sent_ns[bench.sent];

	*sent_ns = clock_monotonic_ns();
	if (cairn_call(bench.cairn, "bench.echo", bench.body, sizeof bench.body, 60000, answered,
		sent_ns) == 0)
		bench.sent++;
}

static int
call(void *self, struct cairn_request *req, struct cairn_error *err)
{
	size_t length;
	const void *body = cairn_request_body(req, &length);

	(void)self;
	if (length != sizeof bench.order)
		return cairn_error_set(err, CAIRN_EINVAL, "not an order");
	memcpy(&bench.order, body, sizeof bench.order);
	bench.run = req;
	bench.result = (struct bus_bench_result){0};
	bench.sent = bench.answered = 0;
	bench.sent_ns = calloc(bench.order.count, sizeof *bench.sent_ns);
	bench.latency_ns = calloc(bench.order.count, sizeof *bench.latency_ns);
	if (bench.sent_ns == NULL || bench.latency_ns == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	bench.start_ns = clock_monotonic_ns();
	for (uint32_t i = 0; i < bench.order.window && i < bench.order.count; i++)
		call_next();
	return 0;
}

static int
start(struct cairn *cairn, void **ret_self, struct cairn_error *err)
{
	(void)ret_self;
	(void)err;
	bench.cairn = cairn;
	return 0;
}

CAIRN_PLUGIN(
    "bus-client", "0.1.0", "summary: For the benchmark of the bus\n", .start = start, .call = call)
