/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <signal.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "supervisor/testing/fixture.h"

static void
hello_greets_through_a_real_host(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	fixture_open(&f, "hello", TEST_HELLO, "0.1.0");
	WAIT_FOR(&f, is_ready);
	assert_int_equal(fixture_call(&f, f.plugin, "hello.greet", ""), 0);
	WAIT_FOR(&f, has_reply);
	assert_string_equal(f.seen.body, "hello");
	fixture_close(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(hello_greets_through_a_real_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
