/* SPDX-License-Identifier: Apache-2.0 */
#include "node/frames.h"

#include "base/test.h"

#define MAX 1000

struct seen {
	size_t count;
	size_t lengths[8];
	uint8_t first[8];
	size_t stop_at;
};

static bool
see(void *arg, const uint8_t *bytes, size_t length)
{
	struct seen *seen = arg;

	seen->lengths[seen->count] = length;
	seen->first[seen->count] = length == 0 ? 0 : bytes[0];
	return ++seen->count != seen->stop_at;
}

static void
put(struct buf *in, size_t length, uint8_t fill)
{
	uint8_t head[FRAMES_HEADER_BYTES], body[MAX];

	memset(body, fill, sizeof body);
	frames_header(head, length);
	assert_int_equal(buf_append(in, head, sizeof head), 0);
	assert_int_equal(buf_append(in, body, length), 0);
}

static void
frames_come_out_whole_and_in_order(void **state)
{
	BUF_AUTO in = {.max = 8 * MAX};
	struct seen seen = {0};
	size_t length = 0;

	(void)state;
	put(&in, 3, 'a');
	put(&in, 0, 'b');
	put(&in, MAX, 'c');
	assert_int_equal(buf_append(&in, "\0\0\0", 3), 0);
	assert_int_equal(frames_take(&in, MAX, see, &seen, &length), 0);
	assert_int_equal(seen.count, 3);
	assert_int_equal(seen.lengths[0], 3);
	assert_int_equal(seen.lengths[1], 0);
	assert_int_equal(seen.lengths[2], MAX);
	assert_int_equal(seen.first[2], 'c');
	assert_int_equal(in.length, 3);
}

static void
a_byte_at_a_time_gives_the_same_frames(void **state)
{
	BUF_AUTO whole = {.max = 8 * MAX};
	BUF_AUTO in = {.max = 8 * MAX};
	struct seen seen = {0};
	size_t length = 0;

	(void)state;
	put(&whole, 300, 'x');
	put(&whole, 5, 'y');
	for (size_t i = 0; i < whole.length; i++) {
		assert_int_equal(buf_append(&in, whole.data + i, 1), 0);
		assert_int_equal(frames_take(&in, MAX, see, &seen, &length), 0);
	}
	assert_int_equal(seen.count, 2);
	assert_int_equal(seen.lengths[0], 300);
	assert_int_equal(seen.first[1], 'y');
	assert_int_equal(in.length, 0);
}

static void
a_frame_beyond_the_maximum_is_refused_by_its_header(void **state)
{
	BUF_AUTO in = {.max = 8 * MAX};
	struct seen seen = {0};
	uint8_t head[FRAMES_HEADER_BYTES];
	size_t length = 0;

	(void)state;
	frames_header(head, MAX + 1);
	assert_int_equal(buf_append(&in, head, sizeof head), 0);
	assert_int_equal(frames_take(&in, MAX, see, &seen, &length), CAIRN_EPROTO);
	assert_int_equal(length, MAX + 1);
	frames_header(head, 0xffffffff);
	buf_clear(&in);
	assert_int_equal(buf_append(&in, head, sizeof head), 0);
	assert_int_equal(frames_take(&in, MAX, see, &seen, &length), CAIRN_EPROTO);
	assert_int_equal(length, 0xffffffff);
	assert_int_equal(seen.count, 0);
}

static void
nothing_more_is_taken_after_a_stop(void **state)
{
	BUF_AUTO in = {.max = 8 * MAX};
	struct seen seen = {.stop_at = 2};
	size_t length = 0;

	(void)state;
	for (int i = 0; i < 4; i++)
		put(&in, 1, 'z');
	assert_int_equal(frames_take(&in, MAX, see, &seen, &length), CAIRN_ECANCELLED);
	assert_int_equal(seen.count, 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(frames_come_out_whole_and_in_order),
	    cmocka_unit_test(a_byte_at_a_time_gives_the_same_frames),
	    cmocka_unit_test(a_frame_beyond_the_maximum_is_refused_by_its_header),
	    cmocka_unit_test(nothing_more_is_taken_after_a_stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
