/* SPDX-License-Identifier: Apache-2.0 */
#include "deid/facts.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "deid/profile.h"
#include "dicom/reader.h"

#define AGE_MAX 90

/* Upper case, single spaces.  False for an empty text and for one with other bytes. */
static bool
normalise(char *ret, size_t size, const char *text)
{
	size_t length = 0;

	for (; *text != 0; text++) {
		char c = *text >= 'a' && *text <= 'z' ? (char)(*text - 32) : *text;

		if (c < ' ' || c > '~' || length + 1 >= size)
			return false;
		if (c != ' ' || (length > 0 && ret[length - 1] != ' '))
			ret[length++] = c;
	}
	while (length > 0 && ret[length - 1] == ' ')
		length--;
	ret[length] = 0;
	return length > 0;
}

/* Spellings of one company.  Divisions and later names stay what they are. */
static const char *
company(const char *name)
{
	static const char *const synonyms[][2] = {
	    {"SIEMENS AG", "SIEMENS"},
	    {"SIEMENS HEALTHCARE", "SIEMENS HEALTHINEERS"},
	    {"PHILIPS", "PHILIPS MEDICAL SYSTEMS"},
	    {"PHILIPS HEALTHCARE", "PHILIPS MEDICAL SYSTEMS"},
	    {"GE MEDICAL SYSTEM", "GE MEDICAL SYSTEMS"},
	    {"G.E. MEDICAL SYSTEMS", "GE MEDICAL SYSTEMS"},
	    {"HOLOGIC, INC", "HOLOGIC"},
	    {"HOLOGIC, INC.", "HOLOGIC"},
	    {"HOLOGIC INC.", "HOLOGIC"},
	};

	for (size_t i = 0; i < sizeof synonyms / sizeof synonyms[0]; i++)
		if (strcmp(name, synonyms[i][0]) == 0)
			return synonyms[i][1];
	return name;
}

static Cairn__Fact *
add(Cairn__Fact **list, size_t *count, struct deid_facts *facts, const char *attribute)
{
	size_t used = facts->message.n_patient_facts + facts->message.n_study_facts +
	    facts->message.n_series_facts;
	Cairn__Fact *fact = &facts->facts[used];

	cairn__fact__init(fact);
	fact->attribute = (char *)(uintptr_t)attribute;
	list[(*count)++] = fact;
	return fact;
}

static void
add_text(struct deid_facts *facts, Cairn__Fact **list, size_t *count, const char *attribute,
    const char *text)
{
	Cairn__Fact *fact = add(list, count, facts, attribute);

	fact->value_case = CAIRN__FACT__VALUE_TEXT;
	fact->text = (char *)(uintptr_t)text;
}

static void
add_number(struct deid_facts *facts, Cairn__Fact **list, size_t *count, const char *attribute,
    double number)
{
	Cairn__Fact *fact = add(list, count, facts, attribute);

	fact->value_case = CAIRN__FACT__VALUE_NUMBER;
	fact->number = number;
}

/* Whole years between two days. */
static int
years_between(int32_t from, int32_t to)
{
	int year, month, day, year_then, month_then, day_then;

	clock_date(from, &year_then, &month_then, &day_then);
	clock_date(to, &year, &month, &day);
	return year - year_then - (month < month_then || (month == month_then && day < day_then));
}

/* Whole years at imaging, by the age that the device wrote, else by the two dates. */
static bool
age_of(const struct deid_scan *scan, double *ret)
{
	int32_t study, birth;
	double age;

	if (dcm_text_age(scan->age, &age) == 0) {
		age = floor(age / 365.25);
	} else if (dcm_text_date(scan->study_date, &study) == 0 &&
	    dcm_text_date(scan->birth_date, &birth) == 0 && birth <= study) {
		age = years_between(birth, study);
	} else {
		return false;
	}
	/* Beyond it stands a wrong date, not an old patient. */
	if (age > 150)
		return false;
	*ret = age > AGE_MAX ? AGE_MAX : age;
	return true;
}

static const char *
sex_of(const char *sex)
{
	if (strcmp(sex, "M") == 0 || strcmp(sex, "m") == 0)
		return "male";
	if (strcmp(sex, "F") == 0 || strcmp(sex, "f") == 0)
		return "female";
	return strcmp(sex, "O") == 0 || strcmp(sex, "o") == 0 ? "other" : NULL;
}

static void
study_facts(struct deid_facts *facts, const struct deid_scan *scan, int32_t shift)
{
	Cairn__InstanceFacts *message = &facts->message;
	double age;
	int32_t day;

	if (dcm_text_date(scan->study_date, &day) == 0 &&
	    !__builtin_add_overflow(day, shift, &day)) {
		Cairn__Fact *fact =
		    add(facts->study_facts, &message->n_study_facts, facts, "study_date");

		fact->value_case = CAIRN__FACT__VALUE_DAY;
		fact->day = day;
	}
	if (age_of(scan, &age))
		add_number(facts, facts->study_facts, &message->n_study_facts, "age", age);
}

static void
series_facts(struct deid_facts *facts, const struct deid_scan *scan)
{
	Cairn__Fact **list = facts->series_facts;
	size_t *count = &facts->message.n_series_facts;
	double thickness;

	if (normalise(facts->modality, sizeof facts->modality, scan->modality))
		add_text(facts, list, count, "modality", facts->modality);
	if (normalise(facts->body_part, sizeof facts->body_part, scan->body_part) ||
	    normalise(facts->body_part, sizeof facts->body_part, scan->region))
		add_text(facts, list, count, "body_part", facts->body_part);
	if (normalise(facts->manufacturer, sizeof facts->manufacturer, scan->manufacturer))
		add_text(facts, list, count, "manufacturer", company(facts->manufacturer));
	if (normalise(facts->model, sizeof facts->model, scan->model))
		add_text(facts, list, count, "model", facts->model);
	if (dcm_text_number(scan->slice_thickness, &thickness) == 0 && thickness > 0)
		add_number(facts, list, count, "slice_thickness", thickness);
	if (scan->sop_class[0] != 0)
		add_text(facts, list, count, "sop_class", scan->sop_class);
}

static int
name_entities(struct deid_profile *profile, const struct deid_scan *scan, struct deid_facts *facts,
    struct cairn_error *err)
{
	int code = deid_uid(profile, scan->study, facts->study, err);

	if (code == 0)
		code = deid_uid(profile, scan->series, facts->series, err);
	if (code == 0)
		code = deid_uid(profile, scan->sop_instance, facts->instance, err);
	return code == 0 ? 0 : cairn_error_prefix(err, code, "study, series or instance UID");
}

int
deid_facts(struct deid_profile *profile, const struct deid_scan *scan,
    const struct deid_patient *patient, struct deid_facts *facts, struct cairn_error *err)
{
	bool full = (profile->options & DEID_FULL_DATES) != 0;
	Cairn__InstanceFacts *message = &facts->message;
	const char *sex = sex_of(scan->sex);
	int code = name_entities(profile, scan, facts, err);

	if (code != 0)
		return code;
	cairn__instance_facts__init(message);
	message->patient = (char *)(uintptr_t)patient->pseudonym;
	message->study = facts->study;
	message->series = facts->series;
	message->instance = facts->instance;
	message->patient_facts = facts->patient_facts;
	message->study_facts = facts->study_facts;
	message->series_facts = facts->series_facts;
	if (sex != NULL)
		add_text(facts, facts->patient_facts, &message->n_patient_facts, "sex", sex);
	study_facts(facts, scan, full ? 0 : patient->date_shift_days);
	series_facts(facts, scan);
	return 0;
}
