/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LINK_APPLY_H
#define LINK_APPLY_H

/* What changes links, each inside a transaction that the caller commits or aborts. */

#include "link/store.h"

#define LINK_IDENTIFIERS_MAX 32 /* of one patient, in one statement */

/* One identifier as it was stated.  Strong ones say who a patient is; what only belongs to a
 * patient (an accession, a sample) never makes one patient of two. */
struct link_identifier {
	struct link_key key;
	int16_t shift;
	uint16_t kind;
	bool patient, strong;
};

struct link_statement {
	const struct link_identifier *identifiers;
	size_t count;
	uint32_t line; /* of a table; 0 */
};

/* What came of it.  `moves` grows on the heap; link_outcome_fini() frees. */
struct link_outcome {
	struct link_key patient; /* the pseudonym in use */
	int16_t shift;
	uint64_t linked; /* identifiers that lead there only now */
	uint64_t conflict;
	bool conflict_new;
	struct link_move *moves;
	size_t move_count, move_room;
};

struct link_writer {
	const struct linkstore *store;
	MDB_txn *txn;
	uint64_t now_ms;
	const char *source;
	const char *(*kind_text)(void *arg, uint16_t kind, const char **ret_issuer); /* its type */
	void *arg;
	struct link_outcome *out;
};

/* All identifiers are one patient's from now on; CAIRN_ENOTFOUND when none leads to a patient.
 * 0 with out->conflict when they lead to different patients: nothing is linked, the conflict is
 * kept (unless `strict`: then CAIRN_EEXIST and nothing is kept).  The patient of a conflict is the
 * one that the first identifier leads to by itself; CAIRN_EEXIST when it leads to none. */
int link_apply_statement(struct link_writer *w, const struct link_statement *statement, bool strict,
    struct cairn_error *err);
/* `from` was registered twice and is `to`.  CAIRN_EEXIST when `to` has become `from`. */
int link_apply_merge(struct link_writer *w, const struct link_statement *from,
    const struct link_statement *to, struct cairn_error *err);
/* The same with pseudonyms that are known here; CAIRN_ENOTFOUND else. */
int link_apply_join(struct link_writer *w, const struct link_key *from, const struct link_key *to,
    struct cairn_error *err);
/* A pseudonym that has become another is one of its own again. */
int link_apply_split(struct link_writer *w, const struct link_key *key, struct cairn_error *err);
/* `keep` is "a", "b" or "merge". */
int link_apply_resolve(
    struct link_writer *w, uint64_t conflict, const char *keep, struct cairn_error *err);

void link_outcome_fini(struct link_outcome *outcome);

#endif
