/* SPDX-License-Identifier: Apache-2.0 */
#include "jobs/table.h"

#include <assert.h>
#include <stdlib.h>

#include <cairn/error.h>

/* Linear probing, at most half full; removal moves later entries of the run back. */

/* Ids are consecutive: a multiplication spreads runs that would otherwise touch. */
static size_t
home(const struct table *table, uint64_t id)
{
	return (size_t)(id * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (table->size - 1);
}

static void
insert(struct table *table, struct table_entry entry)
{
	size_t at = home(table, entry.id);

	while (table->slots[at].id != 0)
		at = (at + 1) & (table->size - 1);
	table->slots[at] = entry;
}

int
table_reserve(struct table *table, size_t count)
{
	struct table grown = {.size = table->size < 64 ? 64 : table->size};

	if (count > SIZE_MAX / 64)
		return CAIRN_ENOMEM;
	while (grown.size < 2 * count)
		grown.size *= 2;
	if (grown.size == table->size)
		return 0;
	grown.slots = calloc(grown.size, sizeof *grown.slots);
	if (grown.slots == NULL)
		return CAIRN_ENOMEM;
	for (size_t i = 0; i < table->size; i++)
		if (table->slots[i].id != 0)
			insert(&grown, table->slots[i]);
	grown.count = table->count;
	free(table->slots);
	*table = grown;
	return 0;
}

void
table_add(struct table *table, struct table_entry entry)
{
	assert(entry.id != 0 && table->count < table->size / 2);
	insert(table, entry);
	table->count++;
}

struct table_entry *
table_find(const struct table *table, uint64_t id)
{
	size_t at;

	if (table->size == 0 || id == 0)
		return NULL;
	for (at = home(table, id); table->slots[at].id != 0; at = (at + 1) & (table->size - 1))
		if (table->slots[at].id == id)
			return &table->slots[at];
	return NULL;
}

void
table_remove(struct table *table, struct table_entry *entry)
{
	size_t mask = table->size - 1;
	size_t hole = (size_t)(entry - table->slots);

	for (size_t at = (hole + 1) & mask; table->slots[at].id != 0; at = (at + 1) & mask) {
		size_t distance = (at - home(table, table->slots[at].id)) & mask;

		if (distance < ((at - hole) & mask))
			continue; /* it would come to lie before its home */
		table->slots[hole] = table->slots[at];
		hole = at;
	}
	table->slots[hole] = (struct table_entry){0};
	table->count--;
}

void
table_fini(struct table *table)
{
	free(table->slots);
	*table = (struct table){0};
}
