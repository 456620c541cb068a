/* SPDX-License-Identifier: Apache-2.0 */
/* Attacks on the counts of an index whose patients are numbered by `psa`: who knows one of them
 * asks around them, and must not learn whether they have the diagnosis. */
#include <stdio.h>
#include <stdlib.h>

#include "answer.h"
#include "testing.h"

#define PEOPLE 200u
#define TARGET 57u
#define SUPPRESSED (-1)

struct site {
	struct fixture f;
	struct release *release;
	struct answer_rules rules;
};

static Cairn__EntryFacts *
entry(const char *kind, const char *attribute, double number, const char *text)
{
	Cairn__EntryFacts *made = calloc(1, sizeof *made);
	Cairn__Fact *fact = calloc(1, sizeof *fact);

	cairn__entry_facts__init(made);
	cairn__fact__init(fact);
	made->kind = strdup(kind);
	made->id = strdup("1");
	made->facts = calloc(1, sizeof(void *));
	made->facts[made->n_facts++] = fact;
	fact->attribute = strdup(attribute);
	fact->value_case = text == NULL ? CAIRN__FACT__VALUE_NUMBER : CAIRN__FACT__VALUE_TEXT;
	if (text == NULL)
		fact->number = number;
	else
		fact->text = strdup(text);
	return made;
}

/* Patient `n` has psa n, and the diagnosis when n is odd; but the target as is said. */
static Cairn__FactBatch *
patients(unsigned from, unsigned to, bool target_ill)
{
	Cairn__FactBatch *batch = calloc(1, sizeof *batch);

	cairn__fact_batch__init(batch);
	batch->source = strdup("test");
	batch->patients = calloc(to - from, sizeof(void *));
	for (unsigned n = from; n < to; n++) {
		Cairn__PatientFacts *patient = calloc(1, sizeof *patient);
		bool ill = n == TARGET ? target_ill : n % 2 == 1;

		cairn__patient_facts__init(patient);
		assert_true(asprintf(&patient->patient, "patient%u", n) > 0);
		patient->entries = calloc(2, sizeof(void *));
		patient->entries[patient->n_entries++] = entry("observation", "psa", n, NULL);
		if (ill)
			patient->entries[patient->n_entries++] =
			    entry("condition", "diagnosis", 0, "icd10:C61");
		batch->patients[batch->n_patients++] = patient;
	}
	return batch;
}

static void
open_release(struct site *s, size_t bytes_max)
{
	struct cairn_error err = {0};
	char dir[512];
	struct release_options options = {.dir = dir, .bytes_max = bytes_max};

	snprintf(dir, sizeof dir, "%s/told", s->f.dir.path);
	assert_ok(release_open(&s->release, &options, &err), &err);
}

static void
site_open(struct site *s, bool target_ill, struct answer_rules rules)
{
	*s = (struct site){.rules = rules};
	fixture_open(&s->f);
	open_release(s, 0);
	assert_int_equal(fixture_put_batch(&s->f, patients(0, PEOPLE, target_ill)).refused, 0);
}

static void
site_close(struct site *s)
{
	release_close(s->release);
	fixture_close(&s->f);
}

static int
try_ask(struct site *s, const char *text, long *ret)
{
	Cairn__CountRequest request = CAIRN__COUNT_REQUEST__INIT;
	struct answer_question question = {.rules = s->rules, .release = s->release};
	BUF_AUTO body = {.max = 1 << 16}, reply = {.max = 1 << 16};
	Cairn__CountAnswer *answer;
	struct cairn_error err = {0};
	int code;

	request.expression = parsed(text);
	assert_int_equal(answer_pack(&request.base, &body, &err), 0);
	cairn__expression__free_unpacked(request.expression, NULL);
	question.body = body.data;
	question.length = body.length;
	code = answer_count(s->f.index, &question, &reply, &err);
	if (code != 0)
		return code;
	answer = cairn__count_answer__unpack(NULL, reply.length, reply.data);
	assert_non_null(answer);
	assert_int_not_equal(answer->kind, CAIRN__COUNT_ANSWER__KIND__UNSUPPORTED);
	*ret = answer->kind == CAIRN__COUNT_ANSWER__KIND__SUPPRESSED ? SUPPRESSED
								     : (long)answer->count;
	cairn__count_answer__free_unpacked(answer, NULL);
	return 0;
}

static long
ask(struct site *s, const char *text)
{
	long answer = 0;

	assert_int_equal(try_ask(s, text, &answer), 0);
	return answer;
}

static const struct answer_rules strict = {.min_cell = 10, .difference = 10};

/* Whatever is asked in whichever of these orders, both worlds must say the same. */
static void
no_sequence_tells_whether_the_target_has_it(void **state)
{
	static const char *const attacks[][4] = {
	    /* differencing, both ways round */
	    {"diagnosis exists", "diagnosis exists and psa != 57"},
	    {"diagnosis exists and psa != 57", "diagnosis exists"},
	    /* trackers: the target and enough others, with and without the diagnosis */
	    {"psa between 57 and 100",
		"psa between 57 and 100 and not (psa = 57 and diagnosis exists)"},
	    {"psa > 150", "psa > 150 or (psa = 57 and diagnosis exists)"},
	    {"psa > 150 or (psa = 57 and diagnosis exists)", "psa > 150"},
	    {"psa > 100 xor (psa = 57 and diagnosis exists)", "psa > 100",
		"psa > 100 xor (psa = 57 and not diagnosis exists)"},
	    /* at the edge of the smallest cell, from either side */
	    {"psa between 57 and 66",
		"psa between 57 and 66 and not (psa = 57 and diagnosis exists)"},
	    {"psa between 57 and 66 and not (psa = 57 and diagnosis exists)",
		"psa between 57 and 66"},
	    {"psa between 58 and 66 or (psa = 57 and diagnosis exists)", "psa between 58 and 67"},
	    /* zero and one */
	    {"psa = 57 and diagnosis exists", "psa = 57", "psa < 0"},
	    /* nearly everybody */
	    {"not (psa = 57 and diagnosis exists)", "*"},
	    {"*", "not (psa = 57 and diagnosis exists)"},
	    {"not (psa between 50 and 57 and not diagnosis exists)", "not psa between 50 and 57"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof attacks / sizeof attacks[0]; i++) {
		struct site ill, well;

		site_open(&ill, true, strict);
		site_open(&well, false, strict);
		for (size_t n = 0; n < 4 && attacks[i][n] != NULL; n++) {
			long a = ask(&ill, attacks[i][n]), b = ask(&well, attacks[i][n]);

			/* The first set may itself have the target or not: a count is one off. */
			if (n == 0 && a >= 0 && b >= 0)
				assert_in_range(labs(a - b), 0, 1);
		}
		for (size_t n = 1; n < 4 && attacks[i][n] != NULL; n++) {
			long first = ask(&ill, attacks[i][0]) - ask(&ill, attacks[i][n]);

			assert_int_equal(
			    first, ask(&well, attacks[i][0]) - ask(&well, attacks[i][n]));
		}
		site_close(&ill);
		site_close(&well);
	}
}

/* Without the rule the attack works: the test above can fail. */
static void
without_the_rule_it_is_told(void **state)
{
	struct site s;

	(void)state;
	site_open(&s, true, (struct answer_rules){.min_cell = 10});
	assert_int_equal(
	    ask(&s, "diagnosis exists") - ask(&s, "diagnosis exists and psa != 57"), 1);
	site_close(&s);
}

static void
a_walk_in_small_steps_gives_answers_that_are_far_apart(void **state)
{
	struct site s;
	long last = -2;

	(void)state;
	site_open(&s, true, strict);
	for (unsigned n = 0; n < 150; n++) {
		char text[64];
		long answer;

		snprintf(text, sizeof text, "psa < %u", n);
		answer = ask(&s, text);
		if (answer != last && last >= 0)
			assert_true(answer - last >= 10);
		last = answer;
	}
	site_close(&s);
}

static void
patients_who_come_are_told_of_when_they_are_enough(void **state)
{
	struct site s;

	(void)state;
	site_open(&s, true, strict);
	assert_int_equal(ask(&s, "psa >= 100"), 100);
	fixture_put_batch(&s.f, patients(PEOPLE, PEOPLE + 9, true));
	assert_int_equal(ask(&s, "psa >= 100"), 100);
	fixture_put_batch(&s.f, patients(PEOPLE + 9, PEOPLE + 10, true));
	assert_int_equal(ask(&s, "psa >= 100"), 110);
	site_close(&s);
}

static void
a_plan_has_no_numbers(void **state)
{
	Cairn__ExplainRequest request = CAIRN__EXPLAIN_REQUEST__INIT;
	struct answer_question question = {.rules = strict};
	BUF_AUTO body = {.max = 1 << 16}, reply = {.max = 1 << 16};
	Cairn__ExplainAnswer *answer;
	struct cairn_error err = {0};
	struct site s;

	(void)state;
	site_open(&s, true, strict);
	request.expression = parsed("psa < 100 and diagnosis exists");
	assert_int_equal(answer_pack(&request.base, &body, &err), 0);
	cairn__expression__free_unpacked(request.expression, NULL);
	question.body = body.data;
	question.length = body.length;
	question.release = s.release;
	assert_ok(answer_explain(s.f.index, &question, &reply, &err), &err);
	answer = cairn__explain_answer__unpack(NULL, reply.length, reply.data);
	assert_non_null(answer);
	assert_int_equal(answer->n_steps, 3);
	for (size_t i = 0; i < answer->n_steps; i++) {
		assert_int_equal(answer->steps[i]->kind, CAIRN__COUNT_ANSWER__KIND__SUPPRESSED);
		assert_int_equal(answer->steps[i]->count, 0);
	}
	cairn__explain_answer__free_unpacked(answer, NULL);
	site_close(&s);
}

/* The count of the only value, SUPPRESSED when it is not shown. */
static long
break_down(struct site *s, const char *text)
{
	Cairn__BreakdownRequest request = CAIRN__BREAKDOWN_REQUEST__INIT;
	struct answer_question question = {.rules = s->rules, .release = s->release};
	BUF_AUTO body = {.max = 1 << 16}, reply = {.max = 1 << 16};
	char attribute[] = "diagnosis", *names[] = {attribute};
	Cairn__BreakdownAnswer *answer;
	struct cairn_error err = {0};
	long count;

	request.expression = parsed(text);
	request.attributes = names;
	request.n_attributes = 1;
	assert_int_equal(answer_pack(&request.base, &body, &err), 0);
	cairn__expression__free_unpacked(request.expression, NULL);
	question.body = body.data;
	question.length = body.length;
	assert_ok(answer_breakdown(s->f.index, &question, &reply, &err), &err);
	answer = cairn__breakdown_answer__unpack(NULL, reply.length, reply.data);
	assert_non_null(answer);
	assert_true(answer->n_cells <= 1);
	count = answer->n_cells == 0 ? SUPPRESSED : (long)answer->cells[0]->count;
	cairn__breakdown_answer__free_unpacked(answer, NULL);
	return count;
}

static void
a_breakdown_is_held_against_counts(void **state)
{
	struct site s;

	(void)state;
	site_open(&s, true, strict);
	assert_int_equal(ask(&s, "diagnosis exists and psa != 57"), 99);
	assert_int_equal(break_down(&s, "*"), 99);
	assert_int_equal(break_down(&s, "psa != 59"), 99);
	assert_int_equal(break_down(&s, "psa < 120"), 60);
	assert_int_equal(ask(&s, "diagnosis exists and psa < 119"), 60);
	assert_int_equal(break_down(&s, "psa < 10"), SUPPRESSED);
	site_close(&s);
}

static void
the_bins_of_a_distribution_are_held_against_counts(void **state)
{
	Cairn__DistributionRequest request = CAIRN__DISTRIBUTION_REQUEST__INIT;
	struct answer_question question = {.rules = strict};
	BUF_AUTO body = {.max = 1 << 16}, reply = {.max = 1 << 16};
	char attribute[] = "psa";
	Cairn__DistributionAnswer *answer;
	struct cairn_error err = {0};
	struct site s;

	(void)state;
	site_open(&s, true, strict);
	assert_int_equal(ask(&s, "psa <= 99"), 100);
	request.expression = parsed("psa != 57");
	request.attribute = attribute;
	request.to = 200;
	request.bins = 2;
	assert_int_equal(answer_pack(&request.base, &body, &err), 0);
	cairn__expression__free_unpacked(request.expression, NULL);
	question.body = body.data;
	question.length = body.length;
	question.release = s.release;
	assert_ok(answer_distribution(s.f.index, &question, &reply, &err), &err);
	answer = cairn__distribution_answer__unpack(NULL, reply.length, reply.data);
	assert_non_null(answer);
	assert_int_equal(answer->n_bins, 2);
	assert_int_equal(answer->bins[0]->count, 100);
	assert_int_equal(answer->bins[1]->count, 100);
	cairn__distribution_answer__free_unpacked(answer, NULL);
	site_close(&s);
}

static void
what_was_told_is_known_after_a_restart(void **state)
{
	struct site s;

	(void)state;
	site_open(&s, true, strict);
	assert_int_equal(ask(&s, "psa >= 100"), 100);
	release_close(s.release);
	open_release(&s, 0);
	assert_int_equal(ask(&s, "psa > 100"), 100);
	site_close(&s);
}

static void
noise_depends_on_the_patients_and_not_on_the_words(void **state)
{
	struct site s;
	bool moved = false;

	(void)state;
	site_open(&s, true, (struct answer_rules){.min_cell = 10, .difference = 1, .noise = 3});
	for (unsigned n = 20; n < 120; n++) {
		char text[128];
		long answer;

		snprintf(text, sizeof text, "psa < %u", n);
		answer = ask(&s, text);
		assert_in_range(answer, n - 3, n + 3);
		moved = moved || answer != (long)n;
		snprintf(text, sizeof text, "not (psa >= %u or not (psa >= 0))", n);
		assert_int_equal(ask(&s, text), answer);
	}
	assert_true(moved);
	site_close(&s);
}

static void
a_full_memory_answers_only_what_it_knows(void **state)
{
	struct site s;
	long answer;
	unsigned n;
	int code = 0;
	char text[64];

	(void)state;
	site_open(&s, true, (struct answer_rules){.difference = 1});
	release_close(s.release);
	open_release(&s, 2000);
	for (n = 0; n < 100 && code == 0; n++) {
		snprintf(text, sizeof text, "psa < %u", n);
		code = try_ask(&s, text, &answer);
	}
	assert_int_equal(code, CAIRN_ELIMIT);
	assert_in_range(n, 3, 50);
	assert_int_equal(try_ask(&s, text, &answer), CAIRN_ELIMIT);
	assert_int_equal(ask(&s, "psa < 1"), 1);
	site_close(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(no_sequence_tells_whether_the_target_has_it),
	    cmocka_unit_test(without_the_rule_it_is_told),
	    cmocka_unit_test(a_walk_in_small_steps_gives_answers_that_are_far_apart),
	    cmocka_unit_test(patients_who_come_are_told_of_when_they_are_enough),
	    cmocka_unit_test(a_plan_has_no_numbers),
	    cmocka_unit_test(a_breakdown_is_held_against_counts),
	    cmocka_unit_test(the_bins_of_a_distribution_are_held_against_counts),
	    cmocka_unit_test(what_was_told_is_known_after_a_restart),
	    cmocka_unit_test(noise_depends_on_the_patients_and_not_on_the_words),
	    cmocka_unit_test(a_full_memory_answers_only_what_it_knows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
