/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_COMMIT_H
#define LEDGER_COMMIT_H

/*
 * The writing half of the ledger: one group of entries becomes records in one LMDB transaction.
 * After commit_open() it belongs to the worker thread.
 *
 * An index exists only once its group is committed: a group that fails leaves the tree, the chain
 * and the count as they were, and the next group takes the same numbers.
 */

#include <stddef.h>
#include <stdint.h>

#include "ledger/check.h"
#include "ledger/ledger.h"
#include "ledger/store.h"

/* One entry on its way to the disk and back to the loop. */
struct pending {
	struct pending *next;
	ledger_durable_fn durable;
	void *arg;
	uint64_t time_ms;
	uint64_t index; /* valid once committed */
	int code;
	size_t length;
	uint8_t body[];
};

struct committer {
	struct store store;
	struct check state; /* tree, last leaf, signed size, hasher: those of the disk */
	EVP_PKEY *key;      /* borrowed */
	char *anchor;       /* may be NULL */
	uint64_t checkpoint_every;
	uint64_t checkpoint_interval_ms;
	uint64_t unsigned_since_ms; /* monotonic; when the first record without a checkpoint came */
};

int commit_open(
    struct committer *committer, const struct ledger_options *options, struct cairn_error *err);
void commit_close(struct committer *committer);

/* Sets code (and index) of every entry.  Returns the code. */
int commit_group(struct committer *committer, struct pending *group, struct cairn_error *err);

/* Signs what is not yet under a checkpoint; nothing to do is fine. */
int commit_checkpoint(struct committer *committer, struct cairn_error *err);

/* Milliseconds until commit_checkpoint() is due; UINT64_MAX when everything is signed. */
uint64_t commit_checkpoint_wait_ms(const struct committer *committer);

#endif
