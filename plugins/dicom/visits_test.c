/* SPDX-License-Identifier: Apache-2.0 */
/* What the ledger learns of associations, with a kernel that answers when the test says so. */
#include "visits.h"

#include "testing.h"

static struct cairn fixture;

static int
begin(void **state)
{
	struct cairn_error err = {0};

	(void)state;
	memset(&fixture, 0, sizeof fixture);
	assert_int_equal(uv_loop_init(&fixture.loop), 0);
	fixture.connector.cairn = &fixture;
	assert_ok(visits_new(&fixture.connector.visits, &fixture.connector, &err), &err);
	return 0;
}

static void
freed(void *arg)
{
	bool *flag = arg;

	*flag = true;
}

/* As at the plugin's end: whatever waits is sent, and answered with `code`. */
static void
finish(int code)
{
	bool done = false;

	visits_free(fixture.connector.visits, freed, &done);
	while (fixture.asked_count > 0)
		fixture_answer(&fixture, code);
	uv_run(&fixture.loop, UV_RUN_DEFAULT);
	assert_true(done);
	assert_int_equal(uv_loop_close(&fixture.loop), 0);
}

static size_t
lines(const char *text)
{
	size_t count = 0;

	for (; *text != 0; text++)
		count += *text == '\n';
	return count;
}

static void
store(struct visit *visit, int code, bool duplicate)
{
	visits_instance(visit);
	visit->bytes += 100;
	visits_answered(fixture.connector.visits, visit, code, duplicate);
}

static void
an_association_is_one_record_with_what_it_brought(void **state)
{
	struct visit *visit = visits_begin("PACS", "CAIRN", "10.1.2.3");

	(void)state;
	visit->first_ms = 0;
	store(visit, 0, false);
	store(visit, 0, false);
	store(visit, 0, true);
	store(visit, CAIRN_EDENIED, false);
	visits_close(fixture.connector.visits, visit, NULL);
	finish(0);
	assert_non_null(strstr(fixture.records,
	    "imaging.store done [] calling=PACS called=CAIRN peer=10.1.2.3 stored=2 held=1 "
	    "refused=1 bytes=400 first=1970-01-01T00:00:00.000Z last=2"));
	assert_int_equal(lines(fixture.records), 1);
}

static void
an_association_is_recorded_once_its_last_instance_has_its_answer(void **state)
{
	struct visit *visit = visits_begin("PACS", "CAIRN", "10.1.2.3");

	(void)state;
	visits_instance(visit);
	visits_close(fixture.connector.visits, visit, "the peer aborted");
	assert_false(uv_loop_alive(&fixture.loop));
	visits_answered(fixture.connector.visits, visit, 0, false);
	finish(0);
	assert_non_null(strstr(fixture.records, "imaging.store failed [the peer aborted]"));
	assert_non_null(strstr(fixture.records, "stored=1"));
}

static void
many_refusals_are_few_records_and_a_count(void **state)
{
	(void)state;
	for (int i = 0; i < 1000; i++) {
		struct visit *visit = visits_begin("B\x1b[1mAD", "CAIRN", "10.6.6.6");

		visits_refused(fixture.connector.visits, visit);
		free(visit);
	}
	finish(0);
	assert_int_equal(lines(fixture.records), VISITS_REFUSED_MAX + 1);
	assert_non_null(strstr(fixture.records, "calling=B?[1mAD"));
	assert_non_null(strstr(fixture.records,
	    "refused [990 more associations were refused within a minute; this peer's was the "
	    "last]"));
}

static void
what_the_kernel_does_not_take_is_sent_again(void **state)
{
	struct visit *visit;

	(void)state;
	for (int i = 0; i < CAIRN_RECORDS_MAX; i++) {
		visit = visits_begin("A", "B", "");
		visits_close(fixture.connector.visits, visit, NULL);
	}
	assert_int_equal(fixture.asked_count, 1);
	fixture_answer(&fixture, CAIRN_ELIMIT);
	assert_int_equal(fixture.asked_count, 0);
	finish(0);
	assert_int_equal(lines(fixture.records), 2 * CAIRN_RECORDS_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(an_association_is_one_record_with_what_it_brought, begin),
	    cmocka_unit_test_setup(
		an_association_is_recorded_once_its_last_instance_has_its_answer, begin),
	    cmocka_unit_test_setup(many_refusals_are_few_records_and_a_count, begin),
	    cmocka_unit_test_setup(what_the_kernel_does_not_take_is_sent_again, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
