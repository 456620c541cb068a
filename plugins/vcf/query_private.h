/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VCF_QUERY_PRIVATE_H
#define VCF_QUERY_PRIVATE_H

/* One variant at a time (query_leaf.c), and which variants to look at (query.c). */

#include "query.h"

/* A variant under an expression: its planes are read when a leaf needs them. */
struct variant {
	const struct carriers *carriers;
	const struct carriers_site *site;
	uint32_t words;
	bool planes_read;
	uint64_t het[CARRIERS_WORDS_MAX], hom[CARRIERS_WORDS_MAX], single[CARRIERS_WORDS_MAX];
};

void variant_planes(struct variant *variant);
bool leaf_known(const char *attribute);
/* Samples of the variant of which the leaf is true; all or none of its carriers but for zygosity
 * and allele_fraction. */
void leaf_samples(const Cairn__Leaf *leaf, struct variant *variant, uint64_t *ret);

/* "GRCh38:7:55191822:T:G" in its parts, which point into `copy`; false when it is none. */
struct variant_name {
	char copy[512];
	const char *assembly, *contig, *ref, *alt;
	uint32_t pos;
};
bool variant_name_parse(const char *text, struct variant_name *ret);
const char *assembly_name(const struct carriers *carriers);

#endif
