/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "query_private.h"

#define OPERATOR(name) CAIRN__LEAF__OPERATOR__##name

const char *
assembly_name(const struct carriers *carriers)
{
	uint32_t assembly = carriers_head(carriers)->assembly;

	return assembly == CARRIERS_GRCH37 ? "GRCh37"
	    : assembly == CARRIERS_GRCH38  ? "GRCh38"
					   : "unknown";
}

bool
variant_name_parse(const char *text, struct variant_name *ret)
{
	char *parts[5], *at = ret->copy;
	int64_t pos;

	if (!text_copy(ret->copy, sizeof ret->copy, text))
		return false;
	for (int i = 0; i < 5; i++) {
		char *colon = i < 4 ? strchr(at, ':') : NULL;

		if (i < 4 && colon == NULL)
			return false;
		parts[i] = at;
		if (colon != NULL) {
			*colon = 0;
			at = colon + 1;
		}
	}
	if (text_to_integer(parts[2], 0, INT32_MAX, &pos) != 0)
		return false;
	ret->assembly = parts[0];
	ret->contig = carriers_plain_contig(parts[1]);
	ret->pos = (uint32_t)pos;
	ret->ref = parts[3];
	ret->alt = parts[4];
	return true;
}

void
variant_planes(struct variant *variant)
{
	size_t bytes = variant->words * sizeof(uint64_t);

	if (variant->planes_read)
		return;
	memset(variant->het, 0, bytes);
	memset(variant->hom, 0, bytes);
	memset(variant->single, 0, bytes);
	carriers_add(variant->carriers, variant->site, CARRIERS_HET, variant->het);
	carriers_add(variant->carriers, variant->site, CARRIERS_HOM, variant->hom);
	carriers_add(variant->carriers, variant->site, CARRIERS_SINGLE, variant->single);
	variant->planes_read = true;
}

/* ---- comparing ---------------------------------------------------------------------------- */

/* % stands for any characters, in upper or lower case (Beacon's and SQL's LIKE). */
static bool
like(const char *pattern, const char *text)
{
	const char *star = NULL, *back = NULL;

	while (*text != 0) {
		if (*pattern == '%') {
			star = ++pattern;
			back = text;
		} else if (strncasecmp(pattern, text, 1) == 0 && *pattern != 0) {
			pattern++;
			text++;
		} else if (star != NULL) {
			pattern = star;
			text = ++back;
		} else {
			return false;
		}
	}
	while (*pattern == '%')
		pattern++;
	return *pattern == 0;
}

static bool
text_matches(const Cairn__Leaf *leaf, const char *value)
{
	bool any = false;

	if (value == NULL || *value == 0)
		return false; /* missing never satisfies */
	for (size_t i = 0; i < leaf->n_values; i++) {
		const Cairn__Scalar *wanted = leaf->values[i];
		const char *text =
		    wanted->value_case == CAIRN__SCALAR__VALUE_TEXT ? wanted->text : "";

		any = any ||
		    (leaf->operator_ == OPERATOR(LIKE) ? like(text, value)
						       : strcmp(text, value) == 0);
	}
	switch (leaf->operator_) {
	case OPERATOR(EXISTS):
		return true;
	case OPERATOR(NE):
		return !any;
	case OPERATOR(EQ):
	case OPERATOR(IN):
	case OPERATOR(UNDER):
	case OPERATOR(LIKE):
		return any;
	default:
		return false;
	}
}

static bool
number_of(const Cairn__Leaf *leaf, size_t index, double *ret)
{
	const Cairn__Scalar *value = index < leaf->n_values ? leaf->values[index] : NULL;

	if (value == NULL)
		return false;
	if (value->value_case == CAIRN__SCALAR__VALUE_NUMBER) {
		*ret = value->number;
		return true;
	}
	return value->value_case == CAIRN__SCALAR__VALUE_TEXT &&
	    text_to_number(value->text, ret) == 0;
}

static bool
number_matches(const Cairn__Leaf *leaf, double value)
{
	double first = 0, second = 0;
	bool has_first = number_of(leaf, 0, &first), has_second = number_of(leaf, 1, &second);

	switch (leaf->operator_) {
	case OPERATOR(EXISTS):
		return true;
	case OPERATOR(EQ):
		return has_first && value == first;
	case OPERATOR(NE):
		return has_first && value != first;
	case OPERATOR(LT):
		return has_first && value < first;
	case OPERATOR(LE):
		return has_first && value <= first;
	case OPERATOR(GT):
		return has_first && value > first;
	case OPERATOR(GE):
		return has_first && value >= first;
	case OPERATOR(BETWEEN):
		return (!has_first || value >= first) && (!has_second || value <= second);
	case OPERATOR(IN):
		for (size_t i = 0; i < leaf->n_values; i++) {
			if (number_of(leaf, i, &first) && value == first)
				return true;
		}
		return false;
	default:
		return false;
	}
}

/* ---- attributes --------------------------------------------------------------------------- */

enum attribute {
	GENE,
	VARIANT,
	ASSEMBLY,
	CHROMOSOME,
	POSITION,
	REFERENCE,
	ALTERNATE,
	PROTEIN,
	CODING,
	CONSEQUENCE,
	ZYGOSITY,
	ORIGIN,
	FRACTION,
	SIGNIFICANCE,
	FILTER,
	ATTRIBUTES
};

static const char *const names[ATTRIBUTES] = {"gene", "variant", "assembly", "chromosome",
    "position", "reference_allele", "alternate_allele", "protein_change", "coding_change",
    "consequence", "zygosity", "origin", "allele_fraction", "clinical_significance", "filter"};

static enum attribute
attribute_of(const char *name)
{
	int i = 0;

	while (i < ATTRIBUTES && strcmp(names[i], name) != 0)
		i++;
	return (enum attribute)i;
}

bool
leaf_known(const char *attribute)
{
	return attribute_of(attribute) != ATTRIBUTES;
}

/* `a&b` (several consequences of one transcript) and `a/b`, `a|b` (ClinVar) are several values. */
static bool
parts_match(const Cairn__Leaf *leaf, const char *value)
{
	char copy[256], *part = copy, *save;

	if (text_matches(leaf, value) || !text_copy(copy, sizeof copy, value))
		return text_matches(leaf, value);
	for (part = strtok_r(copy, "&/|", &save); part != NULL;
	     part = strtok_r(NULL, "&/|", &save)) {
		if (text_matches(leaf, part))
			return true;
	}
	return false;
}

/* Values of all annotations of the variant; one that matches is enough. */
static bool
annotations_match(const Cairn__Leaf *leaf, const struct variant *variant, enum attribute attribute)
{
	const struct carriers_annotation *annotation;

	for (uint32_t i = 0;
	     (annotation = carriers_annotation(variant->carriers, variant->site, i)) != NULL; i++) {
		uint32_t offset = attribute == GENE ? annotation->gene
		    : attribute == PROTEIN          ? annotation->protein
		    : attribute == CODING           ? annotation->coding
		    : attribute == CONSEQUENCE      ? annotation->consequence
						    : annotation->significance;
		const char *text = carriers_string(variant->carriers, offset);

		if (attribute == CONSEQUENCE || attribute == SIGNIFICANCE
			? parts_match(leaf, text)
			: text_matches(leaf, text))
			return true;
	}
	return false;
}

static const char *
contig_of(const struct variant *variant)
{
	return carriers_plain_contig(
	    carriers_contig_name(variant->carriers, variant->site->contig));
}

/* The variant's name is made only when the place may be right: this runs for every candidate. */
static bool
variant_matches(const Cairn__Leaf *leaf, const struct variant *variant)
{
	char name[1024];
	int length = snprintf(name, sizeof name, "%s:%s:%u:%s:%s", assembly_name(variant->carriers),
	    contig_of(variant), variant->site->pos,
	    carriers_string(variant->carriers, variant->site->ref),
	    carriers_string(variant->carriers, variant->site->alt));

	return length > 0 && (size_t)length < sizeof name && text_matches(leaf, name);
}

static bool
site_matches(const Cairn__Leaf *leaf, const struct variant *variant, enum attribute attribute)
{
	const struct carriers *carriers = variant->carriers;
	const struct carriers_site *site = variant->site;
	const char *filter;

	switch (attribute) {
	case VARIANT:
		return variant_matches(leaf, variant);
	case ASSEMBLY:
		return text_matches(leaf, assembly_name(carriers));
	case CHROMOSOME:
		return text_matches(leaf, contig_of(variant));
	case POSITION:
		return number_matches(leaf, site->pos);
	case REFERENCE:
		return text_matches(leaf, carriers_string(carriers, site->ref));
	case ALTERNATE:
		return text_matches(leaf, carriers_string(carriers, site->alt));
	case ORIGIN:
		return text_matches(leaf,
		    (carriers_head(carriers)->flags & CARRIERS_SOMATIC) != 0 ? "somatic"
									     : "germline");
	case FILTER:
		filter = carriers_string(carriers, site->filter);
		return strcmp(filter, ".") != 0 && text_matches(leaf, filter);
	default:
		return annotations_match(leaf, variant, attribute);
	}
}

static void
zygosity_samples(const Cairn__Leaf *leaf, struct variant *variant, uint64_t *ret)
{
	bool het = text_matches(leaf, "heterozygous"), hom = text_matches(leaf, "homozygous");
	bool hemi = text_matches(leaf, "hemizygous");

	for (uint32_t i = 0; i < variant->words; i++)
		ret[i] = (het ? variant->het[i] : 0) |
		    (hom ? variant->hom[i] & ~variant->single[i] : 0) |
		    (hemi ? variant->hom[i] & variant->single[i] : 0);
}

static void
fraction_samples(const Cairn__Leaf *leaf, struct variant *variant, uint64_t *ret)
{
	uint32_t carrier = 0;
	float value;

	for (uint32_t i = 0; i < variant->words; i++) {
		for (uint64_t word = variant->het[i] | variant->hom[i]; word != 0;
		     word &= word - 1) {
			uint64_t bit = word & -word;

			/* As it was written: 0.3 is 0.3, though a float's is a little more. */
			if (carriers_fraction(variant->carriers, variant->site, carrier, &value) &&
			    number_matches(leaf, (double)(int64_t)(value * 1e6 + 0.5) / 1e6))
				ret[i] |= bit;
			carrier++;
		}
	}
}

void
leaf_samples(const Cairn__Leaf *leaf, struct variant *variant, uint64_t *ret)
{
	enum attribute attribute = attribute_of(leaf->attribute);

	memset(ret, 0, variant->words * sizeof *ret);
	if (attribute == ZYGOSITY || attribute == FRACTION) {
		variant_planes(variant);
		if (attribute == ZYGOSITY)
			zygosity_samples(leaf, variant, ret);
		else
			fraction_samples(leaf, variant, ret);
		return;
	}
	if (!site_matches(leaf, variant, attribute))
		return;
	variant_planes(variant);
	for (uint32_t i = 0; i < variant->words; i++)
		ret[i] = variant->het[i] | variant->hom[i];
}
