/* SPDX-License-Identifier: Apache-2.0 */
/* Pending changes to postings, applied container by container in the order of their keys. */
#include "write.h"

#include <stdlib.h>
#include <string.h>

int
postings_change(struct index_write *w, const struct posting *posting, bool set)
{
	if (w->change_count == POSTINGS_PENDING_MAX) {
		int code = postings_flush(w);

		if (code != 0)
			return code;
	}
	if (w->change_count == w->change_capacity) {
		size_t capacity = w->change_capacity == 0 ? 1024 : w->change_capacity * 2;
		struct change *changes = realloc(w->changes, capacity * sizeof *changes);

		if (changes == NULL)
			return CAIRN_ENOMEM;
		w->changes = changes;
		w->change_capacity = capacity;
	}
	w->changes[w->change_count++] = (struct change){*posting, w->order++ << 1 | set};
	return 0;
}

int
postings_change_fact(
    struct index_write *w, const struct fact *fact, enum term_level level, uint32_t id, bool set)
{
	struct posting expanded[TERM_SHIFTS];
	unsigned count = posting_expand(fact->attribute, level, fact->key, id, expanded);
	int code = 0;

	for (unsigned i = 0; i < count && code == 0; i++)
		code = postings_change(w, &expanded[i], set);
	return code;
}

static int
compare_changes(const void *a, const void *b)
{
	const struct change *x = a, *y = b;
	int order = posting_compare(&x->posting, &y->posting);

	return order != 0 ? order : x->order < y->order ? -1 : x->order > y->order;
}

static bool
same_container(const struct posting *a, const struct posting *b)
{
	return a->major == b->major && a->minor >> 16 == b->minor >> 16;
}

/* The last change of each bit, ascending.  Returns how many. */
static size_t
last_changes(const struct change *changes, size_t count, struct container_change *ret)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		uint16_t low = (uint16_t)(changes[i].posting.minor & 0xffff);

		if (kept == 0 || ret[kept - 1].low != low)
			kept++;
		ret[kept - 1] = (struct container_change){low, (changes[i].order & 1) != 0};
	}
	return kept;
}

/* By way of a bitset: for containers that are one, or become one. */
static size_t
change_bitset(
    const MDB_val *old, const struct container_change *changes, size_t count, uint8_t *ret)
{
	uint64_t words[SET_BLOCK_WORDS] = {0};

	container_or(words, old->mv_data, old->mv_size);
	for (size_t i = 0; i < count; i++) {
		uint64_t bit = (uint64_t)1 << (changes[i].low % 64);

		if (changes[i].set)
			words[changes[i].low / 64] |= bit;
		else
			words[changes[i].low / 64] &= ~bit;
	}
	return container_store(words, ret);
}

static int
update_container(struct index_write *w, const struct change *changes, size_t count)
{
	uint8_t key[TERM_KEY_BYTES], stored[SET_BLOCK_BYTES];
	MDB_val value;
	size_t kept;
	int code;

	posting_key(&changes[0].posting, key);
	code = store_get(w->txn, w->index->postings, key, sizeof key, &value, NULL);
	if (code == CAIRN_ENOTFOUND)
		value = (MDB_val){0, NULL};
	else if (code != 0)
		return code;
	if (value.mv_size > SET_BLOCK_BYTES || value.mv_size % 2 != 0)
		return CAIRN_ECORRUPT;
	kept = last_changes(changes, count, w->last);
	if (value.mv_size + 2 * kept < SET_BLOCK_BYTES)
		value.mv_size =
		    container_merge(value.mv_data, value.mv_size, w->last, kept, stored);
	else
		value.mv_size = change_bitset(&value, w->last, kept, stored);
	value.mv_data = stored;
	if (value.mv_size == 0)
		return store_delete(w->txn, w->index->postings, key, sizeof key, NULL);
	return store_put(w->txn, w->index->postings, key, sizeof key, &value, NULL);
}

int
postings_flush(struct index_write *w)
{
	size_t count;
	int code = 0;

	if (w->change_count > 0)
		qsort(w->changes, w->change_count, sizeof w->changes[0], compare_changes);
	for (size_t i = 0; i < w->change_count && code == 0; i += count) {
		for (count = 1; i + count < w->change_count; count++)
			if (!same_container(&w->changes[i].posting, &w->changes[i + count].posting))
				break;
		code = update_container(w, &w->changes[i], count);
	}
	if (code == 0)
		w->change_count = 0;
	return code;
}
