/* SPDX-License-Identifier: Apache-2.0 */
#include "jobs/op.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "jobs/store.h"

struct op *
op_new(enum op_type type, size_t count)
{
	struct op *op = calloc(1, sizeof *op);

	if (op == NULL)
		return NULL;
	op->type = type;
	op->count = count;
	op->items = count == 0 ? NULL : calloc(count, sizeof *op->items);
	if (count > 0 && op->items == NULL) {
		op_free(op);
		return NULL;
	}
	return op;
}

static void
fill_jobs(struct op *op, const struct jobs_put_entry *entries, const uint16_t *queues)
{
	uint8_t *at = op->blob;
	uint64_t now_ms = clock_wall_ms();

	for (size_t i = 0; i < op->count; i++) {
		struct op_job *job = &op->jobs[i];

		job->queue = queues[i];
		job->key_length = (uint8_t)strlen(entries[i].key); /* jobs_put() checked */
		job->record = at;
		job->record_length = record_length(job->key_length, entries[i].length);
		record_encode(at, job->queue, now_ms, &entries[i]);
		job->key = record_key(at);
		at += job->record_length;
	}
}

/* jobs_put() has checked the lengths, so that the sum cannot overflow. */
struct op *
op_new_put(const struct jobs_put_entry *entries, const uint16_t *queues, size_t count)
{
	struct op *op = op_new(OP_PUT, 0);

	if (op == NULL)
		return NULL;
	op->count = count;
	for (size_t i = 0; i < count; i++)
		op->bytes += record_length(strlen(entries[i].key), entries[i].length);
	op->jobs = calloc(count, sizeof *op->jobs);
	op->blob = malloc(op->bytes);
	if (op->jobs == NULL || op->blob == NULL) {
		op_free(op);
		return NULL;
	}
	fill_jobs(op, entries, queues);
	return op;
}

void
op_free(struct op *op)
{
	if (op == NULL)
		return;
	free(op->jobs);
	free(op->items);
	free(op->blob);
	free(op);
}

void
op_add_item(struct op *op, struct job_item item)
{
	op->items[op->count++] = item;
}

void
op_list_append(struct op_list *list, struct op *op)
{
	op->next = NULL;
	if (list->first == NULL)
		list->first = op;
	else
		list->last->next = op;
	list->last = op;
}

void
op_list_join(struct op_list *list, struct op_list *more)
{
	if (more->first == NULL)
		return;
	if (list->first == NULL)
		list->first = more->first;
	else
		list->last->next = more->first;
	list->last = more->last;
	*more = (struct op_list){0};
}

struct op_list
op_list_take(struct op_list *list)
{
	struct op_list taken = *list;

	*list = (struct op_list){0};
	return taken;
}

void
op_list_free(struct op_list *list)
{
	for (struct op *op = list->first, *next; op != NULL; op = next) {
		next = op->next;
		op_free(op);
	}
	*list = (struct op_list){0};
}
