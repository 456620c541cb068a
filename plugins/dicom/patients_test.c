/* SPDX-License-Identifier: Apache-2.0 */
#include "patients.h"

#include "cairn/imaging.pb-c.h"
#include "testing.h"

struct told {
	unsigned times;
	int code;
	char pseudonym[DEID_PSEUDONYM_MAX + 1];
	int32_t shift;
};

static void
tell(void *arg, int code, const char *text, const struct deid_patient *patient)
{
	struct told *told = arg;

	(void)text;
	told->times++;
	told->code = code;
	if (code != 0)
		return;
	snprintf(told->pseudonym, sizeof told->pseudonym, "%s", patient->pseudonym);
	told->shift = patient->date_shift_days;
}

static bool
find(struct cairn *fixture, const char *identifier, const char *issuer, struct told *told)
{
	struct cairn_error err = {0};
	bool now = false;

	assert_ok(
	    patients_find(fixture->connector.patients, identifier, issuer, tell, told, &now, &err),
	    &err);
	return now;
}

static void
a_patient_is_asked_for_once(void **state)
{
	struct cairn fixture;
	struct told first = {0}, second = {0};

	(void)state;
	fixture_start(&fixture, OBJECTS_SEGMENTS, false);
	assert_false(find(&fixture, "17", "A", &first));
	assert_int_equal(first.times, 0);
	fixture_answer(&fixture, 0);
	assert_int_equal(first.times, 1);
	assert_string_equal(first.pseudonym, "p7seudonym");
	assert_true(find(&fixture, "17", "A", &second));
	assert_string_equal(second.pseudonym, "p7seudonym");
	assert_int_equal(second.shift, -31);
	fixture_stop(&fixture);
}

/* "A" + "17" is not "A1" + "7". */
static void
issuer_and_identifier_do_not_run_together(void **state)
{
	struct cairn fixture;
	struct told told = {0};

	(void)state;
	fixture_start(&fixture, OBJECTS_SEGMENTS, false);
	assert_false(find(&fixture, "17", "A", &told));
	fixture_answer(&fixture, 0);
	assert_false(find(&fixture, "7", "A1", &told));
	fixture_answer(&fixture, 0);
	assert_false(find(&fixture, "17", "", &told));
	fixture_stop(&fixture);
}

static void
the_question_names_identifier_and_issuer(void **state)
{
	Cairn__PseudonymRequest *request;
	struct cairn fixture;
	struct told told = {0};

	(void)state;
	fixture_start(&fixture, OBJECTS_SEGMENTS, false);
	find(&fixture, "17", "A", &told);
	assert_string_equal(fixture.asked[0].subject, "pseudonym.patient");
	request =
	    cairn__pseudonym_request__unpack(NULL, fixture.asked[0].length, fixture.asked[0].body);
	assert_string_equal(request->identifier_type, "patient-id");
	assert_string_equal(request->identifier, "17");
	assert_string_equal(request->issuer, "A");
	cairn__pseudonym_request__free_unpacked(request, NULL);
	fixture_stop(&fixture);
}

static void
a_failure_is_told_and_asked_again(void **state)
{
	struct cairn fixture;
	struct told told = {0};

	(void)state;
	fixture_start(&fixture, OBJECTS_SEGMENTS, false);
	find(&fixture, "17", "", &told);
	fixture_answer(&fixture, CAIRN_ETIMEOUT);
	assert_int_equal(told.code, CAIRN_ETIMEOUT);
	assert_false(find(&fixture, "17", "", &told));
	fixture_answer(&fixture, 0);
	assert_int_equal(told.code, 0);
	fixture_stop(&fixture);
}

static void
an_answer_that_is_none_is_a_failure(void **state)
{
	struct cairn fixture;
	struct asked asked;
	struct told told = {0};

	(void)state;
	fixture_start(&fixture, OBJECTS_SEGMENTS, false);
	find(&fixture, "17", "", &told);
	asked = fixture.asked[--fixture.asked_count];
	asked.done(asked.arg, 0, "", "\xff\xff", 2);
	free(asked.body);
	assert_int_equal(told.code, CAIRN_EPROTO);
	fixture_stop(&fixture);
}

/* More patients than there are slots: some share one, and each still gets an answer of its own. */
static void
patients_that_share_a_slot_are_not_mixed_up(void **state)
{
	struct cairn fixture;
	char identifier[16];

	(void)state;
	fixture_start(&fixture, OBJECTS_SEGMENTS, false);
	for (unsigned i = 0; i < 2 * PATIENTS_REMEMBERED; i++) {
		struct told told = {0};

		snprintf(identifier, sizeof identifier, "%u", i);
		assert_false(find(&fixture, identifier, "", &told));
		fixture_answer(&fixture, 0);
		assert_int_equal(told.times, 1);
	}
	fixture_stop(&fixture);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_patient_is_asked_for_once),
	    cmocka_unit_test(issuer_and_identifier_do_not_run_together),
	    cmocka_unit_test(the_question_names_identifier_and_issuer),
	    cmocka_unit_test(a_failure_is_told_and_asked_again),
	    cmocka_unit_test(an_answer_that_is_none_is_a_failure),
	    cmocka_unit_test(patients_that_share_a_slot_are_not_mixed_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
