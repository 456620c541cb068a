/* SPDX-License-Identifier: Apache-2.0 */
/* Pending changes to postings, applied container by container in the order of their keys. */
#include "write.h"

#include <stdlib.h>
#include <string.h>

#include "set.h"

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

/* Later changes of the same bit come later in the list, so the last one wins. */
static void
apply_changes(uint64_t *words, const struct change *changes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		unsigned low = (unsigned)(changes[i].posting.minor & 0xffff);
		uint64_t bit = (uint64_t)1 << (low % 64);

		if ((changes[i].order & 1) != 0)
			words[low / 64] |= bit;
		else
			words[low / 64] &= ~bit;
	}
}

static int
update_container(struct index_write *w, const struct change *changes, size_t count)
{
	uint64_t words[SET_BLOCK_WORDS] = {0};
	uint8_t key[TERM_KEY_BYTES], stored[SET_BLOCK_BYTES];
	MDB_val value;
	int code;

	posting_key(&changes[0].posting, key);
	code = store_get(w->txn, w->index->postings, key, sizeof key, &value, NULL);
	if (code == 0 && !container_or(words, value.mv_data, value.mv_size))
		return CAIRN_ECORRUPT;
	if (code != 0 && code != CAIRN_ENOTFOUND)
		return code;
	apply_changes(words, changes, count);
	value = (MDB_val){container_store(words, stored), stored};
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
			if (!same_container(&w->changes[i].posting,
			        &w->changes[i + count].posting))
				break;
		code = update_container(w, &w->changes[i], count);
	}
	if (code == 0)
		w->change_count = 0;
	return code;
}
