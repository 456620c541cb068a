/* SPDX-License-Identifier: Apache-2.0 */
#include "link/link.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "ledger/env.h"
#include "link/inside.h"
#include "link/issuers.h"
#include "link/private.h"

#define MOVES_KEPT_MS (7u * 24 * 3600 * 1000)
#define SOURCE_MAX 63

/* ---- kinds ------------------------------------------------------------------------------ */

static struct link_kind *
kind_new(const char *type, const char *issuer, const char *source)
{
	size_t lengths[] = {strlen(type) + 1, strlen(issuer) + 1, strlen(source) + 1};
	struct link_kind *kind = calloc(1, sizeof *kind);

	if (kind != NULL)
		kind->type = malloc(lengths[0] + lengths[1] + lengths[2]);
	if (kind == NULL || kind->type == NULL) {
		free(kind);
		return NULL;
	}
	kind->issuer = kind->type + lengths[0];
	kind->source = kind->issuer + lengths[1];
	memcpy(kind->type, type, lengths[0]);
	memcpy(kind->issuer, issuer, lengths[1]);
	memcpy(kind->source, source, lengths[2]);
	return kind;
}

const char *
link_kind_text(void *arg, uint16_t number, const char **ret_issuer)
{
	const struct link *link = arg;
	const struct link_kind *kind = number < LINK_KINDS_MAX ? link->kinds[number] : NULL;

	*ret_issuer = kind == NULL ? "" : kind->issuer;
	return kind == NULL ? "?" : kind->type;
}

/* 0 where there are too many kinds to tell them apart; hostile senders could invent them. */
static uint16_t
intern(struct link *link, const char *type, const char *issuer, const char *source)
{
	size_t number = 1;

	for (; number <= link->kind_count; number++) {
		const struct link_kind *kind = link->kinds[number];

		if (strcmp(kind->issuer, issuer) == 0 && strcmp(kind->type, type) == 0 &&
		    strcmp(kind->source, source) == 0)
			return (uint16_t)number;
	}
	if (number >= LINK_KINDS_MAX)
		return 0;
	link->kinds[number] = kind_new(type, issuer, source);
	if (link->kinds[number] == NULL)
		return 0;
	link->kind_count = number;
	return (uint16_t)number;
}

static int
load_kind(struct link *link, const MDB_val *value)
{
	const char *text = value->mv_data, *parts[3];
	size_t at = 0;

	for (size_t i = 0; i < 3; i++) {
		const char *end = memchr(text + at, 0, value->mv_size - at);

		if (end == NULL)
			return MDB_CORRUPTED;
		parts[i] = text + at;
		at = (size_t)(end - text) + 1;
	}
	link->kinds[link->kind_count + 1] = kind_new(parts[0], parts[1], parts[2]);
	if (link->kinds[link->kind_count + 1] == NULL)
		return ENOMEM;
	link->kind_count++;
	return 0;
}

static int
load_kinds(struct link *link, MDB_txn *txn)
{
	MDB_val value;
	int rc = 0;

	while (rc == 0 && link->kind_count + 1 < LINK_KINDS_MAX) {
		rc = linkstore_get_number(txn, link->store.kinds, link->kind_count + 1, &value);
		if (rc == 0)
			rc = load_kind(link, &value);
	}
	return rc == MDB_NOTFOUND ? 0 : rc;
}

/* ---- opening ---------------------------------------------------------------------------- */

MDB_txn *
link_read(struct link *link)
{
	if (link->reader != NULL)
		return mdb_txn_renew(link->reader) == 0 ? link->reader : NULL;
	if (mdb_txn_begin(link->store.env, NULL, MDB_RDONLY, &link->reader) != 0)
		link->reader = NULL;
	return link->reader;
}

void
link_read_done(struct link *link)
{
	mdb_txn_reset(link->reader);
}

/* What is old enough has certainly reached its facts. */
static int
drop_old_moves(struct link *link)
{
	uint64_t now_ms = clock_wall_ms();
	MDB_txn *txn;
	int rc = mdb_txn_begin(link->store.env, NULL, 0, &txn);

	if (rc != 0)
		return rc;
	rc = linkstore_drop_moves(
	    &link->store, txn, NULL, now_ms < MOVES_KEPT_MS ? 0 : now_ms - MOVES_KEPT_MS);
	if (rc != 0) {
		mdb_txn_abort(txn);
		return rc;
	}
	return mdb_txn_commit(txn);
}

static int
load(struct link *link, struct cairn_error *err)
{
	MDB_stat stat;
	MDB_txn *txn;
	int rc = drop_old_moves(link);

	txn = rc == 0 ? link_read(link) : NULL;
	if (txn == NULL)
		return env_error(rc == 0 ? MDB_READERS_FULL : rc, "the links", err);
	rc = load_kinds(link, txn);
	if (rc == 0)
		rc = mdb_stat(txn, link->store.nodes, &stat);
	link_read_done(link);
	if (rc != 0)
		return env_error(rc, "the links", err);
	link->empty = stat.ms_entries == 0;
	link->kinds_kept = link->kind_count;
	link_count_open(link);
	return 0;
}

void
link_finish(struct link *link)
{
	void (*closed)(void *arg) = link->closed;
	void *arg = link->closed_arg;

	if (link->reader != NULL)
		mdb_txn_abort(link->reader);
	linkstore_close(&link->store);
	for (size_t i = 1; i <= link->kind_count; i++) {
		free(link->kinds[i]->type);
		free(link->kinds[i]);
	}
	free(link);
	if (closed != NULL)
		closed(arg);
}

int
link_open(
    struct link **ret, uv_loop_t *loop, const struct link_options *options, struct cairn_error *err)
{
	struct link *link = calloc(1, sizeof *link);
	int code;

	if (link == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	link->loop = loop;
	link->identity = options->identity;
	link->project = options->project;
	link->issuers = options->issuers;
	link->store.lock_fd = -1;
	code = issuers_check(options->issuers, err);
	if (code == 0)
		code = linkstore_open(&link->store, options->dir, err);
	if (code == 0)
		code = load(link, err);
	if (code != 0) {
		link_finish(link);
		return code;
	}
	*ret = link;
	return 0;
}

void
link_close(struct link *link, void (*closed)(void *arg), void *arg)
{
	link->closed = closed;
	link->closed_arg = arg;
	while (link->first != NULL) {
		struct link_change *change = link->first;

		link->first = change->next;
		change->code = cairn_error_set(
		    &change->err, CAIRN_ECANCELLED, "the node is stopping; try again");
		change->done(change->arg, change);
	}
	link->last = NULL;
	if (!link->working)
		link_finish(link);
}

void
link_set_issuers(struct link *link, char *const *issuers)
{
	link->issuers = issuers;
}

/* ---- identifiers ------------------------------------------------------------------------ */

int
link_identifier(struct link *link, const char *const type_issuer_id[3], const char *source,
    struct link_identifier *ret, struct cairn_error *err)
{
	char type[ISSUER_TYPE_MAX + 1], buffer[ISSUER_MAX + 1], name[SOURCE_MAX + 1];
	char text[IDENTITY_PSEUDONYM_MAX];
	const char *issuer;
	int32_t shift;
	bool patient;
	int code = issuers_type(type_issuer_id[0], type);

	if (code != 0)
		return cairn_error_set(err, code,
		    "an identifier type is 1 to %d letters, digits, '-', '_' and '.', e.g. "
		    "patient-id, accession, sample",
		    ISSUER_TYPE_MAX);
	patient = strcmp(type, "patient-id") == 0;
	code = issuers_canonical(link->issuers, patient, type_issuer_id[1], buffer, &issuer);
	if (code != 0)
		return cairn_error_set(
		    err, code, "an assigning authority is longer than %d bytes", ISSUER_MAX);
	code = identity_pseudonym(
	    link->identity, link->project, type, issuer, type_issuer_id[2], text, &shift, err);
	if (code != 0)
		return code;
	if (!link_key_parse(text, &ret->key))
		return cairn_error_set(err, CAIRN_EINTERNAL, "a pseudonym cannot be read back");
	ret->shift = (int16_t)shift;
	ret->patient = patient;
	ret->strong = patient || strcmp(type, "national-id") == 0;
	ret->kind = 0;
	if (source == NULL)
		return 0;
	snprintf(name, sizeof name, "%s", source);
	ret->kind = strlen(issuer) > ISSUER_MAX ? 0 : intern(link, type, issuer, name);
	return 0;
}

static void
answer(const struct link_key *key, int shift, struct link_answer *ret)
{
	link_key_text(key, ret->pseudonym);
	ret->date_shift_days = shift;
}

int
link_find(struct link *link, const struct link_identifier *identifier, struct link_answer *ret,
    struct cairn_error *err)
{
	MDB_txn *txn = link->empty ? NULL : link_read(link);
	struct link_key root;
	struct link_node node;
	int rc = MDB_NOTFOUND;

	if (!link->empty && txn == NULL)
		return cairn_error_set(err, CAIRN_EIO, "the links cannot be read");
	if (txn != NULL) {
		rc = linkstore_root(&link->store, txn, &identifier->key, &root, &node);
		link_read_done(link);
	}
	if (rc == 0)
		answer(&root, node.shift, ret);
	else if (rc != MDB_NOTFOUND)
		return apply_failed(rc, err);
	else if (identifier->patient)
		answer(&identifier->key, identifier->shift, ret);
	else
		return cairn_error_set(err, CAIRN_ENOTFOUND,
		    "this identifier was not linked to a patient; state it together with the "
		    "patient's number, or link it: cairn patient link --table FILE");
	return 0;
}

bool
link_agree(struct link *link, const struct link_statement *statement, struct link_answer *ret)
{
	MDB_txn *txn = link->empty ? NULL : link_read(link);
	struct link_key first = {{0}}, root;
	struct link_node node = {0};
	bool agree = txn != NULL;

	for (size_t i = 0; agree && i < statement->count; i++) {
		agree = linkstore_root(
			    &link->store, txn, &statement->identifiers[i].key, &root, &node) == 0 &&
		    (i == 0 || link_key_same(&root, &first));
		first = root;
	}
	if (txn != NULL)
		link_read_done(link);
	if (agree)
		answer(&first, node.shift, ret);
	return agree;
}
