/* SPDX-License-Identifier: Apache-2.0 */
/* The reserved keys of the specification (VCF 4.3, tables 1 and 2, and 4.5's). */
#include <string.h>

#include "genomics/vcf.h"

#define I(name, kind_, number_, type_)                                                         \
	{                                                                                      \
		.kind = kind_, .type = type_, .number = number_, .id = (char *)(uintptr_t)name \
	}
/* Float in one version and Integer in another: both pass. */
#define EITHER(name, kind_, number_)                                              \
	{                                                                         \
		.kind = kind_, .type = VCF_FLOAT, .number = number_, .length = 1, \
		.id = (char *)(uintptr_t)name                                     \
	}

static const struct vcf_definition reserved[] = {
    I("AA", VCF_INFO, 1, VCF_STRING),
    I("AC", VCF_INFO, VCF_NUMBER_A, VCF_INTEGER),
    I("AD", VCF_INFO, VCF_NUMBER_R, VCF_INTEGER),
    I("ADF", VCF_INFO, VCF_NUMBER_R, VCF_INTEGER),
    I("ADR", VCF_INFO, VCF_NUMBER_R, VCF_INTEGER),
    I("AF", VCF_INFO, VCF_NUMBER_A, VCF_FLOAT),
    I("AN", VCF_INFO, 1, VCF_INTEGER),
    I("BQ", VCF_INFO, 1, VCF_FLOAT),
    I("CIGAR", VCF_INFO, VCF_NUMBER_A, VCF_STRING),
    I("DB", VCF_INFO, 0, VCF_FLAG),
    I("DP", VCF_INFO, 1, VCF_INTEGER),
    I("END", VCF_INFO, 1, VCF_INTEGER),
    I("H2", VCF_INFO, 0, VCF_FLAG),
    I("H3", VCF_INFO, 0, VCF_FLAG),
    EITHER("MQ", VCF_INFO, 1),
    I("MQ0", VCF_INFO, 1, VCF_INTEGER),
    I("NS", VCF_INFO, 1, VCF_INTEGER),
    I("SOMATIC", VCF_INFO, 0, VCF_FLAG),
    I("VALIDATED", VCF_INFO, 0, VCF_FLAG),
    I("1000G", VCF_INFO, 0, VCF_FLAG),
    I("AD", VCF_FORMAT, VCF_NUMBER_R, VCF_INTEGER),
    I("ADF", VCF_FORMAT, VCF_NUMBER_R, VCF_INTEGER),
    I("ADR", VCF_FORMAT, VCF_NUMBER_R, VCF_INTEGER),
    I("DP", VCF_FORMAT, 1, VCF_INTEGER),
    I("EC", VCF_FORMAT, VCF_NUMBER_A, VCF_INTEGER),
    I("FT", VCF_FORMAT, 1, VCF_STRING),
    I("GL", VCF_FORMAT, VCF_NUMBER_G, VCF_FLOAT),
    I("GP", VCF_FORMAT, VCF_NUMBER_G, VCF_FLOAT),
    I("GQ", VCF_FORMAT, 1, VCF_INTEGER),
    I("GT", VCF_FORMAT, 1, VCF_STRING),
    I("HQ", VCF_FORMAT, 2, VCF_INTEGER),
    I("MQ", VCF_FORMAT, 1, VCF_INTEGER),
    I("PL", VCF_FORMAT, VCF_NUMBER_G, VCF_INTEGER),
    I("PQ", VCF_FORMAT, 1, VCF_INTEGER),
    I("PS", VCF_FORMAT, 1, VCF_INTEGER),
};

const struct vcf_definition *
vcf_reserved(enum vcf_kind kind, const char *id, size_t length)
{
	for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++) {
		if (reserved[i].kind == kind &&
		    vcf_text_is((struct vcf_text){id, length}, reserved[i].id))
			return &reserved[i];
	}
	return NULL;
}
