/* SPDX-License-Identifier: Apache-2.0 */
/* The index reader on bytes that are none: no checksum protects it here. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "genomics/carriers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
read_site(const struct carriers *carriers, const struct carriers_site *site)
{
	const struct carriers_annotation *annotation;
	float fraction;

	carriers_alleles(carriers, site, NULL);
	carriers_fraction(carriers, site, 0, &fraction);
	carriers_contig_name(carriers, site->contig);
	for (uint32_t i = 0;
	     i < 100 && (annotation = carriers_annotation(carriers, site, i)) != NULL; i++)
		(void)strlen(carriers_string(carriers, annotation->gene));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("gx", MFD_CLOEXEC);
	uint64_t words[CARRIERS_WORDS_MAX] = {0};
	struct carriers *carriers;
	const uint32_t *sites;
	uint32_t first, count;
	char path[64];

	if (fd < 0 || write(fd, data, size) != (ssize_t)size) {
		close(fd);
		return 0;
	}
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	if (carriers_open(&carriers, path, false, NULL) == 0) {
		for (uint32_t i = 0; i < carriers_site_count(carriers) && i < 1000; i++)
			read_site(carriers, carriers_site(carriers, i));
		carriers_range(carriers, "1", 0, 1000, &first, &count);
		carriers_gene(carriers, "BRCA1", &sites, &count);
		carriers_called(carriers, "1", 15, words);
		(void)strlen(carriers_patient(carriers, 0));
		carriers_close(carriers);
	}
	close(fd);
	return 0;
}
