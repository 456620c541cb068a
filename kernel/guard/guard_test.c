/* SPDX-License-Identifier: Apache-2.0 */
/* What the guard answers, and what stops a policy from doing harm. */
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/test.h"
#include "base/text.h"
#include "cairn/cohort.pb-c.h"
#include "guard/guard.h"

#define GOOD_RULE                                                             \
	"rule { name = 'good', subjects = { 'good' }, decide = function(q)\n" \
	"  return permit('fine') end }\n"

struct site {
	struct test_dir dir;
	struct guard *guard;
};

static void
put(const struct site *site, const char *name, const void *bytes, size_t length)
{
	char path[256];

	assert_int_equal(file_join(path, sizeof path, site->dir.path, name), 0);
	assert_int_equal(file_write(path, bytes, length, 0600, NULL), 0);
}

static void
put_text(const struct site *site, const char *name, const char *text)
{
	put(site, name, text, strlen(text));
}

static void
open_with(struct site *site, const struct guard_options *limits)
{
	struct guard_options options = *limits;
	struct cairn_error err = {0};

	options.policies_dir = site->dir.path;
	assert_ok(guard_open(&site->guard, &options, &err), &err);
}

/* A site with one policy file of these rules. */
static void
start(struct site *site, const char *policy)
{
	*site = (struct site){0};
	test_dir_make(&site->dir);
	put_text(site, "10-test.lua", policy);
	open_with(site, &(struct guard_options){0});
}

static void
finish(struct site *site)
{
	guard_free(site->guard);
	test_dir_remove(&site->dir);
}

static struct guard_decision
ask(const struct site *site, const char *subject)
{
	struct guard_question question = {.subject = subject,
	    .principal = "alice@example.org",
	    .role = "researcher",
	    .via = "control",
	    .purpose = "scientific-research"};
	struct guard_decision decision;

	memset(&decision, 0xaa, sizeof decision);
	guard_decide(site->guard, &question, &decision);
	return decision;
}

/* ---- what is decided -------------------------------------------------------------------- */

static void
a_question_that_no_rule_permits_is_denied(void **state)
{
	struct site site;
	struct guard_decision d;

	(void)state;
	start(&site, GOOD_RULE);
	d = ask(&site, "cohort.count");
	assert_false(d.permit);
	assert_string_equal(d.rule, "kernel:default");
	assert_string_equal(d.reason,
	    "no rule permits cohort.count to alice@example.org "
	    "(researcher) for purpose 'scientific-research'");
	finish(&site);
}

static void
a_permit_carries_its_rule_reason_and_obligations(void **state)
{
	struct site site;
	struct guard_decision d;

	(void)state;
	start(&site,
	    "rule { name = 'a', subjects = { 'cohort.*' }, decide = function(q)\n"
	    "  return permit { reason = 'for ' .. q.principal.name,\n"
	    "    obligations = { min_cell = 10 } } end }\n");
	d = ask(&site, "cohort.count");
	assert_true(d.permit);
	assert_string_equal(d.rule, "10-test.lua:a");
	assert_string_equal(d.reason, "for alice@example.org");
	assert_int_equal(d.obligation_count, 1);
	assert_string_equal(d.obligations[0].name, "min_cell");
	assert_int_equal(d.obligations[0].value, 10);
	assert_int_equal(guard_rule_count(site.guard), 1);
	finish(&site);
}

static void
the_first_deny_wins_over_any_permit(void **state)
{
	struct site site;
	struct guard_decision d;

	(void)state;
	start(&site,
	    "rule { name = 'a', subjects = { '*' }, decide = function(q)\n"
	    "  return permit { reason = 'x', obligations = { a = 1 } } end }\n"
	    "rule { name = 'b', subjects = { '*' }, decide = function(q)\n"
	    "  return deny('not on %s', 'mondays') end }\n"
	    "rule { name = 'c', subjects = { '*' }, decide = function(q) return deny('c') end }\n");
	d = ask(&site, "cohort.count");
	assert_false(d.permit);
	assert_string_equal(d.rule, "10-test.lua:b");
	assert_string_equal(d.reason, "not on mondays");
	assert_int_equal(d.obligation_count, 0);
	finish(&site);
}

static void
the_strictest_of_all_obligations_holds(void **state)
{
	struct site site;
	struct guard_decision d;

	(void)state;
	start(&site,
	    "rule { name = 'a', subjects = { '*' }, decide = function(q)\n"
	    "  return permit { reason = 'a', obligations = { min_cell = 10, round = 5 } } end }\n"
	    "rule { name = 'b', subjects = { '*' }, decide = function(q)\n"
	    "  return permit { reason = 'b', obligations = { min_cell = 20, round = 1 } } end }\n");
	d = ask(&site, "cohort.count");
	assert_true(d.permit);
	assert_string_equal(d.rule, "10-test.lua:a");
	assert_int_equal(d.obligation_count, 2);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(
		    d.obligations[i].value, strcmp(d.obligations[i].name, "round") == 0 ? 5 : 20);
	finish(&site);
}

static void
files_are_asked_in_the_order_of_their_names(void **state)
{
	struct site site = {0};

	(void)state;
	test_dir_make(&site.dir);
	put_text(&site, "20-b.lua",
	    "rule { name = 'b', subjects = { '*' }, decide = function() return deny('b') end }\n");
	put_text(&site, "10-a.lua",
	    "rule { name = 'a', subjects = { '*' }, decide = function() return deny('a') end }\n");
	put_text(&site, "README.md", "not a policy");
	open_with(&site, &(struct guard_options){0});
	assert_string_equal(ask(&site, "x").rule, "10-a.lua:a");
	finish(&site);
}

static void
roles_come_from_the_settings(void **state)
{
	struct site site = {0};

	(void)state;
	test_dir_make(&site.dir);
	put_text(&site, "settings.yaml",
	    "principals:\n  bob: {role: researcher}\n"
	    "  alice: {role: auditor, affiliation: X}\n");
	open_with(&site, &(struct guard_options){0});
	assert_string_equal(guard_role(site.guard, "alice"), "auditor");
	assert_string_equal(guard_role(site.guard, "bob"), "researcher");
	assert_string_equal(guard_role(site.guard, "carol"), "");
	finish(&site);
}

static void
the_digest_changes_with_any_file(void **state)
{
	struct site site;
	uint8_t a[32], b[32];

	(void)state;
	start(&site, GOOD_RULE);
	guard_digest(site.guard, a);
	guard_free(site.guard);
	open_with(&site, &(struct guard_options){0});
	guard_digest(site.guard, b);
	assert_memory_equal(a, b, 32);
	guard_free(site.guard);
	put_text(&site, "settings.yaml", "a: 1\n");
	open_with(&site, &(struct guard_options){0});
	guard_digest(site.guard, b);
	assert_memory_not_equal(a, b, 32);
	finish(&site);
}

/* ---- the message ------------------------------------------------------------------------ */

static struct guard_decision
ask_about(const struct site *site, const ProtobufCMessage *message)
{
	struct guard_question question = {.subject = "cohort.count", .message = message};
	struct guard_decision decision;

	guard_decide(site->guard, &question, &decision);
	return decision;
}

static void
a_rule_reads_the_message_field_by_field(void **state)
{
	Cairn__CountRequest request = CAIRN__COUNT_REQUEST__INIT;
	Cairn__Expression expression = CAIRN__EXPRESSION__INIT;
	Cairn__Leaf leaf = CAIRN__LEAF__INIT;
	Cairn__Scalar text = CAIRN__SCALAR__INIT, number = CAIRN__SCALAR__INIT;
	Cairn__Scalar *values[] = {&text, &number};
	struct site site;

	(void)state;
	text.value_case = CAIRN__SCALAR__VALUE_TEXT;
	text.text = (char[]){"CT"};
	number.value_case = CAIRN__SCALAR__VALUE_NUMBER;
	number.number = 2.5;
	leaf.attribute = (char[]){"modality"};
	leaf.operator_ = CAIRN__LEAF__OPERATOR__IN;
	leaf.values = values;
	leaf.n_values = 2;
	expression.leaf = &leaf;
	request.expression = &expression;
	request.level = CAIRN__LEVEL__STUDY;
	start(&site,
	    "rule { name = 'a', subjects = { '*' }, decide = function(q)\n"
	    "  local m = q.message\n"
	    "  local l = m.expression.leaf\n"
	    "  assert(m.expression.operand == 'LEAF' and #m.expression.children == 0)\n"
	    "  assert(l.values[2].text == nil and l.values[2].number == 2.5)\n"
	    "  return permit('%s %s %s %s %d', m.level, l.attribute, l.operator,\n"
	    "    l.values[1].text, #l.values)\n"
	    "end }\n");
	assert_string_equal(ask_about(&site, &request.base).reason, "STUDY modality IN CT 2");
	assert_string_equal(ask_about(&site, NULL).reason,
	    "rule '10-test.lua:a' failed: 10-test.lua:3: attempt to index a nil value (local 'm')");
	finish(&site);
}

static void
a_misspelt_field_is_an_error_with_a_suggestion(void **state)
{
	Cairn__CountRequest request = CAIRN__COUNT_REQUEST__INIT;
	struct site site;

	(void)state;
	start(&site,
	    "rule { name = 'a', subjects = { '*' }, decide = function(q)\n"
	    "  return permit('x' .. q.message.levle) end }\n");
	assert_string_equal(ask_about(&site, &request.base).reason,
	    "rule '10-test.lua:a' failed: 10-test.lua:2: cairn.CountRequest has no field 'levle'; "
	    "did "
	    "you mean 'level'?");
	finish(&site);
	start(&site,
	    "rule { name = 'a', subjects = { '*' }, decide = function(q)\n"
	    "  if q.pupose == 'x' then return permit('x') end end }\n");
	assert_string_equal(ask(&site, "x").reason,
	    "rule '10-test.lua:a' failed: 10-test.lua:2: the question has no 'pupose'; did you "
	    "mean "
	    "'purpose'?");
	finish(&site);
}

static void
no_rule_sees_what_another_wrote_into_the_message(void **state)
{
	Cairn__CountRequest request = CAIRN__COUNT_REQUEST__INIT;
	struct site site;

	(void)state;
	start(&site,
	    "rule { name = 'a', subjects = { '*' }, decide = function(q)\n"
	    "  q.message.level = 'INSTANCE' end }\n"
	    "rule { name = 'b', subjects = { '*' }, decide = function(q)\n"
	    "  return permit(q.message.level) end }\n");
	assert_string_equal(ask_about(&site, &request.base).reason, "PATIENT");
	finish(&site);
}

static void
a_message_over_the_limits_is_denied(void **state)
{
	static Cairn__Expression levels[70];
	static Cairn__Expression *children[70];
	Cairn__Expression wide = CAIRN__EXPRESSION__INIT;
	Cairn__Expression leaf = CAIRN__EXPRESSION__INIT;
	Cairn__Expression *many[3000];
	struct site site;

	(void)state;
	start(&site,
	    "rule { name = 'a', subjects = { '*' }, decide = function(q)\n"
	    "  return permit(q.message.operand) end }\n");
	for (size_t i = 70; i-- > 0;) {
		cairn__expression__init(&levels[i]);
		if (i < 69) {
			children[i] = &levels[i + 1];
			levels[i].children = &children[i];
			levels[i].n_children = 1;
		}
	}
	assert_string_equal(ask_about(&site, &levels[0].base).reason,
	    "rule '10-test.lua:a' failed: 10-test.lua:2: the request is too large for the policy: "
	    "over "
	    "64 levels");
	assert_true(ask_about(&site, &levels[10].base).permit);
	for (size_t i = 0; i < 3000; i++)
		many[i] = &leaf;
	wide.children = many;
	wide.n_children = 3000;
	assert_string_equal(ask_about(&site, &wide.base).reason,
	    "rule '10-test.lua:a' failed: 10-test.lua:2: the request is too large for the policy: "
	    "over "
	    "10000 values");
	finish(&site);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_question_that_no_rule_permits_is_denied),
	    cmocka_unit_test(a_permit_carries_its_rule_reason_and_obligations),
	    cmocka_unit_test(the_first_deny_wins_over_any_permit),
	    cmocka_unit_test(the_strictest_of_all_obligations_holds),
	    cmocka_unit_test(files_are_asked_in_the_order_of_their_names),
	    cmocka_unit_test(roles_come_from_the_settings),
	    cmocka_unit_test(the_digest_changes_with_any_file),
	    cmocka_unit_test(a_rule_reads_the_message_field_by_field),
	    cmocka_unit_test(a_misspelt_field_is_an_error_with_a_suggestion),
	    cmocka_unit_test(no_rule_sees_what_another_wrote_into_the_message),
	    cmocka_unit_test(a_message_over_the_limits_is_denied),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
