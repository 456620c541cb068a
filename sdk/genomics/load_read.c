/* SPDX-License-Identifier: Apache-2.0 */
/* From a line to what is kept of it. */
#include <stdlib.h>
#include <string.h>

#include "genomics/load_private.h"

#define FRACTIONS_MAX 64u /* samples: in larger files nobody asks for them */

void
piece_result_clear(struct piece_result *result)
{
	result->line_count = result->entry_count = 0;
	result->fixed = result->filtered = 0;
	buf_clear(&result->bytes);
}

void
piece_result_fini(struct piece_result *result)
{
	free(result->lines);
	free(result->entries);
	buf_fini(&result->bytes);
}

static int
no_room(struct cairn_error *err, int code)
{
	return code == 0 ? 0
			 : cairn_error_set(err, code,
			       "out of memory, or a piece of the file has "
			       "more than 1 GiB of genotypes");
}

static struct line *
new_line(struct piece_result *result)
{
	if (result->line_count == result->line_capacity) {
		size_t capacity = result->line_capacity == 0 ? 1024 : 2 * result->line_capacity;
		struct line *grown = realloc(result->lines, capacity * sizeof *grown);

		if (grown == NULL)
			return NULL;
		result->lines = grown;
		result->line_capacity = capacity;
	}
	return &result->lines[result->line_count];
}

static struct entry *
new_entry(struct piece_result *result)
{
	if (result->entry_count == result->entry_capacity) {
		size_t capacity = result->entry_capacity == 0 ? 1024 : 2 * result->entry_capacity;
		struct entry *grown = realloc(result->entries, capacity * sizeof *grown);

		if (grown == NULL)
			return NULL;
		result->entries = grown;
		result->entry_capacity = capacity;
	}
	return &result->entries[result->entry_count];
}

static int
put_text(struct buf *bytes, size_t base, struct vcf_text text, uint32_t *ret)
{
	int code;

	*ret = (uint32_t)(bytes->length - base);
	code = buf_append(bytes, text.at, text.length);
	return code == 0 ? buf_append_zero(bytes, 1) : code;
}

/* ---- samples ------------------------------------------------------------------------------ */

static void
choose(const struct reading *reading, const uint64_t *from, uint64_t *ret)
{
	size_t samples = reading->header->sample_count;

	memset(ret, 0, (reading->plan->count + 63u) / 64 * sizeof *ret);
	for (size_t i = 0; i < (samples + 63) / 64; i++) {
		for (uint64_t word = from[i]; word != 0; word &= word - 1) {
			int32_t to = reading->remap[64 * i + (size_t)__builtin_ctzll(word)];

			if (to >= 0)
				ret[to / 64] |= 1ull << (to % 64);
		}
	}
}

/* The planes of one allele, of the plan's samples. */
static const struct genotypes *
planes_of(const struct reading *reading, const struct vcf_record *record,
    struct piece_result *result, unsigned allele, bool *fixed)
{
	size_t samples = reading->header->sample_count;
	struct genotypes *all = &result->genotypes, *chosen = &result->chosen;

	if (!*fixed || !genotypes_fixed(record->samples, samples, record->alleles, allele, all)) {
		*fixed = false;
		return NULL;
	}
	if (reading->remap == NULL)
		return all;
	choose(reading, all->het, chosen->het);
	choose(reading, all->hom, chosen->hom);
	choose(reading, all->uncalled, chosen->uncalled);
	choose(reading, all->single, chosen->single);
	return chosen;
}

static const struct genotypes *
planes_of_any(const struct reading *reading, const struct vcf_record *record,
    struct piece_result *result, unsigned allele)
{
	struct genotypes *all = &result->genotypes, *chosen = &result->chosen;

	genotypes_any(record, reading->header->sample_count, allele, all);
	if (reading->remap == NULL)
		return all;
	choose(reading, all->het, chosen->het);
	choose(reading, all->hom, chosen->hom);
	choose(reading, all->uncalled, chosen->uncalled);
	choose(reading, all->single, chosen->single);
	return chosen;
}

static int
put_sets(struct piece_result *result, struct entry *entry, const struct genotypes *planes,
    uint32_t samples)
{
	const uint64_t *const all[] = {planes->het, planes->hom, planes->uncalled, planes->single};

	entry->sets = (uint32_t)(result->bytes.length - entry->start);
	for (int i = 0; i < CARRIERS_PLANES; i++) {
		uint32_t count = carriers_count(all[i], samples);
		size_t size = carriers_set_size(samples, count);
		int code = buf_append_zero(&result->bytes, size);

		if (code != 0)
			return code;
		carriers_set_encode(
		    all[i], samples, count, result->bytes.data + result->bytes.length - size);
		entry->counts[i] = (uint16_t)count;
	}
	entry->sets_length = (uint32_t)(result->bytes.length - entry->start - entry->sets);
	return 0;
}

static int
put_fractions(const struct reading *reading, const struct vcf_record *record,
    struct piece_result *result, struct entry *entry, const struct genotypes *planes,
    unsigned allele)
{
	size_t samples = reading->header->sample_count;
	float all[FRACTIONS_MAX];
	int code = 0;

	entry->fractions = UINT32_MAX;
	if (samples > FRACTIONS_MAX || !genotypes_fractions(record, samples, allele, all))
		return 0;
	entry->fractions = (uint32_t)(result->bytes.length - entry->start);
	for (uint32_t i = 0; code == 0 && i < reading->plan->count; i++) {
		if (((planes->het[i / 64] | planes->hom[i / 64]) >> (i % 64) & 1) != 0)
			code = buf_append(
			    &result->bytes, &all[reading->plan->columns[i]], sizeof(float));
	}
	return code;
}

/* ---- variants ----------------------------------------------------------------------------- */

static int
put_annotations(const struct reading *reading, const struct vcf_record *record,
    struct piece_result *result, struct entry *entry, unsigned allele)
{
	struct annotate_list found;
	int code = annotate_record(
	    &reading->annotate, record, allele, &result->bytes, entry->start, &found);

	entry->annotations = (uint32_t)(result->bytes.length - entry->start);
	entry->annotation_count = (uint32_t)found.count;
	return code == 0 ? buf_append(&result->bytes, found.at, found.count * sizeof *found.at)
			 : code;
}

static int
put_alleles(struct piece_result *result, struct entry *entry, const struct vcf_record *record,
    struct vcf_text alt)
{
	struct buf *bytes = &result->bytes;
	const char *ref_text, *alt_text;
	char *start;
	int code = buf_append_zero(bytes, 1); /* offset 0 is "no text" */

	if (code == 0)
		code = put_text(bytes, entry->start, record->ref, &entry->ref);
	if (code == 0)
		code = put_text(bytes, entry->start, alt, &entry->alt);
	if (code == 0)
		code = put_text(bytes, entry->start, record->filter, &entry->filter);
	if (code != 0)
		return code;
	start = (char *)bytes->data + entry->start;
	normalise_trim(start + entry->ref, start + entry->alt, &entry->pos, &ref_text, &alt_text);
	entry->ref = (uint32_t)(ref_text - start);
	entry->alt = (uint32_t)(alt_text - start);
	return 0;
}

static int
put_variant(const struct reading *reading, const struct vcf_record *record,
    struct piece_result *result, struct vcf_text alt, unsigned allele, bool *fixed)
{
	struct entry *entry = new_entry(result);
	const struct genotypes *planes = planes_of(reading, record, result, allele, fixed);
	int code;

	if (entry == NULL)
		return CAIRN_ENOMEM;
	if (planes == NULL)
		planes = planes_of_any(reading, record, result, allele);
	*entry = (struct entry){.start = result->bytes.length, .pos = (uint32_t)record->pos};
	code = put_alleles(result, entry, record, alt);
	if (code == 0)
		code = put_sets(result, entry, planes, reading->plan->count);
	if (code == 0)
		code = put_fractions(reading, record, result, entry, planes, allele);
	if (code == 0)
		code = put_annotations(reading, record, result, entry, allele);
	entry->length = result->bytes.length - entry->start;
	if (code == 0)
		result->entry_count++;
	return code;
}

/* ---- reference stretches ------------------------------------------------------------------ */

/* Where a gVCF's stretch ends: INFO END, or as long as REF. */
static uint32_t
end_of(const struct vcf_record *record)
{
	struct vcf_text text;
	uint64_t end = 0;

	if (vcf_info(record, "END", &text)) {
		for (size_t i = 0; i < text.length && end <= INT32_MAX; i++)
			end = 10 * end + (uint64_t)(text.at[i] - '0');
		if (end >= record->pos && end <= INT32_MAX)
			return (uint32_t)end;
	}
	return (uint32_t)(record->pos + record->ref.length - 1);
}

static int
put_block(const struct reading *reading, const struct vcf_record *record,
    struct piece_result *result, bool *fixed)
{
	struct entry *entry = new_entry(result);
	const struct genotypes *planes = planes_of(reading, record, result, 1, fixed);
	uint32_t samples = reading->plan->count, words = (samples + 63) / 64;
	int code = 0;

	if (entry == NULL)
		return CAIRN_ENOMEM;
	if (planes == NULL)
		planes = planes_of_any(reading, record, result, 1);
	*entry = (struct entry){.start = result->bytes.length,
	    .block = true,
	    .pos = (uint32_t)record->pos,
	    .end = end_of(record)};
	for (uint32_t i = 0; code == 0 && i < words; i++) {
		uint64_t called = ~planes->uncalled[i];

		if (i == samples / 64)
			called &= (1ull << (samples % 64)) - 1;
		code = buf_append(&result->bytes, &called, sizeof called);
	}
	entry->sets_length = words * (uint32_t)sizeof(uint64_t);
	entry->length = result->bytes.length - entry->start;
	if (code == 0)
		result->entry_count++;
	return code;
}

/* ---- a line ------------------------------------------------------------------------------- */

/* ALTs that stand for no variant of their own. */
static bool
stands_for_none(struct vcf_text alt)
{
	return vcf_text_is(alt, ".") || vcf_text_is(alt, "*") || vcf_text_is(alt, "<*>") ||
	    vcf_text_is(alt, "<NON_REF>") || vcf_text_is(alt, "<X>");
}

static int
put_entries(const struct reading *reading, const struct vcf_record *record,
    struct piece_result *result, bool fixed, struct cairn_error *err)
{
	struct vcf_text rest = record->alt, alt;
	size_t before = result->entry_count;
	bool was_fixed = fixed;
	int code = 0;

	for (unsigned allele = 1; code == 0 && vcf_next(&rest, ',', &alt); allele++) {
		if (!stands_for_none(alt))
			code = put_variant(reading, record, result, alt, allele, &fixed);
	}
	if (code == 0 && result->entry_count == before && record->pos > 0)
		code = put_block(reading, record, result, &fixed);
	if (code == 0 && was_fixed &&
	    !fixed) /* it only looked so: now it is judged by its fields */
		code = vcf_record_samples(reading->header, record, err);
	else
		code = no_room(err, code);
	result->fixed += fixed;
	return code;
}

int
load_line(const struct reading *reading, struct piece_result *result, const char *text,
    size_t length, struct cairn_error *err)
{
	struct line *line = new_line(result);
	struct vcf_record *record;
	bool fixed, left_out;
	int code;

	if (line == NULL)
		return no_room(err, CAIRN_ENOMEM);
	record = &line->record;
	line->first = (uint32_t)result->entry_count;
	code = vcf_record_site(reading->header, text, length, record, err);
	if (code != 0)
		return code;
	fixed = vcf_text_is(record->format, "GT") &&
	    record->samples_length == 4 * reading->header->sample_count - 1;
	if (!fixed)
		code = vcf_record_samples(reading->header, record, err);
	left_out = reading->plan->pass_only && !vcf_text_is(record->filter, "PASS") &&
	    !vcf_text_is(record->filter, ".");
	if (code == 0 && left_out)
		result->filtered++;
	else if (code == 0)
		code = put_entries(reading, record, result, fixed, err);
	line->count = (uint32_t)result->entry_count - line->first;
	if (code == 0)
		result->line_count++;
	return code;
}
