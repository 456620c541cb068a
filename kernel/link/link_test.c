/* SPDX-License-Identifier: Apache-2.0 */
#include "link/link.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/test.h"
#include "link/issuers.h"

struct fixture {
	struct test_dir dir;
	char keys[128], links[128];
	uv_loop_t loop;
	struct identity *identity;
	struct link *link;
	char **issuers;
	bool done;
	int code;
	char text[CAIRN_ERROR_TEXT_MAX], patient[27];
	int shift, days;
	size_t moves;
	uint64_t conflict;
	bool conflict_new;
	size_t row_errors;
};

static void
open_link(struct fixture *f)
{
	struct link_options options = {
	    .dir = f->links, .identity = f->identity, .project = "p", .issuers = f->issuers};
	struct cairn_error err = {0};

	assert_int_equal(link_open(&f->link, &f->loop, &options, &err), 0);
}

static void
close_link(struct fixture *f)
{
	link_close(f->link, NULL, NULL);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	f->link = NULL;
}

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	test_dir_make(&f->dir);
	snprintf(f->keys, sizeof f->keys, "%s/keys", f->dir.path);
	snprintf(f->links, sizeof f->links, "%s/links", f->dir.path);
	assert_int_equal(identity_create(f->keys, NULL), 0);
	assert_int_equal(identity_open(&f->identity, f->keys, NULL), 0);
	uv_loop_init(&f->loop);
	open_link(f);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	if (f->link != NULL)
		close_link(f);
	identity_free(f->identity);
	uv_loop_close(&f->loop);
	test_dir_remove(&f->dir);
	free(f);
	return 0;
}

/* ---- saying it shortly ------------------------------------------------------------------ */

static void
changed(void *arg, struct link_change *change)
{
	struct fixture *f = arg;

	f->done = true;
	f->code = change->code;
	snprintf(f->text, sizeof f->text, "%s", change->err.text);
	link_key_text(&change->outcome.patient, f->patient);
	f->shift = change->outcome.shift;
	f->moves = change->outcome.move_count;
	f->days = f->moves > 0 ? change->outcome.moves[0].days : 0;
	f->conflict = change->outcome.conflict;
	f->conflict_new = change->outcome.conflict_new;
	f->row_errors = change->row_error_count;
	link_change_free(change);
}

static int
run(struct fixture *f, struct link_change *change)
{
	f->done = false;
	change->done = changed;
	change->arg = f;
	snprintf(change->source, sizeof change->source, "test");
	assert_int_equal(link_change_put(f->link, change, NULL), 0);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_true(f->done);
	return f->code;
}

/* "patient-id/A/1" */
static struct link_identifier
identifier(struct fixture *f, const char *text)
{
	char copy[600];
	const char *parts[3];
	struct link_identifier ret;
	char *at = copy;

	snprintf(copy, sizeof copy, "%s", text);
	for (size_t i = 0; i < 3; i++) {
		char *end = strchr(at, '/');

		parts[i] = at;
		if (end != NULL)
			*end = 0;
		at = end == NULL ? at : end + 1;
	}
	assert_int_equal(link_identifier(f->link, parts, "test", &ret, NULL), 0);
	return ret;
}

/* Statements are divided by "|", identifiers by a space. */
static struct link_change *
change_of(struct fixture *f, enum link_change_kind kind, const char *text)
{
	struct link_change *change = link_change_new(8, 64);
	char copy[1000], *rest = copy, *word;
	size_t count = 0;

	snprintf(copy, sizeof copy, "%s", text);
	change->kind = kind;
	change->statement_count = 1;
	change->statements[0] =
	    (struct link_statement){.identifiers = change->identifiers, .line = 1};
	while ((word = strsep(&rest, " ")) != NULL) {
		if (strcmp(word, "|") == 0) {
			change->statements[change->statement_count++] =
			    (struct link_statement){.identifiers = change->identifiers + count,
				.line = (uint32_t)change->statement_count + 1};
			continue;
		}
		change->identifiers[count++] = identifier(f, word);
		change->statements[change->statement_count - 1].count++;
	}
	return change;
}

static int
state(struct fixture *f, const char *text)
{
	return run(f, change_of(f, LINK_STATE, text));
}

static int
find(struct fixture *f, const char *text, char ret[IDENTITY_PSEUDONYM_MAX])
{
	struct link_identifier it = identifier(f, text);
	struct link_answer answer = {{0}, 0};
	int code = link_find(f->link, &it, &answer, NULL);

	memcpy(ret, answer.pseudonym, sizeof answer.pseudonym);
	return code;
}

static void
assert_same(struct fixture *f, const char *one, const char *other)
{
	char a[IDENTITY_PSEUDONYM_MAX], b[IDENTITY_PSEUDONYM_MAX];

	assert_int_equal(find(f, one, a), 0);
	assert_int_equal(find(f, other, b), 0);
	assert_string_equal(a, b);
}

static void
assert_differ(struct fixture *f, const char *one, const char *other)
{
	char a[IDENTITY_PSEUDONYM_MAX], b[IDENTITY_PSEUDONYM_MAX];

	assert_int_equal(find(f, one, a), 0);
	assert_int_equal(find(f, other, b), 0);
	assert_string_not_equal(a, b);
}

static int
resolve(struct fixture *f, uint64_t id, const char *keep)
{
	struct link_change *change = link_change_new(0, 0);

	change->kind = LINK_RESOLVE;
	change->conflict = id;
	snprintf(change->keep, sizeof change->keep, "%s", keep);
	return run(f, change);
}

/* ---- pseudonyms ------------------------------------------------------------------------- */

static void
link_an_unlinked_patient_has_the_pseudonym_of_the_site_key(void **arg)
{
	struct fixture *f = *arg;
	char found[IDENTITY_PSEUDONYM_MAX], own[IDENTITY_PSEUDONYM_MAX];
	const char *types[] = {"patient-id", "mrn"};

	assert_int_equal(
	    identity_pseudonym(f->identity, "p", "patient-id", "A", "1", own, NULL, NULL), 0);
	for (size_t i = 0; i < 2; i++) {
		char text[64];

		snprintf(text, sizeof text, "%s/A/1", types[i]);
		assert_int_equal(find(f, text, found), 0);
		assert_string_equal(found, own);
	}
	assert_int_equal(state(f, "patient-id/A/1 accession/R/77"), 0);
	assert_int_equal(find(f, "patient-id/A/1", found), 0);
	assert_string_equal(found, own);
}

static void
link_an_unlinked_sample_is_not_found(void **arg)
{
	char found[IDENTITY_PSEUDONYM_MAX];

	assert_int_equal(find(*arg, "sample/LAB/S1", found), CAIRN_ENOTFOUND);
	assert_int_equal(state(*arg, "sample/LAB/S1 accession//9"), CAIRN_ENOTFOUND);
	assert_int_equal(state(*arg, "national-id/DE/9"), CAIRN_ENOTFOUND);
}

static void
link_identifiers_of_one_statement_lead_to_one_pseudonym(void **arg)
{
	struct fixture *f = *arg;

	assert_int_equal(state(f, "patient-id/A/1 sample/LAB/S1 national-id/DE/9 accession//7"), 0);
	assert_int_equal(f->moves, 0);
	assert_same(f, "patient-id/A/1", "sample/LAB/S1");
	assert_same(f, "patient-id/A/1", "national-id/DE/9");
	assert_same(f, "patient-id/A/1", "accession//7");
	/* And what is said with one of them later. */
	assert_int_equal(state(f, "sample/LAB/S1 sample/LAB/S2"), 0);
	assert_same(f, "patient-id/A/1", "sample/LAB/S2");
}

static void
link_a_second_patient_number_becomes_the_first_and_moves_its_facts(void **arg)
{
	struct fixture *f = *arg;
	struct link_identifier one = identifier(f, "patient-id/A/1");
	struct link_identifier two = identifier(f, "patient-id/B/2");

	assert_int_equal(state(f, "patient-id/A/1 patient-id/B/2"), 0);
	assert_same(f, "patient-id/A/1", "patient-id/B/2");
	assert_int_equal(f->moves, 1);
	assert_int_equal(f->days, one.shift - two.shift);
	assert_int_equal(state(f, "patient-id/A/1 patient-id/B/2"), 0);
	assert_int_equal(f->moves, 0);
}

static void
link_a_lookup_gives_the_survivors_date_shift(void **arg)
{
	struct fixture *f = *arg;
	struct link_identifier one = identifier(f, "patient-id/A/1"),
			       sample = identifier(f, "sample/L/1");
	struct link_answer answer;

	assert_int_equal(state(f, "patient-id/A/1 sample/L/1"), 0);
	assert_int_equal(link_find(f->link, &sample, &answer, NULL), 0);
	assert_int_equal(answer.date_shift_days, one.shift);
}

/* ---- conflicts -------------------------------------------------------------------------- */

static void
link_an_accession_of_another_patient_is_a_conflict_and_changes_nothing(void **arg)
{
	struct fixture *f = *arg;
	Cairn__LinkConflict *conflict;

	assert_int_equal(state(f, "patient-id/A/1 accession//7"), 0);
	assert_int_equal(state(f, "patient-id/A/2 accession//7 accession//8"), 0);
	assert_int_equal(f->conflict, 1);
	assert_true(f->conflict_new);
	assert_same(f, "patient-id/A/1", "accession//7");
	assert_differ(f, "patient-id/A/2", "accession//7");
	assert_int_equal(find(f, "accession//8", f->text), CAIRN_ENOTFOUND);
	assert_int_equal(link_conflicts(f->link, false, &conflict, 1), 1);
	assert_int_equal(conflict->n_identifiers, 3);
	assert_false(conflict->identifiers[0]->disputed);
	assert_true(conflict->identifiers[1]->disputed);
	assert_string_equal(conflict->a, f->patient);
	cairn__link_conflict__free_unpacked(conflict, NULL);
}

static void
link_a_conflict_is_kept_once(void **arg)
{
	struct fixture *f = *arg;
	struct link_counts counts;

	assert_int_equal(state(f, "patient-id/A/1 accession//7"), 0);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(state(f, "patient-id/A/2 accession//7"), 0);
		assert_int_equal(f->conflict, 1);
		assert_int_equal(f->conflict_new, i == 0);
	}
	assert_int_equal(state(f, "accession//7 patient-id/A/3"), 0);
	assert_int_equal(f->conflict, 2);
	assert_same(f, "accession//7", "patient-id/A/1");
	link_counts_get(f->link, &counts);
	assert_int_equal(counts.conflicts, 2);
}

static void
link_two_known_patients_in_one_statement_are_a_conflict(void **arg)
{
	struct fixture *f = *arg;

	assert_int_equal(state(f, "patient-id/A/1 sample//1"), 0);
	assert_int_equal(state(f, "patient-id/A/2 sample//2"), 0);
	assert_int_equal(state(f, "patient-id/A/1 patient-id/A/2"), 0);
	assert_int_equal(f->conflict, 1);
	assert_differ(f, "patient-id/A/1", "patient-id/A/2");
}

static void
link_keeping_a_moves_the_disputed_identifier(void **arg)
{
	struct fixture *f = *arg;
	struct link_counts counts;

	assert_int_equal(state(f, "patient-id/A/1 accession//7"), 0);
	assert_int_equal(state(f, "patient-id/A/2 accession//7"), 0);
	assert_int_equal(resolve(f, f->conflict, "a"), 0);
	assert_same(f, "patient-id/A/2", "accession//7");
	assert_differ(f, "patient-id/A/1", "accession//7");
	link_counts_get(f->link, &counts);
	assert_int_equal(counts.conflicts, 0);
	assert_int_equal(resolve(f, 1, "a"), CAIRN_EEXIST);
	assert_int_equal(resolve(f, 9, "a"), CAIRN_ENOTFOUND);
}

static void
link_keeping_b_leaves_all_as_it_is(void **arg)
{
	struct fixture *f = *arg;

	assert_int_equal(state(f, "patient-id/A/1 accession//7"), 0);
	assert_int_equal(state(f, "patient-id/A/2 accession//7"), 0);
	assert_int_equal(resolve(f, f->conflict, "b"), 0);
	assert_same(f, "patient-id/A/1", "accession//7");
	assert_int_equal(state(f, "patient-id/A/2 accession//7"), 0);
	assert_int_equal(f->conflict, 1);
	assert_false(f->conflict_new);
}

static void
link_resolving_by_merge_joins_the_patients(void **arg)
{
	struct fixture *f = *arg;

	assert_int_equal(state(f, "patient-id/A/1 sample//1"), 0);
	assert_int_equal(state(f, "patient-id/A/2 sample//2"), 0);
	assert_int_equal(state(f, "patient-id/A/1 patient-id/A/2"), 0);
	assert_int_equal(resolve(f, f->conflict, "a"), CAIRN_EINVAL);
	assert_int_equal(resolve(f, 1, "merge"), 0);
	assert_int_equal(f->moves, 1);
	assert_same(f, "sample//1", "sample//2");
}

/* ---- merges ----------------------------------------------------------------------------- */

static void
link_merges_chain_to_the_last_survivor(void **arg)
{
	struct fixture *f = *arg;
	struct link_identifier one = identifier(f, "patient-id/A/1");
	struct link_identifier two = identifier(f, "patient-id/A/2");

	assert_int_equal(run(f, change_of(f, LINK_MERGE, "patient-id/A/1 | patient-id/A/2")), 0);
	assert_int_equal(f->moves, 1);
	assert_int_equal(f->days, two.shift - one.shift);
	assert_int_equal(run(f, change_of(f, LINK_MERGE, "patient-id/A/2 | patient-id/A/3")), 0);
	assert_same(f, "patient-id/A/1", "patient-id/A/3");
	assert_int_equal(run(f, change_of(f, LINK_MERGE, "patient-id/A/1 | patient-id/A/3")), 0);
	assert_int_equal(f->moves, 0);
}

static void
link_a_merge_back_is_refused(void **arg)
{
	struct fixture *f = *arg;

	assert_int_equal(run(f, change_of(f, LINK_MERGE, "patient-id/A/1 | patient-id/A/2")), 0);
	assert_int_equal(
	    run(f, change_of(f, LINK_MERGE, "patient-id/A/2 | patient-id/A/1")), CAIRN_EEXIST);
	assert_non_null(strstr(f->text, "cairn patient split"));
}

static void
link_merges_have_an_end(void **arg)
{
	struct fixture *f = *arg;
	char text[100];
	int code = 0;
	unsigned i = 0;

	for (; i < 2 * LINK_HEIGHT_MAX && code == 0; i++) {
		snprintf(text, sizeof text, "patient-id/A/%u | patient-id/A/%u", i, i + 1);
		code = run(f, change_of(f, LINK_MERGE, text));
	}
	assert_int_equal(code, CAIRN_ELIMIT);
	snprintf(text, sizeof text, "patient-id/A/%u", i - 1);
	assert_same(f, "patient-id/A/0", text);
}

static void
link_a_split_undoes_a_merge(void **arg)
{
	struct fixture *f = *arg;
	struct link_change *change = link_change_new(0, 0);

	assert_int_equal(state(f, "patient-id/A/1 sample//1"), 0);
	assert_int_equal(run(f, change_of(f, LINK_MERGE, "patient-id/A/1 | patient-id/A/2")), 0);
	assert_same(f, "sample//1", "patient-id/A/2");
	change->kind = LINK_SPLIT;
	change->from = identifier(f, "patient-id/A/1").key;
	assert_int_equal(run(f, change), 0);
	assert_differ(f, "sample//1", "patient-id/A/2");
	assert_same(f, "sample//1", "patient-id/A/1");
}

/* ---- the rest --------------------------------------------------------------------------- */

static void
link_a_table_with_a_wrong_row_links_nothing(void **arg)
{
	struct fixture *f = *arg;
	char none[IDENTITY_PSEUDONYM_MAX];

	assert_int_equal(run(f,
			     change_of(f, LINK_TABLE,
				 "patient-id/A/1 sample//1 | sample//8 sample//9 | "
				 "patient-id/A/2 sample//1")),
	    CAIRN_EINVAL);
	assert_int_equal(f->row_errors, 2);
	assert_int_equal(find(f, "sample//1", none), CAIRN_ENOTFOUND);
	assert_int_equal(
	    run(f, change_of(f, LINK_TABLE, "patient-id/A/1 sample//1 | patient-id/A/2 sample//2")),
	    0);
	assert_same(f, "patient-id/A/2", "sample//2");
}

static void
link_what_is_known_survives_a_restart(void **arg)
{
	struct fixture *f = *arg;
	struct link_known known[LINK_SHOWN_MAX];
	struct link_key key = identifier(f, "patient-id/A/1").key, patient;
	struct link_counts counts;
	size_t count;

	assert_int_equal(state(f, "patient-id/A/1 sample/LAB/1"), 0);
	assert_int_equal(run(f, change_of(f, LINK_MERGE, "patient-id/A/1 | patient-id/A/2")), 0);
	close_link(f);
	assert_int_equal(link_verify(f->links, &counts, NULL), 0);
	assert_int_equal(counts.identifiers, 3);
	assert_int_equal(counts.patients, 1);
	open_link(f);
	assert_same(f, "sample/LAB/1", "patient-id/A/2");
	assert_int_equal(link_show(f->link, &key, &patient, known, &count, NULL), 0);
	assert_int_equal(count, 3);
	assert_true(known[1].merged);
	assert_string_equal(known[2].type, "sample");
	assert_string_equal(known[2].issuer, "lab");
	assert_string_equal(known[2].source, "test");
	assert_true(link_key_same(&known[2].pseudonym, &key));
}

static void
see_move(void *arg, const struct link_move *move)
{
	(void)move;
	++*(size_t *)arg;
}

static void
link_moves_are_told_again_after_a_restart_unless_split(void **arg)
{
	struct fixture *f = *arg;
	struct link_change *change = link_change_new(0, 0);
	size_t count = 0;

	assert_int_equal(run(f, change_of(f, LINK_MERGE, "patient-id/A/1 | patient-id/A/2")), 0);
	close_link(f);
	open_link(f);
	link_moves(f->link, see_move, &count);
	assert_int_equal(count, 1);
	change->kind = LINK_SPLIT;
	change->from = identifier(f, "patient-id/A/1").key;
	assert_int_equal(run(f, change), 0);
	count = 0;
	link_moves(f->link, see_move, &count);
	assert_int_equal(count, 0);
}

static void
link_what_was_answered_survives_a_kill(void **arg)
{
	struct fixture *f = *arg;
	int status;
	pid_t child;

	close_link(f);
	uv_loop_close(&f->loop);
	child = fork();
	if (child == 0) {
		uv_loop_init(&f->loop);
		open_link(f);
		if (state(f, "patient-id/A/1 sample//1") == 0)
			raise(SIGKILL);
		_exit(3);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	uv_loop_init(&f->loop);
	open_link(f);
	assert_same(f, "patient-id/A/1", "sample//1");
}

static void
link_no_identifier_is_on_disk(void **arg)
{
	struct fixture *f = *arg;
	char path[160];
	struct buf data = {.max = 64u << 20};

	assert_int_equal(state(f, "patient-id/HOSP/PATNUMBER4711 sample/LAB/SAMPLENUMBER0815"), 0);
	snprintf(path, sizeof path, "%s/data.mdb", f->links);
	assert_int_equal(file_read(path, &data, NULL), 0);
	assert_null(memmem(data.data, data.length, "PATNUMBER", 9));
	assert_null(memmem(data.data, data.length, "SAMPLENUMBER", 12));
	assert_non_null(memmem(data.data, data.length, "lab", 3));
	buf_fini(&data);
}

static void
issuers_of_one_name_are_one(void **arg)
{
	char *table[] = {(char[]){"1.2.276.0.76=ST-ANNA"}, (char[]){"=ST-ANNA"}, NULL};
	const struct {
		bool patient;
		const char *issuer, *expected;
	} cases[] = {{true, "1.2.276.0.76", "ST-ANNA"}, {true, "urn:oid:1.2.276.0.76", "ST-ANNA"},
	    {true, "st-anna", "ST-ANNA"}, {false, "St-Anna", "ST-ANNA"}, {true, "", "ST-ANNA"},
	    {true, "Other", "Other"}, {false, " Other", "other"}, {false, "URN:OID:1.3", "1.3"}};
	char buffer[ISSUER_MAX + 1];
	const char *found;

	(void)arg;
	assert_int_equal(issuers_check(table, NULL), 0);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		assert_int_equal(
		    issuers_canonical(table, cases[i].patient, cases[i].issuer, buffer, &found), 0);
		assert_string_equal(found, cases[i].expected);
	}
}

static void
issuers_that_contradict_are_refused(void **arg)
{
	char *tables[][3] = {{(char[]){"A"}}, {(char[]){"A="}}, {(char[]){"A=B"}, (char[]){"a=C"}},
	    {(char[]){"A=B"}, (char[]){"B=C"}}};

	(void)arg;
	for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
		assert_int_equal(issuers_check(tables[i], NULL), CAIRN_EINVAL);
}

#define WITH_LINK(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    WITH_LINK(link_an_unlinked_patient_has_the_pseudonym_of_the_site_key),
	    WITH_LINK(link_an_unlinked_sample_is_not_found),
	    WITH_LINK(link_identifiers_of_one_statement_lead_to_one_pseudonym),
	    WITH_LINK(link_a_second_patient_number_becomes_the_first_and_moves_its_facts),
	    WITH_LINK(link_a_lookup_gives_the_survivors_date_shift),
	    WITH_LINK(link_an_accession_of_another_patient_is_a_conflict_and_changes_nothing),
	    WITH_LINK(link_a_conflict_is_kept_once),
	    WITH_LINK(link_two_known_patients_in_one_statement_are_a_conflict),
	    WITH_LINK(link_keeping_a_moves_the_disputed_identifier),
	    WITH_LINK(link_keeping_b_leaves_all_as_it_is),
	    WITH_LINK(link_resolving_by_merge_joins_the_patients),
	    WITH_LINK(link_merges_chain_to_the_last_survivor),
	    WITH_LINK(link_a_merge_back_is_refused),
	    WITH_LINK(link_merges_have_an_end),
	    WITH_LINK(link_a_split_undoes_a_merge),
	    WITH_LINK(link_a_table_with_a_wrong_row_links_nothing),
	    WITH_LINK(link_what_is_known_survives_a_restart),
	    WITH_LINK(link_moves_are_told_again_after_a_restart_unless_split),
	    WITH_LINK(link_what_was_answered_survives_a_kill),
	    WITH_LINK(link_no_identifier_is_on_disk),
	    cmocka_unit_test(issuers_of_one_name_are_one),
	    cmocka_unit_test(issuers_that_contradict_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
