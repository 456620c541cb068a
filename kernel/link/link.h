/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LINK_LINK_H
#define LINK_LINK_H

/*
 * Which identifiers are one patient's.  A patient id that nothing was said of has the pseudonym
 * that the site key gives it (identity.h); asking for that writes and locks nothing.  What is said
 * of several identifiers is kept in LMDB (store.h), on disk before `done` is called, and several
 * statements share one transaction, made by a worker, so that the loop never waits for the disk.
 *
 * Every pseudonym that becomes another is told to `moved`, and again by link_open() for a week, in
 * case that the node was killed, or restored from a backup, before the facts' move was on disk:
 * moving what has been moved must change nothing.
 *
 * Loop thread only.  Identifiers are never kept, logged or answered.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include <cairn/error.h>

#include "identity/identity.h"
#include "link/apply.h"

#define LINK_ROWS_MAX 50000
#define LINK_WAITING_MAX 4096 /* changes that wait for the disk */
#define LINK_SHOWN_MAX 1000   /* identifiers of one patient */

struct link;

struct link_options {
	const char *dir; /* HOME/state/kernel/links */
	struct identity *identity;
	const char *project;
	char *const *issuers; /* issuers.h; borrowed, may be NULL */
};

int link_open(struct link **ret, uv_loop_t *loop, const struct link_options *options,
    struct cairn_error *err);
/* Waits for what is being written; what only waits for its turn fails with CAIRN_ECANCELLED. */
void link_close(struct link *link, void (*closed)(void *arg), void *arg);
/* node.yaml's table was read again. */
void link_set_issuers(struct link *link, char *const *issuers);

/* The identifier as links know it; `source` is the plugin's or the person's name.  CAIRN_EINVAL for
 * an empty identifier or a type that is none, CAIRN_ELIMIT for one that is too long. */
int link_identifier(struct link *link, const char *const type_issuer_id[3], const char *source,
    struct link_identifier *ret, struct cairn_error *err);

struct link_answer {
	char pseudonym[IDENTITY_PSEUDONYM_MAX];
	int32_t date_shift_days;
};

/* CAIRN_ENOTFOUND for what was never linked and is no patient id. */
int link_find(struct link *link, const struct link_identifier *identifier, struct link_answer *ret,
    struct cairn_error *err);
/* True when all are known to be one patient, so that nothing needs to be written. */
bool link_agree(struct link *link, const struct link_statement *statement, struct link_answer *ret);

enum link_change_kind { LINK_STATE, LINK_TABLE, LINK_MERGE, LINK_JOIN, LINK_SPLIT, LINK_RESOLVE };

struct link_row_error {
	uint32_t line;
	char text[160];
};

#define LINK_ROW_ERRORS_MAX 100

/* A change; freed by link_change_free().  `identifiers` is the one array of all statements. */
struct link_change {
	enum link_change_kind kind;
	char source[64];
	struct link_identifier *identifiers;
	struct link_statement *statements; /* STATE: one; TABLE: all or none; MERGE: from, to */
	size_t statement_count;
	struct link_key from, to; /* JOIN; SPLIT: from */
	uint64_t conflict;        /* RESOLVE */
	char keep[8];
	/* What came of it. */
	int code;
	struct cairn_error err;
	struct link_outcome outcome;
	struct link_row_error *row_errors; /* of a table: the first LINK_ROW_ERRORS_MAX */
	size_t row_error_count, rows_wrong;
	/* On the loop.  `code` 0: it is on disk. */
	void (*done)(void *arg, struct link_change *change);
	void *arg;
	struct link_change *next; /* the link's own */
};

/* Room for so many statements and identifiers in all; NULL without memory. */
struct link_change *link_change_new(size_t statements, size_t identifiers);
void link_change_free(struct link_change *change);
/* Takes the change; `done` is called exactly once and frees it, unless an error is returned. */
int link_change_put(struct link *link, struct link_change *change, struct cairn_error *err);

/* The moves that may not have reached their facts, oldest first; at most once, after opening. */
void link_moves(
    struct link *link, void (*each)(void *arg, const struct link_move *move), void *arg);

struct link_known {
	const char *type, *issuer, *source; /* the link's own */
	uint64_t since_ms;
	struct link_key pseudonym; /* of the patient that it was linked to first */
	bool own, merged;
};

/* What is known of the patient, LINK_SHOWN_MAX at most; CAIRN_ENOTFOUND. */
int link_show(struct link *link, const struct link_key *key, struct link_key *ret_patient,
    struct link_known *ret, size_t *ret_count, struct cairn_error *err);
/* Open ones, or all, newest first, at most `max`; each for free_unpacked(). */
size_t link_conflicts(struct link *link, bool resolved, Cairn__LinkConflict **ret, size_t max);

/* One of them, for free_unpacked(). */
int link_conflict(struct link *link, uint64_t id, Cairn__LinkConflict **ret);

struct link_counts {
	uint64_t identifiers, patients, conflicts; /* conflicts: open */
};

void link_counts_get(struct link *link, struct link_counts *ret);
/* Of a home, by another process: every node leads to a patient.  CAIRN_ENOTFOUND without links,
 * CAIRN_ECORRUPT. */
int link_verify(const char *dir, struct link_counts *ret, struct cairn_error *err);

#endif
