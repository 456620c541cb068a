/* SPDX-License-Identifier: Apache-2.0 */
#include "identity.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <openssl/rand.h>

#include "write.h"

#define IDENTITY_KEY "identity"
#define REBUILD_KEY "rebuild" /* there while rebuilding */

struct rebuild {
	uint64_t done, held;
};

static int
put_identity(const struct index *index, MDB_txn *txn, struct cairn_error *err)
{
	char text[IDENTITY_DIGITS + 1];
	MDB_val value = {IDENTITY_DIGITS, text};
	uint64_t bits;

	if (RAND_bytes((unsigned char *)&bits, sizeof bits) != 1)
		return cairn_error_set(
		    err, CAIRN_EIO, "no random numbers for the index's identity");
	snprintf(text, sizeof text, "%016" PRIx64, bits);
	return store_put(txn, index->meta, IDENTITY_KEY, strlen(IDENTITY_KEY), &value, err);
}

static int
put_rebuild(
    const struct index *index, MDB_txn *txn, const struct rebuild *rebuild, struct cairn_error *err)
{
	MDB_val value = {sizeof *rebuild, (void *)(uintptr_t)rebuild};

	return store_put(txn, index->meta, REBUILD_KEY, strlen(REBUILD_KEY), &value, err);
}

/* CAIRN_ENOTFOUND when nothing is being rebuilt. */
static int
get_rebuild(const struct index *index, MDB_txn *txn, struct rebuild *ret, struct cairn_error *err)
{
	MDB_val value;
	int code = store_get(txn, index->meta, REBUILD_KEY, strlen(REBUILD_KEY), &value, err);

	if (code != 0)
		return code;
	if (value.mv_size != sizeof *ret)
		return store_corrupt("how far it is rebuilt", err);
	memcpy(ret, value.mv_data, sizeof *ret);
	return 0;
}

static int
get_identity(
    const struct index *index, MDB_txn *txn, char ret[IDENTITY_DIGITS + 1], struct cairn_error *err)
{
	MDB_val value;
	int code = store_get(txn, index->meta, IDENTITY_KEY, strlen(IDENTITY_KEY), &value, err);

	if (code != 0)
		return code;
	if (value.mv_size != IDENTITY_DIGITS)
		return store_corrupt("identity", err);
	memcpy(ret, value.mv_data, IDENTITY_DIGITS);
	ret[IDENTITY_DIGITS] = 0;
	return 0;
}

int
identity_ensure(const struct index *index, MDB_txn *txn, struct cairn_error *err)
{
	char identity[IDENTITY_DIGITS + 1];
	int code = get_identity(index, txn, identity, err);

	return code == CAIRN_ENOTFOUND ? put_identity(index, txn, err) : code;
}

static int
read_state(
    const struct index *index, MDB_txn *txn, struct index_state *ret, struct cairn_error *err)
{
	struct rebuild rebuild = {0};
	int code = get_identity(index, txn, ret->identity, err);

	if (code != 0)
		return code;
	code = get_rebuild(index, txn, &rebuild, err);
	ret->rebuilding = code == 0;
	ret->done = rebuild.done;
	ret->held = rebuild.held;
	return code == CAIRN_ENOTFOUND ? 0 : code;
}

int
index_state_read(struct index *index, struct index_state *ret, struct cairn_error *err)
{
	struct index_state state = {0};
	MDB_txn *txn;
	int rc = mdb_txn_begin(index->env, NULL, MDB_RDONLY, &txn), code;

	if (rc != 0)
		return store_error(rc, "reading the cohort index", err);
	code = read_state(index, txn, &state, err);
	mdb_txn_abort(txn);
	if (code == 0)
		*ret = state;
	return code;
}

int
index_renew(struct index *index, uint64_t held, struct cairn_error *err)
{
	const struct rebuild rebuild = {.held = held};
	MDB_txn *txn;
	int rc = mdb_txn_begin(index->env, NULL, 0, &txn), code;

	if (rc != 0)
		return store_error(rc, "renewing the cohort index", err);
	code = put_identity(index, txn, err);
	if (code == 0)
		code = put_rebuild(index, txn, &rebuild, err);
	if (code != 0) {
		mdb_txn_abort(txn);
		return code;
	}
	rc = mdb_txn_commit(txn);
	return rc == 0 ? 0 : store_error(rc, "renewing the cohort index", err);
}

/* What was put for an index that this one has replaced says nothing of this one. */
int
index_note_progress(struct index_write *w, const Cairn__FactBatch *batch, struct cairn_error *err)
{
	char identity[IDENTITY_DIGITS + 1];
	struct rebuild rebuild = {0};
	int code;

	if (batch->index[0] == 0)
		return 0;
	code = get_identity(w->index, w->txn, identity, err);
	if (code != 0 || strcmp(identity, batch->index) != 0)
		return code;
	w->changed = true;
	if (batch->complete)
		return store_delete(w->txn, w->index->meta, REBUILD_KEY, strlen(REBUILD_KEY), err);
	code = get_rebuild(w->index, w->txn, &rebuild, err);
	if (code != 0 && code != CAIRN_ENOTFOUND)
		return code;
	rebuild.held = batch->held;
	rebuild.done += batch->n_instances;
	return put_rebuild(w->index, w->txn, &rebuild, err);
}
