/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A writer is killed again and again at moments that nobody chooses, while it stores, erases and
 * compacts; what it had been told is durable has to be there afterwards, what it had been told is
 * erased has not.
 */

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "objects/fixture_test.h"

#define ROUNDS 60
#define KEYS_MAX 60000
#define UNDER_WAY 12

enum what {
	STORED = 1, /* the callback came with 0 */
	ERASING,    /* objects_erase is about to be called */
	ERASED,
};

struct message {
	uint32_t what;
	uint32_t key;
};

struct writer {
	struct objects *objects;
	uv_loop_t loop;
	int pipe;
	uint32_t next;
	uint32_t random;
	bool compacting;
};

struct put_arg {
	struct writer *writer;
	uint32_t key;
};

static uint32_t
dice(uint32_t *state, uint32_t sides)
{
	*state = *state * 1664525u + 1013904223u;
	return (*state >> 8) % sides;
}

static void
key_text(uint32_t key, char ret[32])
{
	snprintf(ret, 32, "1.2.%u", key);
}

static void
tell(struct writer *writer, enum what what, uint32_t key)
{
	struct message message = {.what = what, .key = key};

	if (write(writer->pipe, &message, sizeof message) != sizeof message)
		_exit(1);
}

/* ---- the victim ------------------------------------------------------------------------- */

static void store_one(struct writer *writer);

static void
on_erased(void *arg, int code, const struct objects_ref *ref)
{
	struct put_arg *put = arg;

	(void)ref;
	if (code != 0)
		_exit(2);
	tell(put->writer, ERASED, put->key);
	store_one(put->writer);
	free(put);
}

static void
on_compacted(void *arg, int code, const struct objects_compacted *result)
{
	struct writer *writer = arg;

	(void)result;
	if (code != 0)
		_exit(3);
	writer->compacting = false;
}

static void
on_stored(void *arg, int code, const struct objects_ref *ref)
{
	struct put_arg *put = arg;
	struct writer *writer = put->writer;

	if (code != 0)
		_exit(4);
	tell(writer, STORED, put->key);
	if (dice(&writer->random, 10) == 0 && !writer->compacting &&
	    objects_compact(writer->objects, 1, on_compacted, writer, NULL) == 0)
		writer->compacting = true;
	if (dice(&writer->random, 4) == 0) {
		tell(writer, ERASING, put->key);
		if (objects_erase(writer->objects, ref->key, on_erased, put, NULL) != 0)
			_exit(5);
		return;
	}
	store_one(writer);
	free(put);
}

static void
store_one(struct writer *writer)
{
	static uint8_t bytes[200000];
	struct put_arg *arg = calloc(1, sizeof *arg);
	struct objects_put *put;
	char key[32], path[64];
	size_t length = dice(&writer->random, 8) == 0 ? dice(&writer->random, sizeof bytes)
						      : dice(&writer->random, 9000);

	*arg = (struct put_arg){.writer = writer, .key = writer->next++};
	key_text(arg->key, key);
	snprintf(path, sizeof path, "tree/%u/%s", arg->key % 3, key);
	fixture_bytes(key, bytes, length);
	if (objects_begin(writer->objects, key, path, &put, NULL, NULL) != 0 ||
	    objects_write(put, bytes, length, NULL) != 0 ||
	    objects_commit(put, key, strlen(key), on_stored, arg, NULL) != 0)
		_exit(6);
}

static void
writer_main(const struct objects_options *options, int pipe, uint32_t first, uint32_t seed)
{
	struct writer writer = {.pipe = pipe, .next = first, .random = seed};

	uv_loop_init(&writer.loop);
	if (objects_open(&writer.objects, &writer.loop, options, NULL) != 0)
		_exit(7);
	for (int i = 0; i < UNDER_WAY; i++)
		store_one(&writer);
	uv_run(&writer.loop, UV_RUN_DEFAULT);
	_exit(8);
}

/* ---- the judge -------------------------------------------------------------------------- */

struct book {
	uint8_t what[KEYS_MAX];
	uint8_t noted[KEYS_MAX];
	uint32_t next;
	unsigned stored;
	unsigned erased;
};

static bool
hear(struct book *book, int pipe)
{
	struct message message;

	if (file_read_all(pipe, &message, sizeof message) != 0)
		return false;
	assert_true(message.key < KEYS_MAX);
	book->what[message.key] = (uint8_t)message.what;
	book->stored += message.what == STORED;
	book->erased += message.what == ERASED;
	return true;
}

static void
kill_one(struct fixture *f, struct book *book, uint32_t *random)
{
	unsigned patience = dice(random, 120);
	int ends[2], status = 0;
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (pid == 0) {
		close(ends[0]);
		writer_main(&f->options, ends[1], book->next, *random);
	}
	close(ends[1]);
	while (patience-- > 0 && hear(book, ends[0]))
		;
	kill(pid, SIGKILL);
	while (hear(book, ends[0]))
		;
	close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	book->next += 1000; /* more than it can have begun since */
	assert_true(book->next < KEYS_MAX - 3000);
}

static void
check_notes(struct fixture *f, struct book *book)
{
	struct objects_cursor cursor = {0};
	struct objects_ref ref;
	uint8_t *note;
	size_t length;

	memset(book->noted, 0, sizeof book->noted);
	while (objects_next(f->objects, &cursor, &ref, &note, &length, NULL) == 0) {
		char key[32];

		assert_int_equal(length, strlen(ref.key));
		assert_memory_equal(note, ref.key, length);
		free(note);
		book->noted[strtoul(ref.key + 4, NULL, 10)]++;
		key_text((uint32_t)strtoul(ref.key + 4, NULL, 10), key);
		assert_string_equal(key, ref.key);
	}
}

static void
check_book(struct fixture *f, struct book *book, uint32_t from)
{
	char key[32];

	for (uint32_t i = from; i < book->next && i < KEYS_MAX; i++) {
		key_text(i, key);
		if (book->what[i] == STORED) {
			assert_int_equal(fixture_check_here(f, key), 0);
			assert_int_equal(book->noted[i], 1);
		} else if (book->what[i] == ERASED) {
			assert_int_equal(fixture_check_here(f, key), CAIRN_ENOTFOUND);
			assert_int_equal(book->noted[i], 0);
		} else {
			int code = fixture_check_here(f, key); /* either, but whole */

			assert_true(code == 0 || code == CAIRN_ENOTFOUND);
			assert_int_equal(book->noted[i], code == 0);
		}
	}
}

static void
crash(enum objects_durability durability, enum objects_layout layout, uint32_t seed)
{
	struct book *book = calloc(1, sizeof *book);
	struct fixture f;

	fixture_make(&f);
	f.options.segment_size = 200000;
	f.options.large_size = 100000;
	f.options.durability = durability;
	f.options.layout = layout;
	for (int round = 0; round < ROUNDS / 3; round++) {
		uint32_t from = book->next;

		kill_one(&f, book, &seed);
		fixture_open(&f);
		check_notes(&f, book);
		check_book(&f, book, round == ROUNDS / 3 - 1 ? 0 : from);
		fixture_close(&f);
	}
	assert_true(book->stored > 100 && book->erased > 10);
	assert_int_equal(objects_index_remove(f.dir.path, NULL), 0);
	fixture_open(&f);
	check_notes(&f, book);
	check_book(&f, book, 0);
	fixture_remove(&f);
	free(book);
}

static void
a_killed_writer_loses_nothing_it_was_told_is_durable(void **state)
{
	(void)state;
	crash(OBJECTS_POWER, OBJECTS_SEGMENTS, 1);
}

static void
a_killed_writer_loses_nothing_it_was_told_is_stored(void **state)
{
	(void)state;
	crash(OBJECTS_PROCESS, OBJECTS_SEGMENTS, 2);
}

static void
a_killed_writer_of_a_tree_loses_nothing(void **state)
{
	(void)state;
	crash(OBJECTS_POWER, OBJECTS_FILES, 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_killed_writer_loses_nothing_it_was_told_is_durable),
	    cmocka_unit_test(a_killed_writer_loses_nothing_it_was_told_is_stored),
	    cmocka_unit_test(a_killed_writer_of_a_tree_loses_nothing),
	};

	log_set_level(CAIRN_LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
