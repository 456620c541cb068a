/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger/merkle.h"

#include <assert.h>
#include <string.h>

#include <openssl/evp.h>

/* ---- hashing ---------------------------------------------------------------------------- */

int
hasher_init(struct hasher *hasher)
{
	*hasher = (struct hasher){0};
	hasher->md = EVP_MD_fetch(NULL, "SHA256", NULL);
	hasher->ctx = EVP_MD_CTX_new();
	if (hasher->md != NULL && hasher->ctx != NULL)
		return 0;
	hasher_fini(hasher);
	return CAIRN_EINTERNAL;
}

void
hasher_fini(struct hasher *hasher)
{
	EVP_MD_CTX_free(hasher->ctx);
	EVP_MD_free(hasher->md);
	*hasher = (struct hasher){0};
}

void
hasher_leaf(struct hasher *hasher, const void *bytes, size_t length, uint8_t ret[MERKLE_HASH])
{
	static const uint8_t prefix = 0;

	if (EVP_DigestInit_ex2(hasher->ctx, hasher->md, NULL) != 1 ||
	    EVP_DigestUpdate(hasher->ctx, &prefix, 1) != 1 ||
	    EVP_DigestUpdate(hasher->ctx, bytes, length) != 1 ||
	    EVP_DigestFinal_ex(hasher->ctx, ret, NULL) != 1)
		hasher->failed = true;
}

void
hasher_node(struct hasher *hasher, const uint8_t left[MERKLE_HASH],
    const uint8_t right[MERKLE_HASH], uint8_t ret[MERKLE_HASH])
{
	uint8_t input[1 + 2 * MERKLE_HASH];

	input[0] = 1;
	memcpy(input + 1, left, MERKLE_HASH);
	memcpy(input + 1 + MERKLE_HASH, right, MERKLE_HASH);
	if (EVP_DigestInit_ex2(hasher->ctx, hasher->md, NULL) != 1 ||
	    EVP_DigestUpdate(hasher->ctx, input, sizeof input) != 1 ||
	    EVP_DigestFinal_ex(hasher->ctx, ret, NULL) != 1)
		hasher->failed = true;
}

/* ---- the right edge --------------------------------------------------------------------- */

unsigned
merkle_completed(uint64_t index)
{
	assert(index < UINT64_MAX);
	return 1 + (unsigned)__builtin_ctzll(index + 1);
}

unsigned
merkle_push(struct merkle *tree, struct hasher *hasher, const uint8_t leaf[MERKLE_HASH],
    uint8_t ret[MERKLE_LEVELS][MERKLE_HASH])
{
	unsigned level = 0;

	memcpy(ret[0], leaf, MERKLE_HASH);
	for (; (tree->size >> level & 1) != 0; level++)
		hasher_node(hasher, tree->frontier[level], ret[level], ret[level + 1]);
	memcpy(tree->frontier[level], ret[level], MERKLE_HASH);
	tree->size++;
	return level + 1;
}

void
merkle_root(const struct merkle *tree, struct hasher *hasher, uint8_t ret[MERKLE_HASH])
{
	uint64_t rest = tree->size;

	if (rest == 0) {
		if (EVP_Digest("", 0, ret, NULL, hasher->md, NULL) != 1)
			hasher->failed = true;
		return;
	}
	memcpy(ret, tree->frontier[__builtin_ctzll(rest)], MERKLE_HASH);
	for (rest &= rest - 1; rest != 0; rest &= rest - 1)
		hasher_node(hasher, tree->frontier[__builtin_ctzll(rest)], ret, ret);
}

int
merkle_load(
    struct merkle *ret, const struct merkle_source *source, uint64_t size, struct cairn_error *err)
{
	struct merkle tree = {.size = size};

	for (uint64_t rest = size; rest != 0; rest &= rest - 1) {
		unsigned level = (unsigned)__builtin_ctzll(rest);
		int code = source->node(
		    source->arg, level, (size >> level) - 1, tree.frontier[level], err);

		if (code != 0)
			return code;
	}
	*ret = tree;
	return 0;
}

/* ---- inclusion proofs ------------------------------------------------------------------- */

struct range {
	uint64_t from;
	uint64_t to;
};

/* The hash of the leaves from..to, where from is a multiple of the largest power of two that fits:
 * its perfect subtrees are those of the binary digits of the length, joined from the right. */
static int
range_hash(const struct merkle_source *source, struct hasher *hasher, struct range range,
    uint8_t ret[MERKLE_HASH], struct cairn_error *err)
{
	uint64_t rest = range.to - range.from;
	uint64_t end = range.to;
	bool first = true;

	for (; rest != 0; rest &= rest - 1) {
		unsigned level = (unsigned)__builtin_ctzll(rest);
		uint8_t node[MERKLE_HASH];
		int code = source->node(source->arg, level, (end >> level) - 1, node, err);

		if (code != 0)
			return code;
		if (first)
			memcpy(ret, node, MERKLE_HASH);
		else
			hasher_node(hasher, node, ret, ret);
		first = false;
		end -= UINT64_C(1) << level;
	}
	return 0;
}

static uint64_t
largest_power_below(uint64_t length)
{
	return UINT64_C(1) << (63 - __builtin_clzll(length - 1));
}

int
merkle_path(const struct merkle_source *source, struct hasher *hasher, struct merkle_proof *proof,
    struct cairn_error *err)
{
	struct range siblings[MERKLE_PATH_MAX];
	struct range at = {0, proof->size};
	size_t count = 0;

	assert(proof->index < proof->size);
	while (at.to - at.from > 1) {
		uint64_t middle = at.from + largest_power_below(at.to - at.from);
		struct range left = {at.from, middle}, right = {middle, at.to};

		siblings[count++] = proof->index < middle ? right : left;
		at = proof->index < middle ? left : right;
	}
	for (size_t i = 0; i < count; i++) {
		int code = range_hash(source, hasher, siblings[count - 1 - i], proof->path[i], err);

		if (code != 0)
			return code;
	}
	proof->count = count;
	return 0;
}

bool
merkle_path_leads(const struct merkle_proof *proof, struct hasher *hasher,
    const uint8_t leaf[MERKLE_HASH], const uint8_t root[MERKLE_HASH])
{
	uint64_t fn = proof->index, sn = proof->size - 1;
	uint8_t hash[MERKLE_HASH];

	if (proof->index >= proof->size || proof->count > MERKLE_PATH_MAX)
		return false;
	memcpy(hash, leaf, MERKLE_HASH);
	for (size_t i = 0; i < proof->count; i++) {
		if (sn == 0)
			return false;
		if ((fn & 1) != 0 || fn == sn) {
			hasher_node(hasher, proof->path[i], hash, hash);
			while ((fn & 1) == 0 && fn != 0) {
				fn >>= 1;
				sn >>= 1;
			}
		} else {
			hasher_node(hasher, hash, proof->path[i], hash);
		}
		fn >>= 1;
		sn >>= 1;
	}
	return sn == 0 && !hasher->failed && memcmp(hash, root, MERKLE_HASH) == 0;
}
