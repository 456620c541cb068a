/* SPDX-License-Identifier: Apache-2.0 */
/* The end of an index: genes in order, sections one behind the other, checksum, name. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "genomics/carriers_private.h"
#include "objects/crc32c.h"

#define COPY (256u << 10)

static int
compare_genes(const void *a, const void *b)
{
	return strcmp(((const struct gene *)a)->name, ((const struct gene *)b)->name);
}

/* The pairs, which came in order of sites, become a list of sites for each gene. */
static int
spread(
    struct carriers_writer *writer, const uint32_t *first, uint32_t *sites, struct cairn_error *err)
{
	uint32_t *next = malloc((writer->gene_count + 1) * sizeof *next), pair[2];

	if (next == NULL)
		return carriers_no_memory(err);
	memcpy(next, first, writer->gene_count * sizeof *next);
	rewind(writer->sections[CARRIERS_GENE_SITES]);
	for (uint64_t i = 0; i < writer->pairs; i++) {
		if (fread(pair, sizeof pair, 1, writer->sections[CARRIERS_GENE_SITES]) != 1) {
			free(next);
			return cairn_error_set(err, CAIRN_EIO, "cannot read the index's pairs");
		}
		sites[next[pair[0]]++] = pair[1];
	}
	free(next);
	return 0;
}

static int
spread_file(struct carriers_writer *writer, const uint32_t *first, struct cairn_error *err)
{
	FILE *pairs = writer->sections[CARRIERS_GENE_SITES];
	size_t length = writer->pairs * sizeof(uint32_t);
	FILE *made;
	void *map;
	int code = carriers_section_open(writer, CARRIERS_GENE_SITES, err);

	made = writer->sections[CARRIERS_GENE_SITES];
	writer->sections[CARRIERS_GENE_SITES] = pairs;
	if (code != 0)
		return code;
	if (ftruncate(fileno(made), (off_t)length) != 0 ||
	    (map = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fileno(made), 0)) ==
		MAP_FAILED) {
		fclose(made);
		return cairn_error_set(err, CAIRN_EIO, "cannot write the index's genes");
	}
	code = spread(writer, first, map, err);
	munmap(map, length);
	fclose(pairs);
	writer->sections[CARRIERS_GENE_SITES] = made;
	writer->lengths[CARRIERS_GENE_SITES] = length;
	return code;
}

static int
write_genes(struct carriers_writer *writer, struct cairn_error *err)
{
	uint32_t *first, at = 0;
	struct gene *sorted;
	int code = 0;

	if (writer->gene_count == 0)
		return 0;
	sorted = malloc(writer->gene_count * sizeof *sorted);
	first = calloc(writer->gene_count, sizeof *first);
	if (sorted == NULL || first == NULL) {
		free(sorted);
		free(first);
		return carriers_no_memory(err);
	}
	memcpy(sorted, writer->genes, writer->gene_count * sizeof *sorted);
	for (uint32_t i = 0; i < writer->gene_count; i++)
		sorted[i].next = i;
	qsort(sorted, writer->gene_count, sizeof *sorted, compare_genes);
	for (size_t i = 0; code == 0 && i < writer->gene_count; i++) {
		struct carriers_gene gene = {sorted[i].offset, at, sorted[i].count};

		first[sorted[i].next] = at;
		at += sorted[i].count;
		code = carriers_append(writer, CARRIERS_GENES, &gene, sizeof gene, err);
	}
	if (code == 0)
		code = spread_file(writer, first, err);
	free(sorted);
	free(first);
	return code;
}

static int
copy_section(FILE *from, int fd, uint64_t length, uint32_t *crc, struct cairn_error *err)
{
	uint8_t *chunk = malloc(COPY);
	int code = 0;

	if (chunk == NULL)
		return carriers_no_memory(err);
	rewind(from);
	while (code == 0 && length > 0) {
		size_t part = length < COPY ? (size_t)length : COPY;

		if (fread(chunk, part, 1, from) != 1 || file_write_all(fd, chunk, part) != 0)
			code = cairn_error_set(
			    err, CAIRN_EIO, "cannot write the index: %s", strerror(errno));
		*crc = objects_crc32c(*crc, chunk, part);
		length -= part;
	}
	free(chunk);
	return code;
}

static int
assemble(
    struct carriers_writer *writer, int fd, struct carriers_head *head, struct cairn_error *err)
{
	static const uint8_t zeros[8];
	uint64_t at = sizeof *head;
	uint32_t crc;
	int code = 0;

	for (size_t i = 0; i < CARRIERS_SECTIONS; i++) {
		head->offset[i] = at;
		head->length[i] = writer->lengths[i];
		at += (writer->lengths[i] + 7) & ~7ull;
	}
	if (file_write_all(fd, head, sizeof *head) != 0)
		code = cairn_error_set(err, CAIRN_EIO, "cannot write the index");
	crc = objects_crc32c(0, head, sizeof *head);
	for (size_t i = 0; code == 0 && i < CARRIERS_SECTIONS; i++) {
		size_t padding = (size_t)(-writer->lengths[i] & 7);

		code = fflush(writer->sections[i]) != 0
		    ? cairn_error_set(err, CAIRN_EIO, "cannot write the index: %s", strerror(errno))
		    : copy_section(writer->sections[i], fd, writer->lengths[i], &crc, err);
		if (code == 0 && file_write_all(fd, zeros, padding) != 0)
			code = cairn_error_set(err, CAIRN_EIO, "cannot write the index");
		crc = objects_crc32c(crc, zeros, padding);
	}
	if (code == 0 && (file_write_all(fd, &crc, sizeof crc) != 0 || fsync(fd) != 0))
		code =
		    cairn_error_set(err, CAIRN_EIO, "cannot write the index: %s", strerror(errno));
	return code;
}

int
carriers_writer_finish(struct carriers_writer *writer, const char *path, uint32_t flags,
    uint32_t assembly, struct cairn_error *err)
{
	struct carriers_head head = {
	    .magic = "CAIRNGX1", .samples = writer->samples, .flags = flags, .assembly = assembly};
	char temporary[4096];
	int code = carriers_close_block(writer, err), fd = -1;

	if (code == 0)
		code = write_genes(writer, err);
	if (code == 0)
		code = carriers_append(writer, CARRIERS_CONTIGS, writer->contigs,
		    writer->contig_count * sizeof *writer->contigs, err);
	if (code == 0 && file_join(temporary, sizeof temporary, writer->dir, ".new-XXXXXX") != 0)
		code = cairn_error_set(err, CAIRN_ELIMIT, "the folder's path is too long");
	if (code == 0 && (fd = mkostemp(temporary, O_CLOEXEC)) < 0)
		code = cairn_error_set(
		    err, CAIRN_EIO, "cannot make %s: %s", temporary, strerror(errno));
	if (code != 0)
		return code;
	code = assemble(writer, fd, &head, err);
	close(fd);
	if (code == 0 && rename(temporary, path) != 0)
		code = cairn_error_set(
		    err, CAIRN_EIO, "cannot name the index %s: %s", path, strerror(errno));
	if (code != 0)
		unlink(temporary);
	return code == 0 ? file_sync_dir(writer->dir, err) : code;
}
