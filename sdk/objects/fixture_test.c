/* SPDX-License-Identifier: Apache-2.0 */
#include "objects/fixture_test.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

void
fixture_make(struct fixture *fixture)
{
	memset(fixture, 0, sizeof *fixture);
	test_dir_make(&fixture->dir);
	assert_int_equal(uv_loop_init(&fixture->loop), 0);
	fixture->options.dir = fixture->dir.path;
	fixture->io = objects_io_system;
}

int
fixture_try(struct fixture *fixture)
{
	struct cairn_error err = {0};

	return objects_open_io(
	    &fixture->objects, &fixture->loop, &fixture->options, &fixture->io, &err);
}

void
fixture_open(struct fixture *fixture)
{
	struct cairn_error err = {0};

	assert_ok(objects_open_io(
		      &fixture->objects, &fixture->loop, &fixture->options, &fixture->io, &err),
	    &err);
}

static void
on_closed(void *arg)
{
	struct fixture *fixture = arg;

	fixture->objects = NULL;
}

void
fixture_close(struct fixture *fixture)
{
	objects_close(fixture->objects, on_closed, fixture);
	uv_run(&fixture->loop, UV_RUN_DEFAULT);
	assert_null(fixture->objects);
}

void
fixture_remove(struct fixture *fixture)
{
	if (fixture->objects != NULL)
		fixture_close(fixture);
	assert_int_equal(uv_loop_close(&fixture->loop), 0);
	test_dir_remove(&fixture->dir);
}

void
fixture_bytes(const char *key, uint8_t *ret, size_t length)
{
	uint32_t state = 2166136261u;

	for (; *key != 0; key++)
		state = (state ^ (uint8_t)*key) * 16777619u;
	for (size_t i = 0; i < length; i++) {
		state = state * 1664525u + 1013904223u;
		ret[i] = (uint8_t)(state >> 24);
	}
}

void
fixture_answered(void *arg, int code, const struct objects_ref *ref)
{
	struct fixture *fixture = arg;

	fixture->answers++;
	fixture->code = code;
	if (ref != NULL)
		fixture->ref = *ref;
}

static int
push_at(struct fixture *fixture, const char *key, const char *path, size_t length, const char *note)
{
	uint8_t *bytes = malloc(length + 1);
	struct objects_put *put = NULL;
	int code = objects_begin(fixture->objects, key, path, &put, NULL, NULL);

	assert_non_null(bytes);
	fixture_bytes(key, bytes, length);
	for (size_t at = 0; code == 0 && at < length;) {
		size_t piece = length - at < 60000 ? length - at : 60000;

		code = objects_write(put, bytes + at, piece, NULL);
		at += piece;
	}
	free(bytes);
	if (code != 0) {
		objects_abort(put);
		return code;
	}
	return objects_commit(
	    put, note, note == NULL ? 0 : strlen(note), fixture_answered, fixture, NULL);
}

int
fixture_push(struct fixture *fixture, const char *key, size_t length, const char *note)
{
	return push_at(fixture, key, NULL, length, note);
}

void
fixture_wait(struct fixture *fixture, unsigned count)
{
	while (fixture->answers < count)
		uv_run(&fixture->loop, UV_RUN_ONCE);
}

int
fixture_put_at(
    struct fixture *fixture, const char *key, const char *path, size_t length, const char *note)
{
	int code = push_at(fixture, key, path, length, note);

	if (code != 0)
		return code;
	fixture_wait(fixture, fixture->answers + 1);
	return fixture->code;
}

int
fixture_put(struct fixture *fixture, const char *key, size_t length, const char *note)
{
	return fixture_put_at(fixture, key, NULL, length, note);
}

int
fixture_erase(struct fixture *fixture, const char *key)
{
	int code = objects_erase(fixture->objects, key, fixture_answered, fixture, NULL);

	if (code != 0)
		return code;
	fixture_wait(fixture, fixture->answers + 1);
	return fixture->code;
}

void
fixture_abandon(struct fixture *fixture, void (*body)(struct fixture *fixture))
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		memset(&fixture->loop, 0, sizeof fixture->loop);
		uv_loop_init(&fixture->loop);
		body(fixture);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

struct gathered {
	uint8_t *bytes;
	size_t length;
};

static int
gather(void *arg, const uint8_t *bytes, size_t length)
{
	struct gathered *gathered = arg;

	gathered->bytes = realloc(gathered->bytes, gathered->length + length);
	memcpy(gathered->bytes + gathered->length, bytes, length);
	gathered->length += length;
	return 0;
}

int
fixture_check(struct objects_reader *reader, const char *key)
{
	struct gathered got = {0};
	struct objects_ref ref;
	uint8_t *expected;
	int code = objects_reader_find(reader, key, &ref, NULL);

	if (code == 0)
		code = objects_reader_get(reader, &ref, gather, &got, NULL);
	if (code == 0) {
		expected = malloc(got.length + 1);
		fixture_bytes(key, expected, got.length);
		if (got.length != ref.length || strcmp(ref.key, key) != 0 ||
		    (got.length > 0 && memcmp(got.bytes, expected, got.length) != 0))
			code = CAIRN_EINTERNAL;
		free(expected);
	}
	free(got.bytes);
	return code;
}

int
fixture_check_apart(struct fixture *fixture, const char *key)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		struct objects_reader *reader = NULL;
		int code = objects_reader_open(&reader, fixture->dir.path, NULL);

		if (code == 0)
			code = fixture_check(reader, key);
		_exit(-code);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return -WEXITSTATUS(status);
}

int
fixture_check_here(struct fixture *fixture, const char *key)
{
	struct objects_reader *reader = NULL;
	int code = objects_reader_share(&reader, fixture->objects, NULL);

	if (code == 0)
		code = fixture_check(reader, key);
	objects_reader_close(reader);
	return code;
}

void
fixture_path(const struct fixture *fixture, const char *name, char ret[256])
{
	snprintf(ret, 256, "%s/%s", fixture->dir.path, name);
}

long
fixture_file_size(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? (long)st.st_size : -1;
}

void
fixture_flip(const char *path, long offset)
{
	FILE *file = fopen(path, "r+b");
	int byte;

	assert_non_null(file);
	fseek(file, offset, SEEK_SET);
	byte = fgetc(file);
	assert_int_not_equal(byte, EOF);
	fseek(file, offset, SEEK_SET);
	fputc(byte ^ 1, file);
	fclose(file);
}
