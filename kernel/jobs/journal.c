/* SPDX-License-Identifier: Apache-2.0 */
#include "jobs/journal.h"

#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>

#include "ledger/env.h"

#define ROOM_SPARE (64u << 10)
#define OVERFLOW_FROM 1024 /* longer records take whole pages */
#define PAGE 4096

/* One transaction under way. */
struct commit {
	struct journal *journal;
	MDB_txn *txn;
	uint64_t next_id;
	uint64_t bytes; /* estimate of what its puts take */
};

/* ---- room ------------------------------------------------------------------------------- */

/* The map is larger than the maximum by a reserve that only acknowledgements use: LMDB needs new
 * pages even to delete, and a full queue must be able to empty itself. */

static uint64_t
estimate(const struct op *op)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < op->count; i++)
		bytes += op->jobs[i].record_length + 128 +
		    (op->jobs[i].record_length > OVERFLOW_FROM ? PAGE : 0);
	return bytes;
}

/* The free pages of the last commit, from LMDB's own list (readable in a read transaction). */
static uint64_t
free_bytes(MDB_env *env, size_t page_size)
{
	MDB_txn *txn;
	MDB_cursor *cursor;
	MDB_val key, value;
	size_t pages = 0, part;

	if (mdb_txn_begin(env, NULL, MDB_RDONLY, &txn) != 0)
		return 0;
	if (mdb_cursor_open(txn, 0, &cursor) == 0) {
		while (mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0) {
			memcpy(&part, value.mv_data, sizeof part);
			pages += part;
		}
		mdb_cursor_close(cursor);
	}
	mdb_txn_abort(txn);
	return (uint64_t)pages * page_size;
}

static bool
has_room(struct commit *commit, uint64_t bytes)
{
	struct journal *journal = commit->journal;
	MDB_envinfo info;
	MDB_stat stat;
	uint64_t used;

	if (mdb_env_info(journal->store.env, &info) != 0 ||
	    mdb_env_stat(journal->store.env, &stat) != 0)
		return false;
	used = ((uint64_t)info.me_last_pgno + 1) * stat.ms_psize;
	if (used + commit->bytes + bytes + ROOM_SPARE <= journal->map_size_max)
		return true;
	return free_bytes(journal->store.env, stat.ms_psize) >=
	    2 * (commit->bytes + bytes) + ROOM_SPARE;
}

/* ---- operations; each returns LMDB's result --------------------------------------------- */

static int
hash_key(struct journal *journal, const struct op_job *job, uint8_t ret[KEYRING_HASH])
{
	uint8_t digest[EVP_MAX_MD_SIZE];

	if (EVP_DigestInit_ex2(journal->md_ctx, journal->md, NULL) != 1 ||
	    EVP_DigestUpdate(journal->md_ctx, job->key, job->key_length) != 1 ||
	    EVP_DigestFinal_ex(journal->md_ctx, digest, NULL) != 1)
		return ENOMEM;
	memcpy(ret, digest, KEYRING_HASH);
	return 0;
}

/* Remembers the job's key; `*ret_seen` when it is remembered already. */
static int
put_key(struct commit *commit, const struct op_job *job, bool *ret_seen)
{
	struct journal *journal = commit->journal;
	struct keyring *ring = &journal->rings[job->queue];
	uint8_t hash[KEYRING_HASH], number[RING_KEY_BYTES];
	MDB_val key = {sizeof number, number}, value = {sizeof hash, hash};
	int rc;

	*ret_seen = false;
	if (job->key_length == 0)
		return 0;
	rc = hash_key(journal, job, hash);
	if (rc != 0)
		return rc;
	*ret_seen = keyring_has(ring, hash);
	if (*ret_seen)
		return 0;
	ring_key_encode(number, job->queue, ring->next);
	if (keyring_push(ring, hash) != 0)
		return ENOMEM;
	return mdb_put(commit->txn, journal->store.keys, &key, &value, 0);
}

static int
put_job(struct commit *commit, struct op_job *job)
{
	uint8_t number[ENV_KEY_BYTES];
	MDB_val key = {sizeof number, number};
	MDB_val value = {job->record_length, (void *)(uintptr_t)job->record};
	bool seen;
	int rc = put_key(commit, job, &seen);

	job->id = 0;
	commit->journal->dirty[job->queue] = true;
	if (rc != 0 || seen)
		return rc;
	job->id = commit->next_id++;
	env_key_put(number, job->id);
	return mdb_put(commit->txn, commit->journal->store.jobs, &key, &value, MDB_APPEND);
}

static int
apply_put(struct commit *commit, struct op *op)
{
	uint64_t bytes = estimate(op);
	int rc = 0;

	op->code = 0;
	if (!has_room(commit, bytes)) {
		op->code = CAIRN_ELIMIT;
		snprintf(
		    op->text, sizeof op->text, "the jobs have reached their maximum size on disk");
		return 0;
	}
	commit->bytes += bytes;
	for (size_t i = 0; i < op->count && rc == 0; i++)
		rc = put_job(commit, &op->jobs[i]);
	return rc;
}

static int
apply_done(struct commit *commit, const struct op *op)
{
	struct journal *journal = commit->journal;
	uint8_t number[ENV_KEY_BYTES];

	for (size_t i = 0; i < op->count; i++) {
		MDB_val key = {sizeof number, number};
		int rc;

		env_key_put(number, op->items[i].id);
		rc = mdb_del(commit->txn, journal->store.jobs, &key, NULL);
		if (rc == 0) {
			journal->next[op->items[i].queue].done++;
			journal->dirty[op->items[i].queue] = true;
			rc = mdb_del(commit->txn, journal->store.states, &key, NULL);
		}
		if (rc != 0 && rc != MDB_NOTFOUND)
			return rc;
	}
	return 0;
}

/* A state without a reason keeps the reason of the one before. */
static int
apply_state(struct commit *commit, const struct op *op)
{
	const struct store *store = &commit->journal->store;

	for (size_t i = 0; i < op->count; i++) {
		const struct job_item *item = &op->items[i];
		struct state state;
		bool found;
		int rc = jobstore_state(store, commit->txn, item->id, &state, &found);

		if (rc != 0)
			return rc;
		state.attempt = item->attempt;
		state.flags =
		    (uint8_t)(op->state | ((item->flags & JOB_SUSPECT) != 0 ? STATE_SUSPECT : 0));
		if (op->text[0] != 0)
			memcpy(state.reason, op->text, sizeof state.reason);
		rc = jobstore_put_state(store, commit->txn, item->id, &state);
		if (rc != 0)
			return rc;
	}
	return 0;
}

/* Says by the item's order whether it was dead; a second run (the first could not be committed)
 * must come to the same. */
static int
apply_dead(struct commit *commit, struct op *op)
{
	const struct store *store = &commit->journal->store;

	for (size_t i = 0; i < op->count; i++) {
		struct job_item *item = &op->items[i];
		uint8_t number[ENV_KEY_BYTES];
		MDB_val key = {sizeof number, number};
		struct state state;
		bool found;
		int rc = jobstore_state(store, commit->txn, item->id, &state, &found);

		if (rc != 0)
			return rc;
		item->order = (state.flags & STATE_DEAD) != 0 ? item->id : 0;
		if (item->order == 0)
			continue;
		state.flags = 0;
		state.attempt = 0;
		env_key_put(number, item->id);
		if (op->type == OP_REVIVE)
			rc = jobstore_put_state(store, commit->txn, item->id, &state);
		else if ((rc = mdb_del(commit->txn, store->jobs, &key, NULL)) == 0)
			rc = mdb_del(commit->txn, store->states, &key, NULL);
		if (rc != 0)
			return rc;
	}
	return 0;
}

static int
apply_queue(struct commit *commit, const struct op *op)
{
	struct journal *journal = commit->journal;

	if (op->type == OP_QUEUE)
		memcpy(journal->next[op->queue].name, op->text, QUEUE_NAME_MAX + 1);
	else if (op->taken_up_to > journal->next[op->queue].taken_up_to)
		journal->next[op->queue].taken_up_to = op->taken_up_to;
	journal->dirty[op->queue] = true;
	return 0;
}

static int
apply_clean(struct commit *commit)
{
	char name[] = "running";
	MDB_val key = {sizeof name - 1, name};
	int rc = mdb_del(commit->txn, commit->journal->store.meta, &key, NULL);

	return rc == MDB_NOTFOUND ? 0 : rc;
}

static int
apply(struct commit *commit, struct op *op)
{
	switch (op->type) {
	case OP_PUT:
		return apply_put(commit, op);
	case OP_DONE:
		return apply_done(commit, op);
	case OP_STATE:
	case OP_MARK:
		return apply_state(commit, op);
	case OP_REVIVE:
	case OP_DROP:
		return apply_dead(commit, op);
	case OP_QUEUE:
	case OP_TAKEN:
		return apply_queue(commit, op);
	case OP_CLEAN:
		return apply_clean(commit);
	}
	return EINVAL;
}

/* ---- the transaction -------------------------------------------------------------------- */

/* The oldest keys beyond the maximum leave the table with this commit and memory after it. */
static int
drop_old_keys(struct commit *commit, uint16_t queue)
{
	struct journal *journal = commit->journal;
	const struct keyring *ring = &journal->rings[queue];
	uint8_t number[RING_KEY_BYTES];

	for (uint64_t n = ring->first; n + journal->keys_remembered < ring->next; n++) {
		MDB_val key = {sizeof number, number};
		int rc;

		ring_key_encode(number, queue, n);
		rc = mdb_del(commit->txn, journal->store.keys, &key, NULL);
		if (rc != 0 && rc != MDB_NOTFOUND)
			return rc;
	}
	return 0;
}

static int
finish_queues(struct commit *commit)
{
	struct journal *journal = commit->journal;

	for (uint16_t i = 0; i < QUEUES_MAX; i++) {
		int rc = 0;

		if (!journal->dirty[i] || journal->next[i].name[0] == 0)
			continue;
		rc = drop_old_keys(commit, i);
		if (rc == 0)
			rc = jobstore_put_queue(&journal->store, commit->txn, i, &journal->next[i]);
		if (rc != 0)
			return rc;
	}
	return 0;
}

static int
run(struct commit *commit, const struct op_list *ops, bool with_puts)
{
	int rc = mdb_txn_begin(commit->journal->store.env, NULL, 0, &commit->txn);

	if (rc != 0)
		return rc;
	for (struct op *op = ops->first; op != NULL && rc == 0; op = op->next)
		if (with_puts || op->type != OP_PUT)
			rc = apply(commit, op);
	if (rc == 0)
		rc = finish_queues(commit);
	if (rc != 0) {
		mdb_txn_abort(commit->txn);
		return rc;
	}
	return mdb_txn_commit(commit->txn);
}

int
journal_commit(
    struct journal *journal, const struct op_list *ops, bool with_puts, struct cairn_error *err)
{
	struct commit commit = {.journal = journal, .next_id = journal->next_id};
	int rc;

	memcpy(journal->next, journal->rows, sizeof journal->rows);
	memset(journal->dirty, 0, sizeof journal->dirty);
	rc = run(&commit, ops, with_puts);
	for (size_t i = 0; i < QUEUES_MAX; i++) {
		if (!journal->dirty[i])
			continue;
		if (rc == 0)
			keyring_settle(&journal->rings[i], journal->keys_remembered);
		else
			keyring_rollback(&journal->rings[i]);
	}
	if (rc != 0)
		return env_error(rc, "writing jobs", err);
	memcpy(journal->rows, journal->next, sizeof journal->rows);
	journal->next_id = commit.next_id;
	return 0;
}
