/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_cohort_record [PATIENTS] [DIRECTORY]: loads an invented population of patients without
 * images, 100 facts each (2 of the patient, 14 entries of 7), opens the index again, and asks from
 * disk-backed state: ten terms broken down into 34 strata, one temporal relation, entities of one
 * entry and counts of entries.  Every kind of question is asked as 20 different ones.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "cohort/expr.h"
#include "index.h"
#include "table.h"

#define BATCH 5000 /* patients to a commit */
#define ENTRIES 14
#define FACTS 7
#define QUESTIONS 20
#define REPEATS 10
#define YEARS 34

struct patient {
	Cairn__PatientFacts facts;
	Cairn__EntryFacts entries[ENTRIES], *entry_pointers[ENTRIES];
	Cairn__Fact entry_facts[ENTRIES][FACTS], *fact_pointers[ENTRIES][FACTS];
	Cairn__Fact own[2], *own_pointers[2];
	char name[40], ids[ENTRIES][40];
};

struct message {
	Cairn__FactBatch batch;
	Cairn__PatientFacts *pointers[BATCH];
	struct patient patients[BATCH];
};

static uint64_t
next_random(uint64_t *seed)
{
	uint64_t z = (*seed += 0x9e3779b97f4a7c15U);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9U;
	z = (z ^ z >> 27) * 0x94d049bb133111ebU;
	return z ^ z >> 31;
}

static size_t
below(uint64_t *seed, size_t limit)
{
	return (size_t)(next_random(seed) % limit);
}

/* ---- the population ---------------------------------------------------------------------- */

static const char *const diagnoses[] = {"icd10:C50.1", "icd10:C50.4", "icd10:C34.1", "icd10:C61",
    "icd10:C18.0", "icd10:C20", "icd10:C22.0", "icd10:C25.9", "icd10:I10", "icd10:E11.9"};
static const char *const tests[] = {"loinc:2857-1", "loinc:718-7", "loinc:2160-0", "loinc:1742-6",
    "loinc:6690-2", "loinc:777-3", "loinc:2951-2", "loinc:2823-3"};
static const char *const procedures[] = {"surgery", "radiotherapy", "biopsy", "imaging", "other"};
static const char *const sides[] = {"left", "right", "bilateral"};
static const char *const signs[] = {"positive", "negative"};
static const char *const drugs[] = {"atc:L01XC03", "atc:L02BA01", "atc:A10BA02", "atc:C09AA05"};
static const char *const sites[] = {"breast", "lung", "prostate", "colon", "rectum", "liver"};

#define PICK(list) (list)[below(seed, sizeof(list) / sizeof(list)[0])]

static void
set_text(Cairn__Fact *fact, const char *attribute, const char *text)
{
	cairn__fact__init(fact);
	fact->attribute = (char *)(uintptr_t)attribute;
	fact->value_case = CAIRN__FACT__VALUE_TEXT;
	fact->text = (char *)(uintptr_t)text;
}

static void
set_number(Cairn__Fact *fact, const char *attribute, double number)
{
	cairn__fact__init(fact);
	fact->attribute = (char *)(uintptr_t)attribute;
	fact->value_case = CAIRN__FACT__VALUE_NUMBER;
	fact->number = number;
}

static void
set_day(Cairn__Fact *fact, const char *attribute, int32_t day)
{
	cairn__fact__init(fact);
	fact->attribute = (char *)(uintptr_t)attribute;
	fact->value_case = CAIRN__FACT__VALUE_DAY;
	fact->day = day;
}

static const char *
fill_condition(Cairn__Fact facts[FACTS], uint64_t *seed, int32_t day)
{
	set_text(&facts[0], "diagnosis", PICK(diagnoses));
	set_day(&facts[1], "diagnosis_date", day);
	set_number(&facts[2], "age_at_diagnosis", (double)(30 + below(seed, 60)));
	set_number(&facts[3], "year_of_diagnosis", (double)(1990 + below(seed, YEARS)));
	set_text(&facts[4], "laterality", PICK(sides));
	set_text(&facts[5], "clinical_status", below(seed, 2) == 0 ? "active" : "remission");
	set_text(&facts[6], "site.registry", PICK(sites));
	return "condition";
}

static const char *
fill_observation(Cairn__Fact facts[FACTS], uint64_t *seed, int32_t day)
{
	set_text(&facts[0], "observation", PICK(tests));
	set_number(&facts[1], "observation_value", (double)below(seed, 1000) / 10);
	set_text(&facts[2], "observation_unit", "ng/mL");
	set_day(&facts[3], "observation_date", day + (int32_t)below(seed, 700));
	set_text(&facts[4], "er", PICK(signs));
	set_text(&facts[5], "pr", PICK(signs));
	set_text(&facts[6], "site.laboratory", PICK(sites));
	return "observation";
}

static const char *
fill_procedure(Cairn__Fact facts[FACTS], uint64_t *seed, int32_t day)
{
	set_text(
	    &facts[0], "procedure", below(seed, 2) == 0 ? "snomed:392021009" : "snomed:80146002");
	set_text(&facts[1], "procedure_kind", PICK(procedures));
	set_day(&facts[2], "procedure_date", day + (int32_t)below(seed, 400));
	set_text(&facts[3], "procedure_site", PICK(sites));
	set_text(&facts[4], "site.room", PICK(sites));
	set_text(&facts[5], "site.ward", PICK(sites));
	set_text(&facts[6], "site.intent", PICK(signs));
	return "procedure";
}

static const char *
fill_medication(Cairn__Fact facts[FACTS], uint64_t *seed, int32_t day)
{
	set_text(&facts[0], "medication", PICK(drugs));
	set_text(&facts[1], "medication_status", "completed");
	set_day(&facts[2], "medication_date", day + (int32_t)below(seed, 500));
	set_text(&facts[3], "site.line", PICK(sides));
	set_text(&facts[4], "site.pharmacy", PICK(sites));
	set_text(&facts[5], "site.trial", PICK(signs));
	set_text(&facts[6], "site.route", PICK(sites));
	return "medication";
}

static void
fill_patient(struct patient *p, uint64_t *seed, size_t number)
{
	static const char *(*const fills[])(Cairn__Fact *, uint64_t *, int32_t) = {fill_condition,
	    fill_observation, fill_observation, fill_observation, fill_observation,
	    fill_observation, fill_observation, fill_observation, fill_observation, fill_procedure,
	    fill_procedure, fill_procedure, fill_medication, fill_medication};
	int32_t day = (int32_t)(14000 + below(seed, 4000));

	cairn__patient_facts__init(&p->facts);
	snprintf(p->name, sizeof p->name, "%016zx%016zx", number * 0x9e3779b97f4a7c15U, number);
	p->facts.patient = p->name;
	set_text(&p->own[0], "sex", below(seed, 2) == 0 ? "female" : "male");
	set_text(&p->own[1], "vital_status", below(seed, 5) == 0 ? "deceased" : "alive");
	for (size_t i = 0; i < 2; i++)
		p->own_pointers[i] = &p->own[i];
	p->facts.facts = p->own_pointers;
	p->facts.n_facts = 2;
	for (size_t i = 0; i < ENTRIES; i++) {
		Cairn__EntryFacts *entry = &p->entries[i];

		cairn__entry_facts__init(entry);
		entry->kind = (char *)(uintptr_t)fills[i](p->entry_facts[i], seed, day);
		snprintf(p->ids[i], sizeof p->ids[i], "%016zx%zx", number, i);
		entry->id = p->ids[i];
		for (size_t f = 0; f < FACTS; f++)
			p->fact_pointers[i][f] = &p->entry_facts[i][f];
		entry->facts = p->fact_pointers[i];
		entry->n_facts = FACTS;
		p->entry_pointers[i] = entry;
	}
	p->facts.entries = p->entry_pointers;
	p->facts.n_entries = ENTRIES;
}

static int
load(struct index *index, size_t patients, struct cairn_error *err)
{
	struct message *m = calloc(1, sizeof *m);
	struct index_applied applied = {0};
	uint64_t seed = 1, begin = clock_monotonic_ns();
	double seconds, facts = (double)patients * (2 + ENTRIES * FACTS);
	int code = m == NULL ? CAIRN_ENOMEM : 0;

	for (size_t done = 0; done < patients && code == 0; done += BATCH) {
		size_t count = patients - done < BATCH ? patients - done : BATCH;
		struct index_write *write = NULL;

		cairn__fact_batch__init(&m->batch);
		m->batch.source = (char *)(uintptr_t) "bench";
		m->batch.patients = m->pointers;
		m->batch.n_patients = count;
		for (size_t i = 0; i < count; i++) {
			fill_patient(&m->patients[i], &seed, done + i);
			m->pointers[i] = &m->patients[i].facts;
		}
		code = index_begin(index, &write, err);
		if (code == 0)
			code = index_apply(write, &m->batch, &applied, err);
		if (code == 0)
			code = index_commit(write, err);
		else
			index_abort(write);
	}
	free(m);
	if (code == 0 && applied.refused > 0)
		return cairn_error_set(err, CAIRN_EINTERNAL, "refused: %s", applied.reason);
	seconds = (double)(clock_monotonic_ns() - begin) / 1e9;
	printf("%-34s %.1f s, %.0f facts/s\n", "load", seconds, facts / seconds);
	fflush(stdout);
	return code;
}

/* ---- questions --------------------------------------------------------------------------- */

static void
print_terms(uint64_t *seed, char *ret, size_t size)
{
	size_t used = (size_t)snprintf(ret, size,
	    "sex = %s and vital_status = alive and (diagnosis in icd10:C%s or laterality = %s)",
	    below(seed, 2) == 0 ? "female" : "male", below(seed, 2) == 0 ? "50" : "34",
	    PICK(sides));

	used += (size_t)snprintf(ret + used, size - used,
	    " and er = %s and pr = %s and procedure_kind = %s and medication = %s", PICK(signs),
	    PICK(signs), PICK(procedures), PICK(drugs));
	snprintf(ret + used, size - used,
	    " and age_at_diagnosis between %zu and 85 and not observation = %s",
	    30 + below(seed, 30), PICK(tests));
}

static void
print_relation(uint64_t *seed, char *ret, size_t size)
{
	snprintf(ret, size, "procedure_kind = %s within %zu days after diagnosis in icd10:C%s",
	    PICK(procedures), 30 + below(seed, 120), below(seed, 2) == 0 ? "50" : "34");
}

static void
print_same(uint64_t *seed, char *ret, size_t size)
{
	snprintf(
	    ret, size, "same condition (diagnosis in icd10:C50 and laterality = %s)", PICK(sides));
}

static void
print_count(uint64_t *seed, char *ret, size_t size)
{
	snprintf(ret, size, "at least %zu observations (observation = %s)", 2 + below(seed, 2),
	    PICK(tests));
}

static int
compare_times(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static int
ask_one(struct index *index, const Cairn__Expression *expression, bool strata, uint64_t *ret_count,
    struct cairn_error *err)
{
	static const char *const by[] = {"year_of_diagnosis"};
	struct index_breakdown table;
	struct index_count count;
	int code;

	if (!strata) {
		code = index_count(index, expression, CAIRN__LEVEL__PATIENT, NULL, &count, err);
		*ret_count = code == 0 ? count.count : 0;
		return code;
	}
	code = index_breakdown(index, expression, NULL, by, 1, YEARS, &table, err);
	*ret_count = 0;
	for (size_t i = 0; code == 0 && i < table.row_count; i++)
		*ret_count += table.cells[i];
	if (code == 0)
		index_breakdown_fini(&table);
	return code;
}

static int
ask(struct index *index, const char *what, void (*print)(uint64_t *, char *, size_t), bool strata,
    struct cairn_error *err)
{
	static uint64_t times[QUESTIONS * REPEATS];
	uint64_t seed = 9, sum = 0;
	int code = 0;

	for (size_t i = 0; i < QUESTIONS && code == 0; i++) {
		Cairn__Expression *expression = NULL;
		char text[1024];

		print(&seed, text, sizeof text);
		code = cohort_parse(text, &expression, err);
		for (size_t r = 0; r < REPEATS && code == 0; r++) {
			uint64_t begin = clock_monotonic_ns(), count = 0;

			code = ask_one(index, expression, strata, &count, err);
			times[i * REPEATS + r] = clock_monotonic_ns() - begin;
			sum += count;
		}
		if (expression != NULL)
			cairn__expression__free_unpacked(expression, NULL);
	}
	if (code != 0)
		return code;
	qsort(times, QUESTIONS * REPEATS, sizeof times[0], compare_times);
	printf("%-34s p50 %8.3f ms   p99 %8.3f ms   mean answer %.0f\n", what,
	    (double)times[QUESTIONS * REPEATS / 2] / 1e6,
	    (double)times[QUESTIONS * REPEATS * 99 / 100] / 1e6,
	    (double)sum / (QUESTIONS * REPEATS));
	fflush(stdout);
	return 0;
}

static int
bench(size_t patients, const char *dir, struct cairn_error *err)
{
	struct index_options options = {.dir = dir, .map_size = (size_t)64 << 30};
	struct index *index = NULL;
	struct index_stats stats;
	int code = index_open(&index, &options, err);

	if (code == 0)
		code = load(index, patients, err);
	index_close(index);
	index = NULL;
	if (code == 0)
		code = index_open(&index, &options, err);
	if (code == 0)
		code = index_stats(index, &stats, err);
	if (code == 0)
		printf("%zu patients, %zu entries, %zu MiB, %.1f bytes per fact\n",
		    (size_t)stats.entities[0], (size_t)stats.entries,
		    (size_t)stats.used_bytes >> 20,
		    (double)stats.used_bytes / ((double)patients * (2 + ENTRIES * FACTS)));
	if (code == 0)
		code = ask(index, "ten terms", print_terms, false, err);
	if (code == 0)
		code = ask(index, "ten terms, 34 strata", print_terms, true, err);
	if (code == 0)
		code = ask(index, "one temporal relation", print_relation, false, err);
	if (code == 0)
		code = ask(index, "same condition", print_same, false, err);
	if (code == 0)
		code = ask(index, "at least n observations", print_count, false, err);
	index_close(index);
	return code;
}

int
main(int argc, char **argv)
{
	char dir[] = "/tmp/bench-cohort-XXXXXX";
	struct cairn_error err = {0};
	int64_t patients = 1000000;
	int code;

	if (argc > 1 && text_to_integer(argv[1], 1, 50000000, &patients) != 0) {
		fprintf(stderr, "usage: bench_cohort_record [PATIENTS] [DIRECTORY]\n");
		return 2;
	}
	if (argc <= 2 && mkdtemp(dir) == NULL)
		return 1;
	code = bench((size_t)patients, argc > 2 ? argv[2] : dir, &err);
	if (code != 0)
		fprintf(stderr, "bench_cohort_record: %s\n", err.text);
	if (argc <= 2) {
		char path[64];

		snprintf(path, sizeof path, "%s/data.mdb", dir);
		unlink(path);
		snprintf(path, sizeof path, "%s/lock.mdb", dir);
		unlink(path);
		rmdir(dir);
	}
	return code == 0 ? 0 : 1;
}
