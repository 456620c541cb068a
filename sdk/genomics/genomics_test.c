/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <unistd.h>

#include <zlib.h>

#include "base/file.h"
#include "base/test.h"
#include "genomics/annotate.h"
#include "genomics/genotypes.h"
#include "genomics/load.h"
#include "genomics/normalise.h"

/* ---- genotypes ---------------------------------------------------------------------------- */

static uint32_t
next_random(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 8;
}

static void
random_text(char *text, size_t samples, uint32_t *state)
{
	static const char alleles[] = "0001.2";

	for (size_t i = 0; i < samples; i++) {
		text[4 * i] = alleles[next_random(state) % 6];
		text[4 * i + 1] = next_random(state) % 2 ? '|' : '/';
		text[4 * i + 2] = alleles[next_random(state) % 6];
		text[4 * i + 3] = '\t';
	}
}

static void
genotypes_wide_and_plain_readers_agree(void **state)
{
	static struct genotypes wide, plain, any;
	char text[4 * 200];
	uint32_t seed = 7;

	(void)state;
	for (size_t samples = 1; samples <= 200; samples++) {
		size_t bytes = (samples + 63) / 64 * 8;
		struct vcf_record record = {.format = {"GT", 2}, .samples = text};

		random_text(text, samples, &seed);
		record.samples_length = 4 * samples - 1;
		assert_true(genotypes_fixed(text, samples, 3, 1, &wide));
		assert_true(genotypes_fixed_plain(text, samples, 3, 1, &plain));
		genotypes_any(&record, samples, 1, &any);
		assert_memory_equal(wide.het, plain.het, bytes);
		assert_memory_equal(wide.hom, plain.hom, bytes);
		assert_memory_equal(wide.uncalled, plain.uncalled, bytes);
		assert_memory_equal(wide.single, plain.single, bytes);
		assert_memory_equal(any.hom, plain.hom, bytes);
		assert_memory_equal(any.single, plain.single, bytes);
	}
}

static void
genotypes_of_another_shape_are_left_to_the_other_reader(void **state)
{
	static const char *const bad[] = {"0|1\t0|3", "0|1\t0-1", "0|1 0|1", "0|x\t0|1"};
	static struct genotypes got;
	char text[4 * 64];
	uint32_t seed = 3;

	(void)state;
	for (size_t i = 0; i < 4; i++)
		assert_false(genotypes_fixed(bad[i], 2, 2, 1, &got));
	/* One wrong byte anywhere among many. */
	for (size_t at = 0; at + 1 < sizeof text; at++) {
		random_text(text, 64, &seed);
		text[at] = 'x';
		assert_false(genotypes_fixed(text, 64, 3, 1, &got));
	}
}

/* ---- alleles and annotations -------------------------------------------------------------- */

static void
normalise_trims_common_ends(void **state)
{
	char ref[] = "gtacc", alt[] = "gtc";
	const char *r, *a;
	uint32_t pos = 100;

	(void)state;
	normalise_trim(ref, alt, &pos, &r, &a);
	assert_string_equal(r, "TAC");
	assert_string_equal(a, "T");
	assert_int_equal(pos, 101);
}

static void
normalise_moves_a_deletion_to_the_left_of_its_repeat(void **state)
{
	/*                 123456789012 */
	const char *fa = ">1\nGGCACACACATT\n", *fai = "1\t12\t3\t12\t13\n";
	struct normalise *normalise;
	struct cairn_error err = {0};
	struct test_dir dir;
	char path[128], index[140], *moved[2] = {NULL, NULL};
	uint32_t pos = 8;

	(void)state;
	test_dir_make(&dir);
	snprintf(path, sizeof path, "%s/r.fa", dir.path);
	snprintf(index, sizeof index, "%s.fai", path);
	assert_ok(file_write(path, fa, strlen(fa), 0600, &err), &err);
	assert_ok(file_write(index, fai, strlen(fai), 0600, &err), &err);
	assert_ok(normalise_open(&normalise, path, &err), &err);
	assert_ok(normalise_align(normalise, "chr1", "ACA", "A", &pos, moved, &err), &err);
	assert_int_equal(pos, 2);
	assert_string_equal(moved[0], "GCA");
	assert_string_equal(moved[1], "G");
	free(moved[0]);
	free(moved[1]);
	pos = 8;
	assert_int_equal(
	    normalise_align(normalise, "1", "GCA", "G", &pos, moved, &err), CAIRN_EINVAL);
	assert_non_null(strstr(err.text, "another assembly"));
	normalise_close(normalise);
	test_dir_remove(&dir);
}

static void
annotate_writes_changes_of_proteins_in_one_letter(void **state)
{
	static const char *const cases[][2] = {{"ENSP00000275493.2:p.Leu858Arg", "L858R"},
	    {"p.Glu746_Ala750del", "E746_A750del"}, {"p.Arg248%3D", "R248="},
	    {"ENSP1:p.(Gln61Ter)", "Q61*"}};
	char text[64];

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct vcf_text given = {cases[i][0], strlen(cases[i][0])};

		assert_true(annotate_protein(given, text, sizeof text));
		assert_string_equal(text, cases[i][1]);
	}
}

/* ---- loading ------------------------------------------------------------------------------ */

static const char header[] =
    "##fileformat=VCFv4.2\n##contig=<ID=1,length=249250621>\n"
    "##INFO=<ID=END,Number=1,Type=Integer,Description=\"End\">\n"
    "##INFO=<ID=ANN,Number=.,Type=String,Description=\"'Allele | Annotation'\">\n"
    "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\ta\tb\tc\n";

struct loaded {
	struct test_dir dir;
	struct carriers *carriers;
	struct load_report report;
	struct cairn_error err;
	char path[128];
};

static int
load_text(struct loaded *loaded, const char *body, bool zipped)
{
	static const uint32_t columns[] = {0, 1, 2};
	static const char *const patients[] = {"pa", "pb", "pc"};
	struct load *load = NULL;
	char source[128];
	uint64_t line;
	gzFile file;
	int code;

	memset(loaded, 0, sizeof *loaded);
	test_dir_make(&loaded->dir);
	snprintf(source, sizeof source, "%s/in", loaded->dir.path);
	snprintf(loaded->path, sizeof loaded->path, "%s/out.gx", loaded->dir.path);
	file = gzopen(source, zipped ? "wb" : "wbT");
	gzputs(file, header);
	gzputs(file, body);
	gzclose(file);
	code = load_open(&load, open(source, O_RDONLY), false, &line, &loaded->err);
	assert_ok(code, &loaded->err);
	struct load_plan plan = {.columns = columns,
	    .patients = patients,
	    .count = 3,
	    .threads = 3,
	    .dir = loaded->dir.path,
	    .path = loaded->path};
	code = load_run(load, &plan, &loaded->report, &loaded->err);
	load_close(load);
	if (code == 0)
		assert_ok(carriers_open(&loaded->carriers, loaded->path, true, &loaded->err),
		    &loaded->err);
	return code;
}

static void
unload(struct loaded *loaded)
{
	carriers_close(loaded->carriers);
	test_dir_remove(&loaded->dir);
}

static void
load_keeps_carriers_zygosity_and_counts(void **state)
{
	struct loaded loaded;
	struct carriers_alleles alleles;
	uint64_t words[1] = {0};

	(void)state;
	assert_ok(load_text(&loaded, "1\t10\t.\tA\tC,G\t.\tPASS\t.\tGT\t0|1\t1|2\t.|.\n", true),
	    &loaded.err);
	assert_int_equal(carriers_site_count(loaded.carriers), 2);
	carriers_add(loaded.carriers, carriers_site(loaded.carriers, 0), CARRIERS_HET, words);
	assert_int_equal(words[0], 3);
	alleles = carriers_alleles(loaded.carriers, carriers_site(loaded.carriers, 1), NULL);
	assert_int_equal(alleles.ac, 1);
	assert_int_equal(alleles.an, 4);
	assert_int_equal(alleles.carriers, 1);
	assert_int_equal(carriers_head(loaded.carriers)->assembly, CARRIERS_GRCH37);
	assert_string_equal(carriers_patient(loaded.carriers, 2), "pc");
	assert_int_equal(loaded.report.fixed, 1);
	unload(&loaded);
}

static void
load_keeps_what_a_gvcf_calls_reference(void **state)
{
	struct loaded loaded;
	uint64_t words[1] = {0};

	(void)state;
	assert_ok(load_text(&loaded,
		      "1\t10\t.\tA\t<NON_REF>\t.\t.\tEND=20\tGT\t0/0\t./.\t0/0\n"
		      "1\t21\t.\tA\t<NON_REF>\t.\t.\tEND=30\tGT\t0/0\t./.\t0/0\n"
		      "1\t40\t.\tA\t.\t.\t.\t.\tGT\t0/0\t0/0\t0/0\n",
		      false),
	    &loaded.err);
	assert_int_equal(carriers_site_count(loaded.carriers), 0);
	carriers_called(loaded.carriers, "chr1", 25, words);
	assert_int_equal(words[0], 5);
	words[0] = 0;
	carriers_called(loaded.carriers, "1", 31, words);
	assert_int_equal(words[0], 0);
	carriers_called(loaded.carriers, "1", 40, words);
	assert_int_equal(words[0], 7);
	unload(&loaded);
}

static void
load_finds_genes_and_places(void **state)
{
	struct loaded loaded;
	const uint32_t *sites;
	uint32_t count, first;

	(void)state;
	assert_ok(
	    load_text(&loaded,
		"1\t10\t.\tA\tC\t.\t.\tANN=C|missense_variant|M|BRCA1|||||||p.Ala1Gly\tGT\t0|1\t"
		"0|0\t0|0\n"
		"1\t15\t.\tA\tC\t.\t.\tANN=C|x|M|ABL1\tGT\t0|1\t0|0\t0|0\n"
		"1\t20\t.\tA\tC\t.\t.\tANN=C|x|M|BRCA1,C|y|M|BRCA1\tGT\t0|1\t0|0\t0|0\n",
		false),
	    &loaded.err);
	carriers_gene(loaded.carriers, "BRCA1", &sites, &count);
	assert_int_equal(count, 2);
	assert_int_equal(sites[0], 0);
	assert_int_equal(sites[1], 2);
	carriers_gene(loaded.carriers, "BRCA2", &sites, &count);
	assert_int_equal(count, 0);
	carriers_range(loaded.carriers, "chr1", 11, 20, &first, &count);
	assert_int_equal(first, 1);
	assert_int_equal(count, 2);
	unload(&loaded);
}

static void
load_puts_trimmed_variants_in_order(void **state)
{
	struct loaded loaded;

	(void)state;
	assert_ok(load_text(&loaded,
		      "1\t10\t.\tAAAAC\tAAAAG\t.\t.\t.\tGT\t0|1\t0|0\t0|0\n"
		      "1\t12\t.\tA\tC\t.\t.\t.\tGT\t0|1\t0|0\t0|0\n",
		      false),
	    &loaded.err);
	assert_int_equal(carriers_site(loaded.carriers, 0)->pos, 12);
	assert_int_equal(carriers_site(loaded.carriers, 1)->pos, 14);
	unload(&loaded);
}

static void
load_refuses_with_the_line_and_leaves_nothing(void **state)
{
	struct loaded loaded;

	(void)state;
	assert_int_equal(load_text(&loaded,
			     "1\t10\t.\tA\tC\t.\t.\t.\tGT\t0|1\t0|0\t0|0\n"
			     "1\t11\t.\tA\tC\t.\t.\t.\tGT\t0|1\t0|2\t0|0\n",
			     true),
	    CAIRN_EINVAL);
	assert_int_equal(loaded.report.line, 7);
	assert_non_null(strstr(loaded.err.text, "GT is no genotype"));
	assert_false(file_exists(loaded.path));
	unload(&loaded);
}

static void
load_gives_the_same_whatever_the_pieces(void **state)
{
	static char body[12 << 20];
	struct loaded loaded;
	size_t length = 0;
	uint32_t seed = 9, records = 150000;

	(void)state;
	for (uint32_t i = 1; i <= records; i++) {
		uint32_t first = next_random(&seed) % 2, second = next_random(&seed) % 2;

		length += (size_t)snprintf(body + length, sizeof body - length,
		    "1\t%u\t.\tA\tC\t.\t.\t.\tGT\t0|%u\t%u|0\t0|0\n", 10 * i, first, second);
	}
	assert_ok(load_text(&loaded, body, true), &loaded.err);
	assert_int_equal(carriers_site_count(loaded.carriers), records);
	seed = 9;
	for (uint32_t i = 0; i < records; i++) {
		uint64_t words[1] = {0};
		uint64_t want = next_random(&seed) % 2;

		want |= (uint64_t)(next_random(&seed) % 2) << 1;
		carriers_add(
		    loaded.carriers, carriers_site(loaded.carriers, i), CARRIERS_HET, words);
		assert_int_equal(words[0], want);
		assert_int_equal(carriers_site(loaded.carriers, i)->pos, 10 * (i + 1));
	}
	unload(&loaded);
}

static void
carriers_refuses_a_flipped_bit(void **state)
{
	struct loaded loaded;
	struct carriers *carriers;
	struct cairn_error err = {0};
	uint8_t byte;
	int fd;

	(void)state;
	assert_ok(
	    load_text(&loaded, "1\t10\t.\tA\tC\t.\t.\t.\tGT\t0|1\t0|0\t0|0\n", false), &loaded.err);
	fd = open(loaded.path, O_RDWR);
	assert_int_equal(pread(fd, &byte, 1, 200), 1);
	byte ^= 1;
	assert_int_equal(pwrite(fd, &byte, 1, 200), 1);
	close(fd);
	assert_int_equal(carriers_open(&carriers, loaded.path, true, &err), CAIRN_ECORRUPT);
	unload(&loaded);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(genotypes_wide_and_plain_readers_agree),
	    cmocka_unit_test(genotypes_of_another_shape_are_left_to_the_other_reader),
	    cmocka_unit_test(normalise_trims_common_ends),
	    cmocka_unit_test(normalise_moves_a_deletion_to_the_left_of_its_repeat),
	    cmocka_unit_test(annotate_writes_changes_of_proteins_in_one_letter),
	    cmocka_unit_test(load_keeps_carriers_zygosity_and_counts),
	    cmocka_unit_test(load_keeps_what_a_gvcf_calls_reference),
	    cmocka_unit_test(load_finds_genes_and_places),
	    cmocka_unit_test(load_puts_trimmed_variants_in_order),
	    cmocka_unit_test(load_refuses_with_the_line_and_leaves_nothing),
	    cmocka_unit_test(load_gives_the_same_whatever_the_pieces),
	    cmocka_unit_test(carriers_refuses_a_flipped_bit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
