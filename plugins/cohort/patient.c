/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One source's statement about one patient.  What is stated as before changes nothing, so that a
 * source may state a patient whole each time: `withdrawn` then means that what is not said again
 * goes, and an entry that stays keeps its number.
 */
#include <stdlib.h>
#include <string.h>

#include "entity.h"
#include "entry.h"
#include "shift.h"

#define ENTRIES_MAX 65536 /* of one statement */

/* ---- checks ------------------------------------------------------------------------------ */

static const char *
facts_list_problem(Cairn__Fact *const *facts, size_t count)
{
	if (count > INDEX_FACTS_MAX)
		return "there are too many facts";
	for (size_t i = 0; i < count; i++) {
		const char *problem = fact_problem(facts[i]);

		if (problem != NULL)
			return problem;
	}
	return NULL;
}

static const char *
entry_problem(const Cairn__EntryFacts *entry)
{
	const char *problem = identifier_problem(entry->id);

	if (problem == NULL && kind_find(entry->kind) < 0)
		problem = "an entry is of a kind that the cohort language does not know";
	return problem != NULL ? problem : facts_list_problem(entry->facts, entry->n_facts);
}

const char *
patient_problem(const Cairn__PatientFacts *facts)
{
	const char *problem = identifier_problem(facts->patient);

	if (problem == NULL)
		problem = facts_list_problem(facts->facts, facts->n_facts);
	if (problem == NULL &&
	    (facts->n_entries > ENTRIES_MAX || facts->n_observations > ENTRIES_MAX))
		problem = "there are too many entries";
	if (problem == NULL && facts->n_replaces_days > facts->n_replaces)
		problem = "there are more numbers of days than pseudonyms that are replaced";
	for (size_t i = 0; i < facts->n_replaces && problem == NULL; i++)
		problem = identifier_problem(facts->replaces[i]);
	for (size_t i = 0; i < facts->n_entries && problem == NULL; i++)
		problem = entry_problem(facts->entries[i]);
	return problem;
}

/* ---- one statement ----------------------------------------------------------------------- */

struct statement {
	struct index_write *w;
	uint16_t source;
	uint32_t patient;
	int64_t days; /* to add to what is stated under this pseudonym */
	bool changed;
	uint8_t (*stated)[ENTRY_DIGEST]; /* what must stay when the rest is withdrawn */
	size_t stated_count, stated_max;
	struct cairn_error *err;
};

static int
encode_facts(struct statement *s, enum term_level level, Cairn__Fact *const *facts, size_t count,
    struct entry *ret)
{
	int code = 0;

	for (size_t i = 0; i < count && code == 0; i++) {
		code = fact_encode(s->w, level, facts[i], &ret->facts[i], s->err);
		/* What does not fit was refused: patient_shift_problem(). */
		if (code == 0 && !shift_fact(&ret->facts[i], s->days))
			code = CAIRN_EINTERNAL;
	}
	if (code == 0)
		ret->count = facts_sort(ret->facts, count);
	return code;
}

static bool
facts_alike(const struct entry *a, const struct entry *b)
{
	if (a->count != b->count || a->kind != b->kind)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (a->facts[i].attribute != b->facts[i].attribute ||
		    a->facts[i].key != b->facts[i].key)
			return false;
	return true;
}

/* What was stated of other attributes stays, as far as there is room. */
static void
keep_others(struct entry *now, const struct entry *before)
{
	size_t stated = now->count;

	for (size_t i = 0; i < before->count && now->count < INDEX_FACTS_MAX; i++) {
		bool replaced = false;

		for (size_t j = 0; j < stated && !replaced; j++)
			replaced = now->facts[j].attribute == before->facts[i].attribute;
		if (!replaced)
			now->facts[now->count++] = before->facts[i];
	}
	now->count = facts_sort(now->facts, now->count);
}

/* The patient's own row.  It is there, even without facts, when the source only says that the
 * patient exists. */
static int
state_patient(struct statement *s, const Cairn__PatientFacts *facts)
{
	struct entry_key key = {.patient = s->patient, .source = s->source};
	struct entry now = {.number = 0}, before;
	bool bare = !facts->withdrawn &&
	    facts->n_facts + facts->n_entries + facts->n_replaces + facts->n_observations == 0;
	bool exists, wanted;
	int code = encode_facts(s, TERM_PATIENT, facts->facts, facts->n_facts, &now);

	if (code == 0)
		code = entry_get(s->w, &key, &before);
	exists = code == 0;
	if (code != 0 && code != CAIRN_ENOTFOUND)
		return code;
	if (exists && !facts->withdrawn)
		keep_others(&now, &before);
	wanted = now.count > 0 || bare || (exists && !facts->withdrawn);
	if (wanted == exists && (!exists || facts_alike(&now, &before)))
		return 0;
	s->changed = true;
	code = touch(s->w, s->patient);
	if (code != 0)
		return code;
	return wanted ? entry_put(s->w, &key, &now) : entry_delete(s->w, &key);
}

/* ---- entries ----------------------------------------------------------------------------- */

static int
set_columns(struct index_write *w, uint32_t number, uint32_t patient, uint32_t day)
{
	int code = column_set(w->index, w->txn, &w->chunks[COLUMN_ENTRY_PATIENT],
	    COLUMN_ENTRY_PATIENT, number, patient);

	return code != 0 ? code
			 : column_set(w->index, w->txn, &w->chunks[COLUMN_ENTRY_DAY],
			       COLUMN_ENTRY_DAY, number, day);
}

static int
remove_entry(struct statement *s, const struct entry_key *key, const struct entry *entry)
{
	int code = touch(s->w, key->patient);

	s->changed = true;
	if (code == 0)
		code = entry_post(s->w, entry, false);
	if (code == 0)
		code = entry_delete(s->w, key);
	return code != 0 ? code : set_columns(s->w, entry->number, STORE_NONE, STORE_NONE);
}

static int
put_entry(
    struct statement *s, const struct entry_key *key, const struct entry *before, struct entry *now)
{
	int code = touch(s->w, key->patient);

	s->changed = true;
	if (code == 0 && before != NULL) {
		now->number = before->number;
		code = entry_post(s->w, before, false);
	} else if (code == 0) {
		if (s->w->counters.entities[TERM_ENTRY] == STORE_NONE)
			return CAIRN_ELIMIT;
		now->number = s->w->counters.entities[TERM_ENTRY]++;
	}
	if (code == 0)
		code = entry_put(s->w, key, now);
	if (code == 0)
		code = entry_post(s->w, now, true);
	return code != 0 ? code
			 : set_columns(s->w, now->number, key->patient, entry_day(s->w, now));
}

static int
state_entry(struct statement *s, const Cairn__EntryFacts *facts)
{
	struct entry_key key = {.patient = s->patient, .source = s->source, .has_digest = true};
	struct entry now = {.kind = (uint8_t)kind_find(facts->kind)}, before;
	bool exists;
	int code = entry_digest(facts->kind, facts->id, key.digest);

	if (code == 0)
		code = entry_get(s->w, &key, &before);
	exists = code == 0;
	if (code != 0 && code != CAIRN_ENOTFOUND)
		return code;
	if (facts->withdrawn)
		return exists ? remove_entry(s, &key, &before) : 0;
	if (s->stated != NULL && s->stated_count < s->stated_max)
		memcpy(s->stated[s->stated_count++], key.digest, ENTRY_DIGEST);
	code = encode_facts(s, TERM_ENTRY, facts->facts, facts->n_facts, &now);
	if (code != 0 || (exists && facts_alike(&now, &before)))
		return code;
	return put_entry(s, &key, exists ? &before : NULL, &now);
}

static int
state_observation(struct statement *s, const Cairn__Observation *observation)
{
	Cairn__EntryFacts *entry = NULL;
	int code = observation_entry(observation, &entry);

	/* One that says nothing that is kept is passed over. */
	if (code == 0 && entry->n_facts > 0 && entry_problem(entry) == NULL)
		code = state_entry(s, entry);
	observation_free(entry);
	return code;
}

static int
compare_digests(const void *a, const void *b)
{
	return memcmp(a, b, ENTRY_DIGEST);
}

/* Removes the source's entries that were not stated again. */
static int
withdraw_others(struct statement *s)
{
	struct entry_key key = {.patient = s->patient, .source = s->source};
	struct entry entry;
	bool first = true;
	int code;

	if (s->stated_count > 0)
		qsort(s->stated, s->stated_count, ENTRY_DIGEST, compare_digests);
	while ((code = entry_next(s->w, &key, s->source, first, &entry)) == 0) {
		first = false;
		if (!key.has_digest ||
		    (s->stated_count > 0 &&
			bsearch(key.digest, s->stated, s->stated_count, ENTRY_DIGEST,
			    compare_digests) != NULL))
			continue;
		code = remove_entry(s, &key, &entry);
		if (code != 0)
			break;
	}
	return code == CAIRN_ENOTFOUND ? 0 : code;
}

static int
state_all(struct statement *s, const Cairn__PatientFacts *facts)
{
	int code = state_patient(s, facts);

	for (size_t i = 0; i < facts->n_entries && code == 0; i++)
		code = state_entry(s, facts->entries[i]);
	for (size_t i = 0; i < facts->n_observations && code == 0; i++)
		code = state_observation(s, facts->observations[i]);
	return code == 0 && facts->withdrawn ? withdraw_others(s) : code;
}

/* ---- a patient --------------------------------------------------------------------------- */

static bool
states_something(const Cairn__PatientFacts *facts)
{
	if (facts->n_facts > 0 || facts->n_observations > 0)
		return true;
	for (size_t i = 0; i < facts->n_entries; i++)
		if (!facts->entries[i]->withdrawn)
			return true;
	return !facts->withdrawn && facts->n_entries == 0 && facts->n_replaces == 0;
}

static int
apply_statement(struct statement *s, const Cairn__PatientFacts *facts, const char *name)
{
	int code = states_something(facts)
	    ? entity_make_patient(s->w, name, &s->patient)
	    : name_find(s->w->index, s->w->txn, TERM_PATIENT, 0, name, &s->patient);

	if (code != 0)
		return code == CAIRN_ENOTFOUND ? 0 : code;
	s->stated_max = facts->n_entries + facts->n_observations;
	if (facts->withdrawn) {
		s->stated = malloc((s->stated_max + 1) * sizeof s->stated[0]);
		if (s->stated == NULL)
			return CAIRN_ENOMEM;
	}
	code = state_all(s, facts);
	free(s->stated);
	return code != 0 ? code : entity_prune_patient(s->w, s->patient);
}

int
patient_apply(struct index_write *w, uint16_t source, const Cairn__PatientFacts *facts,
    bool *ret_changed, struct cairn_error *err)
{
	struct statement s = {.w = w, .source = source, .err = err};
	char name[INDEX_NAME_MAX + 1];
	int code = alias_resolve(w, facts->patient, name, &s.days);

	if (code == 0)
		code = patient_merge_all(w, facts, name, s.days, &s.changed);
	if (code == 0)
		code = apply_statement(&s, facts, name);
	*ret_changed = s.changed;
	return code;
}
