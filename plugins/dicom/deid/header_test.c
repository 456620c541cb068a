/* SPDX-License-Identifier: Apache-2.0 */
/* Whole headers: what is added, how deep it reaches, and the shapes that real files have. */
#include "deid/testing.h"

#define EACH_SYNTAX(name) for (size_t name = 0; name < SYNTAX_COUNT; name++)

static void
build_ct(struct doc *doc, const struct dcm_syntax *syntax)
{
	doc_init(doc, syntax);
	doc_put(doc, 0x00080000, "UL", "abcd");
	doc_put(doc, 0x00080005, "CS", "ISO_IR 100");
	doc_put(doc, 0x00080016, "UI", "1.2.840.10008.5.1.4.1.1.2");
	doc_put(doc, 0x00080018, "UI", "1.2.3.4.5");
	doc_put(doc, 0x00080020, "DA", "20240131");
	doc_put(doc, 0x00080060, "CS", "CT");
	doc_put(doc, 0x00080090, "PN", "House^Gregory");
	doc_put(doc, 0x00081030, "LO", "CT CHEST for Wilson");
	doc_put(doc, 0x00100010, "PN", "Doe^Jane=\xc3\xa9^\xc3\xa9");
	doc_put(doc, 0x00100020, "LO", "4711-ID");
	doc_put(doc, 0x00100040, "CS", "F");
	doc_put(doc, 0x00101010, "AS", "093Y");
	doc_put(doc, 0x00180050, "DS", "1.25");
	doc_put(doc, 0x0020000d, "UI", "1.2.3.4");
	doc_put(doc, 0x0020000e, "UI", "1.2.3.4.1");
	assert_int_equal(dcm_put_u16(&doc->w, 0x00280010, DCM_VR('U', 'S'), 513), 0);
}

static void
put_pixels(struct doc *doc)
{
	assert_int_equal(dcm_put_bytes(&doc->w, 0x7fe00010, DCM_VR('O', 'W'), "pixels", 6), 0);
}

static void
a_header_gets_the_attributes_that_tell_of_it(void **state)
{
	(void)state;
	EACH_SYNTAX(s)
	{
		struct doc doc;

		build_ct(&doc, deid_test_syntax(s));
		doc_run_with(&doc, DEID_MODIFIED_DATES | DEID_CLEAN_DESCRIPTORS);
		assert_string_equal(doc_text(&doc, "00100010"), PSEUDONYM);
		assert_string_equal(doc_text(&doc, "00100020"), PSEUDONYM);
		assert_string_equal(doc_text(&doc, "00120062"), "YES");
		assert_non_null(doc_text(&doc, "00120063"));
		assert_string_equal(doc_text(&doc, "00120064[0].00080100"), "113100");
		assert_string_equal(doc_text(&doc, "00120064[1].00080100"), "113105");
		assert_string_equal(doc_text(&doc, "00120064[2].00080100"), "113107");
		assert_string_equal(doc_text(&doc, "00120064[2].00080102"), "DCM");
		assert_null(doc_text(&doc, "00120064[3].00080100"));
		assert_string_equal(doc_text(&doc, "00280303"), "MODIFIED");
		assert_string_equal(doc_text(&doc, "00080005"), "ISO_IR 100");
		assert_string_equal(doc_text(&doc, "00080020"), "20231231");
		assert_string_equal(doc_text(&doc, "00081030"), "CT CHEST for");
		assert_null(doc_text(&doc, "00080000"));
		doc_fini(&doc);
	}
}

static void
tags_stay_in_order(void **state)
{
	(void)state;
	EACH_SYNTAX(s)
	{
		struct doc doc;
		struct dcm_reader reader;
		struct dcm_token token = {0};
		uint32_t last = 0;

		build_ct(&doc, deid_test_syntax(s));
		doc_run_with(&doc, 0);
		dcm_reader_init(&reader, doc.syntax, 0);
		while (token.kind != DCM_END) {
			assert_int_equal(dcm_reader_next(&reader, doc.out.data, doc.out.length,
					     true, &token, NULL),
			    0);
			if (token.depth == 0 && token.kind == DCM_ELEMENT) {
				assert_true(token.tag > last);
				last = token.tag;
			}
		}
		doc_fini(&doc);
	}
}

static void
an_empty_data_set_gets_them_too(void **state)
{
	struct doc doc;

	(void)state;
	doc_init(&doc, deid_test_syntax(1));
	doc_put(&doc, 0x00080060, "CS", "CT");
	doc_run_with(&doc, 0);
	assert_string_equal(doc_text(&doc, "00280303"), "REMOVED");
	assert_string_equal(doc_text(&doc, "00100020"), PSEUDONYM);
	assert_false(doc.end.pixels);
	assert_int_equal(doc.end.offset, doc.in.length);
	doc_fini(&doc);
}

static void
what_an_earlier_hand_wrote_is_replaced(void **state)
{
	struct doc doc;

	(void)state;
	doc_init(&doc, deid_test_syntax(1));
	doc_put(&doc, 0x00120062, "CS", "NO");
	doc_put(&doc, 0x00120063, "LO", "by Dr. Jekyll");
	doc_open(&doc, 0x00120064);
	doc_put(&doc, 0x00080104, "LO", "Jekyll");
	doc_close(&doc);
	doc_run_with(&doc, DEID_FULL_DATES);
	assert_string_equal(doc_text(&doc, "00120062"), "YES");
	assert_string_equal(doc_text(&doc, "00280303"), "UNMODIFIED");
	assert_false(doc_contains(&doc, "Jekyll"));
	doc_fini(&doc);
}

static void
pixel_data_ends_the_header(void **state)
{
	(void)state;
	EACH_SYNTAX(s)
	{
		struct doc doc;
		size_t header;

		build_ct(&doc, deid_test_syntax(s));
		header = doc.in.length;
		put_pixels(&doc);
		doc_run_with(&doc, 0);
		assert_true(doc.end.pixels);
		assert_int_equal(doc.end.offset, header);
		assert_int_equal(doc.end.length, 6);
		assert_int_equal(doc.in.length - doc.end.value_offset, 6);
		assert_false(doc_contains(&doc, "pixels"));
		doc_fini(&doc);
	}
}

static void
a_trailer_loses_padding_and_signatures(void **state)
{
	const struct deid_patient patient = {PSEUDONYM, SHIFT};

	(void)state;
	EACH_SYNTAX(s)
	{
		struct doc doc;
		struct deid_profile *profile = deid_test_profile(0);
		struct deid_input input;

		doc_init(&doc, deid_test_syntax(s));
		doc_open(&doc, 0xfffafffa);
		doc_put(&doc, 0x04000100, "UI", "1.2.3");
		doc_close(&doc);
		assert_int_equal(dcm_put_bytes(&doc.w, 0xfffcfffc, DCM_VR('O', 'B'), "Jane", 4), 0);
		input = (struct deid_input){doc.syntax, doc.in.data, doc.in.length};
		assert_int_equal(deid_trailer(profile, &patient, &input, &doc.out, NULL), 0);
		assert_int_equal(doc.out.length, 0);
		put_pixels(&doc);
		input = (struct deid_input){doc.syntax, doc.in.data, doc.in.length};
		assert_int_equal(
		    deid_trailer(profile, &patient, &input, &doc.out, NULL), CAIRN_ECORRUPT);
		deid_profile_free(profile);
		doc_fini(&doc);
	}
}

/* ---- values ----------------------------------------------------------------------------- */

static void
uids_are_consistent_across_instances(void **state)
{
	struct deid_profile *profile = deid_test_profile(0);
	struct doc a, b;
	char uid[DCM_UID_MAX + 1];

	(void)state;
	doc_init(&a, deid_test_syntax(0));
	doc_put(&a, 0x00080018, "UI", "1.2.3.4.5");
	doc_init(&b, deid_test_syntax(2));
	doc_open(&b, 0x00081140);
	doc_put(&b, 0x00081150, "UI", "1.2.840.10008.5.1.4.1.1.2");
	doc_put(&b, 0x00081155, "UI", "1.2.3.4.5");
	doc_close(&b);
	doc_put(&b, 0x00080058, "UI", "1.2.3.4.5\\1.2.3.4.6");
	doc_run(&a, profile);
	doc_run(&b, profile);
	assert_int_equal(deid_uid(profile, "1.2.3.4.5", uid, NULL), 0);
	assert_string_equal(doc_text(&a, "00080018"), uid);
	assert_string_equal(doc_text(&b, "00081140[0].00081155"), uid);
	assert_string_equal(doc_text(&b, "00081140[0].00081150"), "1.2.840.10008.5.1.4.1.1.2");
	assert_memory_equal(doc_text(&b, "00080058"), uid, strlen(uid));
	assert_int_equal(b.text[strlen(uid)], '\\');
	doc_fini(&a);
	doc_fini(&b);
	deid_profile_free(profile);
}

static void
an_overlong_uid_is_replaced_even_when_uids_stay(void **state)
{
	static const char uid[] =
	    "1.2.840.113619.2.55.3.2831208458.315.1331218521.783.12345678901234567890.4711";
	struct doc doc;

	(void)state;
	assert_true(sizeof uid - 1 > 64);
	doc_init(&doc, deid_test_syntax(1));
	doc_put(&doc, 0x00080018, "UI", uid);
	doc_put(&doc, 0x0020000d, "UI", "1.2.3.4");
	doc_run_with(&doc, DEID_UIDS);
	assert_memory_equal(doc_text(&doc, "00080018"), "2.25.", 5);
	assert_string_equal(doc_text(&doc, "0020000D"), "1.2.3.4");
	doc_run_with(&doc, 0);
	assert_memory_equal(doc_text(&doc, "00080018"), "2.25.", 5);
	doc_fini(&doc);
}

static void
the_same_input_gives_the_same_bytes(void **state)
{
	(void)state;
	EACH_SYNTAX(s)
	{
		struct doc a, b;
		struct deid_profile *used = deid_test_profile(DEID_MODIFIED_DATES);

		build_ct(&a, deid_test_syntax(s));
		build_ct(&b, deid_test_syntax(s));
		doc_run(&a, used);
		doc_run(&a, used);
		doc_run_with(&b, DEID_MODIFIED_DATES);
		assert_int_equal(a.out.length, b.out.length);
		assert_memory_equal(a.out.data, b.out.data, a.out.length);
		deid_profile_free(used);
		doc_fini(&a);
		doc_fini(&b);
	}
}

static void
patient_characteristics_stay_with_old_ages_capped(void **state)
{
	struct doc doc;

	(void)state;
	build_ct(&doc, deid_test_syntax(1));
	doc_put(&doc, 0x00102110, "LO", "penicillin");
	doc_run_with(&doc, DEID_PATIENT_CHARACTERISTICS);
	assert_string_equal(doc_text(&doc, "00101010"), "090Y");
	assert_string_equal(doc_text(&doc, "00100040"), "F");
	assert_null(doc_text(&doc, "00102110"));
	doc_run_with(&doc, 0);
	assert_null(doc_text(&doc, "00101010"));
	assert_string_equal(doc_text(&doc, "00100040"), "");
	doc_fini(&doc);
}

static void
a_date_that_cannot_be_shifted_is_not_kept(void **state)
{
	struct doc doc;

	(void)state;
	doc_init(&doc, deid_test_syntax(1));
	doc_put(&doc, 0x00080020, "DA", "31 Jan 24");
	doc_put(&doc, 0x00080021, "DA", "31 Jan 24");
	doc_put(&doc, 0x00181078, "DT", "20240131101500.00+0100");
	doc_put(&doc, 0x00181200, "DA", "20240131");
	doc_run_with(&doc, DEID_MODIFIED_DATES | DEID_DEVICE_IDENTITY);
	assert_string_equal(doc_text(&doc, "00080020"), "");
	assert_string_equal(doc_text(&doc, "00080021"), "19000101");
	assert_string_equal(doc_text(&doc, "00181078"), "20231231101500.00+0100");
	assert_string_equal(doc_text(&doc, "00181200"), "20231231");
	doc_fini(&doc);
}

static void
overlays_and_curves_go_whole(void **state)
{
	(void)state;
	for (unsigned options = 0; options <= DEID_CLEAN_GRAPHICS; options += DEID_CLEAN_GRAPHICS) {
		struct doc doc;

		doc_init(&doc, deid_test_syntax(1));
		doc_put(&doc, 0x50000022, "LO", "curve");
		doc_put(&doc, 0x501e3000, "OW", "curve!");
		assert_int_equal(dcm_put_u16(&doc.w, 0x60000010, DCM_VR('U', 'S'), 512), 0);
		doc_put(&doc, 0x60000022, "LO", "overlay");
		doc_put(&doc, 0x60003000, "OW", "overlay!");
		doc_put(&doc, 0x60024000, "LT", "overlay comment");
		doc_run_with(&doc, options);
		assert_false(doc_contains(&doc, "curve"));
		assert_false(doc_contains(&doc, "overlay"));
		assert_null(doc_text(&doc, "60000010"));
		doc_fini(&doc);
	}
}

static void
character_sets_leave_no_rest(void **state)
{
	struct doc doc;

	(void)state;
	doc_init(&doc, deid_test_syntax(1));
	doc_put(&doc, 0x00080005, "CS", "\\ISO 2022 IR 87");
	doc_put(&doc, 0x00080090, "PN", "Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B");
	doc_put(&doc, 0x00081030, "LO", "\x1b$BHEAD\x1b(B");
	doc_put(&doc, 0x00100010, "PN", "Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B");
	doc_run_with(&doc, DEID_CLEAN_DESCRIPTORS);
	assert_string_equal(doc_text(&doc, "00080005"), "\\ISO 2022 IR 87");
	assert_string_equal(doc_text(&doc, "00100010"), PSEUDONYM);
	assert_string_equal(doc_text(&doc, "00080090"), "");
	assert_null(doc_text(&doc, "00081030"));
	assert_false(doc_contains(&doc, "\x1b"));
	doc_fini(&doc);
}

/* ---- structured content ----------------------------------------------------------------- */

static void
put_item(struct doc *doc, const char *type, uint32_t tag, const char *vr, const char *value)
{
	doc_next(doc);
	doc_put(doc, 0x0040a040, "CS", type);
	doc_open(doc, 0x0040a043);
	doc_put(doc, 0x00080100, "SH", "121106");
	doc_put(doc, 0x00080102, "SH", "DCM");
	doc_put(doc, 0x00080104, "LO", "Comment of observer");
	doc_next(doc);
	doc_put(doc, 0x00080100, "SH", "X1");
	doc_put(doc, 0x00080102, "SH", "99LOCAL");
	doc_put(doc, 0x00080104, "LO", "Prof Jekyll CT");
	doc_close(doc);
	doc_put(doc, tag, vr, value);
}

static void
build_report(struct doc *doc)
{
	doc_init(doc, deid_test_syntax(1));
	doc_open(doc, 0x0040a730);
	put_item(doc, "TEXT", 0x0040a160, "UT", "Mrs Doe: no lesion");
	put_item(doc, "PNAME", 0x0040a123, "PN", "Doe^Jane");
	put_item(doc, "DATE", 0x0040a121, "DA", "20240131");
	put_item(doc, "UIDREF", 0x0040a124, "UI", "1.2.3.4.5");
	put_item(doc, "NUM", 0x0040a30a, "DS", "12.5");
	doc_close(doc);
}

static void
a_report_loses_its_content_in_the_basic_profile(void **state)
{
	struct doc doc;

	(void)state;
	build_report(&doc);
	doc_run_with(&doc, 0);
	assert_false(doc_contains(&doc, "Doe"));
	assert_false(doc_contains(&doc, "Jekyll"));
	assert_string_equal(doc_text(&doc, "0040A730[0].0040A160"), "REMOVED");
	assert_null(doc_text(&doc, "0040A730[1].0040A040"));
	doc_fini(&doc);
}

static void
a_cleaned_report_keeps_numbers_codes_and_listed_words(void **state)
{
	struct doc doc;

	(void)state;
	build_report(&doc);
	doc_run_with(&doc, DEID_CLEAN_STRUCTURED | DEID_MODIFIED_DATES);
	assert_false(doc_contains(&doc, "Doe"));
	assert_false(doc_contains(&doc, "Jekyll"));
	assert_string_equal(doc_text(&doc, "0040A730[1].0040A160"), "lesion");
	assert_string_equal(doc_text(&doc, "0040A730[2].0040A123"), "REMOVED");
	assert_string_equal(doc_text(&doc, "0040A730[3].0040A121"), "20231231");
	assert_memory_equal(doc_text(&doc, "0040A730[4].0040A124"), "2.25.", 5);
	assert_string_equal(doc_text(&doc, "0040A730[5].0040A30A"), "12.5");
	assert_string_equal(
	    doc_text(&doc, "0040A730[5].0040A043[0].00080104"), "Comment of observer");
	assert_string_equal(doc_text(&doc, "0040A730[5].0040A043[1].00080104"), "CT");
	doc_fini(&doc);
}

/* ---- what is refused -------------------------------------------------------------------- */

static void
a_bad_pseudonym_is_refused(void **state)
{
	static const char *const bad[] = {"", "a\\b", "a^b", "a b", "\xc3\xa4",
	    "0123456789012345678901234567890123456789012345678901234567890123456789"};
	struct deid_profile *profile = deid_test_profile(0);
	struct doc doc;

	(void)state;
	build_ct(&doc, deid_test_syntax(1));
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		const struct deid_patient patient = {bad[i], 1};
		const struct deid_input input = {doc.syntax, doc.in.data, doc.in.length};

		assert_int_equal(
		    deid_header(profile, &patient, &input, &doc.out, &doc.end, NULL), CAIRN_EINVAL);
	}
	doc_fini(&doc);
	deid_profile_free(profile);
}

static void
a_truncated_header_leaves_the_output_alone(void **state)
{
	const struct deid_patient patient = {PSEUDONYM, SHIFT};
	struct deid_profile *profile = deid_test_profile(0);
	struct doc doc;

	(void)state;
	build_ct(&doc, deid_test_syntax(1));
	assert_int_equal(buf_append_text(&doc.out, "before"), 0);
	for (size_t length = 9; length < doc.in.length; length += 7) {
		const struct deid_input input = {doc.syntax, doc.in.data, length};
		int code = deid_header(profile, &patient, &input, &doc.out, &doc.end, NULL);

		if (code != 0)
			assert_int_equal(doc.out.length, 6);
		doc.out.length = 6;
	}
	doc_fini(&doc);
	deid_profile_free(profile);
}

static void
an_output_that_is_too_small_is_an_error(void **state)
{
	struct deid_profile *profile = deid_test_profile(0);
	const struct deid_patient patient = {PSEUDONYM, SHIFT};
	struct doc doc;

	(void)state;
	build_ct(&doc, deid_test_syntax(1));
	for (size_t max = 0; max < 400; max += 3) {
		BUF_AUTO out = {.max = max};
		const struct deid_input input = {doc.syntax, doc.in.data, doc.in.length};

		assert_int_equal(
		    deid_header(profile, &patient, &input, &out, &doc.end, NULL), CAIRN_ELIMIT);
		assert_int_equal(out.length, 0);
	}
	doc_fini(&doc);
	deid_profile_free(profile);
}

static void
both_kinds_of_dates_are_refused(void **state)
{
	const struct deid_config config = {.options = DEID_FULL_DATES | DEID_MODIFIED_DATES,
	    .uid_key = deid_test_key,
	    .project = "tests"};
	struct deid_profile *profile = NULL;
	struct cairn_error err = {0};

	(void)state;
	assert_int_equal(deid_profile_new(&profile, &config, &err), CAIRN_EINVAL);
	assert_non_null(strstr(err.text, "exclude each other"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_header_gets_the_attributes_that_tell_of_it),
	    cmocka_unit_test(tags_stay_in_order),
	    cmocka_unit_test(an_empty_data_set_gets_them_too),
	    cmocka_unit_test(what_an_earlier_hand_wrote_is_replaced),
	    cmocka_unit_test(pixel_data_ends_the_header),
	    cmocka_unit_test(a_trailer_loses_padding_and_signatures),
	    cmocka_unit_test(uids_are_consistent_across_instances),
	    cmocka_unit_test(an_overlong_uid_is_replaced_even_when_uids_stay),
	    cmocka_unit_test(the_same_input_gives_the_same_bytes),
	    cmocka_unit_test(patient_characteristics_stay_with_old_ages_capped),
	    cmocka_unit_test(a_date_that_cannot_be_shifted_is_not_kept),
	    cmocka_unit_test(overlays_and_curves_go_whole),
	    cmocka_unit_test(character_sets_leave_no_rest),
	    cmocka_unit_test(a_report_loses_its_content_in_the_basic_profile),
	    cmocka_unit_test(a_cleaned_report_keeps_numbers_codes_and_listed_words),
	    cmocka_unit_test(a_bad_pseudonym_is_refused),
	    cmocka_unit_test(a_truncated_header_leaves_the_output_alone),
	    cmocka_unit_test(an_output_that_is_too_small_is_an_error),
	    cmocka_unit_test(both_kinds_of_dates_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
