/* SPDX-License-Identifier: Apache-2.0 */
#include "identity.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <openssl/rand.h>

#include "write.h"

#define IDENTITY_KEY "identity"
#define REBUILD_KEY "rebuild" /* there while rebuilding */
#define REBUILD_KEY_MAX (INDEX_NAME_MAX + 16)

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

/* "rebuild:" and the source; of an index that was lost nobody knows who fed it, and there is a row
 * without a source.  Returns the key's length. */
static size_t
rebuild_key(const char *source, char ret[REBUILD_KEY_MAX])
{
	int length = source == NULL
	    ? snprintf(ret, REBUILD_KEY_MAX, REBUILD_KEY)
	    : snprintf(ret, REBUILD_KEY_MAX, REBUILD_KEY ":%.*s", INDEX_NAME_MAX, source);

	return (size_t)length;
}

static int
put_rebuild(const struct index *index, MDB_txn *txn, const char *source,
    const struct rebuild *rebuild, struct cairn_error *err)
{
	char key[REBUILD_KEY_MAX];
	MDB_val value = {sizeof *rebuild, (void *)(uintptr_t)rebuild};

	return store_put(txn, index->meta, key, rebuild_key(source, key), &value, err);
}

/* CAIRN_ENOTFOUND when nothing of it is being rebuilt. */
static int
get_rebuild(const struct index *index, MDB_txn *txn, const char *source, struct rebuild *ret,
    struct cairn_error *err)
{
	char key[REBUILD_KEY_MAX];
	MDB_val value;
	int code = store_get(txn, index->meta, key, rebuild_key(source, key), &value, err);

	if (code != 0)
		return code;
	if (value.mv_size != sizeof *ret)
		return store_corrupt("how far it is rebuilt", err);
	memcpy(ret, value.mv_data, sizeof *ret);
	return 0;
}

static int
end_rebuild(const struct index *index, MDB_txn *txn, const char *source, struct cairn_error *err)
{
	char key[REBUILD_KEY_MAX];

	return store_delete(txn, index->meta, key, rebuild_key(source, key), err);
}

/* All sources together.  CAIRN_ENOTFOUND when none is being rebuilt. */
static int
sum_rebuilds(const struct index *index, MDB_txn *txn, struct rebuild *ret, struct cairn_error *err)
{
	struct rebuild sum = {0}, one;
	MDB_val key = {strlen(REBUILD_KEY), (void *)(uintptr_t)REBUILD_KEY}, value;
	MDB_cursor *cursor;
	bool any = false;
	int rc = mdb_cursor_open(txn, index->meta, &cursor);

	if (rc != 0)
		return store_error(rc, "reading the cohort index", err);
	for (rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
	     rc == 0 && key.mv_size >= strlen(REBUILD_KEY) &&
	     memcmp(key.mv_data, REBUILD_KEY, strlen(REBUILD_KEY)) == 0;
	     rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) {
		if (value.mv_size != sizeof one)
			break;
		memcpy(&one, value.mv_data, sizeof one);
		sum.done += one.done;
		sum.held += one.held;
		any = true;
	}
	mdb_cursor_close(cursor);
	if (rc != 0 && rc != MDB_NOTFOUND)
		return store_error(rc, "reading the cohort index", err);
	*ret = sum;
	return any ? 0 : CAIRN_ENOTFOUND;
}

int
identity_read(const struct index *index, MDB_txn *txn, char *ret, struct cairn_error *err)
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
	int code = identity_read(index, txn, identity, err);

	return code == CAIRN_ENOTFOUND ? put_identity(index, txn, err) : code;
}

int
identity_lost(const struct index *index, MDB_txn *txn, struct cairn_error *err)
{
	const struct rebuild unknown = {0};

	return put_rebuild(index, txn, NULL, &unknown, err);
}

static int
read_state(
    const struct index *index, MDB_txn *txn, struct index_state *ret, struct cairn_error *err)
{
	struct rebuild rebuild = {0};
	int code = identity_read(index, txn, ret->identity, err);

	if (code != 0)
		return code;
	code = sum_rebuilds(index, txn, &rebuild, err);
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
index_renew(struct index *index, const struct index_holding *holdings, size_t count,
    struct cairn_error *err)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(index->env, NULL, 0, &txn), code;

	if (rc != 0)
		return store_error(rc, "renewing the cohort index", err);
	code = put_identity(index, txn, err);
	for (size_t i = 0; i < count && code == 0; i++) {
		const struct rebuild rebuild = {.held = holdings[i].held};

		code = put_rebuild(index, txn, holdings[i].source, &rebuild, err);
	}
	if (code != 0) {
		mdb_txn_abort(txn);
		return code;
	}
	rc = mdb_txn_commit(txn);
	return rc == 0 ? 0 : store_error(rc, "renewing the cohort index", err);
}

int
index_source_images(struct index *index, const char *source, bool *ret, struct cairn_error *err)
{
	struct source_record record = {0};
	size_t length = strnlen(source, INDEX_NAME_MAX);
	MDB_val value;
	MDB_txn *txn;
	int rc = mdb_txn_begin(index->env, NULL, MDB_RDONLY, &txn), code;

	if (rc != 0)
		return store_error(rc, "reading the cohort index", err);
	code = length == 0 ? store_get(txn, index->sources, "?", 1, &value, err)
			   : store_get(txn, index->sources, source, length, &value, err);
	if (code == 0 && value.mv_size == sizeof record)
		memcpy(&record, value.mv_data, sizeof record);
	mdb_txn_abort(txn);
	if (code == 0 || code == CAIRN_ENOTFOUND)
		*ret = record.images != 0;
	return code == CAIRN_ENOTFOUND ? 0 : code;
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
	code = identity_read(w->index, w->txn, identity, err);
	if (code != 0 || strcmp(identity, batch->index) != 0)
		return code;
	w->changed = true;
	if (batch->complete) {
		code = end_rebuild(w->index, w->txn, batch->source, err);
		return code != 0 ? code : end_rebuild(w->index, w->txn, NULL, err);
	}
	code = get_rebuild(w->index, w->txn, batch->source, &rebuild, err);
	if (code != 0 && code != CAIRN_ENOTFOUND)
		return code;
	rebuild.held = batch->held;
	rebuild.done += batch->n_instances > 0 ? batch->n_instances : batch->n_patients;
	return put_rebuild(w->index, w->txn, batch->source, &rebuild, err);
}
