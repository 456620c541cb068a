/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A node that is killed at random moments.  The child puts, takes and acknowledges; it tells
 * through a pipe what it may rely on: "put N is durable", and "the acknowledgement of N is durable"
 * (a later put came back: operations get to the disk in order).  The parent kills it, again and
 * again on the same directory, and compares what is left.
 */

#include "jobs/jobs.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/test.h"

#define ROUNDS 60
#define NUMBERS_MAX 400000
#define BATCH 16

struct fixture {
	struct test_dir dir;
	char path[128];
};

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	test_dir_make(&f->dir);
	assert_int_equal(file_join(f->path, sizeof f->path, f->dir.path, "jobs"), 0);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	test_dir_remove(&f->dir);
	free(f);
	return 0;
}

/* ---- the child -------------------------------------------------------------------------- */

enum what { PUT_DURABLE, TAKEN, DONE, DONE_DURABLE };

struct message {
	uint32_t what;
	uint32_t number;
	uint32_t attempt;
};

struct child {
	struct jobs *jobs;
	int fd;
	uint32_t next; /* number of the next job */
};

/* What a durable callback vouches for. */
struct promise {
	struct child *child;
	uint32_t put[BATCH];
	size_t put_count;
	uint32_t done[BATCH];
	size_t done_count;
};

/* A parent that is gone is no failure of the test: the child just ends. */
static void
tell(int fd, enum what what, uint32_t number, uint32_t attempt)
{
	struct message message = {what, number, attempt};

	if (file_write_all(fd, &message, sizeof message) != 0)
		_exit(4);
}

static void
on_durable(void *arg, int code, const char *text)
{
	struct promise *promise = arg;

	(void)text;
	if (code != 0)
		_exit(5);
	for (size_t i = 0; i < promise->put_count; i++)
		tell(promise->child->fd, PUT_DURABLE, promise->put[i], 0);
	for (size_t i = 0; i < promise->done_count; i++)
		tell(promise->child->fd, DONE_DURABLE, promise->done[i], 0);
	free(promise);
}

static void
take_and_finish(struct child *child, struct promise *promise)
{
	struct jobs_taken taken[BATCH];
	uint64_t ids[BATCH];
	size_t count = 0;

	if (jobs_take(child->jobs, "q", taken, BATCH, &count, NULL) != 0)
		_exit(6);
	for (size_t i = 0; i < count; i++) {
		uint32_t number;

		if (taken[i].length != sizeof number)
			_exit(7);
		memcpy(&number, taken[i].body, sizeof number);
		tell(child->fd, TAKEN, number, taken[i].attempt);
		promise->done[promise->done_count++] = number;
		ids[i] = taken[i].id;
		free(taken[i].body);
	}
	/* Some are left taken: they come again after the kill. */
	if (promise->done_count > 0)
		promise->done_count--;
	for (size_t i = 0; i < promise->done_count; i++)
		tell(child->fd, DONE, promise->done[i], 0);
	jobs_done(child->jobs, ids, promise->done_count);
}

static void
put_batch(struct child *child, struct promise *promise)
{
	struct jobs_put_entry entries[BATCH];
	char keys[BATCH][16];

	for (size_t i = 0; i < BATCH; i++) {
		promise->put[i] = child->next++;
		snprintf(keys[i], sizeof keys[i], "key-%u", promise->put[i]);
		entries[i] =
		    (struct jobs_put_entry){"q", keys[i], &promise->put[i], sizeof(uint32_t)};
	}
	promise->put_count = BATCH;
	if (jobs_put(child->jobs, entries, BATCH, on_durable, promise, NULL) != 0)
		_exit(8);
}

static void
run_child(const char *path, int fd, uint32_t next)
{
	struct child child = {.fd = fd, .next = next};
	const struct jobs_options options = {
	    .dir = path, .attempts_max = 1000, .map_size_max = 256u << 20};
	uv_loop_t loop;

	if (uv_loop_init(&loop) != 0 ||
	    jobs_open(&child.jobs, &loop, &options, NULL, NULL, NULL) != 0)
		_exit(3);
	for (;;) {
		struct promise *promise = calloc(1, sizeof *promise);

		if (promise == NULL)
			_exit(9);
		promise->child = &child;
		take_and_finish(&child, promise);
		put_batch(&child, promise);
		uv_run(&loop, UV_RUN_ONCE);
	}
}

/* ---- the parent ------------------------------------------------------------------------- */

struct ledger {
	uint8_t put[NUMBERS_MAX];   /* durable */
	uint8_t acked[NUMBERS_MAX]; /* acknowledged; may come again or not */
	uint8_t done[NUMBERS_MAX];  /* durably acknowledged */
	uint32_t next;              /* above every number that was used */
	unsigned redelivered;
};

static void
note(struct ledger *ledger, const struct message *message)
{
	assert_true(message->number < NUMBERS_MAX);
	if (message->what == TAKEN && ledger->done[message->number] != 0)
		fail_msg(
		    "job %u came again after its acknowledgement was durable", message->number);
	if (message->what == TAKEN)
		ledger->redelivered += message->attempt > 1;
	else if (message->what == PUT_DURABLE)
		ledger->put[message->number] = 1;
	else if (message->what == DONE)
		ledger->acked[message->number] = 1;
	else
		ledger->done[message->number] = 1;
	if (message->number >= ledger->next)
		ledger->next = message->number + 1;
}

/* Runs a child and kills it after so many messages; a signal comes at any moment of its work. */
static void
run_round(struct fixture *f, struct ledger *ledger, unsigned kill_after)
{
	struct message message;
	unsigned seen = 0;
	int pipes[2], status;
	pid_t child;

	assert_int_equal(pipe(pipes), 0);
	child = fork();
	if (child == 0) {
		close(pipes[0]);
		run_child(f->path, pipes[1], ledger->next);
	}
	close(pipes[1]);
	while (file_read_all(pipes[0], &message, sizeof message) == 0) {
		note(ledger, &message);
		if (++seen == kill_after)
			kill(child, SIGKILL);
	}
	close(pipes[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
		fail_msg("the child ended by itself: %d", status);
}

static void
on_closed(void *arg)
{
	(void)arg;
}

static void
deliver(struct ledger *ledger, struct jobs_taken *taken)
{
	uint32_t number;

	memcpy(&number, taken->body, sizeof number);
	free(taken->body);
	assert_true(number < NUMBERS_MAX);
	if (ledger->done[number] != 0)
		fail_msg("job %u came again after its acknowledgement was durable", number);
	ledger->done[number] = 2;
}

/* Takes everything that is left and marks it as delivered. */
static void
drain(struct fixture *f, struct ledger *ledger)
{
	const struct jobs_options options = {
	    .dir = f->path, .attempts_max = 1000, .map_size_max = 256u << 20};
	struct jobs *jobs = NULL;
	struct jobs_taken taken[64];
	struct jobs_stats stats = {.ready = 1};
	struct cairn_error err = {0};
	uv_loop_t loop;
	size_t count;

	assert_int_equal(uv_loop_init(&loop), 0);
	assert_ok(jobs_open(&jobs, &loop, &options, NULL, NULL, &err), &err);
	while (jobs_stats_get(jobs, &stats, 1) == 1 && stats.ready > 0) {
		assert_ok(jobs_take(jobs, "q", taken, 64, &count, &err), &err);
		for (size_t i = 0; i < count; i++) {
			deliver(ledger, &taken[i]);
			jobs_done(jobs, &taken[i].id, 1);
		}
		if (count == 0)
			uv_run(&loop, UV_RUN_ONCE);
	}
	jobs_close(jobs, on_closed, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
}

static void
no_job_is_lost_or_comes_again_over_sixty_kills(void **state)
{
	struct fixture *f = *state;
	struct ledger *ledger = calloc(1, sizeof *ledger);
	uint64_t seed = 11;

	for (unsigned round = 0; round < ROUNDS; round++) {
		seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		ledger->next = round * (NUMBERS_MAX / ROUNDS);
		run_round(f, ledger, 1 + (unsigned)(seed >> 33) % 300);
	}
	assert_true(ledger->redelivered > 0);
	drain(f, ledger);
	for (uint32_t number = 0; number < NUMBERS_MAX; number++)
		if (ledger->put[number] != 0 && ledger->acked[number] == 0 &&
		    ledger->done[number] == 0)
			fail_msg("job %u was durable and is lost", number);
	free(ledger);
}

/* ---- a job that kills the node ---------------------------------------------------------- */

/* Takes jobs until the poison is among them, then dies as a crashed node does: at once, before
 * anything else gets to the disk.  0 when there is nothing left. */
static void
run_poisoned(const char *path)
{
	const struct jobs_options options = {
	    .dir = path, .attempts_max = 4, .map_size_max = 64u << 20};
	struct jobs *jobs = NULL;
	struct jobs_taken taken[4];
	struct jobs_stats stats = {.ready = 1};
	uv_loop_t loop;
	size_t count = 0;

	if (uv_loop_init(&loop) != 0 || jobs_open(&jobs, &loop, &options, NULL, NULL, NULL) != 0)
		_exit(3);
	while (jobs_stats_get(jobs, &stats, 1) == 1 && stats.ready > 0) {
		if (jobs_take(jobs, "q", taken, 4, &count, NULL) != 0)
			_exit(4);
		for (size_t i = 0; i < count; i++) {
			if (memcmp(taken[i].body, "kill", 4) == 0)
				kill(getpid(), SIGKILL);
			jobs_done(jobs, &taken[i].id, 1);
			free(taken[i].body);
		}
		if (count == 0)
			uv_run(&loop, UV_RUN_ONCE);
	}
	jobs_close(jobs, NULL, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	_exit(0);
}

static void
run_filler(const char *path)
{
	const struct jobs_options options = {.dir = path, .map_size_max = 64u << 20};
	struct jobs *jobs = NULL;
	uv_loop_t loop;

	if (uv_loop_init(&loop) != 0 || jobs_open(&jobs, &loop, &options, NULL, NULL, NULL) != 0)
		_exit(3);
	for (unsigned i = 0; i < 12; i++) {
		const struct jobs_put_entry entry = {"q", "", i == 5 ? "kill" : "good", 4};

		if (jobs_put(jobs, &entry, 1, NULL, NULL, NULL) != 0)
			_exit(4);
	}
	jobs_close(jobs, NULL, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	_exit(0);
}

static int
run_in_child(void (*run)(const char *path), const char *path)
{
	int status;
	pid_t child = fork();

	if (child == 0)
		run(path);
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static void
a_job_that_kills_the_node_ends_dead_and_alone(void **state)
{
	struct fixture *f = *state;
	const struct jobs_options options = {.dir = f->path, .map_size_max = 64u << 20};
	struct jobs *jobs = NULL;
	struct jobs_stats stats;
	struct cairn_error err = {0};
	unsigned kills = 0;
	uv_loop_t loop;

	assert_int_equal(run_in_child(run_filler, f->path), 0);
	while (run_in_child(run_poisoned, f->path) != 0)
		assert_true(++kills < 10);
	assert_true(kills >= 4);
	assert_int_equal(uv_loop_init(&loop), 0);
	assert_ok(jobs_open(&jobs, &loop, &options, NULL, NULL, &err), &err);
	assert_int_equal(jobs_stats_get(jobs, &stats, 1), 1);
	assert_int_equal(stats.dead, 1);
	assert_int_equal(stats.done, 11);
	jobs_close(jobs, on_closed, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		no_job_is_lost_or_comes_again_over_sixty_kills, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		a_job_that_kills_the_node_ends_dead_and_alone, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
