/* SPDX-License-Identifier: Apache-2.0 */
/* File meta information, deflate, single values and what the writer does with odd ones. */
#include "base/test.h"
#include "dicom/part10.h"
#include "dicom/reader.h"
#include "dicom/writer.h"

#define CT "1.2.840.10008.5.1.4.1.1.2"

/* ---- file meta information ------------------------------------------------------------------ */

static void
meta_is_read_as_it_was_written(void **state)
{
	BUF_AUTO file = {.max = 4096};
	struct dcm_meta meta;
	struct cairn_error err = {0};

	(void)state;
	assert_int_equal(dcm_meta_write(&file, CT, "2.25.1", DCM_EXPLICIT_LE), 0);
	assert_ok(dcm_meta_read(file.data, file.length, true, &meta, &err), &err);
	assert_string_equal(meta.sop_class, CT);
	assert_string_equal(meta.sop_instance, "2.25.1");
	assert_ptr_equal(meta.syntax, dcm_syntax_find(DCM_EXPLICIT_LE));
	assert_int_equal(meta.dataset_offset, file.length);
}

static void
a_cut_meta_asks_for_more(void **state)
{
	BUF_AUTO file = {.max = 4096};
	struct dcm_meta meta;
	size_t whole;

	(void)state;
	assert_int_equal(dcm_meta_write(&file, CT, "2.25.1", DCM_EXPLICIT_LE), 0);
	whole = file.length;
	assert_int_equal(buf_append(&file, "\x08\x00\x60\x00", 4), 0);
	for (size_t cut = 0; cut < file.length; cut++)
		assert_int_equal(dcm_meta_read(file.data, cut, false, &meta, NULL), CAIRN_EAGAIN);
	assert_int_equal(dcm_meta_read(file.data, file.length, false, &meta, NULL), 0);
	assert_int_equal(meta.dataset_offset, whole);
}

static void
meta_without_its_preamble_is_read(void **state)
{
	BUF_AUTO file = {.max = 4096};
	struct dcm_meta meta;

	(void)state;
	assert_int_equal(dcm_meta_write(&file, CT, "2.25.1", DCM_IMPLICIT_LE), 0);
	buf_consume(&file, 132);
	assert_int_equal(dcm_meta_read(file.data, file.length, true, &meta, NULL), 0);
	assert_string_equal(meta.transfer_syntax, DCM_IMPLICIT_LE);
}

static void
a_wrong_group_length_does_not_matter(void **state)
{
	BUF_AUTO file = {.max = 4096};
	struct dcm_meta meta;

	(void)state;
	assert_int_equal(dcm_meta_write(&file, CT, "2.25.1", DCM_EXPLICIT_LE), 0);
	memset(file.data + 140, 0xff, 4);
	assert_int_equal(dcm_meta_read(file.data, file.length, true, &meta, NULL), 0);
	assert_int_equal(meta.dataset_offset, file.length);
}

static void
bare_data_set(const char *uid)
{
	BUF_AUTO file = {.max = 4096};
	struct dcm_meta meta;
	struct dcm_writer w;

	dcm_writer_init(&w, &file, dcm_syntax_find(uid));
	assert_int_equal(
	    dcm_put_text(&w, DCM_TAG(0x0008, 0x0005), DCM_VR('C', 'S'), "ISO_IR 100"), 0);
	assert_int_equal(dcm_meta_read(file.data, file.length, true, &meta, NULL), 0);
	assert_string_equal(meta.transfer_syntax, uid);
	assert_string_equal(meta.sop_class, "");
	assert_int_equal(meta.dataset_offset, 0);
}

static void
a_bare_data_set_tells_its_encoding(void **state)
{
	(void)state;
	bare_data_set(DCM_IMPLICIT_LE);
	bare_data_set(DCM_EXPLICIT_LE);
}

static void
what_is_not_dicom_is_refused(void **state)
{
	static const uint8_t text[200] = "#!/bin/sh\n";
	struct dcm_meta meta;
	struct cairn_error err = {0};

	(void)state;
	assert_int_equal(dcm_meta_read(text, sizeof text, true, &meta, &err), CAIRN_ECORRUPT);
	assert_string_equal(err.text,
	    "not DICOM: expected \"DICM\" at offset 128 or a data element "
	    "at offset 0, found bytes 23 21 2f 62");
	assert_int_equal(dcm_meta_read(text, 0, true, &meta, &err), CAIRN_ECORRUPT);
	assert_int_equal(dcm_meta_read(text, 3, true, &meta, &err), CAIRN_ECORRUPT);
}

static void
a_uid_of_65_characters_is_refused(void **state)
{
	BUF_AUTO file = {.max = 4096};
	struct dcm_meta meta;
	struct cairn_error err = {0};
	char uid[66];

	(void)state;
	memset(uid, '1', 65);
	uid[65] = 0;
	assert_int_equal(dcm_meta_write(&file, CT, uid, DCM_EXPLICIT_LE), 0);
	assert_int_equal(dcm_meta_read(file.data, file.length, true, &meta, &err), CAIRN_ECORRUPT);
	assert_non_null(strstr(err.text, "(0002,0003)"));
}

static void
an_unknown_transfer_syntax_has_no_syntax(void **state)
{
	BUF_AUTO file = {.max = 4096};
	struct dcm_meta meta;

	(void)state;
	assert_int_equal(dcm_meta_write(&file, CT, "2.25.1", "1.2.3.4"), 0);
	assert_int_equal(dcm_meta_read(file.data, file.length, true, &meta, NULL), 0);
	assert_null(meta.syntax);
	assert_string_equal(meta.transfer_syntax, "1.2.3.4");
}

/* ---- deflate --------------------------------------------------------------------------------- */

static void
deflated_bytes_come_back(void **state)
{
	BUF_AUTO plain = {.max = 1 << 20}, packed = {.max = 1 << 20}, again = {.max = 1 << 20};
	struct cairn_error err = {0};

	(void)state;
	for (unsigned i = 0; i < 50000; i++)
		assert_int_equal(buf_append_format(&plain, "%u", i * i % 977), 0);
	assert_ok(dcm_deflate(plain.data, plain.length, &packed, &err), &err);
	assert_true(packed.length < plain.length);
	assert_int_equal(packed.length % 2, 0);
	assert_ok(dcm_inflate(packed.data, packed.length, &again, &err), &err);
	assert_int_equal(again.length, plain.length);
	assert_memory_equal(again.data, plain.data, plain.length);
}

static void
a_small_stream_cannot_inflate_beyond_the_maximum(void **state)
{
	BUF_AUTO plain = {.max = 8 << 20}, packed = {.max = 1 << 20}, again = {.max = 1 << 20};
	struct cairn_error err = {0};

	(void)state;
	assert_int_equal(buf_append_zero(&plain, 8 << 20), 0);
	assert_ok(dcm_deflate(plain.data, plain.length, &packed, &err), &err);
	assert_int_equal(dcm_inflate(packed.data, packed.length, &again, &err), CAIRN_ELIMIT);
	assert_int_equal(again.length, 0);
}

static void
a_cut_or_damaged_stream_is_refused(void **state)
{
	BUF_AUTO packed = {.max = 1 << 20}, again = {.max = 1 << 20};

	(void)state;
	assert_int_equal(
	    dcm_deflate((const uint8_t *)"some bytes, some bytes", 22, &packed, NULL), 0);
	for (size_t cut = 0; cut + 2 < packed.length; cut++)
		assert_int_equal(dcm_inflate(packed.data, cut, &again, NULL), CAIRN_ECORRUPT);
	assert_int_equal(buf_append(&packed, "abc", 3), 0);
	assert_int_equal(dcm_inflate(packed.data, packed.length, &again, NULL), CAIRN_ECORRUPT);
	packed.data[0] = 0xff;
	assert_int_equal(dcm_inflate(packed.data, packed.length, &again, NULL), CAIRN_ECORRUPT);
}

static void
the_checksum_that_gzip_leaves_behind_is_checked(void **state)
{
	static const uint8_t trailer[8] = {0x26, 0x39, 0xf4, 0xcb, 9, 0, 0, 0}; /* of "123456789" */
	BUF_AUTO packed = {.max = 1 << 20}, again = {.max = 1 << 20};

	(void)state;
	assert_int_equal(buf_append(&packed,
			     "\1\x09\0\xf6\xff"
			     "123456789",
			     14),
	    0);
	assert_int_equal(buf_append(&packed, trailer, sizeof trailer), 0);
	assert_int_equal(dcm_inflate(packed.data, packed.length, &again, NULL), 0);
	assert_memory_equal(again.data, "123456789", 9);
	packed.data[14]++;
	assert_int_equal(dcm_inflate(packed.data, packed.length, &again, NULL), CAIRN_ECORRUPT);
}

/* ---- values -----------------------------------------------------------------------------------
 */

static const char *
text_of(const char *bytes, size_t length, char *ret, size_t size)
{
	struct dcm_token token = {.length = (uint32_t)length};

	return dcm_value_text((const uint8_t *)bytes, &token, ret, size) ? ret : "(does not fit)";
}

static void
text_loses_its_padding_only(void **state)
{
	char text[8];

	(void)state;
	assert_string_equal(text_of("  a b \0", 7, text, sizeof text), "a b");
	assert_string_equal(text_of("1.2.3\0", 6, text, sizeof text), "1.2.3");
	assert_string_equal(text_of("ab\0cd", 5, text, sizeof text), "ab");
	assert_string_equal(text_of("   ", 3, text, sizeof text), "");
	assert_string_equal(text_of("", 0, text, sizeof text), "");
	assert_string_equal(text_of("1234567", 7, text, sizeof text), "1234567");
	assert_string_equal(text_of("12345678", 8, text, sizeof text), "(does not fit)");
}

static void
dates_are_read_in_both_spellings(void **state)
{
	static const char *const wrong[] = {"", "2024", "202402", "20230229", "2024.0229",
	    "2024022x", "20240229 ", "2024-02-29", "20240229-20240301", "20241301"};
	int32_t days = 0;

	(void)state;
	assert_int_equal(dcm_text_date("19700102", &days), 0);
	assert_int_equal(days, 1);
	assert_int_equal(dcm_text_date("2024.02.29", &days), 0);
	assert_int_equal(days, 19782);
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		assert_int_equal(dcm_text_date(wrong[i], &days), CAIRN_EINVAL);
	assert_int_equal(days, 19782);
}

static void
ages_are_read_in_days(void **state)
{
	static const char *const wrong[] = {"", "42", "Y", "042", "0042Y", "042y", "042YY", "-42Y"};
	double days = 0;

	(void)state;
	assert_int_equal(dcm_text_age("042Y", &days), 0);
	assert_true(days == 42 * 365.25);
	assert_int_equal(dcm_text_age("011M", &days), 0);
	assert_true(days == 11 * 30.4375);
	assert_int_equal(dcm_text_age("003W", &days), 0);
	assert_true(days == 21);
	assert_int_equal(dcm_text_age("012D", &days), 0);
	assert_true(days == 12);
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		assert_int_equal(dcm_text_age(wrong[i], &days), CAIRN_EINVAL);
}

static void
the_first_number_of_several_is_read(void **state)
{
	static const char *const wrong[] = {"", " ", "\\1", "1,5", "abc", "1e999", "0x10", "nan"};
	double value = 0;

	(void)state;
	assert_int_equal(dcm_text_number(" -1.25 \\2.5", &value), 0);
	assert_true(value == -1.25);
	assert_int_equal(dcm_text_number("1e3", &value), 0);
	assert_true(value == 1000);
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		assert_int_equal(dcm_text_number(wrong[i], &value), CAIRN_EINVAL);
}

/* ---- the writer --------------------------------------------------------------------------------
 */

static void
values_are_padded_by_vr(void **state)
{
	BUF_AUTO out = {.max = 4096};
	struct dcm_writer w;

	(void)state;
	dcm_writer_init(&w, &out, dcm_syntax_find(DCM_EXPLICIT_LE));
	assert_int_equal(dcm_put_text(&w, DCM_TAG(8, 0x60), DCM_VR('C', 'S'), "A"), 0);
	assert_int_equal(dcm_put_text(&w, DCM_TAG(8, 0x18), DCM_VR('U', 'I'), "1"), 0);
	assert_int_equal(dcm_put_bytes(&w, DCM_TAG(0x42, 0x11), DCM_VR('O', 'B'), "x", 1), 0);
	assert_int_equal(out.length, 34);
	assert_memory_equal(out.data,
	    "\x08\0\x60\0CS\2\0A \x08\0\x18\0UI\2\0"
	    "1\0"
	    "\x42\0\x11\0OB\0\0\2\0\0\0x\0",
	    34);
}

static void
a_value_too_long_for_16_bits_is_written_as_unknown(void **state)
{
	BUF_AUTO out = {.max = 1 << 20}, value = {.max = 1 << 20};
	struct dcm_writer w;

	(void)state;
	assert_int_equal(buf_append_zero(&value, 0x10000), 0);
	dcm_writer_init(&w, &out, dcm_syntax_find(DCM_EXPLICIT_LE));
	assert_int_equal(
	    dcm_put_bytes(&w, DCM_TAG(0x28, 0x3006), DCM_VR('U', 'S'), value.data, 0xfffe), 0);
	assert_memory_equal(out.data, "\x28\0\x06\x30US\xfe\xff", 8);
	buf_clear(&out);
	assert_int_equal(
	    dcm_put_bytes(&w, DCM_TAG(0x28, 0x3006), DCM_VR('U', 'S'), value.data, 0xffff), 0);
	assert_memory_equal(out.data, "\x28\0\x06\x30UN\0\0\0\0\1\0", 12);
	assert_int_equal(out.length, 12 + 0x10000);
}

static void
a_tag_value_has_its_group_first_in_either_order(void **state)
{
	BUF_AUTO out = {.max = 4096};
	struct dcm_writer w;

	(void)state;
	dcm_writer_init(&w, &out, dcm_syntax_find(DCM_EXPLICIT_BE));
	assert_int_equal(
	    dcm_put_u32(&w, DCM_TAG(0x28, 9), DCM_VR('A', 'T'), DCM_TAG(0x18, 0x1063)), 0);
	assert_memory_equal(out.data,
	    "\0\x28\0\x09"
	    "AT\0\4\0\x18\x10\x63",
	    12);
	buf_clear(&out);
	dcm_writer_init(&w, &out, dcm_syntax_find(DCM_IMPLICIT_LE));
	assert_int_equal(
	    dcm_put_u32(&w, DCM_TAG(0x28, 9), DCM_VR('A', 'T'), DCM_TAG(0x18, 0x1063)), 0);
	assert_memory_equal(out.data, "\x28\0\x09\0\4\0\0\0\x18\0\x63\x10", 12);
}

static void
a_value_that_does_not_fit_leaves_nothing_behind(void **state)
{
	BUF_AUTO out = {.max = 15};
	struct dcm_writer w;

	(void)state;
	dcm_writer_init(&w, &out, dcm_syntax_find(DCM_EXPLICIT_LE));
	assert_int_equal(
	    dcm_put_text(&w, DCM_TAG(8, 0x60), DCM_VR('C', 'S'), "ABCDEFGH"), CAIRN_ELIMIT);
	assert_int_equal(out.length, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(meta_is_read_as_it_was_written),
	    cmocka_unit_test(a_cut_meta_asks_for_more),
	    cmocka_unit_test(meta_without_its_preamble_is_read),
	    cmocka_unit_test(a_wrong_group_length_does_not_matter),
	    cmocka_unit_test(a_bare_data_set_tells_its_encoding),
	    cmocka_unit_test(what_is_not_dicom_is_refused),
	    cmocka_unit_test(a_uid_of_65_characters_is_refused),
	    cmocka_unit_test(an_unknown_transfer_syntax_has_no_syntax),
	    cmocka_unit_test(deflated_bytes_come_back),
	    cmocka_unit_test(a_small_stream_cannot_inflate_beyond_the_maximum),
	    cmocka_unit_test(a_cut_or_damaged_stream_is_refused),
	    cmocka_unit_test(the_checksum_that_gzip_leaves_behind_is_checked),
	    cmocka_unit_test(text_loses_its_padding_only),
	    cmocka_unit_test(dates_are_read_in_both_spellings),
	    cmocka_unit_test(ages_are_read_in_days),
	    cmocka_unit_test(the_first_number_of_several_is_read),
	    cmocka_unit_test(values_are_padded_by_vr),
	    cmocka_unit_test(a_value_too_long_for_16_bits_is_written_as_unknown),
	    cmocka_unit_test(a_tag_value_has_its_group_first_in_either_order),
	    cmocka_unit_test(a_value_that_does_not_fit_leaves_nothing_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
