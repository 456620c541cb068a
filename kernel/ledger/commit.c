/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger/commit.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "ledger/anchor.h"
#include "ledger/record.h"

#define CHECKPOINT_EVERY 1024
#define CHECKPOINT_INTERVAL_S 60
#define CHECKPOINT_INTERVAL_MAX_S (24 * 3600)
#define MAP_SIZE (UINT64_C(64) << 30)

/* ---- opening ---------------------------------------------------------------------------- */

static int
load(struct committer *committer, const char *origin, struct cairn_error *err)
{
	struct check *state = &committer->state;
	MDB_txn *txn;
	int rc = mdb_txn_begin(committer->store.env, NULL, MDB_RDONLY, &txn), code;

	if (rc != 0)
		return env_error(rc, "the ledger", err);
	code = check_tail(state, &committer->store, txn, committer->key, err);
	mdb_txn_abort(txn);
	if (code != 0)
		return code;
	if (state->origin[0] != 0 && strcmp(state->origin, origin) != 0)
		return cairn_error_set(err, CAIRN_EINVAL,
		    "the ledger belongs to node '%s', not to '%s'; give each node its own home",
		    state->origin, origin);
	memcpy(state->origin, origin, strlen(origin) + 1); /* note_sign() bounded it */
	if (state->signed_size < state->tree.size)
		committer->unsigned_since_ms = clock_monotonic_ms();
	return 0;
}

/* A key that cannot sign is found now, not at the 1024th record. */
static int
check_key(const char *origin, EVP_PKEY *key, struct cairn_error *err)
{
	static const uint8_t root[MERKLE_HASH];
	BUF_AUTO note = {.max = NOTE_MAX};

	return note_sign(&note, origin, 0, root, key, err);
}

int
commit_open(
    struct committer *committer, const struct ledger_options *options, struct cairn_error *err)
{
	uint64_t interval = options->checkpoint_interval_s == 0 ? CHECKPOINT_INTERVAL_S
								: options->checkpoint_interval_s;
	int code = check_key(options->origin, options->key, err);

	*committer = (struct committer){.store.lock_fd = -1,
	    .key = options->key,
	    .checkpoint_every =
		options->checkpoint_every == 0 ? CHECKPOINT_EVERY : options->checkpoint_every};
	if (interval > CHECKPOINT_INTERVAL_MAX_S)
		interval = CHECKPOINT_INTERVAL_MAX_S;
	committer->checkpoint_interval_ms = interval * 1000;
	if (code == 0)
		code = check_init(&committer->state, err);
	if (code == 0)
		code = store_open_writer(&committer->store, options->dir,
		    options->map_size_max == 0 ? MAP_SIZE : options->map_size_max, err);
	if (code == 0)
		code = load(committer, options->origin, err);
	if (code == CAIRN_ECORRUPT)
		cairn_error_prefix(err, code,
		    "the ledger in %s failed its check and was not opened or changed; "
		    "run `cairn ledger verify`, keep a copy, restore a backup",
		    options->dir);
	if (code == 0 && options->anchor != NULL) {
		committer->anchor = strdup(options->anchor);
		code = committer->anchor == NULL
		    ? cairn_error_set(err, CAIRN_ENOMEM, "no memory for the ledger")
		    : anchor_check(committer->anchor, &committer->store, committer->key, err);
	}
	if (code != 0)
		commit_close(committer);
	return code;
}

void
commit_close(struct committer *committer)
{
	free(committer->anchor);
	committer->anchor = NULL;
	store_close(&committer->store);
	check_fini(&committer->state);
}

/* ---- records ---------------------------------------------------------------------------- */

/* Packs the record straight into LMDB's page and hashes it there. */
static int
put_record(struct committer *committer, struct check *next, MDB_txn *txn, struct pending *entry)
{
	uint8_t head[RECORD_HEAD_MAX], number[ENV_KEY_BYTES];
	uint8_t completed[MERKLE_LEVELS][MERKLE_HASH];
	uint64_t index = next->tree.size;
	size_t head_length =
	    record_pack_head(index, entry->time_ms, index == 0 ? NULL : next->leaf, head);
	MDB_val key = {sizeof number, number}, value = {head_length + entry->length, NULL};
	int rc;

	env_key_put(number, index);
	rc = mdb_put(txn, committer->store.records, &key, &value, MDB_APPEND | MDB_RESERVE);
	if (rc != 0)
		return rc;
	memcpy(value.mv_data, head, head_length);
	memcpy((uint8_t *)value.mv_data + head_length, entry->body, entry->length);
	hasher_leaf(&next->hasher, value.mv_data, value.mv_size, next->leaf);
	value.mv_size =
	    merkle_push(&next->tree, &next->hasher, next->leaf, completed) * (size_t)MERKLE_HASH;
	value.mv_data = completed;
	entry->index = index;
	return mdb_put(txn, committer->store.hashes, &key, &value, MDB_APPEND);
}

/* The disk must still be as we left it: a difference means another writer, or that a commit which
 * reported a failure took place after all. */
static int
check_unchanged(struct committer *committer, MDB_txn *txn, struct cairn_error *err)
{
	MDB_stat stat;
	int rc = mdb_stat(txn, committer->store.records, &stat);

	if (rc != 0)
		return env_error(rc, "the ledger's records", err);
	if (stat.ms_entries != committer->state.tree.size)
		return cairn_error_set(err, CAIRN_ECORRUPT,
		    "the ledger holds %zu records where %llu were committed; restart the node",
		    stat.ms_entries, (unsigned long long)committer->state.tree.size);
	return 0;
}

static int
put_checkpoint(
    struct committer *committer, struct check *next, MDB_txn *txn, struct cairn_error *err)
{
	BUF_AUTO note = {.max = NOTE_MAX};
	uint8_t number[ENV_KEY_BYTES], root[MERKLE_HASH];
	MDB_val key = {sizeof number, number}, value;
	int code, rc;

	merkle_root(&next->tree, &next->hasher, root);
	code = note_sign(&note, next->origin, next->tree.size, root, committer->key, err);
	if (code != 0)
		return code;
	env_key_put(number, next->tree.size);
	value = (MDB_val){note.length, note.data};
	rc = mdb_put(txn, committer->store.checkpoints, &key, &value, 0);
	if (rc != 0)
		return env_error(rc, "a checkpoint", err);
	next->signed_size = next->tree.size;
	return 0;
}

static int
put_group(struct committer *committer, struct check *next, MDB_txn *txn, struct pending *group,
    struct cairn_error *err)
{
	int code = check_unchanged(committer, txn, err), rc = 0;

	if (code != 0)
		return code;
	for (struct pending *entry = group; entry != NULL && rc == 0; entry = entry->next)
		rc = put_record(committer, next, txn, entry);
	if (rc != 0)
		return env_error(rc, "writing records", err);
	if (next->tree.size - next->signed_size >= committer->checkpoint_every)
		code = put_checkpoint(committer, next, txn, err);
	if (code == 0 && next->hasher.failed)
		code = cairn_error_set(err, CAIRN_EINTERNAL, "OpenSSL could not compute a SHA-256");
	return code;
}

/* The ledger itself is good without it. */
static void
keep_anchor(const struct committer *committer)
{
	struct cairn_error err = {0};

	if (committer->anchor != NULL &&
	    anchor_write(committer->anchor, &committer->store, &err) != 0)
		log_warning("ledger", "the checkpoint is not copied: %s", err.text);
}

/* Works on a copy of the state, which becomes the state once LMDB has committed. */
static int
commit(struct committer *committer, struct pending *group, struct cairn_error *err)
{
	struct check next = committer->state;
	MDB_txn *txn;
	int rc = mdb_txn_begin(committer->store.env, NULL, 0, &txn), code;

	if (rc != 0)
		return env_error(rc, "the ledger", err);
	code = group == NULL ? put_checkpoint(committer, &next, txn, err)
			     : put_group(committer, &next, txn, group, err);
	if (code != 0) {
		mdb_txn_abort(txn);
		return code;
	}
	rc = mdb_txn_commit(txn);
	if (rc != 0)
		return env_error(rc, "committing to the ledger", err);
	if (next.signed_size != committer->state.signed_size)
		keep_anchor(committer);
	committer->state = next;
	return 0;
}

int
commit_group(struct committer *committer, struct pending *group, struct cairn_error *err)
{
	bool all_signed = committer->state.signed_size == committer->state.tree.size;
	int code = commit(committer, group, err);

	for (struct pending *entry = group; entry != NULL; entry = entry->next)
		entry->code = code;
	if (code == 0 && (all_signed || committer->state.signed_size == committer->state.tree.size))
		committer->unsigned_since_ms = clock_monotonic_ms();
	return code;
}

int
commit_checkpoint(struct committer *committer, struct cairn_error *err)
{
	int code;

	if (committer->state.signed_size == committer->state.tree.size)
		return 0;
	code = commit(committer, NULL, err);
	if (code != 0)
		committer->unsigned_since_ms = clock_monotonic_ms(); /* again an interval later */
	return code;
}

uint64_t
commit_checkpoint_wait_ms(const struct committer *committer)
{
	uint64_t waited;

	if (committer->state.signed_size == committer->state.tree.size)
		return UINT64_MAX;
	waited = clock_monotonic_ms() - committer->unsigned_since_ms;
	return waited >= committer->checkpoint_interval_ms
	    ? 0
	    : committer->checkpoint_interval_ms - waited;
}
