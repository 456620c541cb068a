/* SPDX-License-Identifier: Apache-2.0 */
/* Statements that contradict earlier ones: kept once each, until an operator decides. */
#include <stdlib.h>
#include <string.h>

#include "ledger/env.h"
#include "link/private.h"

#define TEXT(literal) ((char *)(size_t)(literal)) /* protobuf-c knows no const */
#define DISPUTE_BYTES (3 * LINK_KEY_BYTES)

/* ---- keeping ---------------------------------------------------------------------------- */

struct record {
	Cairn__LinkConflict it;
	Cairn__ConflictingIdentifier identifiers[LINK_IDENTIFIERS_MAX];
	Cairn__ConflictingIdentifier *list[LINK_IDENTIFIERS_MAX];
	char a[27], b[27];
	const struct link_identifier *disputed; /* the first */
};

static void
fill(struct link_writer *w, const struct link_statement *statement, const struct link_key *a,
    const struct link_key *b, struct record *record)
{
	cairn__link_conflict__init(&record->it);
	link_key_text(a, record->a);
	link_key_text(b, record->b);
	record->it.a = record->a;
	record->it.b = record->b;
	record->it.time_ms = w->now_ms;
	record->it.source = TEXT(w->source);
	record->it.identifiers = record->list;
	for (size_t i = 0; i < statement->count; i++) {
		const struct link_identifier *from = &statement->identifiers[i];
		Cairn__ConflictingIdentifier *to = &record->identifiers[i];
		const char *issuer;
		struct link_key root;
		struct link_node node;

		cairn__conflicting_identifier__init(to);
		to->identifier_type = TEXT(w->kind_text(w->arg, from->kind, &issuer));
		to->issuer = TEXT(issuer);
		to->key.data = (uint8_t *)(uintptr_t)from->key.bytes;
		to->key.len = LINK_KEY_BYTES;
		to->disputed = linkstore_root(w->store, w->txn, &from->key, &root, &node) == 0 &&
		    link_key_same(&root, b);
		if (to->disputed && record->disputed == NULL)
			record->disputed = from;
		record->list[record->it.n_identifiers++] = to;
	}
}

static void
dispute_key(const struct link_key *a, const struct link_key *b, const struct link_key *disputed,
    uint8_t ret[DISPUTE_BYTES])
{
	memcpy(ret, a->bytes, LINK_KEY_BYTES);
	memcpy(ret + LINK_KEY_BYTES, b->bytes, LINK_KEY_BYTES);
	memcpy(ret + 2 * (size_t)LINK_KEY_BYTES, disputed->bytes, LINK_KEY_BYTES);
}

static int
keep_new(struct link_writer *w, struct record *record, MDB_val *dispute, struct cairn_error *err)
{
	uint8_t number[ENV_KEY_BYTES];
	MDB_val value = {sizeof number, number};
	MDB_stat stat;
	uint64_t id = 0;
	int rc = mdb_stat(w->txn, w->store->conflicts, &stat);

	if (rc == 0 && stat.ms_entries >= LINK_CONFLICTS_MAX)
		return cairn_error_set(err, CAIRN_EEXIST,
		    "the identifiers belong to different patients, and %d conflicts wait already; "
		    "see: cairn patient conflicts",
		    LINK_CONFLICTS_MAX);
	if (rc == 0)
		rc = linkstore_next(w->txn, w->store->conflicts, &id);
	record->it.id = id;
	env_key_put(number, id);
	if (rc == 0)
		rc = linkstore_put_conflict(w->store, w->txn, &record->it);
	if (rc == 0)
		rc = mdb_put(w->txn, w->store->disputes, dispute, &value, 0);
	if (rc != 0)
		return apply_failed(rc, err);
	w->out->conflict = id;
	w->out->conflict_new = true;
	return 0;
}

/* What was decided so that it could not come again, and does, was undone. */
static int
reopen(struct link_writer *w, uint64_t id)
{
	int rc;
	Cairn__LinkConflict *conflict = linkstore_conflict(w->store, w->txn, id, &rc);

	if (conflict == NULL)
		return rc;
	if (conflict->resolution[0] != 0 && strcmp(conflict->resolution, "b") != 0) {
		Cairn__LinkConflict open = *conflict; /* borrows */

		open.resolution = TEXT("");
		w->out->conflict_new = true;
		rc = linkstore_put_conflict(w->store, w->txn, &open);
	}
	cairn__link_conflict__free_unpacked(conflict, NULL);
	return rc;
}

int
conflict_keep(struct link_writer *w, const struct link_statement *statement,
    const struct link_key *a, const struct link_key *b, struct cairn_error *err)
{
	struct record *record = calloc(1, sizeof *record);
	uint8_t bytes[DISPUTE_BYTES];
	MDB_val dispute = {sizeof bytes, bytes}, value;
	int rc, code = 0;

	if (record == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	fill(w, statement, a, b, record);
	dispute_key(a, b,
	    record->disputed == NULL ? &statement->identifiers[0].key : &record->disputed->key,
	    bytes);
	rc = mdb_get(w->txn, w->store->disputes, &dispute, &value);
	if (rc == 0 && !env_key_get(&value, &w->out->conflict))
		rc = MDB_CORRUPTED;
	if (rc == 0)
		rc = reopen(w, w->out->conflict);
	else if (rc == MDB_NOTFOUND)
		rc = 0, code = keep_new(w, record, &dispute, err);
	if (rc != 0)
		code = apply_failed(rc, err);
	free(record);
	return code;
}

/* ---- deciding --------------------------------------------------------------------------- */

/* An identifier whose links led to b leads to a. */
static int
move_identifier(struct link_writer *w, const ProtobufCBinaryData *bytes, const struct link_key *a,
    const struct link_key *b, struct cairn_error *err)
{
	struct link_key key, root;
	struct link_node node, before, end;
	int rc;

	if (bytes->len != LINK_KEY_BYTES)
		return apply_failed(MDB_CORRUPTED, err);
	memcpy(key.bytes, bytes->data, LINK_KEY_BYTES);
	rc = linkstore_root(w->store, w->txn, &key, &root, &end);
	if (rc == 0)
		rc = linkstore_node(w->store, w->txn, &key, &node);
	if (rc != 0)
		return apply_failed(rc, err);
	if (!link_key_same(&root, b))
		return 0;
	if (node.patient)
		return cairn_error_set(err, CAIRN_EINVAL,
		    "one of the disputed identifiers is a patient number, with facts of its own: "
		    "keep b, or merge the two patients");
	before = node;
	node.has_parent = true;
	node.parent = *a;
	node.since_ms = w->now_ms;
	rc = linkstore_put_node(w->store, w->txn, &key, &node, &before);
	w->out->linked++;
	return rc == 0 ? 0 : apply_failed(rc, err);
}

static int
first_root(struct link_writer *w, const char *text, struct link_key *ret, struct cairn_error *err)
{
	struct link_key key;
	struct link_node node;
	int rc = !link_key_parse(text, &key) ? MDB_CORRUPTED
					     : linkstore_root(w->store, w->txn, &key, ret, &node);

	if (rc == MDB_NOTFOUND)
		return cairn_error_set(err, CAIRN_ENOTFOUND,
		    "patient %s has no linked identifier yet; link its number (cairn patient link "
		    "--table FILE), or keep b",
		    text);
	return rc == 0 ? 0 : apply_failed(rc, err);
}

static int
decide(struct link_writer *w, const Cairn__LinkConflict *conflict, const char *keep,
    struct cairn_error *err)
{
	struct link_key a, b;
	int code = first_root(w, conflict->b, &b, err);

	if (code == 0 && strcmp(keep, "b") == 0) {
		w->out->patient = b;
		return 0;
	}
	if (code == 0)
		code = first_root(w, conflict->a, &a, err);
	if (code != 0)
		return code;
	w->out->patient = a;
	if (link_key_same(&a, &b))
		return 0; /* merged meanwhile */
	if (strcmp(keep, "merge") == 0)
		return apply_join_roots(w, &b, &a, err);
	for (size_t i = 0; i < conflict->n_identifiers && code == 0; i++) {
		if (conflict->identifiers[i]->disputed)
			code = move_identifier(w, &conflict->identifiers[i]->key, &a, &b, err);
	}
	return code;
}

int
link_apply_resolve(struct link_writer *w, uint64_t id, const char *keep, struct cairn_error *err)
{
	Cairn__LinkConflict *conflict;
	int rc, code;

	if (strcmp(keep, "a") != 0 && strcmp(keep, "b") != 0 && strcmp(keep, "merge") != 0)
		return cairn_error_set(err, CAIRN_EINVAL, "keep is a, b or merge");
	conflict = linkstore_conflict(w->store, w->txn, id, &rc);
	if (conflict == NULL)
		return rc == MDB_NOTFOUND ? cairn_error_set(err, CAIRN_ENOTFOUND,
						"there is no conflict %llu", (unsigned long long)id)
					  : apply_failed(rc, err);
	code = conflict->resolution[0] != 0
	    ? cairn_error_set(
		  err, CAIRN_EEXIST, "conflict %llu was resolved already", (unsigned long long)id)
	    : decide(w, conflict, keep, err);
	if (code == 0) {
		Cairn__LinkConflict changed = *conflict; /* borrows */

		changed.resolution = TEXT(keep);
		changed.resolved_by = TEXT(w->source);
		changed.resolved_ms = w->now_ms;
		rc = linkstore_put_conflict(w->store, w->txn, &changed);
		code = rc == 0 ? 0 : apply_failed(rc, err);
	}
	cairn__link_conflict__free_unpacked(conflict, NULL);
	return code;
}
