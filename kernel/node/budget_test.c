/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/test.h"
#include "node/budget.h"

#define DAY ((uint64_t)86400000)
#define NOON (20000 * DAY + DAY / 2)

static void
each_principal_has_a_budget(void **state)
{
	struct budget *budget = budget_new();
	uint32_t used = 0;

	(void)state;
	assert_true(budget_take(budget, "alice", NOON, 2, &used));
	assert_true(budget_take(budget, "alice", NOON, 2, &used));
	assert_int_equal(used, 2);
	assert_false(budget_take(budget, "alice", NOON, 2, &used));
	assert_int_equal(used, 2);
	assert_true(budget_take(budget, "bob", NOON, 2, &used));
	assert_int_equal(used, 1);
	/* A limit that was raised meanwhile. */
	assert_true(budget_take(budget, "alice", NOON, 3, &used));
	budget_free(budget);
}

static void
a_new_day_has_a_new_budget_and_a_clock_set_back_has_not(void **state)
{
	struct budget *budget = budget_new();
	uint32_t used;

	(void)state;
	assert_true(budget_take(budget, "alice", NOON, 1, &used));
	assert_false(budget_take(budget, "alice", NOON - DAY, 1, &used));
	assert_false(budget_take(budget, "alice", NOON, 1, &used));
	assert_true(budget_take(budget, "alice", NOON + DAY, 1, &used));
	/* It had been years ahead. */
	assert_true(budget_take(budget, "alice", NOON + 900 * DAY, 1, &used));
	assert_true(budget_take(budget, "alice", NOON + 2 * DAY, 1, &used));
	budget_free(budget);
}

static void
there_is_an_end_to_whom_it_remembers(void **state)
{
	struct budget *budget = budget_new();
	uint32_t used;
	char name[32];

	(void)state;
	for (unsigned i = 0; i < BUDGET_HOLDERS_MAX; i++) {
		snprintf(name, sizeof name, "p%u", i);
		assert_true(budget_take(budget, name, NOON, 1, &used));
	}
	assert_false(budget_take(budget, "one more", NOON, 1, &used));
	assert_false(budget_take(budget, "p7", NOON, 1, &used));
	assert_true(budget_take(budget, "one more", NOON + DAY, 1, &used));
	budget_free(budget);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_principal_has_a_budget),
	    cmocka_unit_test(a_new_day_has_a_new_budget_and_a_clock_set_back_has_not),
	    cmocka_unit_test(there_is_an_end_to_whom_it_remembers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
