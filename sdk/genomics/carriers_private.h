/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GENOMICS_CARRIERS_PRIVATE_H
#define GENOMICS_CARRIERS_PRIVATE_H

/* What adding to an index (carriers_write.c) and ending it (carriers_finish.c) share. */

#include "genomics/carriers.h"

struct seen {
	char text[28]; /* longer ones are written each time */
	uint32_t offset;
};

struct gene {
	char *name;
	uint32_t offset, count;
	uint32_t next; /* number + 1 in the bucket; 0: none */
	uint32_t last_site;
};

struct carriers_writer {
	char *dir;
	uint32_t samples;
	FILE *sections[CARRIERS_SECTIONS];
	uint64_t lengths[CARRIERS_SECTIONS];
	struct seen *seen;
	struct gene *genes;
	size_t gene_count, gene_capacity;
	uint32_t *buckets;
	uint64_t pairs; /* (gene, site) in CARRIERS_GENE_SITES until the end */
	struct carriers_contig *contigs;
	char **contig_names;
	uint32_t contig_count, site_count, block_count;
	uint32_t last_pos;
	struct carriers_block open; /* grows while its neighbours say the same */
	uint64_t *open_called;
	bool is_open;
};

int carriers_no_memory(struct cairn_error *err);
int carriers_section_open(struct carriers_writer *writer, size_t index, struct cairn_error *err);
int carriers_append(struct carriers_writer *writer, enum carriers_section section,
    const void *bytes, size_t length, struct cairn_error *err);
int carriers_close_block(struct carriers_writer *writer, struct cairn_error *err);

#endif
