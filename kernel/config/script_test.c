/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/test.h"
#include "config/config.h"

#define HEAD "name: a\nversion: 1\nabi: 1\n"

static int
read_text(
    const struct test_dir *dir, const char *text, struct manifest **ret, struct cairn_error *err)
{
	char path[sizeof dir->path + 32];

	snprintf(path, sizeof path, "%s/a.plugin.yaml", dir->path);
	assert_int_equal(file_write(path, text, strlen(text), 0600, NULL), 0);
	return manifest_read(path, ret, err);
}

static void
a_script_is_found_beside_its_manifest(void **state)
{
	struct test_dir dir;
	struct manifest *manifest;
	struct cairn_error err = {0};
	char script[sizeof dir.path + 32];

	(void)state;
	test_dir_make(&dir);
	snprintf(script, sizeof script, "%s/a.py", dir.path);
	assert_int_equal(file_write(script, "x", 1, 0600, NULL), 0);
	assert_ok(
	    read_text(&dir, HEAD "exec: /usr/bin/python3\nscript: a.py\n", &manifest, &err), &err);
	assert_string_equal(manifest->interpreter, "/usr/bin/python3");
	assert_string_equal(manifest->script, script);
	manifest_free(manifest);
	test_dir_remove(&dir);
}

static void
a_wrong_script_is_refused_with_the_reason(void **state)
{
	static const char *const cases[][2] = {
	    {HEAD, "does not say what runs it"},
	    {HEAD "exec: lua\n", "belong together"},
	    {HEAD "script: a.py\n", "belong together"},
	    {HEAD "exec: lua\nscript: missing.lua\n", "is not there; put it beside"},
	    {HEAD "exec: lua\nscript: ../a.lua\n", "without '/'"},
	    {HEAD "exec: lua\nscript: .hidden\n", "without '/'"},
	    {HEAD "exec: lua\nscript: -e\n", "without '/'"},
	    {HEAD "exec: python3\nscript: a.py\n", "an absolute path such as"},
	    {HEAD "exec: /usr/../bin/x\nscript: a.py\n", "an absolute path such as"},
	    {HEAD "exec: [lua]\nscript: a.py\n", "an absolute path such as"},
	    {HEAD "exec: lua\nskript: a.lua\n", "did you mean 'script'?"},
	};
	struct test_dir dir;

	(void)state;
	test_dir_make(&dir);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct cairn_error err = {0};
		struct manifest *manifest = NULL;

		assert_int_not_equal(read_text(&dir, cases[i][0], &manifest, &err), 0);
		assert_null(manifest);
		if (strstr(err.text, cases[i][1]) == NULL)
			fail_msg("expected '%s' in '%s'", cases[i][1], err.text);
	}
	test_dir_remove(&dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_script_is_found_beside_its_manifest),
	    cmocka_unit_test(a_wrong_script_is_refused_with_the_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
