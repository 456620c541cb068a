/* SPDX-License-Identifier: Apache-2.0 */
/* What the reader accepts, what it refuses, and where it stops. */
#include "base/test.h"
#include "dicom/reader.h"
#include "dicom/writer.h"

struct fixture {
	struct buf bytes;
	struct dcm_writer w;
	struct dcm_reader reader;
	struct dcm_token token;
	struct cairn_error err;
};

static void
start(struct fixture *f, const char *uid)
{
	memset(f, 0, sizeof *f);
	f->bytes.max = 64u << 20;
	dcm_writer_init(&f->w, &f->bytes, dcm_syntax_find(uid));
	dcm_reader_init(&f->reader, dcm_syntax_find(uid), 0);
}

static void
fixture_fini(struct fixture *f)
{
	buf_fini(&f->bytes);
}

#define FIXTURE_AUTO __attribute__((cleanup(fixture_fini))) struct fixture

static void
raw(struct fixture *f, const char *bytes, size_t length)
{
	assert_int_equal(buf_append(&f->bytes, bytes, length), 0);
}

#define RAW(f, text) raw(f, text, sizeof text - 1)

static int
next(struct fixture *f, bool eof)
{
	return dcm_reader_next(&f->reader, f->bytes.data, f->bytes.length, eof, &f->token, &f->err);
}

static void
expect(struct fixture *f, enum dcm_token_kind kind, uint32_t tag)
{
	assert_ok(next(f, true), &f->err);
	assert_int_equal(f->token.kind, kind);
	if (kind != DCM_END)
		assert_int_equal(f->token.tag, tag);
}

static void
expect_refused(struct fixture *f, int code, const char *words)
{
	struct dcm_token before = f->token;

	assert_int_equal(next(f, true), code);
	assert_non_null(strstr(f->err.text, words));
	assert_memory_equal(&f->token, &before, sizeof before);
	assert_int_equal(next(f, true), code); /* and it stays there */
}

#define NAME DCM_TAG(0x0010, 0x0010)
#define REFERENCED DCM_TAG(0x0008, 0x1140)
#define CLASS DCM_TAG(0x0008, 0x1150)
#define PIXELS DCM_TAG(0x7fe0, 0x0010)

/* ---- limits ------------------------------------------------------------------------------- */

static void
nest(struct fixture *f, unsigned levels)
{
	for (unsigned i = 0; i < levels; i++) {
		assert_int_equal(dcm_put_sequence_begin(&f->w, REFERENCED), 0);
		assert_int_equal(dcm_put_item_begin(&f->w), 0);
	}
}

static void
sequences_nested_100000_deep_are_a_limit_error(void **state)
{
	FIXTURE_AUTO f;
	int code;

	(void)state;
	start(&f, DCM_EXPLICIT_LE);
	nest(&f, 100000);
	while ((code = next(&f, false)) == 0)
		assert_int_not_equal(f.token.kind, DCM_MORE);
	assert_int_equal(code, CAIRN_ELIMIT);
	assert_non_null(strstr(f.err.text, "nested deeper than 64"));
}

static void
sequences_nested_to_the_limit_are_read(void **state)
{
	FIXTURE_AUTO f;

	(void)state;
	start(&f, DCM_IMPLICIT_LE);
	nest(&f, DCM_DEPTH_MAX);
	for (unsigned i = 0; i < DCM_DEPTH_MAX; i++) {
		assert_int_equal(dcm_put_item_end(&f.w), 0);
		assert_int_equal(dcm_put_sequence_end(&f.w), 0);
	}
	for (unsigned i = 0; i < DCM_DEPTH_MAX; i++) {
		expect(&f, DCM_SEQUENCE_BEGIN, REFERENCED);
		assert_int_equal(f.token.depth, i);
		expect(&f, DCM_ITEM_BEGIN, REFERENCED);
		assert_int_equal(f.token.depth, i + 1);
	}
	for (unsigned i = DCM_DEPTH_MAX; i > 0; i--) {
		expect(&f, DCM_ITEM_END, REFERENCED);
		assert_int_equal(f.token.depth, i);
		expect(&f, DCM_SEQUENCE_END, REFERENCED);
		assert_int_equal(f.token.depth, i - 1);
	}
	expect(&f, DCM_END, 0);
}

static void
more_than_four_million_elements_are_a_limit_error(void **state)
{
	FIXTURE_AUTO f;
	uint64_t count = 0;
	int code;

	(void)state;
	start(&f, DCM_EXPLICIT_LE);
	for (uint32_t i = 0; i <= DCM_ELEMENTS_MAX; i++)
		assert_int_equal(dcm_put_bytes(&f.w, NAME + (i & 1), DCM_VR('L', 'O'), "", 0), 0);
	while ((code = next(&f, true)) == 0)
		count++;
	assert_int_equal(code, CAIRN_ELIMIT);
	assert_int_equal(count, DCM_ELEMENTS_MAX);
}

static void
a_giant_declared_length_asks_for_more_until_the_end(void **state)
{
	FIXTURE_AUTO f;

	(void)state;
	start(&f, DCM_EXPLICIT_LE);
	assert_int_equal(
	    dcm_put_header(&f.w, DCM_TAG(0x0042, 0x0011), DCM_VR('O', 'B'), 0xfffffffe), 0);
	RAW(&f, "1234");
	assert_int_equal(next(&f, false), 0);
	assert_int_equal(f.token.kind, DCM_MORE);
	expect_refused(&f, CAIRN_ECORRUPT,
	    "element (0042,0011) at offset 0: expected 4294967306 "
	    "bytes, but the data ends after 16");
}

static void
a_length_beyond_its_item_is_refused_before_its_bytes_come(void **state)
{
	FIXTURE_AUTO f;

	(void)state;
	start(&f, DCM_EXPLICIT_LE);
	assert_int_equal(dcm_put_sequence_begin(&f.w, REFERENCED), 0);
	RAW(&f, "\xfe\xff\x00\xe0\x0c\x00\x00\x00");
	RAW(&f, "\x08\x00\x50\x11UI\x06\x00");
	expect(&f, DCM_SEQUENCE_BEGIN, REFERENCED);
	expect(&f, DCM_ITEM_BEGIN, REFERENCED);
	assert_int_equal(next(&f, false), CAIRN_ECORRUPT);
	assert_non_null(strstr(f.err.text, "(0008,1150)"));
	assert_non_null(strstr(f.err.text, "(0008,1140), ends after 12"));
}

static void
an_item_beyond_its_sequence_is_refused(void **state)
{
	FIXTURE_AUTO f;

	(void)state;
	start(&f, DCM_IMPLICIT_LE);
	assert_int_equal(dcm_put_header(&f.w, REFERENCED, 0, 8), 0);
	RAW(&f, "\xfe\xff\x00\xe0\x01\x00\x00\x00");
	expect(&f, DCM_SEQUENCE_BEGIN, REFERENCED);
	assert_int_equal(next(&f, false), CAIRN_ECORRUPT);
}

static void
an_open_item_cannot_outlive_a_sequence_of_defined_length(void **state)
{
	FIXTURE_AUTO f;

	(void)state;
	start(&f, DCM_IMPLICIT_LE);
	assert_int_equal(dcm_put_header(&f.w, REFERENCED, 0, 12), 0);
	assert_int_equal(dcm_put_item_begin(&f.w), 0);
	assert_int_equal(dcm_put_text(&f.w, CLASS, DCM_VR('U', 'I'), "1.2.3.45"), 0);
	expect(&f, DCM_SEQUENCE_BEGIN, REFERENCED);
	expect(&f, DCM_ITEM_BEGIN, REFERENCED);
	expect_refused(&f, CAIRN_ECORRUPT, "ends after 4");
}

/* ---- sequences --------------------------------------------------------------------------- */

static void
defined_lengths_end_items_and_sequences(void **state)
{
	FIXTURE_AUTO f;

	(void)state;
	start(&f, DCM_EXPLICIT_LE);
	assert_int_equal(dcm_put_header(&f.w, REFERENCED, DCM_VR('S', 'Q'), 28), 0);
	RAW(&f,
	    "\xfe\xff\x00\xe0\x0c\x00\x00\x00\x08\x00\x50\x11UI\x04\x00"
	    "1.2\0");
	RAW(&f, "\xfe\xff\x00\xe0\x00\x00\x00\x00");
	assert_int_equal(dcm_put_text(&f.w, NAME, DCM_VR('P', 'N'), "A"), 0);
	expect(&f, DCM_SEQUENCE_BEGIN, REFERENCED);
	assert_int_equal(f.token.length, 28);
	expect(&f, DCM_ITEM_BEGIN, REFERENCED);
	expect(&f, DCM_ELEMENT, CLASS);
	expect(&f, DCM_ITEM_END, REFERENCED);
	expect(&f, DCM_ITEM_BEGIN, REFERENCED);
	expect(&f, DCM_ITEM_END, REFERENCED);
	expect(&f, DCM_SEQUENCE_END, REFERENCED);
	expect(&f, DCM_ELEMENT, NAME);
	expect(&f, DCM_END, 0);
}

/* UN of undefined length: implicit VR little endian inside, even in a big endian data set. */
static void
unknown_of_undefined_length(const char *uid)
{
	FIXTURE_AUTO f;

	start(&f, uid);
	assert_int_equal(
	    dcm_put_header(&f.w, DCM_TAG(0x0011, 0x1001), DCM_VR('U', 'N'), DCM_UNDEFINED), 0);
	RAW(&f, "\xfe\xff\x00\xe0\xff\xff\xff\xff");
	RAW(&f,
	    "\x08\x00\x50\x11\x04\x00\x00\x00"
	    "1.2\0");
	RAW(&f, "\xfe\xff\x0d\xe0\x00\x00\x00\x00\xfe\xff\xdd\xe0\x00\x00\x00\x00");
	assert_int_equal(dcm_put_u16(&f.w, DCM_TAG(0x0028, 0x0010), DCM_VR('U', 'S'), 512), 0);
	expect(&f, DCM_SEQUENCE_BEGIN, DCM_TAG(0x0011, 0x1001));
	assert_int_equal(f.token.vr, DCM_VR('S', 'Q'));
	expect(&f, DCM_ITEM_BEGIN, DCM_TAG(0x0011, 0x1001));
	expect(&f, DCM_ELEMENT, CLASS);
	assert_int_equal(f.token.vr, DCM_VR('U', 'I'));
	assert_false(f.token.big_endian);
	expect(&f, DCM_ITEM_END, DCM_TAG(0x0011, 0x1001));
	expect(&f, DCM_SEQUENCE_END, DCM_TAG(0x0011, 0x1001));
	expect(&f, DCM_ELEMENT, DCM_TAG(0x0028, 0x0010));
	assert_int_equal(
	    dcm_read_u16(f.bytes.data + f.token.value_offset, f.token.big_endian), 512);
}

static void
unknown_vr_of_undefined_length_is_an_implicit_sequence(void **state)
{
	(void)state;
	unknown_of_undefined_length(DCM_EXPLICIT_LE);
	unknown_of_undefined_length(DCM_EXPLICIT_BE);
}

static void
a_known_sequence_hidden_in_unknown_vr_is_opened(void **state)
{
	FIXTURE_AUTO f;

	(void)state;
	start(&f, DCM_EXPLICIT_LE);
	assert_int_equal(dcm_put_header(&f.w, REFERENCED, DCM_VR('U', 'N'), 20), 0);
	RAW(&f,
	    "\xfe\xff\x00\xe0\x0c\x00\x00\x00\x08\x00\x50\x11\x04\x00\x00\x00"
	    "1.2\0");
	expect(&f, DCM_SEQUENCE_BEGIN, REFERENCED);
	expect(&f, DCM_ITEM_BEGIN, REFERENCED);
	expect(&f, DCM_ELEMENT, CLASS);
	expect(&f, DCM_ITEM_END, REFERENCED);
	expect(&f, DCM_SEQUENCE_END, REFERENCED);
}

static void
unknown_vr_that_is_no_sequence_stays_bytes(void **state)
{
	FIXTURE_AUTO f;

	(void)state;
	start(&f, DCM_EXPLICIT_LE);
	assert_int_equal(dcm_put_bytes(&f.w, REFERENCED, DCM_VR('U', 'N'), "no item here", 12), 0);
	assert_int_equal(dcm_put_bytes(&f.w, DCM_TAG(0x0009, 0x1001), DCM_VR('U', 'N'),
			     "\xfe\xff\x00\xe0\0\0\0\0", 8),
	    0);
	expect(&f, DCM_ELEMENT, REFERENCED);
	expect(&f, DCM_ELEMENT, DCM_TAG(0x0009, 0x1001));
	assert_int_equal(f.token.vr, DCM_VR('U', 'N'));
}

static void
undefined_length_of_a_text_is_refused(void **state)
{
	FIXTURE_AUTO f;

	(void)state;
	start(&f, DCM_EXPLICIT_LE);
	assert_int_equal(
	    dcm_put_header(&f.w, DCM_TAG(0x0040, 0xa160), DCM_VR('U', 'T'), DCM_UNDEFINED), 0);
	expect_refused(&f, CAIRN_ECORRUPT, "undefined length, which VR UT cannot have");
}

static void
a_sequence_must_begin_with_an_item(void **state)
{
	FIXTURE_AUTO f;

	(void)state;
	start(&f, DCM_EXPLICIT_LE);
	assert_int_equal(dcm_put_sequence_begin(&f.w, REFERENCED), 0);
	assert_int_equal(dcm_put_text(&f.w, NAME, DCM_VR('P', 'N'), "A"), 0);
	expect(&f, DCM_SEQUENCE_BEGIN, REFERENCED);
	expect_refused(&f, CAIRN_ECORRUPT, "expected an item or the end of sequence (0008,1140)");
}

static void
missing_delimiters_at_the_end_are_refused(void **state)
{
	FIXTURE_AUTO f;

	(void)state;
	start(&f, DCM_EXPLICIT_LE);
	nest(&f, 1);
	expect(&f, DCM_SEQUENCE_BEGIN, REFERENCED);
	expect(&f, DCM_ITEM_BEGIN, REFERENCED);
	expect_refused(&f, CAIRN_ECORRUPT, "the data ends after 0");
}

static void
a_delimiter_that_closes_nothing_is_refused(void **state)
{
	FIXTURE_AUTO f;

	(void)state;
	start(&f, DCM_EXPLICIT_LE);
	assert_int_equal(dcm_put_sequence_end(&f.w), 0);
	expect_refused(&f, CAIRN_ECORRUPT, "closes nothing open here");
}

static void
a_needless_delimiter_at_the_end_of_a_defined_length_is_skipped(void **state)
{
	FIXTURE_AUTO f;

	(void)state;
	start(&f, DCM_EXPLICIT_LE);
	assert_int_equal(dcm_put_header(&f.w, REFERENCED, DCM_VR('S', 'Q'), 36), 0);
	RAW(&f,
	    "\xfe\xff\x00\xe0\x14\x00\x00\x00\x08\x00\x50\x11UI\x04\x00"
	    "1.2\0");
	assert_int_equal(dcm_put_item_end(&f.w), 0);
	assert_int_equal(dcm_put_sequence_end(&f.w), 0);
	assert_int_equal(dcm_put_text(&f.w, NAME, DCM_VR('P', 'N'), "A"), 0);
	expect(&f, DCM_SEQUENCE_BEGIN, REFERENCED);
	expect(&f, DCM_ITEM_BEGIN, REFERENCED);
	expect(&f, DCM_ELEMENT, CLASS);
	expect(&f, DCM_ITEM_END, REFERENCED);
	expect(&f, DCM_SEQUENCE_END, REFERENCED);
	expect(&f, DCM_ELEMENT, NAME);
	expect(&f, DCM_END, 0);
}

static void
a_delimiter_length_that_is_not_zero_is_ignored(void **state)
{
	FIXTURE_AUTO f;

	(void)state;
	start(&f, DCM_EXPLICIT_LE);
	nest(&f, 1);
	RAW(&f, "\xfe\xff\x0d\xe0\x01\x02\x03\x04\xfe\xff\xdd\xe0\x01\x02\x03\x04");
	expect(&f, DCM_SEQUENCE_BEGIN, REFERENCED);
	expect(&f, DCM_ITEM_BEGIN, REFERENCED);
	expect(&f, DCM_ITEM_END, REFERENCED);
	expect(&f, DCM_SEQUENCE_END, REFERENCED);
	expect(&f, DCM_END, 0);
}

/* ---- pixel data --------------------------------------------------------------------------- */

static void
the_reader_stays_before_pixel_data(void **state)
{
	FIXTURE_AUTO f;

	(void)state;
	start(&f, DCM_EXPLICIT_LE);
	assert_int_equal(dcm_put_header(&f.w, PIXELS, DCM_VR('O', 'W'), 1000), 0);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(next(&f, false), 0);
		assert_int_equal(f.token.kind, DCM_PIXELS);
		assert_int_equal(f.token.length, 1000);
		assert_int_equal(f.token.value_offset, 12);
	}
	assert_int_equal(buf_append_zero(&f.bytes, 1000), 0);
	assert_int_equal(
	    dcm_put_bytes(&f.w, DCM_TAG(0xfffc, 0xfffc), DCM_VR('O', 'B'), "ab", 2), 0);
	f.reader.position = f.token.value_offset + f.token.length;
	expect(&f, DCM_ELEMENT, DCM_TAG(0xfffc, 0xfffc));
	expect(&f, DCM_END, 0);
}

static void
pixel_data_in_an_item_is_an_element(void **state)
{
	FIXTURE_AUTO f;

	(void)state;
	start(&f, DCM_IMPLICIT_LE);
	nest(&f, 1);
	assert_int_equal(dcm_put_bytes(&f.w, PIXELS, DCM_VR('O', 'W'), "1234", 4), 0);
	expect(&f, DCM_SEQUENCE_BEGIN, REFERENCED);
	expect(&f, DCM_ITEM_BEGIN, REFERENCED);
	expect(&f, DCM_ELEMENT, PIXELS);
	assert_int_equal(f.token.vr, DCM_VR('O', 'W'));
}

static void
fragments_come_whole_as_items(void **state)
{
	FIXTURE_AUTO f;

	(void)state;
	start(&f, "1.2.840.10008.1.2.4.50");
	assert_int_equal(dcm_put_header(&f.w, PIXELS, DCM_VR('O', 'B'), DCM_UNDEFINED), 0);
	assert_int_equal(dcm_put_fragment(&f.w, "", 0), 0);
	RAW(&f,
	    "\xfe\xff\x00\xe0\x04\x00\x00\x00"
	    "12");
	f.reader.pixels_as_elements = true;
	expect(&f, DCM_SEQUENCE_BEGIN, PIXELS);
	assert_int_equal(f.token.vr, DCM_VR('O', 'B'));
	expect(&f, DCM_ITEM_BEGIN, PIXELS);
	assert_int_equal(f.token.length, 0);
	expect(&f, DCM_ITEM_END, PIXELS);
	assert_int_equal(next(&f, false), 0);
	assert_int_equal(f.token.kind, DCM_MORE);
	RAW(&f, "34");
	assert_int_equal(dcm_put_sequence_end(&f.w), 0);
	expect(&f, DCM_ITEM_BEGIN, PIXELS);
	assert_memory_equal(f.bytes.data + f.token.value_offset, "1234", 4);
	expect(&f, DCM_ITEM_END, PIXELS);
	expect(&f, DCM_SEQUENCE_END, PIXELS);
	expect(&f, DCM_END, 0);
}

static void
a_fragment_of_undefined_length_is_refused(void **state)
{
	FIXTURE_AUTO f;

	(void)state;
	start(&f, "1.2.840.10008.1.2.4.50");
	f.reader.pixels_as_elements = true;
	assert_int_equal(dcm_put_header(&f.w, PIXELS, DCM_VR('O', 'B'), DCM_UNDEFINED), 0);
	assert_int_equal(dcm_put_item_begin(&f.w), 0);
	expect(&f, DCM_SEQUENCE_BEGIN, PIXELS);
	expect_refused(&f, CAIRN_ECORRUPT, "fragment");
}

/* ---- deviations ---------------------------------------------------------------------------- */

static void
implicit_vr_in_an_explicit_item_is_understood(void **state)
{
	FIXTURE_AUTO f;

	(void)state;
	start(&f, DCM_EXPLICIT_LE);
	nest(&f, 1);
	RAW(&f,
	    "\x08\x00\x50\x11\x04\x00\x00\x00"
	    "1.2\0\x08\x00\x55\x11\x02\x00\x00\x00"
	    "1\0");
	assert_int_equal(dcm_put_item_end(&f.w), 0);
	assert_int_equal(dcm_put_item_begin(&f.w), 0);
	assert_int_equal(dcm_put_text(&f.w, CLASS, DCM_VR('U', 'I'), "1.2.3"), 0);
	expect(&f, DCM_SEQUENCE_BEGIN, REFERENCED);
	expect(&f, DCM_ITEM_BEGIN, REFERENCED);
	expect(&f, DCM_ELEMENT, CLASS);
	assert_int_equal(f.token.vr, DCM_VR('U', 'I'));
	expect(&f, DCM_ELEMENT, DCM_TAG(0x0008, 0x1155));
	expect(&f, DCM_ITEM_END, REFERENCED);
	expect(&f, DCM_ITEM_BEGIN, REFERENCED);
	expect(&f, DCM_ELEMENT, CLASS);
	assert_int_equal(f.token.length, 6);
}

static void
a_data_set_in_the_other_encoding_is_understood(const char *announced, const char *real)
{
	FIXTURE_AUTO f;

	start(&f, real);
	assert_int_equal(dcm_put_text(&f.w, DCM_TAG(0x0008, 0x0060), DCM_VR('C', 'S'), "CT"), 0);
	assert_int_equal(dcm_put_text(&f.w, NAME, DCM_VR('P', 'N'), "A^B"), 0);
	dcm_reader_init(&f.reader, dcm_syntax_find(announced), 0);
	expect(&f, DCM_ELEMENT, DCM_TAG(0x0008, 0x0060));
	expect(&f, DCM_ELEMENT, NAME);
	assert_int_equal(f.token.vr, DCM_VR('P', 'N'));
	assert_int_equal(f.token.length, 4);
	expect(&f, DCM_END, 0);
}

static void
a_wrongly_announced_encoding_is_understood(void **state)
{
	(void)state;
	a_data_set_in_the_other_encoding_is_understood(DCM_EXPLICIT_LE, DCM_IMPLICIT_LE);
	a_data_set_in_the_other_encoding_is_understood(DCM_IMPLICIT_LE, DCM_EXPLICIT_LE);
}

static void
question_marks_for_a_vr_have_a_short_length(void **state)
{
	FIXTURE_AUTO f;

	(void)state;
	start(&f, DCM_EXPLICIT_LE);
	RAW(&f,
	    "\x09\x00\x01\x10??\x02\x00"
	    "ab");
	expect(&f, DCM_ELEMENT, DCM_TAG(0x0009, 0x1001));
	assert_int_equal(f.token.vr, DCM_VR('U', 'N'));
	assert_int_equal(f.token.length, 2);
	expect(&f, DCM_END, 0);
}

static void
a_vr_from_the_future_has_a_long_length(void **state)
{
	FIXTURE_AUTO f;

	(void)state;
	start(&f, DCM_EXPLICIT_LE);
	RAW(&f,
	    "\x09\x00\x01\x10ZZ\x00\x00\x02\x00\x00\x00"
	    "ab");
	RAW(&f,
	    "\x09\x00\x02\x10ZZ\x02\x00"
	    "ab\x00\x00");
	expect(&f, DCM_ELEMENT, DCM_TAG(0x0009, 0x1001));
	assert_int_equal(f.token.vr, DCM_VR('Z', 'Z'));
	expect_refused(&f, CAIRN_ECORRUPT, "VR ZZ is unknown");
}

static void
bytes_that_are_no_vr_are_refused(void **state)
{
	FIXTURE_AUTO f;

	(void)state;
	start(&f, DCM_EXPLICIT_LE);
	assert_int_equal(dcm_put_text(&f.w, NAME, DCM_VR('P', 'N'), "A"), 0);
	RAW(&f,
	    "\x10\x00\x20\x00\x02\x00\x00\x00"
	    "ab");
	expect(&f, DCM_ELEMENT, NAME);
	expect_refused(&f, CAIRN_ECORRUPT,
	    "element (0010,0020) at offset 10: expected a VR of two capital letters, found bytes "
	    "02 00");
}

static void
tags_out_of_order_are_read_but_not_twice(void **state)
{
	FIXTURE_AUTO f;

	(void)state;
	start(&f, DCM_EXPLICIT_LE);
	assert_int_equal(dcm_put_text(&f.w, NAME, DCM_VR('P', 'N'), "A"), 0);
	assert_int_equal(dcm_put_text(&f.w, CLASS, DCM_VR('U', 'I'), "1"), 0);
	assert_int_equal(dcm_put_text(&f.w, CLASS, DCM_VR('U', 'I'), "2"), 0);
	expect(&f, DCM_ELEMENT, NAME);
	expect(&f, DCM_ELEMENT, CLASS);
	expect_refused(&f, CAIRN_ECORRUPT, "twice");
}

static void
odd_lengths_are_taken_as_they_are(void **state)
{
	FIXTURE_AUTO f;

	(void)state;
	start(&f, DCM_EXPLICIT_LE);
	RAW(&f,
	    "\x10\x00\x10\x00PN\x03\x00"
	    "A^B\x10\x00\x20\x00LO\x01\x00"
	    "7");
	expect(&f, DCM_ELEMENT, NAME);
	assert_int_equal(f.token.length, 3);
	expect(&f, DCM_ELEMENT, DCM_TAG(0x0010, 0x0020));
	expect(&f, DCM_END, 0);
}

static void
zeros_after_the_last_element_are_padding(void **state)
{
	(void)state;
	for (size_t zeros = 2; zeros < 40; zeros++) {
		FIXTURE_AUTO f;

		start(&f, zeros % 2 == 0 ? DCM_IMPLICIT_LE : DCM_EXPLICIT_BE);
		assert_int_equal(dcm_put_text(&f.w, NAME, DCM_VR('P', 'N'), "AB"), 0);
		assert_int_equal(buf_append_zero(&f.bytes, zeros), 0);
		expect(&f, DCM_ELEMENT, NAME);
		assert_int_equal(next(&f, false), 0);
		assert_int_equal(f.token.kind, DCM_MORE);
		expect(&f, DCM_END, 0);
		RAW(&f, "x");
		expect_refused(&f, CAIRN_ECORRUPT, "");
	}
}

static void
implicit_vr_comes_from_the_dictionary(void **state)
{
	FIXTURE_AUTO f;

	(void)state;
	start(&f, DCM_IMPLICIT_LE);
	assert_int_equal(dcm_put_bytes(&f.w, DCM_TAG(0x0008, 0), 0, "\4\0\0\0", 4), 0);
	assert_int_equal(dcm_put_text(&f.w, DCM_TAG(0x0009, 0x0010), 0, "MAKER"), 0);
	assert_int_equal(dcm_put_text(&f.w, DCM_TAG(0x0009, 0x1010), 0, "x"), 0);
	assert_int_equal(dcm_put_text(&f.w, DCM_TAG(0x0010, 0x0011), 0, "x"), 0);
	expect(&f, DCM_ELEMENT, DCM_TAG(0x0008, 0));
	assert_int_equal(f.token.vr, DCM_VR('U', 'L'));
	expect(&f, DCM_ELEMENT, DCM_TAG(0x0009, 0x0010));
	assert_int_equal(f.token.vr, DCM_VR('L', 'O'));
	expect(&f, DCM_ELEMENT, DCM_TAG(0x0009, 0x1010));
	assert_int_equal(f.token.vr, DCM_VR('U', 'N'));
	expect(&f, DCM_ELEMENT, DCM_TAG(0x0010, 0x0011));
	assert_int_equal(f.token.vr, DCM_VR('U', 'N'));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sequences_nested_100000_deep_are_a_limit_error),
	    cmocka_unit_test(sequences_nested_to_the_limit_are_read),
	    cmocka_unit_test(more_than_four_million_elements_are_a_limit_error),
	    cmocka_unit_test(a_giant_declared_length_asks_for_more_until_the_end),
	    cmocka_unit_test(a_length_beyond_its_item_is_refused_before_its_bytes_come),
	    cmocka_unit_test(an_item_beyond_its_sequence_is_refused),
	    cmocka_unit_test(an_open_item_cannot_outlive_a_sequence_of_defined_length),
	    cmocka_unit_test(defined_lengths_end_items_and_sequences),
	    cmocka_unit_test(unknown_vr_of_undefined_length_is_an_implicit_sequence),
	    cmocka_unit_test(a_known_sequence_hidden_in_unknown_vr_is_opened),
	    cmocka_unit_test(unknown_vr_that_is_no_sequence_stays_bytes),
	    cmocka_unit_test(undefined_length_of_a_text_is_refused),
	    cmocka_unit_test(a_sequence_must_begin_with_an_item),
	    cmocka_unit_test(missing_delimiters_at_the_end_are_refused),
	    cmocka_unit_test(a_delimiter_that_closes_nothing_is_refused),
	    cmocka_unit_test(a_needless_delimiter_at_the_end_of_a_defined_length_is_skipped),
	    cmocka_unit_test(a_delimiter_length_that_is_not_zero_is_ignored),
	    cmocka_unit_test(the_reader_stays_before_pixel_data),
	    cmocka_unit_test(pixel_data_in_an_item_is_an_element),
	    cmocka_unit_test(fragments_come_whole_as_items),
	    cmocka_unit_test(a_fragment_of_undefined_length_is_refused),
	    cmocka_unit_test(implicit_vr_in_an_explicit_item_is_understood),
	    cmocka_unit_test(a_wrongly_announced_encoding_is_understood),
	    cmocka_unit_test(question_marks_for_a_vr_have_a_short_length),
	    cmocka_unit_test(a_vr_from_the_future_has_a_long_length),
	    cmocka_unit_test(bytes_that_are_no_vr_are_refused),
	    cmocka_unit_test(tags_out_of_order_are_read_but_not_twice),
	    cmocka_unit_test(odd_lengths_are_taken_as_they_are),
	    cmocka_unit_test(zeros_after_the_last_element_are_padding),
	    cmocka_unit_test(implicit_vr_comes_from_the_dictionary),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
