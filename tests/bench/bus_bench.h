/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_BUS_BENCH_H
#define BENCH_BUS_BENCH_H

/* What the two sides of the benchmark of the bus tell each other. */

#include <stddef.h>
#include <stdint.h>

#define BUS_BENCH_BODY 200
#define BUS_BENCH_WINDOW_MAX 1024

struct bus_bench_order {
	uint32_t window; /* calls under way */
	uint32_t count;
};

struct bus_bench_result {
	uint64_t elapsed_ns;
	uint32_t p50_ns, p99_ns;
	uint32_t failed;
};

/* bus_table.c: `rounds` of every kind in turn, then a table of medians with ratios to the first.
 * Rates with `window` calls under way, latencies with one. */
#define BUS_BENCH_ROUNDS_MAX 101
#define BUS_BENCH_KINDS_MAX 5
struct bus_bench_kind {
	const char *name;
	void (*run)(const struct bus_bench_order *order, struct bus_bench_result *ret);
};
void bus_bench_table(const struct bus_bench_kind *kinds, size_t kind_count, size_t rounds,
    uint32_t window, uint32_t count);
/* Sorts, and fills in the percentiles. */
void bus_bench_latency(uint32_t *latency_ns, uint32_t count, struct bus_bench_result *ret);

/* bus_forward.c: the same traffic through plain pair0 sockets, client - forwarder - echo in three
 * processes, nothing decoded. `dir` is where the sockets go. */
int bus_forward_start(const char *dir);
void bus_forward_run(const struct bus_bench_order *order, struct bus_bench_result *ret);
void bus_forward_stop(void);

#endif
