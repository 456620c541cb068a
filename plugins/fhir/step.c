/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The phases of a step, each begun by the one before:
 *   ask      (loop)    the pseudonym of each patient that it brings
 *   resolve  (worker)  one transaction: persons are kept, and what is theirs, also what waited,
 * becomes statements; what is nobody's waits tell     (loop)    statements, some thousand entries
 * at a time, each until it is durable settle   (worker)  what no longer waits is dropped, the notes
 * are kept A plugin that is killed before `settle` does the step again, or its caller does: what
 * was stated is stated again with the same meaning.
 */
#include "step.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "cairn/imaging.pb-c.h"
#include "person.h"
#include "step_private.h"

#define ASK_TIMEOUT_MS 10000
#define ASKING_MAX 64    /* calls under way */
#define ENTRIES_MAX 2000 /* of one statement */
#define TELL_MAX 64      /* statements told at once */

static void begin(struct step *step);
static void ask_more(struct step *step);

/* ---- the end ------------------------------------------------------------------------------ */

static void
finish(struct step *step)
{
	struct connector *connector = step->connector;

	if (step->code == 0) {
		connector->resources += step->counts.resources;
		connector->unused += step->counts.unused;
		connector->waiting = step->waiting;
	}
	/* It stays the first meanwhile, so that a step that is run from `done` waits its turn. */
	step->done(step->arg, step->code, step->err.text, &step->counts);
	connector->steps = step->next;
	if (connector->steps == NULL)
		connector->last_step = &connector->steps;
	step_free(step);
	if (connector->steps != NULL)
		begin(connector->steps);
	else
		connector_rest(connector);
}

static void
settle_work(void *arg)
{
	struct step *step = arg;
	struct state_change *change = NULL;

	step->code = state_begin(&change, step->connector->state, &step->err);
	for (size_t i = 0; step->code == 0 && i < step->newcomer_count; i++) {
		for (size_t r = 0; step->code == 0 && r < step->newcomers[i].reference_count; r++)
			step->code = state_waiting_drop(change, step->newcomers[i].references[r]);
	}
	for (size_t i = 0; step->code == 0 && i < step->note_count; i++)
		step->code =
		    state_note_put(change, step->notes[i].name, step->notes[i].text, &step->err);
	if (step->code == 0)
		step->waiting = state_waiting_count(change);
	if (step->code == 0)
		step->code = state_commit(change, &step->err);
	else
		state_drop(change);
}

static void
settled(void *arg)
{
	finish(arg);
}

/* ---- telling ------------------------------------------------------------------------------ */

static void tell(struct step *step);

static void
told(void *arg, int code, const char *why)
{
	struct step *step = arg;

	if (code != 0) {
		step->code = cairn_error_set(&step->err, code, "%s", why);
		finish(step);
		return;
	}
	tell(step);
}

static void
tell(struct step *step)
{
	size_t left = step->statement_count - step->told;
	size_t count = left < TELL_MAX ? left : TELL_MAX;
	int code;

	if (left == 0 || step->connector->stopping) {
		if (left > 0)
			step->code =
			    cairn_error_set(&step->err, CAIRN_ECANCELLED, "the plugin is stopping");
		else if (cairn_work(step->connector->cairn, settle_work, settled, step) == 0)
			return;
		else
			step->code =
			    cairn_error_set(&step->err, CAIRN_EUNAVAILABLE, "no worker thread");
		finish(step);
		return;
	}
	step->told += count;
	code = facts_state(step->connector->facts, step->statements + step->told - count, count,
	    told, step, &step->err);
	if (code != 0) {
		step->code = code;
		finish(step);
	}
}

/* ---- resolving ---------------------------------------------------------------------------- */

static int32_t
today(void)
{
	return (int32_t)(time(NULL) / 86400);
}

struct gathering {
	struct step *step;
	const struct state_person *person;
	Cairn__PatientFacts *open; /* the statement that takes more */
};

static int
append_statement(struct step *step, Cairn__PatientFacts *facts)
{
	int code = step_grow((void **)&step->statements, step->statement_count,
	    &step->statement_room, sizeof(Cairn__PatientFacts *));

	if (code == 0)
		step->statements[step->statement_count++] = facts;
	return code;
}

/* Moves `from`'s facts and entries to `to`; on failure both are whole. */
static int
merge(Cairn__PatientFacts *to, Cairn__PatientFacts *from)
{
	Cairn__Fact **facts = realloc(to->facts, (to->n_facts + from->n_facts + 1) * sizeof *facts);
	Cairn__EntryFacts **entries;

	if (facts == NULL)
		return CAIRN_ENOMEM;
	to->facts = facts;
	entries = realloc(to->entries, (to->n_entries + from->n_entries + 1) * sizeof *entries);
	if (entries == NULL)
		return CAIRN_ENOMEM;
	to->entries = entries;
	for (size_t i = 0; i < from->n_facts; i++)
		to->facts[to->n_facts++] = from->facts[i];
	for (size_t i = 0; i < from->n_entries; i++)
		to->entries[to->n_entries++] = from->entries[i];
	from->n_facts = from->n_entries = 0;
	return 0;
}

static int
gather(void *arg, const void *bytes, size_t length)
{
	struct gathering *gathering = arg;
	Cairn__PatientFacts *facts = cairn__patient_facts__unpack(NULL, length, bytes);
	int code;

	if (facts == NULL)
		return CAIRN_ECORRUPT;
	code = person_apply(facts, gathering->person, today());
	if (code == 0 && gathering->open != NULL && gathering->open->n_entries < ENTRIES_MAX &&
	    facts->n_facts == 0) {
		code = merge(gathering->open, facts);
		cairn__patient_facts__free_unpacked(facts, NULL);
		return code;
	}
	if (code == 0) {
		char *pseudonym = strdup(gathering->person->pseudonym);

		if (facts->patient != protobuf_c_empty_string)
			free(facts->patient);
		facts->patient =
		    pseudonym == NULL ? (char *)(uintptr_t)protobuf_c_empty_string : pseudonym;
		code = pseudonym == NULL ? CAIRN_ENOMEM : append_statement(gathering->step, facts);
	}
	if (code != 0)
		cairn__patient_facts__free_unpacked(facts, NULL);
	else
		gathering->open = facts;
	return code;
}

static int
compare_items(const void *a, const void *b)
{
	const struct item *left = a, *right = b;
	int order = memcmp(left->reference, right->reference, STATE_KEY);

	return order != 0 ? order : left->order < right->order ? -1 : 1;
}

static int
keep_persons(struct step *step, struct state_change *change)
{
	int code = 0;

	for (size_t i = 0; code == 0 && i < step->newcomer_count; i++) {
		struct newcomer *newcomer = &step->newcomers[i];

		for (size_t r = 0; code == 0 && r < newcomer->reference_count; r++)
			code = state_person_put(
			    change, newcomer->references[r], &newcomer->person, &step->err);
	}
	return code;
}

/* All items of one reference, from `first`; returns how many in `*ret_count`. */
static int
resolve_group(struct step *step, struct state_change *change, size_t first, size_t *ret_count)
{
	const uint8_t *reference = step->items[first].reference;
	struct state_person person;
	bool known = state_person_find(change, reference, &person);
	struct gathering gathering = {.step = step, .person = &person};
	size_t at = first;
	int code = 0;

	for (; code == 0 && at < step->item_count &&
	     memcmp(step->items[at].reference, reference, STATE_KEY) == 0;
	     at++) {
		const struct item *item = &step->items[at];
		const uint8_t *bytes = step->packed.data + item->at;

		if (known) {
			code = gather(&gathering, bytes, item->length);
		} else {
			code = state_wait(
			    change, reference, item->resource, bytes, item->length, &step->err);
			step->counts.waiting++;
		}
	}
	*ret_count = at - first;
	return code;
}

static int
resolve_waiting(struct step *step, struct state_change *change)
{
	int code = 0;

	for (size_t i = 0; code == 0 && i < step->newcomer_count; i++) {
		struct newcomer *newcomer = &step->newcomers[i];

		for (size_t r = 0; code == 0 && r < newcomer->reference_count; r++) {
			struct gathering gathering = {.step = step, .person = &newcomer->person};

			code = state_waiting(change, newcomer->references[r], gather, &gathering);
		}
	}
	return code;
}

static void
resolve_work(void *arg)
{
	struct step *step = arg;
	struct state_change *change = NULL;
	size_t at = 0, count = 0;

	if (step->item_count > 0)
		qsort(step->items, step->item_count, sizeof *step->items, compare_items);
	step->code = state_begin(&change, step->connector->state, &step->err);
	if (step->code == 0)
		step->code = keep_persons(step, change);
	/* What waited first: what is stated now may be newer. */
	if (step->code == 0)
		step->code = resolve_waiting(step, change);
	for (; step->code == 0 && at < step->item_count; at += count)
		step->code = resolve_group(step, change, at, &count);
	if (step->code == 0)
		step->code = state_commit(change, &step->err);
	else
		state_drop(change);
	if (step->code != 0 && step->err.code == 0)
		cairn_error_set(&step->err, step->code, "%s", cairn_code_text(step->code));
}

static void
resolved(void *arg)
{
	struct step *step = arg;

	if (step->code != 0)
		finish(step);
	else
		tell(step);
}

/* ---- asking ------------------------------------------------------------------------------- */

static void
after_asking(struct step *step)
{
	if (step->code == 0 &&
	    cairn_work(step->connector->cairn, resolve_work, resolved, step) == 0)
		return;
	if (step->code == 0)
		step->code = cairn_error_set(&step->err, CAIRN_EUNAVAILABLE, "no worker thread");
	finish(step);
}

static void
got_pseudonym(void *arg, int code, const char *text, const void *body, size_t length)
{
	struct newcomer *newcomer = arg;
	struct step *step = newcomer->step;
	Cairn__PseudonymAnswer *answer =
	    code == 0 ? cairn__pseudonym_answer__unpack(NULL, length, body) : NULL;

	step->answered++;
	if (answer != NULL && answer->pseudonym[0] != 0 &&
	    text_copy(
		newcomer->person.pseudonym, sizeof newcomer->person.pseudonym, answer->pseudonym)) {
		newcomer->person.shift = answer->date_shift_days;
		newcomer->person.birth += answer->date_shift_days;
	} else if (step->code == 0) {
		step->code = cairn_error_set(&step->err, code == 0 ? CAIRN_EPROTO : code,
		    "no pseudonym was given: %s", code == 0 ? "the answer cannot be read" : text);
	}
	if (answer != NULL)
		cairn__pseudonym_answer__free_unpacked(answer, NULL);
	ask_more(step);
}

static int
ask(struct newcomer *newcomer)
{
	Cairn__PseudonymRequest request = CAIRN__PSEUDONYM_REQUEST__INIT;
	uint8_t body[2 * MAP_ID_MAX + 128];
	int code = CAIRN_ELIMIT;

	request.identifier_type = (char *)(uintptr_t) "patient-id";
	request.identifier = newcomer->identifier;
	request.issuer = newcomer->issuer;
	if (cairn__pseudonym_request__get_packed_size(&request) <= sizeof body)
		code = cairn_call(newcomer->step->connector->cairn, "pseudonym.patient", body,
		    cairn__pseudonym_request__pack(&request, body), ASK_TIMEOUT_MS, got_pseudonym,
		    newcomer);
	explicit_bzero(body, sizeof body);
	return code;
}

static void
ask_more(struct step *step)
{
	while (step->code == 0 && step->asked < step->newcomer_count &&
	    step->asked - step->answered < ASKING_MAX) {
		int code = ask(&step->newcomers[step->asked]);

		if (code != 0)
			step->code = cairn_error_set(&step->err, code,
			    "no pseudonym can be asked for: %s", cairn_code_text(code));
		else
			step->asked++;
	}
	if (step->asked == step->answered &&
	    (step->code != 0 || step->asked == step->newcomer_count))
		after_asking(step);
}

static void
begin(struct step *step)
{
	if (step->connector->stopping)
		step->code =
		    cairn_error_set(&step->err, CAIRN_ECANCELLED, "the plugin is stopping");
	ask_more(step);
}

void
step_run(struct step *step, step_done_fn *done, void *arg)
{
	struct connector *connector = step->connector;

	step->done = done;
	step->arg = arg;
	*connector->last_step = step;
	connector->last_step = &step->next;
	if (connector->steps == step)
		begin(step);
}
