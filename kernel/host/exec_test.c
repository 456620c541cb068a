/* SPDX-License-Identifier: Apache-2.0 */
#include "host/exec.h"

#include "base/test.h"

static void
short_names_are_the_hosts_beside_the_program(void **state)
{
	char path[64];

	(void)state;
	assert_int_equal(exec_resolve("lua", "/usr/bin/cairn-host", path, sizeof path), 0);
	assert_string_equal(path, "/usr/bin/cairn-lua");
	assert_int_equal(exec_resolve("sh", "/x/cairn-host", path, sizeof path), 0);
	assert_string_equal(path, "/x/cairn-sh");
	assert_int_equal(exec_resolve("/usr/bin/python3", "/x/cairn-host", path, sizeof path), 0);
	assert_string_equal(path, "/usr/bin/python3");
}

static void
nothing_is_searched_for(void **state)
{
	char path[8];

	(void)state;
	assert_int_equal(
	    exec_resolve("python3", "/usr/bin/cairn-host", path, sizeof path), CAIRN_EINVAL);
	assert_int_equal(exec_resolve("lua", "cairn-host", path, sizeof path), CAIRN_EINVAL);
	assert_int_equal(
	    exec_resolve("/usr/bin/python3", "/x/cairn-host", path, sizeof path), CAIRN_ELIMIT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(short_names_are_the_hosts_beside_the_program),
	    cmocka_unit_test(nothing_is_searched_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
