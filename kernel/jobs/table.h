/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JOBS_TABLE_H
#define JOBS_TABLE_H

/* Jobs by id (never 0): those that are taken, and those whose end is not on disk yet. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct table_entry {
	uint64_t id;
	uint32_t attempt;
	uint16_t queue;
	uint8_t flags;  /* enum job_flag */
	bool finishing; /* acknowledged; on its way to the disk */
};

struct table {
	struct table_entry *slots;
	size_t size; /* a power of two, or 0 */
	size_t count;
};

int table_reserve(struct table *table, size_t count);          /* CAIRN_ENOMEM */
void table_add(struct table *table, struct table_entry entry); /* into reserved room */
struct table_entry *table_find(const struct table *table, uint64_t id);
void table_remove(struct table *table, struct table_entry *entry);
void table_fini(struct table *table);

#endif
