/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JOBS_JOURNAL_H
#define JOBS_JOURNAL_H

/*
 * Operations to disk.  After journal_open() a journal belongs to the worker thread.
 *
 * A transaction that fails leaves everything as it was: ids, key rings and counters are changed in
 * copies that become valid with the commit.
 */

#include <stdbool.h>

#include <openssl/types.h>

#include "jobs/keyring.h"
#include "jobs/op.h"
#include "jobs/store.h"

struct journal {
	struct store store;
	EVP_MD *md;
	EVP_MD_CTX *md_ctx;
	uint64_t keys_remembered;
	uint64_t map_size_max;
	uint64_t next_id;
	size_t queue_count;
	struct queue_row rows[QUEUES_MAX]; /* as on disk */
	struct queue_row next[QUEUES_MAX]; /* in the transaction under way */
	bool dirty[QUEUES_MAX];
	struct keyring rings[QUEUES_MAX];
	bool unclean; /* the node before did not close: what was in flight may have killed it */
};

/* What journal_open() found, in the order of ids. */
struct journal_found {
	void *arg;
	int (*queue)(void *arg, uint16_t number, const struct queue_row *row);
	int (*job)(void *arg, struct job_item item, bool dead);
};

int journal_open(struct journal *journal, const struct jobs_options *options,
    const struct journal_found *found, struct cairn_error *err);
void journal_close(struct journal *journal);

/* One transaction of all operations, or of all but puts.  Sets `code` (and `text`) of a put that
 * the maximum size refuses; the others go on. */
int journal_commit(
    struct journal *journal, const struct op_list *ops, bool with_puts, struct cairn_error *err);

#endif
