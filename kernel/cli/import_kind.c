/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/import_kind.h"

#include <fcntl.h>
#include <fts.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#define ENTRIES_MAX 5000 /* of a folder that are looked at */

static const char *const fhir[] = {".json", ".ndjson", NULL};

static const char *const vcf[] = {".vcf", ".vcf.gz", ".vcf.bgz", ".bcf", NULL}; /* genomics */

static const struct import_kind kinds[] = {
    {"fhir.import", "fhir", "FHIR resources (.json, .ndjson)", fhir},
    {"genomics.import", "vcf", "genotypes (.vcf, .vcf.gz, .bcf)", vcf},
    {"imaging.import", "dicom", "DICOM images", NULL},
};
#define KINDS (sizeof kinds / sizeof kinds[0])
#define DICOM (KINDS - 1)
#define ALL ((1u << KINDS) - 1)

const struct import_kind *
import_kind_at(unsigned index)
{
	return index < KINDS ? &kinds[index] : NULL;
}

/* The kind's number, or that of DICOM, the last, which has no names of its own. */
static unsigned
by_name(const char *name)
{
	size_t length = strlen(name);

	for (unsigned i = 0; i < KINDS; i++) {
		for (size_t s = 0; kinds[i].suffixes != NULL && kinds[i].suffixes[s] != NULL; s++) {
			size_t size = strlen(kinds[i].suffixes[s]);

			if (length > size &&
			    strcmp(name + length - size, kinds[i].suffixes[s]) == 0)
				return i;
		}
	}
	return (unsigned)DICOM;
}

/* PS3.10 section 7.1. */
static bool
is_dicom(const char *path)
{
	char bytes[132];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	ssize_t length = fd < 0 ? -1 : read(fd, bytes, sizeof bytes);

	if (fd >= 0)
		close(fd);
	return length == (ssize_t)sizeof bytes && memcmp(bytes + 128, "DICM", 4) == 0;
}

unsigned
import_kinds_of(const char *path)
{
	char *const roots[] = {(char *)(uintptr_t)path, NULL};
	FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR | FTS_COMFOLLOW, NULL);
	const FTSENT *entry;
	unsigned found = 0, count = 0;

	while (walk != NULL && found != ALL && count++ < ENTRIES_MAX &&
	    (entry = fts_read(walk)) != NULL) {
		unsigned kind = by_name(entry->fts_name);

		if (entry->fts_info != FTS_F || (found >> kind & 1) != 0)
			continue;
		if (kind != (unsigned)DICOM || entry->fts_level == 0 ||
		    is_dicom(entry->fts_accpath))
			found |= 1u << kind;
	}
	if (walk != NULL)
		fts_close(walk);
	return found == 0 ? 1u << by_name(path) : found;
}
