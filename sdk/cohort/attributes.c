/* SPDX-License-Identifier: Apache-2.0 */
/* The imaging attributes, and the names that a criterion may and may not have. */
#include "cohort/private.h"

#include <string.h>
#include <strings.h>

#include "base/text.h"

static const char *const sexes[] = {"female", "male", "other", NULL};

/* PS3.3 C.7.3.1.1.1, the usual ones first, since the nearest of equals is suggested; then the
 * retired ones, because archives keep them. */
static const char *const modalities[] = {"CT", "MR", "MG", "PT", "US", "NM", "CR", "DX", "XA", "RF",
    "SM", "SEG", "SR", "PR", "KO", "RTSTRUCT", "RTPLAN", "RTDOSE", "RTIMAGE", "RTRECORD", "REG",
    "OT", "ANN", "AR", "ASMT", "AU", "BDUS", "BI", "BMD", "CFM", "CTPROTOCOL", "DG", "DMS", "DOC",
    "ECG", "EEG", "EMG", "EOG", "EPS", "ES", "FID", "GM", "HC", "HD", "IO", "IOL", "IVOCT", "IVUS",
    "KER", "LEN", "LS", "M3D", "OAM", "OCT", "OP", "OPM", "OPT", "OPTBSV", "OPTENF", "OPV", "OSS",
    "PA", "PLAN", "POS", "PX", "RESP", "RG", "RTINTENT", "RTRAD", "RTSEGANN", "RWV", "SMR", "SRF",
    "STAIN", "TEXTUREMAP", "TG", "VA", "XAPROTOCOL", "XC", /* retired: */ "AS", "CD", "CF", "CP",
    "CS", "DD", "DF", "DM", "DS", "EC", "FA", "FS", "LP", "MA", "MS", "OPR", "ST", "VF", NULL};

static const struct cohort_attribute attributes[] = {
    {.name = "modality",
	.type = COHORT_CODE,
	.entity = COHORT_SERIES,
	.unit = "",
	.unit_name = "",
	.codes = modalities,
	.example = "modality in (CT, MR)",
	.help = "Modality (0008,0060), such as CT, MR or MG"},
    {.name = "body_part",
	.type = COHORT_CODE,
	.entity = COHORT_SERIES,
	.unit = "",
	.unit_name = "",
	.example = "body_part = BREAST",
	.help = "Body Part Examined (0018,0015), upper case"},
    {.name = "manufacturer",
	.type = COHORT_CODE,
	.entity = COHORT_SERIES,
	.unit = "",
	.unit_name = "",
	.example = "manufacturer = SIEMENS",
	.help = "Manufacturer (0008,0070) of the equipment, upper case"},
    {.name = "model",
	.type = COHORT_CODE,
	.entity = COHORT_SERIES,
	.unit = "",
	.unit_name = "",
	.example = "model = \"DISCOVERY CT750 HD\"",
	.help = "Manufacturer's Model Name (0008,1090), upper case"},
    {.name = "slice_thickness",
	.type = COHORT_NUMBER,
	.entity = COHORT_SERIES,
	.unit = "mm",
	.unit_name = "mm",
	.max = 1000,
	.example = "slice_thickness <= 2.5",
	.help = "Slice Thickness (0018,0050)"},
    {.name = "study_date",
	.type = COHORT_DAY,
	.entity = COHORT_STUDY,
	.unit = "",
	.unit_name = "",
	.min = COHORT_DAY_MIN,
	.max = COHORT_DAY_MAX,
	.example = "study_date >= 2020-01-01",
	.help = "Study Date (0008,0020), shifted by up to 365 days per patient: use wide windows"},
    {.name = "study_day",
	.type = COHORT_NUMBER,
	.entity = COHORT_STUDY,
	.unit = "d",
	.unit_name = "days",
	.max = 55000,
	.example = "study_day between 1 and 90",
	.help = "Days since the patient's first study; exact, because shifting keeps intervals"},
    {.name = "age",
	.type = COHORT_NUMBER,
	.entity = COHORT_STUDY,
	.unit = "a",
	.unit_name = "years",
	.max = 150,
	.example = "age between 40 and 60",
	.help = "Age of the patient at imaging, in years; 90 stands for 90 and older"},
    {.name = "sex",
	.type = COHORT_CODE,
	.entity = COHORT_PATIENT,
	.unit = "",
	.unit_name = "",
	.codes = sexes,
	.example = "sex = female",
	.help = "Patient's Sex (0010,0040)"},
    {.name = "sop_class",
	.type = COHORT_CODE,
	.entity = COHORT_SERIES,
	.unit = "",
	.unit_name = "",
	.example = "sop_class = CTImageStorage",
	.help = "SOP Class UID (0008,0016), or the keyword of a storage class"},
};

#define ATTRIBUTE_COUNT (sizeof attributes / sizeof attributes[0])
_Static_assert(ATTRIBUTE_COUNT == COHORT_ATTRIBUTES, "the number that expr.h states");

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
cohort_operator_text(Cairn__Leaf__Operator operator_)
{
	static const char *const texts[] = {
	    "=", "!=", "<", "<=", ">", ">=", "in", "between", "exists"};

	return (unsigned)operator_ < sizeof texts / sizeof texts[0] ? texts[operator_] : "";
}

bool
cohort_type_takes(enum cohort_type type, Cairn__Leaf__Operator operator_)
{
	switch (operator_) {
	case CAIRN__LEAF__OPERATOR__EQ:
	case CAIRN__LEAF__OPERATOR__NE:
	case CAIRN__LEAF__OPERATOR__IN:
	case CAIRN__LEAF__OPERATOR__EXISTS:
		return true;
	default:
		return type != COHORT_CODE;
	}
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
