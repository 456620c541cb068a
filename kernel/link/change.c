/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes, made by a worker: what has come while it worked is its next batch, one transaction with
 * one sync.  Each change is a transaction within, so that one that fails leaves the others alone.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "ledger/env.h"
#include "link/inside.h"
#include "link/private.h"

static void link_work(struct link *link);

struct link_change *
link_change_new(size_t statements, size_t identifiers)
{
	struct link_change *change = calloc(1, sizeof *change);

	if (change == NULL)
		return NULL;
	change->statements = calloc(statements + 1, sizeof *change->statements);
	change->identifiers = calloc(identifiers + 1, sizeof *change->identifiers);
	change->row_errors = calloc(LINK_ROW_ERRORS_MAX, sizeof *change->row_errors);
	if (change->statements == NULL || change->identifiers == NULL ||
	    change->row_errors == NULL) {
		link_change_free(change);
		return NULL;
	}
	return change;
}

void
link_change_free(struct link_change *change)
{
	if (change == NULL)
		return;
	link_outcome_fini(&change->outcome);
	free(change->statements);
	free(change->identifiers);
	free(change->row_errors);
	free(change);
}

/* ---- the worker ------------------------------------------------------------------------- */

static void
add_row_error(struct link_change *change, uint32_t line, const char *text)
{
	struct link_row_error *row = &change->row_errors[change->row_error_count];

	change->rows_wrong++;
	if (change->row_error_count == LINK_ROW_ERRORS_MAX)
		return;
	change->row_error_count++;
	row->line = line;
	snprintf(row->text, sizeof row->text, "%.159s", text);
}

/* All rows are looked at, so that a person learns of all that is wrong. */
static int
apply_table(struct link_writer *w, struct link_change *change)
{
	for (size_t i = 0; i < change->statement_count; i++) {
		struct cairn_error err = {0};
		int code = link_apply_statement(w, &change->statements[i], true, &err);

		if (code != 0 && code != CAIRN_ENOTFOUND && code != CAIRN_EEXIST) {
			change->err = err;
			return code;
		}
		if (code != 0)
			add_row_error(change, change->statements[i].line, err.text);
	}
	if (change->rows_wrong == 0)
		return 0;
	return cairn_error_set(&change->err, CAIRN_EINVAL,
	    "%zu of %zu rows cannot be linked; nothing was", change->rows_wrong,
	    change->statement_count);
}

static int
apply(struct link_writer *w, struct link_change *change)
{
	struct cairn_error *err = &change->err;

	switch (change->kind) {
	case LINK_STATE:
		return link_apply_statement(w, &change->statements[0], false, err);
	case LINK_TABLE:
		return apply_table(w, change);
	case LINK_MERGE:
		return link_apply_merge(w, &change->statements[0], &change->statements[1], err);
	case LINK_JOIN:
		return link_apply_join(w, &change->from, &change->to, err);
	case LINK_SPLIT:
		return link_apply_split(w, &change->from, err);
	case LINK_RESOLVE:
		return link_apply_resolve(w, change->conflict, change->keep, err);
	}
	return cairn_error_set(err, CAIRN_EINTERNAL, "no such change");
}

static void
apply_one(struct link *link, MDB_txn *batch, struct link_change *change)
{
	struct link_writer w = {.store = &link->store,
	    .now_ms = clock_wall_ms(),
	    .source = change->source,
	    .kind_text = link_kind_text,
	    .arg = link,
	    .out = &change->outcome};
	int rc = mdb_txn_begin(link->store.env, batch, 0, &w.txn);

	if (rc != 0) {
		change->code = apply_failed(rc, &change->err);
		return;
	}
	change->code = apply(&w, change);
	if (change->code != 0) {
		mdb_txn_abort(w.txn);
		return;
	}
	rc = mdb_txn_commit(w.txn);
	if (rc != 0)
		change->code = apply_failed(rc, &change->err);
}

/* Without gaps: a number that is on disk must mean the same after a restart. */
static int
keep_kinds(struct link *link, MDB_txn *txn)
{
	size_t last = link->kinds_kept;
	int rc = 0;

	for (struct link_change *change = link->batch; change != NULL; change = change->next) {
		for (size_t i = 0; i < change->statement_count; i++) {
			for (size_t j = 0; j < change->statements[i].count; j++) {
				if (change->statements[i].identifiers[j].kind > last)
					last = change->statements[i].identifiers[j].kind;
			}
		}
	}
	for (size_t number = link->kinds_kept + 1; number <= last && rc == 0; number++) {
		const struct link_kind *kind = link->kinds[number];

		rc = linkstore_put_number(txn, link->store.kinds, number, kind->type,
		    (size_t)(kind->source - kind->type) + strlen(kind->source) + 1);
	}
	if (rc == 0)
		link->kinds_kept = last; /* a batch that fails ends in a lower number again */
	return rc;
}

static void
fail_batch(struct link *link, int rc)
{
	for (struct link_change *change = link->batch; change != NULL; change = change->next) {
		link_outcome_fini(&change->outcome);
		change->code = apply_failed(rc, &change->err);
	}
}

static void
work(uv_work_t *request)
{
	struct link *link = request->data;
	size_t kept = link->kinds_kept;
	MDB_txn *txn;
	int rc = mdb_txn_begin(link->store.env, NULL, 0, &txn);

	if (rc != 0) {
		fail_batch(link, rc);
		return;
	}
	rc = keep_kinds(link, txn);
	for (struct link_change *change = link->batch; change != NULL && rc == 0;
	     change = change->next)
		apply_one(link, txn, change);
	if (rc == 0)
		rc = mdb_txn_commit(txn);
	else
		mdb_txn_abort(txn);
	if (rc != 0) {
		link->kinds_kept = kept;
		fail_batch(link, rc);
	}
}

/* ---- the loop --------------------------------------------------------------------------- */

static void
worked(uv_work_t *request, int status)
{
	struct link *link = request->data;
	struct link_change *change = link->batch;
	bool counts = false;

	(void)status;
	link->working = false;
	link->batch = NULL;
	for (struct link_change *at = change; at != NULL; at = at->next) {
		counts = counts || at->outcome.conflict_new || at->kind == LINK_RESOLVE;
		if (at->code == 0)
			link->empty = false;
	}
	if (counts)
		link_count_open(link);
	if (link->first != NULL && link->closed == NULL)
		link_work(link);
	while (change != NULL) {
		struct link_change *next = change->next;

		change->done(change->arg, change);
		change = next;
	}
	if (link->closed != NULL && !link->working)
		link_finish(link);
}

static void
link_work(struct link *link)
{
	struct link_change *change;

	link->batch = link->first;
	link->first = link->last = NULL;
	link->waiting = 0;
	link->working = true;
	link->work.data = link;
	if (uv_queue_work(link->loop, &link->work, work, worked) == 0)
		return;
	link->working = false;
	change = link->batch;
	link->batch = NULL;
	while (change != NULL) {
		struct link_change *next = change->next;

		change->code = cairn_error_set(
		    &change->err, CAIRN_ENOMEM, "no worker for the patients' links");
		change->done(change->arg, change);
		change = next;
	}
}

int
link_change_put(struct link *link, struct link_change *change, struct cairn_error *err)
{
	if (link->waiting == LINK_WAITING_MAX)
		return cairn_error_set(err, CAIRN_ELIMIT,
		    "%d changes of patients' links wait for the disk; try again shortly",
		    LINK_WAITING_MAX);
	if (link->closed != NULL)
		return cairn_error_set(err, CAIRN_ECANCELLED, "the node is stopping; try again");
	change->next = NULL;
	if (link->last == NULL)
		link->first = change;
	else
		link->last->next = change;
	link->last = change;
	link->waiting++;
	if (!link->working)
		link_work(link);
	return 0;
}
