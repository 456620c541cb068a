/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/import_kind.h"

#include <fts.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define ENTRIES_MAX 5000 /* of a folder that are looked at */

static const char *const fhir[] = {".json", ".ndjson", NULL};

static const char *const vcf[] = {".vcf", ".vcf.gz", ".vcf.bgz", ".bcf", NULL}; /* genomics */

static const struct import_kind kinds[] = {
    {"fhir.import", "fhir", "FHIR resources (.json, .ndjson)", fhir},
    {"genomics.import", "vcf", "genotypes (.vcf, .vcf.gz, .bcf)", vcf},
    {"imaging.import", "dicom", "DICOM images", NULL},
};
#define KINDS (sizeof kinds / sizeof kinds[0])

const struct import_kind *
import_kind_at(unsigned index)
{
	return index < KINDS ? &kinds[index] : NULL;
}

static const struct import_kind *
by_name(const char *name)
{
	size_t length = strlen(name);

	for (size_t i = 0; i < KINDS; i++) {
		for (size_t s = 0; kinds[i].suffixes != NULL && kinds[i].suffixes[s] != NULL; s++) {
			size_t size = strlen(kinds[i].suffixes[s]);

			if (length > size &&
			    strcmp(name + length - size, kinds[i].suffixes[s]) == 0)
				return &kinds[i];
		}
	}
	return &kinds[KINDS - 1];
}

const struct import_kind *
import_kind_of(const char *path)
{
	char *const roots[] = {(char *)(uintptr_t)path, NULL};
	FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR | FTS_COMFOLLOW, NULL);
	const struct import_kind *kind = NULL;
	const FTSENT *entry;
	unsigned count = 0;

	while (walk != NULL && kind == NULL && count++ < ENTRIES_MAX &&
	    (entry = fts_read(walk)) != NULL) {
		if (entry->fts_info == FTS_F)
			kind = by_name(entry->fts_name);
	}
	if (walk != NULL)
		fts_close(walk);
	return kind == NULL ? by_name(path) : kind;
}
