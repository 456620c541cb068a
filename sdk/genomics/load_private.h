/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GENOMICS_LOAD_PRIVATE_H
#define GENOMICS_LOAD_PRIVATE_H

/* What the parts of loading share: reading pieces (load_read.c), putting in order (load_order.c).
 */

#include "base/buf.h"
#include "genomics/annotate.h"
#include "genomics/genotypes.h"
#include "genomics/load.h"
#include "genomics/normalise.h"
#include "genomics/source.h"

#define ENTRIES_BYTES_MAX ((size_t)1 << 30)

/* One variant or reference stretch.  What it needs lies in one run of bytes, so that it can be
 * moved; offsets are from the run's start. */
struct entry {
	size_t start, length; /* of the run */
	uint32_t pos, end;
	uint32_t ref, alt, filter; /* texts */
	uint32_t sets, sets_length;
	uint32_t fractions;                     /* UINT32_MAX: none */
	uint32_t annotations, annotation_count; /* of struct annotate_entry */
	uint16_t counts[CARRIERS_PLANES];
	bool block; /* `sets` is a bitset of the called */
};

struct line {
	struct vcf_record record;
	uint32_t first, count; /* of entries */
};

/* What is fixed while a file is read. */
struct reading {
	const struct vcf_header *header;
	const struct load_plan *plan;
	struct annotate annotate;
	const int32_t
	    *remap; /* of a sample of the file to one of the plan, or -1; NULL: the same */
};

struct piece_result {
	struct line *lines;
	size_t line_count, line_capacity;
	struct entry *entries;
	size_t entry_count, entry_capacity;
	struct buf bytes;
	uint64_t fixed, filtered;
	struct genotypes genotypes, chosen;
};

int load_line(const struct reading *reading, struct piece_result *result, const char *text,
    size_t length, struct cairn_error *err);
void piece_result_clear(struct piece_result *result);
void piece_result_fini(struct piece_result *result);

/* ---- order -------------------------------------------------------------------------------- */

struct ordering;
int ordering_new(struct ordering **ret, const struct reading *reading,
    struct carriers_writer *writer, struct load_report *report, struct cairn_error *err);
void ordering_free(struct ordering *ordering);
/* All lines of a result, in the order of the file; `report->line` counts. */
int ordering_take(
    struct ordering *ordering, const struct piece_result *result, struct cairn_error *err);
int ordering_end(struct ordering *ordering, struct cairn_error *err);

#endif
