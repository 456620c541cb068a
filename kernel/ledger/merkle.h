/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_MERKLE_H
#define LEDGER_MERKLE_H

/*
 * The Merkle tree of RFC 9162 2.1, kept as the hashes of its perfect subtrees.
 *
 * Appending leaf i completes the leaf itself and one perfect subtree for each trailing one bit of
 * i: 1 + ctz(i + 1) hashes, of levels 0, 1, 2, ...  They are stored under i.  So the perfect
 * subtree (level, k), which covers the leaves k << level to ((k + 1) << level) - 1, is hash number
 * `level` under its last leaf, and storage only ever appends.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/types.h>

#include <cairn/error.h>

#define MERKLE_HASH 32
#define MERKLE_LEVELS 64

/* A SHA-256 context that is used again and again; one thread at a time.  The first failure of
 * OpenSSL sticks: look at `failed` before what was hashed is relied on. */
struct hasher {
	EVP_MD *md;
	EVP_MD_CTX *ctx;
	bool failed;
};

int hasher_init(struct hasher *hasher);
void hasher_fini(struct hasher *hasher);
void hasher_leaf(struct hasher *hasher, const void *bytes, size_t length, uint8_t ret[MERKLE_HASH]);
void hasher_node(struct hasher *hasher, const uint8_t left[MERKLE_HASH],
    const uint8_t right[MERKLE_HASH], uint8_t ret[MERKLE_HASH]);

/* The right edge: frontier[l] is valid where bit l of `size` is set. */
struct merkle {
	uint64_t size;
	uint8_t frontier[MERKLE_LEVELS][MERKLE_HASH];
};

/* How many hashes are stored under leaf `index`. */
unsigned merkle_completed(uint64_t index);

/* Appends a leaf hash; `ret` gets the hashes it completes.  Returns how many. */
unsigned merkle_push(struct merkle *tree, struct hasher *hasher, const uint8_t leaf[MERKLE_HASH],
    uint8_t ret[MERKLE_LEVELS][MERKLE_HASH]);
void merkle_root(const struct merkle *tree, struct hasher *hasher, uint8_t ret[MERKLE_HASH]);

/* Where stored hashes come from: perfect subtree `index` of `level`. */
struct merkle_source {
	int (*node)(void *arg, unsigned level, uint64_t index, uint8_t ret[MERKLE_HASH],
	    struct cairn_error *err);
	void *arg;
};

/* The right edge of the first `size` leaves. */
int merkle_load(
    struct merkle *ret, const struct merkle_source *source, uint64_t size, struct cairn_error *err);

#define MERKLE_PATH_MAX 64

/* How one leaf belongs to the first `size` leaves. */
struct merkle_proof {
	uint64_t index;
	uint64_t size;
	size_t count;
	uint8_t path[MERKLE_PATH_MAX][MERKLE_HASH]; /* lowest first */
};

/* RFC 9162 2.1.3.1: fills `count` and `path` for `index` < `size`. */
int merkle_path(const struct merkle_source *source, struct hasher *hasher,
    struct merkle_proof *proof, struct cairn_error *err);

/* RFC 9162 2.1.3.2: does the path lead from this leaf to this root? */
bool merkle_path_leads(const struct merkle_proof *proof, struct hasher *hasher,
    const uint8_t leaf[MERKLE_HASH], const uint8_t root[MERKLE_HASH]);

#endif
