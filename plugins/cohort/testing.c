/* SPDX-License-Identifier: Apache-2.0 */
#include "testing.h"

#include "cohort/expr.h"

static void
open_index(struct fixture *f, struct index_options options)
{
	struct cairn_error err = {0};

	options.dir = f->dir.path;
	assert_ok(index_open(&f->index, &options, &err), &err);
}

void
fixture_open_with(struct fixture *f, struct index_options options)
{
	test_dir_make(&f->dir);
	open_index(f, options);
}

void
fixture_open(struct fixture *f)
{
	fixture_open_with(f, (struct index_options){.map_size = (size_t)1 << 30});
}

void
fixture_reopen(struct fixture *f)
{
	index_close(f->index);
	open_index(f, (struct index_options){.map_size = (size_t)1 << 30});
}

void
fixture_close(struct fixture *f)
{
	index_close(f->index);
	test_dir_remove(&f->dir);
}

struct index_applied
fixture_put_batch(struct fixture *f, Cairn__FactBatch *batch)
{
	struct cairn_error err = {0};
	struct index_applied applied = {0};
	struct index_write *write = NULL;

	assert_ok(index_begin(f->index, &write, &err), &err);
	assert_ok(index_apply(write, batch, &applied, &err), &err);
	assert_ok(index_commit(write, &err), &err);
	batch_free(batch);
	return applied;
}

struct index_applied
fixture_put(struct fixture *f, const struct item *items, size_t count)
{
	return fixture_put_batch(f, batch_new(items, count));
}

void
distinct_items(struct item *items, size_t count)
{
	uint64_t seed = 5;

	for (size_t i = 0; i < count; i++) {
		items[i] = random_item(&seed);
		items[i].path[3] = (unsigned)i;
	}
}

Cairn__Expression *
parsed(const char *text)
{
	struct cairn_error err = {0};
	Cairn__Expression *expression = NULL;

	assert_ok(cohort_parse(text, &expression, &err), &err);
	return expression;
}

struct index_count
count_of(struct fixture *f, const Cairn__Expression *expression, unsigned level)
{
	struct cairn_error err = {0};
	struct index_count count = {0};

	assert_ok(index_count(f->index, expression, (Cairn__Level)level, NULL, &count, &err), &err);
	return count;
}

uint64_t
count_text(struct fixture *f, const char *text, unsigned level)
{
	Cairn__Expression *expression = parsed(text);
	struct index_count count = count_of(f, expression, level);
	uint64_t result = count.count;

	assert_int_equal(count.criteria_count, 0);
	cairn__expression__free_unpacked(expression, NULL);
	return result;
}
