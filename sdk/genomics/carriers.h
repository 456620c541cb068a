/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GENOMICS_CARRIERS_H
#define GENOMICS_CARRIERS_H

/*
 * Who carries what: an immutable file, made from one file of genotypes, mapped into memory and read
 * where it lies.  For each variant (one ALT, normalised) sets of samples: heterozygous, homozygous,
 * without a call, with one called allele only; a set is a list of numbers or a bitset, whichever is
 * smaller.  Beside that annotations (gene, consequence, change of protein), a table of genes, and
 * the stretches that a gVCF calls reference.
 *
 * A file ends in its CRC-32C, is written under a temporary name and renamed.  Reading checks every
 * offset, so that a damaged file is an error or a wrong answer, never a crash.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cairn/error.h>

#define CARRIERS_SAMPLES_MAX 65535u
#define CARRIERS_WORDS_MAX 1024u     /* of 64 samples */
#define CARRIERS_ANNOTATIONS_MAX 64u /* of one variant */

enum carriers_assembly { CARRIERS_UNKNOWN = 0, CARRIERS_GRCH37 = 37, CARRIERS_GRCH38 = 38 };
enum { CARRIERS_SOMATIC = 1, CARRIERS_ALIGNED = 2 /* left-aligned against a reference */ };
enum carriers_plane {
	CARRIERS_HET,
	CARRIERS_HOM,
	CARRIERS_UNCALLED,
	CARRIERS_SINGLE,
	CARRIERS_PLANES
};

enum carriers_section {
	CARRIERS_STRINGS,
	CARRIERS_SAMPLES,
	CARRIERS_CONTIGS,
	CARRIERS_SITES,
	CARRIERS_SETS,
	CARRIERS_ANNOTATIONS,
	CARRIERS_GENES,
	CARRIERS_GENE_SITES,
	CARRIERS_BLOCKS,
	CARRIERS_SECTIONS
};

/* Little-endian, as the machine. */
struct carriers_head {
	char magic[8];
	uint32_t samples, flags, assembly, reserved;
	uint64_t offset[CARRIERS_SECTIONS], length[CARRIERS_SECTIONS];
};

struct carriers_contig {
	uint32_t name, first, count, first_block, block_count;
};

struct carriers_site {
	uint64_t sets;
	uint32_t pos, contig, ref, alt, filter, annotation, annotation_count;
	uint16_t counts[CARRIERS_PLANES];
	uint16_t has_fraction; /* a float for each carrier stands behind the sets */
	uint16_t reserved;
};

struct carriers_annotation {
	uint32_t gene, consequence, protein, coding, significance;
};

struct carriers_gene {
	uint32_t name, first, count;
};

struct carriers_block {
	uint64_t set; /* of the called */
	uint32_t start, end, contig, count;
};

/* ---- sets --------------------------------------------------------------------------------- */

/* Bytes of a set of `count` of `samples`, and it, from a bitset; `ret` has room. */
size_t carriers_set_size(uint32_t samples, uint32_t count);
void carriers_set_encode(const uint64_t *words, uint32_t samples, uint32_t count, uint8_t *ret);
/* Adds (ors) it to a bitset of `samples`. */
void carriers_set_add(const uint8_t *set, uint32_t samples, uint32_t count, uint64_t *words);
uint32_t carriers_count(const uint64_t *words, uint32_t samples);

/* ---- making ------------------------------------------------------------------------------- */

struct carriers_text { /* an annotation on its way */
	const char *gene, *consequence, *protein, *coding, *significance;
};

struct carriers_new_site {
	const char *contig, *ref, *alt, *filter;
	uint32_t pos;
	uint16_t counts[CARRIERS_PLANES];
	const uint8_t *sets; /* encoded, of each plane, one behind the other */
	size_t sets_length;
	const float *fractions; /* of each carrier in the order of samples, or NULL */
	const struct carriers_text *annotations;
	size_t annotation_count;
};

struct carriers_writer;
/* `patients`: who each sample is, in the order of samples. */
int carriers_writer_new(struct carriers_writer **ret, const char *dir, const char *const *patients,
    uint32_t samples, struct cairn_error *err);
void carriers_writer_free(struct carriers_writer *writer); /* also after a failure */
/* In order of contig and position. */
int carriers_writer_add(
    struct carriers_writer *writer, const struct carriers_new_site *site, struct cairn_error *err);
/* Called reference from `start` to `end`, both included; in order of contig and start. */
int carriers_writer_block(struct carriers_writer *writer, const char *contig, uint32_t start,
    uint32_t end, const uint64_t *called, struct cairn_error *err);
/* Puts the file in place of `path`, durably. */
int carriers_writer_finish(struct carriers_writer *writer, const char *path, uint32_t flags,
    uint32_t assembly, struct cairn_error *err);

/* ---- reading ------------------------------------------------------------------------------ */

struct carriers;
/* `verify`: the checksum, too, which reads all of it. */
int carriers_open(struct carriers **ret, const char *path, bool verify, struct cairn_error *err);
void carriers_close(struct carriers *carriers);

const struct carriers_head *carriers_head(const struct carriers *carriers);
uint32_t carriers_site_count(const struct carriers *carriers);
const struct carriers_site *carriers_site(const struct carriers *carriers, uint32_t index);
const char *carriers_string(const struct carriers *carriers, uint32_t offset);
const char *carriers_patient(const struct carriers *carriers, uint32_t sample);
const char *carriers_contig_name(const struct carriers *carriers, uint32_t contig);
/* NULL when there are not so many. */
const struct carriers_annotation *carriers_annotation(
    const struct carriers *carriers, const struct carriers_site *site, uint32_t index);
/* Adds a plane of a site to a bitset; a damaged one adds nothing. */
void carriers_add(const struct carriers *carriers, const struct carriers_site *site,
    enum carriers_plane plane, uint64_t *words);
/* The float of the n-th carrier (het or hom, in the order of samples); false when there is none. */
bool carriers_fraction(const struct carriers *carriers, const struct carriers_site *site,
    uint32_t carrier, float *ret);
/* Sites of a contig from `from` to `to`, both included: the first one and how many.  `chr1` and `1`
 * are the same name. */
void carriers_range(const struct carriers *carriers, const char *contig, uint32_t from, uint32_t to,
    uint32_t *ret_first, uint32_t *ret_count);
/* Sites with an annotation of this gene; `*ret_sites` is not longer than `*ret_count`. */
void carriers_gene(const struct carriers *carriers, const char *gene, const uint32_t **ret_sites,
    uint32_t *ret_count);
/* Adds to `words` who is called reference at a place. */
void carriers_called(
    const struct carriers *carriers, const char *contig, uint32_t pos, uint64_t *words);

/* Alternate alleles and called alleles of a site among `within` (NULL: all). */
struct carriers_alleles {
	uint32_t ac, an, carriers;
};
struct carriers_alleles carriers_alleles(
    const struct carriers *carriers, const struct carriers_site *site, const uint64_t *within);

/* Without "chr", and M as MT. */
const char *carriers_plain_contig(const char *name);

#endif
