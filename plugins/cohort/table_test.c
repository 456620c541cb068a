/* SPDX-License-Identifier: Apache-2.0 */
/* Breakdowns, distributions and what of them must be hidden; sets of patients. */
#include "testing.h"

#include "answer.h"
#include "patients.h"
#include "table.h"

/* ---- suppression ------------------------------------------------------------------------- */

/* Whether a hidden cell follows from the totals of rows and columns: tried by elimination. */
static bool
follows(const bool *hidden, const uint64_t *cells, size_t rows, size_t columns)
{
	bool open[64];
	bool any = false, changed = true;

	for (size_t i = 0; i < rows * columns; i++)
		open[i] = hidden[i] && cells[i] > 0;
	while (changed) {
		changed = false;
		for (size_t line = 0; line < rows + columns; line++) {
			size_t count = 0, last = 0;
			size_t length = line < rows ? columns : rows;
			uint64_t total = 0;

			for (size_t i = 0; i < length; i++) {
				size_t cell =
				    line < rows ? line * columns + i : i * columns + line - rows;

				total += cells[cell];
				if (open[cell]) {
					count++;
					last = cell;
				}
			}
			if (count == 1 && total >= 10) {
				open[last] = false;
				any = changed = true;
			}
		}
	}
	return any;
}

static bool
shows_something(const bool *hidden, const uint64_t *cells, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!hidden[i] && cells[i] > 0)
			return true;
	return false;
}

static void
no_hidden_cell_follows_from_totals(void **state)
{
	uint64_t seed = 17;

	(void)state;
	for (int round = 0; round < 3000; round++) {
		size_t rows = 2 + random_below(&seed, 5), columns = 2 + random_below(&seed, 5);
		uint64_t cells[64];
		bool hidden[64];

		for (size_t i = 0; i < rows * columns; i++)
			cells[i] = random_below(&seed, 4) == 0 ? random_below(&seed, 10)
							       : 10 + random_below(&seed, 90);
		assert_int_equal(table_suppress(cells, rows, columns, 10, hidden), 0);
		for (size_t i = 0; i < rows * columns; i++)
			assert_true(hidden[i] || cells[i] >= 10);
		assert_true(!follows(hidden, cells, rows, columns) ||
		    !shows_something(hidden, cells, rows * columns));
	}
}

static void
a_lone_small_cell_takes_another_one_with_it(void **state)
{
	const uint64_t cells[] = {60, 40, 3};
	bool hidden[3];

	(void)state;
	assert_int_equal(table_suppress(cells, 3, 1, 10, hidden), 0);
	assert_false(hidden[0]);
	assert_true(hidden[1]);
	assert_true(hidden[2]);
}

static void
small_cells_that_are_few_together_take_another_one_with_them(void **state)
{
	const uint64_t few[] = {60, 40, 3, 4}, many[] = {60, 40, 7, 8};
	bool hidden[4];

	(void)state;
	assert_int_equal(table_suppress(few, 4, 1, 10, hidden), 0);
	assert_true(hidden[1]);
	assert_int_equal(table_suppress(many, 4, 1, 10, hidden), 0);
	assert_false(hidden[1]);
}

/* ---- tables ------------------------------------------------------------------------------ */

/* 40 patients: CT for all, MR for every second, sex by thirds, age 30 to 69 once each. */
static void
fixture_open_table(struct fixture *f)
{
	struct item items[60] = {0};
	size_t count = 0;

	fixture_open(f);
	for (unsigned i = 0; i < 60; i++, count++) {
		bool mr = i >= 40;

		items[count] = (struct item){
		    .path = {mr ? 2 * (i - 40) : i, mr, 0, i}, .fact_count = mr ? 1 : 3};
		items[count].facts[0] = (struct item_fact){.level = 2, .text = mr ? 1 : 0};
		items[count].facts[1] =
		    (struct item_fact){.level = 0, .attribute = 2, .text = i % 3 == 0 ? 0 : 1};
		items[count].facts[2] =
		    (struct item_fact){.level = 1, .attribute = 5, .number = 30 + i};
	}
	fixture_put(f, items, count);
}

static void
a_breakdown_counts_distinct_patients_by_value(void **state)
{
	static const char *const attributes_[] = {"modality", "sex"};
	Cairn__Expression *all = parsed("*");
	struct index_breakdown b;
	struct cairn_error err = {0};
	struct fixture f;

	(void)state;
	fixture_open_table(&f);
	assert_ok(index_breakdown(f.index, all, NULL, attributes_, 2, 10, &b, &err), &err);
	assert_int_equal(b.row_count, 2);
	assert_int_equal(b.column_count, 2);
	assert_string_equal(b.rows[0].text, "CT");
	assert_int_equal(b.rows[0].count, 40);
	assert_int_equal(b.rows[1].count, 20);
	assert_string_equal(b.columns[0].text, "male");
	assert_int_equal(b.cells[0], 26);
	assert_int_equal(b.cells[1], 14);
	assert_int_equal(b.cells[2], 13);
	assert_int_equal(b.cells[3], 7);
	index_breakdown_fini(&b);
	assert_ok(index_breakdown(f.index, all, NULL, attributes_, 1, 1, &b, &err), &err);
	assert_true(b.truncated);
	assert_int_equal(b.row_count, 1);
	index_breakdown_fini(&b);
	cairn__expression__free_unpacked(all, NULL);
	fixture_close(&f);
}

static void
bins_hold_each_number_once(void **state)
{
	Cairn__Expression *all = parsed("*");
	struct index_bins bins = {.from = 30, .to = 69, .count = 3};
	struct cairn_error err = {0};
	struct fixture f;

	(void)state;
	fixture_open_table(&f);
	assert_ok(index_distribution(f.index, all, NULL, "age", &bins, &err), &err);
	assert_int_equal(bins.patients[0], 13);
	assert_int_equal(bins.patients[1], 13);
	assert_int_equal(bins.patients[2], 14);
	cairn__expression__free_unpacked(all, NULL);
	fixture_close(&f);
}

static void
a_table_under_a_minimum_cell_shows_no_small_cell(void **state)
{
	Cairn__BreakdownRequest request = CAIRN__BREAKDOWN_REQUEST__INIT;
	Cairn__BreakdownAnswer *answer;
	char *names[] = {(char *)(uintptr_t) "modality", (char *)(uintptr_t) "sex"};
	uint8_t body[256];
	struct answer_question q = {.body = body, .rules = {.min_cell = 10, .round = 5}};
	BUF_AUTO reply = {.max = ANSWER_BYTES_MAX};
	struct cairn_error err = {0};
	struct fixture f;

	(void)state;
	fixture_open_table(&f);
	request.expression = parsed("*");
	request.attributes = names;
	request.n_attributes = 2;
	q.length = cairn__breakdown_request__pack(&request, body);
	cairn__expression__free_unpacked(request.expression, NULL);
	assert_ok(answer_breakdown(f.index, &q, &reply, &err), &err);
	answer = cairn__breakdown_answer__unpack(NULL, reply.length, reply.data);
	assert_non_null(answer);
	/* 7 is small; 13 and 14 stand beside it, and 26 closes the circle. */
	assert_int_equal(answer->n_cells, 0);
	assert_int_equal(answer->kind, CAIRN__COUNT_ANSWER__KIND__SUPPRESSED);
	cairn__breakdown_answer__free_unpacked(answer, NULL);
	fixture_close(&f);
}

/* ---- sets of patients -------------------------------------------------------------------- */

static void
patients_of(struct fixture *f, const char *text, struct patient_set *ret)
{
	static const uint8_t secret[32] = {1, 2, 3};
	Cairn__Expression *expression = parsed(text);
	struct index_count count;
	struct cairn_error err = {0};

	patient_set_init(ret);
	assert_ok(index_patients(f->index, expression, NULL, secret, &count, ret, &err), &err);
	cairn__expression__free_unpacked(expression, NULL);
}

static void
equal_sets_have_one_digest_and_others_their_difference(void **state)
{
	struct patient_set a, b, c;
	struct fixture f;
	uint64_t only_a, only_b;

	(void)state;
	fixture_open_table(&f);
	patients_of(&f, "modality = MR", &a);
	patients_of(&f, "same study (modality = MR) and *", &b);
	patients_of(&f, "sex = female", &c);
	assert_memory_equal(a.digest, b.digest, PATIENTS_DIGEST);
	assert_memory_not_equal(a.digest, c.digest, PATIENTS_DIGEST);
	assert_int_equal(a.count, 20);
	assert_int_equal(patient_set_compare(&a.packed, &c.packed, &only_a, &only_b), 0);
	assert_int_equal(only_a, 13);
	assert_int_equal(only_b, 7);
	patient_set_fini(&a);
	patient_set_fini(&b);
	patient_set_fini(&c);
	fixture_close(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(no_hidden_cell_follows_from_totals),
	    cmocka_unit_test(a_lone_small_cell_takes_another_one_with_it),
	    cmocka_unit_test(small_cells_that_are_few_together_take_another_one_with_them),
	    cmocka_unit_test(a_breakdown_counts_distinct_patients_by_value),
	    cmocka_unit_test(bins_hold_each_number_once),
	    cmocka_unit_test(a_table_under_a_minimum_cell_shows_no_small_cell),
	    cmocka_unit_test(equal_sets_have_one_digest_and_others_their_difference),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
