/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JOBS_FIXTURE_H
#define JOBS_FIXTURE_H

/* What the jobs' tests share: a directory, a loop, putting and taking on the queue "q". */

#include <uv.h>

#include "base/test.h"
#include "jobs/jobs.h"

struct fixture {
	struct test_dir dir;
	char path[128];
	uv_loop_t loop;
	struct jobs_options options;
	struct jobs *jobs;
	unsigned durable;
	unsigned failed;
	int last_code;
	int failed_code; /* of the last that failed */
	char failed_text[128];
	unsigned woken;
};

/* Setup starts with a back-off of 1 ms; start and stop open and close again. */
int fixture_setup(void **state);
int fixture_teardown(void **state);
void fixture_start(struct fixture *f);
void fixture_stop(struct fixture *f);

/* A jobs_durable_fn that counts; fixture_wait() runs the loop until so many were counted. */
void fixture_on_durable(void *arg, int code, const char *text);
void fixture_wait(struct fixture *f, unsigned count);

int fixture_put(struct fixture *f, const char *queue, const char *key, const char *body);
/* Puts one job a body, each in a call of its own, and waits until all are on disk. */
void fixture_put_all(struct fixture *f, const char *queue, const char *const *bodies);
#define PUT(f, ...) fixture_put_all(f, "q", (const char *const[]){__VA_ARGS__, NULL})

size_t fixture_take(struct fixture *f, struct jobs_taken *ret, size_t max);
/* Takes exactly one job, running the loop until there is one. */
struct jobs_taken fixture_take_one(struct fixture *f);
/* Frees the body. */
void fixture_expect_body(struct jobs_taken *taken, const char *body);
struct jobs_stats fixture_stats(struct fixture *f); /* of the first queue */

#endif
