/* SPDX-License-Identifier: Apache-2.0 */
/* carriers_dump FILE DIR [FASTA]: loads a file with all its samples and prints of each variant its
 * alleles, AC and AN: what bcftools_test.py holds against bcftools. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "genomics/load.h"

static void
print_sites(const struct carriers *carriers)
{
	for (uint32_t i = 0; i < carriers_site_count(carriers); i++) {
		const struct carriers_site *site = carriers_site(carriers, i);
		struct carriers_alleles alleles = carriers_alleles(carriers, site, NULL);

		printf("%s\t%u\t%s\t%s\t%u\t%u\n", carriers_contig_name(carriers, site->contig),
		    site->pos, carriers_string(carriers, site->ref),
		    carriers_string(carriers, site->alt), alleles.ac, alleles.an);
	}
}

static int
run(struct load *load, const char *dir, const char *fasta, struct cairn_error *err)
{
	const struct vcf_header *header = load_header(load);
	uint32_t *columns = malloc((header->sample_count + 1) * sizeof *columns);
	struct load_report report = {0};
	struct carriers *carriers = NULL;
	char path[1024];
	int code = columns == NULL ? CAIRN_ENOMEM : file_join(path, sizeof path, dir, "dump.gx");

	for (uint32_t i = 0; code == 0 && i < header->sample_count; i++)
		columns[i] = i;
	if (code == 0) {
		struct load_plan plan = {.columns = columns,
		    .patients = (const char *const *)header->samples,
		    .count = (uint32_t)header->sample_count,
		    .threads = 2,
		    .fasta = fasta,
		    .dir = dir,
		    .path = path};

		code = load_run(load, &plan, &report, err);
	}
	if (code == 0)
		code = carriers_open(&carriers, path, true, err);
	if (code == 0)
		print_sites(carriers);
	if (code != 0)
		fprintf(stderr, "line %llu: ", (unsigned long long)report.line);
	carriers_close(carriers);
	free(columns);
	return code;
}

int
main(int argc, char **argv)
{
	struct cairn_error err = {0};
	struct load *load = NULL;
	uint64_t line = 0;
	int code;

	if (argc < 3)
		return 2;
	code = load_open(&load, open(argv[1], O_RDONLY | O_CLOEXEC), false, &line, &err);
	if (code == 0)
		code = run(load, argv[2], argc > 3 ? argv[3] : NULL, &err);
	load_close(load);
	if (code != 0)
		fprintf(stderr, "%s\n", err.text);
	return code == 0 ? 0 : 1;
}
