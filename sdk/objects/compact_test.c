/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "objects/fixture_test.h"

#define KEYS 40

static void
key_text(int i, char ret[32])
{
	snprintf(ret, 32, "k%d", i);
}

static bool
erased(int i)
{
	return i % 4 != 0;
}

/* Several segments, three quarters of which are erased. */
static void
fill(struct fixture *f)
{
	char key[32];

	fixture_make(f);
	f->options.segment_size = 60000;
	fixture_open(f);
	for (int i = 0; i < KEYS; i++) {
		key_text(i, key);
		assert_int_equal(fixture_put(f, key, 9000, key), 0);
	}
	for (int i = 0; i < KEYS; i++) {
		key_text(i, key);
		if (erased(i))
			assert_int_equal(fixture_erase(f, key), 0);
	}
	assert_int_equal(fixture_put(f, "last", 70000, NULL), 0); /* so that others are finished */
	fixture_close(f);
	fixture_open(f);
}

static void
check(struct fixture *f)
{
	char key[32];

	assert_int_equal(objects_count(f->objects), KEYS / 4 + 1);
	for (int i = 0; i < KEYS; i++) {
		key_text(i, key);
		assert_int_equal(fixture_check_here(f, key), erased(i) ? CAIRN_ENOTFOUND : 0);
	}
	assert_int_equal(fixture_check_here(f, "last"), 0);
}

struct outcome {
	struct objects_compacted result;
	int code;
	bool done;
};

static void
on_compacted(void *arg, int code, const struct objects_compacted *result)
{
	struct outcome *outcome = arg;

	*outcome = (struct outcome){.result = *result, .code = code, .done = true};
}

static struct objects_compacted
compact(struct fixture *f, unsigned percent)
{
	struct outcome outcome = {.done = false};

	assert_int_equal(objects_compact(f->objects, percent, on_compacted, &outcome, NULL), 0);
	assert_int_equal(
	    objects_compact(f->objects, percent, on_compacted, &outcome, NULL), CAIRN_EAGAIN);
	while (!outcome.done)
		uv_run(&f->loop, UV_RUN_ONCE);
	assert_int_equal(outcome.code, 0);
	return outcome.result;
}

static long
segments_size(struct fixture *f)
{
	struct segment_file *files;
	size_t count;
	long size = 0;

	assert_int_equal(objects_dirs_list(&f->objects->dirs, false, &files, &count), 0);
	for (size_t i = 0; i < count; i++) {
		char name[SEGMENT_NAME_MAX], part[64], path[256];

		objects_segment_name(files[i].id, files[i].generation, name);
		snprintf(part, sizeof part, "segments/%s", name);
		fixture_path(f, part, path);
		size += fixture_file_size(path);
	}
	free(files);
	return size;
}

static void
compaction_gives_space_back_and_keeps_what_lives(void **state)
{
	struct objects_compacted result;
	struct fixture f;
	long before;

	(void)state;
	fill(&f);
	before = segments_size(&f);
	result = compact(&f, 20);
	assert_true(result.segments > 0);
	assert_int_equal(before - segments_size(&f), result.bytes);
	assert_true(result.bytes > 200000);
	check(&f);
	fixture_close(&f);
	fixture_open(&f);
	check(&f);
	fixture_remove(&f);
}

static void
a_segment_below_the_threshold_is_left_alone(void **state)
{
	struct fixture f;

	(void)state;
	fill(&f);
	assert_int_equal(compact(&f, 100).segments, 0);
	fixture_remove(&f);
}

static void
references_stay_valid_when_their_object_moves(void **state)
{
	struct objects_reader *reader;
	struct objects_ref before, after;
	struct fixture f;

	(void)state;
	fill(&f);
	assert_int_equal(objects_reader_share(&reader, f.objects, NULL), 0);
	assert_int_equal(objects_reader_find(reader, "k4", &before, NULL), 0);
	assert_int_equal(fixture_check(reader, "k4"), 0);
	compact(&f, 1);
	assert_int_equal(fixture_check(reader, "k4"), 0);
	assert_int_equal(objects_reader_find(reader, "k4", &after, NULL), 0);
	assert_memory_equal(&before, &after, sizeof before);
	objects_reader_close(reader);
	fixture_remove(&f);
}

static int
sink(void *arg, const uint8_t *bytes, size_t length)
{
	(void)arg;
	(void)bytes;
	(void)length;
	return 0;
}

static void
a_reference_to_what_was_erased_finds_nothing(void **state)
{
	struct objects_reader *reader;
	struct objects_ref ref;
	struct fixture f;

	(void)state;
	fill(&f);
	assert_int_equal(objects_reader_share(&reader, f.objects, NULL), 0);
	assert_int_equal(objects_reader_find(reader, "k4", &ref, NULL), 0);
	assert_int_equal(fixture_erase(&f, "k4"), 0);
	compact(&f, 1);
	assert_int_equal(objects_reader_get(reader, &ref, sink, NULL, NULL), CAIRN_ENOTFOUND);
	assert_int_equal(fixture_put(&f, "k4", 9000, NULL), 0);
	assert_int_equal(objects_reader_get(reader, &ref, sink, NULL, NULL), CAIRN_ENOTFOUND);
	objects_reader_close(reader);
	fixture_remove(&f);
}

static unsigned
count_notes(struct fixture *f, struct objects_cursor *cursor, unsigned limit)
{
	struct objects_ref ref;
	uint8_t *note;
	size_t length;
	unsigned count = 0;

	while (count < limit && objects_next(f->objects, cursor, &ref, &note, &length, NULL) == 0) {
		free(note);
		count++;
	}
	return count;
}

static void
a_cursor_goes_on_in_a_compacted_segment(void **state)
{
	struct objects_cursor cursor = {0};
	struct fixture f;

	(void)state;
	fill(&f);
	assert_int_equal(count_notes(&f, &cursor, 4), 4);
	compact(&f, 1);
	assert_int_equal(count_notes(&f, &cursor, 100), KEYS / 4 + 1 - 4);
	fixture_close(&f);
	fixture_open(&f);
	cursor = (struct objects_cursor){0};
	assert_int_equal(count_notes(&f, &cursor, 100), KEYS / 4 + 1);
	fixture_remove(&f);
}

static void
what_was_erased_does_not_come_back_with_a_new_index(void **state)
{
	struct fixture f;

	(void)state;
	fill(&f);
	for (int i = 0; i < 3; i++) {
		compact(&f, 1);
		fixture_close(&f);
		assert_int_equal(objects_index_remove(f.dir.path, NULL), 0);
		fixture_open(&f);
		check(&f);
	}
	fixture_remove(&f);
}

static void
erased_bytes_are_no_longer_in_any_segment(void **state)
{
	BUF_AUTO segment = {.max = 1 << 20};
	uint8_t expected[9000];
	struct fixture f;
	char path[256];

	(void)state;
	fill(&f);
	compact(&f, 1);
	fixture_path(&f, "segments/00000001-1.seg", path);
	assert_int_equal(file_read(path, &segment, NULL), 0);
	fixture_bytes("k1", expected, sizeof expected);
	assert_null(memmem(segment.data, segment.length, expected, 100));
	fixture_bytes("k0", expected, sizeof expected);
	assert_non_null(memmem(segment.data, segment.length, expected, 100));
	fixture_path(&f, "segments/00000001.seg", path);
	assert_false(file_exists(path));
	fixture_remove(&f);
}

/* A stop after the new file got its name and before the index followed. */
static void
a_switch_that_was_interrupted_is_done_at_open(void **state)
{
	BUF_AUTO index = {.max = 1 << 24};
	struct fixture f;
	char path[256];

	(void)state;
	fill(&f);
	fixture_close(&f);
	fixture_path(&f, "index/data.mdb", path);
	assert_int_equal(file_read(path, &index, NULL), 0);
	fixture_open(&f);
	compact(&f, 1);
	fixture_close(&f);
	assert_int_equal(file_write(path, index.data, index.length, 0600, NULL), 0);
	fixture_open(&f);
	check(&f);
	fixture_remove(&f);
}

static void
a_damaged_segment_is_not_compacted(void **state)
{
	struct fixture f;
	char path[256];

	(void)state;
	fill(&f);
	fixture_path(&f, "segments/00000001.seg", path);
	fixture_flip(path, SEGMENT_HEADER_SIZE + 2 * (RECORD_HEADER_SIZE + 9000) + 40);
	compact(&f, 1);
	assert_true(file_exists(path));
	assert_int_equal(fixture_check_here(&f, "k0"), 0);
	fixture_remove(&f);
}

/* Another process reads all the time while segments move under it. */
static void
a_reading_process_never_notices_compaction(void **state)
{
	struct fixture f;
	int status, ends[2];
	char byte;
	pid_t pid;

	(void)state;
	fill(&f);
	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (pid == 0) {
		struct objects_reader *reader;
		int code = objects_reader_open(&reader, f.dir.path, NULL);

		close(ends[0]);
		for (int i = 0; code == 0 && i < 3000; i++) {
			char key[32];

			key_text(i % 10 * 4, key);
			code = fixture_check(reader, key);
			if (i == 10 && write(ends[1], "x", 1) != 1)
				code = 1;
		}
		_exit(code == 0 ? 0 : 1);
	}
	close(ends[1]);
	assert_int_equal(read(ends[0], &byte, 1), 1);
	close(ends[0]);
	for (int i = 1; i < 12; i++) {
		char key[32];

		compact(&f, 1);
		snprintf(key, sizeof key, "again%d", i);
		assert_int_equal(fixture_put(&f, key, 55000, NULL), 0);
		assert_int_equal(fixture_erase(&f, key), 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	fixture_remove(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(compaction_gives_space_back_and_keeps_what_lives),
	    cmocka_unit_test(a_segment_below_the_threshold_is_left_alone),
	    cmocka_unit_test(references_stay_valid_when_their_object_moves),
	    cmocka_unit_test(a_reference_to_what_was_erased_finds_nothing),
	    cmocka_unit_test(a_cursor_goes_on_in_a_compacted_segment),
	    cmocka_unit_test(what_was_erased_does_not_come_back_with_a_new_index),
	    cmocka_unit_test(erased_bytes_are_no_longer_in_any_segment),
	    cmocka_unit_test(a_switch_that_was_interrupted_is_done_at_open),
	    cmocka_unit_test(a_damaged_segment_is_not_compacted),
	    cmocka_unit_test(a_reading_process_never_notices_compaction),
	};

	log_set_level(CAIRN_LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
