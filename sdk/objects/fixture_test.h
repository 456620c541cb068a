/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OBJECTS_FIXTURE_TEST_H
#define OBJECTS_FIXTURE_TEST_H

/* A store in a temporary directory, with a loop of its own, for the tests. */

#include "base/test.h"

#include <uv.h>

#include "objects/engine.h"

struct fixture {
	struct test_dir dir;
	uv_loop_t loop;
	struct objects_options options;
	struct objects_io io;
	struct objects *objects;
	unsigned answers; /* callbacks that came */
	int code;         /* of the last one */
	struct objects_ref ref;
};

void fixture_make(struct fixture *fixture);
void fixture_open(struct fixture *fixture);
int fixture_try(struct fixture *fixture); /* the code of objects_open */
void fixture_close(struct fixture *fixture);
void fixture_remove(struct fixture *fixture); /* closes first, if open */

/* Bytes that depend on the key alone, so that any process can check them. */
void fixture_bytes(const char *key, uint8_t *ret, size_t length);

/* Begins, writes and commits; the callback counts in fixture->answers. */
int fixture_push(struct fixture *fixture, const char *key, size_t length, const char *note);
/* The same with a path, then waits for the answer and returns its code. */
int fixture_put_at(
    struct fixture *fixture, const char *key, const char *path, size_t length, const char *note);
int fixture_put(struct fixture *fixture, const char *key, size_t length, const char *note);
int fixture_erase(struct fixture *fixture, const char *key);
void fixture_answered(void *arg, int code, const struct objects_ref *ref);
/* Runs the loop until `count` callbacks have come. */
void fixture_wait(struct fixture *fixture, unsigned count);

/* Runs `body` with a loop of its own in another process, which then just ends, as if killed. */
void fixture_abandon(struct fixture *fixture, void (*body)(struct fixture *fixture));

/* 0 when `key` can be read and has fixture_bytes(); the code of find or get otherwise. */
int fixture_check(struct objects_reader *reader, const char *key);
/* The same in a process of its own, which opens a reader. */
int fixture_check_apart(struct fixture *fixture, const char *key);
/* With a reader that shares the open store. */
int fixture_check_here(struct fixture *fixture, const char *key);

/* dir/NAME into `ret`. */
void fixture_path(const struct fixture *fixture, const char *name, char ret[256]);
long fixture_file_size(const char *path);
void fixture_flip(const char *path, long offset);

#endif
