/* SPDX-License-Identifier: Apache-2.0 */
/* Golden tests: what `cairn check` says of a policy that loads and is wrong nevertheless. */
#include "base/file.h"
#include "base/test.h"
#include "cairn/cohort.pb-c.h"
#include "guard/cases.h"
#include "guard/check.h"

#define COUNT_RULE                                                                          \
	"local minimum = setting('minimum_cell', 'whole number')\n"                         \
	"rule { name = 'count', subjects = { 'cohort.count' }, decide = function(q)\n"      \
	"  if q.principal.role == 'researcher' and q.purpose == 'research' then\n"          \
	"    return permit { reason = 'fine', obligations = { min_cell = minimum } } end\n" \
	"end }\n"
#define SETTINGS                           \
	"minimum_cell: 10\n"               \
	"permitted_purposes: [research]\n" \
	"principals:\n"                    \
	"  alice: {role: researcher}\n"
#define SCHEMA                                       \
	"minimum_cell: {type: integer, min: 3}\n"    \
	"permitted_purposes: {type: list, min: 1}\n" \
	"weights: {type: map}\n"

struct site {
	struct test_dir dir;
	struct guard *guard;
	char found[4096];
	size_t errors;
};

static void
put(const struct site *site, const char *name, const char *text)
{
	char path[256];

	assert_int_equal(file_join(path, sizeof path, site->dir.path, name), 0);
	assert_int_equal(file_write(path, text, strlen(text), 0600, NULL), 0);
}

static void
take(void *arg, const struct guard_finding *finding)
{
	struct site *site = arg;
	size_t used = strlen(site->found);

	snprintf(site->found + used, sizeof site->found - used, "%s%s\n",
	    finding->error ? "error: " : "", finding->text);
}

/* A cohort.count that carries out min_cell, and what the kernel serves to plugins. */
static void
check(struct site *site)
{
	static const char *const fulfils[] = {"min_cell", NULL};
	struct guard_served served[GUARD_SERVED_MAX];
	size_t count = 1;

	assert_true(guard_served_kernel(served) > 1);
	assert_false(served[0].guarded);
	served[count++] = (struct guard_served){.subject = "cohort.count",
	    .guarded = true,
	    .fulfils = fulfils,
	    .request = &cairn__count_request__descriptor};
	site->errors = guard_check(site->guard, served, count, take, site);
}

static void
start(struct site *site, const char *policy, const char *settings)
{
	struct guard_options options = {.policies_dir = site->dir.path, .project = "lung-1"};
	struct cairn_error err = {0};

	*site = (struct site){0};
	test_dir_make(&site->dir);
	if (policy != NULL)
		put(site, "10-a.lua", policy);
	put(site, "settings.yaml", settings);
	options.policies_dir = site->dir.path;
	assert_ok(guard_open(&site->guard, &options, &err), &err);
}

static void
finish(struct site *site)
{
	guard_free(site->guard);
	test_dir_remove(&site->dir);
}

static void
a_sound_policy_has_no_findings(void **state)
{
	struct site site;

	(void)state;
	start(&site, COUNT_RULE "-- permitted_purposes\nlocal p = settings.permitted_purposes\n",
	    SETTINGS);
	check(&site);
	assert_string_equal(site.found, "");
	assert_int_equal(site.errors, 0);
	finish(&site);
}

/* long: a table */
static void
what_is_wrong_is_found_with_file_and_line(void **state)
{
	static const struct {
		const char *policy, *settings, *found;
	} cases[] = {
	    {NULL, "a: 1\n",
		"error: there is no rule in policies/*.lua, so that every question would be "
		"denied; `cairn init` in an empty directory shows the default ones\n"},
	    {COUNT_RULE,
		"minimum_cell: 10\npermitted_purposes: [research]\n"
		"principals:\n  alice: {role: researcher}\n",
		"settings.yaml:2: no rule reads 'permitted_purposes', so that it changes "
		"nothing\n"},
	    {COUNT_RULE, "minimum_cell: 10\nprincipals:\n  alice: {role: reseacher}\n",
		"error: settings.yaml:3: principal 'alice': no rule knows the role 'reseacher'; "
		"did you mean 'researcher'?\n"
		"no rule permits the role 'reseacher' (of alice) anything\n"},
	    {COUNT_RULE "\nrule { name = 'b', subjects = { 'cohort.cuont', 'vcf.*' },\n"
			"  decide = function() end }\n",
		"minimum_cell: 10\n",
		"10-a.lua:7: rule 'b' is about 'cohort.cuont', which no enabled plugin serves; "
		"did you mean 'cohort.count'?\n"},
	    {"rule { name = 'a', subjects = { 'pseudonym.*' }, decide = function() end }\n", "",
		"no rule is about 'cohort.count', so that it is always denied\n"},
	    {"\nrule { name = 'a', subjects = { 'cohort.*' }, decide = function(q)\n"
	     "  return permit { reason = 'x', obligations = { min_cel = 3 } } end }\n",
		"",
		"error: 10-a.lua:2: the obligation 'min_cel' is not one that 'cohort.count' "
		"carries out, so that its answers would be withheld\n"},
	    {COUNT_RULE "local p = settings.permitted_purposes\n",
		"minimum_cell: 10\npermitted_purposes: [research,\n  reserach]\nprincipals:\n"
		"  alice: {role: researcher}\n",
		"settings.yaml:3: no rule permits anybody anything for the purpose 'reserach'\n"},
	    {"rule { name = 'a', subjects = { '*' }, decide = function(q)\n"
	     "  if q.message.expression.leaf.attribute == '' then error('oops', 0) end end }\n",
		"",
		"10-a.lua:1: a sample question was denied because rule '10-a.lua:a' failed: "
		"oops\n"
		"10-a.lua:1: a sample question was denied because rule '10-a.lua:a' failed: "
		"oops\n"},
	    {COUNT_RULE "local p = settings.permitted_purposes\n",
		SETTINGS "permits:\n  P-1: {principal: alcie, purpose: reseach, expires: "
			 "2999-01-01}\n  P-2:\n    principal: [alice, local:root]\n    purpose: "
			 "research\n    expires: 2001-01-01\n    project: other\n",
		"error: settings.yaml:6: permit 'P-1': 'alcie' is not among 'principals'; did you "
		"mean 'alice'?\n"
		"error: settings.yaml:6: permit 'P-1': no list of purposes here has 'reseach'; did "
		"you mean 'research'?\n"
		"settings.yaml:7: permit 'P-2' expired on 2001-01-01\n"
		"settings.yaml:7: permit 'P-2' is for project 'other', and this node's is "
		"'lung-1'\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct site site;

		start(&site, cases[i].policy, cases[i].settings);
		check(&site);
		assert_string_equal(site.found, cases[i].found);
		finish(&site);
	}
}

static void
settings_are_checked_against_their_schema(void **state)
{
	static const char *const cases[][3] = {
	    {SCHEMA, "minimun_cell: 10\n",
		"settings.yaml:1: unknown key 'minimun_cell'; did you mean 'minimum_cell'? (keys "
		"are declared in settings.schema.yaml)"},
	    {SCHEMA, "minimum_cell: 2\npermitted_purposes: [a]\n",
		"settings.yaml:1: 'minimum_cell' must be at least 3, found 2"},
	    {SCHEMA, "minimum_cell: 3\n", "settings.yaml: missing key 'permitted_purposes'"},
	    {SCHEMA, "minimum_cell: 3\npermitted_purposes: [a]\nweights: 1\n",
		"settings.yaml:3: 'weights' must be a map"},
	    {"a: {type: integer, default: 1}\n", "a: 1\n",
		"settings.schema.yaml:1: setting 'a' must have no default: what counts stands in "
		"settings.yaml"},
	    {"a: {type: integr}\n", "a: 1\n",
		"settings.schema.yaml:1: option 'a': a type is string, integer, number, bool or "
		"list, not 'integr'; did you mean 'integer'?"},
	    {"", "permits:\n  P: {principal: a, purpose: b}\n",
		"settings.yaml:2: permit 'P' needs its last day, such as expires: 2027-06-30"},
	    {"", "permits:\n  P: {principal: a, purpos: b, expires: 2027-06-30}\n",
		"settings.yaml:2: unknown key 'purpos' in 'P'; did you mean 'purpose'?"},
	    {"", "permits:\n  P: {principal: a, purpose: b, expires: 2027-02-30}\n",
		"settings.yaml:2: permit 'P' needs its last day, such as expires: 2027-06-30"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct site site = {0};
		struct guard_options options = {.policies_dir = site.dir.path};
		struct cairn_error err = {0};

		test_dir_make(&site.dir);
		put(&site, "settings.schema.yaml", cases[i][0]);
		put(&site, "settings.yaml", cases[i][1]);
		assert_true(guard_open(&site.guard, &options, &err) < 0);
		assert_string_equal(err.text, cases[i][2]);
		test_dir_remove(&site.dir);
	}
}

/* ---- permits ---------------------------------------------------------------------------- */

#define DAY_2027_06_30 1814313600000u /* its midnight, UTC */

static void
a_permit_covers_what_it_says_and_nothing_else(void **state)
{
	static const struct {
		const char *permit, *principal, *purpose;
		uint64_t late_ms;
		const char *reason;
	} cases[] = {
	    {"P", "alice", "research", 86399999, "fine"},
	    {"P", "local:root", "research", 0, "fine"},
	    {"", "bob", "research", 0, "fine"},
	    {"Q", "alice", "research", 0,
		"permit 'Q' is not known at this site; its officer lists permits under 'permits' "
		"in settings.yaml"},
	    {"P", "bob", "research", 0, "permit 'P' was not given to 'bob'"},
	    {"P", "alice", "research", 86400000, "permit 'P' expired on 2027-06-30"},
	    {"P", "alice", "teaching", 0, "permit 'P' is not for the purpose 'teaching'"},
	    {"R", "alice", "research", 0,
		"permit 'R' is for project 'other', and this node's project is 'lung-1'"},
	};
	struct site site;

	(void)state;
	start(&site,
	    "rule { name = 'a', subjects = { '*' }, decide = function(q)\n"
	    "  return permit('fine') end }\n",
	    "permits:\n"
	    "  P: {principal: [alice, local:root], purpose: research, expires: 2027-06-30,\n"
	    "      project: lung-1}\n"
	    "  R: {principal: alice, purpose: research, expires: 2999-06-30, project: other}\n");
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const struct guard_question question = {.subject = "cohort.count",
		    .principal = cases[i].principal,
		    .purpose = cases[i].purpose,
		    .permit = cases[i].permit,
		    .now_ms = DAY_2027_06_30 + cases[i].late_ms};
		struct guard_decision d;

		guard_decide(site.guard, &question, &d);
		assert_string_equal(d.reason, cases[i].reason);
		assert_string_equal(d.rule, d.permit ? "10-a.lua:a" : "kernel:permit");
	}
	finish(&site);
}

/* ---- cases ------------------------------------------------------------------------------ */

static void
take_result(void *arg, const struct cases_result *result)
{
	struct site *site = arg;
	size_t used = strlen(site->found);

	snprintf(site->found + used, sizeof site->found - used, "%s: %s\n", result->name,
	    result->problem);
}

static void
a_case_that_differs_says_where_and_how(void **state)
{
	struct site site;
	const struct cases_ops ops = {NULL, take_result, &site};
	struct cairn_error err = {0};
	char path[256];

	(void)state;
	start(&site, COUNT_RULE,
	    SETTINGS "permits:\n  P: {principal: alice, purpose: research, expires: 2027-06-30}\n");
	put(&site, "cases.yaml",
	    "right:\n"
	    "  question: {subject: cohort.count, principal: alice, purpose: research}\n"
	    "  expect: {verdict: permit, obligations: {min_cell: 10}}\n"
	    "verdict:\n"
	    "  question: {subject: cohort.count, principal: bob, purpose: research}\n"
	    "  expect: {verdict: permit}\n"
	    "obligation:\n"
	    "  question: {subject: cohort.count, principal: alice, purpose: research}\n"
	    "  expect: {verdict: permit, rule: x, obligations: {min_cell: 9, round: 5}}\n"
	    "too late:\n"
	    "  question: {subject: a, principal: alice, purpose: research, permit: P, on: "
	    "2027-07-01}\n"
	    "  expect: {verdict: deny, rule: kernel:permit}\n"
	    "misspelt:\n"
	    "  question: {subjet: a}\n"
	    "  expect: {verdict: deny}\n");
	assert_int_equal(file_join(path, sizeof path, site.dir.path, "cases.yaml"), 0);
	assert_ok(cases_run(site.guard, path, &ops, &err), &err);
	assert_string_equal(site.found,
	    "right: \n"
	    "verdict: cases.yaml:6: the verdict is deny, by kernel:default: no rule permits "
	    "cohort.count to bob (not known at this site) for purpose 'research'\n"
	    "obligation: cases.yaml:9: the rule: expected 'x', found '10-a.lua:count'\n"
	    "cases.yaml:9: the obligation 'round': expected 5, found none\n"
	    "cases.yaml:9: the obligation 'min_cell': expected 9, found 10\n"
	    "too late: \n"
	    "misspelt: cases.yaml:14: unknown key 'subjet' in 'question'; did you mean "
	    "'subject'?\n");
	finish(&site);
}

static void
changed_files_are_noticed(void **state)
{
	struct site site;
	const char *name;
	uint8_t digest[32];

	(void)state;
	start(&site, COUNT_RULE, SETTINGS);
	assert_false(guard_differs(site.guard, site.dir.path));
	assert_true(guard_file(site.guard, 1, &name, digest));
	assert_string_equal(name, "settings.yaml");
	assert_false(guard_file(site.guard, 2, &name, digest));
	put(&site, "settings.schema.yaml", "");
	assert_true(guard_differs(site.guard, site.dir.path));
	finish(&site);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_sound_policy_has_no_findings),
	    cmocka_unit_test(what_is_wrong_is_found_with_file_and_line),
	    cmocka_unit_test(settings_are_checked_against_their_schema),
	    cmocka_unit_test(a_permit_covers_what_it_says_and_nothing_else),
	    cmocka_unit_test(a_case_that_differs_says_where_and_how),
	    cmocka_unit_test(changed_files_are_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
