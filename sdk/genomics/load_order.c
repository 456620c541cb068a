/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records in the order of the file become variants in the order of their normalised positions.
 * Trimming moves a variant to the right, aligning to the left by at most NORMALISE_SHIFT_MAX, so
 * what lies farther behind than that is in its place; the rest is held.
 */
#include <stdlib.h>
#include <string.h>

#include "genomics/load_private.h"

#define HELD_MAX 65536u

struct held {
	struct held *before, *after;
	struct entry entry;
	char *moved[2]; /* REF and ALT once left-aligned, or NULL */
	uint8_t bytes[];
};

struct ordering {
	const struct reading *reading;
	struct carriers_writer *writer;
	struct load_report *report;
	struct vcf_order *order;
	struct normalise *normalise;
	struct held *first, *last;
	size_t held;
	char contig[VCF_NAME_MAX + 1];
};

int
ordering_new(struct ordering **ret, const struct reading *reading, struct carriers_writer *writer,
    struct load_report *report, struct cairn_error *err)
{
	struct ordering *ordering = calloc(1, sizeof *ordering);
	int code;

	if (ordering == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	ordering->reading = reading;
	ordering->writer = writer;
	ordering->report = report;
	code = vcf_order_new(&ordering->order, err);
	if (code == 0 && reading->plan->fasta != NULL)
		code = normalise_open(&ordering->normalise, reading->plan->fasta, err);
	if (code != 0) {
		ordering_free(ordering);
		return code;
	}
	*ret = ordering;
	return 0;
}

static void
held_free(struct held *held)
{
	free(held->moved[0]);
	free(held->moved[1]);
	free(held);
}

void
ordering_free(struct ordering *ordering)
{
	if (ordering == NULL)
		return;
	while (ordering->first != NULL) {
		struct held *held = ordering->first;

		ordering->first = held->after;
		held_free(held);
	}
	vcf_order_free(ordering->order);
	normalise_close(ordering->normalise);
	free(ordering);
}

/* ---- writing ------------------------------------------------------------------------------ */

static const char *
text_at(const struct held *held, uint32_t offset)
{
	return offset == 0 ? NULL : (const char *)held->bytes + offset;
}

static int
write_held(struct ordering *ordering, const struct held *held, struct cairn_error *err)
{
	const struct entry *entry = &held->entry;
	struct carriers_text texts[CARRIERS_ANNOTATIONS_MAX];
	float fractions[128];
	struct carriers_new_site site = {.contig = ordering->contig,
	    .ref = held->moved[0] != NULL ? held->moved[0] : text_at(held, entry->ref),
	    .alt = held->moved[1] != NULL ? held->moved[1] : text_at(held, entry->alt),
	    .filter = text_at(held, entry->filter),
	    .pos = entry->pos,
	    .sets = held->bytes + entry->sets,
	    .sets_length = entry->sets_length,
	    .annotations = texts,
	    .annotation_count = entry->annotation_count};
	size_t carriers = (size_t)entry->counts[CARRIERS_HET] + entry->counts[CARRIERS_HOM];

	memcpy(site.counts, entry->counts, sizeof site.counts);
	for (uint32_t i = 0; i < entry->annotation_count; i++) {
		struct annotate_entry at;

		memcpy(&at, held->bytes + entry->annotations + i * sizeof at, sizeof at);
		texts[i] = (struct carriers_text){text_at(held, at.at[0]), text_at(held, at.at[1]),
		    text_at(held, at.at[2]), text_at(held, at.at[3]), text_at(held, at.at[4])};
	}
	if (entry->fractions != UINT32_MAX && carriers <= 128) {
		memcpy(fractions, held->bytes + entry->fractions, carriers * sizeof *fractions);
		site.fractions = fractions;
	}
	ordering->report->variants++;
	return carriers_writer_add(ordering->writer, &site, err);
}

/* Everything in front of `pos` is in its place. */
static int
flush(struct ordering *ordering, uint64_t pos, struct cairn_error *err)
{
	int code = 0;

	while (code == 0 && ordering->first != NULL &&
	    (ordering->first->entry.pos < pos || ordering->held > HELD_MAX)) {
		struct held *held = ordering->first;

		code = write_held(ordering, held, err);
		ordering->first = held->after;
		if (held->after != NULL)
			held->after->before = NULL;
		else
			ordering->last = NULL;
		ordering->held--;
		held_free(held);
	}
	return code;
}

/* ---- holding ------------------------------------------------------------------------------ */

static void
insert(struct ordering *ordering, struct held *held)
{
	struct held *at = ordering->last;

	while (at != NULL && at->entry.pos > held->entry.pos)
		at = at->before;
	held->before = at;
	held->after = at == NULL ? ordering->first : at->after;
	if (held->after != NULL)
		held->after->before = held;
	else
		ordering->last = held;
	if (at != NULL)
		at->after = held;
	else
		ordering->first = held;
	ordering->held++;
}

static int
align(struct ordering *ordering, struct held *held, struct cairn_error *err)
{
	const char *ref = text_at(held, held->entry.ref), *alt = text_at(held, held->entry.alt);
	int code;

	if (ordering->normalise == NULL || !normalise_is_bases(ref) || !normalise_is_bases(alt))
		return 0;
	code = normalise_align(
	    ordering->normalise, ordering->contig, ref, alt, &held->entry.pos, held->moved, err);
	ordering->report->shifted += held->moved[0] != NULL;
	return code;
}

static int
hold(struct ordering *ordering, const struct piece_result *result, const struct entry *entry,
    struct cairn_error *err)
{
	struct held *held = malloc(sizeof *held + entry->length);
	int code;

	if (held == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	*held = (struct held){.entry = *entry};
	memcpy(held->bytes, result->bytes.data + entry->start, entry->length);
	code = align(ordering, held, err);
	if (code != 0)
		held_free(held);
	else
		insert(ordering, held);
	return code;
}

static int
block(struct ordering *ordering, const struct piece_result *result, const struct entry *entry,
    struct cairn_error *err)
{
	uint64_t called[CARRIERS_WORDS_MAX];

	memcpy(called, result->bytes.data + entry->start, entry->sets_length);
	ordering->report->blocks++;
	return carriers_writer_block(
	    ordering->writer, ordering->contig, entry->pos, entry->end, called, err);
}

/* ---- lines -------------------------------------------------------------------------------- */

static int
enter(struct ordering *ordering, struct vcf_text chrom, struct cairn_error *err)
{
	int code;

	if (chrom.at[0] == '<')
		chrom = (struct vcf_text){chrom.at + 1, chrom.length - 2};
	if (vcf_text_is(chrom, ordering->contig))
		return 0;
	code = flush(ordering, UINT64_MAX, err);
	memcpy(ordering->contig, chrom.at, chrom.length);
	ordering->contig[chrom.length] = 0;
	return code;
}

static int
take_line(struct ordering *ordering, const struct piece_result *result, const struct line *line,
    struct cairn_error *err)
{
	const struct vcf_record *record = &line->record;
	int code = vcf_order_add(ordering->order, record, err);

	if (code == 0)
		code = enter(ordering, record->chrom, err);
	if (code == 0 && record->pos > NORMALISE_SHIFT_MAX)
		code = flush(ordering, record->pos - NORMALISE_SHIFT_MAX, err);
	for (uint32_t i = 0; code == 0 && i < line->count; i++) {
		const struct entry *entry = &result->entries[line->first + i];

		code = entry->block ? block(ordering, result, entry, err)
				    : hold(ordering, result, entry, err);
	}
	ordering->report->records++;
	return code;
}

int
ordering_take(struct ordering *ordering, const struct piece_result *result, struct cairn_error *err)
{
	int code = 0;

	for (size_t i = 0; code == 0 && i < result->line_count; i++) {
		ordering->report->lines++;
		code = take_line(ordering, result, &result->lines[i], err);
	}
	if (code != 0)
		ordering->report->line = ordering->report->lines;
	ordering->report->fixed += result->fixed;
	ordering->report->filtered += result->filtered;
	return code;
}

int
ordering_end(struct ordering *ordering, struct cairn_error *err)
{
	return flush(ordering, UINT64_MAX, err);
}
