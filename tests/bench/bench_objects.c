/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The object store against its floor, in one run: a plain file, one writev and (for power
 * durability) one fdatasync per group, with the group size that the store had on average, no
 * hashing, no index, no copy.  Rounds are interleaved; the table shows medians.
 *
 *   bench_objects [DIR [ROUNDS [NAME]]]      NAME: only the rows whose name has this in it
 */

#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "objects/engine.h"

#define ROUNDS_MAX 25
#define NOTE_SIZE 300

struct load {
	const char *name;
	size_t size;
	unsigned count;
	unsigned window; /* objects under way at any time */
	enum objects_durability durability;
};

struct run {
	const struct load *load;
	const uint8_t *bytes;
	struct objects *objects;
	uv_loop_t loop;
	unsigned begun;
	unsigned done;
	int code;
};

struct result {
	double rate;
	double group;
	double cpu_us; /* of all threads, per object */
};

static double
cpu_seconds(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	    (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void feed(struct run *run);

static void
durable(void *arg, int code, const struct objects_ref *ref)
{
	struct run *run = arg;

	(void)ref;
	run->done++;
	if (code != 0)
		run->code = code;
	feed(run);
}

static void
feed(struct run *run)
{
	const struct load *load = run->load;

	while (
	    run->code == 0 && run->begun < load->count && run->begun - run->done < load->window) {
		static const uint8_t note[NOTE_SIZE];
		struct objects_put *put;
		char key[40];

		snprintf(key, sizeof key, "2.25.1234567890123456789.%u", run->begun);
		run->code = objects_begin(run->objects, key, NULL, &put, NULL, NULL);
		if (run->code != 0)
			return;
		run->begun++;
		run->code = objects_write(put, run->bytes, load->size, NULL);
		if (run->code != 0 ||
		    objects_commit(put, note, sizeof note, durable, run, NULL) != 0)
			return;
	}
}

/* The appender counts groups by its writes: one pwritev each, up to IOV_MAX pieces. */
static atomic_uint groups;

static ssize_t
counting_pwritev(int fd, const struct iovec *iov, int count, off_t offset)
{
	atomic_fetch_add(&groups, 1);
	return pwritev(fd, iov, count, offset);
}

static int
store_run(const struct load *load, const char *dir, const uint8_t *bytes, struct result *ret)
{
	struct objects_options options = {.dir = dir, .durability = load->durability};
	struct objects_io io = {.pwritev = counting_pwritev, .datasync = fdatasync};
	struct run run = {.load = load, .bytes = bytes};
	struct cairn_error err = {0};
	uint64_t start;
	double cpu;

	uv_loop_init(&run.loop);
	if (objects_open_io(&run.objects, &run.loop, &options, &io, &err) != 0) {
		fprintf(stderr, "bench_objects: %s\n", err.text);
		return CAIRN_EIO;
	}
	atomic_store(&groups, 0);
	start = clock_monotonic_ns();
	cpu = cpu_seconds();
	feed(&run);
	while (run.done < load->count && run.code == 0)
		uv_run(&run.loop, UV_RUN_ONCE);
	ret->rate = load->count * 1e9 / (double)(clock_monotonic_ns() - start);
	ret->cpu_us = (cpu_seconds() - cpu) * 1e6 / load->count;
	ret->group = (double)load->count / atomic_load(&groups);
	objects_close(run.objects, NULL, NULL);
	uv_run(&run.loop, UV_RUN_DEFAULT);
	uv_loop_close(&run.loop);
	return run.code;
}

static int
floor_group(int fd, const struct load *load, const uint8_t *bytes, unsigned count)
{
	static const uint8_t extra[RECORD_HEADER_SIZE + NOTE_SIZE];
	struct iovec iov[IOV_MAX];
	unsigned pieces = 0;

	for (unsigned i = 0; i < count; i++) {
		iov[pieces++] = (struct iovec){(void *)(uintptr_t)extra, sizeof extra};
		iov[pieces++] = (struct iovec){(void *)(uintptr_t)bytes, load->size};
	}
	if (writev(fd, iov, (int)pieces) != (ssize_t)(count * (load->size + sizeof extra)))
		return CAIRN_EIO;
	return load->durability == OBJECTS_POWER && fdatasync(fd) != 0 ? CAIRN_EIO : 0;
}

static int
floor_run(const struct load *load, const char *dir, const uint8_t *bytes, double group, double *ret)
{
	char path[PATH_MAX];
	unsigned each = group < 1 ? 1 : group > 500 ? 500 : (unsigned)(group + 0.5);
	uint64_t start;
	int fd, code = 0;

	if (file_join(path, sizeof path, dir, "floor") != 0)
		return CAIRN_ELIMIT;
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0)
		return CAIRN_EIO;
	start = clock_monotonic_ns();
	for (unsigned done = 0; code == 0 && done < load->count; done += each)
		code = floor_group(
		    fd, load, bytes, load->count - done < each ? load->count - done : each);
	*ret = load->count * 1e9 / (double)(clock_monotonic_ns() - start);
	close(fd);
	return code;
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double
median(double *values, unsigned count)
{
	qsort(values, count, sizeof *values, compare);
	return values[count / 2];
}

/* A fresh directory under `base`, removed with all in it by the caller's end_round. */
static int
begin_round(const char *base, char ret[PATH_MAX])
{
	snprintf(ret, PATH_MAX, "%s/bench-objects-XXXXXX", base);
	return mkdtemp(ret) == NULL ? CAIRN_EIO : 0;
}

static void
end_round(const char *dir)
{
	pid_t pid = fork();

	if (pid == 0) {
		execlp("rm", "rm", "-rf", dir, (char *)NULL);
		_exit(1);
	}
	waitpid(pid, NULL, 0);
	sync(); /* the next round pays for its own writes only */
}

static int
floor_round(
    const struct load *load, const char *base, const uint8_t *bytes, double group, double *ret)
{
	char dir[PATH_MAX];
	int code = begin_round(base, dir);

	if (code != 0)
		return code;
	code = floor_run(load, dir, bytes, group, ret);
	end_round(dir);
	return code;
}

/* A virtual machine's host gives memory back that was free for a while, and the next one to use it
 * pays for it: copying into such pages was five times slower here.  So an unmeasured run comes
 * before each measured one. */
static int
round_run(const struct load *load, const char *base, const uint8_t *bytes, struct result *store,
    double *ret_floor)
{
	char dir[PATH_MAX];
	double unused;
	int code = floor_round(load, base, bytes, load->window, &unused);

	if (code == 0)
		code = begin_round(base, dir);
	if (code == 0) {
		code = store_run(load, dir, bytes, store);
		end_round(dir);
	}
	if (code == 0)
		code = floor_round(load, base, bytes, load->window, &unused);
	return code == 0 ? floor_round(load, base, bytes, store->group, ret_floor) : code;
}

static const struct load loads[] = {
    {"0.5 MB, power, 4 under way", 512 * 1024, 600, 4, OBJECTS_POWER},
    {"0.5 MB, power, 32 under way", 512 * 1024, 1000, 32, OBJECTS_POWER},
    {"0.5 MB, process, 4 under way", 512 * 1024, 1500, 4, OBJECTS_PROCESS},
    {"0.5 MB, process, 32 under way", 512 * 1024, 1500, 32, OBJECTS_PROCESS},
    {"8 KB, power, 4 under way", 8192, 3000, 4, OBJECTS_POWER},
    {"8 KB, power, 256 under way", 8192, 40000, 256, OBJECTS_POWER},
    {"8 KB, process, 4 under way", 8192, 40000, 4, OBJECTS_PROCESS},
    {"8 KB, process, 256 under way", 8192, 40000, 256, OBJECTS_PROCESS},
};
#define LOADS (sizeof loads / sizeof loads[0])

int
main(int argc, char **argv)
{
	static double store[LOADS][ROUNDS_MAX], lowest[LOADS][ROUNDS_MAX], ratio[LOADS][ROUNDS_MAX];
	static double group[LOADS][ROUNDS_MAX], cpu_us[LOADS][ROUNDS_MAX];
	const char *base = argc > 1 ? argv[1] : "/tmp";
	const char *only = argc > 3 ? argv[3] : "";
	int64_t rounds = 5;
	uint8_t *bytes = malloc(512 * 1024);

	if (argc > 2 && text_to_integer(argv[2], 1, ROUNDS_MAX, &rounds) != 0)
		return 2;
	for (size_t i = 0; i < 512 * 1024; i++)
		bytes[i] = (uint8_t)(i * 2654435761u >> 16);
	for (unsigned round = 0; round < rounds; round++) {
		for (size_t i = 0; i < LOADS; i++) {
			struct result result = {0};

			if (strstr(loads[i].name, only) == NULL)
				continue;
			if (round_run(&loads[i], base, bytes, &result, &lowest[i][round]) != 0) {
				fprintf(stderr, "bench_objects: %s failed\n", loads[i].name);
				return 1;
			}
			store[i][round] = result.rate;
			group[i][round] = result.group;
			cpu_us[i][round] = result.cpu_us;
			ratio[i][round] = result.rate / lowest[i][round];
		}
	}
	free(bytes);
	printf("| objects | store /s | floor /s | ratio | group | CPU us each "
	       "|\n|---|---|---|---|---|---|\n");
	for (size_t i = 0; i < LOADS; i++) {
		if (strstr(loads[i].name, only) == NULL)
			continue;
		printf("| %s | %.0f | %.0f | %.2f | %.1f | %.0f |\n", loads[i].name,
		    median(store[i], (unsigned)rounds), median(lowest[i], (unsigned)rounds),
		    median(ratio[i], (unsigned)rounds), median(group[i], (unsigned)rounds),
		    median(cpu_us[i], (unsigned)rounds));
	}
	return 0;
}
