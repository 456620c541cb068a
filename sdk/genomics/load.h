/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GENOMICS_LOAD_H
#define GENOMICS_LOAD_H

/*
 * From a file of genotypes (VCF, VCF.gz, BCF, gVCF) to a carrier index.  Workers inflate, check and
 * read pieces of the text; the caller's thread takes them in order, checks what spans records,
 * left-aligns, and writes.  Nothing is in place before all of the file was good.
 */

#include <stdatomic.h>

#include "genomics/carriers.h"
#include "genomics/vcf.h"

struct load;

struct load_report {
	uint64_t lines, records, variants, blocks;
	uint64_t fixed;    /* records that the wide reader took */
	uint64_t filtered; /* records left out for their FILTER */
	uint64_t shifted;  /* variants that were left-aligned */
	uint64_t line;     /* where it failed; 0 */
};

struct load_plan {
	const uint32_t *columns;     /* which samples of the header, ascending */
	const char *const *patients; /* who each of them is */
	uint32_t count;
	bool somatic, pass_only;
	unsigned threads;             /* 1 to 16 */
	const char *fasta;            /* NULL: trimmed only */
	const char *dir;              /* for temporary files; the index is put here */
	const char *path;             /* of the index */
	const atomic_bool *cancelled; /* or NULL */
};

/* Reads the header; takes `fd` over.  `*ret_line` is where it failed. */
int load_open(
    struct load **ret, int fd, bool declared, uint64_t *ret_line, struct cairn_error *err);
void load_close(struct load *load);
const struct vcf_header *load_header(const struct load *load);
/* From the contigs' lengths and names of assemblies; CAIRN_EINVAL when they contradict. */
int load_assembly(const struct load *load, enum carriers_assembly *ret, struct cairn_error *err);
/* Once.  CAIRN_EINVAL and others say the reason, `ret->line` the place. */
int load_run(struct load *load, const struct load_plan *plan, struct load_report *ret,
    struct cairn_error *err);

#endif
