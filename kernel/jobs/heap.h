/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JOBS_HEAP_H
#define JOBS_HEAP_H

/* A binary heap of jobs, the lowest `order` on top: the id for those that are ready, the time for
 * those that wait.  Room is reserved when a job is accepted, so that pushing it later cannot
 * fail. */

#include <stddef.h>
#include <stdint.h>

enum job_flag {
	JOB_SUSPECT = 1, /* was with a consumer that died */
	JOB_STRICT = 2,  /* its next attempt must be on disk before it is handed out */
	JOB_MARKED = 4,  /* its next attempt is on disk */
	JOB_STATED = 8,  /* has a row in the table of states */
};

struct job_item {
	uint64_t order;
	uint64_t id;
	uint32_t attempt; /* finished or begun so far */
	uint16_t queue;
	uint16_t flags;
};

struct heap {
	struct job_item *items;
	size_t count;
	size_t capacity;
};

int heap_reserve(struct heap *heap, size_t capacity);     /* CAIRN_ENOMEM */
void heap_push(struct heap *heap, struct job_item item);  /* into reserved room */
struct job_item heap_pop(struct heap *heap);              /* not when empty */
const struct job_item *heap_top(const struct heap *heap); /* NULL when empty */
void heap_fini(struct heap *heap);

#endif
