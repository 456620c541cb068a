/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_vcf FILE DIR [ROUNDS]: loading a file of genotypes against htslib's loop over records and
 * genotypes and, when it is installed, `bcftools view`, interleaved on the same file; then carriers
 * of a variant and of a gene within half of the samples.  Files: tests/bench/vcf_make.
 */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <htslib/vcf.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "genomics/load.h"

#define QUERIES 20000u
#define GENE_SITES 70u /* of a gene, as in an 81 kb window of 1000 Genomes */

extern char **environ;

static double
seconds_since(uint64_t start_ns)
{
	return (double)(clock_monotonic_ns() - start_ns) / 1e9;
}

static int
load_once(const char *file, const char *dir, unsigned threads, const char *path)
{
	struct cairn_error err = {0};
	struct load_report report = {0};
	struct load *load = NULL;
	uint64_t line = 0;
	int code = load_open(&load, open(file, O_RDONLY | O_CLOEXEC), false, &line, &err);
	size_t samples = code == 0 ? load_header(load)->sample_count : 0;
	uint32_t *columns = calloc(samples + 1, sizeof *columns);

	for (uint32_t i = 0; columns != NULL && i < samples; i++)
		columns[i] = i;
	if (code == 0) {
		struct load_plan plan = {.columns = columns,
		    .patients = (const char *const *)load_header(load)->samples,
		    .count = (uint32_t)samples,
		    .threads = threads,
		    .dir = dir,
		    .path = path};

		code = load_run(load, &plan, &report, &err);
	}
	if (code != 0)
		fprintf(
		    stderr, "line %llu: %s\n", (unsigned long long)(line + report.line), err.text);
	load_close(load);
	free(columns);
	return code;
}

/* What a program on htslib does: every record with its genotypes, counted. */
static int
htslib_once(const char *file)
{
	htsFile *input = hts_open(file, "r");
	bcf_hdr_t *header = input == NULL ? NULL : bcf_hdr_read(input);
	bcf1_t *record = bcf_init();
	int32_t *genotypes = NULL;
	int capacity = 0;
	uint64_t carried = 0;

	while (header != NULL && bcf_read(input, header, record) == 0) {
		int count = bcf_get_genotypes(header, record, &genotypes, &capacity);

		for (int i = 0; i < count; i++)
			carried +=
			    !bcf_gt_is_missing(genotypes[i]) && bcf_gt_allele(genotypes[i]) > 0;
	}
	free(genotypes);
	bcf_destroy(record);
	if (header != NULL)
		bcf_hdr_destroy(header);
	if (input != NULL)
		hts_close(input);
	return carried == 0;
}

static int
bcftools_once(const char *file)
{
	char *const argv[] = {(char *)(uintptr_t) "bcftools", (char *)(uintptr_t) "view",
	    (char *)(uintptr_t) "-H", (char *)(uintptr_t)file, NULL};
	posix_spawn_file_actions_t actions;
	pid_t child;
	int status = 1;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	if (posix_spawnp(&child, "bcftools", &actions, NULL, argv, environ) == 0)
		waitpid(child, &status, 0);
	posix_spawn_file_actions_destroy(&actions);
	return status;
}

static void
bench_load(const char *file, const char *dir, const char *path, int rounds)
{
	double ours[2] = {1e9, 1e9}, htslib = 1e9, bcftools = 1e9;

	for (int i = 0; i < rounds; i++) {
		for (unsigned threads = 1; threads <= 2; threads++) {
			uint64_t start = clock_monotonic_ns();

			if (load_once(file, dir, threads, path) != 0)
				return;
			if (seconds_since(start) < ours[threads - 1])
				ours[threads - 1] = seconds_since(start);
		}
		uint64_t start = clock_monotonic_ns();

		if (htslib_once(file) == 0 && seconds_since(start) < htslib)
			htslib = seconds_since(start);
		start = clock_monotonic_ns();
		if (bcftools_once(file) == 0 && seconds_since(start) < bcftools)
			bcftools = seconds_since(start);
	}
	printf("load, best of %d: 1 thread %.3f s, 2 threads %.3f s; htslib's loop %.3f s (%.1fx, "
	       "%.1fx)",
	    rounds, ours[0], ours[1], htslib, htslib / ours[0], htslib / ours[1]);
	if (bcftools < 1e9)
		printf("; bcftools view %.3f s (%.1fx, %.1fx)", bcftools, bcftools / ours[0],
		    bcftools / ours[1]);
	else
		printf("; no bcftools");
	printf("\n");
}

static int
compare_numbers(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void
show_times(const char *what, uint64_t *times)
{
	qsort(times, QUERIES, sizeof *times, compare_numbers);
	printf("%s: p50 %.2f us, p99 %.2f us\n", what, (double)times[QUERIES / 2] / 1e3,
	    (double)times[QUERIES * 99 / 100] / 1e3);
}

/* Carriers among `within` of the sites from `first` on. */
static uint32_t
carriers_within(const struct carriers *carriers, uint32_t first, uint32_t count,
    const uint64_t *within, uint32_t samples)
{
	uint64_t words[CARRIERS_WORDS_MAX];
	uint32_t found = 0;

	memset(words, 0, (samples + 63) / 64 * sizeof *words);
	for (uint32_t i = first; i < first + count; i++) {
		const struct carriers_site *site = carriers_site(carriers, i);

		if (site == NULL)
			break;
		carriers_add(carriers, site, CARRIERS_HET, words);
		carriers_add(carriers, site, CARRIERS_HOM, words);
	}
	for (uint32_t i = 0; i < (samples + 63) / 64; i++)
		found += (uint32_t)__builtin_popcountll(words[i] & within[i]);
	return found;
}

static void
bench_queries(const char *path)
{
	struct cairn_error err = {0};
	struct carriers *carriers;
	uint64_t *times = malloc(QUERIES * sizeof *times), within[CARRIERS_WORDS_MAX];
	uint32_t samples, sites, seed = 5, sum = 0;

	if (times == NULL || carriers_open(&carriers, path, true, &err) != 0) {
		fprintf(stderr, "%s\n", err.text);
		free(times);
		return;
	}
	samples = carriers_head(carriers)->samples;
	sites = carriers_site_count(carriers);
	memset(within, 0x55, sizeof within);
	for (int gene = 0; gene < 2; gene++) {
		for (uint32_t i = 0; i < QUERIES; i++) {
			const struct carriers_site *site;
			uint32_t first, count;
			uint64_t start;

			seed = seed * 1664525u + 1013904223u;
			site = carriers_site(carriers, seed % sites);
			start = clock_monotonic_ns();
			carriers_range(carriers, carriers_contig_name(carriers, site->contig),
			    site->pos, gene ? UINT32_MAX : site->pos, &first, &count);
			if (gene && count > GENE_SITES)
				count = GENE_SITES;
			sum += carriers_within(carriers, first, count, within, samples);
			times[i] = clock_monotonic_ns() - start;
		}
		show_times(gene ? "carriers of a gene (70 variants) within half"
				: "carriers of a variant within half",
		    times);
	}
	printf("%u samples, %u variants, %u carriers found in all\n", samples, sites, sum);
	carriers_close(carriers);
	free(times);
}

int
main(int argc, char **argv)
{
	struct rusage usage;
	int64_t rounds = 3;
	char path[1024];

	if (argc < 3 || file_join(path, sizeof path, argv[2], "bench.gx") != 0 ||
	    (argc > 3 && text_to_integer(argv[3], 1, 100, &rounds) != 0)) {
		fprintf(stderr, "usage: bench_vcf FILE DIR [ROUNDS]\n");
		return 2;
	}
	if (load_once(argv[1], argv[2], 2, path) != 0)
		return 1;
	getrusage(RUSAGE_SELF, &usage);
	printf("most memory while loading: %ld MiB\n", usage.ru_maxrss / 1024);
	bench_load(argv[1], argv[2], path, (int)rounds);
	bench_queries(path);
	return 0;
}
