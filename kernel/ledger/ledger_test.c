/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger/ledger.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "base/file.h"
#include "ledger/fixture.h"

static struct ledger_reader *
open_reader(struct fixture *f)
{
	struct ledger_reader *reader = NULL;
	struct cairn_error err = {0};

	assert_ok(ledger_reader_open(&reader, f->path, &err), &err);
	return reader;
}

static void
records_say_what_was_appended(void **state)
{
	struct fixture *f = *state;
	struct ledger_reader *reader;
	struct cairn_error err = {0};
	Cairn__Record *record = NULL;

	fixture_fill(f, 3, 3);
	reader = open_reader(f);
	assert_int_equal(ledger_reader_count(reader), 3);
	assert_ok(ledger_reader_get(reader, 2, &record, &err), &err);
	assert_int_equal(record->index, 2);
	assert_true(record->time_ms > 1600000000000u);
	assert_int_equal(record->previous.len, 32);
	assert_string_equal(record->kind, "decision");
	assert_string_equal(record->principal, "researcher@example.org");
	assert_string_equal(record->reason, "reason 2");
	assert_int_equal(record->n_fields, 2);
	assert_string_equal(record->fields[1]->value, "rounded");
	cairn__record__free_unpacked(record, NULL);
	assert_int_equal(ledger_reader_get(reader, 3, &record, &err), CAIRN_ENOTFOUND);
	ledger_reader_close(reader);
}

static void
an_entry_of_nulls_is_a_record(void **state)
{
	struct fixture *f = *state;
	const struct ledger_entry entry = {0};

	fixture_open(f);
	assert_int_equal(ledger_append(f->ledger, &entry, NULL, NULL, NULL), 0);
	assert_int_equal(fixture_append(f, "after"), 0);
	f->next_index = 1;
	fixture_wait(f, 1);
	assert_int_equal(ledger_count(f->ledger), 2);
}

static void
numbering_goes_on_after_a_restart(void **state)
{
	struct fixture *f = *state;
	EVP_PKEY *key = f->key;
	struct ledger_report report;
	struct cairn_error err = {0};

	for (unsigned round = 1; round <= 9; round++) {
		fixture_fill(f, round, 2);
		assert_ok(ledger_verify(f->path, key, &report, NULL, NULL, &err), &err);
		assert_int_equal(report.records, round * (round + 1) / 2);
		assert_int_equal(report.checkpoints, round);
		assert_int_equal(report.unsigned_records, 0);
	}
}

static void
closing_commits_what_waits(void **state)
{
	struct fixture *f = *state;

	fixture_open(f);
	fixture_append_many(f, 500);
	fixture_close(f);
	assert_int_equal(f->called, 500);
	assert_int_equal(f->failed, 0);
}

static void
append_after_close_is_refused(void **state)
{
	struct fixture *f = *state;
	struct ledger *ledger;

	fixture_open(f);
	ledger = f->ledger;
	ledger_close(ledger, NULL, NULL);
	assert_int_equal(fixture_append(f, "late"), CAIRN_ECANCELLED);
	f->ledger = NULL;
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(f->called, 0);
}

static void
append_in_a_durable_callback(void *arg, int code, uint64_t index)
{
	struct fixture *f = arg;

	assert_int_equal(code, 0);
	assert_int_equal(index, 0);
	f->next_index = 1;
	assert_int_equal(fixture_append(f, "from the callback"), 0);
}

static void
durable_callbacks_may_append(void **state)
{
	struct fixture *f = *state;
	const struct ledger_entry entry = {.kind = "node"};

	fixture_open(f);
	assert_int_equal(
	    ledger_append(f->ledger, &entry, append_in_a_durable_callback, f, NULL), 0);
	fixture_wait(f, 1);
	assert_int_equal(ledger_count(f->ledger), 2);
}

/* 64 KiB is the limit for one entry; the record before and after are untouched by the refusal. */
static void
an_oversized_entry_is_refused(void **state)
{
	struct fixture *f = *state;
	char *large = calloc(1, 70000);
	struct cairn_error err = {0};
	const struct ledger_entry many = {.kind = "decision", .field_count = 257};

	memset(large, 'x', 69999);
	fixture_open(f);
	assert_int_equal(fixture_append(f, large), CAIRN_ELIMIT);
	large[65000] = 0;
	assert_int_equal(fixture_append(f, large), 0);
	assert_int_equal(ledger_append(f->ledger, &many, NULL, NULL, &err), CAIRN_ELIMIT);
	fixture_wait(f, 1);
	assert_int_equal(f->failed, 0);
	free(large);
}

/* Without the loop running nothing is handed back, but the worker empties the queue: only what is
 * not yet committed counts, so that some appends beyond the limit may succeed. */
static void
a_flood_is_refused_or_committed(void **state)
{
	struct fixture *f = *state;
	uint64_t accepted = 0;
	bool refused = false;

	fixture_open(f);
	for (unsigned i = 0; i < 600000 && !refused; i++) {
		int code = fixture_append(f, "flood");

		refused = code == CAIRN_ELIMIT;
		accepted += code == 0;
	}
	assert_true(refused || accepted == 600000);
	fixture_wait(f, accepted);
	assert_int_equal(f->failed, 0);
	assert_int_equal(ledger_count(f->ledger), accepted);
}

static void
checkpoints_come_every_so_many_records(void **state)
{
	struct fixture *f = *state;
	EVP_PKEY *key = f->key;
	struct ledger_report report;
	struct cairn_error err = {0};

	f->options.checkpoint_every = 10;
	fixture_fill(f, 100, 5);
	assert_ok(ledger_verify(f->path, key, &report, NULL, NULL, &err), &err);
	assert_int_equal(report.checkpoints, 10);
}

static void
a_checkpoint_comes_after_the_interval(void **state)
{
	struct fixture *f = *state;
	struct ledger_reader *reader = NULL;
	struct cairn_error err = {0};
	char *note = NULL;
	uint64_t size = 0;
	uint8_t root[32], expected[32];

	f->options.checkpoint_interval_s = 1;
	fixture_open(f);
	fixture_append_many(f, 3);
	fixture_wait(f, 3);
	assert_ok(ledger_reader_attach(&reader, f->ledger, &err), &err);
	assert_int_equal(ledger_reader_checkpoint(reader, &note, &err), CAIRN_ENOTFOUND);
	for (uint64_t until = uv_hrtime() + 20000000000u; note == NULL && uv_hrtime() < until;)
		ledger_reader_checkpoint(reader, &note, NULL);
	assert_non_null(note);
	assert_ok(ledger_checkpoint_verify(note, f->key, &size, root, &err), &err);
	assert_int_equal(size, 3);
	assert_ok(ledger_reader_root(reader, 3, expected, &err), &err);
	assert_memory_equal(root, expected, 32);
	free(note);
	ledger_reader_close(reader);
}

/* As if the directory were lost, or an old copy put in its place. */
static void
a_ledger_that_lost_signed_records_is_not_opened(void **state)
{
	struct fixture *f = *state;
	struct ledger *again = NULL;
	struct cairn_error err = {0};
	struct test_dir elsewhere;
	char anchor[PATH_MAX], other[PATH_MAX];
	const char *dir = f->options.dir;

	test_dir_make(&elsewhere);
	assert_int_equal(file_join(anchor, sizeof anchor, elsewhere.path, "anchor"), 0);
	assert_int_equal(file_join(other, sizeof other, elsewhere.path, "ledger"), 0);
	f->options.anchor = anchor;
	fixture_open(f);
	fixture_append_many(f, 5);
	fixture_close(f);
	fixture_open(f);
	fixture_close(f);
	f->options.dir = other;
	assert_int_equal(ledger_open(&again, &f->loop, &f->options, &err), CAIRN_ECORRUPT);
	assert_non_null(strstr(err.text, "does not hold the 5 records"));
	assert_int_equal(unlink(anchor), 0);
	fixture_open(f);
	assert_int_equal(ledger_count(f->ledger), 0);
	fixture_close(f);
	f->options.dir = dir;
	f->options.anchor = NULL;
	test_dir_remove(&elsewhere);
}

static void
a_second_writer_is_refused(void **state)
{
	struct fixture *f = *state;
	struct ledger *second = NULL;
	struct cairn_error err = {0};

	fixture_open(f);
	assert_int_equal(ledger_open(&second, &f->loop, &f->options, &err), CAIRN_EUNAVAILABLE);
	assert_non_null(strstr(err.text, "in use"));
}

static void
the_writing_process_must_read_through_the_ledger(void **state)
{
	struct fixture *f = *state;
	struct ledger_reader *reader = NULL;
	struct cairn_error err = {0};

	fixture_open(f);
	assert_int_equal(ledger_reader_open(&reader, f->path, &err), CAIRN_EINVAL);
	assert_ok(ledger_reader_attach(&reader, f->ledger, &err), &err);
	fixture_append_many(f, 5);
	fixture_wait(f, 5);
	assert_int_equal(ledger_reader_count(reader), 5);
	ledger_reader_close(reader);
}

/* Another process reads and proves while this one writes. */
static void
another_process_reads_while_the_node_runs(void **state)
{
	struct fixture *f = *state;
	int status = 0;
	pid_t child;

	fixture_open(f);
	fixture_append_many(f, 50);
	fixture_wait(f, 50);
	child = fork();
	if (child == 0) {
		struct ledger_report report = {0};
		struct cairn_error err = {0};
		int code = ledger_verify(f->path, f->key, &report, NULL, NULL, &err);

		_exit(code == 0 && report.records >= 50 ? 0 : 1);
	}
	fixture_append_many(f, 200);
	fixture_wait(f, 250);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void
the_ledger_of_another_node_is_refused(void **state)
{
	struct fixture *f = *state;
	struct cairn_error err = {0};

	fixture_fill(f, 3, 3);
	f->options.origin = "site-2.example.org";
	assert_int_equal(ledger_open(&f->ledger, &f->loop, &f->options, &err), CAIRN_EINVAL);
	assert_non_null(strstr(err.text, "site-1.example.org"));
}

static void
the_ledger_signed_with_another_key_is_refused(void **state)
{
	struct fixture *f = *state;
	struct cairn_error err = {0};
	EVP_PKEY *other = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");

	fixture_fill(f, 3, 3);
	f->options.key = other;
	assert_int_equal(ledger_open(&f->ledger, &f->loop, &f->options, &err), CAIRN_ECORRUPT);
	assert_non_null(strstr(err.text, "cairn ledger verify"));
	EVP_PKEY_free(other);
}

static void
a_key_that_cannot_sign_is_refused_at_opening(void **state)
{
	struct fixture *f = *state;
	struct cairn_error err = {0};
	EVP_PKEY *wrong = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");

	f->options.key = wrong;
	assert_int_not_equal(ledger_open(&f->ledger, &f->loop, &f->options, &err), 0);
	assert_null(f->ledger);
	assert_non_null(strstr(err.text, "Ed25519"));
	EVP_PKEY_free(wrong);
}

/* A reader is at peace with a file that ends early: no SIGBUS, an error that says what to do. */
static void
a_file_that_was_cut_off_is_refused(void **state)
{
	struct fixture *f = *state;
	struct cairn_error err = {0};
	struct ledger_report report;
	struct stat st;
	char path[256];

	fixture_fill(f, 2000, 500);
	assert_int_equal(file_join(path, sizeof path, f->path, "data.mdb"), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(truncate(path, st.st_size / 2), 0);
	assert_int_equal(ledger_open(&f->ledger, &f->loop, &f->options, &err), CAIRN_ECORRUPT);
	assert_non_null(strstr(err.text, "backup"));
	assert_int_equal(ledger_verify(f->path, f->key, &report, NULL, NULL, &err), CAIRN_ECORRUPT);
}

/* ---- a full disk ------------------------------------------------------------------------ */

static void
limit_file_size(rlim_t bytes)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* RLIMIT_FSIZE makes the write fail as a full disk does (EFBIG for ENOSPC). */
static void
appends_fail_on_a_full_disk_and_work_again(void **state)
{
	struct fixture *f = *state;
	EVP_PKEY *key = f->key;
	struct ledger_report report;
	struct cairn_error err = {0};
	uint64_t durable;
	struct stat st;
	char path[256];

	signal(SIGXFSZ, SIG_IGN);
	fixture_open(f);
	fixture_append_many(f, 10);
	fixture_wait(f, 10);
	assert_int_equal(file_join(path, sizeof path, f->path, "data.mdb"), 0);
	assert_int_equal(stat(path, &st), 0);
	limit_file_size((rlim_t)st.st_size + 8192);
	for (unsigned i = 0; i < 20; i++) {
		uint64_t called = f->called;

		fixture_append_many(f, 50);
		fixture_wait(f, called + 50);
	}
	assert_true(f->failed > 0);
	assert_int_equal(f->last_code, CAIRN_EIO);
	durable = f->called - f->failed;
	assert_int_equal(ledger_count(f->ledger), durable);
	limit_file_size(RLIM_INFINITY);
	f->failed = 0;
	fixture_append_many(f, 100);
	fixture_wait(f, f->called + 100);
	assert_int_equal(f->failed, 0);
	fixture_close(f);
	assert_ok(ledger_verify(f->path, key, &report, NULL, NULL, &err), &err);
	assert_int_equal(report.records, durable + 100);
}

static void
a_full_map_is_a_limit_and_a_larger_one_goes_on(void **state)
{
	struct fixture *f = *state;
	EVP_PKEY *key = f->key;
	struct ledger_report report;
	struct cairn_error err = {0};
	uint64_t durable;

	f->options.map_size_max = 128u << 10;
	fixture_open(f);
	while (f->failed == 0) {
		uint64_t called = f->called;

		fixture_append_many(f, 20);
		fixture_wait(f, called + 20);
	}
	assert_int_equal(f->last_code, CAIRN_ELIMIT);
	durable = ledger_count(f->ledger);
	assert_int_equal(durable, f->called - f->failed);
	fixture_close(f);
	f->options.map_size_max = 8u << 20;
	f->failed = 0;
	fixture_fill(f, 100, 50);
	assert_int_equal(f->failed, 0);
	assert_ok(ledger_verify(f->path, key, &report, NULL, NULL, &err), &err);
	assert_int_equal(report.records, durable + 100);
}

/* ---- a killed node ---------------------------------------------------------------------- */

static void
tell_durable(void *arg, int code, uint64_t index)
{
	const int *fd = arg;

	if (code == 0 && write(*fd, &index, sizeof index) != sizeof index)
		_exit(3);
}

static void
append_for_ever(struct fixture *f, int fd)
{
	const struct ledger_entry entry = {.kind = "decision", .subject = "cohort.count"};
	uv_loop_t loop;

	if (uv_loop_init(&loop) != 0 || ledger_open(&f->ledger, &loop, &f->options, NULL) != 0)
		_exit(2);
	for (;;) {
		for (unsigned i = 0; i < 20; i++)
			ledger_append(f->ledger, &entry, tell_durable, &fd, NULL);
		uv_run(&loop, UV_RUN_ONCE);
	}
}

/* Reads what the child called durable; kills it when `kill_after` were. */
static uint64_t
run_and_kill(struct fixture *f, unsigned kill_after)
{
	uint64_t index, highest = 0;
	unsigned seen = 0;
	int pipes[2], status;
	pid_t child;

	assert_int_equal(pipe(pipes), 0);
	child = fork();
	if (child == 0) {
		close(pipes[0]);
		append_for_ever(f, pipes[1]);
	}
	close(pipes[1]);
	while (read(pipes[0], &index, sizeof index) == sizeof index) {
		highest = index;
		if (++seen == kill_after)
			kill(child, SIGKILL);
	}
	close(pipes[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	return highest;
}

static void
a_killed_node_loses_no_durable_record(void **state)
{
	struct fixture *f = *state;
	struct ledger_report report;
	struct cairn_error err = {0};

	f->options.checkpoint_every = 50;
	for (unsigned round = 0; round < 25; round++) {
		uint64_t highest = run_and_kill(f, 1 + round * 37 % 211);

		assert_ok(ledger_verify(f->path, f->key, &report, NULL, NULL, &err), &err);
		assert_true(report.records > highest);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(records_say_what_was_appended),
	    TEST(an_entry_of_nulls_is_a_record),
	    TEST(numbering_goes_on_after_a_restart),
	    TEST(closing_commits_what_waits),
	    TEST(append_after_close_is_refused),
	    TEST(durable_callbacks_may_append),
	    TEST(an_oversized_entry_is_refused),
	    TEST(a_flood_is_refused_or_committed),
	    TEST(checkpoints_come_every_so_many_records),
	    TEST(a_checkpoint_comes_after_the_interval),
	    TEST(a_ledger_that_lost_signed_records_is_not_opened),
	    TEST(a_second_writer_is_refused),
	    TEST(the_writing_process_must_read_through_the_ledger),
	    TEST(another_process_reads_while_the_node_runs),
	    TEST(the_ledger_of_another_node_is_refused),
	    TEST(the_ledger_signed_with_another_key_is_refused),
	    TEST(a_key_that_cannot_sign_is_refused_at_opening),
	    TEST(a_file_that_was_cut_off_is_refused),
	    TEST(appends_fail_on_a_full_disk_and_work_again),
	    TEST(a_full_map_is_a_limit_and_a_larger_one_goes_on),
	    TEST(a_killed_node_loses_no_durable_record),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
