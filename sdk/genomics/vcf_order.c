/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Order of records.  A variant is there twice when another record of its place, or of a place just
 * before, says the same once both are trimmed; symbolic alleles are told apart by INFO only, so
 * they are left out.  What was seen near is kept in a small table.
 */
#include <stdlib.h>
#include <string.h>

#include "genomics/vcf.h"

#define TABLE 1024u /* direct-mapped: one that is pushed out is not missed in practice */
#define NEAR 64u    /* alleles longer than this are compared at their own place only */
#define CONTIGS_MAX 100000u

struct seen {
	uint64_t pos, hash;
};

struct vcf_order {
	uint64_t pos;
	char *chrom;    /* of the last record */
	uint64_t *done; /* hashes of contigs that were left */
	size_t done_count, done_capacity;
	struct seen table[TABLE];
};

int
vcf_order_new(struct vcf_order **ret, struct cairn_error *err)
{
	*ret = calloc(1, sizeof **ret);
	return *ret == NULL ? cairn_error_set(err, CAIRN_ENOMEM, "out of memory") : 0;
}

void
vcf_order_free(struct vcf_order *order)
{
	if (order == NULL)
		return;
	free(order->chrom);
	free(order->done);
	free(order);
}

static uint64_t
hash_of(uint64_t hash, const char *at, size_t length)
{
	for (size_t i = 0; i < length; i++)
		hash = (hash ^ ((uint8_t)at[i] & 0xdf)) * 1099511628211u;
	return (hash ^ 0xff) * 1099511628211u;
}

static int
leave_contig(struct vcf_order *order, uint64_t hash)
{
	if (order->done_count == order->done_capacity) {
		size_t capacity = order->done_capacity == 0 ? 64 : 2 * order->done_capacity;
		uint64_t *grown = realloc(order->done, capacity * sizeof *grown);

		if (grown == NULL)
			return CAIRN_ENOMEM;
		order->done = grown;
		order->done_capacity = capacity;
	}
	order->done[order->done_count++] = hash;
	return 0;
}

static int
enter_contig(struct vcf_order *order, struct vcf_text chrom, struct cairn_error *err)
{
	uint64_t hash = hash_of(1469598103934665603u, chrom.at, chrom.length);

	for (size_t i = 0; i < order->done_count; i++) {
		if (order->done[i] == hash)
			return cairn_error_set(err, CAIRN_EINVAL,
			    "the records of contig %.*s are not in one piece", VCF_SHOWN(chrom));
	}
	if (order->done_count == CONTIGS_MAX)
		return cairn_error_set(err, CAIRN_ELIMIT, "more than %u contigs", CONTIGS_MAX);
	free(order->chrom);
	order->chrom = strndup(chrom.at, chrom.length);
	if (order->chrom == NULL || leave_contig(order, hash) != 0)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	order->pos = 0;
	memset(order->table, 0, sizeof order->table);
	return 0;
}

static struct seen
trimmed(uint64_t pos, struct vcf_text ref, struct vcf_text alt)
{
	struct seen seen;

	while (ref.length > 1 && alt.length > 1 &&
	    ((ref.at[ref.length - 1] ^ alt.at[alt.length - 1]) & 0xdf) == 0) {
		ref.length--;
		alt.length--;
	}
	while (ref.length > 1 && alt.length > 1 && ((ref.at[0] ^ alt.at[0]) & 0xdf) == 0) {
		ref.at++;
		alt.at++;
		ref.length--;
		alt.length--;
		pos++;
	}
	seen.pos = pos;
	seen.hash = hash_of(hash_of(pos * 31 + 7, ref.at, ref.length), alt.at, alt.length) | 1;
	return seen;
}

static int
check_twice(struct vcf_order *order, const struct vcf_record *record, struct cairn_error *err)
{
	struct vcf_text rest = record->alt, alt;

	while (vcf_next(&rest, ',', &alt)) {
		struct seen seen, *near;

		if (strchr("<.*", alt.at[0]) != NULL || memchr(alt.at, '[', alt.length) != NULL ||
		    memchr(alt.at, ']', alt.length) != NULL || record->ref.length > NEAR)
			continue;
		seen = trimmed(record->pos, record->ref, alt);
		near = &order->table[seen.hash / 2 % TABLE];
		if (near->hash == seen.hash && near->pos == seen.pos)
			return cairn_error_set(err, CAIRN_EINVAL,
			    "the same variant is there twice (at position %llu)",
			    (unsigned long long)record->pos);
		*near = seen;
	}
	return 0;
}

int
vcf_order_add(struct vcf_order *order, const struct vcf_record *record, struct cairn_error *err)
{
	struct vcf_text chrom = record->chrom;
	int code = 0;

	if (chrom.at[0] == '<') /* a contig of the assembly file; the same name is the same place */
		chrom = (struct vcf_text){chrom.at + 1, chrom.length - 2};
	if (order->chrom == NULL || !vcf_text_is(chrom, order->chrom))
		code = enter_contig(order, chrom, err);
	if (code != 0)
		return code;
	if (record->pos < order->pos)
		return cairn_error_set(err, CAIRN_EINVAL,
		    "not sorted: position %llu comes after %llu", (unsigned long long)record->pos,
		    (unsigned long long)order->pos);
	order->pos = record->pos;
	return check_twice(order, record, err);
}
