/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/test.h"
#include "cli/lent.h"

static void
a_few_paths_are_lent_as_they_are(void **state)
{
	char a[] = "/pacs/a", b[] = "/pacs/b", again[] = "/pacs/b";
	char *paths[] = {b, a, again};
	struct lent lent;

	(void)state;
	assert_int_equal(lent_cover(&lent, paths, 3), 0);
	assert_int_equal(lent.count, 2);
	assert_string_equal(lent.paths[0], "/pacs/a");
	assert_string_equal(lent.paths[1], "/pacs/b");
	lent_fini(&lent);
}

static void
the_folders_of_many_files_are_lent(void **state)
{
	static char texts[200][32];
	char *paths[200];
	struct lent lent;

	(void)state;
	for (int i = 0; i < 200; i++) {
		snprintf(texts[i], sizeof texts[i], "/pacs/%d/%d.dcm", i % 3, i);
		paths[i] = texts[i];
	}
	assert_int_equal(lent_cover(&lent, paths, 200), 0);
	assert_int_equal(lent.count, 3);
	assert_string_equal(lent.paths[0], "/pacs/0");
	lent_fini(&lent);
}

static void
paths_below_the_root_end_at_the_root(void **state)
{
	static char texts[20][8];
	char *paths[20];
	struct lent lent;

	(void)state;
	for (int i = 0; i < 20; i++) {
		snprintf(texts[i], sizeof texts[i], "/f%d", i);
		paths[i] = texts[i];
	}
	assert_int_equal(lent_cover(&lent, paths, 20), 0);
	assert_int_equal(lent.count, 1);
	assert_string_equal(lent.paths[0], "/");
	lent_fini(&lent);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_few_paths_are_lent_as_they_are),
	    cmocka_unit_test(the_folders_of_many_files_are_lent),
	    cmocka_unit_test(paths_below_the_root_end_at_the_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
