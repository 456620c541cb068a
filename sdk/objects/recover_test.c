/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "objects/fixture_test.h"

#define SEGMENT "segments/00000001.seg"

static void
put_two(struct fixture *f)
{
	fixture_open(f);
	assert_int_equal(fixture_put(f, "first", 100, "note one"), 0);
	assert_int_equal(fixture_put(f, "second", 40, "note two"), 0);
}

static void
remove_index(struct fixture *f)
{
	assert_int_equal(objects_index_remove(f->dir.path, NULL), 0);
}

/* What two puts leave, as bytes; `*ret_second` is where the second record begins. */
static void
make_log(struct fixture *f, struct buf *ret, size_t *ret_second)
{
	char path[256];
	struct record first = {.kind = RECORD_OBJECT, .length = 100, .note_length = 8};
	struct record second = {.kind = RECORD_OBJECT, .length = 40, .note_length = 8};

	fixture_make(f);
	fixture_abandon(f, put_two);
	fixture_path(f, SEGMENT, path);
	assert_int_equal(file_read(path, ret, NULL), 0);
	*ret_second = SEGMENT_HEADER_SIZE + (size_t)objects_record_size(&first);
	/* Behind the records are the zeros to be written over. */
	assert_true(ret->length > *ret_second + (size_t)objects_record_size(&second));
	ret->length = *ret_second + (size_t)objects_record_size(&second);
}

static void
a_tail_torn_at_any_byte_is_cut_off_and_written_on(void **state)
{
	BUF_AUTO log = {.max = 4 << 20};
	struct fixture f;
	char path[256];
	size_t second;

	(void)state;
	make_log(&f, &log, &second);
	fixture_path(&f, SEGMENT, path);
	for (size_t length = second; length <= log.length; length++) {
		bool whole = length == log.length;

		remove_index(&f);
		assert_int_equal(file_write(path, log.data, length, 0600, NULL), 0);
		fixture_open(&f);
		assert_int_equal(fixture_check_here(&f, "first"), 0);
		assert_int_equal(fixture_check_here(&f, "second"), whole ? 0 : CAIRN_ENOTFOUND);
		assert_int_equal(objects_count(f.objects), whole ? 2 : 1);
		assert_int_equal(fixture_put(&f, "third", 30, NULL), 0);
		fixture_close(&f);
		if (length % 64 == 0) {
			fixture_open(&f);
			assert_int_equal(fixture_check_here(&f, "third"), 0);
			fixture_close(&f);
		}
	}
	fixture_remove(&f);
}

static void
room_made_for_the_next_is_no_damage_and_goes(void **state)
{
	struct fixture f;
	char path[256];
	long size, left;

	(void)state;
	fixture_make(&f);
	fixture_abandon(&f, put_two);
	fixture_path(&f, SEGMENT, path);
	left = fixture_file_size(path);
	fixture_open(&f);
	size = fixture_file_size(path);
	assert_true(size < left);
	assert_int_equal(objects_count(f.objects), 2);
	assert_int_equal(fixture_check_here(&f, "second"), 0);
	assert_int_equal(fixture_put(&f, "third", 30, NULL), 0);
	assert_true(fixture_file_size(path) > left);
	assert_int_equal(fixture_check_apart(&f, "third"), 0);
	fixture_close(&f);
	assert_true(fixture_file_size(path) < size + 1000);
	fixture_open(&f);
	assert_int_equal(objects_count(f.objects), 3);
	fixture_remove(&f);
}

/* Padding and nothing else may differ without being noticed. */
static void
a_flipped_byte_in_the_last_record_is_found(void **state)
{
	BUF_AUTO log = {.max = 4 << 20};
	struct fixture f;
	char path[256];
	size_t second, meaningful;

	(void)state;
	make_log(&f, &log, &second);
	fixture_path(&f, SEGMENT, path);
	meaningful = second + RECORD_HEADER_SIZE + 40 + 8;
	for (size_t at = second; at < meaningful; at += 3) {
		remove_index(&f);
		log.data[at] ^= 0x10;
		assert_int_equal(file_write(path, log.data, log.length, 0600, NULL), 0);
		log.data[at] ^= 0x10;
		fixture_open(&f);
		assert_int_equal(fixture_check_here(&f, "second"), CAIRN_ENOTFOUND);
		assert_int_equal(fixture_check_here(&f, "first"), 0);
		fixture_close(&f);
	}
	fixture_remove(&f);
}

static void
damage_in_the_middle_costs_only_what_it_hit(void **state)
{
	BUF_AUTO log = {.max = 4 << 20};
	struct fixture f;
	char path[256];
	size_t second;

	(void)state;
	make_log(&f, &log, &second);
	fixture_path(&f, SEGMENT, path);
	for (size_t at = SEGMENT_HEADER_SIZE + 8; at < second; at += 9) {
		remove_index(&f);
		log.data[at] ^= 0x10;
		assert_int_equal(file_write(path, log.data, log.length, 0600, NULL), 0);
		log.data[at] ^= 0x10;
		fixture_open(&f);
		assert_int_equal(fixture_check_here(&f, "second"), 0);
		if (at < SEGMENT_HEADER_SIZE + RECORD_HEADER_SIZE + 108)
			assert_int_equal(fixture_check_here(&f, "first"), CAIRN_ENOTFOUND);
		fixture_close(&f);
		assert_int_equal(fixture_file_size(path), log.length);
	}
	fixture_remove(&f);
}

static void
a_damaged_segment_header_costs_nothing(void **state)
{
	BUF_AUTO log = {.max = 4 << 20};
	struct fixture f;
	char path[256];
	size_t second;

	(void)state;
	make_log(&f, &log, &second);
	fixture_path(&f, SEGMENT, path);
	for (size_t at = 0; at < SEGMENT_HEADER_SIZE; at += 5) {
		remove_index(&f);
		log.data[at] ^= 0x10;
		assert_int_equal(file_write(path, log.data, log.length, 0600, NULL), 0);
		log.data[at] ^= 0x10;
		fixture_open(&f);
		assert_int_equal(fixture_check_here(&f, "first"), 0);
		assert_int_equal(fixture_check_here(&f, "second"), 0);
		assert_int_equal(fixture_put(&f, "third", 30, NULL), 0);
		fixture_close(&f);
		fixture_path(&f, "segments/00000002.seg", path);
		unlink(path);
		fixture_path(&f, SEGMENT, path);
	}
	fixture_remove(&f);
}

/* Flips one byte of a stored object, note or header behind the store's back. */
static void
read_after_flip(size_t length, long offset, int expected)
{
	struct fixture f;
	char path[256];

	fixture_make(&f);
	fixture_open(&f);
	assert_int_equal(fixture_put(&f, "a", length, "note"), 0);
	assert_int_equal(fixture_put(&f, "b", length, "note"), 0);
	fixture_close(&f);
	fixture_path(&f, SEGMENT, path);
	fixture_flip(path, offset);
	fixture_open(&f);
	assert_int_equal(fixture_check_here(&f, "a"), expected);
	assert_int_equal(fixture_check_here(&f, "b"), 0);
	fixture_remove(&f);
}

static void
a_flipped_bit_in_an_object_is_found_by_reading(void **state)
{
	(void)state;
	read_after_flip(5000, SEGMENT_HEADER_SIZE + RECORD_HEADER_SIZE + 2500, CAIRN_ECORRUPT);
	read_after_flip(90000, SEGMENT_HEADER_SIZE + RECORD_HEADER_SIZE + 2500, CAIRN_ECORRUPT);
}

static void
a_flipped_bit_in_a_header_is_found_by_reading(void **state)
{
	(void)state;
	read_after_flip(5000, SEGMENT_HEADER_SIZE + 45, CAIRN_ECORRUPT);
}

static void
a_damaged_note_is_not_handed_out(void **state)
{
	struct objects_cursor cursor = {0};
	struct objects_ref ref;
	struct fixture f;
	uint8_t *note = NULL;
	size_t length;
	char path[256];

	(void)state;
	fixture_make(&f);
	fixture_open(&f);
	assert_int_equal(fixture_put(&f, "a", 5000, "note"), 0);
	assert_int_equal(fixture_put(&f, "b", 5000, "note"), 0);
	fixture_close(&f);
	fixture_path(&f, SEGMENT, path);
	fixture_flip(path, SEGMENT_HEADER_SIZE + RECORD_HEADER_SIZE + 5000);
	fixture_open(&f);
	assert_int_equal(objects_next(f.objects, &cursor, &ref, &note, &length, NULL), 0);
	assert_string_equal(ref.key, "b");
	free(note);
	assert_int_equal(
	    objects_next(f.objects, &cursor, &ref, &note, &length, NULL), CAIRN_ENOTFOUND);
	fixture_remove(&f);
}

/* ---- the index -------------------------------------------------------------------------- */

static void
fill(struct fixture *f)
{
	char key[32];

	f->options.segment_size = 60000;
	f->options.large_size = 30000;
	fixture_open(f);
	for (int i = 0; i < 30; i++) {
		snprintf(key, sizeof key, "k%d", i);
		assert_int_equal(fixture_put(f, key, i % 10 == 7 ? 40000 : 9000, "note"), 0);
	}
	assert_int_equal(fixture_erase(f, "k3"), 0);
	assert_int_equal(fixture_erase(f, "k17"), 0);
	assert_int_equal(fixture_put(f, "k3", 100, NULL), 0);
	fixture_close(f);
}

static void
check_all(struct fixture *f)
{
	char key[32];

	fixture_open(f);
	assert_int_equal(objects_count(f->objects), 29);
	for (int i = 0; i < 30; i++) {
		snprintf(key, sizeof key, "k%d", i);
		assert_int_equal(fixture_check_here(f, key), i == 17 ? CAIRN_ENOTFOUND : 0);
	}
	fixture_close(f);
}

static void
a_deleted_index_is_made_again(void **state)
{
	struct fixture f;

	(void)state;
	fixture_make(&f);
	fill(&f);
	remove_index(&f);
	check_all(&f);
	fixture_remove(&f);
}

static void
an_index_of_garbage_is_made_again(void **state)
{
	uint8_t garbage[20000];
	struct fixture f;
	char path[256];

	(void)state;
	fixture_make(&f);
	fill(&f);
	fixture_bytes("garbage", garbage, sizeof garbage);
	fixture_path(&f, "index/data.mdb", path);
	assert_int_equal(file_write(path, garbage, sizeof garbage, 0600, NULL), 0);
	check_all(&f);
	fixture_remove(&f);
}

static void
an_index_cut_short_anywhere_is_made_again(void **state)
{
	BUF_AUTO index = {.max = 4 << 20};
	struct fixture f;
	char path[256];

	(void)state;
	fixture_make(&f);
	fill(&f);
	fixture_path(&f, "index/data.mdb", path);
	assert_int_equal(file_read(path, &index, NULL), 0);
	for (size_t length = 0; length < index.length; length += 2048) {
		assert_int_equal(file_write(path, index.data, length, 0600, NULL), 0);
		check_all(&f);
	}
	fixture_remove(&f);
}

/* Restoring segments from an older backup than the index. */
static void
an_index_that_knows_more_than_the_log_is_made_again(void **state)
{
	struct fixture f;
	char path[256], segment[256];

	(void)state;
	fixture_make(&f);
	fixture_open(&f);
	assert_int_equal(fixture_put(&f, "a", 1000, NULL), 0);
	assert_int_equal(fixture_put(&f, "b", 1000, NULL), 0);
	fixture_close(&f);
	fixture_path(&f, "index/data.mdb", path);
	fixture_path(&f, SEGMENT, segment);
	assert_int_equal(truncate(segment, SEGMENT_HEADER_SIZE + RECORD_HEADER_SIZE + 1000), 0);
	fixture_open(&f);
	assert_int_equal(objects_count(f.objects), 1);
	assert_int_equal(fixture_check_here(&f, "a"), 0);
	assert_int_equal(fixture_check_here(&f, "b"), CAIRN_ENOTFOUND);
	fixture_remove(&f);
}

static void
put_unindexed(struct fixture *f)
{
	fixture_open(f);
	assert_int_equal(fixture_put(f, "later", 5000, NULL), 0);
}

static void
what_the_index_lacks_is_read_from_the_log(void **state)
{
	struct fixture f;

	(void)state;
	fixture_make(&f);
	fill(&f);
	fixture_abandon(&f, put_unindexed);
	fixture_open(&f);
	assert_int_equal(objects_count(f.objects), 30);
	assert_int_equal(fixture_check_here(&f, "later"), 0);
	assert_int_equal(fixture_check_here(&f, "k3"), 0);
	fixture_remove(&f);
}

static void
a_reader_follows_when_the_index_is_made_again(void **state)
{
	struct objects_reader *reader;
	struct fixture f;

	(void)state;
	fixture_make(&f);
	fill(&f);
	assert_int_equal(objects_reader_open(&reader, f.dir.path, NULL), 0);
	assert_int_equal(fixture_check(reader, "k5"), 0);
	remove_index(&f);
	fixture_abandon(&f, check_all);
	assert_int_equal(fixture_check(reader, "k5"), 0);
	assert_int_equal(fixture_check(reader, "k17"), CAIRN_ENOTFOUND);
	objects_reader_close(reader);
	fixture_remove(&f);
}

static void
begin_large(struct fixture *f)
{
	static const uint8_t bytes[100000];
	struct objects_put *put;

	f->options.large_size = 30000;
	fixture_open(f);
	assert_int_equal(objects_begin(f->objects, "half", NULL, &put, NULL, NULL), 0);
	for (int i = 0; i < 30; i++)
		assert_int_equal(objects_write(put, bytes, sizeof bytes, NULL), 0);
	while (uv_run(&f->loop, UV_RUN_ONCE) != 0)
		;
}

static void
an_unfinished_large_object_is_removed_at_open(void **state)
{
	struct fixture f;
	char path[256];

	(void)state;
	fixture_make(&f);
	fixture_abandon(&f, begin_large);
	fixture_path(&f, "blobs", path);
	assert_int_not_equal(rmdir(path), 0);
	fixture_open(&f);
	assert_false(objects_has(f.objects, "half"));
	assert_int_equal(rmdir(path), 0);
	fixture_remove(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_tail_torn_at_any_byte_is_cut_off_and_written_on),
	    cmocka_unit_test(room_made_for_the_next_is_no_damage_and_goes),
	    cmocka_unit_test(a_flipped_byte_in_the_last_record_is_found),
	    cmocka_unit_test(damage_in_the_middle_costs_only_what_it_hit),
	    cmocka_unit_test(a_damaged_segment_header_costs_nothing),
	    cmocka_unit_test(a_flipped_bit_in_an_object_is_found_by_reading),
	    cmocka_unit_test(a_flipped_bit_in_a_header_is_found_by_reading),
	    cmocka_unit_test(a_damaged_note_is_not_handed_out),
	    cmocka_unit_test(a_deleted_index_is_made_again),
	    cmocka_unit_test(an_index_of_garbage_is_made_again),
	    cmocka_unit_test(an_index_cut_short_anywhere_is_made_again),
	    cmocka_unit_test(an_index_that_knows_more_than_the_log_is_made_again),
	    cmocka_unit_test(what_the_index_lacks_is_read_from_the_log),
	    cmocka_unit_test(a_reader_follows_when_the_index_is_made_again),
	    cmocka_unit_test(an_unfinished_large_object_is_removed_at_open),
	};

	log_set_level(CAIRN_LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
