/* SPDX-License-Identifier: Apache-2.0 */
#include "state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <lmdb.h>
#include <openssl/evp.h>

#include "base/file.h"

#define MAP_SIZE ((size_t)64 << 30)

struct state {
	MDB_env *env;
	MDB_dbi persons, waiting, notes;
	EVP_MAC *mac;
	EVP_MAC_CTX *context;
};

struct state_change {
	struct state *state;
	MDB_txn *txn;
};

static int
failed(int rc, struct cairn_error *err)
{
	if (rc == MDB_MAP_FULL)
		return cairn_error_set(err, CAIRN_ELIMIT, "the connector's state is full (64 GiB)");
	return cairn_error_set(err, rc == ENOMEM ? CAIRN_ENOMEM : CAIRN_EIO,
	    "the connector's state: %s", mdb_strerror(rc));
}

static int
open_tables(struct state *state)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(state->env, NULL, 0, &txn);

	if (rc != 0)
		return rc;
	rc = mdb_dbi_open(txn, "persons", MDB_CREATE, &state->persons);
	if (rc == 0)
		rc = mdb_dbi_open(txn, "waiting", MDB_CREATE, &state->waiting);
	if (rc == 0)
		rc = mdb_dbi_open(txn, "notes", MDB_CREATE, &state->notes);
	if (rc == 0)
		return mdb_txn_commit(txn);
	mdb_txn_abort(txn);
	return rc;
}

static int
open_mac(struct state *state, const uint8_t *key, size_t key_length)
{
	OSSL_PARAM params[] = {
	    OSSL_PARAM_construct_utf8_string("digest", (char *)(uintptr_t) "SHA256", 0),
	    OSSL_PARAM_construct_end()};

	state->mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	state->context = state->mac == NULL ? NULL : EVP_MAC_CTX_new(state->mac);
	if (state->context == NULL || EVP_MAC_init(state->context, key, key_length, params) != 1)
		return CAIRN_EINTERNAL;
	return 0;
}

int
state_open(struct state **ret, const char *dir, const uint8_t *key, size_t key_length,
    struct cairn_error *err)
{
	struct state *state = calloc(1, sizeof *state);
	char path[4096];
	int rc;

	if (state == NULL || file_join(path, sizeof path, dir, "fhir") != 0)
		rc = ENOMEM;
	else if (file_mkdirs(path, 0700, err) != 0)
		rc = EIO;
	else
		rc = mdb_env_create(&state->env);
	if (rc == 0)
		rc = mdb_env_set_mapsize(state->env, MAP_SIZE);
	if (rc == 0)
		rc = mdb_env_set_maxdbs(state->env, 4);
	if (rc == 0)
		rc = mdb_env_open(state->env, path, MDB_NOTLS, 0600);
	if (rc == 0)
		rc = open_tables(state);
	if (rc == 0 && open_mac(state, key, key_length) != 0)
		rc = ENOMEM;
	if (rc != 0) {
		state_close(state);
		return failed(rc, err);
	}
	*ret = state;
	return 0;
}

void
state_close(struct state *state)
{
	if (state == NULL)
		return;
	if (state->env != NULL)
		mdb_env_close(state->env);
	EVP_MAC_CTX_free(state->context);
	EVP_MAC_free(state->mac);
	free(state);
}

int
state_digest(struct state *state, const char *first, const char *second, uint8_t ret[STATE_KEY])
{
	EVP_MAC_CTX *context = EVP_MAC_CTX_dup(state->context); /* which knows the key */
	uint8_t whole[EVP_MAX_MD_SIZE];
	size_t length = 0;
	int code = CAIRN_EINTERNAL;

	if (context == NULL)
		return CAIRN_ENOMEM;
	/* The zero keeps the two apart. */
	if (EVP_MAC_update(context, (const uint8_t *)first, strlen(first) + 1) == 1 &&
	    EVP_MAC_update(context, (const uint8_t *)second, strlen(second)) == 1 &&
	    EVP_MAC_final(context, whole, &length, sizeof whole) == 1 && length >= STATE_KEY)
		code = 0;
	EVP_MAC_CTX_free(context);
	if (code == 0)
		memcpy(ret, whole, STATE_KEY);
	return code;
}

/* ---- changes ------------------------------------------------------------------------------ */

int
state_begin(struct state_change **ret, struct state *state, struct cairn_error *err)
{
	struct state_change *change = calloc(1, sizeof *change);
	int rc = change == NULL ? ENOMEM : mdb_txn_begin(state->env, NULL, 0, &change->txn);

	if (rc != 0) {
		free(change);
		return failed(rc, err);
	}
	change->state = state;
	*ret = change;
	return 0;
}

void
state_drop(struct state_change *change)
{
	if (change == NULL)
		return;
	mdb_txn_abort(change->txn);
	free(change);
}

int
state_commit(struct state_change *change, struct cairn_error *err)
{
	int rc = mdb_txn_commit(change->txn);

	free(change);
	return rc == 0 ? 0 : failed(rc, err);
}

int
state_person_put(struct state_change *change, const uint8_t reference[STATE_KEY],
    const struct state_person *person, struct cairn_error *err)
{
	MDB_val key = {STATE_KEY, (void *)(uintptr_t)reference};
	MDB_val value = {sizeof *person, (void *)(uintptr_t)person};
	int rc = mdb_put(change->txn, change->state->persons, &key, &value, 0);

	return rc == 0 ? 0 : failed(rc, err);
}

bool
state_person_find(
    struct state_change *change, const uint8_t reference[STATE_KEY], struct state_person *ret)
{
	MDB_val key = {STATE_KEY, (void *)(uintptr_t)reference}, value;

	if (mdb_get(change->txn, change->state->persons, &key, &value) != 0 ||
	    value.mv_size != sizeof *ret)
		return false;
	memcpy(ret, value.mv_data, sizeof *ret);
	ret->pseudonym[STATE_PSEUDONYM - 1] = 0;
	return true;
}

/* ---- waiting ------------------------------------------------------------------------------ */

int
state_wait(struct state_change *change, const uint8_t reference[STATE_KEY],
    const uint8_t resource[STATE_KEY], const void *bytes, size_t length, struct cairn_error *err)
{
	uint8_t both[2 * STATE_KEY];
	MDB_val key = {sizeof both, both}, value = {length, (void *)(uintptr_t)bytes};
	int rc;

	memcpy(both, reference, STATE_KEY);
	memcpy(both + STATE_KEY, resource, STATE_KEY);
	rc = mdb_put(change->txn, change->state->waiting, &key, &value, 0);
	return rc == 0 ? 0 : failed(rc, err);
}

/* Walks what waits for a reference; with no `each`, deletes it. */
static int
walk(struct state_change *change, const uint8_t reference[STATE_KEY], state_waiting_fn *each,
    void *arg)
{
	uint8_t first[2 * STATE_KEY] = {0};
	MDB_val key = {sizeof first, first}, value;
	MDB_cursor *cursor;
	int code = 0;
	int rc = mdb_cursor_open(change->txn, change->state->waiting, &cursor);

	if (rc != 0)
		return CAIRN_ENOMEM;
	memcpy(first, reference, STATE_KEY);
	rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
	while (rc == 0 && code == 0 && key.mv_size == sizeof first &&
	    memcmp(key.mv_data, reference, STATE_KEY) == 0) {
		if (each != NULL)
			code = each(arg, value.mv_data, value.mv_size);
		else if (mdb_cursor_del(cursor, 0) != 0)
			code = CAIRN_EIO;
		rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
	}
	mdb_cursor_close(cursor);
	return code;
}

int
state_waiting(struct state_change *change, const uint8_t reference[STATE_KEY],
    state_waiting_fn *each, void *arg)
{
	return walk(change, reference, each, arg);
}

int
state_waiting_drop(struct state_change *change, const uint8_t reference[STATE_KEY])
{
	return walk(change, reference, NULL, NULL);
}

uint64_t
state_waiting_count(struct state_change *change)
{
	MDB_stat stat;

	return mdb_stat(change->txn, change->state->waiting, &stat) == 0 ? stat.ms_entries : 0;
}

/* ---- notes -------------------------------------------------------------------------------- */

int
state_note_put(
    struct state_change *change, const char *name, const char *text, struct cairn_error *err)
{
	MDB_val key = {strlen(name), (void *)(uintptr_t)name};
	MDB_val value = {strlen(text), (void *)(uintptr_t)text};
	int rc;

	if (text[0] == 0) {
		rc = mdb_del(change->txn, change->state->notes, &key, NULL);
		rc = rc == MDB_NOTFOUND ? 0 : rc;
	} else {
		rc = mdb_put(change->txn, change->state->notes, &key, &value, 0);
	}
	return rc == 0 ? 0 : failed(rc, err);
}

int
state_note_get(struct state *state, const char *name, char *ret, size_t size)
{
	MDB_val key = {strlen(name), (void *)(uintptr_t)name}, value;
	MDB_txn *txn;
	int code = CAIRN_ENOTFOUND;

	if (mdb_txn_begin(state->env, NULL, MDB_RDONLY, &txn) != 0)
		return CAIRN_EIO;
	if (mdb_get(txn, state->notes, &key, &value) == 0) {
		code = value.mv_size < size ? 0 : CAIRN_ELIMIT;
		if (code == 0) {
			memcpy(ret, value.mv_data, value.mv_size);
			ret[value.mv_size] = 0;
		}
	}
	mdb_txn_abort(txn);
	return code;
}
