/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GENOMICS_GENOTYPES_H
#define GENOMICS_GENOTYPES_H

/*
 * A record's genotypes as bitsets.  Where FORMAT is GT alone and each sample is three bytes
 * ("0|1"), samples lie four bytes apart and 8 of them are read at once (AVX2, where the machine has
 * it); all else is read a field at a time.
 */

#include <stdbool.h>
#include <stdint.h>

#include "genomics/carriers.h"
#include "genomics/vcf.h"

/* Bitsets of all samples of the file, for one allele. */
struct genotypes {
	uint64_t het[CARRIERS_WORDS_MAX], hom[CARRIERS_WORDS_MAX];
	uint64_t uncalled[CARRIERS_WORDS_MAX]; /* no allele is known */
	uint64_t single[CARRIERS_WORDS_MAX];   /* one is */
};

/* False where the text is not of that shape; then `ret` holds anything. */
bool genotypes_fixed(
    const char *text, size_t samples, size_t alleles, unsigned allele, struct genotypes *ret);
/* The same without the machine's wide instructions: the tests' oracle. */
bool genotypes_fixed_plain(
    const char *text, size_t samples, size_t alleles, unsigned allele, struct genotypes *ret);
/* Of a record that vcf_record_samples() has let pass. */
void genotypes_any(
    const struct vcf_record *record, size_t samples, unsigned allele, struct genotypes *ret);
/* Allele fractions of each sample, from AF or else AD; -1 where none is said.  False when neither
 * is in FORMAT. */
bool genotypes_fractions(
    const struct vcf_record *record, size_t samples, unsigned allele, float *ret);

#endif
