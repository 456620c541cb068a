/* SPDX-License-Identifier: Apache-2.0 */
/* The table is the standard's: the counts of PS3.15 Table E.1-1, edition 2024b, and the order that
 * the binary search stands on. */
#include "base/test.h"
#include "deid/profile.h"

static size_t
count_basic(enum deid_basic basic)
{
	size_t count = 0;

	for (size_t i = 0; i < deid_rows_count; i++)
		count += deid_rows[i].basic == basic;
	return count;
}

static void
basic_profile_has_the_standards_counts(void **state)
{
	(void)state;
	assert_int_equal(deid_rows_count, 621);
	assert_int_equal(count_basic(DEID_BASIC_X), 384);
	assert_int_equal(count_basic(DEID_BASIC_D), 92);
	assert_int_equal(count_basic(DEID_BASIC_U), 54);
	assert_int_equal(count_basic(DEID_BASIC_Z), 42);
	assert_int_equal(count_basic(DEID_BASIC_XD), 22);
	assert_int_equal(count_basic(DEID_BASIC_XZ), 11);
	assert_int_equal(count_basic(DEID_BASIC_XZD), 8);
	assert_int_equal(count_basic(DEID_BASIC_ZD), 6);
	assert_int_equal(count_basic(DEID_BASIC_XZU), 2);
}

static void
assert_option(enum deid_option option, size_t keep, size_t clean)
{
	size_t kept = 0, cleaned = 0;

	for (size_t i = 0; i < deid_rows_count; i++) {
		kept += (deid_rows[i].keep & option) != 0;
		cleaned += (deid_rows[i].clean & option) != 0;
	}
	assert_int_equal(kept, keep);
	assert_int_equal(cleaned, clean);
}

static void
options_have_the_standards_counts(void **state)
{
	size_t standard = 0;

	(void)state;
	assert_option(DEID_SAFE_PRIVATE, 0, 1);
	assert_option(DEID_UIDS, 59, 0);
	assert_option(DEID_DEVICE_IDENTITY, 46, 11);
	assert_option(DEID_INSTITUTION_IDENTITY, 10, 0);
	assert_option(DEID_PATIENT_CHARACTERISTICS, 9, 4);
	assert_option(DEID_FULL_DATES, 165, 0);
	assert_option(DEID_MODIFIED_DATES, 0, 165);
	assert_option(DEID_CLEAN_DESCRIPTORS, 0, 125);
	assert_option(DEID_CLEAN_STRUCTURED, 0, 3);
	assert_option(DEID_CLEAN_GRAPHICS, 0, 4);
	for (size_t i = 0; i < deid_rows_count; i++)
		standard += deid_rows[i].standard;
	assert_int_equal(standard, 438);
}

static void
every_row_is_found_by_its_tag(void **state)
{
	(void)state;
	for (size_t i = 0; i < deid_rows_count; i++)
		assert_ptr_equal(deid_row_find(deid_rows[i].tag), &deid_rows[i]);
	for (size_t i = 0; i < deid_extra_count; i++)
		assert_ptr_equal(deid_row_find(deid_extra[i].tag), &deid_extra[i]);
}

static void
patterns_cover_their_groups(void **state)
{
	(void)state;
	assert_non_null(deid_row_find(0x50040030));
	assert_non_null(deid_row_find(0x601e3000));
	assert_non_null(deid_row_find(0x60024000));
	assert_non_null(deid_row_find(0x00090010));
	assert_null(deid_row_find(0x60023001));
	assert_null(deid_row_find(0x00280010));
}

/* What the table names, the dictionary must know, or its VR could not be looked up. */
static void
every_row_is_in_the_dictionary(void **state)
{
	(void)state;
	for (size_t i = 0; i < deid_rows_count; i++)
		if (deid_rows[i].mask == 0xffffffffu && dcm_dict_find(deid_rows[i].tag) == NULL)
			fail_msg("%08x is not in the dictionary", deid_rows[i].tag);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(basic_profile_has_the_standards_counts),
	    cmocka_unit_test(options_have_the_standards_counts),
	    cmocka_unit_test(every_row_is_found_by_its_tag),
	    cmocka_unit_test(patterns_cover_their_groups),
	    cmocka_unit_test(every_row_is_in_the_dictionary),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
