/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JOBS_OP_H
#define JOBS_OP_H

/*
 * What the loop asks of the worker.  Operations are applied in the order in which they were asked,
 * many in one transaction, and come back to the loop in that order.
 *
 * A put may fail (a full disk) and says so to who asked.  Everything else must get to the disk some
 * time: the worker keeps it until a transaction succeeds.
 */

#include <stddef.h>
#include <stdint.h>

#include "jobs/heap.h"
#include "jobs/jobs.h"

#define OP_REASON_MAX 127

enum op_type {
	OP_QUEUE, /* a queue got its number */
	OP_PUT,
	OP_DONE,   /* items: id, queue */
	OP_STATE,  /* items: id, attempt, and the op's state and reason for all of them */
	OP_MARK,   /* as OP_STATE; the items come back as ready and marked */
	OP_REVIVE, /* items: id, queue; the order comes back as 0 for one that is not dead */
	OP_DROP,   /* the same */
	OP_TAKEN,  /* first attempts of `queue` were handed out up to the job `taken_up_to` */
	OP_CLEAN,  /* the last before the end: nothing is in flight */
};

enum state_flag {
	STATE_DEAD = 1,
	STATE_IN_FLIGHT = 2,
	STATE_SUSPECT = 4,
};

/* One job to put: `record` is what is stored (store.h). */
struct op_job {
	uint64_t id; /* the worker gives it; 0: its key was seen before */
	uint16_t queue;
	uint8_t key_length;
	const uint8_t *key; /* inside the record */
	const uint8_t *record;
	size_t record_length;
};

struct op {
	struct op *next;
	enum op_type type;
	int code;
	uint16_t queue;
	uint8_t state; /* enum state_flag */
	uint64_t taken_up_to;
	jobs_durable_fn durable;
	void *arg;
	size_t bytes; /* of all records */
	size_t count; /* of jobs or items */
	struct op_job *jobs;
	struct job_item *items;
	uint8_t *blob;  /* the records */
	char text[128]; /* the reason of a state; the name of a queue */
};

/* An operation with room for `count` items.  NULL when out of memory. */
struct op *op_new(enum op_type type, size_t count);
struct op *op_new_put(const struct jobs_put_entry *entries, const uint16_t *queues, size_t count);
void op_free(struct op *op);
void op_add_item(struct op *op, struct job_item item); /* into room given by op_new() */

struct op_list {
	struct op *first;
	struct op *last;
};

void op_list_append(struct op_list *list, struct op *op);
void op_list_join(struct op_list *list, struct op_list *more); /* `more` is empty afterwards */
struct op_list op_list_take(struct op_list *list);
void op_list_free(struct op_list *list);

#endif
