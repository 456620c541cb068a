/* SPDX-License-Identifier: Apache-2.0 */
/* Which assembly a file is of: what its header says, never a guess from its variants. */
#include <string.h>

#include "genomics/load.h"

struct length {
	const char *contig;
	uint64_t of37, of38;
};

/* GRCh37 (GCF_000001405.25) and GRCh38 (GCF_000001405.26). */
static const struct length lengths[] = {
    {"1", 249250621, 248956422},
    {"2", 243199373, 242193529},
    {"3", 198022430, 198295559},
    {"7", 159138663, 159345973},
    {"13", 115169878, 114364328},
    {"17", 81195210, 83257441},
    {"21", 48129895, 46709983},
    {"22", 51304566, 50818468},
    {"X", 155270560, 156040895},
};

static enum carriers_assembly
by_length(const struct vcf_definition *contig)
{
	const char *name = carriers_plain_contig(contig->id);

	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		if (strcmp(lengths[i].contig, name) == 0)
			return contig->length == lengths[i].of37 ? CARRIERS_GRCH37
			    : contig->length == lengths[i].of38  ? CARRIERS_GRCH38
								 : CARRIERS_UNKNOWN;
	}
	return CARRIERS_UNKNOWN;
}

static enum carriers_assembly
by_name(const char *text)
{
	static const char *const of37[] = {"GRCh37", "grch37", "hg19", "hs37", "b37"};
	static const char *const of38[] = {"GRCh38", "grch38", "hg38", "hs38", "b38"};

	for (size_t i = 0; text != NULL && i < 5; i++) {
		if (strstr(text, of37[i]) != NULL)
			return CARRIERS_GRCH37;
		if (strstr(text, of38[i]) != NULL)
			return CARRIERS_GRCH38;
	}
	return CARRIERS_UNKNOWN;
}

int
load_assembly(const struct load *load, enum carriers_assembly *ret, struct cairn_error *err)
{
	const struct vcf_header *header = load_header(load);
	enum carriers_assembly known = by_name(header->reference);

	for (size_t i = 0; i < header->contig_count; i++) {
		enum carriers_assembly said[] = {
		    by_length(header->contigs[i]), by_name(header->contigs[i]->assembly)};

		for (int k = 0; k < 2; k++) {
			if (said[k] == CARRIERS_UNKNOWN)
				continue;
			if (known != CARRIERS_UNKNOWN && known != said[k])
				return cairn_error_set(err, CAIRN_EINVAL,
				    "the header says GRCh37 in one place and GRCh38 in another");
			known = said[k];
		}
	}
	*ret = known;
	return 0;
}
