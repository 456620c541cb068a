/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"
#include "cohort/expr.h"
#include "cohort/lens.h"
#include "cohort/testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* A sanitizer makes each ten times slower. */
#ifdef __SANITIZE_ADDRESS__
#define TREES 5000
#else
#define TREES 20000
#endif

static struct dialect *dialect;

static int
open_dialect(void **state)
{
	(void)state;
	return dialect_open(&dialect, NULL, NULL);
}

static int
close_dialect(void **state)
{
	(void)state;
	dialect_free(dialect);
	return 0;
}

static Cairn__Expression *
parsed(const char *json)
{
	struct cairn_error err = {0};
	Cairn__Expression *tree = NULL;

	assert_ok(lens_parse(dialect, json, strlen(json), &tree, &err), &err);
	return tree;
}

/* The JSON means the text, and is written again byte for byte. */
static void
assert_means(const char *json, const char *expected)
{
	struct cairn_error err = {0};
	Cairn__Expression *tree = parsed(json);
	char *text = NULL, *again = NULL;

	assert_ok(cohort_print(tree, &text, &err), &err);
	if (strcmp(text, expected) != 0)
		fail_msg("%s\nmeans:    %s\nexpected: %s", json, text, expected);
	assert_ok(lens_print(dialect, tree, &again, &err), &err);
	assert_string_equal(again, json);
	free(text);
	free(again);
	cairn__expression__free_unpacked(tree, NULL);
}

static void
assert_refused(const char *json, const char *words)
{
	struct cairn_error err = {0};
	Cairn__Expression *tree = NULL;

	if (lens_parse(dialect, json, strlen(json), &tree, &err) == 0)
		fail_msg("accepted: %s", json);
	assert_null(tree);
	if (strstr(err.text, words) == NULL)
		fail_msg("%s\nsaid: %s\nnot:  %s", json, err.text, words);
}

static void
assert_written(const char *text, const char *json)
{
	struct cairn_error err = {0};
	Cairn__Expression *tree = NULL;
	char *is = NULL;

	assert_ok(cohort_parse(text, &tree, &err), &err);
	assert_ok(lens_print(dialect, tree, &is, &err), &err);
	assert_string_equal(is, json);
	free(is);
	cairn__expression__free_unpacked(tree, NULL);
}

static void
assert_lost(const char *text, const char *words)
{
	struct cairn_error err = {0};
	Cairn__Expression *tree = NULL;
	char *is = NULL;

	assert_ok(cohort_parse(text, &tree, &err), &err);
	if (lens_print(dialect, tree, &is, &err) == 0)
		fail_msg("%s was written as %s", text, is);
	if (strstr(err.text, words) == NULL)
		fail_msg("%s\nsaid: %s\nnot:  %s", text, err.text, words);
	cairn__expression__free_unpacked(tree, NULL);
}

#define H "EUCAIM_Hyper-Ontology_V1.0."
#define LEAF(key, value) "{\"key\":\"" key "\",\"type\":\"EQUALS\",\"value\":\"" value "\"}"
#define RANGE(key, value) "{\"key\":\"" key "\",\"type\":\"BETWEEN\",\"value\":" value "}"

/* Every value of the table, one by one, with the wrapping that the explorer sends. */
static void
all_values_of_the_explorer_are_understood_and_written_again(void **state)
{
	const struct dialect_row *row;
	size_t values = 0, ranges = 0;

	(void)state;
	for (size_t i = 0; (row = dialect_at(dialect, i)) != NULL; i++) {
		char json[800], *again = NULL;
		struct cairn_error err = {0};
		Cairn__Expression *tree;

		snprintf(json, sizeof json,
		    "{\"operand\":\"OR\",\"children\":[{\"operand\":\"AND\",\"children\":[{"
		    "\"operand\":"
		    "\"OR\",\"children\":[{\"key\":\"%s\",\"type\":\"%s\",\"system\":\"\","
		    "\"value\":%s%s%s}]}]}]}",
		    row->key, row->range ? "BETWEEN" : "EQUALS",
		    row->range ? "{\"min\":2000" : "\"", row->range ? "}" : row->value,
		    row->range ? "" : "\"");
		if (row->range && strstr("age_at_diagnosis ki67", row->attribute) != NULL)
			memcpy(strstr(json, "2000"), "0040", 4),
			    memmove(strstr(json, "0040"), strstr(json, "0040") + 2,
				strlen(strstr(json, "0040") + 2) + 1);
		tree = parsed(json);
		assert_string_equal(tree->leaf->attribute, row->attribute);
		assert_ok(lens_print(dialect, tree, &again, &err), &err);
		assert_string_equal(again, json);
		free(again);
		cairn__expression__free_unpacked(tree, NULL);
		values += !row->range;
		ranges += row->range;
	}
	assert_int_equal(values, 88);
	assert_int_equal(ranges, 4);
}

static void
criteria_of_the_explorer_mean_our_fields(void **state)
{
	(void)state;
	assert_means("{\"operand\":\"OR\",\"children\":[]}", "*");
	assert_means(
	    "{\"operand\":\"OR\",\"children\":[{\"operand\":\"AND\",\"children\":[{\"operand\":"
	    "\"OR\",\"children\":[{\"key\":\"SNOMEDCT263495000\",\"type\":\"EQUALS\",\"system\":"
	    "\"\",\"value\":\"SNOMEDCT248153007\"}]},{\"operand\":\"OR\",\"children\":["
	    "{\"key\":\"SNOMEDCT423493009\",\"type\":\"BETWEEN\",\"system\":\"\",\"value\":"
	    "{\"min\":40,\"max\":50}}]}]}]}",
	    "sex = male and age_at_diagnosis between 40 and 50");
	assert_means(
	    RANGE("SNOMEDCT423493009", "{\"min\":40}"), "age_at_diagnosis between 40 and *");
	assert_means(RANGE(H "CLIN1033410", "{\"max\":10.5}"), "psa between * and 10.5");
	assert_means(RANGE(H "CLIN1033410", "{}"), "psa exists");
	assert_means(
	    LEAF("SNOMEDCT439401001", "SNOMEDCT254837009"), "diagnosis in snomed:254837009");
	assert_means(LEAF("SNOMEDCT439401001", "C50.%"), "diagnosis in icd10:C50");
	assert_means(LEAF("C25392", "birnlex_12833"), "manufacturer like GE, \"GE %\"");
	assert_means(LEAF("C25392", "C200140"), "manufacturer like \"SIEMENS%\"");
	assert_means(LEAF(H "IMG1005459", H "IMG1005468"), "bi_rads = 2");
	assert_means(LEAF(H "IMG1005459", H "IMG1005476"), "pi_rads = 4");
	assert_means(LEAF(H "CLIN1045851", H "COM1001882"), "her2 = 3+");
	assert_means("{\"key\":\"RID10311\",\"type\":\"IN\",\"value\":[\"RID10312\",\"RID10321\"]}",
	    "modality in (MR, CT)");
}

static void
operands_and_groups_keep_their_shape(void **state)
{
	(void)state;
	assert_means(
	    "{\"operand\":\"NOT\",\"children\":[" LEAF("modality", "MR") "],\"key\":\"x\"}",
	    "not modality = MR");
	assert_means("{\"operand\":\"XOR\",\"children\":[" LEAF("modality", "MR") "," LEAF(
			 "model", "A%") "]}",
	    "modality = MR xor model like \"A%\"");
	assert_means("{\"id\":\"7__search__8\",\"ast\":{\"children\":[" LEAF(
			 "sex", "female") "],"
					  "\"operand\":\"AND\"}}",
	    "sex = female");
	assert_means(
	    "{\"key\":\"model\",\"type\":\"CONTAINS\",\"value\":\"x\",\"en\":\"\xc3\xa9\"}",
	    "model like \"%x%\"");
	assert_means("{\"key\":\"psa\",\"type\":\"LOWER_THAN\",\"value\":4.0}", "psa < 4");
	assert_means(
	    "{\"key\":\"study_date\",\"type\":\"BETWEEN\",\"value\":{\"min\":\"2020-01-31\"}}",
	    "study_date between 2020-01-31 and *");
}

static void
what_is_not_known_is_named_and_never_dropped(void **state)
{
	(void)state;
	assert_refused(LEAF("SNOMEDCT1", "x"), "unknown Lens key \"SNOMEDCT1\"");
	assert_refused(LEAF("modalitiy", "x"), "did you mean \"modality\"?");
	assert_refused(LEAF("RID10311", "RID1"), "\"RID10311\": its table has no value \"RID1\"");
	assert_refused(LEAF("modality", "XX"), "modality takes one of");
	assert_refused(LEAF("birth_date", "2020-01-01"), "unknown Lens key \"birth_date\"");
	assert_refused("{\"key\":\"psa\",\"type\":\"NEAR\",\"value\":4}", "unknown type \"NEAR\"");
	assert_refused("{\"key\":\"psa\",\"type\":\"EQUALS\",\"value\":true}", "neither text nor");
	assert_refused("{\"key\":\"psa\",\"type\":\"EQUALS\"}", "neither text nor");
	assert_refused(
	    "{\"key\":\"psa\",\"type\":\"BETWEEN\",\"value\":{\"mim\":4}}", "BETWEEN takes");
	assert_refused(RANGE(H "IMG1005459", "{\"min\":4}"), "the key means several fields");
	assert_refused("{\"key\":\"" H "IMG1005459\",\"type\":\"IN\",\"value\":[\"" H
		       "IMG1005468\",\"" H "IMG1005476\"]}",
	    "do not mean the same field");
	assert_refused("{\"operand\":\"NAND\",\"children\":[]}", "unknown operand \"NAND\"");
	assert_refused(
	    "{\"operand\":\"AND\",\"children\":[" LEAF("sex", "male") ",{\"operand\":\"OR\","
								      "\"children\":[]}]}",
	    "empty OR group");
	assert_refused("{\"operand\":\"NOT\",\"children\":[]}", "empty NOT group");
	assert_refused("{\"key\":\"SNOMEDCT439401001\",\"type\":\"NOT_EQUALS\",\"value\":"
		       "\"SNOMEDCT254837009\"}",
	    "use NOT");
	assert_refused("{\"operand\":1", "is no JSON: line 1");
	assert_refused("[]", "a Lens criterion has");
}

static void
our_trees_are_written_in_the_words_of_the_explorer(void **state)
{
	(void)state;
	assert_written("*", "{\"operand\":\"OR\",\"children\":[]}");
	assert_written("sex = male",
	    "{\"operand\":\"AND\",\"children\":[" LEAF(
		"SNOMEDCT263495000", "SNOMEDCT248153007") "]}");
	assert_written("sex = male and psa >= 4",
	    "{\"operand\":\"AND\",\"children\":[" LEAF("SNOMEDCT263495000",
		"SNOMEDCT248153007") "," RANGE(H "CLIN1033410", "{\"min\":4}") "]}");
	assert_written("sex = male or modality in (MR, US)",
	    "{\"operand\":\"OR\",\"children\":[" LEAF(
		"SNOMEDCT263495000", "SNOMEDCT248153007") ","
							  "{\"key\":\"modality\",\"type\":\"IN\","
							  "\"value\":[\"MR\",\"US\"]}]}");
	assert_written("diagnosis in icd10:C34",
	    "{\"operand\":\"AND\",\"children\":[" LEAF("diagnosis", "icd10:C34.%") "]}");
}

static void
what_lens_cannot_say_is_refused_with_the_reason(void **state)
{
	(void)state;
	assert_lost("same study (sex = male)", "cannot say \"same\"");
	assert_lost("at least 2 studies (*)", "cannot say \"at least\"");
	assert_lost("sex = male within 3 days of sex = female", "cannot say \"within\"");
	assert_lost("psa exists", "whether there is any value");
	assert_lost("not *", "\"*\" inside");
	assert_lost("model = \"5%\"", "% stands for any characters");
	assert_lost("model like A", "a pattern without %");
	assert_lost("zodiac = x", "no field that is known here");
}

static void
a_changed_tree_is_not_written_as_it_was(void **state)
{
	Cairn__Expression *tree =
	    parsed("{\"key\":\"psa\",\"type\":\"LOWER_THAN\",\"value\":4.0,\"system\":\"s\"}");
	struct cairn_error err = {0};
	char *json = NULL;

	(void)state;
	tree->leaf->values[0]->number = 5;
	assert_ok(lens_print(dialect, tree, &json, &err), &err);
	assert_string_equal(
	    json, "{\"key\":\"" H "CLIN1033410\",\"type\":\"LOWER_THAN\",\"value\":5}");
	free(json);
	cairn__expression__free_unpacked(tree, NULL);
}

/* ---- random trees ------------------------------------------------------------------------ */

/* Whatever Lens can say of a random tree reads back as that tree. */
static void
written_trees_read_back_the_same(void **state)
{
	uint64_t seed = 20261125;
	size_t written = 0;

	(void)state;
	while (written < TREES) {
		Cairn__Expression *tree =
		    testing_lens_tree(&seed, (unsigned)testing_below(&seed, 3));
		Cairn__Expression *again = NULL;
		struct cairn_error err = {0};
		char *json = NULL, *twice = NULL, *x = NULL, *y = NULL;

		if (lens_print(dialect, tree, &json, &err) == 0) {
			written++;
			assert_ok(lens_parse(dialect, json, strlen(json), &again, &err), &err);
			assert_ok(cohort_print(tree, &x, &err), &err);
			assert_ok(cohort_print(again, &y, &err), &err);
			assert_string_equal(x, y);
			assert_ok(lens_print(dialect, again, &twice, &err), &err);
			assert_string_equal(json, twice);
			cairn__expression__free_unpacked(again, NULL);
		} else {
			assert_non_null(strstr(err.text, "Lens cannot say"));
		}
		free(json);
		free(twice);
		free(x);
		free(y);
		cairn__expression__free_unpacked(tree, NULL);
	}
}

static void
hostile_bytes_are_refused(void **state)
{
	char *deep = malloc(200000);
	Cairn__Expression *tree = NULL;
	struct cairn_error err = {0};
	size_t used = 0;

	(void)state;
	assert_non_null(deep);
	for (int i = 0; i < 100; i++)
		used += (size_t)snprintf(
		    deep + used, 200000 - used, "{\"operand\":\"AND\",\"children\":[");
	used += (size_t)snprintf(deep + used, 200000 - used, LEAF("sex", "male"));
	for (int i = 0; i < 100; i++)
		used += (size_t)snprintf(deep + used, 200000 - used, "]}");
	assert_int_equal(lens_parse(dialect, deep, used, &tree, &err), CAIRN_ELIMIT);
	assert_int_equal(lens_parse(dialect, deep, LENS_BYTES_MAX + 1, &tree, &err), CAIRN_ELIMIT);
	assert_null(tree);
	free(deep);
}

static void
a_site_adds_its_own_keys(void **state)
{
	char path[] = "/tmp/dialect-test-XXXXXX";
	int fd = mkstemp(path);
	static const char good[] = "# ours\ngender\tm\tsex\t=\tmale\n",
			  bad[] = "gender\tm\tsexx\t=\tmale\n";
	struct dialect *site = NULL;
	struct cairn_error err = {0};
	Cairn__Expression *tree = NULL;

	(void)state;
	assert_int_equal(write(fd, good, sizeof good - 1), sizeof good - 1);
	assert_ok(dialect_open(&site, path, &err), &err);
	assert_ok(
	    lens_parse(site, LEAF("gender", "m"), strlen(LEAF("gender", "m")), &tree, &err), &err);
	assert_string_equal(tree->leaf->values[0]->text, "male");
	cairn__expression__free_unpacked(tree, NULL);
	dialect_free(site);
	site = NULL;
	assert_int_equal(write(fd, bad, sizeof bad - 1), sizeof bad - 1);
	assert_int_not_equal(dialect_open(&site, path, &err), 0);
	assert_non_null(strstr(err.text, "line 3: the third column is no field"));
	close(fd);
	unlink(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(all_values_of_the_explorer_are_understood_and_written_again),
	    cmocka_unit_test(criteria_of_the_explorer_mean_our_fields),
	    cmocka_unit_test(operands_and_groups_keep_their_shape),
	    cmocka_unit_test(what_is_not_known_is_named_and_never_dropped),
	    cmocka_unit_test(our_trees_are_written_in_the_words_of_the_explorer),
	    cmocka_unit_test(what_lens_cannot_say_is_refused_with_the_reason),
	    cmocka_unit_test(a_changed_tree_is_not_written_as_it_was),
	    cmocka_unit_test(written_trees_read_back_the_same),
	    cmocka_unit_test(hostile_bytes_are_refused),
	    cmocka_unit_test(a_site_adds_its_own_keys),
	};

	return cmocka_run_group_tests(tests, open_dialect, close_dialect);
}
