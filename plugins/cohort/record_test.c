/* SPDX-License-Identifier: Apache-2.0 */
/* What sources state about patients beside images. */
#include "testing.h"

#include <lmdb.h>

#include "identity.h"

static Cairn__FactBatch *
one_entry(unsigned patient, unsigned id, unsigned text)
{
	struct statement s = {.patient = patient, .replaces = NOBODY, .record_count = 1};

	s.records[0].id = id;
	s.records[0].fact_count = 1;
	s.records[0].facts[0] = (struct item_fact){.level = 4, .attribute = 9, .text = text};
	return batch_of_statement(&s);
}

static void
an_entry_stated_again_replaces_what_it_said(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f);
	fixture_put_batch(&f, one_entry(1, 1, 0));
	assert_int_equal(count_text(&f, "diagnosis = icd10:C34", 0), 1);
	assert_int_equal(fixture_put_batch(&f, one_entry(1, 1, 0)).unchanged, 1);
	assert_int_equal(fixture_put_batch(&f, one_entry(1, 1, 2)).changed, 1);
	assert_int_equal(count_text(&f, "diagnosis = icd10:C34", 0), 0);
	assert_int_equal(count_text(&f, "same condition (diagnosis = icd10:C50)", 0), 1);
	fixture_close(&f);
}

static void
a_patient_without_images_is_counted_until_all_is_withdrawn(void **state)
{
	struct statement gone = {.patient = 1, .replaces = NOBODY, .withdrawn = true};
	struct fixture f;

	(void)state;
	fixture_open(&f);
	fixture_put_batch(&f, one_entry(1, 1, 0));
	assert_int_equal(count_text(&f, "*", 0), 1);
	assert_int_equal(count_text(&f, "*", 1), 0);
	assert_int_equal(count_text(&f, "not modality = CT", 0), 1);
	fixture_put_batch(&f, batch_of_statement(&gone));
	assert_int_equal(count_text(&f, "*", 0), 0);
	fixture_close(&f);
}

static void
facts_of_a_replaced_pseudonym_go_to_its_successor_before_and_after(void **state)
{
	struct statement merge = {.patient = 2, .replaces = 1};
	struct item before = {.path = {1, 1, 1, 1}}, after = {.path = {1, 1, 1, 2}};
	struct fixture f;

	(void)state;
	fixture_open(&f);
	fixture_put(&f, &before, 1);
	fixture_put_batch(&f, one_entry(1, 1, 0));
	fixture_put_batch(&f, one_entry(2, 2, 2));
	assert_int_equal(count_text(&f, "*", 0), 2);
	fixture_put_batch(&f, batch_of_statement(&merge));
	fixture_put(&f, &after, 1);
	fixture_put_batch(&f, one_entry(1, 3, 2));
	assert_int_equal(count_text(&f, "*", 0), 1);
	assert_int_equal(count_text(&f, "*", 1), 1);
	assert_int_equal(count_text(&f, "*", 3), 2);
	assert_int_equal(count_text(&f, "diagnosis = icd10:C34 and not modality exists", 0), 1);
	assert_int_equal(count_text(&f, "at least 2 conditions (diagnosis in icd10:C50)", 0), 1);
	fixture_close(&f);
}

static void
an_erased_patient_leaves_no_entry(void **state)
{
	struct fixture f;
	struct cairn_error err = {0};
	struct index_write *write = NULL;
	struct index_stats stats;

	(void)state;
	fixture_open(&f);
	fixture_put_batch(&f, one_entry(1, 1, 0));
	assert_ok(index_begin(f.index, &write, &err), &err);
	assert_ok(index_erase_patient(write, "patient-1", &err), &err);
	assert_ok(index_commit(write, &err), &err);
	assert_ok(index_stats(f.index, &stats, &err), &err);
	assert_int_equal(stats.entities[0], 0);
	assert_int_equal(stats.entries, 0);
	fixture_close(&f);
}

static void
a_laboratory_result_is_an_observation(void **state)
{
	Cairn__FactBatch batch = CAIRN__FACT_BATCH__INIT;
	Cairn__PatientFacts patient = CAIRN__PATIENT_FACTS__INIT, *patients[] = {&patient};
	Cairn__Observation observation = CAIRN__OBSERVATION__INIT, *observations[] = {&observation};
	Cairn__Quantity quantity = CAIRN__QUANTITY__INIT;
	struct index_applied applied = {0};
	struct index_write *write = NULL;
	struct cairn_error err = {0};
	struct fixture f;

	(void)state;
	fixture_open(&f);
	quantity.value = 7.5;
	quantity.unit = (char *)(uintptr_t) "ng/mL";
	observation.code = (char *)(uintptr_t) "2857-1";
	observation.system = (char *)(uintptr_t) "LN";
	observation.status = (char *)(uintptr_t) "F";
	observation.day = 18000;
	observation.value_case = CAIRN__OBSERVATION__VALUE_QUANTITY;
	observation.quantity = &quantity;
	patient.patient = (char *)(uintptr_t) "patient-1";
	patient.observations = observations;
	patient.n_observations = 1;
	batch.source = (char *)(uintptr_t) "hl7v2";
	batch.patients = patients;
	batch.n_patients = 1;
	assert_ok(index_begin(f.index, &write, &err), &err);
	assert_ok(index_apply(write, &batch, &applied, &err), &err);
	assert_ok(index_commit(write, &err), &err);
	assert_int_equal(
	    count_text(
		&f, "same observation (observation = loinc:2857-1 and observation_value > 7)", 0),
	    1);
	fixture_close(&f);
}

/* What an older build left: only the format differs. */
static void
write_format_one(const char *dir)
{
	uint32_t counters[7] = {1};
	MDB_val key = {8, (void *)(uintptr_t) "counters"}, value = {sizeof counters, counters};
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi meta;

	assert_int_equal(mdb_env_create(&env), 0);
	assert_int_equal(mdb_env_set_maxdbs(env, 4), 0);
	assert_int_equal(mdb_env_open(env, dir, 0, 0600), 0);
	assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
	assert_int_equal(mdb_dbi_open(txn, "meta", MDB_CREATE, &meta), 0);
	assert_int_equal(mdb_put(txn, meta, &key, &value, 0), 0);
	assert_int_equal(mdb_txn_commit(txn), 0);
	mdb_env_close(env);
}

static void
an_index_of_another_format_is_made_anew_and_says_so(void **state)
{
	struct fixture f;
	struct index_options options;
	struct index_state now;
	struct cairn_error err = {0};

	(void)state;
	test_dir_make(&f.dir);
	write_format_one(f.dir.path);
	options = (struct index_options){.dir = f.dir.path};
	assert_ok(index_open(&f.index, &options, &err), &err);
	assert_int_equal(index_discarded(f.index), 1);
	assert_ok(index_state_read(f.index, &now, &err), &err);
	assert_true(now.rebuilding);
	fixture_put_batch(&f, one_entry(1, 1, 0));
	assert_int_equal(count_text(&f, "*", 0), 1);
	fixture_reopen(&f);
	assert_int_equal(index_discarded(f.index), 0);
	assert_ok(index_state_read(f.index, &now, &err), &err);
	assert_true(now.rebuilding);
	fixture_close(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_entry_stated_again_replaces_what_it_said),
	    cmocka_unit_test(a_patient_without_images_is_counted_until_all_is_withdrawn),
	    cmocka_unit_test(facts_of_a_replaced_pseudonym_go_to_its_successor_before_and_after),
	    cmocka_unit_test(an_erased_patient_leaves_no_entry),
	    cmocka_unit_test(a_laboratory_result_is_an_observation),
	    cmocka_unit_test(an_index_of_another_format_is_made_anew_and_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
