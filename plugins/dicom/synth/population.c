/* SPDX-License-Identifier: Apache-2.0 */
#include "synth.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

#define FIRST_STUDY_DAY 17897 /* 2019-01-01 */
#define STUDY_DAYS 2190       /* six years of studies */
#define DAYS_OF_YEAR 365

uint64_t
synth_next(struct synth_random *random)
{
	uint64_t z = random->state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

unsigned
synth_below(struct synth_random *random, unsigned n)
{
	return (unsigned)((synth_next(random) >> 32) * n >> 32);
}

/* Every patient and study has a generator of its own, so that more patients do not change the first
 * ones. */
static struct synth_random
generator(const struct synth_options *options, unsigned patient, unsigned study)
{
	struct synth_random random = {
	    options->seed * 0x2545f4914f6cdd1du + patient * 1000003u + study};

	synth_next(&random);
	return random;
}

static size_t
append(char *text, size_t size, size_t length, const char *part)
{
	size_t more = strlen(part);

	if (length + more >= size)
		return length;
	memcpy(text + length, part, more + 1);
	return length + more;
}

static size_t
append_name(struct synth_random *random, char *text, size_t size, size_t length)
{
	static const char *const first[] = {"Ald", "Bren", "Cor", "Dal", "Eri", "Fen", "Gal", "Hol",
	    "Ivo", "Jar", "Kel", "Lor", "Mar", "Nel", "Ost", "Per", "Quin", "Ros", "Sel", "Tov"};
	static const char *const middle[] = {
	    "a", "e", "i", "o", "an", "en", "il", "or", "un", "ar"};
	static const char *const last[] = {"berg", "dal", "holm", "mond", "ner", "rup", "sen",
	    "stad", "vik", "wald", "zic", "lund"};

	length = append(text, size, length, first[synth_below(random, 20)]);
	length = append(text, size, length, middle[synth_below(random, 10)]);
	return append(text, size, length, last[synth_below(random, 12)]);
}

void
synth_patient_make(const struct synth_options *options, unsigned index, struct synth_patient *ret)
{
	struct synth_random random = generator(options, index, 0);
	unsigned age = 35 + synth_below(&random, 25) + synth_below(&random, 30);
	int year, month, day;
	size_t length;

	*ret = (struct synth_patient){.index = index};
	ret->female = synth_below(&random, 100) < 58;
	ret->birth_day = FIRST_STUDY_DAY - (int32_t)(age * DAYS_OF_YEAR) -
	    (int32_t)synth_below(&random, DAYS_OF_YEAR);
	ret->studies = synth_below(&random, 100) < 30 ? 2 : 1;
	clock_date(ret->birth_day, &year, &month, &day);
	snprintf(ret->birth_date, sizeof ret->birth_date, "%04u%02u%02u", (unsigned)year % 10000,
	    (unsigned)month % 100, (unsigned)day % 100);
	snprintf(
	    ret->id, sizeof ret->id, "SYN%u-%06u", (unsigned)(options->seed % 10000), index + 1);
	length = append_name(&random, ret->name, sizeof ret->name, 0);
	length = append(ret->name, sizeof ret->name, length, "^");
	append_name(&random, ret->name, sizeof ret->name, length);
}

/* ---- series ----------------------------------------------------------------------------- */

struct kind {
	enum synth_modality modality;
	const char *body_part, *description, *protocol;
};

static const struct kind kinds[] = {
    {SYNTH_CT, "CHEST", "THORAX LUNG", "LUNG SCREENING"},
    {SYNTH_CT, "CHEST", "THORAX CONTRAST", "CHEST ROUTINE"},
    {SYNTH_CT, "ABDOMEN", "LIVER PORTAL VENOUS", "ABDOMEN ROUTINE"},
    {SYNTH_MR, "PROSTATE", "T2 AXIAL", "PROSTATE MP"},
    {SYNTH_MR, "BREAST", "T1 FAT SAT", "BREAST DYNAMIC"},
    {SYNTH_MR, "BRAIN", "T1 POST CONTRAST", "TUMOUR FOLLOW UP"},
    {SYNTH_MG, "BREAST", "R CC", "MAMMOGRAPHY SCREENING"},
};

/* Men get no mammogram and women no prostate; the rest by weight. */
static const struct kind *
choose_kind(struct synth_random *random, bool female)
{
	static const unsigned women[] = {0, 0, 1, 2, 4, 5, 6, 6, 6, 6};
	static const unsigned men[] = {0, 0, 0, 1, 1, 2, 2, 3, 3, 5};
	unsigned choice = synth_below(random, 10);

	return &kinds[female ? women[choice] : men[choice]];
}

static void
choose_machine(struct synth_random *random, struct synth_series *series)
{
	static const char *const makers[] = {
	    "Nordlicht Medical", "Helvia Imaging", "Tagus Systems"};
	static const char *const models[3][3] = {{"Aurora 64", "Polaris 3T", "Selene"},
	    {"Spiral One", "Resona 1.5", "Mamma Vista"}, {"Ronda CT", "Foz MR", "Clara MG"}};
	unsigned maker = synth_below(random, 3);

	series->manufacturer = makers[maker];
	series->model = models[maker][series->modality];
}

size_t
synth_series_make(const struct synth_options *options, const struct synth_patient *patient,
    unsigned study, struct synth_series *ret)
{
	static const double thickness[] = {0.625, 1.0, 1.25, 2.0, 2.5, 3.0, 5.0};
	struct synth_random random = generator(options, patient->index, study + 1);
	const struct kind *kind = choose_kind(&random, patient->female);
	int32_t day = FIRST_STUDY_DAY + (int32_t)synth_below(&random, STUDY_DAYS);
	struct synth_series machine = {.modality = kind->modality};
	size_t count = kind->modality == SYNTH_MG ? 4 : 1 + synth_below(&random, 2);
	bool lesion = synth_below(&random, 100) < 40;
	static const char *const views[] = {"R CC", "L CC", "R MLO", "L MLO"};

	choose_machine(&random, &machine);
	for (size_t i = 0; i < count; i++) {
		ret[i] = machine;
		ret[i].body_part = kind->body_part;
		ret[i].description = kind->modality == SYNTH_MG ? views[i] : kind->description;
		ret[i].protocol = kind->protocol;
		ret[i].slices = kind->modality == SYNTH_MG ? 1 : options->slices;
		ret[i].slice_thickness =
		    kind->modality == SYNTH_MG ? 0 : thickness[synth_below(&random, 7)];
		ret[i].study_day = day + (int32_t)(study * 180);
		ret[i].study_number = study;
		ret[i].series_number = (unsigned)i;
		ret[i].lesion = lesion;
		ret[i].picture_seed = synth_next(&random);
	}
	return count;
}
