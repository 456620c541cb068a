/* SPDX-License-Identifier: Apache-2.0 */
#include "node/memory.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"

#define ROLLUP_MAX 65536

struct figure {
	int pid;
	uint64_t kb;
};

struct memory {
	uv_loop_t *loop;
	memory_pids_fn pids;
	void *arg;
	uv_work_t work;
	struct figure reading[MEMORY_PIDS_MAX]; /* the worker's while `busy` */
	size_t reading_count;
	struct figure last[MEMORY_PIDS_MAX];
	size_t last_count;
	uint64_t last_ms;
	uint64_t readings;
	bool busy;
	bool again; /* asked for by memory_renew() during a reading */
	bool freed;
};

struct memory *
memory_new(uv_loop_t *loop, memory_pids_fn pids, void *arg)
{
	struct memory *memory = calloc(1, sizeof *memory);

	if (memory == NULL)
		return NULL;
	memory->loop = loop;
	memory->pids = pids;
	memory->arg = arg;
	memory->work.data = memory;
	return memory;
}

void
memory_free(struct memory *memory)
{
	if (memory == NULL)
		return;
	if (memory->busy)
		memory->freed = true;
	else
		free(memory);
}

static uint64_t
read_kb(int pid)
{
	char path[64];
	BUF_AUTO text = {.max = ROLLUP_MAX};
	const char *line;

	snprintf(path, sizeof path, "/proc/%d/smaps_rollup", pid);
	if (file_read(path, &text, NULL) != 0 || buf_text(&text) == NULL)
		return 0; /* it ended meanwhile */
	line = strstr(buf_text(&text), "\nPss:");
	return line == NULL ? 0 : strtoull(line + 5, NULL, 10);
}

static void
on_worker(uv_work_t *work)
{
	struct memory *memory = work->data;

	for (size_t i = 0; i < memory->reading_count; i++)
		memory->reading[i].kb = read_kb(memory->reading[i].pid);
}

static void begin(struct memory *memory);

static void
on_read(uv_work_t *work, int status)
{
	struct memory *memory = work->data;

	memory->busy = false;
	if (memory->freed) {
		free(memory);
		return;
	}
	if (status == 0) {
		memcpy(memory->last, memory->reading, sizeof memory->last);
		memory->last_count = memory->reading_count;
		memory->last_ms = clock_monotonic_ms();
		memory->readings++;
	}
	if (memory->again)
		begin(memory);
}

static void
begin(struct memory *memory)
{
	int pids[MEMORY_PIDS_MAX];
	size_t count = memory->pids(memory->arg, pids, MEMORY_PIDS_MAX);

	for (size_t i = 0; i < count; i++)
		memory->reading[i] = (struct figure){.pid = pids[i]};
	memory->reading_count = count;
	memory->again = false;
	memory->busy = uv_queue_work(memory->loop, &memory->work, on_worker, on_read) == 0;
}

void
memory_ask(struct memory *memory)
{
	if (memory != NULL && !memory->busy && memory_age_ms(memory) >= MEMORY_PAUSE_MS)
		begin(memory);
}

void
memory_renew(struct memory *memory)
{
	if (memory == NULL)
		return;
	if (memory->busy)
		memory->again = true;
	else
		begin(memory);
}

uint64_t
memory_kb(const struct memory *memory, int pid)
{
	for (size_t i = 0; memory != NULL && i < memory->last_count; i++) {
		if (memory->last[i].pid == pid)
			return memory->last[i].kb;
	}
	return 0;
}

uint64_t
memory_age_ms(const struct memory *memory)
{
	return memory == NULL || memory->readings == 0 ? UINT64_MAX
						       : clock_monotonic_ms() - memory->last_ms;
}

uint64_t
memory_readings(const struct memory *memory)
{
	return memory == NULL ? 0 : memory->readings;
}
