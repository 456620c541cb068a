/* SPDX-License-Identifier: Apache-2.0 */
/* The header's lines, and what they declare. */
#include <stdlib.h>
#include <string.h>

#include "genomics/vcf.h"

static const char *const columns[] = {
    "#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT"};

int
vcf_header_new(struct vcf_header **ret, bool declared, struct cairn_error *err)
{
	struct vcf_header *header = calloc(1, sizeof *header);

	if (header == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	header->declared = declared;
	*ret = header;
	return 0;
}

static void
definition_free(struct vcf_definition *definition)
{
	free(definition->id);
	free(definition->description);
	free(definition->assembly);
	free(definition);
}

void
vcf_header_free(struct vcf_header *header)
{
	if (header == NULL)
		return;
	for (size_t i = 0; i < VCF_BUCKETS; i++) {
		while (header->buckets[i] != NULL) {
			struct vcf_definition *definition = header->buckets[i];

			header->buckets[i] = definition->next;
			definition_free(definition);
		}
	}
	for (size_t i = 0; i < header->sample_count; i++)
		free(header->samples[i]);
	free(header->samples);
	free(header->contigs);
	free(header->reference);
	free(header->tumour);
	free(header->normal);
	free(header);
}

static size_t
bucket_of(enum vcf_kind kind, const char *id, size_t length)
{
	uint32_t hash = 2166136261u ^ (uint32_t)kind;

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ (uint8_t)id[i]) * 16777619u;
	return hash % VCF_BUCKETS;
}

const struct vcf_definition *
vcf_find(const struct vcf_header *header, enum vcf_kind kind, const char *id, size_t length)
{
	const struct vcf_definition *at = header->buckets[bucket_of(kind, id, length)];

	while (at != NULL &&
	    (at->kind != kind || strlen(at->id) != length || memcmp(at->id, id, length) != 0))
		at = at->next;
	return at;
}

static int
remember_contig(struct vcf_header *header, struct vcf_definition *definition)
{
	size_t count = header->contig_count;

	if ((count & (count - 1)) == 0) {
		size_t capacity = count == 0 ? 1 : 2 * count;
		struct vcf_definition **grown =
		    realloc(header->contigs, capacity * sizeof(struct vcf_definition *));

		if (grown == NULL)
			return CAIRN_ENOMEM;
		header->contigs = grown;
	}
	header->contigs[header->contig_count++] = definition;
	return 0;
}

static char *
copy_or_null(const char *text)
{
	return text == NULL ? NULL : strdup(text);
}

int
vcf_define(
    struct vcf_header *header, const struct vcf_definition *definition, struct cairn_error *err)
{
	size_t length = strlen(definition->id);
	size_t bucket = bucket_of(definition->kind, definition->id, length);
	struct vcf_definition *known;
	struct vcf_definition *copy;

	known = (struct vcf_definition *)(uintptr_t)vcf_find(
	    header, definition->kind, definition->id, length);
	/* The specification's own examples declare a contig twice, once without its length. */
	if (known != NULL && definition->kind == VCF_CONTIG &&
	    (known->length == definition->length || definition->length == 0 ||
		known->length == 0)) {
		known->length = definition->length != 0 ? definition->length : known->length;
		return 0;
	}
	if (known != NULL)
		return cairn_error_set(
		    err, CAIRN_EINVAL, "%.60s is declared twice", definition->id);
	if (header->definition_count == VCF_DEFINITIONS_MAX)
		return cairn_error_set(
		    err, CAIRN_ELIMIT, "more than %u declarations", VCF_DEFINITIONS_MAX);
	copy = calloc(1, sizeof *copy);
	if (copy == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	*copy = *definition;
	copy->id = strdup(definition->id);
	copy->description = copy_or_null(definition->description);
	copy->assembly = copy_or_null(definition->assembly);
	if (copy->id == NULL || (copy->kind == VCF_CONTIG && remember_contig(header, copy) != 0)) {
		definition_free(copy);
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	}
	copy->next = header->buckets[bucket];
	header->buckets[bucket] = copy;
	header->definition_count++;
	return 0;
}

/* ---- the line of columns ------------------------------------------------------------------ */

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int
names_differ(const struct vcf_header *header, struct cairn_error *err)
{
	char **sorted = malloc((header->sample_count + 1) * sizeof *sorted);
	int code = 0;

	if (sorted == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	for (size_t i = 0; i < header->sample_count; i++)
		sorted[i] = header->samples[i];
	qsort(sorted, header->sample_count, sizeof *sorted, compare_names);
	/* A sample's name may be a person's: the message says the column, not the name. */
	for (size_t i = 1; i < header->sample_count && code == 0; i++) {
		if (strcmp(sorted[i - 1], sorted[i]) == 0)
			code = cairn_error_set(err, CAIRN_EINVAL, "a sample's name is there twice");
	}
	free(sorted);
	return code;
}

static int
take_samples(struct vcf_header *header, struct vcf_text rest, struct cairn_error *err)
{
	size_t count = 1;
	struct vcf_text name;

	for (size_t i = 0; i < rest.length; i++)
		count += rest.at[i] == '\t';
	if (count > VCF_SAMPLES_MAX)
		return cairn_error_set(
		    err, CAIRN_ELIMIT, "%zu samples; at most %u", count, VCF_SAMPLES_MAX);
	header->samples = calloc(count, sizeof(char *));
	if (header->samples == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	while (vcf_next(&rest, '\t', &name)) {
		if (name.length == 0 || name.length > VCF_NAME_MAX)
			return cairn_error_set(err, CAIRN_EINVAL,
			    "the name of sample %zu is empty or longer than %u bytes",
			    header->sample_count + 1, VCF_NAME_MAX);
		header->samples[header->sample_count] = strndup(name.at, name.length);
		if (header->samples[header->sample_count] == NULL)
			return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
		header->sample_count++;
	}
	return names_differ(header, err);
}

static int
column_line(struct vcf_header *header, const char *line, size_t length, struct cairn_error *err)
{
	struct vcf_text rest = {line, length}, name;
	size_t count = 0;

	while (count < 9 && vcf_next(&rest, '\t', &name)) {
		if (!vcf_text_is(name, columns[count]))
			return cairn_error_set(err, CAIRN_EINVAL,
			    "column %zu of the line of columns is not %s (columns are separated by "
			    "tabs)",
			    count + 1, columns[count]);
		count++;
	}
	if (count < 8)
		return cairn_error_set(
		    err, CAIRN_EINVAL, "the line of columns ends before %s", columns[count]);
	if (count == 9 && rest.at == NULL)
		return cairn_error_set(
		    err, CAIRN_EINVAL, "the line of columns has FORMAT and no sample");
	header->complete = true;
	return rest.at == NULL ? 0 : take_samples(header, rest, err);
}

/* ---- lines -------------------------------------------------------------------------------- */

static int
version_line(struct vcf_header *header, const char *line, size_t length, struct cairn_error *err)
{
	static const char start[] = "##fileformat=VCFv4.";

	if (length != sizeof start || memcmp(line, start, sizeof start - 1) != 0 ||
	    line[length - 1] < '1' || line[length - 1] > '5')
		return cairn_error_set(
		    err, CAIRN_EINVAL, "the first line is not ##fileformat=VCFv4.1 to VCFv4.5");
	header->minor = line[length - 1] - '0';
	return 0;
}

/* No control characters, and UTF-8 (RFC 3629); before 4.3 other bytes are Latin-1 or whatever the
 * site had, and let pass. */
static bool
characters_fine(const struct vcf_header *header, const uint8_t *at, size_t length)
{
	for (size_t i = 0; i < length;) {
		size_t more = at[i] < 0x80 ? 0 : at[i] < 0xe0 ? 1 : at[i] < 0xf0 ? 2 : 3;

		if ((at[i] < 0x20 && at[i] != '\t') || at[i] == 0x7f)
			return false;
		if (more == 0 || header->minor < 3) {
			i++;
			continue;
		}
		if (at[i] < 0xc2 || at[i] > 0xf4 || i + more >= length)
			return false;
		for (size_t k = 1; k <= more; k++) {
			if ((at[i + k] & 0xc0) != 0x80)
				return false;
		}
		i += more + 1;
	}
	return true;
}

int
vcf_header_line(struct vcf_header *header, const char *line, size_t length, struct cairn_error *err)
{
	bool first = header->lines++ == 0;

	if (first)
		return version_line(header, line, length, err);
	if (length > VCF_LINE_MAX)
		return cairn_error_set(err, CAIRN_ELIMIT, "a line is longer than 64 MiB");
	if (!characters_fine(header, (const uint8_t *)line, length))
		return cairn_error_set(
		    err, CAIRN_EINVAL, "the header has a control character or is no UTF-8");
	if (length > 2 && line[0] == '#' && line[1] == '#')
		return vcf_meta_check(header, line + 2, length - 2, err);
	if (length > 1 && line[0] == '#')
		return column_line(header, line, length, err);
	return cairn_error_set(
	    err, CAIRN_EINVAL, "the header has a line that begins neither with ## nor with #CHROM");
}
