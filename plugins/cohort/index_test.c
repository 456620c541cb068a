/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"

static void
erase(struct fixture *f, const char *instance)
{
	struct cairn_error err = {0};
	struct index_write *write = NULL;

	assert_ok(index_begin(f->index, &write, &err), &err);
	assert_ok(index_erase_instance(write, instance, &err), &err);
	assert_ok(index_commit(write, &err), &err);
}

/* ---- against the naive search ------------------------------------------------------------ */

static void
assert_equals_search(struct fixture *f, const struct population *p, const char *text)
{
	Cairn__Expression *expression = parsed(text);

	for (unsigned level = 0; level < 4; level++) {
		struct index_count count = count_of(f, expression, level);
		size_t expected = population_count(p, expression, level);

		if (count.criteria_count == 0 && count.count != expected)
			fail_msg("level %u: %zu expected, %zu counted: %s", level, expected,
			    (size_t)count.count, text);
		/* An attribute that is unknown so far has no facts, and is said to be so. */
		if (count.criteria_count > 0)
			for (size_t i = 0; i < count.criteria_count; i++)
				assert_true(strcmp(count.criteria[i], "lesion") == 0 ||
				    strcmp(count.criteria[i], "marker") == 0 ||
				    strcmp(count.criteria[i], "volume") == 0);
		index_count_fini(&count);
	}
	cairn__expression__free_unpacked(expression, NULL);
}

/* Batches of random size, repeated instances, moves and erasures. */
static void
grow(struct fixture *f, struct population *p, uint64_t *seed)
{
	struct item items[20];
	size_t count = 1 + random_below(seed, 20);

	for (size_t i = 0; i < count; i++) {
		items[i] = random_item(seed);
		if (i > 0 && random_below(seed, 3) == 0) {
			items[i] = items[i - 1];
			items[i].path[3] = (unsigned)random_below(seed, 100);
		}
		population_put(p, &items[i]);
	}
	fixture_put(f, items, count);
	for (size_t i = random_below(seed, 12); i > 0; i--) {
		struct statement statement = random_statement(seed);

		population_state(p, &statement);
		fixture_put_batch(f, batch_of_statement(&statement));
	}
	if (p->count > 0 && random_below(seed, 3) == 0) {
		unsigned instance = p->items[random_below(seed, p->count)].path[3];
		char name[32];

		snprintf(name, sizeof name, "2.25.3%u", instance);
		erase(f, name);
		population_remove(p, instance);
	}
}

/* Narrow windows of a date: a day that was not moved with its patient is in another one. */
static void
assert_days_equal_search(struct fixture *f, const struct population *p, int step)
{
	static const char *const names[] = {
	    "study_date", "diagnosis_date", "observation_date", "procedure_date"};
	char text[128];

	for (unsigned day = 1 + (unsigned)step % 2; day < 28; day += 4) {
		snprintf(text, sizeof text, "%s between 2019-04-%02u and 2019-04-%02u",
		    names[step % 4], day, day + 1);
		assert_equals_search(f, p, text);
	}
}

/* Six populations to a round, each grown from the one before, and ten expressions for each.
 * COHORT_ROUNDS: 167 are 10,000 expressions. */
static int
rounds(void)
{
	const char *text = getenv("COHORT_ROUNDS");
	int64_t number = 20;

	if (text != NULL)
		assert_int_equal(text_to_integer(text, 1, 100000, &number), 0);
	return (int)number;
}

static void
random_expressions_equal_a_search_through_all_facts(void **state)
{
	uint64_t seed = 7;
	int count = rounds();

	(void)state;
	for (int round = 0; round < count; round++) {
		struct fixture f;
		struct population p = {0};

		fixture_open(&f);
		for (int step = 0; step < 6; step++) {
			grow(&f, &p, &seed);
			assert_days_equal_search(&f, &p, round + step);
			for (int i = 0; i < 10; i++) {
				char text[8192];

				random_expression(&seed, 3, text, sizeof text);
				assert_equals_search(&f, &p, text);
			}
		}
		population_fini(&p);
		fixture_close(&f);
	}
}

/* ---- ingestion --------------------------------------------------------------------------- */

#define QUESTIONS 60

static void
assert_same_answers(struct fixture *a, struct fixture *b)
{
	uint64_t seed = 99;

	for (int i = 0; i < QUESTIONS; i++) {
		char text[8192];
		Cairn__Expression *expression;

		random_expression(&seed, 3, text, sizeof text);
		expression = parsed(text);
		for (unsigned level = 0; level < 4; level++) {
			struct index_count x = count_of(a, expression, level);
			struct index_count y = count_of(b, expression, level);

			assert_int_equal(x.criteria_count, y.criteria_count);
			if (x.count != y.count || x.patients != y.patients)
				fail_msg("level %u: %zu and %zu: %s", level, (size_t)x.count,
				    (size_t)y.count, text);
			index_count_fini(&x);
			index_count_fini(&y);
		}
		cairn__expression__free_unpacked(expression, NULL);
	}
}

static void
the_order_of_arrival_does_not_matter(void **state)
{
	struct item items[300], shuffled[300];
	struct fixture a, b;
	uint64_t seed = 3;

	(void)state;
	distinct_items(items, 300);
	memcpy(shuffled, items, sizeof items);
	for (size_t i = 299; i > 0; i--) {
		size_t j = random_below(&seed, i + 1);
		struct item swap = shuffled[i];

		shuffled[i] = shuffled[j];
		shuffled[j] = swap;
	}
	fixture_open(&a);
	fixture_open(&b);
	fixture_put(&a, items, 300);
	for (size_t i = 0; i < 300; i += 7)
		fixture_put(&b, shuffled + i, i + 7 < 300 ? 7 : 300 - i);
	assert_same_answers(&a, &b);
	fixture_close(&a);
	fixture_close(&b);
}

static void
applying_a_batch_again_changes_nothing(void **state)
{
	struct item items[100];
	struct fixture a, b;
	struct index_applied applied;

	(void)state;
	distinct_items(items, 100);
	fixture_open(&a);
	fixture_open(&b);
	fixture_put(&a, items, 100);
	applied = fixture_put(&b, items, 100);
	assert_int_equal(applied.changed, 100);
	applied = fixture_put(&b, items, 100);
	assert_int_equal(applied.changed, 0);
	assert_int_equal(applied.unchanged, 100);
	assert_same_answers(&a, &b);
	fixture_close(&a);
	fixture_close(&b);
}

static void
erasing_everything_leaves_nothing(void **state)
{
	struct item items[60];
	struct fixture f;
	struct cairn_error err = {0};
	struct index_write *write = NULL;
	struct index_stats stats;

	(void)state;
	distinct_items(items, 60);
	fixture_open(&f);
	fixture_put(&f, items, 60);
	assert_ok(index_begin(f.index, &write, &err), &err);
	for (unsigned i = 0; i < 9; i++) {
		char name[32];

		snprintf(name, sizeof name, "patient-%u", i);
		assert_ok(index_erase_patient(write, name, &err), &err);
	}
	assert_int_equal(index_erase_patient(write, "patient-0", NULL), CAIRN_ENOTFOUND);
	assert_ok(index_commit(write, &err), &err);
	assert_ok(index_stats(f.index, &stats, &err), &err);
	for (unsigned level = 0; level < 4; level++)
		assert_int_equal(stats.entities[level], 0);
	assert_int_equal(count_text(&f, "modality exists or age exists or sex exists", 0), 0);
	fixture_put(&f, items, 60);
	assert_true(count_text(&f, "*", 0) > 0);
	fixture_close(&f);
}

static struct item
dated(unsigned study, unsigned instance, int day)
{
	struct item item = {.path = {1, study, 1, instance}, .fact_count = 1};

	item.facts[0] = (struct item_fact){.level = 1, .attribute = 7, .number = day};
	return item;
}

static void
an_earlier_study_moves_the_study_days(void **state)
{
	struct item first = dated(1, 1, 18010), second = dated(2, 2, 18040),
		    earlier = dated(3, 3, 18000);
	struct fixture f;

	(void)state;
	fixture_open(&f);
	fixture_put(&f, &first, 1);
	fixture_put(&f, &second, 1);
	assert_int_equal(count_text(&f, "study_day = 30", 1), 1);
	assert_int_equal(count_text(&f, "study_day = 0", 1), 1);
	fixture_put(&f, &earlier, 1);
	assert_int_equal(count_text(&f, "study_day = 30", 1), 0);
	assert_int_equal(count_text(&f, "study_day in (0, 10, 40)", 1), 3);
	assert_int_equal(count_text(&f, "study_day > 10", 0), 1);
	erase(&f, "2.25.33");
	assert_int_equal(count_text(&f, "study_day in (0, 30)", 1), 2);
	fixture_close(&f);
}

static void
broken_items_are_refused_and_the_others_applied(void **state)
{
	struct item items[3];
	struct fixture f;
	struct index_applied applied;
	Cairn__FactBatch *batch;

	(void)state;
	distinct_items(items, 3);
	fixture_open(&f);
	batch = batch_new(items, 3);
	batch->instances[1]->series[0] = 0;
	applied = fixture_put_batch(&f, batch);
	assert_int_equal(applied.refused, 1);
	assert_int_equal(applied.changed, 2);
	assert_string_equal(
	    applied.reason, "an identifier is missing, too long or not plain ASCII");
	assert_int_equal(count_text(&f, "*", 3), 2);
	fixture_close(&f);
}

static void
an_aborted_transaction_leaves_no_trace(void **state)
{
	struct item items[50];
	struct fixture f;
	struct cairn_error err = {0};
	struct index_applied applied = {0};
	struct index_write *write = NULL;
	Cairn__FactBatch *batch;

	(void)state;
	distinct_items(items, 50);
	fixture_open(&f);
	batch = batch_new(items, 50);
	assert_ok(index_begin(f.index, &write, &err), &err);
	assert_ok(index_apply(write, batch, &applied, &err), &err);
	index_abort(write);
	batch_free(batch);
	assert_int_equal(count_text(&f, "*", 0), 0);
	fixture_close(&f);
}

static void
a_full_index_says_so_and_stays_readable(void **state)
{
	struct fixture f;
	struct cairn_error err = {0};
	struct index_applied applied = {0};
	struct index_write *write = NULL;
	struct item *items = calloc(5000, sizeof *items);
	Cairn__FactBatch *batch;

	(void)state;
	distinct_items(items, 5000);
	fixture_open_with(&f, (struct index_options){.map_size = 1 << 20});
	batch = batch_new(items, 5000);
	assert_ok(index_begin(f.index, &write, &err), &err);
	assert_int_equal(index_apply(write, batch, &applied, &err), CAIRN_ELIMIT);
	assert_non_null(strstr(err.text, "raise map_size_mb"));
	index_abort(write);
	assert_int_equal(count_text(&f, "*", 0), 0);
	batch_free(batch);
	free(items);
	fixture_close(&f);
}

/* ---- questions --------------------------------------------------------------------------- */

static void
unsupported_criteria_are_all_named_once(void **state)
{
	struct fixture f;
	struct item item = {.path = {1, 1, 1, 1}};
	Cairn__Expression *expression =
	    parsed("modality = CT and (smoking = yes or not bmi > 30) and smoking = no");
	struct index_count count;

	(void)state;
	fixture_open(&f);
	fixture_put(&f, &item, 1);
	count = count_of(&f, expression, 0);
	assert_int_equal(count.criteria_count, 2);
	assert_string_equal(count.criteria[0], "smoking");
	assert_string_equal(count.criteria[1], "bmi");
	assert_int_equal(count.count, 0);
	index_count_fini(&count);
	cairn__expression__free_unpacked(expression, NULL);
	assert_int_equal(count_text(&f, "modality = CT", 0), 0);
	fixture_close(&f);
}

static void
a_withdrawn_question_ends(void **state)
{
	struct fixture f;
	struct index_count count = {0};
	Cairn__Expression *expression = parsed("*");
	atomic_bool cancel = true;

	(void)state;
	fixture_open(&f);
	assert_int_equal(index_count(f.index, expression, CAIRN__LEVEL__PATIENT,
			     &(struct index_asking){.cancel = &cancel}, &count, NULL),
	    CAIRN_ECANCELLED);
	cairn__expression__free_unpacked(expression, NULL);
	fixture_close(&f);
}

static void
a_question_has_a_memory_limit(void **state)
{
	struct fixture f;
	struct cairn_error err = {0};
	struct index_count count = {0};
	Cairn__Expression *shallow = parsed("*"), *deep = parsed("* and (* or (* and (* or *)))");

	(void)state;
	fixture_open_with(&f, (struct index_options){.query_bytes = 20000});
	assert_ok(index_count(f.index, shallow, 0, NULL, &count, &err), &err);
	assert_int_equal(index_count(f.index, deep, 0, NULL, &count, &err), CAIRN_ELIMIT);
	cairn__expression__free_unpacked(shallow, NULL);
	cairn__expression__free_unpacked(deep, NULL);
	fixture_close(&f);
}

struct seen {
	char names[400][32];
	size_t count;
};

static int
note(void *arg, const struct index_instance *instance)
{
	struct seen *seen = arg;

	assert_true(seen->count < 400);
	snprintf(seen->names[seen->count++], 32, "%s", instance->instance);
	assert_int_equal(strncmp(instance->patient, "patient-", 8), 0);
	return 0;
}

static void
pages_hold_every_selected_instance_once(void **state)
{
	struct item items[300];
	struct fixture f;
	struct seen seen = {.count = 0};
	struct index_page page = {.limit = 7, .each = note, .arg = &seen};
	struct cairn_error err = {0};
	Cairn__Expression *expression = parsed("modality = CT");
	uint64_t expected;

	(void)state;
	distinct_items(items, 300);
	fixture_open(&f);
	fixture_put(&f, items, 300);
	expected = count_text(&f, "modality = CT", 3);
	do {
		struct index_count count = {0};

		assert_ok(index_select(f.index, expression, NULL, &page, &count, &err), &err);
		assert_int_equal(count.count, expected);
		page.after = page.next;
	} while (page.next != 0);
	assert_int_equal(seen.count, expected);
	for (size_t i = 0; i < seen.count; i++)
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(seen.names[i], seen.names[j]);
	cairn__expression__free_unpacked(expression, NULL);
	fixture_close(&f);
}

static void
a_selection_of_too_few_patients_hands_out_nothing(void **state)
{
	struct item items[100];
	struct fixture f;
	struct seen seen = {.count = 0};
	struct index_page page = {.limit = 7, .each = note, .arg = &seen, .min_patients = 10};
	struct cairn_error err = {0};
	struct index_count count = {0};
	Cairn__Expression *expression = parsed("*");

	(void)state;
	distinct_items(items, 100);
	fixture_open(&f);
	fixture_put(&f, items, 100);
	assert_ok(index_select(f.index, expression, NULL, &page, &count, &err), &err);
	assert_true(page.too_few);
	assert_int_equal(seen.count, 0);
	cairn__expression__free_unpacked(expression, NULL);
	fixture_close(&f);
}

static void
sets_cross_blocks_of_65536(void **state)
{
	enum { COUNT = 140000 };
	struct item *items = calloc(COUNT, sizeof *items);
	struct fixture f;

	(void)state;
	for (unsigned i = 0; i < COUNT; i++) {
		items[i] = (struct item){.path = {i / 2, 0, 0, i}, .fact_count = 2};
		items[i].facts[0] =
		    (struct item_fact){.level = 2, .attribute = 0, .text = i / 2 % 2 == 0 ? 0 : 3};
		items[i].facts[1] =
		    (struct item_fact){.level = 1, .attribute = 5, .number = i / 2 % 100};
	}
	fixture_open(&f);
	fixture_put(&f, items, COUNT);
	assert_int_equal(count_text(&f, "modality = CT", 0), COUNT / 4);
	assert_int_equal(count_text(&f, "modality = CT and age < 50", 0), COUNT / 8);
	assert_int_equal(count_text(&f, "modality = CT and age < 50", 3), COUNT / 4);
	assert_int_equal(count_text(&f, "not (modality = CT and age < 50)", 2), 3 * COUNT / 8);
	assert_int_equal(count_text(&f, "age between 10 and 19", 1), COUNT / 20);
	free(items);
	fixture_close(&f);
}

static void
an_index_opened_again_answers_as_before(void **state)
{
	struct item items[200];
	struct fixture a, b;

	(void)state;
	distinct_items(items, 200);
	fixture_open(&a);
	fixture_open(&b);
	fixture_put(&a, items, 200);
	fixture_put(&b, items, 100);
	fixture_reopen(&b);
	fixture_put(&b, items + 100, 100);
	assert_same_answers(&a, &b);
	fixture_close(&a);
	fixture_close(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(random_expressions_equal_a_search_through_all_facts),
	    cmocka_unit_test(the_order_of_arrival_does_not_matter),
	    cmocka_unit_test(applying_a_batch_again_changes_nothing),
	    cmocka_unit_test(erasing_everything_leaves_nothing),
	    cmocka_unit_test(an_earlier_study_moves_the_study_days),
	    cmocka_unit_test(broken_items_are_refused_and_the_others_applied),
	    cmocka_unit_test(an_aborted_transaction_leaves_no_trace),
	    cmocka_unit_test(a_full_index_says_so_and_stays_readable),
	    cmocka_unit_test(unsupported_criteria_are_all_named_once),
	    cmocka_unit_test(a_withdrawn_question_ends),
	    cmocka_unit_test(a_question_has_a_memory_limit),
	    cmocka_unit_test(pages_hold_every_selected_instance_once),
	    cmocka_unit_test(a_selection_of_too_few_patients_hands_out_nothing),
	    cmocka_unit_test(sets_cross_blocks_of_65536),
	    cmocka_unit_test(an_index_opened_again_answers_as_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
