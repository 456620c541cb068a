/* SPDX-License-Identifier: Apache-2.0 */
#include "genomics/annotate.h"

#include <string.h>

#define TEXT_MAX 1024u

void
annotate_read(struct annotate *ret, const struct vcf_header *header)
{
	static const char *const names[] = {
	    "Allele", "SYMBOL", "Consequence", "HGVSp", "HGVSc", "CLIN_SIG"};
	const struct vcf_definition *csq = vcf_find(header, VCF_INFO, "CSQ", 3);
	const char *format =
	    csq == NULL || csq->description == NULL ? NULL : strstr(csq->description, "Format: ");
	struct vcf_text rest, name;

	*ret = (struct annotate){.index = {-1, -1, -1, -1, -1, -1}};
	if (format == NULL) {
		/* Its layout is fixed (annotation format 1.0). */
		if (vcf_find(header, VCF_INFO, "ANN", 3) != NULL)
			*ret = (struct annotate){"ANN", {0, 3, 1, 10, 9, -1}};
		return;
	}
	ret->key = "CSQ";
	rest = (struct vcf_text){format + 8, strcspn(format + 8, "\" ")};
	for (int i = 0; vcf_next(&rest, '|', &name); i++) {
		for (int field = 0; field < ANNOTATE_FIELDS; field++) {
			if (vcf_text_is(name, names[field]))
				ret->index[field] = i;
		}
	}
}

/* ---- the protein's change ----------------------------------------------------------------- */

static char
one_letter(const char *three)
{
	static const char *const names = "AlaAArgRAsnNAspDCysCGlnQGluEGlyGHisHIleILeuLLysKMetMPheF"
					 "ProPSerSThrTTrpWTyrYValVTer*SecUPylOXaaX";

	for (size_t i = 0; names[i] != 0; i += 4) {
		if (memcmp(names + i, three, 3) == 0)
			return names[i + 3];
	}
	return 0;
}

bool
annotate_protein(struct vcf_text text, char *ret, size_t size)
{
	const char *start = memmem(text.at, text.length, "p.", 2);
	const char *end = text.at + text.length;
	size_t length = 0;

	if (start == NULL)
		return false;
	for (start += 2; start < end && length + 1 < size;) {
		char letter = end - start >= 3 ? one_letter(start) : 0;

		if (letter != 0) {
			ret[length++] = letter;
			start += 3;
		} else if (end - start >= 3 && memcmp(start, "%3D", 3) == 0) {
			ret[length++] = '=';
			start += 3;
		} else {
			if (*start != '(' && *start != ')')
				ret[length++] = *start;
			start++;
		}
	}
	ret[length] = 0;
	return length > 0;
}

/* ---- one record --------------------------------------------------------------------------- */

static int
put(struct buf *texts, size_t base, struct vcf_text text, uint32_t *ret)
{
	int code;

	*ret = 0;
	if (text.length == 0 || vcf_text_is(text, "."))
		return 0;
	if (text.length > TEXT_MAX)
		text.length = TEXT_MAX;
	*ret = (uint32_t)(texts->length - base);
	code = buf_append(texts, text.at, text.length);
	return code == 0 ? buf_append_zero(texts, 1) : code;
}

/* VEP's name of an allele: without the base that all alleles of an insertion or deletion begin
 * with; "-" where nothing is left. */
static bool
is_allele(const struct vcf_record *record, struct vcf_text alt, struct vcf_text name)
{
	struct vcf_text rest = record->alt, other;
	bool common = true, indel = false;

	if (name.length == alt.length && memcmp(name.at, alt.at, alt.length) == 0)
		return true;
	while (vcf_next(&rest, ',', &other)) {
		common = common && other.at[0] == record->ref.at[0];
		indel = indel || other.length != record->ref.length;
	}
	if (!common || !indel)
		return false;
	if (alt.length == 1)
		return vcf_text_is(name, "-");
	return name.length == alt.length - 1 && memcmp(name.at, alt.at + 1, name.length) == 0;
}

static int
take_entry(const struct annotate *annotate, struct vcf_text entry, struct buf *texts, size_t base,
    struct annotate_entry *ret)
{
	struct vcf_text fields[ANNOTATE_FIELDS] = {{0}}, field;
	char protein[TEXT_MAX];
	int code = 0;

	for (int i = 0; vcf_next(&entry, '|', &field); i++) {
		for (int k = 0; k < ANNOTATE_FIELDS; k++) {
			if (annotate->index[k] == i)
				fields[k] = field;
		}
	}
	if (fields[ANNOTATE_PROTEIN].length > 0 &&
	    annotate_protein(fields[ANNOTATE_PROTEIN], protein, sizeof protein))
		fields[ANNOTATE_PROTEIN] = (struct vcf_text){protein, strlen(protein)};
	if (fields[ANNOTATE_CODING].length > 0) {
		struct vcf_text all = fields[ANNOTATE_CODING];
		const char *colon = memchr(all.at, ':', all.length);

		if (colon != NULL)
			fields[ANNOTATE_CODING] =
			    (struct vcf_text){colon + 1, (size_t)(all.at + all.length - colon - 1)};
	}
	for (int k = 0; code == 0 && k < 5; k++)
		code = put(texts, base, fields[ANNOTATE_GENE + k], &ret->at[k]);
	return code;
}

static struct vcf_text
alt_of(const struct vcf_record *record, unsigned allele)
{
	struct vcf_text rest = record->alt, alt = {0};

	for (unsigned i = 0; i < allele && vcf_next(&rest, ',', &alt); i++) {
	}
	return alt;
}

static int
take_all(const struct annotate *annotate, const struct vcf_record *record, struct vcf_text values,
    struct vcf_text alt, struct buf *texts, struct annotate_list *ret)
{
	size_t base = ret->base;
	struct vcf_text entry;
	int code = 0;

	while (code == 0 && ret->count < CARRIERS_ANNOTATIONS_MAX - 1 &&
	    vcf_next(&values, ',', &entry)) {
		struct vcf_text rest = entry, name = {"", 0};

		for (int i = 0; i <= annotate->index[ANNOTATE_ALLELE]; i++) {
			if (!vcf_next(&rest, '|', &name))
				break;
		}
		if (record->alleles > 2 && annotate->index[ANNOTATE_ALLELE] >= 0 &&
		    !is_allele(record, alt, name))
			continue;
		code = take_entry(annotate, entry, texts, base, &ret->at[ret->count]);
		ret->count++;
	}
	return code;
}

int
annotate_record(const struct annotate *annotate, const struct vcf_record *record, unsigned allele,
    struct buf *texts, size_t base, struct annotate_list *ret)
{
	struct vcf_text values;
	int code = 0;

	ret->count = 0;
	ret->base = base;
	if (annotate->key != NULL && vcf_info(record, annotate->key, &values))
		code = take_all(annotate, record, values, alt_of(record, allele), texts, ret);
	if (code == 0 && vcf_info(record, "CLNSIG", &values)) {
		ret->at[ret->count] = (struct annotate_entry){{0}};
		code = put(texts, base, values, &ret->at[ret->count].at[4]);
		ret->count++;
	}
	return code;
}
