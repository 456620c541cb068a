/* SPDX-License-Identifier: Apache-2.0 */
/* What is read of the links: a patient's, the conflicts, the counts, and whether all is well. */
#include <stdlib.h>
#include <string.h>

#include "ledger/env.h"
#include "link/inside.h"
#include "link/private.h"

/* ---- one patient ------------------------------------------------------------------------ */

struct show {
	struct link *link;
	MDB_txn *txn;
	struct link_known *known;
	struct link_key keys[LINK_SHOWN_MAX]; /* of each, whose children come next */
	size_t count;
};

static int
add(struct show *show, const struct link_key *key, const struct link_key *pseudonym)
{
	struct link_known *known = &show->known[show->count];
	const struct link_kind *kind;
	struct link_node node;
	int rc = linkstore_node(&show->link->store, show->txn, key, &node);

	if (rc != 0)
		return rc;
	kind = node.kind < LINK_KINDS_MAX ? show->link->kinds[node.kind] : NULL;
	*known = (struct link_known){.type = kind == NULL ? "?" : kind->type,
	    .issuer = kind == NULL ? "" : kind->issuer,
	    .source = kind == NULL ? "" : kind->source,
	    .since_ms = node.since_ms,
	    .pseudonym = node.patient ? *key : *pseudonym,
	    .own = node.patient,
	    .merged = node.patient && node.has_parent};
	show->keys[show->count++] = *key;
	return 0;
}

static int
add_children(struct show *show, size_t index)
{
	uint8_t bytes[2 * LINK_KEY_BYTES] = {0};
	MDB_val key = {sizeof bytes, bytes}, value;
	MDB_cursor *cursor;
	struct link_key child;
	int rc = mdb_cursor_open(show->txn, show->link->store.children, &cursor);

	if (rc != 0)
		return rc;
	memcpy(bytes, show->keys[index].bytes, LINK_KEY_BYTES);
	rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
	while (rc == 0 && show->count < LINK_SHOWN_MAX && key.mv_size == sizeof bytes &&
	    memcmp(key.mv_data, show->keys[index].bytes, LINK_KEY_BYTES) == 0) {
		memcpy(child.bytes, (const uint8_t *)key.mv_data + LINK_KEY_BYTES, LINK_KEY_BYTES);
		rc = add(show, &child, &show->known[index].pseudonym);
		if (rc == 0)
			rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
	}
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

int
link_show(struct link *link, const struct link_key *key, struct link_key *ret_patient,
    struct link_known *ret, size_t *ret_count, struct cairn_error *err)
{
	struct show *show = calloc(1, sizeof *show);
	struct link_node node;
	int rc;

	if (show == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	*show = (struct show){.link = link, .txn = link_read(link), .known = ret};
	rc = show->txn == NULL ? MDB_READERS_FULL
			       : linkstore_root(&link->store, show->txn, key, ret_patient, &node);
	if (rc == 0)
		rc = add(show, ret_patient, ret_patient);
	for (size_t i = 0; rc == 0 && i < show->count; i++)
		rc = add_children(show, i);
	if (show->txn != NULL)
		link_read_done(link);
	*ret_count = show->count;
	free(show);
	if (rc == MDB_NOTFOUND)
		return cairn_error_set(err, CAIRN_ENOTFOUND,
		    "no identifiers were linked under this pseudonym; if it is in use, then by one "
		    "patient number alone");
	return rc == 0 ? 0 : apply_failed(rc, err);
}

/* ---- conflicts and moves ---------------------------------------------------------------- */

static MDB_cursor *
cursor_of(struct link *link, MDB_txn *txn, MDB_dbi table)
{
	MDB_cursor *cursor = NULL;

	(void)link;
	return txn != NULL && mdb_cursor_open(txn, table, &cursor) == 0 ? cursor : NULL;
}

static Cairn__LinkConflict *
read_conflict(struct link *link, MDB_txn *txn, const MDB_val *key)
{
	uint64_t id;
	int rc;

	return env_key_get(key, &id) ? linkstore_conflict(&link->store, txn, id, &rc) : NULL;
}

size_t
link_conflicts(struct link *link, bool resolved, Cairn__LinkConflict **ret, size_t max)
{
	MDB_txn *txn = link_read(link);
	MDB_cursor *cursor = cursor_of(link, txn, link->store.conflicts);
	MDB_val key, value;
	size_t count = 0;

	for (int rc = cursor == NULL ? MDB_NOTFOUND
				     : mdb_cursor_get(cursor, &key, &value, MDB_LAST);
	     rc == 0 && count < max; rc = mdb_cursor_get(cursor, &key, &value, MDB_PREV)) {
		Cairn__LinkConflict *conflict = read_conflict(link, txn, &key);

		if (conflict != NULL && (resolved || conflict->resolution[0] == 0))
			ret[count++] = conflict;
		else if (conflict != NULL)
			cairn__link_conflict__free_unpacked(conflict, NULL);
	}
	if (cursor != NULL)
		mdb_cursor_close(cursor);
	if (txn != NULL)
		link_read_done(link);
	return count;
}

int
link_conflict(struct link *link, uint64_t id, Cairn__LinkConflict **ret)
{
	MDB_txn *txn = link_read(link);
	int rc = MDB_READERS_FULL;

	if (txn != NULL) {
		*ret = linkstore_conflict(&link->store, txn, id, &rc);
		link_read_done(link);
	}
	return rc == 0 ? 0 : apply_failed(rc, NULL);
}

void
link_count_open(struct link *link)
{
	MDB_txn *txn = link_read(link);
	MDB_cursor *cursor = cursor_of(link, txn, link->store.conflicts);
	MDB_val key, value;

	link->open = 0;
	for (int rc = cursor == NULL ? MDB_NOTFOUND
				     : mdb_cursor_get(cursor, &key, &value, MDB_FIRST);
	     rc == 0; rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) {
		Cairn__LinkConflict *conflict = read_conflict(link, txn, &key);

		link->open += conflict != NULL && conflict->resolution[0] == 0;
		if (conflict != NULL)
			cairn__link_conflict__free_unpacked(conflict, NULL);
	}
	if (cursor != NULL)
		mdb_cursor_close(cursor);
	if (txn != NULL)
		link_read_done(link);
}

void
link_moves(struct link *link, void (*each)(void *arg, const struct link_move *move), void *arg)
{
	MDB_txn *txn = link_read(link);
	MDB_cursor *cursor = cursor_of(link, txn, link->store.moves);
	MDB_val key, value;
	struct link_move move;

	for (int rc = cursor == NULL ? MDB_NOTFOUND
				     : mdb_cursor_get(cursor, &key, &value, MDB_FIRST);
	     rc == 0; rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) {
		if (link_move_decode(&value, &move))
			each(arg, &move);
	}
	if (cursor != NULL)
		mdb_cursor_close(cursor);
	if (txn != NULL)
		link_read_done(link);
}

/* ---- counts ----------------------------------------------------------------------------- */

static void
count(const struct linkstore *store, MDB_txn *txn, struct link_counts *ret)
{
	MDB_stat nodes = {0}, children = {0};

	if (mdb_stat(txn, store->nodes, &nodes) != 0 ||
	    mdb_stat(txn, store->children, &children) != 0)
		return;
	ret->identifiers = nodes.ms_entries;
	ret->patients = nodes.ms_entries - children.ms_entries;
}

void
link_counts_get(struct link *link, struct link_counts *ret)
{
	MDB_txn *txn = link_read(link);

	*ret = (struct link_counts){.conflicts = link->open};
	if (txn == NULL)
		return;
	count(&link->store, txn, ret);
	link_read_done(link);
}

/* ---- whether all is well ---------------------------------------------------------------- */

static int
verify_nodes(const struct linkstore *store, MDB_txn *txn, struct cairn_error *err)
{
	MDB_cursor *cursor;
	MDB_val key, value;
	int rc = mdb_cursor_open(txn, store->nodes, &cursor);

	if (rc != 0)
		return apply_failed(rc, err);
	for (rc = mdb_cursor_get(cursor, &key, &value, MDB_FIRST); rc == 0;
	     rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) {
		struct link_key at, root;
		struct link_node node;

		if (key.mv_size != LINK_KEY_BYTES)
			break;
		memcpy(at.bytes, key.mv_data, LINK_KEY_BYTES);
		if (linkstore_root(store, txn, &at, &root, &node) != 0 || !node.patient)
			break;
	}
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND
	    ? 0
	    : cairn_error_set(err, CAIRN_ECORRUPT,
		  "an identifier leads to no patient; restore state/kernel/links from a backup");
}

static void
count_conflicts(const struct linkstore *store, MDB_txn *txn, struct link_counts *ret)
{
	uint64_t end = 0;
	int rc = linkstore_next(txn, store->conflicts, &end);

	for (uint64_t id = 1; rc == 0 && id < end; id++) {
		int got;
		Cairn__LinkConflict *conflict = linkstore_conflict(store, txn, id, &got);

		ret->conflicts += conflict != NULL && conflict->resolution[0] == 0;
		if (conflict != NULL)
			cairn__link_conflict__free_unpacked(conflict, NULL);
	}
}

int
link_verify(const char *dir, struct link_counts *ret, struct cairn_error *err)
{
	struct linkstore store;
	MDB_txn *txn;
	int rc, code = linkstore_open_reader(&store, dir, err);

	if (code != 0)
		return code;
	*ret = (struct link_counts){0};
	rc = mdb_txn_begin(store.env, NULL, MDB_RDONLY, &txn);
	code = rc != 0 ? apply_failed(rc, err) : verify_nodes(&store, txn, err);
	if (rc == 0) {
		count(&store, txn, ret);
		count_conflicts(&store, txn, ret);
		mdb_txn_abort(txn);
	}
	linkstore_close(&store);
	return code;
}
