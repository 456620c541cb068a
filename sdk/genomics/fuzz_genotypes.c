/* SPDX-License-Identifier: Apache-2.0 */
/* The block reader: a whole load from bytes (plain, gzip, BGZF, BCF), then every site read. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "genomics/load.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
load_all(struct load *load)
{
	static const char path[] = "/tmp/fuzz-genotypes.gx";
	const struct vcf_header *header = load_header(load);
	uint32_t *columns = malloc((header->sample_count + 1) * sizeof *columns);
	struct load_report report;
	struct cairn_error err;

	if (columns == NULL || header->sample_count == 0) {
		free(columns);
		return;
	}
	for (uint32_t i = 0; i < header->sample_count; i++)
		columns[i] = i;
	struct load_plan plan = {.columns = columns,
	    .patients = (const char *const *)header->samples,
	    .count = (uint32_t)header->sample_count,
	    .threads = 1,
	    .dir = "/tmp",
	    .path = path};
	load_run(load, &plan, &report, &err);
	free(columns);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("vcf", MFD_CLOEXEC);
	struct load *load;
	uint64_t line;

	if (fd < 0 || write(fd, data, size) != (ssize_t)size || lseek(fd, 0, SEEK_SET) != 0)
		return 0;
	if (load_open(&load, fd, false, &line, NULL) == 0) {
		load_all(load);
		load_close(load);
	}
	return 0;
}
