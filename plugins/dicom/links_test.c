/* SPDX-License-Identifier: Apache-2.0 */
#include "links.h"

#include "cairn/imaging.pb-c.h"
#include "testing.h"

static struct deid_scan
scan_of(const char *patient, const char *accession)
{
	struct deid_scan scan = {0};

	snprintf(scan.patient_id, sizeof scan.patient_id, "%s", patient);
	snprintf(scan.issuer, sizeof scan.issuer, "A");
	snprintf(scan.study, sizeof scan.study, "1.2.3");
	snprintf(scan.accession, sizeof scan.accession, "%s", accession);
	snprintf(scan.accession_issuer, sizeof scan.accession_issuer, "RIS");
	return scan;
}

static void
state(struct links *links, const char *patient, const char *accession)
{
	struct deid_scan scan = scan_of(patient, accession);

	links_state(links, &scan);
}

static void
an_accession_is_linked_once_and_again_after_a_failure(void **unused)
{
	struct cairn fixture;
	struct links *links = NULL;
	Cairn__PseudonymRequest *request;

	(void)unused;
	fixture_start(&fixture, OBJECTS_SEGMENTS, false);
	assert_int_equal(links_new(&links, &fixture, NULL), 0);
	state(links, "17", "4711");
	state(links, "17", "4711");
	assert_int_equal(fixture.asked_count, 1);
	request =
	    cairn__pseudonym_request__unpack(NULL, fixture.asked[0].length, fixture.asked[0].body);
	assert_int_equal(request->n_also, 1);
	assert_string_equal(request->also[0]->identifier_type, "accession");
	assert_string_equal(request->also[0]->issuer, "RIS");
	cairn__pseudonym_request__free_unpacked(request, NULL);
	fixture_answer(&fixture, CAIRN_EUNAVAILABLE);
	state(links, "17", "4711");
	assert_int_equal(fixture.asked_count, 1);
	fixture_answer(&fixture, 0);
	state(links, "17", "4711");
	assert_int_equal(fixture.asked_count, 0);
	state(links, "17", "4712");
	assert_int_equal(fixture.asked_count, 1);
	links_free(links); /* before the answer */
	fixture_answer(&fixture, 0);
	fixture_stop(&fixture);
}

static void
nothing_is_said_of_a_patient_without_an_identifier_or_accession(void **unused)
{
	struct cairn fixture;
	struct links *links = NULL;

	(void)unused;
	fixture_start(&fixture, OBJECTS_SEGMENTS, false);
	assert_int_equal(links_new(&links, &fixture, NULL), 0);
	state(links, "1.2.3", "4711"); /* its study stands for it */
	state(links, "17", "");
	state(NULL, "17", "4711");
	assert_int_equal(fixture.asked_count, 0);
	links_free(links);
	fixture_stop(&fixture);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_accession_is_linked_once_and_again_after_a_failure),
	    cmocka_unit_test(nothing_is_said_of_a_patient_without_an_identifier_or_accession),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
