/* SPDX-License-Identifier: Apache-2.0 */
/* Questions about two small indexes, as the cohort engine puts them. */
#include "query.h"

#include "base/file.h"
#include "base/test.h"
#include "cohort/expr.h"

/* A site: of each sample a letter: 0 none, h heterozygous, H homozygous, 1 its one copy, . no call.
 */
struct planned {
	const char *contig;
	uint32_t pos;
	const char *ref, *alt, *gene, *protein, *consequence, *samples;
};

/* p1 has two samples in the first index and one in the second; p4 is in the second only. */
static const char *const first_patients[] = {"p1", "p1", "p2", "p3"};
static const char *const second_patients[] = {"p1", "p4"};
static const struct planned first_sites[] = {
    {"chr7", 55191822, "T", "G", "EGFR", "L858R", "missense_variant&splice_region_variant", "h000"},
    {"chr17", 7674220, "C", "T", "TP53", "R248Q", "missense_variant", "0hH."},
    {"chrX", 100, "A", "C", "AR", "", "intron_variant", "00h1"}};
static const struct planned second_sites[] = {
    {"17", 7674220, "C", "T", "TP53", "R248Q", "missense_variant", "0h"},
    {"17", 7674300, "G", "A", "TP53", "", "synonymous_variant", "hH"}};

struct world {
	struct test_dir dir;
	struct shelf *shelf;
};

/* ---- making ------------------------------------------------------------------------------- */

static void
add_site(struct carriers_writer *writer, const struct planned *planned)
{
	uint32_t samples = (uint32_t)strlen(planned->samples);
	uint64_t planes[CARRIERS_PLANES] = {0};
	struct carriers_text text = {planned->gene, planned->consequence, planned->protein, "", ""};
	struct carriers_new_site site = {.contig = planned->contig,
	    .ref = planned->ref,
	    .alt = planned->alt,
	    .filter = "PASS",
	    .pos = planned->pos,
	    .annotations = &text,
	    .annotation_count = 1};
	struct cairn_error err = {0};
	uint8_t sets[64];

	for (uint32_t i = 0; i < samples; i++) {
		char is = planned->samples[i];

		planes[CARRIERS_HET] |= (uint64_t)(is == 'h') << i;
		planes[CARRIERS_HOM] |= (uint64_t)(is == 'H' || is == '1') << i;
		planes[CARRIERS_SINGLE] |= (uint64_t)(is == '1') << i;
		planes[CARRIERS_UNCALLED] |= (uint64_t)(is == '.') << i;
	}
	for (int plane = 0; plane < CARRIERS_PLANES; plane++) {
		uint32_t count = carriers_count(&planes[plane], samples);

		site.counts[plane] = (uint16_t)count;
		carriers_set_encode(&planes[plane], samples, count, sets + site.sets_length);
		site.sets_length += carriers_set_size(samples, count);
	}
	site.sets = sets;
	assert_ok(carriers_writer_add(writer, &site, &err), &err);
}

static void
make_index(const char *dir, const char *source, const char *const *patients,
    const struct planned *sites, size_t count, uint32_t assembly)
{
	struct carriers_writer *writer;
	struct cairn_error err = {0};
	char name[SHELF_NAME], path[256];

	assert_ok(
	    carriers_writer_new(&writer, dir, patients, (uint32_t)strlen(sites[0].samples), &err),
	    &err);
	for (size_t i = 0; i < count; i++)
		add_site(writer, &sites[i]);
	shelf_name(source, "0123456789abcdef", name);
	assert_int_equal(file_join(path, sizeof path, dir, name), 0);
	assert_ok(carriers_writer_finish(writer, path, 0, assembly, &err), &err);
	carriers_writer_free(writer);
}

static int
make_world(void **state)
{
	struct world *world = calloc(1, sizeof *world);
	struct cairn_error err = {0};

	assert_non_null(world);
	test_dir_make(&world->dir);
	make_index(
	    world->dir.path, "1111111111111111", first_patients, first_sites, 3, CARRIERS_GRCH38);
	make_index(
	    world->dir.path, "2222222222222222", second_patients, second_sites, 2, CARRIERS_GRCH37);
	assert_ok(shelf_open(&world->shelf, world->dir.path, &err), &err);
	assert_int_equal(world->shelf->count, 2);
	assert_int_equal(world->shelf->patient_count, 4);
	*state = world;
	return 0;
}

static int
drop_world(void **state)
{
	struct world *world = *state;

	shelf_free(world->shelf);
	test_dir_remove(&world->dir);
	free(world);
	return 0;
}

/* ---- asking ------------------------------------------------------------------------------- */

static void
name_patients(const struct shelf *shelf, const uint8_t *bits, char ret[64])
{
	size_t at = 0;

	ret[0] = 0;
	for (size_t i = 0; i < shelf->patient_count; i++) {
		if ((bits[i / 8] >> (i % 8) & 1) != 0)
			at += (size_t)snprintf(
			    ret + at, 64 - at, "%s%s", at > 0 ? " " : "", shelf->patients[i]);
	}
}

static void
expect(void **state, const char *question, const char *carriers, const char *called)
{
	const struct world *world = *state;
	Cairn__Expression *expression;
	struct query_answer answer;
	struct cairn_error err = {0};
	char names[64];

	assert_ok(cohort_parse(question, &expression, &err), &err);
	assert_ok(query_run(world->shelf, expression, &answer, &err), &err);
	assert_int_equal(answer.criteria_count, 0);
	name_patients(world->shelf, answer.carriers, names);
	if (strcmp(names, carriers) != 0)
		fail_msg("%s: carriers are '%s', not '%s'", question, names, carriers);
	name_patients(world->shelf, answer.called, names);
	if (called != NULL && strcmp(names, called) != 0)
		fail_msg("%s: called are '%s', not '%s'", question, names, called);
	query_answer_fini(&answer);
	cairn__expression__free_unpacked(expression, NULL);
}

static void
query_joins_the_samples_of_a_patient_and_the_indexes(void **state)
{
	expect(state, "gene = EGFR", "p1", NULL);
	expect(state, "gene = TP53", "p1 p2 p4", NULL);
	expect(state, "gene = KRAS", "", "");
	expect(state, "protein_change = R248Q", "p1 p2 p4", NULL);
	expect(state, "consequence = splice_region_variant", "p1", NULL);
	expect(state, "gene like \"%R\"", "p1 p2 p3", NULL);
	expect(state, "gene != TP53", "p1 p2 p3", NULL);
	expect(state, "chromosome = 17 and position = 7674300", "p1 p4", NULL);
}

/* p1 has EGFR in one sample and R248Q in another: no variant is both. */
static void
query_wants_all_of_it_of_one_variant(void **state)
{
	expect(state, "gene = EGFR and protein_change = L858R", "p1", NULL);
	expect(state, "gene = EGFR and protein_change = R248Q", "", NULL);
	expect(state, "same variant (gene = EGFR and protein_change = R248Q)", "", NULL);
	expect(state, "gene = EGFR or protein_change = R248Q", "p1 p2 p4", NULL);
	expect(state, "gene = TP53 and not (protein_change = R248Q)", "p1 p4", NULL);
	expect(state, "not (gene = TP53)", "p1 p2 p3", NULL);
}

static void
query_tells_one_copy_from_two(void **state)
{
	expect(state, "gene = TP53 and zygosity = homozygous", "p2 p4", NULL);
	expect(state, "gene = TP53 and zygosity = heterozygous", "p1 p4", NULL);
	expect(state, "zygosity = hemizygous", "p3", NULL);
	expect(state, "gene = AR and zygosity != hemizygous", "p2", NULL);
}

static void
query_keeps_assemblies_apart(void **state)
{
	expect(state, "variant = GRCh38:17:7674220:C:T", "p1 p2", NULL);
	expect(state, "variant = GRCh37:17:7674220:C:T", "p4", NULL);
	expect(state, "variant = GRCh38:17:7674220:C:G", "", NULL);
	expect(state, "gene = TP53 and assembly = GRCh37", "p1 p4", NULL);
}

/* p3 has no call at the one place of TP53 in its index, and p4 is in the other one. */
static void
query_says_of_whom_no_is_known(void **state)
{
	expect(state, "variant = GRCh38:17:7674220:C:T", "p1 p2", "p1 p2");
	expect(state, "variant = GRCh37:17:7674220:C:T", "p4", "p1 p4");
	expect(state, "gene = EGFR", "p1", "p1 p2 p3");
}

static void
query_names_what_it_cannot_answer(void **state)
{
	static const char *const questions[] = {
	    "sex = female", "gene = EGFR and modality = CT", "at least 2 variants (gene = TP53)"};
	const struct world *world = *state;

	for (size_t i = 0; i < sizeof questions / sizeof questions[0]; i++) {
		Cairn__Expression *expression;
		struct query_answer answer;
		struct cairn_error err = {0};

		assert_ok(cohort_parse(questions[i], &expression, &err), &err);
		assert_ok(query_run(world->shelf, expression, &answer, &err), &err);
		assert_int_equal(answer.criteria_count, 1);
		query_answer_fini(&answer);
		cairn__expression__free_unpacked(expression, NULL);
	}
}

static void
query_refuses_what_is_nested_too_deep(void **state)
{
	const struct world *world = *state;
	Cairn__Expression nodes[QUERY_DEPTH_MAX + 1], *children[QUERY_DEPTH_MAX];
	Cairn__Leaf leaf = CAIRN__LEAF__INIT;
	struct query_answer answer;
	struct cairn_error err = {0};

	leaf.attribute = (char *)(uintptr_t) "gene";
	leaf.operator_ = CAIRN__LEAF__OPERATOR__EXISTS;
	for (int i = 0; i <= QUERY_DEPTH_MAX; i++) {
		cairn__expression__init(&nodes[i]);
		nodes[i].operand = CAIRN__EXPRESSION__OPERAND__NOT;
		if (i < QUERY_DEPTH_MAX) {
			children[i] = &nodes[i + 1];
			nodes[i].children = &children[i];
			nodes[i].n_children = 1;
		}
	}
	nodes[QUERY_DEPTH_MAX].operand = CAIRN__EXPRESSION__OPERAND__LEAF;
	nodes[QUERY_DEPTH_MAX].leaf = &leaf;
	assert_int_equal(query_run(world->shelf, &nodes[0], &answer, &err), CAIRN_ELIMIT);
	assert_ok(query_run(world->shelf, &nodes[1], &answer, &err), &err);
	query_answer_fini(&answer);
	nodes[1].n_children = 0; /* a NOT of nothing */
	assert_int_equal(query_run(world->shelf, &nodes[1], &answer, &err), CAIRN_EINVAL);
}

#define IN_WORLD(name) cmocka_unit_test_setup_teardown(name, make_world, drop_world)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    IN_WORLD(query_joins_the_samples_of_a_patient_and_the_indexes),
	    IN_WORLD(query_wants_all_of_it_of_one_variant),
	    IN_WORLD(query_tells_one_copy_from_two),
	    IN_WORLD(query_keeps_assemblies_apart),
	    IN_WORLD(query_says_of_whom_no_is_known),
	    IN_WORLD(query_names_what_it_cannot_answer),
	    IN_WORLD(query_refuses_what_is_nested_too_deep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
