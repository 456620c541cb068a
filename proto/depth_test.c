/* SPDX-License-Identifier: Apache-2.0 */
#include "depth.h"

#include "base/test.h"
#include "cairn/bus.pb-c.h"
#include "cairn/cohort.pb-c.h"

#define EXPRESSION (&cairn__expression__descriptor)

/* `depth` expressions, each the only child of the one before: built from the inside, where every
 * level puts a tag and a length in front. */
static uint8_t *
nested(unsigned depth, size_t *ret_length)
{
	size_t size = (size_t)depth * 6 + 2, at = size;
	uint8_t *bytes = malloc(size);
	uint8_t *whole;

	assert_non_null(bytes);
	for (unsigned level = 1; level < depth; level++) {
		size_t length = size - at;
		uint8_t head[6] = {0x12};
		size_t used = 1;

		do {
			head[used] = (uint8_t)(length & 0x7f);
			length >>= 7;
			if (length > 0)
				head[used] |= 0x80;
			used++;
		} while (length > 0);
		at -= used;
		memcpy(bytes + at, head, used);
	}
	*ret_length = size - at;
	whole = malloc(*ret_length + 1);
	assert_non_null(whole);
	memcpy(whole, bytes + at, *ret_length);
	free(bytes);
	return whole;
}

static enum proto_depth
check_nested(unsigned depth, unsigned max)
{
	size_t length;
	uint8_t *bytes = nested(depth, &length);
	enum proto_depth found = proto_depth_check(EXPRESSION, bytes, length, max);

	free(bytes);
	return found;
}

static void
depth_is_counted_to_the_level(void **state)
{
	(void)state;
	for (unsigned max = 1; max <= PROTO_DEPTH_MAX; max++) {
		assert_int_equal(check_nested(max, max), PROTO_DEPTH_OK);
		assert_int_equal(check_nested(max + 1, max), PROTO_DEPTH_TOO_DEEP);
	}
}

static void
a_million_levels_are_refused(void **state)
{
	(void)state;
	assert_int_equal(check_nested(1000000, PROTO_DEPTH_MAX), PROTO_DEPTH_TOO_DEEP);
}

static void
what_is_deep_enough_is_unpacked_and_deeper_is_not(void **state)
{
	size_t length;
	uint8_t *bytes = nested(PROTO_DEPTH_MAX, &length);
	ProtobufCMessage *message = proto_unpack(EXPRESSION, NULL, bytes, length);

	(void)state;
	assert_non_null(message);
	protobuf_c_message_free_unpacked(message, NULL);
	free(bytes);
	bytes = nested(PROTO_DEPTH_MAX + 1, &length);
	assert_null(proto_unpack(EXPRESSION, NULL, bytes, length));
	free(bytes);
}

/* Siblings do not add up. */
static void
a_wide_message_is_not_deep(void **state)
{
	uint8_t bytes[4000];

	(void)state;
	for (size_t i = 0; i < sizeof bytes; i += 4)
		memcpy(bytes + i, (const uint8_t[]){0x12, 2, 0x12, 0}, 4);
	assert_int_equal(proto_depth_check(EXPRESSION, bytes, sizeof bytes, 3), PROTO_DEPTH_OK);
	assert_int_equal(
	    proto_depth_check(EXPRESSION, bytes, sizeof bytes, 2), PROTO_DEPTH_TOO_DEEP);
}

/* Bytes that look like messages inside a field of bytes are not followed. */
static void
a_body_is_not_walked(void **state)
{
	uint8_t inner[200], packed[300];
	Cairn__Envelope envelope = CAIRN__ENVELOPE__INIT;
	size_t length;

	(void)state;
	memset(inner, 0x12, sizeof inner);
	envelope.body.data = inner;
	envelope.body.len = sizeof inner;
	length = cairn__envelope__pack(&envelope, packed);
	assert_int_equal(
	    proto_depth_check(&cairn__envelope__descriptor, packed, length, 1), PROTO_DEPTH_OK);
}

static void
malformed_bytes_are_refused(void **state)
{
	static const struct {
		const char *what;
		uint8_t bytes[12];
		size_t length;
	} cases[] = {
	    {"a length beyond the end", {0x12, 5, 0}, 3},
	    {"a length beyond its own level", {0x12, 2, 0x12, 5, 0, 0, 0, 0, 0}, 9},
	    {"a tag that ends", {0x92}, 1},
	    {"a length that ends", {0x12, 0x80}, 2},
	    {"a length of six bytes", {0x12, 0x80, 0x80, 0x80, 0x80, 0x80, 0}, 7},
	    {"a tag of six bytes", {0x92, 0x80, 0x80, 0x80, 0x80, 0, 0}, 7},
	    {"a varint of eleven bytes",
		{0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}, 12},
	    {"a varint that ends", {0x08, 0xff}, 2},
	    {"a group", {0x13, 0x14}, 2},
	    {"wire type 6", {0x16, 0}, 2},
	    {"wire type 7", {0x17, 0}, 2},
	    {"a fixed64 that ends", {0x11, 1, 2, 3}, 4},
	    {"a fixed32 that ends", {0x15, 1, 2}, 3},
	    {"4 GiB", {0x12, 0xff, 0xff, 0xff, 0xff, 0x7f}, 6},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		if (proto_depth_check(EXPRESSION, cases[i].bytes, cases[i].length,
			PROTO_DEPTH_MAX) != PROTO_DEPTH_MALFORMED)
			fail_msg("%s was not refused", cases[i].what);
	}
}

static void
an_empty_message_and_unknown_fields_are_fine(void **state)
{
	static const uint8_t unknown[] = {0xa2, 0x06, 3, 0x12, 0x12, 0x12, 0xa8, 0x06, 1};

	(void)state;
	assert_int_equal(proto_depth_check(EXPRESSION, NULL, 0, 1), PROTO_DEPTH_OK);
	assert_int_equal(proto_depth_check(EXPRESSION, unknown, sizeof unknown, 1), PROTO_DEPTH_OK);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(depth_is_counted_to_the_level),
	    cmocka_unit_test(a_million_levels_are_refused),
	    cmocka_unit_test(what_is_deep_enough_is_unpacked_and_deeper_is_not),
	    cmocka_unit_test(a_wide_message_is_not_deep),
	    cmocka_unit_test(a_body_is_not_walked),
	    cmocka_unit_test(malformed_bytes_are_refused),
	    cmocka_unit_test(an_empty_message_and_unknown_fields_are_fine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
