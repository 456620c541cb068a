/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GENOMICS_ANNOTATE_H
#define GENOMICS_ANNOTATE_H

/* Gene and consequence from INFO: CSQ (Ensembl VEP), ANN (SnpEff and others), CLNSIG (ClinVar). */

#include "base/buf.h"
#include "genomics/carriers.h"
#include "genomics/vcf.h"

enum annotate_field {
	ANNOTATE_ALLELE,
	ANNOTATE_GENE,
	ANNOTATE_CONSEQUENCE,
	ANNOTATE_PROTEIN,
	ANNOTATE_CODING,
	ANNOTATE_SIGNIFICANCE,
	ANNOTATE_FIELDS
};

struct annotate {
	const char *key;            /* "CSQ", "ANN", or NULL: the file has neither */
	int index[ANNOTATE_FIELDS]; /* where each is between bars; -1: nowhere */
};

/* Offsets into `texts`; 0 for none. */
struct annotate_entry {
	uint32_t at[5]; /* gene, consequence, protein, coding, significance */
};

struct annotate_list {
	struct annotate_entry at[CARRIERS_ANNOTATIONS_MAX];
	size_t count, base;
};

/* How this header's annotations are laid out. */
void annotate_read(struct annotate *ret, const struct vcf_header *header);
/* Those of one ALT (its number from 1), at most CARRIERS_ANNOTATIONS_MAX; texts are appended to
 * `texts`, offsets are from `base`. */
int annotate_record(const struct annotate *annotate, const struct vcf_record *record,
    unsigned allele, struct buf *texts, size_t base, struct annotate_list *ret);
/* "ENSP00000275493.2:p.Leu858Arg" as "L858R"; `ret` has `size` bytes.  False when it says nothing.
 */
bool annotate_protein(struct vcf_text text, char *ret, size_t size);

#endif
