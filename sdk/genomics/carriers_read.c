/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "genomics/carriers.h"
#include "objects/crc32c.h"

struct carriers {
	const uint8_t *map;
	size_t size;
	const struct carriers_head *head;
};

static const void *
section(const struct carriers *carriers, enum carriers_section index)
{
	return carriers->map + carriers->head->offset[index];
}

static size_t
entries(const struct carriers *carriers, enum carriers_section index, size_t size)
{
	return (size_t)(carriers->head->length[index] / size);
}

static bool
head_fine(const struct carriers *carriers)
{
	const struct carriers_head *head = carriers->head;
	uint64_t end = carriers->size - sizeof(uint32_t), strings;

	if (memcmp(head->magic, "CAIRNGX1", 8) != 0 || head->samples > CARRIERS_SAMPLES_MAX)
		return false;
	for (size_t i = 0; i < CARRIERS_SECTIONS; i++) {
		if (head->offset[i] % 8 != 0 || head->offset[i] > end ||
		    head->length[i] > end - head->offset[i])
			return false;
	}
	strings = head->length[CARRIERS_STRINGS];
	/* Every string ends: the last byte of them all is a zero. */
	return strings > 0 && strings <= UINT32_MAX &&
	    carriers->map[head->offset[CARRIERS_STRINGS] + strings - 1] == 0 &&
	    entries(carriers, CARRIERS_SITES, sizeof(struct carriers_site)) <= UINT32_MAX &&
	    entries(carriers, CARRIERS_SAMPLES, sizeof(uint32_t)) == head->samples;
}

static int
judge(const struct carriers *carriers, bool verify, const char *path, struct cairn_error *err)
{
	uint32_t crc;

	memcpy(&crc, carriers->map + carriers->size - sizeof crc, sizeof crc);
	if (!head_fine(carriers) ||
	    (verify && objects_crc32c(0, carriers->map, carriers->size - sizeof crc) != crc))
		return cairn_error_set(err, CAIRN_ECORRUPT,
		    "%s is damaged or no carrier index: import its file again", path);
	return 0;
}

int
carriers_open(struct carriers **ret, const char *path, bool verify, struct cairn_error *err)
{
	FD_AUTO fd = open(path, O_RDONLY | O_CLOEXEC);
	struct carriers *carriers;
	struct stat status;
	void *map;
	int code;

	if (fd < 0 || fstat(fd, &status) != 0)
		return cairn_error_set(err, CAIRN_EIO, "cannot open %s: %s", path, strerror(errno));
	if ((size_t)status.st_size < sizeof(struct carriers_head) + sizeof(uint32_t))
		return cairn_error_set(err, CAIRN_ECORRUPT, "%s is cut off", path);
	map = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return cairn_error_set(err, CAIRN_EIO, "cannot map %s: %s", path, strerror(errno));
	carriers = calloc(1, sizeof *carriers);
	if (carriers == NULL) {
		munmap(map, (size_t)status.st_size);
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	}
	*carriers = (struct carriers){map, (size_t)status.st_size, map};
	code = judge(carriers, verify, path, err);
	if (code != 0)
		carriers_close(carriers);
	else
		*ret = carriers;
	return code;
}

void
carriers_close(struct carriers *carriers)
{
	if (carriers == NULL)
		return;
	munmap((void *)(uintptr_t)carriers->map, carriers->size);
	free(carriers);
}

const struct carriers_head *
carriers_head(const struct carriers *carriers)
{
	return carriers->head;
}

uint32_t
carriers_site_count(const struct carriers *carriers)
{
	return (uint32_t)entries(carriers, CARRIERS_SITES, sizeof(struct carriers_site));
}

const struct carriers_site *
carriers_site(const struct carriers *carriers, uint32_t index)
{
	return index < carriers_site_count(carriers)
	    ? (const struct carriers_site *)section(carriers, CARRIERS_SITES) + index
	    : NULL;
}

const char *
carriers_string(const struct carriers *carriers, uint32_t offset)
{
	const char *strings = section(carriers, CARRIERS_STRINGS);

	return offset < carriers->head->length[CARRIERS_STRINGS] ? strings + offset : "";
}

const char *
carriers_patient(const struct carriers *carriers, uint32_t sample)
{
	const uint32_t *samples = section(carriers, CARRIERS_SAMPLES);

	return sample < carriers->head->samples ? carriers_string(carriers, samples[sample]) : "";
}

const char *
carriers_contig_name(const struct carriers *carriers, uint32_t contig)
{
	const struct carriers_contig *contigs = section(carriers, CARRIERS_CONTIGS);

	return contig < entries(carriers, CARRIERS_CONTIGS, sizeof *contigs)
	    ? carriers_string(carriers, contigs[contig].name)
	    : "";
}

const struct carriers_annotation *
carriers_annotation(
    const struct carriers *carriers, const struct carriers_site *site, uint32_t index)
{
	const struct carriers_annotation *all = section(carriers, CARRIERS_ANNOTATIONS);
	size_t count = entries(carriers, CARRIERS_ANNOTATIONS, sizeof *all);

	if (index >= site->annotation_count || (size_t)site->annotation + index >= count)
		return NULL;
	return &all[(size_t)site->annotation + index];
}

/* ---- sets --------------------------------------------------------------------------------- */

/* Where a set of a site begins, when all of it is there. */
static const uint8_t *
set_at(const struct carriers *carriers, uint64_t offset, size_t size)
{
	uint64_t length = carriers->head->length[CARRIERS_SETS];

	if (offset > length || size > length - offset)
		return NULL;
	return (const uint8_t *)section(carriers, CARRIERS_SETS) + offset;
}

void
carriers_add(const struct carriers *carriers, const struct carriers_site *site,
    enum carriers_plane plane, uint64_t *words)
{
	uint32_t samples = carriers->head->samples;
	uint64_t offset = site->sets;
	const uint8_t *set;

	for (int i = 0; i < (int)plane; i++)
		offset += carriers_set_size(samples, site->counts[i]);
	set = set_at(carriers, offset, carriers_set_size(samples, site->counts[plane]));
	if (set != NULL)
		carriers_set_add(set, samples, site->counts[plane], words);
}

bool
carriers_fraction(
    const struct carriers *carriers, const struct carriers_site *site, uint32_t carrier, float *ret)
{
	uint64_t offset = site->sets;
	const uint8_t *at;

	for (int i = 0; i < CARRIERS_PLANES; i++)
		offset += carriers_set_size(carriers->head->samples, site->counts[i]);
	at = set_at(carriers, offset + carrier * sizeof *ret, sizeof *ret);
	if (at == NULL || !site->has_fraction ||
	    carrier >= (uint32_t)site->counts[CARRIERS_HET] + site->counts[CARRIERS_HOM])
		return false;
	memcpy(ret, at, sizeof *ret);
	return *ret >= 0;
}

struct carriers_alleles
carriers_alleles(
    const struct carriers *carriers, const struct carriers_site *site, const uint64_t *within)
{
	uint64_t planes[CARRIERS_PLANES][CARRIERS_WORDS_MAX];
	uint32_t samples = carriers->head->samples, words = (samples + 63) / 64;
	struct carriers_alleles ret = {0};

	for (int plane = 0; plane < CARRIERS_PLANES; plane++) {
		memset(planes[plane], 0, words * sizeof **planes);
		carriers_add(carriers, site, (enum carriers_plane)plane, planes[plane]);
	}
	for (uint32_t i = 0; i < words; i++) {
		uint64_t in = within != NULL ? within[i] : ~0ull;
		uint64_t het = planes[CARRIERS_HET][i] & in, hom = planes[CARRIERS_HOM][i] & in;
		uint64_t single = planes[CARRIERS_SINGLE][i] & in;
		uint64_t called = in & ~planes[CARRIERS_UNCALLED][i];

		if (i == samples / 64)
			called &= (1ull << (samples % 64)) - 1;
		ret.carriers += (uint32_t)__builtin_popcountll(het | hom);
		ret.ac += (uint32_t)(__builtin_popcountll(het) + 2 * __builtin_popcountll(hom) -
		    __builtin_popcountll(hom & single));
		ret.an +=
		    (uint32_t)(2 * __builtin_popcountll(called) - __builtin_popcountll(single));
	}
	return ret;
}

/* ---- finding ------------------------------------------------------------------------------ */

const char *
carriers_plain_contig(const char *name)
{
	if (strncmp(name, "chr", 3) == 0 && name[3] != 0)
		name += 3;
	return strcmp(name, "M") == 0 ? "MT" : name;
}

static const struct carriers_contig *
find_contig(const struct carriers *carriers, const char *name)
{
	const struct carriers_contig *contigs = section(carriers, CARRIERS_CONTIGS);
	size_t count = entries(carriers, CARRIERS_CONTIGS, sizeof *contigs);

	name = carriers_plain_contig(name);
	for (size_t i = 0; i < count; i++) {
		const char *other = carriers_string(carriers, contigs[i].name);

		if (strcmp(carriers_plain_contig(other), name) == 0)
			return &contigs[i];
	}
	return NULL;
}

/* The first of `count` sites from `first` with a position of at least `pos`. */
static uint32_t
lower_bound(const struct carriers_site *sites, uint32_t first, uint32_t count, uint32_t pos)
{
	while (count > 0) {
		uint32_t half = count / 2;

		if (sites[first + half].pos < pos) {
			first += half + 1;
			count -= half + 1;
		} else {
			count = half;
		}
	}
	return first;
}

void
carriers_range(const struct carriers *carriers, const char *contig, uint32_t from, uint32_t to,
    uint32_t *ret_first, uint32_t *ret_count)
{
	const struct carriers_site *sites = section(carriers, CARRIERS_SITES);
	const struct carriers_contig *found = find_contig(carriers, contig);
	uint32_t total = carriers_site_count(carriers), end;

	*ret_first = *ret_count = 0;
	if (found == NULL || from > to || found->first > total ||
	    found->count > total - found->first)
		return;
	*ret_first = lower_bound(sites, found->first, found->count, from);
	end = found->first + found->count;
	if (to < UINT32_MAX)
		end = lower_bound(sites, *ret_first, end - *ret_first, to + 1);
	*ret_count = end - *ret_first;
}

void
carriers_gene(const struct carriers *carriers, const char *gene, const uint32_t **ret_sites,
    uint32_t *ret_count)
{
	const struct carriers_gene *genes = section(carriers, CARRIERS_GENES);
	const uint32_t *sites = section(carriers, CARRIERS_GENE_SITES);
	size_t low = 0, high = entries(carriers, CARRIERS_GENES, sizeof *genes);
	size_t total = entries(carriers, CARRIERS_GENE_SITES, sizeof *sites);

	*ret_sites = NULL;
	*ret_count = 0;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(carriers_string(carriers, genes[middle].name), gene);

		if (order == 0) {
			if (genes[middle].first <= total &&
			    genes[middle].count <= total - genes[middle].first) {
				*ret_sites = sites + genes[middle].first;
				*ret_count = genes[middle].count;
			}
			return;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
}

void
carriers_called(const struct carriers *carriers, const char *contig, uint32_t pos, uint64_t *words)
{
	const struct carriers_block *blocks = section(carriers, CARRIERS_BLOCKS);
	const struct carriers_contig *found = find_contig(carriers, contig);
	size_t total = entries(carriers, CARRIERS_BLOCKS, sizeof *blocks);
	uint32_t samples = carriers->head->samples, low, high;

	if (found == NULL || found->first_block > total ||
	    found->block_count > total - found->first_block)
		return;
	low = found->first_block;
	high = low + found->block_count;
	while (low < high) { /* the first that starts behind `pos` */
		uint32_t middle = low + (high - low) / 2;

		if (blocks[middle].start <= pos)
			low = middle + 1;
		else
			high = middle;
	}
	/* Blocks of several samples may overlap; how far back is bounded. */
	for (uint32_t i = low; i > found->first_block && low - i < 64; i--) {
		const struct carriers_block *block = &blocks[i - 1];
		const uint8_t *set =
		    set_at(carriers, block->set, carriers_set_size(samples, block->count & 0xffff));

		if (block->end >= pos && set != NULL && block->count <= samples)
			carriers_set_add(set, samples, block->count, words);
	}
}
