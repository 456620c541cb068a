/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making a carrier index.  Each section grows in a nameless file of its own, so that memory does
 * not grow with the number of variants; at the end they are put one behind the other.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "genomics/carriers_private.h"

#define STRINGS_SEEN 65536u /* direct-mapped: a string that was pushed out is written again */
#define GENES_MAX 1000000u
#define GENE_BUCKETS 65536u

int
carriers_no_memory(struct cairn_error *err)
{
	return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
}

int
carriers_section_open(struct carriers_writer *writer, size_t index, struct cairn_error *err)
{
	char path[4096];
	int fd;

	if (file_join(path, sizeof path, writer->dir, ".carriers-XXXXXX") != 0)
		return cairn_error_set(err, CAIRN_ELIMIT, "the folder's path is too long");
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return cairn_error_set(
		    err, CAIRN_EIO, "cannot make a file in %s: %s", writer->dir, strerror(errno));
	unlink(path);
	writer->sections[index] = fdopen(fd, "w+");
	if (writer->sections[index] == NULL) {
		close(fd);
		return carriers_no_memory(err);
	}
	return 0;
}

int
carriers_append(struct carriers_writer *writer, enum carriers_section section, const void *bytes,
    size_t length, struct cairn_error *err)
{
	if (length > 0 && fwrite(bytes, length, 1, writer->sections[section]) != 1)
		return cairn_error_set(
		    err, CAIRN_EIO, "cannot write the index: %s", strerror(errno));
	writer->lengths[section] += length;
	return 0;
}

static uint32_t
hash_of(const char *text)
{
	uint32_t hash = 2166136261u;

	for (; *text != 0; text++)
		hash = (hash ^ (uint8_t)*text) * 16777619u;
	return hash ^ hash >> 15;
}

static int
intern(struct carriers_writer *writer, const char *text, uint32_t *ret, struct cairn_error *err)
{
	struct seen *seen;
	size_t length;

	if (text == NULL || *text == 0) {
		*ret = 0; /* the first byte of the section is a zero */
		return 0;
	}
	length = strlen(text);
	seen = length < sizeof seen->text ? &writer->seen[hash_of(text) % STRINGS_SEEN] : NULL;
	if (seen == NULL || strcmp(seen->text, text) != 0) {
		if (writer->lengths[CARRIERS_STRINGS] + length > UINT32_MAX - 1)
			return cairn_error_set(err, CAIRN_ELIMIT, "more than 4 GiB of text");
		*ret = (uint32_t)writer->lengths[CARRIERS_STRINGS];
		if (seen != NULL) {
			memcpy(seen->text, text, length + 1);
			seen->offset = *ret;
		}
		return carriers_append(writer, CARRIERS_STRINGS, text, length + 1, err);
	}
	*ret = seen->offset;
	return 0;
}

static int
writer_prepare(struct carriers_writer *writer, const char *const *patients, struct cairn_error *err)
{
	int code = 0;

	writer->seen = calloc(STRINGS_SEEN, sizeof *writer->seen);
	writer->buckets = calloc(GENE_BUCKETS, sizeof *writer->buckets);
	writer->open_called = calloc(CARRIERS_WORDS_MAX, sizeof *writer->open_called);
	if (writer->dir == NULL || writer->seen == NULL || writer->buckets == NULL ||
	    writer->open_called == NULL)
		return carriers_no_memory(err);
	for (size_t i = 0; code == 0 && i < CARRIERS_SECTIONS; i++)
		code = carriers_section_open(writer, i, err);
	if (code == 0)
		code = carriers_append(writer, CARRIERS_STRINGS, "", 1, err);
	for (uint32_t i = 0; code == 0 && i < writer->samples; i++) {
		uint32_t offset = 0;

		code = intern(writer, patients[i], &offset, err);
		if (code == 0)
			code =
			    carriers_append(writer, CARRIERS_SAMPLES, &offset, sizeof offset, err);
	}
	return code;
}

int
carriers_writer_new(struct carriers_writer **ret, const char *dir, const char *const *patients,
    uint32_t samples, struct cairn_error *err)
{
	struct carriers_writer *writer;
	int code;

	if (samples > CARRIERS_SAMPLES_MAX)
		return cairn_error_set(
		    err, CAIRN_ELIMIT, "%u samples; at most %u", samples, CARRIERS_SAMPLES_MAX);
	writer = calloc(1, sizeof *writer);
	if (writer == NULL)
		return carriers_no_memory(err);
	writer->dir = strdup(dir);
	writer->samples = samples;
	code = writer_prepare(writer, patients, err);
	if (code != 0) {
		carriers_writer_free(writer);
		return code;
	}
	*ret = writer;
	return 0;
}

void
carriers_writer_free(struct carriers_writer *writer)
{
	if (writer == NULL)
		return;
	for (size_t i = 0; i < CARRIERS_SECTIONS; i++) {
		if (writer->sections[i] != NULL)
			fclose(writer->sections[i]);
	}
	for (size_t i = 0; i < writer->gene_count; i++)
		free(writer->genes[i].name);
	for (size_t i = 0; i < writer->contig_count; i++)
		free(writer->contig_names[i]);
	free(writer->contig_names);
	free(writer->contigs);
	free(writer->seen);
	free(writer->genes);
	free(writer->buckets);
	free(writer->open_called);
	free(writer->dir);
	free(writer);
}

/* ---- contigs and genes -------------------------------------------------------------------- */

static int
new_contig(struct carriers_writer *writer, const char *name, struct cairn_error *err)
{
	size_t count = writer->contig_count;
	struct carriers_contig contig = {0};
	struct carriers_contig *contigs;
	char **names;
	int code = intern(writer, name, &contig.name, err);

	if (code != 0)
		return code;
	contigs = realloc(writer->contigs, (count + 1) * sizeof *contigs);
	if (contigs == NULL)
		return carriers_no_memory(err);
	writer->contigs = contigs;
	names = realloc(writer->contig_names, (count + 1) * sizeof *names);
	if (names == NULL)
		return carriers_no_memory(err);
	writer->contig_names = names;
	names[count] = strdup(name);
	if (names[count] == NULL)
		return carriers_no_memory(err);
	contig.first = writer->site_count;
	contig.first_block = writer->block_count;
	contigs[count] = contig;
	writer->contig_count++;
	writer->last_pos = 0;
	return 0;
}

/* Sites and blocks come a contig after the other, but not in the same step. */
static int
contig_of(struct carriers_writer *writer, const char *name, uint32_t *ret, struct cairn_error *err)
{
	int code;

	for (uint32_t i = writer->contig_count; i > 0 && i + 1 > writer->contig_count; i--) {
		if (strcmp(writer->contig_names[i - 1], name) == 0) {
			*ret = i - 1;
			return 0;
		}
	}
	for (uint32_t i = 0; i + 1 < writer->contig_count; i++) {
		if (strcmp(writer->contig_names[i], name) == 0)
			return cairn_error_set(
			    err, CAIRN_EINVAL, "contig %.40s comes in two pieces", name);
	}
	code = new_contig(writer, name, err);
	if (code == 0)
		*ret = writer->contig_count - 1;
	return code;
}

static int
new_gene(struct carriers_writer *writer, const char *name, uint32_t *bucket, uint32_t *ret,
    struct cairn_error *err)
{
	struct gene gene = {.next = *bucket, .last_site = UINT32_MAX};
	int code;

	if (writer->gene_count == GENES_MAX)
		return cairn_error_set(err, CAIRN_ELIMIT, "more than %u genes", GENES_MAX);
	if (writer->gene_count == writer->gene_capacity) {
		size_t capacity = writer->gene_capacity == 0 ? 256 : 2 * writer->gene_capacity;
		struct gene *grown = realloc(writer->genes, capacity * sizeof *grown);

		if (grown == NULL)
			return carriers_no_memory(err);
		writer->genes = grown;
		writer->gene_capacity = capacity;
	}
	code = intern(writer, name, &gene.offset, err);
	if (code != 0)
		return code;
	gene.name = strdup(name);
	if (gene.name == NULL)
		return carriers_no_memory(err);
	writer->genes[writer->gene_count++] = gene;
	*bucket = (uint32_t)writer->gene_count;
	*ret = (uint32_t)writer->gene_count - 1;
	return 0;
}

static int
note_gene(struct carriers_writer *writer, const char *name, struct cairn_error *err)
{
	uint32_t *bucket = &writer->buckets[hash_of(name) % GENE_BUCKETS], number = *bucket;
	uint32_t pair[2] = {0, writer->site_count};
	int code = 0;

	while (number != 0 && strcmp(writer->genes[number - 1].name, name) != 0)
		number = writer->genes[number - 1].next;
	if (number == 0)
		code = new_gene(writer, name, bucket, &pair[0], err);
	else
		pair[0] = number - 1;
	if (code != 0 || writer->genes[pair[0]].last_site == writer->site_count)
		return code;
	writer->genes[pair[0]].last_site = writer->site_count;
	writer->genes[pair[0]].count++;
	writer->pairs++;
	return carriers_append(writer, CARRIERS_GENE_SITES, pair, sizeof pair, err);
}

/* ---- sites and blocks --------------------------------------------------------------------- */

static int
add_annotation(
    struct carriers_writer *writer, const struct carriers_text *text, struct cairn_error *err)
{
	struct carriers_annotation annotation = {0};
	int code = intern(writer, text->gene, &annotation.gene, err);

	if (code == 0)
		code = intern(writer, text->consequence, &annotation.consequence, err);
	if (code == 0)
		code = intern(writer, text->protein, &annotation.protein, err);
	if (code == 0)
		code = intern(writer, text->coding, &annotation.coding, err);
	if (code == 0)
		code = intern(writer, text->significance, &annotation.significance, err);
	if (code == 0 && text->gene != NULL && *text->gene != 0)
		code = note_gene(writer, text->gene, err);
	return code != 0
	    ? code
	    : carriers_append(writer, CARRIERS_ANNOTATIONS, &annotation, sizeof annotation, err);
}

static int
site_texts(struct carriers_writer *writer, const struct carriers_new_site *site,
    struct carriers_site *ret, struct cairn_error *err)
{
	int code = contig_of(writer, site->contig, &ret->contig, err);

	if (code == 0)
		code = intern(writer, site->ref, &ret->ref, err);
	if (code == 0)
		code = intern(writer, site->alt, &ret->alt, err);
	if (code == 0)
		code = intern(writer, site->filter, &ret->filter, err);
	if (code == 0 && site->pos < writer->last_pos)
		code = cairn_error_set(err, CAIRN_EINVAL,
		    "position %u comes after %u once variants are normalised", site->pos,
		    writer->last_pos);
	if (code == 0 && writer->site_count == UINT32_MAX)
		code = cairn_error_set(err, CAIRN_ELIMIT, "more than 4,294,967,295 variants");
	return code;
}

int
carriers_writer_add(
    struct carriers_writer *writer, const struct carriers_new_site *site, struct cairn_error *err)
{
	struct carriers_site stored = {.pos = site->pos,
	    .sets = writer->lengths[CARRIERS_SETS],
	    .has_fraction = site->fractions != NULL};
	size_t carriers = (size_t)site->counts[CARRIERS_HET] + site->counts[CARRIERS_HOM];
	int code = site_texts(writer, site, &stored, err);

	stored.annotation =
	    (uint32_t)(writer->lengths[CARRIERS_ANNOTATIONS] / sizeof(struct carriers_annotation));
	memcpy(stored.counts, site->counts, sizeof stored.counts);
	for (size_t i = 0; code == 0 && i < site->annotation_count; i++) {
		code = add_annotation(writer, &site->annotations[i], err);
		stored.annotation_count++;
	}
	if (code == 0)
		code = carriers_append(writer, CARRIERS_SETS, site->sets, site->sets_length, err);
	if (code == 0 && site->fractions != NULL)
		code = carriers_append(
		    writer, CARRIERS_SETS, site->fractions, carriers * sizeof(float), err);
	if (code == 0)
		code = carriers_append(writer, CARRIERS_SITES, &stored, sizeof stored, err);
	if (code != 0)
		return code;
	writer->last_pos = site->pos;
	writer->site_count++;
	writer->contigs[stored.contig].count++;
	return 0;
}

int
carriers_close_block(struct carriers_writer *writer, struct cairn_error *err)
{
	uint8_t set[2 * 4096 + 8];
	size_t size;
	int code;

	if (!writer->is_open)
		return 0;
	writer->is_open = false;
	writer->open.count = carriers_count(writer->open_called, writer->samples);
	writer->open.set = writer->lengths[CARRIERS_SETS];
	size = carriers_set_size(writer->samples, writer->open.count);
	carriers_set_encode(writer->open_called, writer->samples, writer->open.count, set);
	code = carriers_append(writer, CARRIERS_SETS, set, size, err);
	if (code == 0)
		code = carriers_append(
		    writer, CARRIERS_BLOCKS, &writer->open, sizeof writer->open, err);
	writer->block_count++;
	writer->contigs[writer->open.contig].block_count++;
	return code;
}

int
carriers_writer_block(struct carriers_writer *writer, const char *contig, uint32_t start,
    uint32_t end, const uint64_t *called, struct cairn_error *err)
{
	size_t bytes = (writer->samples + 63u) / 64 * sizeof *called;
	uint32_t number = 0;
	int code;

	if (writer->is_open && strcmp(writer->contig_names[writer->open.contig], contig) == 0 &&
	    start <= writer->open.end + 1 && memcmp(called, writer->open_called, bytes) == 0) {
		writer->open.end = end > writer->open.end ? end : writer->open.end;
		return 0;
	}
	code = carriers_close_block(writer, err);
	if (code == 0)
		code = contig_of(writer, contig, &number, err);
	if (code != 0)
		return code;
	writer->open = (struct carriers_block){.start = start, .end = end, .contig = number};
	memcpy(writer->open_called, called, bytes);
	writer->is_open = true;
	return 0;
}
