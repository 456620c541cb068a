/* SPDX-License-Identifier: Apache-2.0 */

/* The containers against naive ones, with a fixed sequence of random operations. */

#include "base/test.h"
#include "jobs/heap.h"
#include "jobs/keyring.h"
#include "jobs/table.h"

#define STEPS 20000
#define SPACE 500

static uint64_t
next_random(uint64_t *seed)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return *seed >> 33;
}

static void
heap_gives_the_lowest_first(void **state)
{
	struct heap heap = {0};
	uint64_t seed = 1, count[SPACE] = {0};

	(void)state;
	for (unsigned i = 0; i < STEPS; i++) {
		uint64_t order = next_random(&seed) % SPACE, lowest = 0;

		if (heap_top(&heap) == NULL || next_random(&seed) % 2 == 0) {
			assert_int_equal(heap_reserve(&heap, heap.count + 1), 0);
			heap_push(&heap, (struct job_item){.order = order, .id = order});
			count[order]++;
			continue;
		}
		while (count[lowest] == 0)
			lowest++;
		assert_int_equal(heap_top(&heap)->order, lowest);
		assert_int_equal(heap_pop(&heap).id, lowest);
		count[lowest]--;
	}
	heap_fini(&heap);
}

static void
table_finds_what_is_in_it_and_nothing_else(void **state)
{
	struct table table = {0};
	bool in[SPACE + 1] = {false};
	uint64_t seed = 2;

	(void)state;
	for (unsigned i = 0; i < STEPS; i++) {
		uint64_t id = 1 + next_random(&seed) % SPACE;
		struct table_entry *entry = table_find(&table, id);

		assert_int_equal(entry != NULL, in[id]);
		if (entry != NULL) {
			assert_int_equal(entry->attempt, id * 3);
			table_remove(&table, entry);
		} else {
			assert_int_equal(table_reserve(&table, table.count + 1), 0);
			table_add(
			    &table, (struct table_entry){.id = id, .attempt = (uint32_t)id * 3});
		}
		in[id] = !in[id];
	}
	for (uint64_t id = 0; id <= SPACE; id++)
		assert_int_equal(table_find(&table, id) != NULL, id > 0 && in[id]);
	table_fini(&table);
}

static void
make_hash(uint64_t number, uint8_t ret[KEYRING_HASH])
{
	memset(ret, 0, KEYRING_HASH);
	/* Only the low bits differ: runs of neighbours in the table. */
	ret[0] = (uint8_t)number;
	ret[1] = (uint8_t)(number >> 8);
}

/* Groups of new keys, each settled or rolled back; the newest 100 settled ones are remembered. */
static void
keyring_remembers_the_newest_that_were_settled(void **state)
{
	struct keyring ring = {0};
	uint64_t seed = 3, next = 0;
	uint8_t hash[KEYRING_HASH];

	(void)state;
	for (unsigned group = 0; group < 300; group++) {
		uint64_t size = next_random(&seed) % 60;
		bool settle = next_random(&seed) % 3 != 0;

		for (uint64_t i = 0; i < size; i++) {
			make_hash(next + i, hash);
			assert_false(keyring_has(&ring, hash));
			assert_int_equal(keyring_push(&ring, hash), 0);
			assert_true(keyring_has(&ring, hash));
		}
		if (settle) {
			keyring_settle(&ring, 100);
			next += size;
		} else {
			keyring_rollback(&ring);
		}
		for (uint64_t n = next < 150 ? 0 : next - 150; n < next + 60; n++) {
			make_hash(n, hash);
			assert_int_equal(keyring_has(&ring, hash), n < next && n + 100 >= next);
		}
	}
	keyring_fini(&ring);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(heap_gives_the_lowest_first),
	    cmocka_unit_test(table_finds_what_is_in_it_and_nothing_else),
	    cmocka_unit_test(keyring_remembers_the_newest_that_were_settled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
