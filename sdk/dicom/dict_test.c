/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"
#include "dicom/dict_table.h"

static void
every_listed_tag_and_keyword_is_found(void **state)
{
	(void)state;
	assert_true(dcm_table_exact_count > 5000);
	for (size_t i = 0; i < dcm_table_exact_count; i++) {
		const struct dcm_entry *entry = &dcm_table_exact[i];

		assert_ptr_equal(dcm_dict_find(entry->tag), entry);
		assert_ptr_equal(dcm_dict_find_keyword(entry->keyword), entry);
		assert_true(dcm_vr_known(entry->vr));
	}
	assert_null(dcm_dict_find_keyword("PatientNam"));
	assert_null(dcm_dict_find_keyword(""));
}

static void
repeating_groups_are_found_through_their_masks(void **state)
{
	const struct dcm_entry *entry = dcm_dict_find(DCM_TAG(0x6002, 0x3000));

	(void)state;
	assert_non_null(entry);
	assert_string_equal(entry->keyword, "OverlayData");
	assert_int_equal(entry->tag, DCM_TAG(0x6000, 0x3000));
	assert_string_equal(
	    dcm_dict_find(DCM_TAG(0x501e, 0x2610))->keyword, "CurveReferencedOverlayGroup");
	assert_string_equal(dcm_dict_find(DCM_TAG(0x0020, 0x3101))->keyword, "SourceImageIDs");
	assert_ptr_equal(dcm_dict_find_keyword("OverlayData"), entry);
	assert_string_equal(dcm_dict_find(DCM_TAG(0x7fe0, 0x0010))->keyword, "PixelData");
}

static void
unlisted_tags_are_not_found(void **state)
{
	(void)state;
	assert_null(dcm_dict_find(DCM_TAG(0x0009, 0x0010)));
	assert_null(dcm_dict_find(DCM_TAG(0x6001, 0x3000)));
	assert_null(dcm_dict_find(DCM_TAG(0x0008, 0x0002)));
	assert_null(dcm_dict_find(DCM_TAG(0xfffe, 0xe000)));
	assert_null(dcm_dict_find(0xffffffffu));
}

static void
a_group_length_is_ul_in_every_group(void **state)
{
	(void)state;
	assert_int_equal(dcm_dict_find(DCM_TAG(0x0008, 0))->vr, DCM_VR('U', 'L'));
	assert_int_equal(dcm_dict_find(DCM_TAG(0x0009, 0))->vr, DCM_VR('U', 'L'));
	assert_string_equal(dcm_dict_find(0)->keyword, "CommandGroupLength");
}

static void
entries_say_what_ps3_6_says(void **state)
{
	const struct dcm_entry *name = dcm_dict_find_keyword("PatientName");
	const struct dcm_entry *smallest = dcm_dict_find_keyword("SmallestImagePixelValue");

	(void)state;
	assert_int_equal(name->tag, DCM_TAG(0x0010, 0x0010));
	assert_int_equal(name->vr, DCM_VR('P', 'N'));
	assert_string_equal(name->vm, "1");
	assert_false(name->retired);
	assert_int_equal(smallest->vr, DCM_VR('U', 'S'));
	assert_true(dcm_dict_find_keyword("LengthToEnd")->retired);
}

static void
vrs_have_their_length_field_padding_and_unit(void **state)
{
	(void)state;
	assert_true(dcm_vr_is_long(DCM_VR('U', 'N')));
	assert_true(dcm_vr_is_long(DCM_VR('S', 'V')));
	assert_false(dcm_vr_is_long(DCM_VR('U', 'I')));
	assert_false(dcm_vr_known(DCM_VR('Z', 'Z')));
	assert_true(dcm_vr_is_long(DCM_VR('Z', 'Z')));
	assert_false(dcm_vr_known(DCM_VR('u', 'i')));
	assert_true(dcm_vr_is_text(DCM_VR('U', 'R')));
	assert_false(dcm_vr_is_text(DCM_VR('O', 'B')));
	assert_int_equal(dcm_vr_unit(DCM_VR('A', 'T')), 2);
	assert_int_equal(dcm_vr_unit(DCM_VR('O', 'V')), 8);
	assert_int_equal(dcm_vr_unit(DCM_VR('P', 'N')), 1);
}

static void
registries_are_found_by_uid(void **state)
{
	const char *uid;

	(void)state;
	for (size_t i = 0; (uid = dcm_storage_class_at(i)) != NULL; i++) {
		assert_non_null(dcm_storage_class_name(uid));
		assert_true(strlen(uid) <= 64);
	}
	assert_string_equal(
	    dcm_storage_class_name("1.2.840.10008.5.1.4.1.1.2"), "CT Image Storage");
	assert_null(dcm_storage_class_name("1.2.840.10008.1.3.10"));
	assert_null(dcm_storage_class_name("1.2.840.10008.1.1"));
	for (size_t i = 0; dcm_syntax_at(i) != NULL; i++)
		assert_ptr_equal(dcm_syntax_find(dcm_syntax_at(i)->uid), dcm_syntax_at(i));
	assert_null(dcm_syntax_find("1.2.3"));
	assert_true(dcm_syntax_find("1.2.840.10008.1.2.4.50")->encapsulated);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_listed_tag_and_keyword_is_found),
	    cmocka_unit_test(repeating_groups_are_found_through_their_masks),
	    cmocka_unit_test(unlisted_tags_are_not_found),
	    cmocka_unit_test(a_group_length_is_ul_in_every_group),
	    cmocka_unit_test(entries_say_what_ps3_6_says),
	    cmocka_unit_test(vrs_have_their_length_field_padding_and_unit),
	    cmocka_unit_test(registries_are_found_by_uid),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
