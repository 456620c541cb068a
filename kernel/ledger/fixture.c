/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger/fixture.h"

#include <openssl/evp.h>

#include "base/file.h"

int
fixture_setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	test_dir_make(&f->dir);
	assert_int_equal(file_join(f->path, sizeof f->path, f->dir.path, "ledger"), 0);
	f->key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	assert_non_null(f->key);
	assert_int_equal(uv_loop_init(&f->loop), 0);
	f->options = (struct ledger_options){.dir = f->path,
	    .origin = "site-1.example.org",
	    .key = f->key,
	    .map_size_max = 256u << 20};
	*state = f;
	return 0;
}

int
fixture_teardown(void **state)
{
	struct fixture *f = *state;

	if (f->ledger != NULL)
		fixture_close(f);
	assert_int_equal(uv_loop_close(&f->loop), 0);
	EVP_PKEY_free(f->key);
	test_dir_remove(&f->dir);
	free(f);
	return 0;
}

void
fixture_open(struct fixture *f)
{
	struct cairn_error err = {0};

	assert_ok(ledger_open(&f->ledger, &f->loop, &f->options, &err), &err);
	f->next_index = ledger_count(f->ledger);
}

static void
on_closed(void *arg)
{
	*(bool *)arg = true;
}

void
fixture_close(struct fixture *f)
{
	bool closed = false;

	ledger_close(f->ledger, on_closed, &closed);
	f->ledger = NULL;
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_true(closed);
}

static void
on_durable(void *arg, int code, uint64_t index)
{
	struct fixture *f = arg;

	f->called++;
	f->last_code = code;
	if (code != 0)
		f->failed++;
	else
		assert_int_equal(index, f->next_index++);
}

int
fixture_append(struct fixture *f, const char *reason)
{
	const struct ledger_field fields[] = {{"minimum_cell", "10"}, {"answer", "rounded"}};
	const struct ledger_entry entry = {.kind = "decision",
	    .request_id = "r-17",
	    .subject = "cohort.count",
	    .principal = "researcher@example.org",
	    .purpose = "research",
	    .verdict = "permit",
	    .rule = "purposes.lua:12",
	    .reason = reason,
	    .fields = fields,
	    .field_count = 2};

	return ledger_append(f->ledger, &entry, on_durable, f, NULL);
}

void
fixture_append_many(struct fixture *f, unsigned count)
{
	char reason[64];

	for (unsigned i = 0; i < count; i++) {
		snprintf(reason, sizeof reason, "reason %u", i);
		assert_int_equal(fixture_append(f, reason), 0);
	}
}

void
fixture_wait(struct fixture *f, uint64_t called)
{
	while (f->called < called)
		uv_run(&f->loop, UV_RUN_ONCE);
}

void
fixture_fill(struct fixture *f, unsigned count, unsigned group)
{
	uint64_t called = f->called;

	fixture_open(f);
	for (unsigned at = 0; at < count; at += group) {
		fixture_append_many(f, count - at < group ? count - at : group);
		fixture_wait(f, called + (count - at < group ? count : at + group));
	}
	fixture_close(f);
}
