/* SPDX-License-Identifier: Apache-2.0 */
/* A writer that is killed at any moment loses nothing it committed and leaves nothing half. */
#include "base/test.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "cohort/expr.h"
#include "index.h"
#include "population.h"

#define BATCHES 40
#define BATCH_ITEMS 25
#define KILLS 24

static void
make_items(struct item *items)
{
	uint64_t seed = 11;

	for (size_t i = 0; i < BATCHES * BATCH_ITEMS; i++)
		items[i] = random_item(&seed);
}

/* What is stated of a patient with the batch: the same whenever it is asked for. */
static struct statement
statement_of(size_t number)
{
	uint64_t seed = 1000 + number;

	return random_statement(&seed);
}

static void
add_statement(Cairn__FactBatch *batch, size_t number)
{
	struct statement statement = statement_of(number);
	Cairn__FactBatch *from = batch_of_statement(&statement);

	batch->source = from->source;
	batch->patients = from->patients;
	batch->n_patients = from->n_patients;
	from->source = (char *)(uintptr_t)protobuf_c_empty_string;
	from->patients = NULL;
	from->n_patients = 0;
	batch_free(from);
}

static int
apply_batch(struct index *index, const struct item *items, size_t number)
{
	Cairn__FactBatch *batch = batch_new(items + number * BATCH_ITEMS, BATCH_ITEMS);
	struct index_applied applied = {0};
	struct index_write *write = NULL;
	int code = index_begin(index, &write, NULL);

	add_statement(batch, number);
	if (code == 0)
		code = index_apply(write, batch, &applied, NULL);
	if (code == 0)
		code = index_commit(write, NULL);
	else
		index_abort(write);
	batch_free(batch);
	return code;
}

/* The child: a byte up the pipe for every batch that is committed. */
static void
write_until_killed(const char *dir, const struct item *items, int up)
{
	struct index_options options = {.dir = dir};
	struct index *index = NULL;
	int code = index_open(&index, &options, NULL);

	for (size_t i = 0; i < BATCHES && code == 0; i++) {
		code = apply_batch(index, items, i);
		if (code == 0)
			code = file_write_all(up, "", 1);
	}
	index_close(index);
	_exit(code == 0 ? 0 : 1);
}

/* Kills the child after so many acknowledgements; returns how many there were in all. */
static size_t
run_and_kill(const char *dir, const struct item *items, size_t after)
{
	size_t acknowledged = 0;
	int ends[2], status;
	char byte;
	pid_t child;

	assert_int_equal(pipe(ends), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		close(ends[0]);
		write_until_killed(dir, items, ends[1]);
	}
	close(ends[1]);
	while (acknowledged < after && read(ends[0], &byte, 1) == 1)
		acknowledged++;
	kill(child, SIGKILL);
	while (read(ends[0], &byte, 1) == 1)
		acknowledged++;
	close(ends[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
	return acknowledged;
}

static bool
equals(struct index *index, const struct population *p)
{
	uint64_t seed = 77;
	bool same = true;

	for (int i = 0; i < 12 && same; i++) {
		char text[8192];
		Cairn__Expression *expression = NULL;

		random_expression(&seed, 2, text, sizeof text);
		assert_int_equal(cohort_parse(i == 0 ? "*" : text, &expression, NULL), 0);
		for (unsigned level = 0; level < 4 && same; level++) {
			struct index_count count = {0};

			assert_int_equal(
			    index_count(index, expression, (Cairn__Level)level, NULL, &count, NULL),
			    0);
			same = count.criteria_count > 0 ||
			    count.count == population_count(p, expression, level);
			index_count_fini(&count);
		}
		cairn__expression__free_unpacked(expression, NULL);
	}
	return same;
}

static void
put_batch(struct population *p, const struct item *items, size_t number)
{
	struct statement statement = statement_of(number);

	for (size_t i = 0; i < BATCH_ITEMS; i++)
		population_put(p, &items[number * BATCH_ITEMS + i]);
	population_state(p, &statement);
}

static void
a_killed_writer_leaves_whole_batches_and_all_acknowledged_ones(void **state)
{
	static struct item items[BATCHES * BATCH_ITEMS];
	uint64_t seed = 13;

	(void)state;
	make_items(items);
	for (int round = 0; round < KILLS; round++) {
		struct test_dir dir;
		struct population p = {0};
		struct index_options options;
		struct index *index = NULL;
		struct cairn_error err = {0};
		size_t acknowledged;
		bool good;

		test_dir_make(&dir);
		options = (struct index_options){.dir = dir.path};
		acknowledged = run_and_kill(dir.path, items, random_below(&seed, BATCHES));
		assert_ok(index_open(&index, &options, &err), &err);
		for (size_t i = 0; i < acknowledged; i++)
			put_batch(&p, items, i);
		good = equals(index, &p);
		if (!good && acknowledged < BATCHES) {
			/* Committed, and killed before it could say so. */
			put_batch(&p, items, acknowledged);
			good = equals(index, &p);
		}
		assert_true(good);
		for (size_t i = 0; i < BATCHES; i++) {
			assert_int_equal(apply_batch(index, items, i), 0);
			put_batch(&p, items, i);
		}
		assert_true(equals(index, &p));
		index_close(index);
		population_fini(&p);
		test_dir_remove(&dir);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_killed_writer_leaves_whole_batches_and_all_acknowledged_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
