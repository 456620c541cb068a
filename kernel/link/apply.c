/* SPDX-License-Identifier: Apache-2.0 */
#include "link/apply.h"

#include <stdlib.h>
#include <string.h>

#include "ledger/env.h"
#include "link/private.h"

#define MOVES_MAX 200000

int
apply_failed(int rc, struct cairn_error *err)
{
	return env_error(rc, "the links of patients' identifiers", err);
}

void
link_outcome_fini(struct link_outcome *outcome)
{
	free(outcome->moves);
	*outcome = (struct link_outcome){0};
}

/* ---- facts that move -------------------------------------------------------------------- */

/* Kept on disk too, until the facts' job is certainly on disk (link.h). */
static int
add_move(struct link_writer *w, const struct link_move *move, struct cairn_error *err)
{
	struct link_outcome *out = w->out;
	int rc;

	if (out->move_count == MOVES_MAX)
		return cairn_error_set(
		    err, CAIRN_ELIMIT, "more than %d pseudonyms would change at once", MOVES_MAX);
	if (out->move_count == out->move_room) {
		size_t room = out->move_room == 0 ? 4 : 2 * out->move_room;
		struct link_move *more = realloc(out->moves, room * sizeof *more);

		if (more == NULL)
			return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
		out->moves = more;
		out->move_room = room;
	}
	rc = linkstore_put_move(w->store, w->txn, move);
	if (rc != 0)
		return apply_failed(rc, err);
	out->moves[out->move_count++] = *move;
	return 0;
}

static int
move_facts(struct link_writer *w, const struct link_key *from, int from_shift,
    const struct link_key *to, int to_shift, struct cairn_error *err)
{
	struct link_move move = {.from = *from,
	    .to = *to,
	    .days = (int16_t)(to_shift - from_shift),
	    .time_ms = w->now_ms};

	return add_move(w, &move, err);
}

/* ---- one statement ---------------------------------------------------------------------- */

/* What each identifier of a statement leads to. */
struct found {
	bool known;
	struct link_key root;
	struct link_node node; /* the root's */
};

static int
find_all(struct link_writer *w, const struct link_statement *statement,
    struct found found[LINK_IDENTIFIERS_MAX], struct cairn_error *err)
{
	for (size_t i = 0; i < statement->count; i++) {
		int rc = linkstore_root(w->store, w->txn, &statement->identifiers[i].key,
		    &found[i].root, &found[i].node);

		found[i].known = rc == 0;
		if (rc != 0 && rc != MDB_NOTFOUND)
			return apply_failed(rc, err);
	}
	return 0;
}

/* The patient: what strong identifiers lead to; else who the first patient id is; else what the
 * weak ones lead to.  SIZE_MAX when there is none. */
static size_t
choose(const struct link_statement *statement, const struct found *found)
{
	size_t chosen = SIZE_MAX;

	for (size_t i = 0; i < statement->count && chosen == SIZE_MAX; i++) {
		if (statement->identifiers[i].strong && found[i].known)
			chosen = i;
	}
	for (size_t i = 0; i < statement->count && chosen == SIZE_MAX; i++) {
		if (statement->identifiers[i].patient)
			chosen = i;
	}
	for (size_t i = 0; i < statement->count && chosen == SIZE_MAX; i++) {
		if (found[i].known)
			chosen = i;
	}
	return chosen;
}

static void
set_patient(
    struct link_writer *w, const struct link_identifier *identifier, const struct found *found)
{
	w->out->patient = found->known ? found->root : identifier->key;
	w->out->shift = found->known ? found->node.shift : identifier->shift;
}

static int
put_new(struct link_writer *w, const struct link_identifier *identifier,
    const struct link_key *parent, struct cairn_error *err)
{
	struct link_node node = {.has_parent = parent != NULL,
	    .patient = identifier->patient,
	    .kind = identifier->kind,
	    .shift = identifier->shift,
	    .since_ms = w->now_ms};
	int rc;

	if (parent != NULL)
		node.parent = *parent;
	rc = linkstore_put_node(w->store, w->txn, &identifier->key, &node, NULL);
	if (rc != 0)
		return apply_failed(rc, err);
	w->out->linked++;
	return 0;
}

/* The first identifier decides who is meant, as if it had been asked for alone.  A patient whose
 * number is in no link yet gets its node, so that an operator can decide for it. */
static int
refuse(struct link_writer *w, const struct link_statement *statement, const struct found *found,
    struct cairn_error *err)
{
	struct link_key a, b = w->out->patient; /* as chosen */
	int code = 0;

	if (!found[0].known && !statement->identifiers[0].patient)
		return cairn_error_set(err, CAIRN_EEXIST,
		    "the identifiers belong to different patients, and the first of them is not "
		    "known; see: cairn patient conflicts");
	set_patient(w, &statement->identifiers[0], &found[0]);
	a = w->out->patient;
	for (size_t i = statement->count; i-- > 0;) {
		const struct link_identifier *at = &statement->identifiers[i];

		if (found[i].known && !link_key_same(&found[i].root, &a))
			b = found[i].root;
		if (code == 0 && !found[i].known && at->patient &&
		    (link_key_same(&at->key, &a) || link_key_same(&at->key, &b)))
			code = put_new(w, at, NULL, err);
	}
	w->out->linked = 0;
	return code == 0 ? conflict_keep(w, statement, &a, &b, err) : code;
}

/* The patient's own node, which every other needs. */
static int
put_root(struct link_writer *w, const struct link_statement *statement, size_t chosen,
    const struct found *found, struct cairn_error *err)
{
	struct link_key root = w->out->patient;
	struct link_node node;
	int rc, code = 0;

	if (!found[chosen].known)
		code = put_new(w, &statement->identifiers[chosen], NULL, err);
	if (code != 0)
		return code;
	rc = linkstore_node(w->store, w->txn, &root, &node);
	if (rc != 0)
		return apply_failed(rc, err);
	if (node.height > 0)
		return 0;
	node.height = 1;
	rc = linkstore_put_node(w->store, w->txn, &root, &node, &node);
	return rc == 0 ? 0 : apply_failed(rc, err);
}

static int
link_rest(struct link_writer *w, const struct link_statement *statement, size_t chosen,
    const struct found *found, struct cairn_error *err)
{
	const struct link_key root = w->out->patient;
	struct link_node node;
	int code = put_root(w, statement, chosen, found, err);

	for (size_t i = 0; i < statement->count && code == 0; i++) {
		const struct link_identifier *at = &statement->identifiers[i];
		int rc = linkstore_node(w->store, w->txn, &at->key, &node);

		if (rc == 0) /* known, or twice in the statement */
			continue;
		if (rc != MDB_NOTFOUND)
			return apply_failed(rc, err);
		code = put_new(w, at, &root, err);
		if (code == 0 && at->patient)
			code = move_facts(w, &at->key, at->shift, &root, w->out->shift, err);
	}
	return code;
}

int
link_apply_statement(struct link_writer *w, const struct link_statement *statement, bool strict,
    struct cairn_error *err)
{
	struct found found[LINK_IDENTIFIERS_MAX];
	int code = find_all(w, statement, found, err);
	size_t chosen = choose(statement, found);

	if (code != 0)
		return code;
	if (chosen == SIZE_MAX)
		return cairn_error_set(err, CAIRN_ENOTFOUND,
		    "none of these identifiers was linked to a patient; name the patient's number "
		    "with them, or link them first: cairn patient link --table FILE");
	set_patient(w, &statement->identifiers[chosen], &found[chosen]);
	for (size_t i = 0; i < statement->count; i++) {
		if (!found[i].known || link_key_same(&found[i].root, &w->out->patient))
			continue;
		if (strict)
			return cairn_error_set(err, CAIRN_EEXIST,
			    "its identifiers are linked to different patients already");
		return refuse(w, statement, found, err);
	}
	return link_rest(w, statement, chosen, found, err);
}

/* ---- merges ----------------------------------------------------------------------------- */

int
apply_join_roots(struct link_writer *w, const struct link_key *from, const struct link_key *to,
    struct cairn_error *err)
{
	struct link_node ends, remains, before;
	int rc = linkstore_node(w->store, w->txn, from, &ends);

	if (rc == 0)
		rc = linkstore_node(w->store, w->txn, to, &remains);
	if (rc != 0)
		return apply_failed(rc, err);
	if (ends.height >= LINK_HEIGHT_MAX)
		return cairn_error_set(err, CAIRN_ELIMIT,
		    "the patient was merged %d times over; split and merge it anew: cairn patient "
		    "split",
		    LINK_HEIGHT_MAX);
	before = ends;
	ends.has_parent = ends.merged = true;
	ends.parent = *to;
	rc = linkstore_put_node(w->store, w->txn, from, &ends, &before);
	if (rc == 0 && remains.height <= ends.height) {
		before = remains;
		remains.height = (uint8_t)(ends.height + 1);
		rc = linkstore_put_node(w->store, w->txn, to, &remains, &before);
	}
	if (rc != 0)
		return apply_failed(rc, err);
	w->out->patient = *to;
	w->out->shift = remains.shift;
	w->out->linked++;
	return move_facts(w, from, ends.shift, to, remains.shift, err);
}

/* A merge that is told again does nothing; one that is told the other way round is refused. */
static int
same_already(struct link_writer *w, const struct link_key *named, const struct link_key *target,
    const struct link_key *root, struct cairn_error *err)
{
	if (link_key_same(named, root) && !link_key_same(target, root))
		return cairn_error_set(err, CAIRN_EEXIST,
		    "the patient that should remain was merged into the one that should end; if "
		    "that was wrong, undo it first: cairn patient split");
	(void)w;
	return 0;
}

int
link_apply_merge(struct link_writer *w, const struct link_statement *from,
    const struct link_statement *to, struct cairn_error *err)
{
	struct link_key ends, remains;
	int16_t shift;
	int code = link_apply_statement(w, to, false, err);

	remains = w->out->patient;
	shift = w->out->shift;
	if (code != 0 || w->out->conflict != 0)
		return code;
	code = link_apply_statement(w, from, false, err);
	ends = w->out->patient;
	w->out->patient = remains; /* who is answered, whatever becomes of the other */
	w->out->shift = shift;
	if (code != 0 || w->out->conflict != 0)
		return code;
	if (link_key_same(&ends, &remains))
		return same_already(
		    w, &from->identifiers[0].key, &to->identifiers[0].key, &ends, err);
	return apply_join_roots(w, &ends, &remains, err);
}

int
link_apply_join(struct link_writer *w, const struct link_key *from, const struct link_key *to,
    struct cairn_error *err)
{
	struct link_key ends, remains;
	struct link_node node;
	int rc = linkstore_root(w->store, w->txn, from, &ends, &node);

	if (rc == 0)
		rc = linkstore_root(w->store, w->txn, to, &remains, &node);
	if (rc == MDB_NOTFOUND)
		return cairn_error_set(err, CAIRN_ENOTFOUND,
		    "no identifier of one of these pseudonyms was ever linked, so that its dates "
		    "could not be moved; link the patient's number first: cairn patient link "
		    "--table FILE");
	if (rc != 0)
		return apply_failed(rc, err);
	w->out->patient = remains;
	w->out->shift = node.shift;
	if (link_key_same(&ends, &remains))
		return same_already(w, from, to, &ends, err);
	return apply_join_roots(w, &ends, &remains, err);
}

int
link_apply_split(struct link_writer *w, const struct link_key *key, struct cairn_error *err)
{
	struct link_node node, before;
	int rc = linkstore_node(w->store, w->txn, key, &node);

	if (rc == MDB_NOTFOUND || (rc == 0 && (!node.has_parent || !node.patient)))
		return cairn_error_set(err, CAIRN_ENOTFOUND,
		    "this pseudonym has not become another; see: cairn patient show");
	before = node;
	node.has_parent = node.merged = false;
	if (rc == 0)
		rc = linkstore_put_node(w->store, w->txn, key, &node, &before);
	if (rc == 0)
		rc = linkstore_drop_moves(w->store, w->txn, key, UINT64_MAX);
	if (rc != 0)
		return apply_failed(rc, err);
	w->out->patient = *key;
	w->out->shift = node.shift;
	w->out->linked++;
	return 0;
}
