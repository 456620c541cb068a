/* SPDX-License-Identifier: Apache-2.0 */
#include "genomics/genotypes.h"

#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "base/text.h"

static void
clear(struct genotypes *ret, size_t samples)
{
	size_t bytes = (samples + 63) / 64 * sizeof(uint64_t);

	memset(ret->het, 0, bytes);
	memset(ret->hom, 0, bytes);
	memset(ret->uncalled, 0, bytes);
	memset(ret->single, 0, bytes);
}

static void
set_bit(uint64_t *words, size_t at)
{
	words[at / 64] |= 1ull << (at % 64);
}

static bool
allele_fine(char c, size_t alleles)
{
	return c == '.' || (c >= '0' && (size_t)(c - '0') < alleles);
}

/* Samples from `first`; the last one has no tab behind it. */
static bool
fixed_from(const char *text, size_t first, size_t samples, size_t alleles, unsigned allele,
    struct genotypes *ret)
{
	char wanted = (char)('0' + allele);

	for (size_t i = first; i < samples; i++) {
		const char *at = text + 4 * i;
		bool a = at[0] == wanted, b = at[2] == wanted;

		if (!allele_fine(at[0], alleles) || !allele_fine(at[2], alleles) ||
		    (at[1] != '|' && at[1] != '/') || (i + 1 < samples && at[3] != '\t'))
			return false;
		if (a && b)
			set_bit(ret->hom, i);
		else if (a || b)
			set_bit(ret->het, i);
		if (at[0] == '.' && at[2] == '.')
			set_bit(ret->uncalled, i);
		else if (at[0] == '.' || at[2] == '.')
			set_bit(ret->single, i);
	}
	return true;
}

bool
genotypes_fixed_plain(
    const char *text, size_t samples, size_t alleles, unsigned allele, struct genotypes *ret)
{
	clear(ret, samples);
	return alleles <= 10 && fixed_from(text, 0, samples, alleles, allele, ret);
}

#if defined(__x86_64__)
/* Of each 4 bytes the top bit of one, for 8 samples (pext would do, and is slow on some machines).
 */
#define LANES(bytes, byte)             \
	((uint32_t)_mm256_movemask_ps( \
	    _mm256_castsi256_ps(_mm256_slli_epi32(bytes, 24 - 8 * (byte)))))

/* 32 bytes are 8 samples; what is not of the shape shows in `*bad`. */
__attribute__((target("avx2"))) static inline void
eight(const char *at, __m256i wanted, __m256i highest, uint32_t *bad, uint8_t ret[4])
{
	__m256i bytes = _mm256_loadu_si256((const __m256i *)(const void *)at);
	__m256i dot = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('.'));
	__m256i tab = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('\t'));
	__m256i bar = _mm256_or_si256(_mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('|')),
	    _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('/')));
	__m256i digit = _mm256_sub_epi8(bytes, _mm256_set1_epi8('0'));
	__m256i allele =
	    _mm256_or_si256(dot, _mm256_cmpeq_epi8(_mm256_min_epu8(digit, highest), digit));
	__m256i hit = _mm256_cmpeq_epi8(bytes, wanted);
	/* What each of the four bytes must be. */
	__m256i fine = _mm256_or_si256(_mm256_and_si256(allele, _mm256_set1_epi32(0x00ff00ff)),
	    _mm256_or_si256(_mm256_and_si256(bar, _mm256_set1_epi32(0x0000ff00)),
		_mm256_and_si256(tab, _mm256_set1_epi32((int)0xff000000))));
	uint32_t a = LANES(hit, 0), b = LANES(hit, 2);
	uint32_t no_a = LANES(dot, 0), no_b = LANES(dot, 2);

	*bad |= ~(uint32_t)_mm256_movemask_epi8(fine);
	ret[0] = (uint8_t)(a ^ b);
	ret[1] = (uint8_t)(a & b);
	ret[2] = (uint8_t)(no_a & no_b);
	ret[3] = (uint8_t)(no_a ^ no_b);
}

__attribute__((target("avx2"))) static bool
fixed_wide(const char *text, size_t samples, size_t alleles, unsigned allele, struct genotypes *ret)
{
	__m256i wanted = _mm256_set1_epi8((char)('0' + allele));
	__m256i highest = _mm256_set1_epi8((char)(alleles - 1));
	uint32_t bad = 0;
	size_t i = 0;

	/* The last sample has no tab: it is left to the plain loop, with what is beside it. */
	for (; i + 8 < samples; i += 8) {
		uint8_t sets[4];

		eight(text + 4 * i, wanted, highest, &bad, sets);
		((uint8_t *)ret->het)[i / 8] = sets[0];
		((uint8_t *)ret->hom)[i / 8] = sets[1];
		((uint8_t *)ret->uncalled)[i / 8] = sets[2];
		((uint8_t *)ret->single)[i / 8] = sets[3];
	}
	return bad == 0 && fixed_from(text, i, samples, alleles, allele, ret);
}
#endif

bool
genotypes_fixed(
    const char *text, size_t samples, size_t alleles, unsigned allele, struct genotypes *ret)
{
	if (alleles > 10)
		return false;
#if defined(__x86_64__)
	if (__builtin_cpu_supports("avx2")) {
		clear(ret, samples);
		return fixed_wide(text, samples, alleles, allele, ret);
	}
#endif
	return genotypes_fixed_plain(text, samples, alleles, allele, ret);
}

/* ---- any shape ---------------------------------------------------------------------------- */

static void
take_genotype(struct vcf_text text, unsigned allele, size_t sample, struct genotypes *ret)
{
	size_t called = 0, hits = 0, i = 0, alleles = 0;

	while (i < text.length) {
		unsigned number = 0;

		if (text.at[i] == '/' || text.at[i] == '|') {
			i++;
			continue;
		}
		alleles++;
		if (text.at[i] == '.') {
			i++;
			continue;
		}
		if (text.at[i] < '0' || text.at[i] > '9')
			return; /* no genotype: the check of the fields refuses the record */
		while (i < text.length && text.at[i] >= '0' && text.at[i] <= '9')
			number = 10 * number + (unsigned)(text.at[i++] - '0');
		called++;
		hits += number == allele;
	}
	if (hits > 0)
		set_bit(hits == alleles ? ret->hom : ret->het, sample);
	if (called == 0)
		set_bit(ret->uncalled, sample);
	else if (called == 1)
		set_bit(ret->single, sample);
}

void
genotypes_any(
    const struct vcf_record *record, size_t samples, unsigned allele, struct genotypes *ret)
{
	struct vcf_text rest = {record->samples, record->samples_length}, sample, field;
	struct vcf_text format = record->format, first;
	bool there = vcf_next(&format, ':', &first) && vcf_text_is(first, "GT");

	clear(ret, samples);
	for (size_t i = 0; i < samples && vcf_next(&rest, '\t', &sample); i++) {
		if (there && vcf_next(&sample, ':', &field))
			take_genotype(field, allele, i, ret);
		else
			set_bit(ret->uncalled, i);
	}
}

/* ---- fractions ---------------------------------------------------------------------------- */

static size_t
key_index(struct vcf_text format, const char *key)
{
	struct vcf_text field;

	for (size_t i = 0; vcf_next(&format, ':', &field); i++) {
		if (vcf_text_is(field, key))
			return i;
	}
	return SIZE_MAX;
}

static bool
nth(struct vcf_text text, char separator, size_t index, struct vcf_text *ret)
{
	for (size_t i = 0; vcf_next(&text, separator, ret); i++) {
		if (i == index)
			return true;
	}
	return false;
}

static float
number_of(struct vcf_text text)
{
	char copy[32];
	double value;

	if (text.length == 0 || text.length >= sizeof copy)
		return -1;
	memcpy(copy, text.at, text.length);
	copy[text.length] = 0;
	return text_to_number(copy, &value) == 0 ? (float)value : -1;
}

/* Reads of the allele among all reads; AD with REF first (VCF 4.3, 1.6.2). */
static float
of_depths(struct vcf_text depths, size_t alleles, unsigned allele)
{
	float sum = 0, own = -1;
	struct vcf_text depth;
	size_t count = 0;

	while (vcf_next(&depths, ',', &depth)) {
		float value = number_of(depth);

		if (value < 0)
			return -1;
		if (count == allele)
			own = value;
		sum += value;
		count++;
	}
	return count != alleles || own < 0 || sum <= 0 ? -1 : own / sum;
}

bool
genotypes_fractions(const struct vcf_record *record, size_t samples, unsigned allele, float *ret)
{
	size_t af = key_index(record->format, "AF"), ad = key_index(record->format, "AD");
	struct vcf_text rest = {record->samples, record->samples_length}, sample, field, value;

	for (size_t i = 0; i < samples && vcf_next(&rest, '\t', &sample); i++) {
		ret[i] = -1;
		if (af != SIZE_MAX && nth(sample, ':', af, &field) &&
		    nth(field, ',', allele - 1, &value))
			ret[i] = number_of(value);
		if (ret[i] < 0 && ad != SIZE_MAX && nth(sample, ':', ad, &field))
			ret[i] = of_depths(field, record->alleles, allele);
		if (ret[i] > 1)
			ret[i] = -1;
	}
	return af != SIZE_MAX || ad != SIZE_MAX;
}
