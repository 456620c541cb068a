/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include <pthread.h>

#include "answer.h"
#include "cohort/expr.h"

/* `ct` patients with a CT of 10 instances, and 50 with an MR of one. */
static void
fixture_open_scans(struct fixture *f, unsigned ct)
{
	struct item items[400] = {0};
	size_t count = 0;

	fixture_open(f);
	for (unsigned i = 0; i < ct * 10 + 50; i++, count++) {
		bool mr = i >= ct * 10;

		items[count] =
		    (struct item){.path = {mr ? 1000 + i : i / 10, 0, 0, i}, .fact_count = 1};
		items[count].facts[0] = (struct item_fact){.level = 2, .text = mr ? 1 : 0};
	}
	fixture_put(f, items, count);
}

static size_t
pack_request(const char *text, Cairn__Level level, uint8_t *ret)
{
	Cairn__CountRequest request = CAIRN__COUNT_REQUEST__INIT;
	size_t length;

	request.expression = parsed(text);
	request.level = level;
	length = cairn__count_request__pack(&request, ret);
	cairn__expression__free_unpacked(request.expression, NULL);
	return length;
}

/* The packed answer is compared, not its fields: nothing else may differ either. */
static void
ask(struct fixture *f, const char *text, Cairn__Level level, struct answer_rules rules,
    struct buf *ret)
{
	uint8_t body[4096];
	struct answer_question question = {.body = body, .rules = rules};
	struct cairn_error err = {0};

	question.length = pack_request(text, level, body);
	buf_clear(ret);
	assert_ok(answer_count(f->index, &question, ret, &err), &err);
}

static Cairn__CountAnswer *
asked(struct fixture *f, const char *text, Cairn__Level level, struct answer_rules rules)
{
	BUF_AUTO buf = {.max = ANSWER_BYTES_MAX};
	Cairn__CountAnswer *answer;

	ask(f, text, level, rules, &buf);
	answer = cairn__count_answer__unpack(NULL, buf.length, buf.data);
	assert_non_null(answer);
	return answer;
}

static void
assert_answer(struct fixture *f, const char *text, Cairn__Level level, struct answer_rules rules,
    const unsigned expected[2])
{
	Cairn__CountAnswer *answer = asked(f, text, level, rules);

	assert_int_equal(answer->kind, expected[0]);
	assert_int_equal(answer->count, expected[1]);
	cairn__count_answer__free_unpacked(answer, NULL);
}

static int
select_page(struct fixture *f, const char *text, uint32_t min_cell, Cairn__SelectAnswer **ret,
    struct cairn_error *err)
{
	Cairn__SelectRequest request = CAIRN__SELECT_REQUEST__INIT;
	uint8_t body[4096];
	struct answer_question question = {.body = body, .rules = {.min_cell = min_cell}};
	BUF_AUTO buf = {.max = ANSWER_BYTES_MAX};
	int code;

	request.expression = parsed(text);
	request.limit = 4;
	request.after = *ret != NULL ? (*ret)->next : 0;
	question.length = cairn__select_request__pack(&request, body);
	cairn__expression__free_unpacked(request.expression, NULL);
	code = answer_select(f->index, &question, &buf, err);
	if (code == 0)
		*ret = cairn__select_answer__unpack(NULL, buf.length, buf.data);
	return code;
}

#define EXACT CAIRN__COUNT_ANSWER__KIND__EXACT
#define ROUNDED CAIRN__COUNT_ANSWER__KIND__ROUNDED
#define SUPPRESSED CAIRN__COUNT_ANSWER__KIND__SUPPRESSED

static void
zero_and_small_are_the_same_bytes(void **state)
{
	const struct answer_rules rules = {.min_cell = 10, .round = 5};
	BUF_AUTO zero = {.max = 1000};
	BUF_AUTO small = {.max = 1000};
	struct fixture f;

	(void)state;
	fixture_open_scans(&f, 9);
	for (unsigned level = 0; level < 4; level++) {
		ask(&f, "modality = MG", (Cairn__Level)level, rules, &zero);
		ask(&f, "modality = CT", (Cairn__Level)level, rules, &small);
		assert_int_equal(zero.length, small.length);
		assert_memory_equal(zero.data, small.data, zero.length);
	}
	fixture_close(&f);
}

static void
the_patients_behind_an_answer_decide_at_every_level(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open_scans(&f, 9);
	assert_answer(&f, "modality = CT", CAIRN__LEVEL__INSTANCE,
	    (struct answer_rules){.min_cell = 10, .round = 0}, (unsigned[]){SUPPRESSED, 0});
	assert_answer(&f, "modality = CT", CAIRN__LEVEL__INSTANCE,
	    (struct answer_rules){.min_cell = 9, .round = 0}, (unsigned[]){EXACT, 90});
	assert_answer(&f, "modality = CT", CAIRN__LEVEL__SERIES,
	    (struct answer_rules){.min_cell = 9, .round = 0}, (unsigned[]){EXACT, 9});
	fixture_close(&f);
}

static void
counts_are_rounded_to_the_nearest_multiple(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open_scans(&f, 12);
	assert_answer(&f, "modality = CT", 0, (struct answer_rules){.min_cell = 10, .round = 5},
	    (unsigned[]){ROUNDED, 10});
	assert_answer(&f, "modality = CT", 0, (struct answer_rules){.min_cell = 10, .round = 8},
	    (unsigned[]){ROUNDED, 16});
	assert_answer(&f, "modality = CT", 0, (struct answer_rules){.min_cell = 10, .round = 1},
	    (unsigned[]){EXACT, 12});
	fixture_close(&f);
}

static void
a_rounded_count_above_the_minimum_cell_is_never_zero(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open_scans(&f, 12);
	assert_answer(&f, "modality = CT", 0, (struct answer_rules){.min_cell = 10, .round = 100},
	    (unsigned[]){ROUNDED, 100});
	assert_answer(&f, "modality = CT", 0, (struct answer_rules){.min_cell = 0, .round = 100},
	    (unsigned[]){ROUNDED, 0});
	fixture_close(&f);
}

static void
an_unsupported_answer_names_all_criteria(void **state)
{
	struct fixture f;
	Cairn__CountAnswer *answer;

	(void)state;
	fixture_open_scans(&f, 1);
	answer = asked(&f, "a = 1 or modality = CT or b = x or a = 2", 0,
	    (struct answer_rules){.min_cell = 10, .round = 5});
	assert_int_equal(answer->kind, CAIRN__COUNT_ANSWER__KIND__UNSUPPORTED);
	assert_int_equal(answer->n_criteria, 2);
	assert_string_equal(answer->criteria[0], "a");
	assert_string_equal(answer->criteria[1], "b");
	cairn__count_answer__free_unpacked(answer, NULL);
	fixture_close(&f);
}

/* What the ledger's outcome says of an answer, by the same names in both. */
static void
every_answer_says_its_kind_and_level(void **state)
{
	struct fixture f;
	struct cairn_error err = {0};
	Cairn__CountAnswer *count;
	Cairn__SelectAnswer *select = NULL;

	(void)state;
	fixture_open_scans(&f, 9);
	count = asked(&f, "modality = CT", CAIRN__LEVEL__SERIES,
	    (struct answer_rules){.min_cell = 10, .round = 5});
	assert_int_equal(count->kind, SUPPRESSED);
	assert_int_equal(count->level, CAIRN__LEVEL__SERIES);
	cairn__count_answer__free_unpacked(count, NULL);
	assert_ok(select_page(&f, "modality = CT", 0, &select, &err), &err);
	assert_int_equal(select->kind, EXACT);
	assert_int_equal(select->level, CAIRN__LEVEL__INSTANCE);
	cairn__select_answer__free_unpacked(select, NULL);
	select = NULL;
	assert_ok(select_page(&f, "modality = CT or smoking = yes", 0, &select, &err), &err);
	assert_int_equal(select->kind, CAIRN__COUNT_ANSWER__KIND__UNSUPPORTED);
	assert_int_equal(select->n_criteria, 1);
	assert_string_equal(select->criteria[0], "smoking");
	cairn__select_answer__free_unpacked(select, NULL);
	fixture_close(&f);
}

static void
a_value_that_cannot_be_is_refused_and_not_counted_as_nobody(void **state)
{
	static uint8_t body[4096];
	struct answer_question question = {.body = body};
	BUF_AUTO buf = {.max = 1000};
	struct fixture f;
	struct cairn_error err = {0};
	uint8_t *value;

	(void)state;
	fixture_open_scans(&f, 1);
	question.length = pack_request("sex = male", 0, body);
	value = memmem(body, question.length, "male", 4);
	assert_non_null(value);
	memcpy(value, "mole", 4);
	assert_int_equal(answer_count(f.index, &question, &buf, &err), CAIRN_EINVAL);
	assert_string_equal(err.text,
	    "sex takes female, male, other, unknown; you wrote \"mole\"; did you mean \"male\"?");
	fixture_close(&f);
}

/* ---- what can be asked ------------------------------------------------------------------- */

static const Cairn__CohortField *
field_of(const Cairn__FieldsAnswer *answer, const char *name)
{
	for (size_t i = 0; i < answer->n_fields; i++)
		if (strcmp(answer->fields[i]->name, name) == 0)
			return answer->fields[i];
	fail_msg("no field %s", name);
	return NULL;
}

static void
the_fields_are_those_of_the_language(void **state)
{
	BUF_AUTO buf = {.max = ANSWER_BYTES_MAX};
	struct cairn_error err = {0};
	Cairn__FieldsAnswer *answer;
	const Cairn__CohortField *field;
	const struct cohort_attribute *attribute;

	(void)state;
	assert_ok(answer_fields(&buf, &err), &err);
	answer = cairn__fields_answer__unpack(NULL, buf.length, buf.data);
	assert_non_null(answer);
	for (size_t i = 0; (attribute = cohort_attribute_at(i)) != NULL; i++)
		if (!attribute->withheld)
			assert_string_equal(
			    field_of(answer, attribute->name)->example, attribute->example);
	field = field_of(answer, "sex");
	assert_int_equal(field->level, CAIRN__LEVEL__PATIENT);
	assert_string_equal(field->entity, "patient");
	assert_int_equal(field->n_codes, 4);
	assert_int_equal(field->n_operators, 5);
	assert_null(field->min);
	field = field_of(answer, "age");
	assert_int_equal(field->type, CAIRN__COHORT_FIELD__TYPE__NUMBER);
	assert_int_equal(field->level, CAIRN__LEVEL__STUDY);
	assert_string_equal(field->unit, "a");
	assert_int_equal(field->n_operators, 9);
	assert_true(field->max->number == 150);
	assert_int_equal(field_of(answer, "study_date")->max->value_case, CAIRN__SCALAR__VALUE_DAY);
	assert_int_equal(field_of(answer, "model")->n_codes, 0);
	cairn__fields_answer__free_unpacked(answer, NULL);
}

/* ---- what is refused and what is handed out ----------------------------------------------- */

static void
broken_requests_are_refused(void **state)
{
	static const uint8_t deep[] = {0x0a, 0x02, 0x12, 0x09}, nothing[1] = {0};
	static const uint8_t level[] = {0x0a, 0x02, 0x08, 0x06, 0x10, 0x63};
	struct answer_question question = {.body = deep, .length = sizeof deep};
	BUF_AUTO buf = {.max = 1000};
	struct fixture f;
	struct cairn_error err = {0};

	(void)state;
	fixture_open_scans(&f, 1);
	assert_int_equal(answer_count(f.index, &question, &buf, &err), CAIRN_EINVAL);
	assert_int_equal(answer_select(f.index, &question, &buf, &err), CAIRN_EINVAL);
	question = (struct answer_question){.body = nothing, .length = 0};
	assert_int_equal(answer_count(f.index, &question, &buf, &err), CAIRN_EINVAL);
	assert_non_null(strstr(err.text, "no expression"));
	question = (struct answer_question){.body = level, .length = sizeof level};
	assert_int_equal(answer_count(f.index, &question, &buf, &err), CAIRN_EINVAL);
	assert_int_equal(buf.length, 0);
	fixture_close(&f);
}

static void
a_selection_below_the_minimum_cell_is_denied_like_an_empty_one(void **state)
{
	struct fixture f;
	Cairn__SelectAnswer *answer = NULL;
	struct cairn_error small = {0}, zero = {0};

	(void)state;
	fixture_open_scans(&f, 9);
	assert_int_equal(select_page(&f, "modality = CT", 10, &answer, &small), CAIRN_EDENIED);
	assert_int_equal(select_page(&f, "modality = MG", 10, &answer, &zero), CAIRN_EDENIED);
	assert_string_equal(small.text, zero.text);
	assert_int_equal(select_page(&f, "modality = CT", 9, &answer, &small), 0);
	assert_int_equal(answer->n_instances, 4);
	assert_true(answer->next > 0);
	assert_string_equal(answer->instances[0]->patient, "patient-0");
	cairn__select_answer__free_unpacked(answer, NULL);
	fixture_close(&f);
}

static void
a_selected_instance_says_where_its_object_is(void **state)
{
	struct fixture f;
	struct item item = {.path = {5, 5, 5, 5}};
	struct cairn_error err = {0};
	Cairn__FactBatch *batch = batch_new(&item, 1);
	Cairn__ObjectRef *object = malloc(sizeof *object);
	Cairn__SelectAnswer *answer = NULL;
	uint8_t digest[32] = {1, 2, 3};

	(void)state;
	assert_non_null(object);
	fixture_open_scans(&f, 0);
	cairn__object_ref__init(object);
	object->sha256 = (ProtobufCBinaryData){sizeof digest, malloc(sizeof digest)};
	assert_non_null(object->sha256.data);
	memcpy(object->sha256.data, digest, sizeof digest);
	object->segment = 7;
	object->offset = (uint64_t)1 << 40;
	object->length = 99;
	batch->instances[0]->object = object;
	fixture_put_batch(&f, batch);
	assert_ok(select_page(&f, "not modality exists", 0, &answer, &err), &err);
	assert_int_equal(answer->n_instances, 1);
	assert_int_equal(answer->next, 0);
	assert_string_equal(answer->instances[0]->instance, "2.25.35");
	assert_memory_equal(answer->instances[0]->sha256.data, digest, 32);
	assert_int_equal(answer->instances[0]->segment, 7);
	assert_int_equal(answer->instances[0]->offset, (uint64_t)1 << 40);
	assert_int_equal(answer->instances[0]->length, 99);
	cairn__select_answer__free_unpacked(answer, NULL);
	fixture_close(&f);
}

/* ---- beside a writer --------------------------------------------------------------------- */

static void *
keep_writing(void *arg)
{
	struct fixture *f = arg;
	uint64_t seed = 21;

	for (unsigned i = 0; i < 60; i++) {
		struct item items[20];

		for (unsigned j = 0; j < 20; j++) {
			items[j] = random_item(&seed);
			items[j].path[0] += 5000;
			items[j].path[3] = 5000 + i * 20 + j;
			items[j].fact_count = 0;
		}
		fixture_put(f, items, 20);
	}
	return NULL;
}

static void
questions_beside_a_writer_see_whole_commits(void **state)
{
	struct fixture f;
	pthread_t writer;
	uint64_t last = 0;

	(void)state;
	fixture_open_scans(&f, 9);
	assert_int_equal(pthread_create(&writer, NULL, keep_writing, &f), 0);
	for (int i = 0; i < 200; i++) {
		Cairn__CountAnswer *answer =
		    asked(&f, "*", CAIRN__LEVEL__INSTANCE, (struct answer_rules){0});

		assert_int_equal((answer->count - 140) % 20, 0);
		assert_true(answer->count >= last);
		last = answer->count;
		cairn__count_answer__free_unpacked(answer, NULL);
	}
	assert_int_equal(pthread_join(writer, NULL), 0);
	fixture_close(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(zero_and_small_are_the_same_bytes),
	    cmocka_unit_test(the_patients_behind_an_answer_decide_at_every_level),
	    cmocka_unit_test(counts_are_rounded_to_the_nearest_multiple),
	    cmocka_unit_test(a_rounded_count_above_the_minimum_cell_is_never_zero),
	    cmocka_unit_test(an_unsupported_answer_names_all_criteria),
	    cmocka_unit_test(every_answer_says_its_kind_and_level),
	    cmocka_unit_test(a_value_that_cannot_be_is_refused_and_not_counted_as_nobody),
	    cmocka_unit_test(the_fields_are_those_of_the_language),
	    cmocka_unit_test(broken_requests_are_refused),
	    cmocka_unit_test(a_selection_below_the_minimum_cell_is_denied_like_an_empty_one),
	    cmocka_unit_test(a_selected_instance_says_where_its_object_is),
	    cmocka_unit_test(questions_beside_a_writer_see_whole_commits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
