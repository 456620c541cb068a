/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"
#include "cohort/beacon.h"
#include "cohort/expr.h"
#include "cohort/testing.h"

#include <stdio.h>
#include <stdlib.h>

/* A sanitizer makes each ten times slower. */
#ifdef __SANITIZE_ADDRESS__
#define TREES 5000
#else
#define TREES 20000
#endif

static void
assert_means(const char *json, const char *expected)
{
	struct cairn_error err = {0};
	Cairn__Expression *tree = NULL;
	char *text = NULL, *again = NULL;

	assert_ok(beacon_parse(json, strlen(json), &tree, &err), &err);
	assert_ok(cohort_print(tree, &text, &err), &err);
	if (strcmp(text, expected) != 0)
		fail_msg("%s\nmeans:    %s\nexpected: %s", json, text, expected);
	assert_ok(beacon_print(tree, &again, &err), &err);
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

	if (beacon_parse(json, strlen(json), &tree, &err) == 0)
		fail_msg("accepted: %s", json);
	assert_null(tree);
	if (strstr(err.text, words) == NULL)
		fail_msg("%s\nsaid: %s\nnot:  %s", json, err.text, words);
}

static void
filters_mean_our_fields(void **state)
{
	(void)state;
	assert_means("[{\"id\":\"NCIT:C16576\"}]", "sex = female");
	assert_means("[{\"id\":\"ICD10:C34\"}]", "diagnosis in icd10:C34");
	assert_means(
	    "[{\"id\":\"ICD10:C34\",\"includeDescendantTerms\":false}]", "diagnosis = icd10:C34");
	assert_means(
	    "[{\"id\":\"HP:0002664\",\"includeDescendantTerms\":true,\"scope\":\"individuals\","
	    "\"similarity\":\"exact\"}]",
	    "observation in hp:0002664");
	assert_means("[{\"id\":\"age\",\"operator\":\">=\",\"scope\":\"individuals\",\"value\":"
		     "\"P70Y\"}]",
	    "age >= 70");
	assert_means("[{\"id\":\"model\",\"operator\":\"=\",\"value\":\"DISC%\"},{\"id\":\"sex\","
		     "\"operator\":\"!\",\"value\":\"male\"}]",
	    "model like \"DISC%\" and sex != male");
	assert_means("[{\"id\":\"topography\",\"operator\":\"=\",\"value\":\"icdo3:C50.%\"}]",
	    "topography in icdo3:C50");
	assert_means("[]", "*");
}

static void
a_variant_is_the_same_one(void **state)
{
	(void)state;
	assert_means(
	    "{\"meta\":{\"apiVersion\":\"2.0\"},\"query\":{\"requestParameters\":{\"g_variant\":"
	    "{\"geneId\":\"EGFR\",\"aminoacidChange\":\"L858R\"}},\"pagination\":{\"skip\":0}}}",
	    "same variant (gene = EGFR and protein_change = L858R)");
	assert_means(
	    "{\"filters\":[{\"id\":\"NCIT:C20197\"}],\"requestParameters\":{\"alternateBases\":"
	    "\"G\",\"referenceName\":\"chr7\",\"start\":[55191821],\"assemblyId\":\"GRCh38\"}}",
	    "sex = male and same variant (alternate_allele = G and chromosome = \"7\" and position "
	    "= "
	    "55191822 and assembly = GRCh38)");
	assert_means("{\"requestParameters\":{\"g_variant\":{\"start\":[10,20]}}}",
	    "same variant (position between 11 and 20)");
}

static void
what_would_be_lost_is_refused_with_the_reason(void **state)
{
	(void)state;
	assert_refused("[{\"id\":\"demographic.ethnicity:asian\"}]", "neither a term of a known");
	assert_refused(
	    "[{\"id\":\"ICD10:C34\",\"similarity\":\"high\"}]", "similarity is \"exact\"");
	assert_refused("[{\"id\":\"ICD10:C34\",\"scope\":\"biosamples\"}]", "scope is individuals");
	assert_refused("[{\"id\":\"ICD10:C34\",\"not\":true}]", "unknown member \"not\"");
	assert_refused("[{\"id\":\"modalty\",\"operator\":\"=\",\"value\":\"MR\"}]",
	    "unknown field; did you mean \"modality\"");
	assert_refused(
	    "[{\"id\":\"modality\",\"operator\":\"=\",\"value\":\"XX\"}]", "takes one of");
	assert_refused(
	    "[{\"id\":\"age\",\"operator\":\"~\",\"value\":\"5\"}]", "the operator is one");
	assert_refused("[{\"id\":\"age\",\"operator\":\">\",\"value\":\"P5M\"}]", "whole years");
	assert_refused("[{\"id\":\"SO:0001583\"}]", "does not say which field is meant");
	assert_refused(
	    "{\"filters\":[],\"requestParameters\":{\"g_variant\":{\"geneId\":\"A\",\"end\":"
	    "[5]}}}",
	    "\"end\": it cannot be evaluated here");
	assert_refused(
	    "{\"filters\":[],\"requestParameters\":{\"datasets\":{\"datasetIds\":[\"a\"]}}}",
	    "\"datasets\" cannot be evaluated here");
	assert_refused("{\"filters\":[],\"requestParameters\":{\"geneId\":\"A\",\"g_variant\":{}}}",
	    "variant twice");
	assert_refused("{}", "neither \"filters\" nor");
	assert_refused("[", "is no JSON: line 1");
	assert_refused("5", "is no JSON");
}

static void
assert_lost(const char *text, const char *words)
{
	struct cairn_error err = {0};
	Cairn__Expression *tree = NULL;
	char *json = NULL;

	assert_ok(cohort_parse(text, &tree, &err), &err);
	if (beacon_print(tree, &json, &err) == 0)
		fail_msg("%s was written as %s", text, json);
	if (strstr(err.text, words) == NULL)
		fail_msg("%s\nsaid: %s\nnot:  %s", text, err.text, words);
	cairn__expression__free_unpacked(tree, NULL);
}

static void
what_beacon_cannot_say_is_refused_with_the_reason(void **state)
{
	(void)state;
	assert_lost("sex = male or age > 5", "cannot say \"or\"");
	assert_lost("not sex = male", "cannot say \"not\"");
	assert_lost("sex in (male, female)", "takes OR");
	assert_lost("age between 40 and 60", "satisfied by two facts");
	assert_lost("psa exists", "whether there is any value");
	assert_lost("same study (sex = male)", "only a variant");
	assert_lost("variant (A) and variant (B)", "two variants");
	assert_lost("same variant (gene = A or gene = B)", "chained by and");
	assert_lost("same variant (zygosity = homozygous)", "no such parameter");
	assert_lost("at least 2 studies (*)", "cannot say \"at least\"");
}

/* The official examples: what they hold is kept or named. */
static void
official_examples_are_read_or_refused_by_name(void **state)
{
	static const char folder[] = "/clinical/beacon/v2-schemas/"
				     "framework__json__requests__examples-fullDocuments__";
	const char *shared = getenv("CAIRN_SHARED");
	char path[1024], text[8192];
	size_t length;
	FILE *in;

	(void)state;
	snprintf(path, sizeof path, "%s/data%sbeaconRequestBody-MIN-example.json",
	    shared != NULL ? shared : COHORT_SHARED, folder);
	in = fopen(path, "re");
	if (in == NULL) {
		print_message("skipped: no %s\n", path);
		skip();
	}
	length = fread(text, 1, sizeof text - 1, in);
	fclose(in);
	text[length] = 0;
	assert_non_null(strstr(text, "apiVersion"));
	{
		struct cairn_error err = {0};
		Cairn__Expression *tree = NULL;

		assert_ok(beacon_parse(text, length, &tree, &err), &err);
		assert_int_equal(tree->operand, CAIRN__EXPRESSION__OPERAND__ALL);
		cairn__expression__free_unpacked(tree, NULL);
	}
	memcpy(strstr(path, "MIN"), "MAX", 3);
	in = fopen(path, "re");
	assert_non_null(in);
	length = fread(text, 1, sizeof text - 1, in);
	fclose(in);
	text[length] = 0;
	assert_refused(text, "Beacon filter \"EFO:0001212\": the scope is individuals");
}

/* Whatever Beacon can say of a random conjunction reads back as the same. */
static void
written_conjunctions_read_back_the_same(void **state)
{
	uint64_t seed = 20261126;
	size_t written = 0;

	(void)state;
	while (written < TREES) {
		Cairn__Expression *tree = testing_conjunction(&seed), *again = NULL;
		struct cairn_error err = {0};
		char *json = NULL, *twice = NULL, *x = NULL, *y = NULL;

		if (beacon_print(tree, &json, &err) == 0) {
			written++;
			assert_ok(beacon_parse(json, strlen(json), &again, &err), &err);
			assert_ok(beacon_print(again, &twice, &err), &err);
			assert_string_equal(json, twice);
			assert_ok(cohort_print(tree, &x, &err), &err);
			assert_ok(cohort_print(again, &y, &err), &err);
			assert_string_equal(x, y);
			cairn__expression__free_unpacked(again, NULL);
		} else {
			assert_non_null(strstr(err.text, "Beacon cannot say"));
		}
		free(json);
		free(twice);
		free(x);
		free(y);
		cairn__expression__free_unpacked(tree, NULL);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(filters_mean_our_fields),
	    cmocka_unit_test(a_variant_is_the_same_one),
	    cmocka_unit_test(what_would_be_lost_is_refused_with_the_reason),
	    cmocka_unit_test(what_beacon_cannot_say_is_refused_with_the_reason),
	    cmocka_unit_test(official_examples_are_read_or_refused_by_name),
	    cmocka_unit_test(written_conjunctions_read_back_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
