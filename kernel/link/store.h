/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LINK_STORE_H
#define LINK_STORE_H

/*
 * Where links lie: one LMDB environment.  An identifier is known by its key, the 16 bytes of the
 * pseudonym that the site key gives it (identity.h), never in clear; for a patient id that key is
 * the patient's pseudonym, as long as nothing says otherwise.
 *
 *   nodes     key                    -> form (1), flags (1), height (1), kind (2), shift (2),
 *                                       since (8), parent (16)
 *   children  parent, key            -> nothing; what leads to a patient
 *   kinds     number (8)             -> type 0 issuer 0 source
 *   conflicts number (8)             -> cairn.LinkConflict
 *   disputes  a, b, first disputed   -> number (8) of the conflict that says so
 *   moves     number (8)             -> from (16), to (16), days (2), time (8)
 *   meta      "format" -> "1"
 *
 * A node without parent is a patient; the others lead there in at most LINK_HEIGHT_MAX steps.
 * Functions that return int without `err` return LMDB's result.
 */

#include <stdbool.h>
#include <stdint.h>

#include <lmdb.h>

#include <cairn/error.h>

#include "cairn/link.pb-c.h"

#define LINK_KEY_BYTES 16
#define LINK_HEIGHT_MAX 64
#define LINK_KINDS_MAX 4096
#define LINK_CONFLICTS_MAX 100000
#define LINK_MAP_BYTES ((size_t)16 << 30) /* of address space */

struct link_key {
	uint8_t bytes[LINK_KEY_BYTES];
};

struct link_node {
	bool has_parent;
	bool merged;  /* a patient that became another by a merge */
	bool patient; /* its key is a pseudonym: a patient id */
	uint8_t height;
	uint16_t kind;
	int16_t shift; /* of the pseudonym */
	uint64_t since_ms;
	struct link_key parent;
};

struct link_move {
	struct link_key from, to;
	int16_t days;
	uint64_t time_ms;
};

struct linkstore {
	MDB_env *env;
	int lock_fd;
	MDB_dbi nodes, children, kinds, conflicts, disputes, moves, meta;
};

int linkstore_open(struct linkstore *ret, const char *dir, struct cairn_error *err);
/* Of a node that runs or not, by another process. */
int linkstore_open_reader(struct linkstore *ret, const char *dir, struct cairn_error *err);
void linkstore_close(struct linkstore *store);

bool link_key_same(const struct link_key *a, const struct link_key *b);
/* RFC 4648 base32, as identity.h writes it; false when `text` is no pseudonym. */
bool link_key_parse(const char *text, struct link_key *ret);
void link_key_text(const struct link_key *key, char ret[27]);

int linkstore_node(
    const struct linkstore *store, MDB_txn *txn, const struct link_key *key, struct link_node *ret);
/* Also keeps `children`: `before` is the node as it was, NULL when new. */
int linkstore_put_node(const struct linkstore *store, MDB_txn *txn, const struct link_key *key,
    const struct link_node *node, const struct link_node *before);
/* The patient that `key`, whose node is there, leads to.  MDB_CORRUPTED when it leads nowhere. */
int linkstore_root(const struct linkstore *store, MDB_txn *txn, const struct link_key *key,
    struct link_key *ret_root, struct link_node *ret_node);

/* The number behind the last row. */
int linkstore_next(MDB_txn *txn, MDB_dbi table, uint64_t *ret);
int linkstore_put_number(
    MDB_txn *txn, MDB_dbi table, uint64_t number, const void *value, size_t length);
int linkstore_get_number(MDB_txn *txn, MDB_dbi table, uint64_t number, MDB_val *ret);

int linkstore_put_move(const struct linkstore *store, MDB_txn *txn, const struct link_move *move);
bool link_move_decode(const MDB_val *value, struct link_move *ret);
/* Removes moves of `from` (or NULL) that are older than `before_ms`. */
int linkstore_drop_moves(
    const struct linkstore *store, MDB_txn *txn, const struct link_key *from, uint64_t before_ms);

/* NULL when it cannot be read; `*ret_rc` is LMDB's result. */
Cairn__LinkConflict *linkstore_conflict(
    const struct linkstore *store, MDB_txn *txn, uint64_t id, int *ret_rc);
int linkstore_put_conflict(
    const struct linkstore *store, MDB_txn *txn, const Cairn__LinkConflict *conflict);

#endif
