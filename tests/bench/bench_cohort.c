/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_cohort [PATIENTS] [DIRECTORY]: loads an invented population straight into the index, opens
 * it again, and asks 60 different four-term questions at each level, next to a scan of plain
 * columns in memory that answers the same questions in the same run.  Ends with 1 when an answer
 * differs.
 *
 * Every series has one instance and every identifier is new, which is the dearest way to load; the
 * CT series that come last have 250 instances each, as a scanner sends them.
 */
#include <malloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "cohort/expr.h"
#include "index.h"

#define QUESTIONS 60
#define REPEATS 5
#define TERMS 4
#define BATCH 1000

/* ---- the population ---------------------------------------------------------------------- */

enum { MODALITY, BODY_PART, MANUFACTURER, SEX, THICKNESS, AGE, DATE, ATTRIBUTES };

static const char *const names[ATTRIBUTES] = {
    "modality", "body_part", "manufacturer", "sex", "slice_thickness", "age", "study_date"};
static const char *const texts[4][10] = {
    {"CT", "MR", "MG", "US", "PT", "CR", "DX", "NM", "XA", "OT"},
    {"CHEST", "BREAST", "HEAD", "ABDOMEN", "PELVIS", "PROSTATE", "LIVER", "COLON", "NECK", "LEG"},
    {"SIEMENS", "GE MEDICAL SYSTEMS", "PHILIPS", "CANON", "HOLOGIC", "FUJIFILM", "HITACHI", "AGFA",
	"SAMSUNG", "ESAOTE"},
    {"female", "male", "other", "female", "male", "female", "male", "female", "male", "female"},
};

/* One row for each series, as columns. */
struct table {
	size_t rows, patients;
	uint32_t *patient, *study;
	float *column[ATTRIBUTES]; /* codes are numbers here */
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

static bool
table_new(struct table *t, size_t patients)
{
	size_t room = patients * 4;
	bool good = true;

	t->patient = malloc(room * sizeof *t->patient);
	t->study = malloc(room * sizeof *t->study);
	for (int i = 0; i < ATTRIBUTES; i++) {
		t->column[i] = malloc(room * sizeof *t->column[i]);
		good &= t->column[i] != NULL;
	}
	t->patients = patients;
	return good && t->patient != NULL && t->study != NULL;
}

static void
table_row(struct table *t, uint64_t *seed, uint32_t patient, uint32_t study, float age, float date)
{
	static const float thickness[] = {0.5F, 0.625F, 1, 1.25F, 1.5F, 2, 2.5F, 3, 4, 5, 7.5F, 10};
	size_t row = t->rows++;

	t->patient[row] = patient;
	t->study[row] = study;
	t->column[MODALITY][row] = (float)(below(seed, 10) * below(seed, 10) / 9);
	t->column[BODY_PART][row] = (float)below(seed, 10);
	t->column[MANUFACTURER][row] = (float)(below(seed, 10) * below(seed, 10) / 9);
	t->column[SEX][row] = (float)(patient % 10);
	t->column[THICKNESS][row] = thickness[below(seed, 12)];
	t->column[AGE][row] = age;
	t->column[DATE][row] = date;
}

/* One or two studies of one or two series each; dates spread over twenty years. */
static void
table_fill(struct table *t, uint64_t *seed)
{
	uint32_t study = 0;

	for (uint32_t patient = 0; patient < t->patients; patient++) {
		size_t studies = 1 + (below(seed, 5) == 0);
		float age = (float)(18 + below(seed, 75));
		float date = (float)(13000 + below(seed, 6600));

		for (size_t i = 0; i < studies; i++, study++) {
			size_t series = 1 + (below(seed, 3) == 0);

			for (size_t j = 0; j < series; j++)
				table_row(t, seed, patient, study, age + (float)i,
				    date + (float)(i * 365));
		}
	}
}

static void
print_memory(const char *what)
{
	char line[256];
	FILE *file = fopen("/proc/self/status", "r");

	printf("%-34s", what);
	while (file != NULL && fgets(line, sizeof line, file) != NULL)
		if (strncmp(line, "RssAnon:", 8) == 0 || strncmp(line, "RssFile:", 8) == 0)
			printf(" %.8s %ld MiB ", line, strtol(line + 8, NULL, 10) / 1024);
	printf("\n");
	if (file != NULL)
		fclose(file);
}

/* Processor time of this thread, ours and the kernel's: a busy machine does not change it much. */
static uint64_t
thread_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

/* ---- loading ----------------------------------------------------------------------------- */

struct message {
	Cairn__FactBatch batch;
	Cairn__InstanceFacts *pointers[BATCH];
	struct {
		Cairn__InstanceFacts facts;
		Cairn__ObjectRef object;
		Cairn__Fact fact[ATTRIBUTES], *patient[1], *study[2], *series[4];
		char id[4][48];
	} items[BATCH];
};

static void
set_fact(struct message *m, size_t i, int attribute, float value)
{
	Cairn__Fact *fact = &m->items[i].fact[attribute];

	cairn__fact__init(fact);
	fact->attribute = (char *)(uintptr_t)names[attribute];
	if (attribute <= SEX) {
		fact->value_case = CAIRN__FACT__VALUE_TEXT;
		fact->text = (char *)(uintptr_t)texts[attribute][(int)value];
	} else if (attribute == DATE) {
		fact->value_case = CAIRN__FACT__VALUE_DAY;
		fact->day = (int32_t)value;
	} else {
		fact->value_case = CAIRN__FACT__VALUE_NUMBER;
		fact->number = (double)value;
	}
}

static void
set_item(struct message *m, size_t i, const struct table *t, size_t row, uint32_t instance)
{
	Cairn__InstanceFacts *facts = &m->items[i].facts;
	static uint8_t digest[32];

	cairn__instance_facts__init(facts);
	cairn__object_ref__init(&m->items[i].object);
	m->items[i].object.sha256 = (ProtobufCBinaryData){sizeof digest, digest};
	facts->object = &m->items[i].object;
	for (int a = 0; a < ATTRIBUTES; a++)
		set_fact(m, i, a, t->column[a][row]);
	snprintf(m->items[i].id[0], 48, "%08x%08x", t->patient[row] * 2654435761U, t->patient[row]);
	snprintf(
	    m->items[i].id[1], 48, "2.25.1%010u%020u", t->study[row] * 2654435761U, t->study[row]);
	snprintf(m->items[i].id[2], 48, "2.25.2%010u%020zu", (uint32_t)row * 2654435761U, row);
	snprintf(m->items[i].id[3], 48, "2.25.3%010u%09u%013zu",
	    ((uint32_t)row + instance) * 2246822519U, instance, row);
	facts->patient = m->items[i].id[0];
	facts->study = m->items[i].id[1];
	facts->series = m->items[i].id[2];
	facts->instance = m->items[i].id[3];
	m->items[i].patient[0] = &m->items[i].fact[SEX];
	m->items[i].study[0] = &m->items[i].fact[AGE];
	m->items[i].study[1] = &m->items[i].fact[DATE];
	m->items[i].series[0] = &m->items[i].fact[MODALITY];
	m->items[i].series[1] = &m->items[i].fact[BODY_PART];
	m->items[i].series[2] = &m->items[i].fact[MANUFACTURER];
	m->items[i].series[3] = &m->items[i].fact[THICKNESS];
	facts->patient_facts = m->items[i].patient;
	facts->n_patient_facts = 1;
	facts->study_facts = m->items[i].study;
	facts->n_study_facts = 2;
	facts->series_facts = m->items[i].series;
	facts->n_series_facts = 4;
	m->pointers[i] = facts;
}

struct plan {
	const char *name;
	size_t from, to; /* rows of the table */
	size_t batches;  /* of BATCH, to a commit */
	unsigned series_length;
};

static int
load(struct index *index, struct message *m, const struct table *t, const struct plan *plan,
    struct cairn_error *err)
{
	size_t instances = (plan->to - plan->from) * plan->series_length;
	struct index_write *write = NULL;
	struct index_applied applied = {0};
	int code = 0;

	for (size_t done = 0, n = 0; done < instances && code == 0; n++) {
		size_t count = instances - done < BATCH ? instances - done : BATCH;

		for (size_t i = 0; i < count; i++)
			set_item(m, i, t, plan->from + (done + i) / plan->series_length,
			    (uint32_t)((done + i) % plan->series_length));
		m->batch.n_instances = count;
		if (write == NULL)
			code = index_begin(index, &write, err);
		if (code == 0)
			code = index_apply(write, &m->batch, &applied, err);
		done += count;
		if (code == 0 && (n % plan->batches == plan->batches - 1 || done == instances)) {
			code = index_commit(write, err);
			write = NULL;
		}
	}
	index_abort(write);
	if (code == 0 && applied.refused > 0)
		return cairn_error_set(err, CAIRN_EINTERNAL, "refused: %s", applied.reason);
	return code;
}

/* ---- questions --------------------------------------------------------------------------- */

struct term {
	int attribute;
	float low, high; /* codes: low is the value */
	bool negated;
};

struct question {
	struct term terms[TERMS];
	bool any; /* the last two joined by or */
	char text[1024];
	Cairn__Expression *expression;
};

static void
random_term(uint64_t *seed, struct term *term)
{
	static const float width[ATTRIBUTES] = {0, 0, 0, 0, 3, 20, 2000};

	term->attribute = (int)below(seed, ATTRIBUTES);
	term->negated = below(seed, 6) == 0;
	if (term->attribute <= SEX)
		term->low = (float)below(seed, 6);
	else if (term->attribute == THICKNESS)
		term->low = (float)below(seed, 4);
	else if (term->attribute == AGE)
		term->low = (float)(20 + below(seed, 50));
	else
		term->low = (float)(13000 + below(seed, 5000));
	term->high = term->low + width[term->attribute];
}

static int
print_term(const struct term *term, char *ret, size_t size)
{
	int y[2], m[2], d[2];
	const char *not = term->negated ? "not " : "";

	if (term->attribute <= SEX)
		return snprintf(ret, size, "%s%s = \"%s\"", not, names[term->attribute],
		    texts[term->attribute][(int)term->low]);
	if (term->attribute != DATE)
		return snprintf(ret, size, "%s%s between %g and %g", not, names[term->attribute],
		    (double)term->low, (double)term->high);
	clock_date((int32_t)term->low, &y[0], &m[0], &d[0]);
	clock_date((int32_t)term->high, &y[1], &m[1], &d[1]);
	return snprintf(ret, size, "%sstudy_date between %04d-%02d-%02d and %04d-%02d-%02d", not,
	    y[0], m[0], d[0], y[1], m[1], d[1]);
}

static int
random_question(uint64_t *seed, struct question *q, struct cairn_error *err)
{
	size_t used = 0;

	q->any = below(seed, 2) == 0;
	for (int i = 0; i < TERMS; i++) {
		random_term(seed, &q->terms[i]);
		used += (size_t)snprintf(q->text + used, sizeof q->text - used, "%s%s",
		    i == 0                 ? ""
			: i == 3 && q->any ? " or "
					   : " and ",
		    i == 2 && q->any ? "(" : "");
		used += (size_t)print_term(&q->terms[i], q->text + used, sizeof q->text - used);
	}
	snprintf(q->text + used, sizeof q->text - used, "%s", q->any ? ")" : "");
	return cohort_parse(q->text, &q->expression, err);
}

/* One pass over the columns for each term, a byte for each patient. */
static size_t
scan(const struct table *t, const struct question *q, uint8_t *has[TERMS])
{
	size_t count = 0;

	for (int i = 0; i < TERMS; i++) {
		const struct term *term = &q->terms[i];
		const float *column = t->column[term->attribute];
		const char *wanted =
		    term->attribute <= SEX ? texts[term->attribute][(int)term->low] : "";

		memset(has[i], 0, t->patients);
		for (size_t row = 0; row < t->rows; row++)
			if (term->attribute == SEX
				? texts[SEX][(int)column[row]] == wanted
				: column[row] >= term->low && column[row] <= term->high)
				has[i][t->patient[row]] = 1;
		for (size_t p = 0; term->negated && p < t->patients; p++)
			has[i][p] ^= 1;
	}
	for (size_t p = 0; p < t->patients; p++)
		count += has[0][p] && has[1][p] &&
		    (q->any ? has[2][p] || has[3][p] : has[2][p] && has[3][p]);
	return count;
}

/* ---- measuring --------------------------------------------------------------------------- */

static int
compare_times(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void
print_times(const char *what, uint64_t *ns, size_t count)
{
	qsort(ns, count, sizeof ns[0], compare_times);
	printf("%-34s p50 %8.3f ms   p99 %8.3f ms   worst %8.3f ms\n", what,
	    (double)ns[count / 2] / 1e6, (double)ns[count * 99 / 100] / 1e6,
	    (double)ns[count - 1] / 1e6);
}

static int
ask(struct index *index, const struct table *t, struct question *questions, struct cairn_error *err)
{
	static uint64_t times[4][QUESTIONS * REPEATS], used[QUESTIONS * REPEATS], scans[QUESTIONS];
	static const char *const levels[] = {"patients", "studies", "series", "instances"};
	uint8_t *has[TERMS] = {0};
	struct index_count count;
	int code = 0;

	for (int i = 0; i < TERMS; i++)
		if ((has[i] = malloc(t->patients)) == NULL)
			return CAIRN_ENOMEM;
	for (size_t i = 0; i < QUESTIONS && code == 0; i++) {
		for (size_t r = 0; r < 4 * REPEATS && code == 0; r++) {
			uint64_t begin = clock_monotonic_ns(), cpu = thread_ns();

			code = index_count(index, questions[i].expression,
			    (Cairn__Level)(3 - r / REPEATS), NULL, &count, err);
			times[3 - r / REPEATS][i * REPEATS + r % REPEATS] =
			    clock_monotonic_ns() - begin;
			used[i * REPEATS + r % REPEATS] = thread_ns() - cpu;
		}
		scans[i] = clock_monotonic_ns();
		if (code == 0 && scan(t, &questions[i], has) != count.count)
			code = cairn_error_set(
			    err, CAIRN_EINTERNAL, "%s: the scan differs", questions[i].text);
		scans[i] = clock_monotonic_ns() - scans[i];
	}
	for (int i = 0; i < TERMS; i++)
		free(has[i]);
	for (int level = 0; level < 4 && code == 0; level++)
		print_times(levels[level], times[level], QUESTIONS * REPEATS);
	if (code == 0)
		print_times("patients, processor time", used, QUESTIONS * REPEATS);
	if (code == 0)
		print_times("patients, scan of plain columns", scans, QUESTIONS);
	return code;
}

/* Rows of the table; with `series_length` that many instances of each row's series. */
static int
timed_load(
    struct index *index, const struct table *t, const struct plan *plan, struct cairn_error *err)
{
	struct message *m = calloc(1, sizeof *m);
	uint64_t begin = clock_monotonic_ns(), cpu = thread_ns();
	double seconds, instances = (double)(plan->to - plan->from) * plan->series_length;
	int code;

	if (m == NULL)
		return CAIRN_ENOMEM;
	cairn__fact_batch__init(&m->batch);
	m->batch.instances = m->pointers;
	code = load(index, m, t, plan, err);
	seconds = (double)(clock_monotonic_ns() - begin) / 1e9;
	printf("%-34s %.1f s, %.0f instances/s, %.0f facts/s, processor %.1f s\n", plan->name,
	    seconds, instances / seconds, instances * ATTRIBUTES / seconds,
	    (double)(thread_ns() - cpu) / 1e9);
	fflush(stdout);
	free(m);
	return code;
}

static int
bench_load(struct index **index, const struct index_options *options, const struct table *t,
    struct cairn_error *err)
{
	size_t small = t->rows / 10 < 50000 ? t->rows / 10 : 50000, last = small / 100 + 1;
	const struct plan plans[] = {
	    {"bulk load", 0, t->rows - small, 100, 1},
	    {"one series each, 1,000 a commit", t->rows - small, t->rows - last, 1, 1},
	    {"CT series, 1,000 a commit", t->rows - last, t->rows, 1, 250},
	};
	int code = 0;

	for (size_t i = 0; i < sizeof plans / sizeof plans[0] && code == 0; i++) {
		code = index_open(index, options, err);
		if (code == 0)
			code = timed_load(*index, t, &plans[i], err);
		print_memory("  memory then");
		index_close(*index);
		*index = NULL;
		malloc_trim(0); /* so that the next phase shows its own memory */
	}
	return code;
}

static int
bench(size_t patients, const char *dir, struct cairn_error *err)
{
	static struct question questions[QUESTIONS];
	struct table table = {0};
	struct index_options options = {.dir = dir, .map_size = (size_t)64 << 30};
	struct index *index = NULL;
	struct index_stats stats;
	uint64_t seed = 1;
	int code = table_new(&table, patients) ? 0 : CAIRN_ENOMEM;

	if (code == 0) {
		table_fill(&table, &seed);
		print_memory("columns for the scan");
		code = bench_load(&index, &options, &table, err);
	}
	if (code == 0)
		code = index_open(&index, &options, err);
	if (code == 0)
		print_memory("opened again, before questions");
	if (code == 0)
		code = index_stats(index, &stats, err);
	if (code == 0)
		printf("%zu patients, %zu studies, %zu series, %zu instances, %zu MiB on disk\n",
		    (size_t)stats.entities[0], (size_t)stats.entities[1], (size_t)stats.entities[2],
		    (size_t)stats.entities[3], (size_t)stats.used_bytes >> 20);
	for (int i = 0; i < QUESTIONS && code == 0; i++)
		code = random_question(&seed, &questions[i], err);
	if (code == 0)
		code = ask(index, &table, questions, err);
	print_memory("after questions");
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
		fprintf(stderr, "usage: bench_cohort [PATIENTS] [DIRECTORY]\n");
		return 2;
	}
	if (argc <= 2 && mkdtemp(dir) == NULL)
		return 1;
	code = bench((size_t)patients, argc > 2 ? argv[2] : dir, &err);
	if (code != 0)
		fprintf(stderr, "bench_cohort: %s\n", err.text);
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
