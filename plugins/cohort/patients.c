/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A set's digest is made of the sum of its members' digests, which the index keeps: adding them up
 * does not mind the order in which an index numbered its patients.
 */
#include "patients.h"

#include <endian.h>
#include <string.h>

#include <openssl/hmac.h>
#include <openssl/sha.h>

#include "eval.h"

int
patient_digest(const char *name, uint32_t ret[2])
{
	uint8_t digest[SHA256_DIGEST_LENGTH];

	if (SHA256((const uint8_t *)name, strlen(name), digest) == NULL)
		return CAIRN_EINTERNAL;
	memcpy(ret, digest, 2 * sizeof ret[0]);
	return 0;
}

void
patient_set_init(struct patient_set *set)
{
	*set = (struct patient_set){0};
	buf_init(&set->packed, PATIENTS_PACKED_MAX);
}

void
patient_set_fini(struct patient_set *set)
{
	buf_fini(&set->packed);
	*set = (struct patient_set){0};
}

/* ---- the digest -------------------------------------------------------------------------- */

static int
add_up(struct eval *e, const struct set *set, uint64_t ret[2])
{
	struct column_reader low = {.loaded = STORE_NONE}, high = {.loaded = STORE_NONE};
	uint64_t sum = 0, count = 0;
	uint32_t id, words[2];

	for (uint64_t from = 0; set_next(set, from, &id); from = (uint64_t)id + 1) {
		int code = eval_column(e, &low, COLUMN_PATIENT_LOW, id, &words[0]);

		if (code == 0)
			code = eval_column(e, &high, COLUMN_PATIENT_HIGH, id, &words[1]);
		if (code != 0)
			return code;
		sum += (uint64_t)words[1] << 32 | words[0];
		count++;
	}
	ret[0] = sum;
	ret[1] = count;
	return 0;
}

static int
make_digest(struct eval *e, const struct set *set, const uint8_t secret[32], uint8_t *ret)
{
	uint64_t sum[2];
	unsigned length = PATIENTS_DIGEST;
	int code = add_up(e, set, sum);

	if (code != 0)
		return code;
	sum[0] = htobe64(sum[0]);
	sum[1] = htobe64(sum[1]);
	if (HMAC(EVP_sha256(), secret, 32, (const uint8_t *)sum, sizeof sum, ret, &length) == NULL)
		return CAIRN_EINTERNAL;
	return 0;
}

/* ---- packing: block number, length, container -------------------------------------------- */

struct block {
	uint32_t number, length;
};

static int
pack(const struct set *set, struct buf *ret)
{
	uint8_t stored[SET_BLOCK_BYTES];
	int code = 0;

	buf_clear(ret);
	for (size_t i = 0; i < set->blocks && code == 0; i++) {
		struct block block = {.number = (uint32_t)i};

		block.length = (uint32_t)container_store(set->words + i * SET_BLOCK_WORDS, stored);
		if (block.length == 0)
			continue;
		code = buf_append(ret, &block, sizeof block);
		if (code == 0)
			code = buf_append(ret, stored, block.length);
	}
	return code;
}

struct unpacker {
	const uint8_t *at, *end;
	struct block block; /* the one that `words` is of; number UINT32_MAX at the end */
	uint64_t words[SET_BLOCK_WORDS];
};

static bool
unpack_next(struct unpacker *u)
{
	uint32_t last = u->block.number;
	bool first = u->block.length == 0;

	memset(u->words, 0, sizeof u->words);
	if (u->at == u->end) {
		u->block.number = UINT32_MAX;
		return true;
	}
	if ((size_t)(u->end - u->at) < sizeof u->block)
		return false;
	memcpy(&u->block, u->at, sizeof u->block);
	u->at += sizeof u->block;
	if (u->block.length == 0 || u->block.length > (size_t)(u->end - u->at) ||
	    (!first && u->block.number <= last) || u->block.number == UINT32_MAX ||
	    !container_or(u->words, u->at, u->block.length))
		return false;
	u->at += u->block.length;
	return true;
}

static uint64_t
count_without(const uint64_t *words, const uint64_t *other)
{
	uint64_t bits[SET_BLOCK_WORDS];
	struct set set = {bits, 1};

	for (size_t i = 0; i < SET_BLOCK_WORDS; i++)
		bits[i] = words[i] & ~other[i];
	return set_count(&set);
}

int
patient_set_compare(
    const struct buf *a, const struct buf *b, uint64_t *ret_only_a, uint64_t *ret_only_b)
{
	static const uint64_t nothing[SET_BLOCK_WORDS];
	struct unpacker x = {.at = a->data, .end = a->data + a->length};
	struct unpacker y = {.at = b->data, .end = b->data + b->length};
	uint64_t only[2] = {0, 0};
	bool good = unpack_next(&x) && unpack_next(&y);

	while (good && (x.block.number != UINT32_MAX || y.block.number != UINT32_MAX)) {
		bool has_x = x.block.number <= y.block.number;
		bool has_y = y.block.number <= x.block.number;

		only[0] += has_x ? count_without(x.words, has_y ? y.words : nothing) : 0;
		only[1] += has_y ? count_without(y.words, has_x ? x.words : nothing) : 0;
		if (has_x)
			good = unpack_next(&x);
		if (has_y && good)
			good = unpack_next(&y);
	}
	if (!good)
		return CAIRN_ECORRUPT;
	*ret_only_a = only[0];
	*ret_only_b = only[1];
	return 0;
}

/* ---- asking ------------------------------------------------------------------------------ */

static int
fill(struct eval *e, const Cairn__Expression *expression, const uint8_t secret[32],
    struct patient_set *ret)
{
	struct set set = {0};
	enum term_level at;
	int code = eval_expression(e, expression, TERM_PATIENT, &at, &set);

	if (code == 0)
		code = make_digest(e, &set, secret, ret->digest);
	if (code == 0)
		code = pack(&set, &ret->packed);
	if (code == 0)
		code = identity_read(e->index, e->txn, ret->identity, e->err);
	if (code == 0)
		ret->count = set_count(&set);
	eval_set_free(e, &set);
	return code;
}

int
index_patients(struct index *index, const Cairn__Expression *expression,
    const struct index_asking *asking, const uint8_t secret[32], struct index_count *ret_count,
    struct patient_set *ret, struct cairn_error *err)
{
	struct index_count count = {0};
	struct eval e;
	int code = eval_begin(&e, index, asking, err);

	if (code != 0)
		return code;
	eval_use_carriers(&e, expression);
	code = eval_criteria(&e, expression, &count);
	if (code == 0 && count.criteria_count == 0)
		code = fill(&e, expression, secret, ret);
	code = eval_finish(&e, code, &count);
	if (code != 0)
		return code;
	count.count = count.patients = ret->count;
	*ret_count = count;
	return 0;
}
