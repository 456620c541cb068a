/* SPDX-License-Identifier: Apache-2.0 */
/* What a connector states against a fake kernel; the engine is a record for each patient. */
#include "base/test.h"

#include <cairn/testing.h>

#include "base/file.h"
#include "cairn/cohort.pb-c.h"
#include "facts.h"
#include "facts_testing.h"

static void
a_statement_becomes_a_job(void **state)
{
	struct world world;

	(void)state;
	world_begin(&world, NULL);
	world_state(&world, "p1", "sex", "female", "condition", "c1", "diagnosis", "icd10:C50");
	world_deliver(&world);
	assert_string_equal(
	    engine_text(&world), "p1: sex=female condition/c1 diagnosis=icd10:C50\n");
	world_end(&world);
}

static void
the_same_statement_costs_nothing(void **state)
{
	struct world world;

	(void)state;
	world_begin(&world, NULL);
	world_state(&world, "p1", "sex", "female", "condition", "c1", "diagnosis", "icd10:C50");
	world_deliver(&world);
	world_state(&world, "p1", "sex", "female", "condition", "c1", "diagnosis", "icd10:C50");
	world_deliver(&world);
	assert_int_equal(world.engine.jobs, 1);
	world_end(&world);
}

static void
an_entry_is_replaced_and_withdrawn(void **state)
{
	struct world world;

	(void)state;
	world_begin(&world, NULL);
	world_state(&world, "p1", "sex", "female", "condition", "c1", "diagnosis", "icd10:C50");
	world_state(&world, "p1", NULL, NULL, "condition", "c1", "diagnosis", "icd10:C34");
	world_state(&world, "p1", NULL, NULL, "condition", "c2", "diagnosis", "icd10:C18");
	world_deliver(&world);
	assert_string_equal(engine_text(&world),
	    "p1: sex=female condition/c1 diagnosis=icd10:C34 "
	    "condition/c2 diagnosis=icd10:C18\n");
	world_state(&world, "p1", NULL, NULL, "condition", "c1", NULL, NULL);
	world_deliver(&world);
	assert_string_equal(
	    engine_text(&world), "p1: sex=female condition/c2 diagnosis=icd10:C18\n");
	world_end(&world);
}

static void
a_patient_is_withdrawn(void **state)
{
	struct world world;

	(void)state;
	world_begin(&world, NULL);
	world_state(&world, "p1", "sex", "female", "condition", "c1", "diagnosis", "icd10:C50");
	world_state(&world, "p2", "sex", "male", NULL, NULL, NULL, NULL);
	world_deliver(&world);
	world_withdraw(&world, "p1");
	world_deliver(&world);
	assert_string_equal(engine_text(&world), "p2: sex=male\n");
	world_end(&world);
}

static void
a_merged_patient_has_the_facts_of_both(void **state)
{
	struct world world;

	(void)state;
	world_begin(&world, NULL);
	world_state(&world, "p1", "sex", "female", "condition", "c1", "diagnosis", "icd10:C50");
	world_state(&world, "p2", NULL, NULL, "condition", "c2", "diagnosis", "icd10:C18");
	world_deliver(&world);
	world_merge(&world, "p1", "p2");
	world_deliver(&world);
	assert_string_equal(engine_text(&world),
	    "p2: sex=female condition/c1 diagnosis=icd10:C50 "
	    "condition/c2 diagnosis=icd10:C18 replaces=p1\n");
	world_end(&world);
}

static void
a_new_index_gets_all_again(void **state)
{
	struct world world;

	(void)state;
	world_begin(&world, NULL);
	world_index(&world, "00000000000000aa");
	for (unsigned i = 0; i < 700; i++) {
		char name[16];

		snprintf(name, sizeof name, "p%03u", i);
		world_state(&world, name, "sex", "female", "condition", "c", "diagnosis", "x");
	}
	world_deliver(&world);
	engine_clear(&world.engine);
	world_index(&world, "00000000000000bb");
	world_deliver(&world);
	assert_true(world.engine.complete);
	assert_int_equal((int)world.engine.count, 700);
	world_end(&world);
}

static void
a_set_replaces_the_one_of_its_name(void **state)
{
	static const char *const first[] = {"p1", "p2", "p3", NULL};
	static const char *const second[] = {"p2", "p4", NULL};
	struct world world;

	(void)state;
	world_begin(&world, NULL);
	world_state(&world, "p1", "sex", "male", NULL, NULL, NULL, NULL);
	world_set(&world, "t1", first, "1");
	world_deliver(&world);
	assert_string_equal(engine_text(&world),
	    "p1: sex=male observation/t1 psa=1\np2: observation/t1 psa=1\n"
	    "p3: observation/t1 psa=1\n");
	world_set(&world, "t1", second, "2");
	world_deliver(&world);
	assert_string_equal(engine_text(&world),
	    "p1: sex=male\np2: observation/t1 psa=2\np4: observation/t1 psa=2\n");
	assert_int_equal(world.counts.patients, 2);
	assert_int_equal(world.counts.changed, 2);
	assert_int_equal(world.counts.gone, 2);
	world_set(&world, "t1", second, "2");
	assert_int_equal(world.counts.changed, 0);
	world_end(&world);
}

static void
a_set_that_is_dropped_changes_nothing(void **state)
{
	static const char *const first[] = {"p1", NULL};
	struct world world;

	(void)state;
	world_begin(&world, NULL);
	world.drop = true;
	world_set(&world, "t1", first, "1");
	world.drop = false;
	world_deliver(&world);
	assert_string_equal(engine_text(&world), "");
	world_set(&world, "t1", first, "3");
	world_deliver(&world);
	assert_string_equal(engine_text(&world), "p1: observation/t1 psa=3\n");
	world_end(&world);
}

/* The steps of a run that is killed and goes on. */
static void
steps(struct world *world, unsigned from)
{
	static const char *const first[] = {"p1", "p2", "p3", NULL};
	static const char *const second[] = {"p2", "p4", NULL};

	if (from <= 0)
		world_state(world, "p1", "sex", "male", "condition", "c1", "diagnosis", "x");
	if (from <= 1)
		world_set(world, "t1", first, "1");
	if (from <= 2)
		world_set(world, "t1", second, "2");
	if (from <= 3)
		world_merge(world, "p1", "p4");
	world_deliver(world);
	if (from <= 4)
		world_state(world, "p4", "sex", "female", "condition", "c1", NULL, NULL);
	if (from <= 5)
		world_withdraw(world, "p2");
	world_deliver(world);
}

/* A copy of the database after every transaction, and after every job that the kernel took, is what
 * a kill at that moment leaves. */
static void
a_kill_between_any_two_steps_loses_nothing(void **state)
{
	struct snapshot *snapshots = calloc(SNAPSHOTS_MAX, sizeof *snapshots);
	struct world *world = malloc(sizeof *world), *after = malloc(sizeof *after);
	char want[4096];

	(void)state;
	world_begin(world, NULL);
	world->snapshots = snapshots;
	steps(world, 0);
	world->snapshots = NULL;
	snprintf(want, sizeof want, "%s", engine_text(world));
	assert_string_equal(want, "p4: sex=female observation/t1 psa=2 replaces=p1\n");
	assert_true(world->snapshot_count > 12);
	for (unsigned i = 0; i < world->snapshot_count; i++) {
		char path[128];

		/* One kernel at a time: the first world is only a folder from here on. */
		snprintf(path, sizeof path, "%s/%u", world->dir.path, i);
		world_begin(after, path);
		engine_copy(&after->engine, &snapshots[i].engine);
		steps(after, snapshots[i].done);
		assert_string_equal(engine_text(after), want);
		world_end(after);
		engine_clear(&snapshots[i].engine);
	}
	free(snapshots);
	free(after);
	world_end(world);
	free(world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_statement_becomes_a_job),
	    cmocka_unit_test(the_same_statement_costs_nothing),
	    cmocka_unit_test(an_entry_is_replaced_and_withdrawn),
	    cmocka_unit_test(a_patient_is_withdrawn),
	    cmocka_unit_test(a_merged_patient_has_the_facts_of_both),
	    cmocka_unit_test(a_new_index_gets_all_again),
	    cmocka_unit_test(a_set_replaces_the_one_of_its_name),
	    cmocka_unit_test(a_set_that_is_dropped_changes_nothing),
	    cmocka_unit_test(a_kill_between_any_two_steps_loses_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
