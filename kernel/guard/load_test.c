/* SPDX-License-Identifier: Apache-2.0 */
/* Golden tests: what an officer reads when a policy or a setting is wrong. */
#include "base/file.h"
#include "base/test.h"
#include "guard/guard.h"

struct bad {
	const char *policy; /* NULL: no file */
	const char *settings;
	const char *message;
};

static void
put(const char *dir, const char *name, const char *text)
{
	char path[256];

	assert_int_equal(file_join(path, sizeof path, dir, name), 0);
	assert_int_equal(file_write(path, text, strlen(text), 0600, NULL), 0);
}

static void
expect_refusal(const struct bad *bad)
{
	struct test_dir dir;
	struct guard_options options = {.policies_dir = dir.path};
	struct guard *guard = NULL;
	struct cairn_error err = {0};

	test_dir_make(&dir);
	if (bad->policy != NULL)
		put(dir.path, "10-a.lua", bad->policy);
	if (bad->settings != NULL)
		put(dir.path, "settings.yaml", bad->settings);
	assert_true(guard_open(&guard, &options, &err) < 0);
	assert_string_equal(err.text, bad->message);
	assert_null(guard);
	test_dir_remove(&dir);
}

#define RULE(FIELDS) "\nrule { " FIELDS " }\n"
#define DECIDE ", decide = function() end"

static void
a_wrong_policy_is_refused_with_file_and_line(void **state)
{
	static const struct bad cases[] = {
	    {"rule {", NULL, "10-a.lua:1: unexpected symbol near <eof>"},
	    {"rule()", NULL,
		"10-a.lua:1: rule needs a table: rule { name = ..., subjects = ..., "
		"decide = ... }"},
	    {RULE("name = 'a', subject = { 'x' }" DECIDE), NULL,
		"10-a.lua:2: rule: unknown field 'subject'; did you mean 'subjects'?"},
	    {RULE("subjects = { 'x' }" DECIDE), NULL,
		"10-a.lua:2: rule: name must be a word such as 'permitted-purpose'"},
	    {RULE("name = 'A b', subjects = { 'x' }" DECIDE), NULL,
		"10-a.lua:2: rule: name must be a word such as 'permitted-purpose'"},
	    {RULE("name = 'a', subjects = { 'x' }"), NULL,
		"10-a.lua:2: rule 'a': decide must be a function(q)"},
	    {RULE("name = 'a'" DECIDE), NULL,
		"10-a.lua:2: rule 'a': subjects must be a list such as { \"cohort.*\" }"},
	    {RULE("name = 'a', subjects = {}" DECIDE), NULL,
		"10-a.lua:2: rule 'a': subjects must be a list of 1 to 32, such as { \"cohort.*\" "
		"}"},
	    {RULE("name = 'a', subjects = { 'cohort.*.count' }" DECIDE), NULL,
		"10-a.lua:2: rule 'a': each subject must read like \"cohort.count\" or "
		"\"cohort.*\""},
	    {RULE("name = 'a', subjects = { 1 }" DECIDE), NULL,
		"10-a.lua:2: rule 'a': each subject must read like \"cohort.count\" or "
		"\"cohort.*\""},
	    {RULE("name = 'a', subjects = { 'x' }" DECIDE)
		    RULE("name = 'a', subjects = { 'y' }" DECIDE),
		NULL, "10-a.lua:4: rule 'a': there is already a rule of this name"},
	    {"\nrul { }", NULL, "10-a.lua:2: unknown name 'rul'; did you mean 'rule'?"},
	    {"local x = settings.minimum", "minimum_cell: 10\n",
		"10-a.lua:1: settings.yaml has no 'minimum'"},
	    {"local x = settings.minimum_cel", "minimum_cell: 10\n",
		"10-a.lua:1: settings.yaml has no 'minimum_cel'; did you mean 'minimum_cell'?"},
	    {"\nlocal x = setting('minimum_cel', 'whole number')", "minimum_cell: 10\n",
		"10-a.lua:2: settings.yaml has no 'minimum_cel'; did you mean 'minimum_cell'?"},
	    {"local x = setting('minimum_cell', 'whole number')", "\nminimum_cell: ten\n",
		"10-a.lua:1: settings.yaml:2: 'minimum_cell' must be a whole number"},
	    {"local x = setting('minimum_cell', 'whole number')", "minimum_cell: -1\n",
		"10-a.lua:1: settings.yaml:1: 'minimum_cell' must be a whole number"},
	    {"local x = setting('purposes', 'list')", "purposes: {a: b}\n",
		"10-a.lua:1: settings.yaml:1: 'purposes' must be a list"},
	    {"while true do end", NULL, "10-a.lua: loading it took more than 1000000 instructions"},
	    {"local s = 'x' while true do s = s .. s end", NULL,
		"10-a.lua: loading it took more than 8192 KiB of memory (1024 KiB for one value)"},
	    {"error()", NULL, "a policy file raised an error without a text"},
	    {"\033Lua", NULL, "10-a.lua:1: compiled Lua is refused; a policy is text"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		expect_refusal(&cases[i]);
}

static void
wrong_settings_are_refused_with_file_and_line(void **state)
{
	static const struct bad cases[] = {
	    {NULL, "- a\n", "settings.yaml:1: expected lines of the form 'key: value'"},
	    {NULL, "a: 1\na: 2\n", "settings.yaml:2: duplicate key 'a'; it is already on line 1"},
	    {NULL, "a: 1\nminimum_cell:\n", "settings.yaml:2: 'minimum_cell' has no value"},
	    {NULL, "principals: [alice]\n",
		"settings.yaml:1: 'principals' must be a map of names such as alice@example.org: "
		"{role: researcher}"},
	    {NULL, "principals:\n  alice: researcher\n",
		"settings.yaml:2: principal 'alice' needs a role such as {role: researcher}"},
	    {NULL, "principals:\n  alice: {role: }\n",
		"settings.yaml:2: principal 'alice' needs a role such as {role: researcher}"},
	    {NULL, "principals:\n  alice: {role: plugin}\n",
		"settings.yaml:2: principal 'alice': the role 'plugin' and the names 'local:...' "
		"are "
		"the kernel's to give"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		expect_refusal(&cases[i]);
}

static void
a_folder_that_is_not_there_is_named(void **state)
{
	struct guard_options options = {.policies_dir = "/nowhere/policies"};
	struct guard *guard = NULL;
	struct cairn_error err = {0};

	(void)state;
	assert_int_equal(guard_open(&guard, &options, &err), CAIRN_ENOTFOUND);
	assert_string_equal(err.text,
	    "/nowhere/policies: the policies cannot be read: No such file "
	    "or directory");
}

static void
real_bytecode_is_refused(void **state)
{
	/* The header that Lua 5.4's string.dump writes, and some of what follows. */
	static const char header[] = "\033Lua\x54\x01\x19\x93\r\n\x1a\n\x04\x08\x08xV";
	const struct bad bad = {
	    header, NULL, "10-a.lua:1: compiled Lua is refused; a policy is text"};

	(void)state;
	expect_refusal(&bad);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_wrong_policy_is_refused_with_file_and_line),
	    cmocka_unit_test(wrong_settings_are_refused_with_file_and_line),
	    cmocka_unit_test(a_folder_that_is_not_there_is_named),
	    cmocka_unit_test(real_bytecode_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
