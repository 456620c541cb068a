/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_FIXTURE_H
#define LEDGER_FIXTURE_H

/* What the ledger's tests share: a key, a directory, a loop, appending and waiting. */

#include <uv.h>

#include "base/test.h"
#include "ledger/ledger.h"

struct fixture {
	struct test_dir dir;
	char path[128]; /* of the ledger */
	EVP_PKEY *key;
	uv_loop_t loop;
	struct ledger_options options;
	struct ledger *ledger;
	/* What the durable callbacks said. */
	uint64_t called;
	uint64_t failed;
	int last_code;
	uint64_t next_index; /* expected of the next record that is durable */
};

int fixture_setup(void **state);
int fixture_teardown(void **state);

void fixture_open(struct fixture *f);
/* Closes and runs the loop until `closed` was called. */
void fixture_close(struct fixture *f);
/* Appends; the durable callback checks code and order. */
int fixture_append(struct fixture *f, const char *reason);
void fixture_append_many(struct fixture *f, unsigned count);
/* Runs the loop until every callback was called. */
void fixture_wait(struct fixture *f, uint64_t called);
/* Opens, appends `count` records in groups of at most `group`, closes. */
void fixture_fill(struct fixture *f, unsigned count, unsigned group);

#endif
