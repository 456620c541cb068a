/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "base/test.h"
#include "objects/crc32c.h"
#include "objects/files.h"
#include "objects/scan.h"

static void
crc32c_gives_the_published_check_value(void **state)
{
	(void)state;
	assert_int_equal(objects_crc32c(0, "123456789", 9), 0xe3069283);
	assert_int_equal(objects_crc32c_table(0, "123456789", 9), 0xe3069283);
}

static void
crc32c_with_and_without_the_instruction_agree(void **state)
{
	/* Every way of taking several bytes at a time, and what is left behind it. */
	static const size_t around[] = {0, 1024, 4096, 9 * 2048};
	static uint8_t bytes[9 * 2048 + 400];

	(void)state;
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(i * i / 3 + i * 7 + 3);
	for (size_t a = 0; a < sizeof around / sizeof around[0]; a++) {
		for (size_t length = around[a]; length <= around[a] + 290; length++)
			assert_int_equal(objects_crc32c(5, bytes + length % 9, length),
			    objects_crc32c_table(5, bytes + length % 9, length));
	}
}

static struct record
sample(void)
{
	struct record record = {.kind = RECORD_FILE,
	    .key = "2.25.1",
	    .path_length = 5,
	    .note_length = 77,
	    .meta_crc = 0x12345678,
	    .length = 1000000,
	    .logical = 64,
	    .target_segment = 3,
	    .target = 0x1122334455667788,
	    .wall_ms = 1790000000000};

	memset(record.sha256, 0xab, 32);
	return record;
}

static void
a_record_header_survives_the_round_trip(void **state)
{
	struct record record = sample(), again;
	uint8_t bytes[RECORD_HEADER_SIZE];

	(void)state;
	objects_record_encode(&record, 42, bytes);
	assert_int_equal(objects_record_decode(bytes, 42, &again), 0);
	assert_string_equal(again.key, record.key);
	assert_memory_equal(again.sha256, record.sha256, 32);
	assert_int_equal(again.kind, record.kind);
	assert_int_equal(again.path_length, record.path_length);
	assert_int_equal(again.note_length, record.note_length);
	assert_int_equal(again.meta_crc, record.meta_crc);
	assert_int_equal(again.length, record.length);
	assert_int_equal(again.logical, record.logical);
	assert_int_equal(again.target_segment, record.target_segment);
	assert_true(again.target == record.target);
	assert_true(again.wall_ms == record.wall_ms);
}

/* A record of an object whose digest was not known when it was written, in a file of its own. */
static int
late_object(const uint8_t *bytes, size_t length, struct record *ret)
{
	struct record record = {.kind = RECORD_OBJECT,
	    .key = "late",
	    .late = true,
	    .length = length,
	    .logical = SEGMENT_HEADER_SIZE,
	    .object_crc = objects_crc32c(0, bytes, length)};
	uint8_t header[RECORD_HEADER_SIZE];
	int fd = memfd_create("late", MFD_CLOEXEC);

	objects_record_encode(&record, 42, header);
	assert_int_equal(objects_record_decode(header, 42, ret), 0);
	assert_true(fd >= 0 && pwrite(fd, bytes, length, RECORD_HEADER_SIZE) == (ssize_t)length);
	return fd;
}

static void
a_late_digest_is_made_from_the_object(void **state)
{
	static const uint8_t sha256_of_zeros[4] = {0x30, 0xe1, 0x49, 0x55}; /* 1 MiB of them */
	uint8_t *bytes = calloc(1, 1 << 20);
	struct record record;
	FD_AUTO fd = late_object(bytes, 1 << 20, &record);

	(void)state;
	assert_true(record.late);
	assert_int_equal(objects_scan_object(fd, &record), 0);
	assert_memory_equal(record.sha256, sha256_of_zeros, sizeof sha256_of_zeros);
	free(bytes);
}

static void
a_flipped_bit_of_an_object_with_a_late_digest_is_found(void **state)
{
	uint8_t bytes[70000] = {0};
	struct record record;
	FD_AUTO fd = late_object(bytes, sizeof bytes, &record);

	(void)state;
	for (size_t at = 0; at < sizeof bytes; at += 9973) {
		uint8_t flipped = 0x10;

		assert_int_equal(pwrite(fd, &flipped, 1, (off_t)(RECORD_HEADER_SIZE + at)), 1);
		assert_int_equal(objects_scan_object(fd, &record), CAIRN_ECORRUPT);
		flipped = 0;
		assert_int_equal(pwrite(fd, &flipped, 1, (off_t)(RECORD_HEADER_SIZE + at)), 1);
	}
	assert_int_equal(objects_scan_object(fd, &record), 0);
}

static void
every_flipped_bit_of_a_record_header_is_found(void **state)
{
	struct record record = sample(), again;
	uint8_t bytes[RECORD_HEADER_SIZE];

	(void)state;
	objects_record_encode(&record, 42, bytes);
	for (size_t bit = 0; bit < RECORD_HEADER_SIZE * 8; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(objects_record_decode(bytes, 42, &again), CAIRN_ECORRUPT);
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

static void
a_record_of_another_segment_is_refused(void **state)
{
	struct record record = sample(), again;
	uint8_t bytes[RECORD_HEADER_SIZE];

	(void)state;
	objects_record_encode(&record, 42, bytes);
	assert_int_equal(objects_record_decode(bytes, 43, &again), CAIRN_ECORRUPT);
}

static void
every_flipped_bit_of_a_segment_header_is_found(void **state)
{
	struct segment_header header = {.id = 7,
				  .generation = 2,
				  .salt = 99,
				  .previous_end = 1000,
				  .applied = {.segment = 8, .offset = 64}},
			      again;
	uint8_t bytes[SEGMENT_HEADER_SIZE];

	(void)state;
	objects_segment_encode(&header, bytes);
	assert_int_equal(objects_segment_decode(bytes, &again), 0);
	assert_int_equal(again.id, 7);
	assert_int_equal(again.applied.segment, 8);
	for (size_t bit = 0; bit < SEGMENT_HEADER_SIZE * 8; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(objects_segment_decode(bytes, &again), CAIRN_ECORRUPT);
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

/* Lengths that are right by checksum and wrong by sense: a hostile or broken writer. */
static void
a_record_that_claims_too_much_is_refused(void **state)
{
	struct record good = sample(), record, again;
	uint8_t bytes[RECORD_HEADER_SIZE];

	(void)state;
#define REFUSED(change)                                                                    \
	do {                                                                               \
		record = good;                                                             \
		change;                                                                    \
		objects_record_encode(&record, 1, bytes);                                  \
		assert_int_equal(objects_record_decode(bytes, 1, &again), CAIRN_ECORRUPT); \
	} while (0)
	REFUSED(record.length = UINT64_MAX);
	REFUSED(record.note_length = OBJECTS_NOTE_MAX + 1);
	REFUSED(record.path_length = RECORD_PATH_MAX + 1);
	REFUSED(record.path_length = 0);
	REFUSED(record.kind = 9);
	REFUSED(record.logical = 0);
	REFUSED(record.logical = UINT64_MAX);
	REFUSED(record.logical = 65);
	REFUSED(memcpy(record.key, "a/b", 4));
	REFUSED((record.kind = RECORD_TOMBSTONE));
#undef REFUSED
}

/* An object that holds a whole record of its own segment could only be made by who knows the salt.
 */
static void
bytes_inside_an_object_do_not_pass_for_a_record(void **state)
{
	struct segment_header header = {.id = 1, .salt = 4711};
	struct record record = {.kind = RECORD_OBJECT, .key = "fake", .logical = 64};
	uint8_t bytes[SEGMENT_HEADER_SIZE + 3 * RECORD_HEADER_SIZE];
	struct scan scan;
	int fd = memfd_create("segment", MFD_CLOEXEC);

	(void)state;
	objects_segment_encode(&header, bytes);
	memset(bytes + SEGMENT_HEADER_SIZE, 0, RECORD_HEADER_SIZE); /* a torn header */
	record.logical = 256;
	objects_record_encode(&record, 4712, bytes + 256);
	record.logical = 448;
	objects_record_encode(&record, 4711, bytes + 448);
	assert_int_equal(write(fd, bytes, sizeof bytes), sizeof bytes);
	assert_int_equal(objects_scan_init(&scan, fd, UINT64_MAX), 0);
	assert_int_equal(objects_scan_next(&scan, &record), CAIRN_ECORRUPT);
	assert_int_equal(objects_scan_resync(&scan), 0);
	assert_int_equal(scan.at, 448);
	close(fd);
}

static void
paths_that_lead_out_of_the_tree_are_refused(void **state)
{
	char longest[RECORD_PATH_MAX + 2], component[210];
	const char *const bad[] = {"", "/", "/etc/passwd", "..", "../x", "a/../b", "a/..", "./a",
	    "a//b", "a/", ".hidden", "a/.hidden", "a\\b", "a\nb", "a\x7f", longest, component};

	(void)state;
	memset(longest, 'a', sizeof longest - 1);
	longest[sizeof longest - 1] = 0;
	for (size_t i = 100; i < RECORD_PATH_MAX; i += 100)
		longest[i] = '/';
	memset(component, 'c', sizeof component - 1);
	component[sizeof component - 1] = 0;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_false(objects_path_valid(bad[i]));
	longest[RECORD_PATH_MAX] = 0;
	assert_true(objects_path_valid(longest));
	assert_true(objects_path_valid("project/patient/1.2.3/1.2.3.4/x..y.dcm"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(crc32c_gives_the_published_check_value),
	    cmocka_unit_test(crc32c_with_and_without_the_instruction_agree),
	    cmocka_unit_test(a_record_header_survives_the_round_trip),
	    cmocka_unit_test(a_late_digest_is_made_from_the_object),
	    cmocka_unit_test(a_flipped_bit_of_an_object_with_a_late_digest_is_found),
	    cmocka_unit_test(every_flipped_bit_of_a_record_header_is_found),
	    cmocka_unit_test(a_record_of_another_segment_is_refused),
	    cmocka_unit_test(every_flipped_bit_of_a_segment_header_is_found),
	    cmocka_unit_test(a_record_that_claims_too_much_is_refused),
	    cmocka_unit_test(bytes_inside_an_object_do_not_pass_for_a_record),
	    cmocka_unit_test(paths_that_lead_out_of_the_tree_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
