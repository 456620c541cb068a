/* SPDX-License-Identifier: Apache-2.0 */
/* The imaging attributes, and the names that a criterion may and may not have. */
#include "cohort/private.h"

#include <string.h>
#include <strings.h>

#include "base/text.h"

static const struct cohort_attribute attributes[] = {
    {"modality", COHORT_CODE, COHORT_SERIES, "", "Modality (0008,0060), such as CT, MR or MG"},
    {"body_part", COHORT_CODE, COHORT_SERIES, "",
	"Body Part Examined (0018,0015), such as CHEST or BREAST"},
    {"manufacturer", COHORT_CODE, COHORT_SERIES, "",
	"Manufacturer (0008,0070) of the equipment, upper case"},
    {"model", COHORT_CODE, COHORT_SERIES, "", "Manufacturer's Model Name (0008,1090)"},
    {"slice_thickness", COHORT_NUMBER, COHORT_SERIES, "mm", "Slice Thickness (0018,0050)"},
    {"study_date", COHORT_DAY, COHORT_STUDY, "",
	"Study Date (0008,0020), shifted by up to 365 days per patient: use wide windows"},
    {"study_day", COHORT_NUMBER, COHORT_STUDY, "d",
	"Days since the patient's first study; exact, because shifting keeps intervals"},
    {"age", COHORT_NUMBER, COHORT_STUDY, "a", "Age of the patient at imaging, in years"},
    {"sex", COHORT_CODE, COHORT_PATIENT, "", "Patient's Sex (0010,0040): female, male or other"},
    {"sop_class", COHORT_CODE, COHORT_SERIES, "",
	"SOP Class UID (0008,0016), or its keyword, such as CTImageStorage"},
};

#define ATTRIBUTE_COUNT (sizeof attributes / sizeof attributes[0])

static const char *const keywords[] = {
    "and",
    "or",
    "xor",
    "not",
    "in",
    "between",
    "exists",
    "same",
};

#define KEYWORD_COUNT (sizeof keywords / sizeof keywords[0])

const struct cohort_attribute *
cohort_attribute_at(size_t index)
{
	return index < ATTRIBUTE_COUNT ? &attributes[index] : NULL;
}

const struct cohort_attribute *
cohort_attribute_find(const char *name)
{
	for (size_t i = 0; i < ATTRIBUTE_COUNT; i++)
		if (strcmp(attributes[i].name, name) == 0)
			return &attributes[i];
	return NULL;
}

static const char *
name_at(const void *arg, size_t index)
{
	(void)arg;
	return index < ATTRIBUTE_COUNT ? attributes[index].name : NULL;
}

/* Upper case is a common slip that an edit distance does not see. */
const char *
cohort_attribute_suggest(const char *name)
{
	for (size_t i = 0; i < ATTRIBUTE_COUNT; i++)
		if (strcasecmp(attributes[i].name, name) == 0)
			return attributes[i].name;
	return text_suggest(name, name_at, NULL);
}

const char *
cohort_keyword_at(size_t index)
{
	return index < KEYWORD_COUNT ? keywords[index] : NULL;
}

bool
cohort_is_keyword(const char *word)
{
	for (size_t i = 0; i < KEYWORD_COUNT; i++)
		if (strcasecmp(keywords[i], word) == 0)
			return true;
	return false;
}

/* Parts of lower-case letters, digits and underscores, joined by dots; begins with a letter. */
bool
cohort_is_attribute_name(const char *name)
{
	size_t length = strlen(name);

	if (length == 0 || length > COHORT_NAME_MAX || name[0] < 'a' || name[0] > 'z')
		return false;
	if (strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_.") != length)
		return false;
	return name[length - 1] != '.' && strstr(name, "..") == NULL && !cohort_is_keyword(name);
}
