/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"
#include "cohort/hierarchy.h"
#include "cohort/systems.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char folder[] = "/tmp/hierarchy-test-XXXXXX";

static int
make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) == NULL;
}

static int
remove_folder(void **state)
{
	(void)state;
	return rmdir(folder);
}

/* A file in the folder, until close_file(). */
static const char *
with_file(const char *name, const char *text)
{
	static char path[256];
	FILE *out;

	snprintf(path, sizeof path, "%s/%s", folder, name);
	out = fopen(path, "we");
	assert_non_null(out);
	assert_int_equal(fwrite(text, 1, strlen(text), out), strlen(text));
	assert_int_equal(fclose(out), 0);
	return path;
}

static struct hierarchy *
opened(const char *name, const char *text)
{
	struct cairn_error err = {0};
	struct hierarchy *h = NULL;
	const char *path = name != NULL ? with_file(name, text) : NULL;

	assert_ok(hierarchy_open(&h, &path, path != NULL, &err), &err);
	if (path != NULL)
		unlink(path);
	return h;
}

static void
assert_refused(const char *name, const char *text, const char *words)
{
	struct cairn_error err = {0};
	struct hierarchy *h = NULL;
	const char *path = with_file(name, text);

	assert_int_not_equal(hierarchy_open(&h, &path, 1, &err), 0);
	assert_null(h);
	unlink(path);
	if (strstr(err.text, words) == NULL)
		fail_msg("said: %s\nnot:  %s", err.text, words);
}

static void
icd_and_atc_codes_say_what_is_above_them(void **state)
{
	struct hierarchy *h = opened(NULL, NULL);

	(void)state;
	assert_true(hierarchy_covers(h, "icd10:C34", "icd10:C34"));
	assert_true(hierarchy_covers(h, "icd10:C34", "icd10:C34.1"));
	assert_true(hierarchy_covers(h, "icd10:c34", "ICD10:C34.11"));
	assert_false(hierarchy_covers(h, "icd10:C34.1", "icd10:C34"));
	assert_false(hierarchy_covers(h, "icd10:C34.1", "icd10:C34.2"));
	assert_false(hierarchy_covers(h, "icd10:C3", "icd10:C34"));
	assert_false(hierarchy_covers(h, "icd10:C50", "icdo3:C50.1"));
	assert_true(hierarchy_covers(h, "icd10:C00-C75", "icd10:C34.1"));
	assert_false(hierarchy_covers(h, "icd10:C00-C75", "icd10:C76.3"));
	assert_true(hierarchy_covers(h, "icdo3:8500", "icdo3:8500/3"));
	assert_true(hierarchy_covers(h, "icdo3:850", "icdo3:8503/2"));
	assert_false(hierarchy_covers(h, "icdo3:8500/3", "icdo3:8500/2"));
	assert_true(hierarchy_covers(h, "icdo3:8500-8543", "icdo3:8520/3"));
	assert_false(hierarchy_covers(h, "icdo3:8500-8543", "icdo3:8550/3"));
	assert_true(hierarchy_covers(h, "icdo3:C50", "icdo3:C50.1"));
	assert_true(hierarchy_covers(h, "atc:L01", "atc:L01XE03"));
	assert_false(hierarchy_covers(h, "atc:L01", "atc:L02BA01"));
	assert_false(hierarchy_covers(h, "loinc:2857", "loinc:2857-1"));
	hierarchy_free(h);
}

static void
the_diagnoses_of_eucaim_cover_icd_categories(void **state)
{
	struct hierarchy *h = opened(NULL, NULL);

	(void)state;
	assert_true(hierarchy_covers(h, "snomed:363358000", "icd10:C34.1"));
	assert_true(hierarchy_covers(h, "snomed:254837009", "icd10:C50.4"));
	assert_true(hierarchy_covers(h, "snomed:363406005", "icd10:C18.7"));
	assert_true(hierarchy_covers(h, "snomed:399068003", "icd10:C61"));
	assert_true(hierarchy_covers(h, "snomed:363484005", "icd10:C76.3"));
	assert_false(hierarchy_covers(h, "snomed:363484005", "icd10:C76.2"));
	assert_true(hierarchy_covers(h, "snomed:399068003", "eucaim:CLIN1000075"));
	assert_false(hierarchy_covers(h, "snomed:399068003", "icd10:C50"));
	assert_true(hierarchy_knows(h, "snomed:399068003"));
	assert_false(hierarchy_knows(h, "snomed:1"));
	hierarchy_free(h);
}

static int
collect(void *arg, const char *code, bool prefix)
{
	char *text = arg;
	size_t used = strlen(text);

	snprintf(text + used, 1000 - used, "%s%s ", code, prefix ? "*" : "");
	return 0;
}

static void
a_table_joins_what_the_codes_say(void **state)
{
	struct hierarchy *h = opened("a.csv",
	    "parent,label,child\r\n"
	    "ncit:C3262,\"a \"\"neoplasm\"\", any\",ncit:C4872\n"
	    "ncit:C4872,breast,icd10:C50\n"
	    "icd10:C50.4,odd,snomed:1\n\n"
	    "http://purl.obolibrary.org/obo/NCIT_C3262,x,http://x.org/y#Z\n");
	const char *ancestor = "ncit:C3262";
	struct hierarchy_below *below = NULL;
	struct cairn_error err = {0};
	char text[1000] = "";

	(void)state;
	assert_int_equal(hierarchy_edges(h), 4);
	assert_true(hierarchy_covers(h, "ncit:c3262", "icd10:C50.9"));
	assert_true(hierarchy_covers(h, "ncit:C3262", "snomed:1"));
	assert_true(hierarchy_covers(h, "icd10:C50", "snomed:1"));
	assert_true(hierarchy_covers(h, "icd10:C00-C75", "snomed:1"));
	assert_false(hierarchy_covers(h, "icd10:C50.3", "snomed:1"));
	assert_true(hierarchy_covers(h, "ncit:C3262", "http://x.org/y|Z"));
	assert_false(hierarchy_covers(h, "ncit:C4872", "http://x.org/y|Z"));
	assert_ok(hierarchy_below_new(h, &ancestor, 1, &below, &err), &err);
	assert_int_equal(hierarchy_below_each(below, collect, text), 0);
	assert_string_equal(text, "ncit:c3262 ncit:c4872 http://x.org/y|z icd10:c50* snomed:1 ");
	hierarchy_below_free(below);
	hierarchy_free(h);
}

static void
a_block_is_scanned_from_what_its_codes_begin_with(void **state)
{
	struct hierarchy *h = opened(NULL, NULL);
	const char *ancestors[] = {"icd10:C50-C58", "icd10:C50.1", "snomed:7"};
	struct hierarchy_below *below = NULL;
	struct cairn_error err = {0};
	char text[1000] = "";

	(void)state;
	assert_ok(hierarchy_below_new(h, ancestors, 3, &below, &err), &err);
	assert_int_equal(hierarchy_below_each(below, collect, text), 0);
	assert_string_equal(text, "icd10:c5* snomed:7 icd10:c50* ");
	assert_false(hierarchy_below_has(below, "icd10:C59"));
	assert_true(hierarchy_below_has(below, "icd10:C58.1"));
	hierarchy_below_free(below);
	hierarchy_free(h);
}

static void
broken_tables_are_refused_with_their_line(void **state)
{
	(void)state;
	assert_refused("a.csv", "ncit:C1,ncit:C2\nncit:C2\n", "a.csv, line 2: expected a child");
	assert_refused("a.csv", "ncit:C1,C2\n",
	    "line 1: expected a code with its system, such as "
	    "ncit:C4017: \"C2\"");
	assert_refused("a.tsv", "ncit:C1\t\"ncit:C2\n", "line 1: a quote is never closed");
	assert_refused("a.csv",
	    "child,parent\nncit:C1,ncit:C2\nncit:C9,ncit:C1\nncit:C2,ncit:C3\nncit:C3,ncit:C1\n"
	    "ncit:C8,ncit:C9\n",
	    "a.csv, line 5: ncit:c3 would be below itself, through ncit:c1");
	assert_refused(
	    "a.csv", "icd10:C50,icd10:C50.1\n", "a.csv, line 1: icd10:c50 would be below");
	assert_refused(
	    "a.csv", "snomed:254837009,icd10:C50.1\n", "a.csv, line 1: snomed:254837009");
	assert_refused(
	    "a.txt", "ncit:C1,ncit:C2\n", "a hierarchy is a .csv, .tsv, .owl or .rdf file");
}

#define OWL_HEAD                                                                                   \
	"<?xml version=\"1.0\"?>\n<!DOCTYPE rdf:RDF [<!ENTITY obo "                                \
	"\"http://purl.obolibrary.org/obo/\">]>\n<rdf:RDF "                                        \
	"xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\" "                               \
	"xmlns:rdfs=\"http://www.w3.org/2000/01/rdf-schema#\" "                                    \
	"xmlns:owl=\"http://www.w3.org/2002/07/owl#\" xml:base=\"https://cancerimage.eu/ontology/" \
	"EUCAIM\">\n"

static void
an_ontology_gives_its_named_superclasses(void **state)
{
	struct hierarchy *h = opened("a.owl",
	    OWL_HEAD
	    "<owl:Class rdf:about=\"&obo;NCIT_C4872\"><rdfs:label>x</rdfs:label>\n"
	    "<rdfs:subClassOf rdf:resource=\"&obo;NCIT_C3262\"/>\n"
	    "<rdfs:subClassOf><owl:Restriction><owl:someValuesFrom "
	    "rdf:resource=\"&obo;NCIT_C99\"/></owl:Restriction></rdfs:subClassOf></owl:Class>\n"
	    "<owl:Class rdf:ID=\"CLIN2\"><rdfs:subClassOf rdf:resource=\"#CLIN1\"/></owl:Class>\n"
	    "<owl:ObjectProperty rdf:about=\"&obo;p\"/></rdf:RDF>\n");

	(void)state;
	assert_int_equal(hierarchy_edges(h), 2);
	assert_true(hierarchy_covers(h, "ncit:C3262", "ncit:C4872"));
	assert_true(hierarchy_covers(h, "eucaim:CLIN1", "eucaim:CLIN2"));
	assert_false(hierarchy_knows(h, "ncit:C99"));
	hierarchy_free(h);
}

static void
a_broken_ontology_is_refused_with_its_line(void **state)
{
	(void)state;
	assert_refused("a.owl", OWL_HEAD "<owl:Class>\n</rdf:RDF>", "a.owl, line 5: ");
	assert_refused("a.owl", "", "a.owl, line ");
	assert_refused("a.owl",
	    OWL_HEAD "<owl:Class rdf:about=\"&obo;NCIT_C1\"><rdfs:subClassOf "
		     "rdf:resource=\"&obo;NCIT_C2\"/></owl:Class>\n"
		     "<owl:Class rdf:about=\"&obo;NCIT_C2\"><rdfs:subClassOf "
		     "rdf:resource=\"&obo;NCIT_C1\"/></owl:Class></rdf:RDF>",
	    "a.owl, line 5: ncit:c2 would be below itself");
}

/* ---- systems ----------------------------------------------------------------------------- */

static void
assert_code(const char *uri, const char *code, const char *expected)
{
	char is[COHORT_VALUE_MAX] = "refused";

	cohort_code(uri, code, is);
	assert_string_equal(is, expected);
}

static void
codes_are_brought_to_their_usual_form(void **state)
{
	(void)state;
	assert_code("http://hl7.org/fhir/sid/icd-10-cm", "c50.111", "icd10:C50.111");
	assert_code("http://fhir.de/CodeSystem/bfarm/icd-10-gm", "C34.-", "icd10:C34");
	assert_code("urn:oid:2.16.840.1.113883.6.90", "C501", "icd10:C50.1");
	assert_code("I10", "C50.1+", "icd10:C50.1");
	assert_code("icd10", "C00-C75", "icd10:C00-C75");
	assert_code("ICD-O-3", "85003", "icdo3:8500/3");
	assert_code("icdo3", "M8500/3", "icdo3:8500/3");
	assert_code("icdo3", "c501", "icdo3:C50.1");
	assert_code("http://human-phenotype-ontology.org", "HP:0001250", "hp:0001250");
	assert_code("http://www.genenames.org/geneId", "HGNC:1100", "hgnc:1100");
	assert_code("http://snomed.info/sct", "254837009", "snomed:254837009");
	assert_code("SCT", "254837009", "snomed:254837009");
	assert_code("http://loinc.org/", "2857-1", "loinc:2857-1");
	assert_code("http://site.org/x", "A", "http://site.org/x|A");
	assert_code("http://loinc.org", "", "refused");
	assert_code("http://loinc.org", "a b", "refused");
	assert_code("", "a", "refused");
	assert_string_equal(
	    cohort_system_uri("NCIT"), "http://ncicb.nci.nih.gov/xml/owl/EVS/Thesaurus.owl");
	assert_null(cohort_system_uri("zodiac"));
	assert_null(cohort_system_prefix("http://site.org/x"));
	for (size_t i = 0; cohort_system_at(i) != NULL; i++)
		assert_string_equal(cohort_system_prefix(cohort_system_uri(cohort_system_at(i))),
		    cohort_system_at(i));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(icd_and_atc_codes_say_what_is_above_them),
	    cmocka_unit_test(the_diagnoses_of_eucaim_cover_icd_categories),
	    cmocka_unit_test(a_table_joins_what_the_codes_say),
	    cmocka_unit_test(a_block_is_scanned_from_what_its_codes_begin_with),
	    cmocka_unit_test(broken_tables_are_refused_with_their_line),
	    cmocka_unit_test(an_ontology_gives_its_named_superclasses),
	    cmocka_unit_test(a_broken_ontology_is_refused_with_its_line),
	    cmocka_unit_test(codes_are_brought_to_their_usual_form),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
