/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"
#include "supervisor/breaker.h"

static void
the_back_off_doubles_and_is_forgiven(void **state)
{
	struct breaker breaker;
	unsigned delay_ms = 0;

	(void)state;
	assert_int_equal(breaker_init(&breaker, 100, 60), 0);
	for (unsigned expected = 50; expected < 10000; expected *= 2) {
		assert_true(breaker_crash(&breaker, 1000, 0, &delay_ms));
		assert_int_equal(delay_ms, expected);
	}
	assert_true(breaker_crash(&breaker, 1000, 199, &delay_ms));
	assert_int_equal(delay_ms, 10000);
	assert_true(breaker_crash(&breaker, 1000, 200, &delay_ms));
	assert_int_equal(delay_ms, 50);
	breaker_fini(&breaker);
}

static void
the_breaker_forgets_crashes_outside_its_window(void **state)
{
	struct breaker breaker;
	unsigned delay_ms = 0;

	(void)state;
	assert_int_equal(breaker_init(&breaker, 3, 60), 0);
	for (uint64_t now_ms = 0; now_ms < 1000000; now_ms += 31000)
		assert_true(breaker_crash(&breaker, now_ms, 0, &delay_ms));
	assert_true(breaker_crash(&breaker, 2000000, 0, &delay_ms));
	assert_true(breaker_crash(&breaker, 2030000, 0, &delay_ms));
	assert_false(breaker_crash(&breaker, 2060000, 0, &delay_ms));
	breaker_fini(&breaker);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_back_off_doubles_and_is_forgiven),
	    cmocka_unit_test(the_breaker_forgets_crashes_outside_its_window),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
