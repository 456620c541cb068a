/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policies that misbehave: each is a denial that names the rule and what it did, and the next
 * decision is right and in time.
 */
#include <time.h>

#include "base/file.h"
#include "base/test.h"
#include "guard/guard.h"

#define BAD_MS_MAX 500 /* with sanitizers; the limit is 75, and making the state anew 1 */
#define NEXT_MS_MAX 100

struct site {
	struct test_dir dir;
	struct guard *guard;
};

static struct guard_decision
ask(struct guard *guard, const char *subject)
{
	struct guard_question question = {.subject = subject,
	    .principal = "alice",
	    .role = "researcher",
	    .via = "control",
	    .purpose = "scientific-research"};
	struct guard_decision decision;

	guard_decide(guard, &question, &decision);
	return decision;
}

/* A file whose rule `bad` runs `body`, and one whose rule is right. */
static void
start(struct site *site, const char *body, const struct guard_options *limits)
{
	static const char settings[] = "cells: [1, 2]\nmap: {a: {b: 1}}\n";
	static const char good[] =
	    "rule { name = 'good', subjects = { 'good' }, decide = function(q)\n"
	    "  return permit('%s for %s', #('x'), q.principal.name) end }\n";
	struct guard_options options = *limits;
	struct cairn_error err = {0};
	char path[256];
	BUF_AUTO text = {.max = 65536};

	test_dir_make(&site->dir);
	assert_int_equal(
	    buf_append_format(&text,
		"local state = { count = 0, list = {} }\nlocal number, nothing = 0, nil\n"
		"function helper() number = number + 1 end\n"
		"rule { name = 'bad', subjects = { 'bad' }, decide = function(q)\n%s\nend }\n"
		"function unused() return state, number, nothing end\n",
		body),
	    0);
	assert_int_equal(file_join(path, sizeof path, site->dir.path, "10-bad.lua"), 0);
	assert_int_equal(file_write(path, text.data, text.length, 0600, NULL), 0);
	assert_int_equal(file_join(path, sizeof path, site->dir.path, "20-good.lua"), 0);
	assert_int_equal(file_write(path, good, strlen(good), 0600, NULL), 0);
	assert_int_equal(file_join(path, sizeof path, site->dir.path, "settings.yaml"), 0);
	assert_int_equal(file_write(path, settings, strlen(settings), 0600, NULL), 0);
	options.policies_dir = site->dir.path;
	assert_ok(guard_open(&site->guard, &options, &err), &err);
}

static void
finish(struct site *site)
{
	guard_free(site->guard);
	test_dir_remove(&site->dir);
}

/* Of the processor: another program's share is not the guard's doing. */
static uint64_t
cpu_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void
expect_next_is_right(struct guard *guard)
{
	uint64_t begin = cpu_ms();
	struct guard_decision d = ask(guard, "good");

	assert_true(d.permit);
	assert_string_equal(d.rule, "20-good.lua:good");
	assert_string_equal(d.reason, "1 for alice");
	assert_true(cpu_ms() - begin < NEXT_MS_MAX);
}

/* `reason` is the whole, or its beginning when it ends in "...". */
static void
expect_reason(const struct guard_decision *d, const char *body, const char *reason)
{
	size_t length = strlen(reason);

	if (length > 3 && strcmp(reason + length - 3, "...") == 0) {
		if (strncmp(d->reason, reason, length - 3) == 0)
			return;
	} else if (strcmp(d->reason, reason) == 0) {
		return;
	}
	fail_msg("%s\n  said:     %s\n  expected: %s", body, d->reason, reason);
}

struct bad {
	const char *body;
	const char *reason;
};

static void
check_all(const struct bad *cases, size_t count, const struct guard_options *limits)
{
	for (size_t i = 0; i < count; i++) {
		struct site site = {0};

		start(&site, cases[i].body, limits);
		for (int again = 0; again < 2; again++) {
			uint64_t begin = cpu_ms();
			struct guard_decision d = ask(site.guard, "bad");

			assert_true(cpu_ms() - begin < BAD_MS_MAX);
			assert_false(d.permit);
			assert_int_equal(d.obligation_count, 0);
			expect_reason(&d, cases[i].body, cases[i].reason);
			assert_string_equal(d.rule, "10-bad.lua:bad");
			expect_next_is_right(site.guard);
		}
		finish(&site);
	}
}

#define CHECK_ALL(CASES, ...) \
	check_all(CASES, sizeof CASES / sizeof CASES[0], &(struct guard_options){__VA_ARGS__})

#define STOPPED(LIMIT) "rule '10-bad.lua:bad' needed more than " LIMIT "; it was stopped"
#define FAILED(TEXT) "rule '10-bad.lua:bad' failed: 10-bad.lua:5: " TEXT

static void
a_rule_without_end_is_stopped(void **state)
{
	static const struct bad cases[] = {
	    {"while true do end", STOPPED("100000 instructions")},
	    {"for i = 1, math.huge do local x = i end", STOPPED("100000 instructions")},
	    {"local function f() return f() end return f()", STOPPED("100000 instructions")},
	    {"repeat local t = match('a', 'b') until false", STOPPED("100000 instructions")},
	    {"local n = 0 table.sort(settings and {3,2,1,4,5,6,7,8}, function(a, b)\n"
	     "  while true do n = n + 1 end end)",
		STOPPED("100000 instructions")},
	    {"goto a ::a:: goto a", STOPPED("100000 instructions")},
	};

	(void)state;
	CHECK_ALL(cases, .instructions_max = 100000);
}

#define MEMORY "2048 KiB of memory (1024 KiB for one value)"

static void
a_rule_that_allocates_without_end_is_stopped(void **state)
{
	static const struct bad cases[] = {
	    {"local t = {} for i = 1, 1e9 do t[i] = { i } end", STOPPED(MEMORY)},
	    {"local s = 'x' while true do s = s .. s end", STOPPED(MEMORY)},
	    {"local s = 'x' for i = 1, 99 do s = (s .. 'x'):rep(90) end",
		FAILED("string.rep: the result would be over 65536 bytes")},
	    {"local function f() return 1 + f() end return f()", STOPPED(MEMORY)},
	    /* Which limit is the first depends on the machine: each call copies all arguments. */
	    {"local function f(...) return f(1, ...) end return f()",
		"rule '10-bad.lua:bad' needed more than ..."},
	    {"local t = {} for i = 1, 1e9 do t = { t, {} } end", STOPPED(MEMORY)},
	    {"local t = {} for i = 1, 15000 do t[i] = ('x'):rep(100) end\n"
	     "return permit(table.concat(t))",
		STOPPED(MEMORY)},
	    {"local t = {} for i = 1, 1e6 do t[('x'):rep(500) .. i] = 1 end", STOPPED(MEMORY)},
	};

	(void)state;
	CHECK_ALL(cases, .instructions_max = 20000000, .memory_max = 2u << 20);
}

static void
work_that_hides_in_one_instruction_is_stopped(void **state)
{
	static const struct bad cases[] = {
	    /* Each round copies or compares up to a mebibyte. */
	    {"local s = 'x' for i = 1, 19 do s = s .. s end\n"
	     "for i = 1, 1e7 do local t = s .. i end",
		STOPPED("75 ms of processor time")},
	    {"local t = {} for i = 1, 30000 do t[i] = i end\n"
	     "for i = 1, 1e7 do table.insert(t, 1, 0) table.remove(t, 1) end",
		STOPPED("75 ms of processor time")},
	    {"local t = {} for i = 1, 10000 do t[i] = 1 end\n"
	     "local function f(...) for i = 1, 1e7 do local a = select('#', ...) end end\n"
	     "f(table.unpack(t))",
		STOPPED("75 ms of processor time")},
	    {"local t = {} for i = 1, 60000 do t[i] = '' end\n"
	     "for i = 1, 1e7 do local a = table.concat(t) end",
		STOPPED("75 ms of processor time")},
	};

	(void)state;
	CHECK_ALL(cases, .instructions_max = 1000000000);
}

static void
a_pathological_pattern_is_stopped(void **state)
{
	static const char limit[] = FAILED("a pattern exceeded its limit of 100000 steps (write it "
					   "without nested repetition such as (a+)+)");
	static const struct bad cases[] = {
	    {"return match(('a'):rep(40) .. 'b', '(a+)+$') and permit('x')", limit},
	    {"return match(('a'):rep(26), '^(?:a?){26}a{26}$') and permit('x')", limit},
	    {"return match(('a'):rep(40) .. 'b', '^(a|aa)+$') and permit('x')", limit},
	    {"return match(('a'):rep(4000) .. 'cb', '(a*)*(a*)*c$') and permit('x')", limit},
	    {"return replace(('a'):rep(40) .. 'b', '(a+)+$', '') and permit('x')", limit},
	    {"return match(('a'):rep(5000), 'a') and permit('x')",
		FAILED("a text of 5000 bytes is over the 4096 that patterns are matched with")},
	    {"return match('a', ('a'):rep(513)) and permit('x')",
		FAILED("a pattern of 513 bytes is over 512")},
	    {"return match('a', '(a') and permit('x')",
		FAILED("pattern '(a': missing closing parenthesis at character 3")},
	    {"return match('a', ('('):rep(30) .. (')'):rep(30)) and permit('x')",
		FAILED("pattern '((((...")},
	    {"return match('a', '((((a{1,200}){1,200}){1,200}){1,200})') and permit('x')",
		FAILED("pattern '((((a...")},
	    {"return match('a', '(?R)') and permit('x')", FAILED("a pattern...")},
	    {"return match('a', '\\\\C') and permit('x')", FAILED("pattern '\\C': ...")},
	    {"return match('a', '(*LIMIT_MATCH=4000000000)(a+)+$') and deny('lower only')",
		"lower only"},
	    {"return replace(('a'):rep(4000), 'a', ('b'):rep(100)) and permit('x')",
		FAILED("replace: the result would be over 65536 bytes")},
	    {"('x'):find('x')", FAILED("attempt to call a nil value (method 'find')")},
	    {"string.gsub('x', 'x', 'y')", FAILED("attempt to call a nil value (field 'gsub')")},
	};

	(void)state;
	CHECK_ALL(cases, .instructions_max = 0);
}

/* `return permit(...)` is a tail call: the line it stood on is gone. */
#define UNPLACED(TEXT) "rule '10-bad.lua:bad' failed: " TEXT

static void
a_rule_that_fails_denies_with_its_words(void **state)
{
	static const struct bad cases[] = {
	    {"error('the list is empty')", FAILED("the list is empty")},
	    {"error({})", "rule '10-bad.lua:bad' failed with a table instead of a message"},
	    {"error()", "rule '10-bad.lua:bad' failed with a nil instead of a message"},
	    {"error('a\\27[31mb\\nc', 0)", "rule '10-bad.lua:bad' failed: a [31mb c"},
	    {"assert(false, 'no')", FAILED("no")},
	    {"return q.principal.role + 1",
		FAILED("attempt to perform arithmetic on a string value (field 'role')")},
	    {"return settings.celle",
		FAILED("settings.yaml has no 'celle'; did you mean 'cells'?")},
	    {"return contain({}, 1)", FAILED("unknown name 'contain'; did you mean 'contains'?")},
	    {"return permit { reason = 'x', obligation = {} }",
		UNPLACED("permit: unknown field 'obligation'; did you mean 'obligations'?")},
	    {"return permit { reason = 'x', obligations = { a = 1.5 } }",
		UNPLACED("permit: obligation 'a' must be a whole number from 0")},
	    {"return permit()", UNPLACED("permit needs a reason")},
	    {"return deny('')", UNPLACED("deny needs a reason")},
	    {"rule { name = 'x', subjects = { 'x' }, decide = function() end }",
		"rule '10-bad.lua:bad' failed: ..."},
	};

	(void)state;
	CHECK_ALL(cases, .instructions_max = 0);
}

#define NO_VERDICT                                                                              \
	"rule '10-bad.lua:bad' returned a table that is no verdict; a rule returns deny(...), " \
	"permit(...) or nothing"
#define NO_TABLE(TYPE)                                                                         \
	"rule '10-bad.lua:bad' returned a " TYPE "; a rule returns deny(...), permit(...) or " \
	"nothing"

static void
nonsense_is_a_denial(void **state)
{
	static const struct bad cases[] = {
	    {"return true", NO_TABLE("boolean")},
	    {"return 1", NO_TABLE("number")},
	    {"return 'permit'", NO_TABLE("string")},
	    {"return permit", NO_TABLE("function")},
	    {"return {}", NO_VERDICT},
	    {"return { verdict = 'permit' }", NO_VERDICT},
	    {"return { verdict = 'maybe', reason = 'x' }", NO_VERDICT},
	    {"return { verdict = true, reason = 'x' }", NO_VERDICT},
	    {"return { verdict = 'permit', reason = 'x', obligations = 7 }", NO_VERDICT},
	    {"return { verdict = 'permit', reason = 'x', obligations = { 7 } }", NO_VERDICT},
	    {"return { verdict = 'permit', reason = 'x', obligations = { a = '7' } }", NO_VERDICT},
	    {"return { verdict = 'permit', reason = 'x', obligations = { a = -1 } }", NO_VERDICT},
	    {"local o = {} for i = 1, 17 do o['o' .. i] = i end\n"
	     "return { verdict = 'permit', reason = 'x', obligations = o }",
		NO_VERDICT},
	    {"return { verdict = 'permit', reason = 'x',\n"
	     "  obligations = { [('n'):rep(32)] = 1 } }",
		NO_VERDICT},
	    {"return settings.map", NO_VERDICT},
	};

	(void)state;
	CHECK_ALL(cases, .instructions_max = 0);
}

static void
what_is_not_on_the_list_does_not_exist(void **state)
{
	static const char *const names[] = {"pcall", "xpcall", "load", "loadstring", "dofile",
	    "loadfile", "require", "os", "io", "debug", "package", "coroutine", "collectgarbage",
	    "getmetatable", "setmetatable", "rawset", "rawget", "rawequal", "rawlen", "_G", "print",
	    "warn", "utf8", "kernel"};
	struct site site = {0};

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		char body[128];
		char expected[128];
		struct guard_decision d;

		snprintf(body, sizeof body, "local x = %s return permit('x')", names[i]);
		snprintf(expected, sizeof expected, FAILED("unknown name '%s'..."), names[i]);
		start(&site, body, &(struct guard_options){0});
		d = ask(site.guard, "bad");
		expect_reason(&d, body, expected);
		finish(&site);
	}
}

#define READ_ONLY(NAME)                                                                          \
	FAILED(                                                                                  \
	    "'" NAME "' cannot be set: after loading everything is read-only, and one decision " \
	    "leaves nothing for the next (use 'local')")

static void
nothing_is_left_for_the_next_decision(void **state)
{
	static const struct bad cases[] = {
	    {"leak = 1", READ_ONLY("leak")},
	    {"_ENV.leak = 1", READ_ONLY("leak")},
	    {"deny = permit", READ_ONLY("deny")},
	    {"helper = nil", READ_ONLY("helper")},
	    {"string.upper = string.lower", READ_ONLY("upper")},
	    {"table.leak = {}", READ_ONLY("leak")},
	    {"settings.cells = {}", READ_ONLY("cells")},
	    {"settings.cells[1] = 99", READ_ONLY("...")},
	    {"table.insert(settings.cells, 3)",
		"rule '10-bad.lua:bad' failed: '...' cannot be set: ..."},
	    {"settings.map.a.b = 2", READ_ONLY("b")},
	    {"state.count = state.count + 1", READ_ONLY("count")},
	    {"state.list[1] = q", READ_ONLY("...")},
	    {"q.purpose = 'other'", READ_ONLY("purpose")},
	    {"q.principal.role = 'operator'", READ_ONLY("role")},
	    {"for k, v in pairs(settings) do settings[k] = nil end", FAILED("...")},
	    {"local n, s = pairs(settings.cells) s[1] = 99", READ_ONLY("...")},
	    {"number = number + 1 return permit('x')",
		"rule '10-bad.lua:bad' changed 'number', a variable of its file; one decision must "
		"leave nothing for the next"},
	    {"helper() return permit('x')",
		"rule '10-bad.lua:bad' changed 'number', a variable of its file; one decision must "
		"leave nothing for the next"},
	    {"nothing = q return permit('x')",
		"rule '10-bad.lua:bad' changed 'nothing', a variable of its file; one decision "
		"must "
		"leave nothing for the next"},
	    {"('x').leak = 1", FAILED("attempt to index a string value...")},
	};

	(void)state;
	CHECK_ALL(cases, .instructions_max = 0);
}

/* Reading is not hindered by any of it. */
static void
read_only_tables_read_like_tables(void **state)
{
	static const char body[] =
	    "assert(#settings.cells == 2 and settings.map.a.b == 1 and #state.list == 0)\n"
	    "local n = 0 for i, v in ipairs(settings.cells) do n = n + i * v end assert(n == 5)\n"
	    "for k, v in pairs(settings.map) do assert(k == 'a' and v.b == 1) n = n + 1 end\n"
	    "assert(n == 6 and next(settings.map) == 'a' and next(settings.map, 'a') == nil)\n"
	    "local a, b = table.unpack(settings.cells) assert(a == 1 and b == 2)\n"
	    "assert(table.concat(settings.cells, '+') == '1+2' and list(settings.cells) == '1, "
	    "2')\n"
	    "local t = { 3, 1, 2 } table.sort(t) assert(list(t) == '1, 2, 3')\n"
	    "assert(('ab'):upper() == 'AB' and ('%d'):format(3) == '3' and state.count == 0)\n"
	    "assert(match('CT-01', '^([A-Z]+)-(\\\\d+)$') == 'CT' and match('x', 'y') == nil)\n"
	    "assert(match('abc', 'b') == 'b' and select('#', match('b', '(a)?b')) == 1)\n"
	    "assert(match('b', '(a)?b') == false and match('a\\n', 'a$') == nil)\n"
	    "assert(replace('a1b22', '[0-9]+', '#') == 'a#b#' and replace('ab', '', '-') == "
	    "'-a-b-')\n"
	    "assert(replace('aaa', '^a', 'b') == 'baa' and replace('abab', '(?<=a)b', '') == "
	    "'aa')\n"
	    "return permit('all right')";
	struct site site = {0};
	struct guard_decision d;

	(void)state;
	start(&site, body, &(struct guard_options){0});
	d = ask(site.guard, "bad");
	assert_string_equal(d.reason, "all right");
	assert_true(d.permit);
	finish(&site);
}

static void
a_question_too_large_for_the_memory_is_denied(void **state)
{
	struct site site = {0};
	struct guard_decision d;
	char *huge = malloc((1u << 20) + 1);
	struct guard_question question = {.subject = "good"};

	(void)state;
	assert_non_null(huge);
	memset(huge, 'x', 1u << 20);
	huge[1u << 20] = 0;
	question.principal = huge;
	start(&site, "", &(struct guard_options){0});
	guard_decide(site.guard, &question, &d);
	assert_false(d.permit);
	assert_string_equal(d.rule, "kernel:guard");
	expect_next_is_right(site.guard);
	finish(&site);
	free(huge);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_rule_without_end_is_stopped),
	    cmocka_unit_test(a_rule_that_allocates_without_end_is_stopped),
	    cmocka_unit_test(work_that_hides_in_one_instruction_is_stopped),
	    cmocka_unit_test(a_pathological_pattern_is_stopped),
	    cmocka_unit_test(a_rule_that_fails_denies_with_its_words),
	    cmocka_unit_test(nonsense_is_a_denial),
	    cmocka_unit_test(what_is_not_on_the_list_does_not_exist),
	    cmocka_unit_test(nothing_is_left_for_the_next_decision),
	    cmocka_unit_test(read_only_tables_read_like_tables),
	    cmocka_unit_test(a_question_too_large_for_the_memory_is_denied),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
