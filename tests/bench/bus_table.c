/* SPDX-License-Identifier: Apache-2.0 */
#include "bus_bench.h"

#include <stdio.h>
#include <stdlib.h>

static int
compare_latency(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

void
bus_bench_latency(uint32_t *latency_ns, uint32_t count, struct bus_bench_result *ret)
{
	qsort(latency_ns, count, sizeof *latency_ns, compare_latency);
	ret->p50_ns = latency_ns[count / 2];
	ret->p99_ns = latency_ns[count / 100 * 99];
}

static int
compare_double(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double
median(double *values, size_t count)
{
	qsort(values, count, sizeof *values, compare_double);
	return values[count / 2];
}

void
bus_bench_table(const struct bus_bench_kind *kinds, size_t kind_count, size_t rounds,
    uint32_t window, uint32_t count)
{
	static double rate[BUS_BENCH_KINDS_MAX][BUS_BENCH_ROUNDS_MAX];
	static double p50[BUS_BENCH_KINDS_MAX][BUS_BENCH_ROUNDS_MAX];
	static double p99[BUS_BENCH_KINDS_MAX][BUS_BENCH_ROUNDS_MAX];
	const struct bus_bench_order many = {window, count}, single = {1, count / 10};
	struct bus_bench_result result;
	double base_rate = 0, base_p50 = 0;

	for (size_t round = 0; round < rounds; round++) {
		for (size_t i = 0; i < kind_count; i++) {
			kinds[i].run(&many, &result);
			rate[i][round] = count / ((double)result.elapsed_ns / 1e9);
			kinds[i].run(&single, &result);
			p50[i][round] = result.p50_ns / 1e3;
			p99[i][round] = result.p99_ns / 1e3;
		}
	}
	printf(
	    "%zu rounds, %u messages, window %u; latency with window 1\n", rounds, count, window);
	printf("%-8s %10s %6s %9s %6s %9s\n", "", "msgs/s", "ratio", "p50 us", "ratio", "p99 us");
	for (size_t i = 0; i < kind_count; i++) {
		double r = median(rate[i], rounds), l = median(p50[i], rounds);

		base_rate = i == 0 ? r : base_rate;
		base_p50 = i == 0 ? l : base_p50;
		printf("%-8s %10.0f %6.2f %9.1f %6.2f %9.1f\n", kinds[i].name, r, r / base_rate, l,
		    l / base_p50, median(p99[i], rounds));
	}
}
