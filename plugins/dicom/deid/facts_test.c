/* SPDX-License-Identifier: Apache-2.0 */
/* What is read from the original, what is refused, and the facts that come of it. */
#include "deid/facts.h"
#include "deid/testing.h"

static void
build(struct doc *doc, const struct dcm_syntax *syntax)
{
	doc_init(doc, syntax);
	doc_put(doc, 0x00080016, "UI", "1.2.840.10008.5.1.4.1.1.2");
	doc_put(doc, 0x00080018, "UI", "1.2.3.4.5");
	doc_put(doc, 0x00080020, "DA", "20240131");
	doc_put(doc, 0x00080060, "CS", "CT");
	doc_put(doc, 0x00080070, "LO", " Siemens  AG");
	doc_put(doc, 0x00081090, "LO", "Somatom");
	doc_put(doc, 0x00100020, "LO", "4711");
	doc_put(doc, 0x00100021, "LO", "HOSP");
	doc_put(doc, 0x00100030, "DA", "19640131");
	doc_put(doc, 0x00100040, "CS", "F");
	doc_put(doc, 0x00180015, "CS", "chest");
	doc_put(doc, 0x00180050, "DS", "1.25");
	doc_put(doc, 0x0020000d, "UI", "1.2.3.4");
	doc_put(doc, 0x0020000e, "UI", "1.2.3.4.1");
}

static void
scan(struct doc *doc, struct deid_scan *ret)
{
	const struct deid_input input = {doc->syntax, doc->in.data, doc->in.length};

	assert_ok(deid_scan(&input, ret, &doc->err), &doc->err);
}

static const Cairn__Fact *
fact(const struct deid_facts *facts, const char *attribute)
{
	const Cairn__InstanceFacts *m = &facts->message;

	for (size_t i = 0; i < m->n_patient_facts; i++)
		if (strcmp(m->patient_facts[i]->attribute, attribute) == 0)
			return m->patient_facts[i];
	for (size_t i = 0; i < m->n_study_facts; i++)
		if (strcmp(m->study_facts[i]->attribute, attribute) == 0)
			return m->study_facts[i];
	for (size_t i = 0; i < m->n_series_facts; i++)
		if (strcmp(m->series_facts[i]->attribute, attribute) == 0)
			return m->series_facts[i];
	return NULL;
}

static void
make(struct doc *doc, unsigned options, struct deid_scan *scanned, struct deid_facts *facts)
{
	static const struct deid_patient patient = {PSEUDONYM, SHIFT};
	struct deid_profile *profile = deid_test_profile(options);

	scan(doc, scanned);
	assert_ok(deid_facts(profile, scanned, &patient, facts, &doc->err), &doc->err);
	deid_profile_free(profile);
}

static void
a_scan_finds_the_identifiers(void **state)
{
	(void)state;
	for (size_t s = 0; s < SYNTAX_COUNT; s++) {
		struct doc doc;
		struct deid_scan found;

		build(&doc, deid_test_syntax(s));
		scan(&doc, &found);
		assert_string_equal(found.patient_id, "4711");
		assert_string_equal(found.issuer, "HOSP");
		assert_string_equal(found.sop_class, "1.2.840.10008.5.1.4.1.1.2");
		assert_string_equal(found.sop_instance, "1.2.3.4.5");
		assert_string_equal(found.study, "1.2.3.4");
		assert_string_equal(found.series, "1.2.3.4.1");
		doc_fini(&doc);
	}
}

static void
a_scan_waits_for_the_rest(void **state)
{
	struct doc doc;
	struct deid_scan found;
	size_t length = 0;
	int code;

	(void)state;
	build(&doc, deid_test_syntax(1));
	assert_int_equal(dcm_put_header(&doc.w, 0x7fe00010, DCM_VR('O', 'W'), 1000), 0);
	deid_scan_begin(&found, doc.syntax);
	do {
		code = deid_scan_more(&found, doc.in.data, ++length, false, &doc.err);
	} while (code == CAIRN_EAGAIN && length < doc.in.length);
	assert_int_equal(code, 0);
	assert_int_equal(length, doc.in.length);
	assert_true(found.end.pixels);
	assert_int_equal(found.end.length, 1000);
	assert_string_equal(found.series, "1.2.3.4.1");
	doc_fini(&doc);
}

static void
facts_carry_the_header_under_pseudonyms(void **state)
{
	struct doc doc;
	struct deid_scan found;
	struct deid_facts facts = {0};
	int32_t day;

	(void)state;
	build(&doc, deid_test_syntax(0));
	make(&doc, DEID_MODIFIED_DATES, &found, &facts);
	assert_int_equal(dcm_text_date("20231231", &day), 0);
	assert_string_equal(facts.message.patient, PSEUDONYM);
	assert_memory_equal(facts.message.study, "2.25.", 5);
	assert_string_equal(fact(&facts, "modality")->text, "CT");
	assert_string_equal(fact(&facts, "body_part")->text, "CHEST");
	assert_string_equal(fact(&facts, "manufacturer")->text, "SIEMENS");
	assert_string_equal(fact(&facts, "model")->text, "SOMATOM");
	assert_string_equal(fact(&facts, "sop_class")->text, "1.2.840.10008.5.1.4.1.1.2");
	assert_string_equal(fact(&facts, "sex")->text, "female");
	assert_int_equal(fact(&facts, "study_date")->day, day);
	assert_true(fact(&facts, "slice_thickness")->number == 1.25);
	assert_true(fact(&facts, "age")->number == 60);
	doc_fini(&doc);
}

/* The message has to survive the wire. */
static void
facts_pack_and_unpack(void **state)
{
	struct doc doc;
	struct deid_scan found;
	struct deid_facts facts = {0};
	uint8_t bytes[2048];
	size_t length;
	Cairn__InstanceFacts *again;

	(void)state;
	build(&doc, deid_test_syntax(0));
	make(&doc, 0, &found, &facts);
	length = cairn__instance_facts__get_packed_size(&facts.message);
	assert_true(length < sizeof bytes);
	cairn__instance_facts__pack(&facts.message, bytes);
	again = cairn__instance_facts__unpack(NULL, length, bytes);
	assert_non_null(again);
	assert_int_equal(again->n_series_facts, 6);
	assert_string_equal(again->instance, facts.instance);
	cairn__instance_facts__free_unpacked(again, NULL);
	doc_fini(&doc);
}

static void
assert_age(const char *age, const char *study, const char *birth, int expected)
{
	struct doc doc;
	struct deid_scan found;
	struct deid_facts facts = {0};

	doc_init(&doc, deid_test_syntax(1));
	doc_put(&doc, 0x00080018, "UI", "1.2");
	doc_put(&doc, 0x00080020, "DA", study);
	doc_put(&doc, 0x00100030, "DA", birth);
	doc_put(&doc, 0x00101010, "AS", age);
	doc_put(&doc, 0x0020000d, "UI", "1.2");
	doc_put(&doc, 0x0020000e, "UI", "1.2");
	make(&doc, 0, &found, &facts);
	if (expected < 0)
		assert_null(fact(&facts, "age"));
	else
		assert_int_equal((int)fact(&facts, "age")->number, expected);
	doc_fini(&doc);
}

static void
age_is_the_devices_or_from_the_dates(void **state)
{
	(void)state;
	assert_age("045Y", "20240131", "19000101", 45);
	assert_age("095Y", "", "", 90);
	assert_age("030M", "", "", 2);
	assert_age("", "20240131", "19640131", 60);
	assert_age("", "20240130", "19640131", 59);
	assert_age("", "20240131", "20240131", 0);
	assert_age("", "20240131", "19200101", 90);
	assert_age("", "20240131", "20250101", -1);
	assert_age("", "", "19640131", -1);
	/* every birthday and its eve, over a leap cycle */
	for (int year = 1961; year < 2021; year++) {
		char day[16];

		snprintf(day, sizeof day, "%d0301", year);
		assert_age("", day, "19600301", year - 1960);
		snprintf(day, sizeof day, "%d0228", year);
		assert_age("", day, "19600301", year - 1961);
	}
}

static void
multi_frame_objects_have_facts_too(void **state)
{
	struct doc doc;
	struct deid_scan found;
	struct deid_facts facts = {0};

	(void)state;
	doc_init(&doc, deid_test_syntax(1));
	doc_put(&doc, 0x00080018, "UI", "1.2");
	doc_put(&doc, 0x0020000d, "UI", "1.2");
	doc_put(&doc, 0x0020000e, "UI", "1.2");
	doc_open(&doc, 0x52009229);
	doc_open(&doc, 0x00209071);
	doc_open(&doc, 0x00082218);
	doc_put(&doc, 0x00080104, "LO", "Knee");
	doc_close(&doc);
	doc_close(&doc);
	doc_open(&doc, 0x00289110);
	doc_put(&doc, 0x00180050, "DS", "3.5");
	doc_close(&doc);
	doc_close(&doc);
	make(&doc, 0, &found, &facts);
	assert_string_equal(fact(&facts, "body_part")->text, "KNEE");
	assert_true(fact(&facts, "slice_thickness")->number == 3.5);
	doc_fini(&doc);
}

static void
an_instance_without_uids_gives_no_facts(void **state)
{
	static const struct deid_patient patient = {PSEUDONYM, SHIFT};
	struct deid_profile *profile = deid_test_profile(0);
	struct deid_scan found;
	struct deid_facts facts = {0};
	struct doc doc;

	(void)state;
	doc_init(&doc, deid_test_syntax(1));
	doc_put(&doc, 0x00080060, "CS", "CT");
	scan(&doc, &found);
	assert_int_equal(deid_facts(profile, &found, &patient, &facts, NULL), CAIRN_EINVAL);
	doc_fini(&doc);
	deid_profile_free(profile);
}

/* ---- refusals --------------------------------------------------------------------------- */

static void
documents_voices_and_unknown_classes_are_refused(void **state)
{
	static const char *const refused[] = {"", "1.2.840.10008.5.1.4.1.1.104.1",
	    "1.2.840.10008.5.1.4.1.1.104.2", "1.2.840.10008.5.1.4.1.1.66",
	    "1.2.840.10008.5.1.4.1.1.9.4.1", "1.2.840.10008.1.3.10", "1.3.12.2.1107.5.9.1"};
	static const char *const welcome[] = {"1.2.840.10008.5.1.4.1.1.2",
	    "1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.88.33"};

	(void)state;
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		const char *reason = NULL;

		assert_false(deid_supported(refused[i], &reason));
		assert_non_null(reason);
	}
	for (size_t i = 0; i < sizeof welcome / sizeof welcome[0]; i++)
		assert_true(deid_supported(welcome[i], NULL));
}

static enum deid_risk
risk_of(const char *sop_class, const char *modality, const char *burned_in, const char *photometric)
{
	struct deid_scan found = {.end.pixels = true};
	const char *reason = NULL;
	enum deid_risk risk;

	snprintf(found.sop_class, sizeof found.sop_class, "%s", sop_class);
	snprintf(found.modality, sizeof found.modality, "%s", modality);
	snprintf(found.burned_in, sizeof found.burned_in, "%s", burned_in);
	snprintf(found.photometric, sizeof found.photometric, "%s", photometric);
	risk = deid_pixel_risk(&found, &reason);
	assert_non_null(reason);
	return risk;
}

static void
pixels_that_may_show_a_name_are_named(void **state)
{
	(void)state;
	assert_int_equal(
	    risk_of("1.2.840.10008.5.1.4.1.1.2", "CT", "", "MONOCHROME2"), DEID_RISK_NONE);
	assert_int_equal(
	    risk_of("1.2.840.10008.5.1.4.1.1.2", "CT", "YES", "MONOCHROME2"), DEID_RISK_DECLARED);
	assert_int_equal(
	    risk_of("1.2.840.10008.5.1.4.1.1.2", "CT", "", "RGB"), DEID_RISK_SUSPECTED);
	assert_int_equal(
	    risk_of("1.2.840.10008.5.1.4.1.1.7", "OT", "", "MONOCHROME2"), DEID_RISK_SUSPECTED);
	assert_int_equal(
	    risk_of("1.2.840.10008.5.1.4.1.1.7.2", "OT", "NO", "MONOCHROME2"), DEID_RISK_NONE);
	assert_int_equal(
	    risk_of("1.2.840.10008.5.1.4.1.1.6.1", "US", "", "MONOCHROME2"), DEID_RISK_SUSPECTED);
	assert_int_equal(
	    risk_of("1.2.840.10008.5.1.4.1.1.77.1.6", "SM", "", "RGB"), DEID_RISK_NONE);
}

static void
an_overlay_in_the_pixels_bits_is_a_risk(void **state)
{
	(void)state;
	for (size_t s = 0; s < SYNTAX_COUNT; s++) {
		struct doc doc;
		struct deid_scan found;

		build(&doc, deid_test_syntax(s));
		assert_int_equal(dcm_put_u16(&doc.w, 0x60000100, DCM_VR('U', 'S'), 16), 0);
		assert_int_equal(dcm_put_header(&doc.w, 0x7fe00010, DCM_VR('O', 'W'), 8), 0);
		scan(&doc, &found);
		assert_int_equal(deid_pixel_risk(&found, NULL), DEID_RISK_SUSPECTED);
		doc_fini(&doc);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_scan_finds_the_identifiers),
	    cmocka_unit_test(a_scan_waits_for_the_rest),
	    cmocka_unit_test(facts_carry_the_header_under_pseudonyms),
	    cmocka_unit_test(facts_pack_and_unpack),
	    cmocka_unit_test(age_is_the_devices_or_from_the_dates),
	    cmocka_unit_test(multi_frame_objects_have_facts_too),
	    cmocka_unit_test(an_instance_without_uids_gives_no_facts),
	    cmocka_unit_test(documents_voices_and_unknown_classes_are_refused),
	    cmocka_unit_test(pixels_that_may_show_a_name_are_named),
	    cmocka_unit_test(an_overlay_in_the_pixels_bits_is_a_risk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
