/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GENOMICS_VCF_H
#define GENOMICS_VCF_H

/*
 * A strict reader of VCF text, versions 4.1 to 4.5.  htslib reads what it can make sense of; this
 * refuses what the specification refuses, with the reason.  A line at a time: the header first,
 * then records, which may be checked on several threads at once, and whose order is checked by one
 * of them.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cairn/error.h>

#define VCF_LINE_MAX ((size_t)64 << 20) /* bytes of one line */
#define VCF_SAMPLES_MAX 65535u
#define VCF_DEFINITIONS_MAX 65536u
#define VCF_NAME_MAX 255u /* bytes of a sample, contig or key */
#define VCF_ALLELES_MAX 1024u

struct vcf_text {
	const char *at;
	size_t length;
};

enum vcf_kind { VCF_INFO, VCF_FORMAT, VCF_FILTER, VCF_CONTIG, VCF_ALT };
enum vcf_type { VCF_INTEGER, VCF_FLOAT, VCF_FLAG, VCF_CHARACTER, VCF_STRING };

/* Numbers that stand for another number. */
enum {
	VCF_NUMBER_ANY = -1,
	VCF_NUMBER_A = -2,
	VCF_NUMBER_R = -3,
	VCF_NUMBER_G = -4,
	VCF_NUMBER_OTHER = -5
}; /* LA, LR, LG, P, M of 4.4 and 4.5: not counted */

struct vcf_definition {
	enum vcf_kind kind;
	enum vcf_type type; /* INFO, FORMAT */
	int number;         /* INFO, FORMAT */
	uint64_t length;    /* contig; 0 when not said */
	char *id;
	char *description; /* INFO; or NULL */
	char *assembly;    /* contig; or NULL */
	struct vcf_definition *next;
};

#define VCF_BUCKETS 4096

/* Read only once the header is complete, and then shared by threads. */
struct vcf_header {
	int minor; /* of version 4 */
	bool complete;
	bool declared; /* refuse what the header does not declare */
	struct vcf_definition *buckets[VCF_BUCKETS];
	size_t definition_count;
	struct vcf_definition **contigs; /* in the order of the header */
	size_t contig_count;
	char **samples;
	size_t sample_count;
	char *reference;       /* ##reference, or NULL */
	char *tumour, *normal; /* ##tumor_sample= and ##normal_sample=, or NULL */
	uint64_t lines;
};

int vcf_header_new(struct vcf_header **ret, bool declared, struct cairn_error *err);
void vcf_header_free(struct vcf_header *header);
/* One line, without its end; sets header->complete with the #CHROM line.  CAIRN_EINVAL and why,
 * CAIRN_ELIMIT, CAIRN_ENOMEM. */
int vcf_header_line(
    struct vcf_header *header, const char *line, size_t length, struct cairn_error *err);
const struct vcf_definition *vcf_find(
    const struct vcf_header *header, enum vcf_kind kind, const char *id, size_t length);

/* A record's columns; they point into its line. */
struct vcf_record {
	struct vcf_text chrom, id, ref, alt, qual, filter, info, format;
	uint64_t pos;
	size_t alleles;      /* REF and each ALT; 1 where ALT is "." */
	const char *samples; /* behind FORMAT's tab; NULL without samples */
	size_t samples_length;
};

/* The first nine columns, then the samples. */
int vcf_record_site(const struct vcf_header *header, const char *line, size_t length,
    struct vcf_record *ret, struct cairn_error *err);
int vcf_record_samples(
    const struct vcf_header *header, const struct vcf_record *record, struct cairn_error *err);
/* The value of INFO's `key`; false when it is not there. */
bool vcf_info(const struct vcf_record *record, const char *key, struct vcf_text *ret);

/* That contigs are contiguous, positions ascend and no variant is there twice. */
struct vcf_order;
int vcf_order_new(struct vcf_order **ret, struct cairn_error *err);
void vcf_order_free(struct vcf_order *order);
int vcf_order_add(
    struct vcf_order *order, const struct vcf_record *record, struct cairn_error *err);

/* All of a file's text.  `*ret_line` is the line it stopped at, from 1. */
int vcf_check(
    const char *text, size_t length, bool declared, uint64_t *ret_line, struct cairn_error *err);

/* Shared by the parts: "%.*s" of at most 40 bytes. */
#define VCF_SHOWN(text) ((text).length > 40 ? 40 : (int)(text).length), (text).at
/* Inline: called for every field of every sample. */
static inline bool
vcf_text_is(struct vcf_text text, const char *word)
{
	return strlen(word) == text.length && memcmp(text.at, word, text.length) == 0;
}

/* The part before `separator`, which is taken off `rest`; false when nothing is left. */
static inline bool
vcf_next(struct vcf_text *rest, char separator, struct vcf_text *ret)
{
	const char *at = rest->at, *end;
	size_t i = 0, near = rest->length < 16 ? rest->length : 16;

	if (at == NULL)
		return false;
	while (i < near && at[i] != separator) /* most fields are short */
		i++;
	if (i == near && i < rest->length) {
		end = (const char *)memchr(at + i, separator, rest->length - i);
		i = end == NULL ? rest->length : (size_t)(end - at);
	}
	*ret = (struct vcf_text){at, i};
	if (i == rest->length) {
		*rest = (struct vcf_text){NULL, 0};
	} else {
		rest->at = at + i + 1;
		rest->length -= i + 1;
	}
	return true;
}

int vcf_value_check(struct vcf_text value, enum vcf_type type, int minor);
int vcf_meta_check(
    struct vcf_header *header, const char *line, size_t length, struct cairn_error *err);
int vcf_define(
    struct vcf_header *header, const struct vcf_definition *definition, struct cairn_error *err);
/* What the specification reserves; NULL. */
const struct vcf_definition *vcf_reserved(enum vcf_kind kind, const char *id, size_t length);

#endif
