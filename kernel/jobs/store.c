/* SPDX-License-Identifier: Apache-2.0 */
#include "jobs/store.h"

#include <string.h>

#include "base/file.h"
#include "ledger/env.h"

#define FORMAT "1"

static int
check_format(const struct store *store, MDB_txn *txn, struct cairn_error *err)
{
	char name[] = "format", format[] = FORMAT;
	MDB_val key = {sizeof name - 1, name}, value = {1, format};
	int rc = mdb_get(txn, store->meta, &key, &value);

	if (rc == MDB_NOTFOUND) {
		value = (MDB_val){1, format};
		rc = mdb_put(txn, store->meta, &key, &value, 0);
	}
	if (rc != 0)
		return env_error(rc, "the format of the jobs", err);
	if (value.mv_size != 1 || memcmp(value.mv_data, FORMAT, 1) != 0)
		return cairn_error_set(err, CAIRN_EUNSUPPORTED,
		    "the jobs have a format that this version does not know");
	return 0;
}

static int
open_tables(struct store *store, struct cairn_error *err)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(store->env, NULL, 0, &txn), code;

	if (rc != 0)
		return env_error(rc, "the tables of the jobs", err);
	rc = mdb_dbi_open(txn, "jobs", MDB_CREATE, &store->jobs);
	if (rc == 0)
		rc = mdb_dbi_open(txn, "states", MDB_CREATE, &store->states);
	if (rc == 0)
		rc = mdb_dbi_open(txn, "queues", MDB_CREATE, &store->queues);
	if (rc == 0)
		rc = mdb_dbi_open(txn, "keys", MDB_CREATE, &store->keys);
	if (rc == 0)
		rc = mdb_dbi_open(txn, "meta", MDB_CREATE, &store->meta);
	code =
	    rc != 0 ? env_error(rc, "the tables of the jobs", err) : check_format(store, txn, err);
	if (code != 0) {
		mdb_txn_abort(txn);
		return code;
	}
	rc = mdb_txn_commit(txn);
	return rc == 0 ? 0 : env_error(rc, "the tables of the jobs", err);
}

int
jobstore_open(struct store *ret, const char *dir, size_t map_size, struct cairn_error *err)
{
	struct store store = {.lock_fd = -1};
	int code = env_open_writer(&store.env, &store.lock_fd, dir, map_size, err);

	if (code == 0)
		code = open_tables(&store, err);
	if (code != 0) {
		jobstore_close(&store);
		return code;
	}
	*ret = store;
	return 0;
}

void
jobstore_close(struct store *store)
{
	if (store->env != NULL)
		mdb_env_close(store->env);
	file_close(&store->lock_fd);
	*store = (struct store){.lock_fd = -1};
}

/* ---- numbers ---------------------------------------------------------------------------- */

static void
put_number(uint8_t *ret, size_t bytes, uint64_t number)
{
	for (size_t i = 0; i < bytes; i++)
		ret[i] = (uint8_t)(number >> (8 * (bytes - 1 - i)));
}

static uint64_t
get_number(const uint8_t *from, size_t bytes)
{
	uint64_t number = 0;

	for (size_t i = 0; i < bytes; i++)
		number = number << 8 | from[i];
	return number;
}

/* ---- jobs ------------------------------------------------------------------------------- */

size_t
record_length(size_t key_length, size_t body_length)
{
	return RECORD_TIMED_HEAD + key_length + body_length;
}

void
record_encode(uint8_t *ret, uint16_t queue, uint64_t put_ms, const struct jobs_put_entry *entry)
{
	size_t key_length = strlen(entry->key);

	ret[0] = RECORD_TIMED;
	ret[1] = (uint8_t)queue;
	ret[2] = (uint8_t)key_length;
	put_number(ret + RECORD_HEAD, 6, put_ms);
	memcpy(ret + RECORD_TIMED_HEAD, entry->key, key_length);
	if (entry->length > 0)
		memcpy(ret + RECORD_TIMED_HEAD + key_length, entry->body, entry->length);
}

const uint8_t *
record_key(const uint8_t *record)
{
	return record + RECORD_TIMED_HEAD;
}

int
record_decode(const MDB_val *value, struct record *ret)
{
	const uint8_t *bytes = value->mv_data;
	size_t head;

	if (value->mv_size < RECORD_HEAD || bytes[0] > RECORD_TIMED || bytes[2] > JOBS_KEY_MAX)
		return CAIRN_ECORRUPT;
	head = bytes[0] == RECORD_TIMED ? RECORD_TIMED_HEAD : RECORD_HEAD;
	if (value->mv_size < head || value->mv_size - head < bytes[2])
		return CAIRN_ECORRUPT;
	ret->queue = bytes[1];
	ret->put_ms = bytes[0] == RECORD_TIMED ? get_number(bytes + RECORD_HEAD, 6) : 0;
	ret->key_length = bytes[2];
	ret->key = bytes + head;
	ret->body = ret->key + ret->key_length;
	ret->length = value->mv_size - head - ret->key_length;
	return 0;
}

/* ---- states ----------------------------------------------------------------------------- */

int
jobstore_state(
    const struct store *store, MDB_txn *txn, uint64_t id, struct state *ret, bool *ret_found)
{
	uint8_t number[ENV_KEY_BYTES];
	MDB_val key = {sizeof number, number}, value;
	const uint8_t *bytes;
	size_t length;
	int rc;

	env_key_put(number, id);
	rc = mdb_get(txn, store->states, &key, &value);
	*ret = (struct state){0};
	*ret_found = rc == 0;
	if (rc != 0)
		return rc == MDB_NOTFOUND ? 0 : rc;
	if (value.mv_size < STATE_HEAD || value.mv_size - STATE_HEAD > OP_REASON_MAX)
		return MDB_CORRUPTED;
	bytes = value.mv_data;
	length = value.mv_size - STATE_HEAD;
	ret->flags = bytes[0];
	ret->attempt = (uint32_t)get_number(bytes + 1, 4);
	memcpy(ret->reason, bytes + STATE_HEAD, length);
	return 0;
}

int
jobstore_put_state(const struct store *store, MDB_txn *txn, uint64_t id, const struct state *state)
{
	uint8_t number[ENV_KEY_BYTES], bytes[STATE_HEAD + OP_REASON_MAX];
	size_t length = strlen(state->reason);
	MDB_val key = {sizeof number, number}, value = {STATE_HEAD + length, bytes};

	env_key_put(number, id);
	bytes[0] = state->flags;
	put_number(bytes + 1, 4, state->attempt);
	memcpy(bytes + STATE_HEAD, state->reason, length);
	return mdb_put(txn, store->states, &key, &value, 0);
}

/* ---- queues and keys -------------------------------------------------------------------- */

int
jobstore_put_queue(
    const struct store *store, MDB_txn *txn, uint16_t number, const struct queue_row *row)
{
	uint8_t index[ENV_KEY_BYTES], bytes[16 + QUEUE_NAME_MAX];
	size_t length = strlen(row->name);
	MDB_val key = {sizeof index, index}, value = {16 + length, bytes};

	env_key_put(index, number);
	put_number(bytes, 8, row->done);
	put_number(bytes + 8, 8, row->taken_up_to);
	memcpy(bytes + 16, row->name, length);
	return mdb_put(txn, store->queues, &key, &value, 0);
}

int
queue_row_decode(const MDB_val *value, struct queue_row *ret)
{
	const uint8_t *bytes = value->mv_data;

	if (value->mv_size < 17 || value->mv_size > 16 + QUEUE_NAME_MAX)
		return CAIRN_ECORRUPT;
	*ret = (struct queue_row){0};
	ret->done = get_number(bytes, 8);
	ret->taken_up_to = get_number(bytes + 8, 8);
	memcpy(ret->name, bytes + 16, value->mv_size - 16);
	return 0;
}

void
ring_key_encode(uint8_t ret[RING_KEY_BYTES], uint16_t queue, uint64_t number)
{
	put_number(ret, 2, queue);
	put_number(ret + 2, 8, number);
}

int
ring_key_decode(const MDB_val *key, uint16_t *ret_queue, uint64_t *ret_number)
{
	if (key->mv_size != RING_KEY_BYTES || get_number(key->mv_data, 2) >= QUEUES_MAX)
		return CAIRN_ECORRUPT;
	*ret_queue = (uint16_t)get_number(key->mv_data, 2);
	*ret_number = get_number((const uint8_t *)key->mv_data + 2, 8);
	return 0;
}
