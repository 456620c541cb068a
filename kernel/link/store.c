/* SPDX-License-Identifier: Apache-2.0 */
#include "link/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "depth.h"
#include "ledger/env.h"

#define FORMAT "1"
#define NODE_BYTES 31
#define MOVE_BYTES 42
#define FLAG_PARENT 1
#define FLAG_MERGED 2
#define FLAG_PATIENT 4
#define CONFLICT_BYTES_MAX 65536

/* ---- opening ---------------------------------------------------------------------------- */

static int
check_format(const struct linkstore *store, MDB_txn *txn, bool writes, struct cairn_error *err)
{
	char name[] = "format", format[] = FORMAT;
	MDB_val key = {sizeof name - 1, name}, value = {1, format};
	int rc = mdb_get(txn, store->meta, &key, &value);

	if (rc == MDB_NOTFOUND && writes) {
		value = (MDB_val){1, format};
		rc = mdb_put(txn, store->meta, &key, &value, 0);
	}
	if (rc != 0)
		return env_error(rc, "the format of the links", err);
	if (value.mv_size != 1 || memcmp(value.mv_data, FORMAT, 1) != 0)
		return cairn_error_set(err, CAIRN_EUNSUPPORTED,
		    "the links have a format that this version does not know");
	return 0;
}

static int
open_tables(struct linkstore *store, bool writes, struct cairn_error *err)
{
	const struct {
		const char *name;
		MDB_dbi *table;
	} tables[] = {{"nodes", &store->nodes}, {"children", &store->children},
	    {"kinds", &store->kinds}, {"conflicts", &store->conflicts},
	    {"disputes", &store->disputes}, {"moves", &store->moves}, {"meta", &store->meta}};
	MDB_txn *txn;
	int rc = mdb_txn_begin(store->env, NULL, writes ? 0 : MDB_RDONLY, &txn), code;

	if (rc != 0)
		return env_error(rc, "the tables of the links", err);
	for (size_t i = 0; rc == 0 && i < sizeof tables / sizeof tables[0]; i++)
		rc = mdb_dbi_open(txn, tables[i].name, writes ? MDB_CREATE : 0, tables[i].table);
	code = rc != 0 ? env_error(rc, "the tables of the links", err)
		       : check_format(store, txn, writes, err);
	if (code != 0) {
		mdb_txn_abort(txn);
		return code;
	}
	rc = mdb_txn_commit(txn);
	return rc == 0 ? 0 : env_error(rc, "the tables of the links", err);
}

int
linkstore_open(struct linkstore *ret, const char *dir, struct cairn_error *err)
{
	struct linkstore store = {.lock_fd = -1};
	int code = env_open_writer(&store.env, &store.lock_fd, dir, LINK_MAP_BYTES, err);

	if (code == 0)
		code = open_tables(&store, true, err);
	if (code != 0) {
		linkstore_close(&store);
		return code;
	}
	*ret = store;
	return 0;
}

int
linkstore_open_reader(struct linkstore *ret, const char *dir, struct cairn_error *err)
{
	struct linkstore store = {.lock_fd = -1};
	int code = env_open_reader(&store.env, dir, err);

	if (code == 0)
		code = open_tables(&store, false, err);
	if (code != 0) {
		linkstore_close(&store);
		return code;
	}
	*ret = store;
	return 0;
}

void
linkstore_close(struct linkstore *store)
{
	if (store->env != NULL)
		mdb_env_close(store->env);
	file_close(&store->lock_fd);
	*store = (struct linkstore){.lock_fd = -1};
}

/* ---- keys and numbers ------------------------------------------------------------------- */

bool
link_key_same(const struct link_key *a, const struct link_key *b)
{
	return memcmp(a->bytes, b->bytes, LINK_KEY_BYTES) == 0;
}

static int
digit_of(char c)
{
	if (c >= 'a' && c <= 'z')
		return c - 'a';
	return c >= '2' && c <= '7' ? c - '2' + 26 : -1;
}

bool
link_key_parse(const char *text, struct link_key *ret)
{
	struct link_key key;
	uint32_t bits = 0;
	unsigned have = 0;
	size_t at = 0;

	if (strlen(text) != 26)
		return false;
	for (size_t i = 0; i < 26; i++) {
		int digit = digit_of(text[i]);

		if (digit < 0)
			return false;
		bits = (bits << 5 | (uint32_t)digit) & 0xfff;
		have += 5;
		if (have >= 8) {
			have -= 8;
			key.bytes[at++] = (uint8_t)(bits >> have);
		}
	}
	if ((bits & 3) != 0) /* 26 digits are 130 bits */
		return false;
	*ret = key;
	return true;
}

void
link_key_text(const struct link_key *key, char ret[27])
{
	static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567";

	for (size_t i = 0; i < 26; i++) {
		size_t bit = 5 * i, byte = bit / 8;
		unsigned two = (unsigned)key->bytes[byte] << 8 |
		    (byte + 1 < LINK_KEY_BYTES ? key->bytes[byte + 1] : 0u);

		ret[i] = digits[two >> (11 - bit % 8) & 31];
	}
	ret[26] = 0;
}

static uint8_t *
put_bytes(uint8_t *to, size_t bytes, uint64_t number)
{
	for (size_t i = 0; i < bytes; i++)
		to[i] = (uint8_t)(number >> (8 * (bytes - 1 - i)));
	return to + bytes;
}

static uint64_t
get_bytes(const uint8_t *from, size_t bytes)
{
	uint64_t number = 0;

	for (size_t i = 0; i < bytes; i++)
		number = number << 8 | from[i];
	return number;
}

int
linkstore_next(MDB_txn *txn, MDB_dbi table, uint64_t *ret)
{
	MDB_cursor *cursor;
	MDB_val key, value;
	uint64_t last = 0;
	int rc = mdb_cursor_open(txn, table, &cursor);

	if (rc != 0)
		return rc;
	rc = mdb_cursor_get(cursor, &key, &value, MDB_LAST);
	if (rc == 0 && !env_key_get(&key, &last))
		rc = MDB_CORRUPTED;
	mdb_cursor_close(cursor);
	if (rc != 0 && rc != MDB_NOTFOUND)
		return rc;
	*ret = last + 1;
	return 0;
}

int
linkstore_put_number(MDB_txn *txn, MDB_dbi table, uint64_t number, const void *value, size_t length)
{
	uint8_t bytes[ENV_KEY_BYTES];
	MDB_val key = {sizeof bytes, bytes}, val = {length, (void *)(uintptr_t)value};

	env_key_put(bytes, number);
	return mdb_put(txn, table, &key, &val, 0);
}

int
linkstore_get_number(MDB_txn *txn, MDB_dbi table, uint64_t number, MDB_val *ret)
{
	uint8_t bytes[ENV_KEY_BYTES];
	MDB_val key = {sizeof bytes, bytes};

	env_key_put(bytes, number);
	return mdb_get(txn, table, &key, ret);
}

/* ---- nodes ------------------------------------------------------------------------------ */

static int
decode(const MDB_val *value, struct link_node *ret)
{
	const uint8_t *at = value->mv_data;

	if (value->mv_size != NODE_BYTES || at[0] != 1)
		return MDB_CORRUPTED;
	ret->has_parent = (at[1] & FLAG_PARENT) != 0;
	ret->merged = (at[1] & FLAG_MERGED) != 0;
	ret->patient = (at[1] & FLAG_PATIENT) != 0;
	ret->height = at[2];
	ret->kind = (uint16_t)get_bytes(at + 3, 2);
	ret->shift = (int16_t)(uint16_t)get_bytes(at + 5, 2);
	ret->since_ms = get_bytes(at + 7, 8);
	memcpy(ret->parent.bytes, at + 15, LINK_KEY_BYTES);
	return 0;
}

int
linkstore_node(
    const struct linkstore *store, MDB_txn *txn, const struct link_key *key, struct link_node *ret)
{
	MDB_val name = {LINK_KEY_BYTES, (void *)(uintptr_t)key->bytes}, value;
	int rc = mdb_get(txn, store->nodes, &name, &value);

	return rc != 0 ? rc : decode(&value, ret);
}

static int
put_child(const struct linkstore *store, MDB_txn *txn, const struct link_key *parent,
    const struct link_key *key, bool there)
{
	uint8_t bytes[2 * LINK_KEY_BYTES];
	MDB_val name = {sizeof bytes, bytes}, nothing = {0, bytes};
	int rc;

	memcpy(bytes, parent->bytes, LINK_KEY_BYTES);
	memcpy(bytes + LINK_KEY_BYTES, key->bytes, LINK_KEY_BYTES);
	rc = there ? mdb_put(txn, store->children, &name, &nothing, 0)
		   : mdb_del(txn, store->children, &name, NULL);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

int
linkstore_put_node(const struct linkstore *store, MDB_txn *txn, const struct link_key *key,
    const struct link_node *node, const struct link_node *before)
{
	uint8_t bytes[NODE_BYTES] = {1,
	    (uint8_t)((node->has_parent ? FLAG_PARENT : 0) | (node->merged ? FLAG_MERGED : 0) |
		(node->patient ? FLAG_PATIENT : 0)),
	    node->height};
	MDB_val name = {LINK_KEY_BYTES, (void *)(uintptr_t)key->bytes};
	MDB_val value = {sizeof bytes, bytes};
	uint8_t *at = bytes + 3;
	int rc = 0;

	at = put_bytes(at, 2, node->kind);
	at = put_bytes(at, 2, (uint16_t)node->shift);
	at = put_bytes(at, 8, node->since_ms);
	if (node->has_parent)
		memcpy(at, node->parent.bytes, LINK_KEY_BYTES);
	if (before != NULL && before->has_parent)
		rc = put_child(store, txn, &before->parent, key, false);
	if (rc == 0 && node->has_parent)
		rc = put_child(store, txn, &node->parent, key, true);
	return rc == 0 ? mdb_put(txn, store->nodes, &name, &value, 0) : rc;
}

int
linkstore_root(const struct linkstore *store, MDB_txn *txn, const struct link_key *key,
    struct link_key *ret_root, struct link_node *ret_node)
{
	struct link_key at = *key;
	struct link_node node;
	int rc = linkstore_node(store, txn, &at, &node);

	for (unsigned steps = 0; rc == 0 && node.has_parent; steps++) {
		if (steps > LINK_HEIGHT_MAX)
			return MDB_CORRUPTED;
		at = node.parent;
		rc = linkstore_node(store, txn, &at, &node);
		if (rc == MDB_NOTFOUND)
			return MDB_CORRUPTED;
	}
	if (rc != 0)
		return rc;
	*ret_root = at;
	*ret_node = node;
	return 0;
}

/* ---- moves ------------------------------------------------------------------------------ */

int
linkstore_put_move(const struct linkstore *store, MDB_txn *txn, const struct link_move *move)
{
	uint8_t bytes[MOVE_BYTES];
	uint64_t number;
	int rc = linkstore_next(txn, store->moves, &number);

	memcpy(bytes, move->from.bytes, LINK_KEY_BYTES);
	memcpy(bytes + 16, move->to.bytes, LINK_KEY_BYTES);
	put_bytes(put_bytes(bytes + 32, 2, (uint16_t)move->days), 8, move->time_ms);
	return rc == 0 ? linkstore_put_number(txn, store->moves, number, bytes, sizeof bytes) : rc;
}

bool
link_move_decode(const MDB_val *value, struct link_move *ret)
{
	const uint8_t *at = value->mv_data;

	if (value->mv_size != MOVE_BYTES)
		return false;
	memcpy(ret->from.bytes, at, LINK_KEY_BYTES);
	memcpy(ret->to.bytes, at + 16, LINK_KEY_BYTES);
	ret->days = (int16_t)(uint16_t)get_bytes(at + 32, 2);
	ret->time_ms = get_bytes(at + 34, 8);
	return true;
}

int
linkstore_drop_moves(
    const struct linkstore *store, MDB_txn *txn, const struct link_key *from, uint64_t before_ms)
{
	MDB_cursor *cursor;
	MDB_val key, value;
	struct link_move move;
	int rc = mdb_cursor_open(txn, store->moves, &cursor);

	if (rc != 0)
		return rc;
	for (rc = mdb_cursor_get(cursor, &key, &value, MDB_FIRST); rc == 0;
	     rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) {
		if (link_move_decode(&value, &move) && move.time_ms < before_ms &&
		    (from == NULL || link_key_same(&move.from, from)) &&
		    (rc = mdb_cursor_del(cursor, 0)) != 0)
			break;
	}
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

/* ---- conflicts -------------------------------------------------------------------------- */

Cairn__LinkConflict *
linkstore_conflict(const struct linkstore *store, MDB_txn *txn, uint64_t id, int *ret_rc)
{
	MDB_val value;
	Cairn__LinkConflict *conflict;

	*ret_rc = linkstore_get_number(txn, store->conflicts, id, &value);
	if (*ret_rc != 0)
		return NULL;
	conflict = (Cairn__LinkConflict *)proto_unpack(
	    &cairn__link_conflict__descriptor, NULL, value.mv_data, value.mv_size);
	if (conflict == NULL)
		*ret_rc = MDB_CORRUPTED;
	return conflict;
}

int
linkstore_put_conflict(
    const struct linkstore *store, MDB_txn *txn, const Cairn__LinkConflict *conflict)
{
	size_t length = cairn__link_conflict__get_packed_size(conflict);
	uint8_t *bytes;
	int rc;

	if (length > CONFLICT_BYTES_MAX)
		return MDB_BAD_VALSIZE;
	bytes = malloc(length + 1);
	if (bytes == NULL)
		return ENOMEM;
	cairn__link_conflict__pack(conflict, bytes);
	rc = linkstore_put_number(txn, store->conflicts, conflict->id, bytes, length);
	free(bytes);
	return rc;
}
