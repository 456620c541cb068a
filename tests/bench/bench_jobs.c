/* SPDX-License-Identifier: Apache-2.0 */

/*
 * bench_jobs [DIR] [JOBS] [BATCH]: small durable jobs a second, put in batches by one side and
 * taken and acknowledged by the other on the same loop, as the kernel does for two plugins; every
 * job with an idempotency key.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "jobs/jobs.h"

#define BODY 200
#define BATCH_MAX 1024
#define BATCHES_UNDER_WAY 8
#define ROUNDS 3

struct run {
	uv_loop_t loop;
	struct jobs *jobs;
	uint64_t put;
	uint64_t durable;
	uint64_t done;
	uint64_t wanted;
	size_t batch;
	int failed;
};

static void
take_all(struct run *run)
{
	struct jobs_taken taken[BATCH_MAX];
	uint64_t ids[BATCH_MAX];
	size_t count = 1;

	while (count > 0) {
		if (jobs_take(run->jobs, "facts", taken, run->batch, &count, NULL) != 0)
			exit(1);
		for (size_t i = 0; i < count; i++) {
			ids[i] = taken[i].id;
			free(taken[i].body);
		}
		if (count > 0)
			jobs_done(run->jobs, ids, count);
		run->done += count;
	}
}

static void
on_wake(void *arg, const char *queue)
{
	(void)queue;
	take_all(arg);
}

static void
on_durable(void *arg, int code, const char *text)
{
	struct run *run = arg;

	(void)text;
	run->failed |= code;
	run->durable += run->batch;
}

static void
put_batch(struct run *run)
{
	struct jobs_put_entry entries[BATCH_MAX];
	char keys[BATCH_MAX][64], body[BODY] = {1, 2, 3};

	for (size_t i = 0; i < run->batch; i++) {
		snprintf(keys[i], sizeof keys[i], "2.25.1234567890123456789012345678.%llu",
		    (unsigned long long)run->put++);
		entries[i] = (struct jobs_put_entry){"facts", keys[i], body, sizeof body};
	}
	if (jobs_put(run->jobs, entries, run->batch, on_durable, run, NULL) != 0)
		exit(1);
}

static double
measure(const char *dir, uint64_t wanted, size_t batch)
{
	const struct jobs_options options = {.dir = dir};
	struct run run = {.wanted = wanted, .batch = batch};
	struct cairn_error err = {0};
	uint64_t start;
	double ns;

	if (uv_loop_init(&run.loop) != 0 ||
	    jobs_open(&run.jobs, &run.loop, &options, on_wake, &run, &err) != 0) {
		fprintf(stderr, "bench_jobs: %s\n", err.text);
		exit(1);
	}
	start = clock_monotonic_ns();
	while (run.done < wanted) {
		while (run.put < wanted && run.put - run.durable < BATCHES_UNDER_WAY * batch)
			put_batch(&run);
		uv_run(&run.loop, UV_RUN_ONCE);
	}
	jobs_close(run.jobs, NULL, NULL); /* the last acknowledgements too */
	uv_run(&run.loop, UV_RUN_DEFAULT);
	ns = (double)(clock_monotonic_ns() - start);
	uv_loop_close(&run.loop);
	if (run.failed != 0)
		exit(1);
	return (double)run.done * 1e9 / ns;
}

int
main(int argc, char **argv)
{
	const char *base = argc > 1 ? argv[1] : "bench-jobs";
	int64_t jobs = 200000, batch = 256;
	char dir[512];

	if ((argc > 2 && text_to_integer(argv[2], 1, 100000000, &jobs) != 0) ||
	    (argc > 3 && text_to_integer(argv[3], 1, BATCH_MAX, &batch) != 0) || argc > 4) {
		fprintf(stderr, "usage: bench_jobs [DIR] [JOBS] [BATCH]\n");
		return 2;
	}
	for (int round = 0; round < ROUNDS; round++) {
		snprintf(dir, sizeof dir, "%s/jobs-%d", base, round);
		printf("put + take + done, batches of %lld, %d bytes: %.0f jobs/s\n",
		    (long long)batch, BODY, measure(dir, (uint64_t)jobs, (size_t)batch));
	}
	return 0;
}
