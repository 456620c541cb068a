/* SPDX-License-Identifier: Apache-2.0 */
/* Nested, private and disguised attributes: what hides at any depth is found. */
#include "deid/testing.h"

#define EACH_SYNTAX(name) for (size_t name = 0; name < SYNTAX_COUNT; name++)

static void
nested_attributes_are_reached_at_every_depth(void **state)
{
	(void)state;
	EACH_SYNTAX(s)
	{
		struct doc doc;
		char path[1024] = "";

		doc_init(&doc, deid_test_syntax(s));
		for (int i = 0; i < 20; i++) {
			doc_open(&doc, 0x00089215);
			doc_put(&doc, 0x00080050, "SH", "ACC-NO-1");
			doc_next(&doc);
			doc_put(&doc, 0x00080080, "LO", "County Hospital");
			snprintf(path + strlen(path), sizeof path - strlen(path), "00089215[1].");
		}
		doc_put(&doc, 0x00100010, "PN", "Doe^Jane");
		doc_put(&doc, 0x00100020, "LO", "4711-ID");
		doc_put(&doc, 0x00104000, "LT", "Jane again");
		for (int i = 0; i < 20; i++)
			doc_close(&doc);
		doc_run_with(&doc, 0);
		assert_false(doc_contains(&doc, "ACC-NO"));
		assert_false(doc_contains(&doc, "County"));
		assert_false(doc_contains(&doc, "Jane"));
		assert_false(doc_contains(&doc, "4711"));
		snprintf(path + strlen(path), sizeof path - strlen(path), "00100010");
		assert_string_equal(doc_text(&doc, path), PSEUDONYM);
		doc_fini(&doc);
	}
}

static void
private_sequences_go_with_all_they_hold(void **state)
{
	(void)state;
	EACH_SYNTAX(s)
	{
		struct doc doc;

		doc_init(&doc, deid_test_syntax(s));
		doc_put(&doc, 0x00090010, "LO", "ACME");
		doc_open(&doc, 0x00091001);
		doc_put(&doc, 0x00100010, "PN", "Doe^Jane");
		doc_open(&doc, 0x00091002);
		doc_put(&doc, 0x00100030, "DA", "19530217");
		doc_close(&doc);
		doc_close(&doc);
		doc_put(&doc, 0x00100040, "CS", "F");
		doc_open(&doc, 0x00089215);
		doc_put(&doc, 0x00090010, "LO", "ACME");
		doc_put(&doc, 0x00091003, "PN", "Doe^Jane");
		doc_close(&doc);
		doc_run_with(&doc, DEID_PATIENT_CHARACTERISTICS);
		assert_false(doc_contains(&doc, "Doe"));
		assert_false(doc_contains(&doc, "ACME"));
		assert_false(doc_contains(&doc, "19530217"));
		assert_string_equal(doc_text(&doc, "00100040"), "F");
		assert_string_equal(doc_text(&doc, "00089215"), "SQ");
		doc_fini(&doc);
	}
}

/* A sequence that travelled through a system that did not know it: UN, implicit VR inside. */
static void
a_sequence_in_un_is_cleaned_too(void **state)
{
	struct doc doc;
	BUF_AUTO inner = {.max = 10000};
	struct dcm_writer w;

	(void)state;
	dcm_writer_init(&w, &inner, dcm_syntax_find(DCM_IMPLICIT_LE));
	assert_int_equal(dcm_put_item_begin(&w), 0);
	assert_int_equal(dcm_put_text(&w, 0x00100010, 0, "Doe^Jane"), 0);
	assert_int_equal(dcm_put_text(&w, 0x00180050, 0, "1.25"), 0);
	assert_int_equal(dcm_put_item_end(&w), 0);
	for (size_t s = 1; s < SYNTAX_COUNT; s++) {
		doc_init(&doc, deid_test_syntax(s));
		assert_int_equal(
		    dcm_put_bytes(&doc.w, 0x00089215, DCM_VR('U', 'N'), inner.data, inner.length),
		    0);
		doc_run_with(&doc, 0);
		assert_false(doc_contains(&doc, "Doe"));
		assert_string_equal(doc_text(&doc, "00089215[0].00100010"), PSEUDONYM);
		assert_string_equal(doc_text(&doc, "00089215[0].00180050"), "1.25");
		doc_fini(&doc);
	}
}

static void
a_public_attribute_in_un_is_what_the_dictionary_says(void **state)
{
	struct doc doc;

	(void)state;
	doc_init(&doc, deid_test_syntax(1));
	doc_put(&doc, 0x00080020, "UN", "20240131");
	doc_put(&doc, 0x00140104, "UN", "Doe^Jane");
	doc_put(&doc, 0x00200052, "UN", "1.2.3.4");
	doc_run_with(&doc, DEID_MODIFIED_DATES);
	assert_string_equal(doc_text(&doc, "00080020"), "20231231");
	assert_string_equal(doc_vr(&doc, "00080020"), "DA");
	assert_string_equal(doc_text(&doc, "00140104"), "REMOVED");
	assert_memory_equal(doc_text(&doc, "00200052"), "2.25.", 5);
	doc_fini(&doc);
}

static void
a_name_under_another_vr_is_still_a_name(void **state)
{
	struct doc doc;

	(void)state;
	doc_init(&doc, deid_test_syntax(1));
	doc_put(&doc, 0x00080090, "LO", "House^Gregory");
	doc_put(&doc, 0x00140104, "LO", "Doe^Jane");
	doc_put(&doc, 0x00180050, "PN", "Doe^John");
	doc_put(&doc, 0x00089215, "LO", "Doe^Jack");
	doc_run_with(&doc, 0);
	assert_false(doc_contains(&doc, "House"));
	assert_false(doc_contains(&doc, "Doe"));
	doc_fini(&doc);
}

static void
a_second_of_the_same_tag_does_not_stay(void **state)
{
	struct doc doc;

	(void)state;
	doc_init(&doc, deid_test_syntax(1));
	doc_put(&doc, 0x00080070, "LO", "ACME");
	doc_put(&doc, 0x00080081, "ST", "12 Main Street");
	doc_put(&doc, 0x00080070, "LO", "Doe");
	doc_put(&doc, 0x00080025, "DA", "no date");
	doc_put(&doc, 0x00080070, "LO", "Doe");
	doc_run_with(&doc, DEID_MODIFIED_DATES);
	assert_string_equal(doc_text(&doc, "00080070"), "ACME");
	assert_false(doc_contains(&doc, "Doe"));
	doc_fini(&doc);
}

static void
safe_private_attributes_stay_when_asked(void **state)
{
	(void)state;
	EACH_SYNTAX(s)
	{
		struct doc doc;

		doc_init(&doc, deid_test_syntax(s));
		doc_put(&doc, 0x00190010, "LO", "SIEMENS MR HEADER");
		doc_put(&doc, 0x00190011, "LO", "ACME");
		doc_put(&doc, 0x0019100c, "IS", "1000");
		doc_put(&doc, 0x00191008, "CS", "SECRET");
		doc_put(&doc, 0x0019110c, "IS", "4711");
		doc_run_with(&doc, DEID_SAFE_PRIVATE);
		assert_string_equal(doc_text(&doc, "0019100C"), "1000");
		assert_string_equal(doc_text(&doc, "00190010"), "SIEMENS MR HEADER");
		assert_null(doc_text(&doc, "00190011"));
		assert_null(doc_text(&doc, "00191008"));
		assert_null(doc_text(&doc, "0019110C"));
		assert_string_equal(doc_text(&doc, "00120064[1].00080100"), "113111");
		doc_run_with(&doc, 0);
		assert_null(doc_text(&doc, "0019100C"));
		doc_fini(&doc);
	}
}

static void
a_safe_private_name_or_date_is_treated_as_such(void **state)
{
	static const char *const safe[] = {"ACME:0029,xx01", "ACME:0029,xx02", "ACME:0029,xx03"};
	const struct deid_config config = {
	    DEID_SAFE_PRIVATE | DEID_MODIFIED_DATES, deid_test_key, "tests", safe, 3};
	struct deid_profile *profile;
	struct doc doc;

	(void)state;
	assert_int_equal(deid_profile_new(&profile, &config, NULL), 0);
	doc_init(&doc, deid_test_syntax(1));
	doc_put(&doc, 0x00290010, "LO", "ACME");
	doc_put(&doc, 0x00291001, "PN", "Doe^Jane");
	doc_put(&doc, 0x00291002, "DA", "20240131");
	doc_open(&doc, 0x00291003);
	doc_put(&doc, 0x00100010, "PN", "Doe^Jane");
	doc_put(&doc, 0x00290010, "LO", "OTHER");
	doc_put(&doc, 0x00291001, "LO", "Jane");
	doc_close(&doc);
	doc_run(&doc, profile);
	assert_string_equal(doc_text(&doc, "00291001"), "REMOVED");
	assert_string_equal(doc_text(&doc, "00291002"), "20231231");
	assert_string_equal(doc_text(&doc, "00291003[0].00100010"), PSEUDONYM);
	assert_false(doc_contains(&doc, "Jane"));
	doc_fini(&doc);
	deid_profile_free(profile);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nested_attributes_are_reached_at_every_depth),
	    cmocka_unit_test(private_sequences_go_with_all_they_hold),
	    cmocka_unit_test(a_sequence_in_un_is_cleaned_too),
	    cmocka_unit_test(a_public_attribute_in_un_is_what_the_dictionary_says),
	    cmocka_unit_test(a_name_under_another_vr_is_still_a_name),
	    cmocka_unit_test(a_second_of_the_same_tag_does_not_stay),
	    cmocka_unit_test(safe_private_attributes_stay_when_asked),
	    cmocka_unit_test(a_safe_private_name_or_date_is_treated_as_such),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
