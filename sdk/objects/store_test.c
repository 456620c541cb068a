/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "objects/fixture_test.h"

static void
what_was_put_is_read_back_after_reopening(void **state)
{
	struct fixture f;

	(void)state;
	fixture_make(&f);
	fixture_open(&f);
	assert_int_equal(fixture_put(&f, "1.2.3", 500000, "facts"), 0);
	assert_int_equal(fixture_put(&f, "1.2.4", 0, NULL), 0);
	assert_int_equal(fixture_check_here(&f, "1.2.3"), 0);
	fixture_close(&f);
	fixture_open(&f);
	assert_int_equal(objects_count(f.objects), 2);
	assert_true(objects_has(f.objects, "1.2.4"));
	assert_int_equal(fixture_check_here(&f, "1.2.3"), 0);
	assert_int_equal(fixture_check_here(&f, "1.2.4"), 0);
	fixture_remove(&f);
}

static void
another_process_reads_what_the_index_does_not_have_yet(void **state)
{
	struct fixture f;

	(void)state;
	fixture_make(&f);
	fixture_open(&f);
	assert_int_equal(fixture_put(&f, "new", 10000, NULL), 0);
	assert_int_equal(f.objects->checkpointing, false);
	assert_int_equal(fixture_check_apart(&f, "new"), 0);
	assert_int_equal(fixture_check_apart(&f, "other"), CAIRN_ENOTFOUND);
	fixture_remove(&f);
}

static void
a_reader_follows_the_log_over_several_segments(void **state)
{
	struct objects_reader *reader;
	struct fixture f;
	char key[32];

	(void)state;
	fixture_make(&f);
	f.options.segment_size = 50000;
	fixture_open(&f);
	assert_int_equal(objects_reader_share(&reader, f.objects, NULL), 0);
	for (int i = 0; i < 40; i++) {
		snprintf(key, sizeof key, "k%d", i);
		assert_int_equal(fixture_put(&f, key, 10000, NULL), 0);
		assert_int_equal(fixture_check(reader, key), 0);
	}
	objects_reader_close(reader);
	fixture_remove(&f);
}

/* Begins an object and writes the first part of its fixture_bytes(). */
static struct objects_put *
begin_slowly(struct fixture *f, const char *key, uint8_t *bytes, size_t length, size_t first)
{
	struct objects_put *put;

	fixture_bytes(key, bytes, length);
	assert_int_equal(objects_begin(f->objects, key, NULL, &put, NULL, NULL), 0);
	for (size_t at = 0; at < first; at += 10000)
		assert_int_equal(objects_write(put, bytes + at, 10000, NULL), 0);
	return put;
}

/* Until the bytes so far are in the segment, before their record is. */
static void
wait_for_size(struct fixture *f, long size)
{
	char path[256];

	fixture_path(f, "segments/00000001.seg", path);
	while (fixture_file_size(path) < size)
		usleep(1000);
}

static void
what_was_written_ahead_becomes_a_record(void **state)
{
	static uint8_t bytes[300000];
	struct fixture f;
	struct objects_put *put;

	(void)state;
	fixture_make(&f);
	fixture_open(&f);
	assert_int_equal(fixture_put(&f, "before", 1000, NULL), 0);
	put = begin_slowly(&f, "slow", bytes, sizeof bytes, 200000);
	wait_for_size(&f, 140000);
	assert_int_equal(fixture_check_apart(&f, "slow"), CAIRN_ENOTFOUND);
	assert_int_equal(objects_write(put, bytes + 200000, 100000, NULL), 0);
	assert_int_equal(objects_commit(put, "note", 4, fixture_answered, &f, NULL), 0);
	fixture_wait(&f, 2);
	assert_int_equal(f.code, 0);
	assert_int_equal(fixture_put(&f, "after", 1000, NULL), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(fixture_check_here(&f, "before"), 0);
		assert_int_equal(fixture_check_here(&f, "slow"), 0);
		assert_int_equal(fixture_check_here(&f, "after"), 0);
		fixture_close(&f);
		fixture_open(&f);
	}
	fixture_remove(&f);
}

static void
what_was_written_ahead_gives_way_to_whoever_is_ready(void **state)
{
	static uint8_t bytes[300000];
	struct fixture f;
	struct objects_put *put;

	(void)state;
	fixture_make(&f);
	fixture_open(&f);
	assert_int_equal(fixture_put(&f, "before", 1000, NULL), 0);
	put = begin_slowly(&f, "slow", bytes, sizeof bytes, 200000);
	wait_for_size(&f, 140000);
	assert_int_equal(fixture_put(&f, "quick", 50000, NULL), 0);
	assert_int_equal(fixture_check_apart(&f, "quick"), 0);
	assert_int_equal(objects_write(put, bytes + 200000, 100000, NULL), 0);
	assert_int_equal(objects_commit(put, NULL, 0, fixture_answered, &f, NULL), 0);
	fixture_wait(&f, 3);
	fixture_close(&f);
	fixture_open(&f);
	assert_int_equal(fixture_check_here(&f, "quick"), 0);
	assert_int_equal(fixture_check_here(&f, "slow"), 0);
	fixture_remove(&f);
}

static void
nothing_is_left_of_what_was_written_ahead_and_given_up(void **state)
{
	static uint8_t bytes[300000];
	struct fixture f;
	char path[256];

	(void)state;
	fixture_make(&f);
	fixture_open(&f);
	assert_int_equal(fixture_put(&f, "before", 1000, NULL), 0);
	fixture_path(&f, "segments/00000001.seg", path);
	objects_abort(begin_slowly(&f, "never", bytes, sizeof bytes, 200000));
	assert_int_equal(fixture_put(&f, "after", 1000, NULL), 0);
	fixture_close(&f);
	assert_true(fixture_file_size(path) < 4000);
	fixture_open(&f);
	assert_int_equal(fixture_check_here(&f, "never"), CAIRN_ENOTFOUND);
	assert_int_equal(fixture_check_here(&f, "after"), 0);
	fixture_remove(&f);
}

static void
a_key_is_stored_once(void **state)
{
	struct objects_put *put;
	struct objects_ref ref = {0};
	struct fixture f;

	(void)state;
	fixture_make(&f);
	fixture_open(&f);
	assert_int_equal(fixture_put(&f, "twice", 5, NULL), 0);
	assert_int_equal(objects_begin(f.objects, "twice", NULL, &put, &ref, NULL), CAIRN_EEXIST);
	assert_memory_equal(&ref, &f.ref, sizeof ref);
	fixture_close(&f);
	fixture_open(&f);
	assert_int_equal(objects_begin(f.objects, "twice", NULL, &put, NULL, NULL), CAIRN_EEXIST);
	fixture_remove(&f);
}

static void
a_key_under_way_is_neither_new_nor_stored(void **state)
{
	struct objects_put *put, *second;
	struct fixture f;

	(void)state;
	fixture_make(&f);
	fixture_open(&f);
	assert_int_equal(objects_begin(f.objects, "k", NULL, &put, NULL, NULL), 0);
	assert_int_equal(objects_begin(f.objects, "k", NULL, &second, NULL, NULL), CAIRN_EAGAIN);
	assert_false(objects_has(f.objects, "k"));
	assert_int_equal(objects_commit(put, NULL, 0, fixture_answered, &f, NULL), 0);
	assert_int_equal(objects_begin(f.objects, "k", NULL, &second, NULL, NULL), CAIRN_EAGAIN);
	fixture_wait(&f, 1);
	assert_int_equal(objects_begin(f.objects, "k", NULL, &second, NULL, NULL), CAIRN_EEXIST);
	fixture_remove(&f);
}

static void
an_aborted_key_can_be_used_again(void **state)
{
	struct objects_put *put;
	struct fixture f;

	(void)state;
	fixture_make(&f);
	fixture_open(&f);
	assert_int_equal(objects_begin(f.objects, "k", NULL, &put, NULL, NULL), 0);
	assert_int_equal(objects_write(put, "abc", 3, NULL), 0);
	objects_abort(put);
	assert_int_equal(f.objects->memory, 0);
	assert_int_equal(fixture_put(&f, "k", 7, NULL), 0);
	fixture_remove(&f);
}

static void
keys_that_could_name_files_elsewhere_are_refused(void **state)
{
	const char *const bad[] = {"", ".", "..", "a/b", "a b", "x\n", ".hidden",
	    "12345678901234567890123456789012345678901234567890123456789012345"};
	struct objects_put *put;
	struct fixture f;

	(void)state;
	fixture_make(&f);
	fixture_open(&f);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_int_equal(
		    objects_begin(f.objects, bad[i], NULL, &put, NULL, NULL), CAIRN_EINVAL);
	fixture_remove(&f);
}

static void
more_than_memory_max_under_way_has_to_wait(void **state)
{
	struct objects_put *put, *second;
	uint8_t *room;
	struct fixture f;

	(void)state;
	fixture_make(&f);
	f.options.memory_max = 1 << 20;
	fixture_open(&f);
	assert_int_equal(objects_begin(f.objects, "a", NULL, &put, NULL, NULL), 0);
	assert_int_equal(objects_reserve(put, 1 << 20, &room, NULL), 0);
	memset(room, 0, 1 << 20);
	assert_int_equal(objects_used(put, 1 << 20, NULL), 0);
	assert_int_equal(objects_begin(f.objects, "b", NULL, &second, NULL, NULL), CAIRN_EAGAIN);
	assert_int_equal(objects_commit(put, NULL, 0, fixture_answered, &f, NULL), 0);
	fixture_wait(&f, 1);
	assert_int_equal(fixture_put(&f, "b", 100, NULL), 0);
	fixture_remove(&f);
}

static void
no_more_than_was_reserved_can_be_used(void **state)
{
	struct objects_put *put;
	uint8_t *room;
	struct fixture f;

	(void)state;
	fixture_make(&f);
	fixture_open(&f);
	assert_int_equal(objects_begin(f.objects, "a", NULL, &put, NULL, NULL), 0);
	assert_int_equal(objects_used(put, 1, NULL), CAIRN_EINVAL);
	assert_int_equal(objects_reserve(put, 100, &room, NULL), 0);
	assert_int_equal(objects_used(put, 1 << 20, NULL), CAIRN_EINVAL);
	objects_abort(put);
	fixture_remove(&f);
}

static void
large_objects_stream_to_files_of_their_own(void **state)
{
	struct fixture f;
	char path[256];

	(void)state;
	fixture_make(&f);
	f.options.large_size = 1 << 20;
	f.options.memory_max = 4 << 20;
	fixture_open(&f);
	assert_int_equal(fixture_put(&f, "large", 40 << 20, "note"), 0);
	assert_int_equal(f.objects->memory, 0);
	fixture_path(&f, "segments/00000001.seg", path);
	assert_int_equal(fixture_check_here(&f, "large"), 0);
	fixture_close(&f);
	assert_true(fixture_file_size(path) < 1000);
	fixture_open(&f);
	assert_int_equal(fixture_check_here(&f, "large"), 0);
	fixture_remove(&f);
}

static void
a_large_object_that_is_given_up_leaves_nothing(void **state)
{
	uint8_t *bytes = calloc(1, 3 << 20);
	struct objects_put *put;
	struct fixture f;
	char path[256];

	(void)state;
	fixture_make(&f);
	f.options.large_size = 1 << 20;
	fixture_open(&f);
	assert_int_equal(objects_begin(f.objects, "large", NULL, &put, NULL, NULL), 0);
	for (int i = 0; i < 5; i++)
		assert_int_equal(objects_write(put, bytes, 3 << 20, NULL), 0);
	objects_abort(put);
	free(bytes);
	uv_run(&f.loop, UV_RUN_DEFAULT);
	assert_int_equal(f.objects->memory, 0);
	fixture_path(&f, "blobs", path);
	assert_int_equal(rmdir(path), 0);
	fixture_remove(&f);
}

static void
two_writers_are_refused(void **state)
{
	struct fixture f, g;

	(void)state;
	fixture_make(&f);
	fixture_open(&f);
	fixture_make(&g);
	g.options.dir = f.dir.path;
	assert_int_equal(fixture_try(&g), CAIRN_EAGAIN);
	fixture_remove(&g);
	fixture_remove(&f);
}

static void
a_nearly_full_disk_takes_nothing_new(void **state)
{
	struct objects_put *put;
	struct fixture f;

	(void)state;
	fixture_make(&f);
	f.options.disk_reserve = UINT64_MAX;
	fixture_open(&f);
	assert_int_equal(objects_begin(f.objects, "a", NULL, &put, NULL, NULL), CAIRN_ELIMIT);
	fixture_remove(&f);
}

static void
an_erased_object_is_gone_for_all_and_after_reopening(void **state)
{
	struct fixture f;

	(void)state;
	fixture_make(&f);
	fixture_open(&f);
	assert_int_equal(fixture_put(&f, "a", 1000, NULL), 0);
	assert_int_equal(fixture_put(&f, "b", 1000, NULL), 0);
	assert_int_equal(fixture_erase(&f, "a"), 0);
	assert_int_equal(fixture_erase(&f, "a"), CAIRN_ENOTFOUND);
	assert_int_equal(objects_count(f.objects), 1);
	assert_int_equal(fixture_check_here(&f, "a"), CAIRN_ENOTFOUND);
	assert_int_equal(fixture_check_apart(&f, "a"), CAIRN_ENOTFOUND);
	fixture_close(&f);
	fixture_open(&f);
	assert_false(objects_has(f.objects, "a"));
	assert_true(objects_has(f.objects, "b"));
	fixture_remove(&f);
}

static void
an_erased_key_can_be_stored_again(void **state)
{
	struct fixture f;

	(void)state;
	fixture_make(&f);
	fixture_open(&f);
	assert_int_equal(fixture_put(&f, "a", 1000, NULL), 0);
	assert_int_equal(fixture_erase(&f, "a"), 0);
	assert_int_equal(fixture_put(&f, "a", 1000, NULL), 0);
	fixture_close(&f);
	fixture_open(&f);
	assert_int_equal(fixture_check_here(&f, "a"), 0);
	fixture_remove(&f);
}

static void
closing_answers_what_is_under_way(void **state)
{
	struct fixture f;
	char key[32];

	(void)state;
	fixture_make(&f);
	fixture_open(&f);
	for (int i = 0; i < 100; i++) {
		snprintf(key, sizeof key, "k%d", i);
		assert_int_equal(fixture_push(&f, key, 20000, NULL), 0);
	}
	fixture_close(&f);
	assert_int_equal(f.answers, 100);
	fixture_open(&f);
	assert_int_equal(objects_count(f.objects), 100);
	fixture_remove(&f);
}

/* ---- the outbox ------------------------------------------------------------------------- */

static unsigned
read_notes(struct fixture *f, struct objects_cursor *cursor, unsigned limit)
{
	unsigned count = 0;

	while (count < limit) {
		struct objects_ref ref;
		uint8_t *note = NULL;
		size_t length = 0;
		char expected[80];
		int code = objects_next(f->objects, cursor, &ref, &note, &length, NULL);

		if (code == CAIRN_ENOTFOUND)
			break;
		assert_int_equal(code, 0);
		snprintf(expected, sizeof expected, "note of %s", ref.key);
		assert_int_equal(length, strlen(expected));
		assert_memory_equal(note, expected, length);
		free(note);
		count++;
	}
	return count;
}

static void
put_noted(struct fixture *f, int from, int to)
{
	char key[32], note[80];

	for (int i = from; i < to; i++) {
		snprintf(key, sizeof key, "k%d", i);
		snprintf(note, sizeof note, "note of %s", key);
		assert_int_equal(fixture_put(f, key, 3000, note), 0);
	}
}

static void
notes_come_once_each_and_go_on_from_the_cursor(void **state)
{
	struct objects_cursor cursor = {0}, again;
	struct fixture f;

	(void)state;
	fixture_make(&f);
	f.options.segment_size = 20000;
	fixture_open(&f);
	assert_int_equal(read_notes(&f, &cursor, 100), 0);
	put_noted(&f, 0, 20);
	assert_int_equal(read_notes(&f, &cursor, 7), 7);
	assert_int_equal(objects_cursor_set(f.objects, "facts", &cursor, NULL), 0);
	fixture_close(&f);
	fixture_open(&f);
	assert_int_equal(objects_cursor_get(f.objects, "none", &again, NULL), CAIRN_ENOTFOUND);
	assert_int_equal(objects_cursor_get(f.objects, "facts", &again, NULL), 0);
	assert_int_equal(read_notes(&f, &again, 100), 13);
	put_noted(&f, 20, 25);
	assert_int_equal(read_notes(&f, &again, 100), 5);
	assert_int_equal(read_notes(&f, &again, 100), 0);
	fixture_remove(&f);
}

static void
notes_of_erased_objects_are_passed_over(void **state)
{
	struct objects_cursor cursor = {0};
	struct fixture f;

	(void)state;
	fixture_make(&f);
	fixture_open(&f);
	put_noted(&f, 0, 5);
	assert_int_equal(fixture_erase(&f, "k2"), 0);
	assert_int_equal(read_notes(&f, &cursor, 100), 4);
	fixture_remove(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_was_put_is_read_back_after_reopening),
	    cmocka_unit_test(what_was_written_ahead_becomes_a_record),
	    cmocka_unit_test(what_was_written_ahead_gives_way_to_whoever_is_ready),
	    cmocka_unit_test(nothing_is_left_of_what_was_written_ahead_and_given_up),
	    cmocka_unit_test(another_process_reads_what_the_index_does_not_have_yet),
	    cmocka_unit_test(a_reader_follows_the_log_over_several_segments),
	    cmocka_unit_test(a_key_is_stored_once),
	    cmocka_unit_test(a_key_under_way_is_neither_new_nor_stored),
	    cmocka_unit_test(an_aborted_key_can_be_used_again),
	    cmocka_unit_test(keys_that_could_name_files_elsewhere_are_refused),
	    cmocka_unit_test(more_than_memory_max_under_way_has_to_wait),
	    cmocka_unit_test(no_more_than_was_reserved_can_be_used),
	    cmocka_unit_test(large_objects_stream_to_files_of_their_own),
	    cmocka_unit_test(a_large_object_that_is_given_up_leaves_nothing),
	    cmocka_unit_test(two_writers_are_refused),
	    cmocka_unit_test(a_nearly_full_disk_takes_nothing_new),
	    cmocka_unit_test(an_erased_object_is_gone_for_all_and_after_reopening),
	    cmocka_unit_test(an_erased_key_can_be_stored_again),
	    cmocka_unit_test(closing_answers_what_is_under_way),
	    cmocka_unit_test(notes_come_once_each_and_go_on_from_the_cursor),
	    cmocka_unit_test(notes_of_erased_objects_are_passed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
