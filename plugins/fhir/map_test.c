/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of single resources; whole files are in tests/integration/fhir_mapping_test.py. */
#include "base/clock.h"
#include "base/test.h"
#include "person.h"
#include "source.h"

static struct mapping *mapping;
static struct map_result last;

static int
keep(void *arg, const struct map_result *result, const char *url, struct cairn_error *err)
{
	(void)arg, (void)url, (void)err;
	last = *result;
	for (size_t i = 0; i < last.count; i++) {
		if (last.facts[i].kind == FACT_TEXT)
			last.facts[i].text = last.texts + (result->facts[i].text - result->texts);
	}
	return 0;
}

static int
load(void **state)
{
	struct cairn_error err = {0};

	(void)state;
	assert_ok(mapping_load(&mapping, "fhir.lua", mapping_default, mapping_default_length, &err),
	    &err);
	return 0;
}

static int
unload(void **state)
{
	(void)state;
	mapping_free(mapping);
	return 0;
}

static void
map(const char *text)
{
	struct cairn_error err = {0};
	struct source source;

	assert_ok(source_open(&source, mapping, RECORDS_DOCUMENT, keep, NULL, &err), &err);
	assert_ok(source_feed(&source, text, strlen(text), &err), &err);
	assert_ok(source_end(&source, &err), &err);
	source_close(&source);
}

static const char *
text_of(const char *attribute)
{
	for (size_t i = 0; i < last.count; i++) {
		if (strcmp(last.facts[i].attribute, attribute) == 0 &&
		    last.facts[i].kind == FACT_TEXT)
			return last.facts[i].text;
	}
	return "";
}

static double
number_of(const char *attribute)
{
	for (size_t i = 0; i < last.count; i++) {
		if (strcmp(last.facts[i].attribute, attribute) == 0 &&
		    last.facts[i].kind == FACT_NUMBER)
			return last.facts[i].number;
	}
	return -1;
}

#define CODE(system, code) "{\"coding\":[{\"system\":\"" system "\",\"code\":\"" code "\"}]}"
#define COMPONENT(code, value) "{\"code\":" CODE("http://loinc.org", code) "," value "}"

static void
a_variant_is_put_together_of_its_components(void **state)
{
	(void)state;
	map("{\"resourceType\":\"Observation\",\"id\":\"v\",\"status\":\"final\",\"code\":" CODE(
	    "http://loinc.org",
	    "69548-6") ",\"subject\":{\"reference\":\"Patient/1\"},\"component\":[" COMPONENT("4801"
											      "8-6",
	    "\"valueCodeableConcept\":{\"coding\":[{\"system\":\"http://www.genenames.org\","
	    "\"code\":\"HGNC:3236\",\"display\":\"EGFR\"}]}") "," COMPONENT("81290-9",
	    "\"valueCodeableConcept\":" CODE(
		"http://varnomen.hgvs.org", "NC_000007.14:g.55191822T>G")) "," COMPONENT("48005-3",
	    "\"valueCodeableConcept\":" CODE(
		"http://varnomen.hgvs.org", "p.Leu858Arg")) "," COMPONENT("48002-0",
	    "\"valueCodeableConcept\":" CODE("http://loinc.org", "LA6684-0")) "]}");
	assert_string_equal(last.block->entity, "variant");
	assert_string_equal(text_of("gene"), "EGFR");
	assert_string_equal(text_of("variant"), "GRCh38:7:55191822:T:G");
	assert_string_equal(text_of("protein_change"), "L858R");
	assert_string_equal(text_of("origin"), "somatic");
}

static void
tumour_markers_have_attributes_of_their_own(void **state)
{
	(void)state;
	map("{\"resourceType\":\"Observation\",\"id\":\"e\",\"code\":" CODE("http://loinc.org",
	    "85337-4") ",\"valueCodeableConcept\":" CODE("http://snomed.info/sct", "10828004") "}");
	assert_string_equal(text_of("er"), "positive");
	assert_string_equal(text_of("observation"), "loinc:85337-4");
	map("{\"resourceType\":\"Observation\",\"id\":\"t\",\"code\":" CODE(
	    "http://snomed.info/sct",
	    "399504009") ",\"valueCodeableConcept\":" CODE("http://cancerstaging.org", "cT1c") "}");
	assert_string_equal(text_of("clinical_t"), "T1c");
	map("{\"resourceType\":\"Observation\",\"id\":\"g\",\"code\":" CODE(
	    "http://loinc.org", "89247-1") ",\"valueInteger\":2}");
	assert_true(number_of("ecog") == 2);
}

static void
a_number_below_a_bound_is_no_number(void **state)
{
	(void)state;
	map("{\"resourceType\":\"Observation\",\"id\":\"p\",\"code\":" CODE(
	    "http://loinc.org", "2857-1") ",\"valueQuantity\":{\"value\":0.1,\"comparator\":\"<\","
					  "\"unit\":\"ng/mL\"}}");
	assert_true(number_of("psa") == -1);
	assert_true(number_of("observation_value") == -1);
	map("{\"resourceType\":\"Observation\",\"id\":\"p\",\"code\":" CODE("http://loinc.org",
	    "2857-1") ",\"valueQuantity\":{\"value\":4.5,\"unit\":\"ng/mL\",\"code\":\"ng/mL\"}}");
	assert_true(number_of("psa") == 4.5);
}

static void
free_text_is_no_fact(void **state)
{
	(void)state;
	map("{\"resourceType\":\"Condition\",\"id\":\"c\",\"code\":{\"text\":\"Mr Smith has it\"},"
	    "\"bodySite\":[{\"text\":\"left\"}],\"clinicalStatus\":{\"text\":\"active\"}}");
	assert_int_equal(last.count, 0);
	map("{\"resourceType\":\"Observation\",\"id\":\"o\",\"code\":{\"text\":\"x\"},"
	    "\"valueString\":\"Mr Smith\"}");
	assert_int_equal(last.count, 0);
}

static void
a_medical_record_number_is_preferred(void **state)
{
	(void)state;
	map("{\"resourceType\":\"Patient\",\"id\":\"1\",\"identifier\":[{\"system\":\"a\","
	    "\"value\":\"1\"},"
	    "{\"type\":" CODE("http://terminology.hl7.org/CodeSystem/v2-0203",
		"SS") ",\"system\":\"ssn\",\"value\":\"2\"},{\"type\":" CODE("http://"
									     "terminology.hl7.org/"
									     "CodeSystem/v2-0203",
		"MR") ",\"system\":\"mrn\",\"value\":\"3\"}],\"birthDate\":\"1960-02\"}");
	assert_string_equal(last.identifier, "3");
	assert_string_equal(last.issuer, "mrn");
	assert_true(last.has_birth);
	map("{\"resourceType\":\"Patient\",\"id\":\"1\",\"identifier\":[{\"type\":" CODE(
	    "http://terminology.hl7.org/CodeSystem/v2-0203", "SS") ",\"value\":\"2\"}]}");
	assert_false(last.has_identifier);
}

static void
dates_of_a_month_and_a_year_are_taken(void **state)
{
	int32_t day = 0, expected = 0;

	(void)state;
	assert_true(map_day("2020-02-29T23:59:59Z", &day));
	assert_int_equal(clock_days(2020, 2, 29, &expected), 0);
	assert_int_equal(day, expected);
	assert_true(map_day("2020-02", &day));
	assert_int_equal(clock_days(2020, 2, 15, &expected), 0);
	assert_int_equal(day, expected);
	assert_true(map_day("2020", &day));
	assert_false(map_day("2020-02-30", &day));
	assert_false(map_day("2020-2-3", &day));
	assert_false(map_day("yesterday", &day));
}

/* With true days in: shifted days, the age of the true ones, the year of the shifted one. */
static void
ages_are_of_true_days_and_days_are_shifted(void **state)
{
	struct state_person person = {.pseudonym = "p", .shift = -100, .has_birth = 1};
	BUF_AUTO packed = {.max = 1 << 16};
	Cairn__PatientFacts *facts;
	int32_t onset = 0;

	(void)state;
	assert_int_equal(clock_days(1930, 1, 2, &person.birth), 0);
	person.birth += person.shift;
	map("{\"resourceType\":\"Condition\",\"id\":\"c\",\"code\":" CODE(
	    "http://snomed.info/sct", "1") ",\"onsetDateTime\":\"2023-01-01\"}");
	assert_int_equal(person_pack(&last, "id", &packed), 0);
	facts = cairn__patient_facts__unpack(NULL, packed.length, packed.data);
	assert_non_null(facts);
	assert_int_equal(person_apply(facts, &person, 20000), 0);
	assert_int_equal(clock_days(2023, 1, 1, &onset), 0);
	for (size_t i = 0; i < facts->entries[0]->n_facts; i++) {
		const Cairn__Fact *fact = facts->entries[0]->facts[i];

		if (strcmp(fact->attribute, "diagnosis_date") == 0)
			assert_int_equal(fact->day, onset - 100);
		if (strcmp(fact->attribute, "age_at_diagnosis") == 0)
			assert_true(fact->number == 90); /* 92 */
		if (strcmp(fact->attribute, "year_of_diagnosis") == 0)
			assert_true(fact->number == 2022);
	}
	assert_int_equal(facts->entries[0]->n_facts, 4);
	cairn__patient_facts__free_unpacked(facts, NULL);
}

static void
a_mapping_cannot_reach_outside_or_run_for_ever(void **state)
{
	static const char *const wrong[] = {"os.exit()", "require('x')", "while true do end",
	    "local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(1000) end", "load('x')", "resource {}",
	    "fact { attribute = 'sex' }", ""};

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		struct mapping *other = NULL;
		struct cairn_error err = {0};

		assert_int_not_equal(
		    mapping_load(&other, "x.lua", wrong[i], strlen(wrong[i]), &err), 0);
		assert_non_null(strstr(err.text, "x.lua"));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_variant_is_put_together_of_its_components),
	    cmocka_unit_test(tumour_markers_have_attributes_of_their_own),
	    cmocka_unit_test(a_number_below_a_bound_is_no_number),
	    cmocka_unit_test(free_text_is_no_fact),
	    cmocka_unit_test(a_medical_record_number_is_preferred),
	    cmocka_unit_test(dates_of_a_month_and_a_year_are_taken),
	    cmocka_unit_test(ages_are_of_true_days_and_days_are_shifted),
	    cmocka_unit_test(a_mapping_cannot_reach_outside_or_run_for_ever),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
