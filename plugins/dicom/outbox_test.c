/* SPDX-License-Identifier: Apache-2.0 */
#include "outbox.h"

#include "testing.h"

static void
store(struct cairn *fixture, const char *uid)
{
	BUF_AUTO sample = {0};
	struct source source;

	sample_make(&sample, DCM_EXPLICIT_LE, uid, 100);
	source_begin(&source, fixture, DCM_EXPLICIT_LE);
	assert_true(ingest_data(source.ingest, sample.data, sample.length));
	for (size_t i = 0; i < fixture->asked_count; i++) {
		struct asked question = fixture->asked[i];

		if (question.subject[0] == 0)
			continue;
		fixture->asked[i] = fixture->asked[0];
		fixture->asked[0] = question;
		fixture_answer(fixture, 0);
		break;
	}
	ingest_end(source.ingest);
	fixture_wait(fixture, &source.done);
	assert_int_equal(source.result.code, 0);
}

static void
wait_for_job(struct cairn *fixture)
{
	for (int i = 0; fixture->asked_count == 0 && i < 1000; i++) {
		uv_run(&fixture->loop, UV_RUN_ONCE);
	}
	assert_int_equal(fixture->asked_count, 1);
	assert_string_equal(fixture->asked[0].subject, "");
}

static Cairn__FactBatch *
batch(const struct cairn *fixture)
{
	Cairn__FactBatch *message =
	    cairn__fact_batch__unpack(NULL, fixture->asked[0].length, fixture->asked[0].body);

	assert_non_null(message);
	assert_string_equal(message->source, "dicom");
	return message;
}

static void
what_is_stored_becomes_a_job_under_pseudonyms(void **state)
{
	Cairn__FactBatch *message;
	struct cairn fixture;

	(void)state;
	fixture_start(&fixture, OBJECTS_SEGMENTS, true);
	store(&fixture, SAMPLE_UID);
	wait_for_job(&fixture);
	message = batch(&fixture);
	assert_int_equal(message->n_instances, 1);
	assert_string_equal(message->instances[0]->patient, "p7seudonym");
	assert_string_not_equal(message->instances[0]->instance, SAMPLE_UID);
	assert_int_equal(message->instances[0]->object->sha256.len, 32);
	cairn__fact_batch__free_unpacked(message, NULL);
	fixture_stop(&fixture);
}

static void
one_batch_is_under_way_and_the_next_has_what_came_meanwhile(void **state)
{
	Cairn__FactBatch *message;
	struct cairn fixture;

	(void)state;
	fixture_start(&fixture, OBJECTS_SEGMENTS, true);
	store(&fixture, "1.2.3.1");
	wait_for_job(&fixture);
	store(&fixture, "1.2.3.2");
	store(&fixture, "1.2.3.3");
	assert_int_equal(fixture.asked_count, 1);
	fixture_answer(&fixture, 0);
	wait_for_job(&fixture);
	message = batch(&fixture);
	assert_int_equal(message->n_instances, 2);
	cairn__fact_batch__free_unpacked(message, NULL);
	fixture_answer(&fixture, 0);
	assert_int_equal(fixture.asked_count, 0);
	fixture_stop(&fixture);
}

static void
what_the_kernel_does_not_take_is_put_again_under_its_key(void **state)
{
	struct cairn fixture;
	char key[128];

	(void)state;
	fixture_start(&fixture, OBJECTS_SEGMENTS, true);
	store(&fixture, SAMPLE_UID);
	wait_for_job(&fixture);
	memcpy(key, fixture.asked[0].key, sizeof key);
	fixture_answer(&fixture, CAIRN_EUNAVAILABLE);
	wait_for_job(&fixture);
	assert_string_equal(fixture.asked[0].key, key);
	fixture_stop(&fixture);
}

/* As after a crash: a new outbox on the same store. */
static void
restart_outbox(struct cairn *fixture)
{
	struct cairn_error err = {0};

	assert_ok(outbox_new(&fixture->connector.outbox, &fixture->connector, &err), &err);
}

static void
freed(void *arg)
{
	bool *flag = arg;

	*flag = true;
}

static void
a_new_run_goes_on_behind_what_was_taken(void **state)
{
	Cairn__FactBatch *message;
	struct cairn fixture;
	bool gone = false;

	(void)state;
	fixture_start(&fixture, OBJECTS_SEGMENTS, true);
	store(&fixture, "1.2.3.1");
	wait_for_job(&fixture);
	fixture_answer(&fixture, 0);
	store(&fixture, "1.2.3.2");
	wait_for_job(&fixture);
	outbox_free(fixture.connector.outbox, freed, &gone);
	fixture_wait(&fixture, &gone);
	fixture_answer(&fixture, 0); /* too late: nobody keeps the cursor any more */
	restart_outbox(&fixture);
	wait_for_job(&fixture);
	message = batch(&fixture);
	assert_int_equal(message->n_instances, 1);
	cairn__fact_batch__free_unpacked(message, NULL);
	fixture_stop(&fixture);
}

/* Also while a batch is under way, whose end is then not where the outbox goes on. */
static void
for_a_new_index_all_is_put_again_under_other_keys(void **state)
{
	Cairn__FactBatch *message;
	struct cairn fixture;
	bool complete = false;
	char key[128];

	(void)state;
	fixture_start(&fixture, OBJECTS_SEGMENTS, true);
	store(&fixture, "1.2.3.1");
	wait_for_job(&fixture);
	memcpy(key, fixture.asked[0].key, sizeof key);
	outbox_again(fixture.connector.outbox, "0123456789abcdef", false, freed, &complete);
	fixture_answer(&fixture, 0);
	assert_false(complete);
	wait_for_job(&fixture);
	message = batch(&fixture);
	assert_int_equal(message->n_instances, 1);
	assert_string_equal(message->index, "0123456789abcdef");
	assert_int_equal(message->held, 1);
	assert_true(message->complete);
	cairn__fact_batch__free_unpacked(message, NULL);
	assert_memory_equal(fixture.asked[0].key, "01234567:", 9);
	assert_non_null(strstr(fixture.asked[0].key, key));
	fixture_answer(&fixture, 0);
	assert_true(complete);
	store(&fixture, "1.2.3.2");
	wait_for_job(&fixture);
	message = batch(&fixture);
	assert_int_equal(message->n_instances, 1);
	assert_string_equal(message->index, "");
	cairn__fact_batch__free_unpacked(message, NULL);
	fixture_stop(&fixture);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_stored_becomes_a_job_under_pseudonyms),
	    cmocka_unit_test(one_batch_is_under_way_and_the_next_has_what_came_meanwhile),
	    cmocka_unit_test(what_the_kernel_does_not_take_is_put_again_under_its_key),
	    cmocka_unit_test(a_new_run_goes_on_behind_what_was_taken),
	    cmocka_unit_test(for_a_new_index_all_is_put_again_under_other_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
