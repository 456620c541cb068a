/* SPDX-License-Identifier: Apache-2.0 */
#include "node/memory.h"

#include <unistd.h>

#include "base/test.h"

static size_t
this_process(void *arg, int *ret, size_t max)
{
	unsigned *asked = arg;

	(void)max;
	(*asked)++;
	ret[0] = (int)getpid();
	ret[1] = 0; /* no process has that id */
	return 2;
}

static void
memory_is_known_after_a_reading(void **state)
{
	uv_loop_t loop;
	unsigned asked = 0;
	struct memory *memory;

	(void)state;
	uv_loop_init(&loop);
	memory = memory_new(&loop, this_process, &asked);
	assert_int_equal(memory_kb(memory, (int)getpid()), 0);
	assert_true(memory_age_ms(memory) == UINT64_MAX);
	memory_ask(memory);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_true(memory_kb(memory, (int)getpid()) > 100);
	assert_int_equal(memory_kb(memory, 0), 0);
	memory_free(memory);
	assert_int_equal(uv_loop_close(&loop), 0);
}

static void
a_thousand_questions_are_one_reading(void **state)
{
	uv_loop_t loop;
	unsigned asked = 0;
	struct memory *memory;

	(void)state;
	uv_loop_init(&loop);
	memory = memory_new(&loop, this_process, &asked);
	for (int i = 0; i < 1000; i++) {
		memory_ask(memory);
		uv_run(&loop, UV_RUN_NOWAIT);
	}
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(memory_readings(memory), 1);
	assert_int_equal(asked, 1);
	memory_free(memory);
	assert_int_equal(uv_loop_close(&loop), 0);
}

static void
a_new_process_is_seen_though_a_reading_is_under_way(void **state)
{
	uv_loop_t loop;
	unsigned asked = 0;
	struct memory *memory;

	(void)state;
	uv_loop_init(&loop);
	memory = memory_new(&loop, this_process, &asked);
	memory_ask(memory);
	memory_renew(memory);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(memory_readings(memory), 2);
	memory_free(memory);
	assert_int_equal(uv_loop_close(&loop), 0);
}

static void
memory_may_be_freed_during_a_reading(void **state)
{
	uv_loop_t loop;
	unsigned asked = 0;
	struct memory *memory;

	(void)state;
	uv_loop_init(&loop);
	memory = memory_new(&loop, this_process, &asked);
	memory_ask(memory);
	memory_free(memory);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(memory_is_known_after_a_reading),
	    cmocka_unit_test(a_thousand_questions_are_one_reading),
	    cmocka_unit_test(a_new_process_is_seen_though_a_reading_is_under_way),
	    cmocka_unit_test(memory_may_be_freed_during_a_reading),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
