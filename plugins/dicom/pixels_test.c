/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"

#include "dicom/reader.h"
#include "pixels.h"

/* An empty item, one of four bytes that look like the end, the end, and two bytes that follow. */
static const uint8_t fragments[] = {0xfe, 0xff, 0x00, 0xe0, 0, 0, 0, 0, 0xfe, 0xff, 0x00, 0xe0, 4,
    0, 0, 0, 0xfe, 0xff, 0xdd, 0xe0, 0xfe, 0xff, 0xdd, 0xe0, 0, 0, 0, 0, 0xfc, 0xff};
#define FRAGMENTS_LENGTH (sizeof fragments - 2)

static void
fragments_end_at_the_delimiter_in_pieces_of_any_size(void **state)
{
	(void)state;
	for (size_t piece = 1; piece <= sizeof fragments; piece++) {
		struct pixels pixels;
		size_t at = 0, taken = 0;

		pixels_init(&pixels, DCM_UNDEFINED);
		while (!pixels.ended) {
			size_t rest = sizeof fragments - at;

			assert_true(rest > 0);
			assert_int_equal(pixels_take(&pixels, fragments + at,
					     rest < piece ? rest : piece, &taken, NULL),
			    0);
			at += taken;
		}
		assert_int_equal(at, FRAGMENTS_LENGTH);
	}
}

static void
a_value_of_known_length_ends_after_it(void **state)
{
	struct pixels pixels;
	size_t taken = 0;

	(void)state;
	pixels_init(&pixels, 20);
	assert_int_equal(pixels_take(&pixels, fragments, 19, &taken, NULL), 0);
	assert_false(pixels.ended);
	assert_int_equal(pixels_take(&pixels, fragments, 10, &taken, NULL), 0);
	assert_int_equal(taken, 1);
	assert_true(pixels.ended);
	pixels_init(&pixels, 0);
	assert_true(pixels.ended);
}

static void
refused(const uint8_t head[8])
{
	struct cairn_error err = {0};
	struct pixels pixels;
	size_t taken = 77;

	pixels_init(&pixels, DCM_UNDEFINED);
	assert_int_equal(pixels_take(&pixels, head, 8, &taken, &err), CAIRN_ECORRUPT);
	assert_int_equal(taken, 77);
	assert_non_null(strstr(err.text, "where a fragment of the pixel data should begin"));
}

static void
what_is_no_fragment_is_refused(void **state)
{
	(void)state;
	refused((const uint8_t[]){0xfe, 0xff, 0x00, 0xe0, 0xff, 0xff, 0xff, 0xff});
	refused((const uint8_t[]){0xfe, 0xff, 0x0d, 0xe0, 0, 0, 0, 0});
	refused((const uint8_t[]){0xfe, 0xff, 0xdd, 0xe0, 1, 0, 0, 0});
	refused((const uint8_t[]){0x10, 0x00, 0x10, 0x00, 'P', 'N', 4, 0});
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fragments_end_at_the_delimiter_in_pieces_of_any_size),
	    cmocka_unit_test(a_value_of_known_length_ends_after_it),
	    cmocka_unit_test(what_is_no_fragment_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
