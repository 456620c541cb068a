/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the table to a rule.  An attribute goes through these questions, first answer wins:
 * private? whole group to drop? in the table (or our supplement): what do the options say, else the
 * Basic Profile; unknown to the dictionary: removed; else by its VR.
 */
#include "deid/profile.h"

#include <stdlib.h>
#include <string.h>

static const char *const option_names[] = {"retain-safe-private", "retain-uids",
    "retain-device-identity", "retain-institution-identity", "retain-patient-characteristics",
    "retain-longitudinal-full-dates", "retain-longitudinal-modified-dates", "clean-descriptors",
    "clean-structured-content", "clean-graphics"};

#define OPTION_COUNT (sizeof option_names / sizeof option_names[0])
#define DATES (DEID_FULL_DATES | DEID_MODIFIED_DATES)

unsigned
deid_option_find(const char *name)
{
	for (unsigned i = 0; i < OPTION_COUNT; i++)
		if (strcmp(option_names[i], name) == 0)
			return 1u << i;
	return 0;
}

const char *
deid_option_at(size_t index)
{
	return index < OPTION_COUNT ? option_names[index] : NULL;
}

/* ---- the tables ------------------------------------------------------------------------- */

/* Whole tags come first and in order, then the patterns. */
static const struct deid_row *
find_in(const struct deid_row *rows, size_t count, uint32_t tag)
{
	size_t low = 0, high = count;

	while (high > 0 && rows[high - 1].mask != 0xffffffffu)
		high--;
	for (size_t i = high; i < count; i++)
		if ((tag & rows[i].mask) == rows[i].tag)
			return &rows[i];
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (rows[middle].tag == tag)
			return &rows[middle];
		if (tag < rows[middle].tag)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

const struct deid_row *
deid_row_find(uint32_t tag)
{
	const struct deid_row *row = find_in(deid_rows, deid_rows_count, tag);

	return row != NULL ? row : find_in(deid_extra, deid_extra_count, tag);
}

/* ---- rules ------------------------------------------------------------------------------ */

#define VR_PN DCM_VR('P', 'N')
#define VR_UI DCM_VR('U', 'I')
#define VR_DA DCM_VR('D', 'A')
#define VR_DT DCM_VR('D', 'T')
#define VR_TM DCM_VR('T', 'M')
#define VR_AS DCM_VR('A', 'S')
#define VR_SQ DCM_VR('S', 'Q')
#define VR_UN DCM_VR('U', 'N')

static struct deid_rule
rule(enum deid_act act, uint16_t vr)
{
	return (struct deid_rule){.act = (uint8_t)act, .fallback = DEID_ACT_REMOVE, .vr = vr};
}

static enum deid_act
basic_act(uint8_t basic, uint16_t vr)
{
	switch ((enum deid_basic)basic) {
	case DEID_BASIC_X:
		return DEID_ACT_REMOVE;
	case DEID_BASIC_Z:
	case DEID_BASIC_XZ:
		return DEID_ACT_EMPTY;
	case DEID_BASIC_D:
	case DEID_BASIC_ZD:
		return DEID_ACT_DUMMY;
	case DEID_BASIC_XD:
		/* The sequences among these are optional in every IOD, and no dummy fits them all.
		 */
		return vr == VR_SQ ? DEID_ACT_REMOVE : DEID_ACT_DUMMY;
	case DEID_BASIC_XZD:
		return vr == VR_SQ ? DEID_ACT_EMPTY : DEID_ACT_DUMMY;
	case DEID_BASIC_U:
		return DEID_ACT_UID;
	case DEID_BASIC_XZU:
		return DEID_ACT_KEEP; /* a sequence of references: its UIDs are replaced */
	}
	return DEID_ACT_REMOVE;
}

static bool
is_text(uint16_t vr)
{
	switch (vr) {
	case DCM_VR('A', 'E'):
	case DCM_VR('C', 'S'):
	case DCM_VR('L', 'O'):
	case DCM_VR('L', 'T'):
	case DCM_VR('S', 'H'):
	case DCM_VR('S', 'T'):
	case DCM_VR('U', 'C'):
	case DCM_VR('U', 'T'):
		return true;
	default:
		return false;
	}
}

/* A date, time or timestamp under the option that shifts: the time of day stays. */
static struct deid_rule
shifted(uint16_t vr, enum deid_act basic)
{
	struct deid_rule made = rule(basic, vr);

	made.fallback = (uint8_t)basic;
	if (vr == VR_TM)
		made.act = DEID_ACT_KEEP;
	else if (vr == VR_DA || vr == VR_DT)
		made.act = DEID_ACT_SHIFT;
	return made;
}

static struct deid_rule
cleaned(uint16_t vr, enum deid_act basic)
{
	struct deid_rule made = rule(basic, vr);

	made.fallback = (uint8_t)basic;
	if (is_text(vr) || vr == VR_SQ)
		made.act = DEID_ACT_CLEAN;
	return made;
}

/* Shifting dates goes before every reason to keep: one true date would undo the shift.  "Clean"
 * under Retain Patient Characteristics means removal here. */
static struct deid_rule
listed_rule(const struct deid_profile *profile, const struct deid_row *row, uint16_t vr)
{
	unsigned cleaners = DEID_CLEAN_DESCRIPTORS | DEID_CLEAN_STRUCTURED | DEID_CLEAN_GRAPHICS |
	    DEID_DEVICE_IDENTITY;
	enum deid_act basic = basic_act(row->basic, vr);

	if ((row->clean & profile->options & DEID_MODIFIED_DATES) != 0)
		return shifted(vr, basic);
	if ((row->keep & profile->options) != 0)
		return rule(vr == VR_AS ? DEID_ACT_AGE : DEID_ACT_KEEP, vr);
	if ((row->clean & profile->options & cleaners) != 0)
		return cleaned(vr, basic);
	if (basic == DEID_ACT_DUMMY && vr == VR_UI)
		return rule(DEID_ACT_UID, vr);
	return rule(basic, vr);
}

/* UIDs that name a class, an encoding or a vocabulary, not an instance. */
static bool
names_a_class(uint32_t tag)
{
	static const uint32_t tags[] = {0x00080016, 0x0008001a, 0x0008001b, 0x00080062, 0x0008010c,
	    0x0008010d, 0x00080117, 0x00080118, 0x0008040e, 0x00081150, 0x0008115a, 0x00083002,
	    0x00089123, 0x00340003, 0x04000010, 0x04000510, 0x3010001f, 0x30100052, 0x30100053};

	for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++)
		if (tags[i] == tag)
			return true;
	return false;
}

static struct deid_rule
unlisted_date(const struct deid_profile *profile, uint16_t vr)
{
	if ((profile->options & DEID_MODIFIED_DATES) != 0)
		return shifted(vr, DEID_ACT_EMPTY);
	return rule((profile->options & DEID_FULL_DATES) != 0 ? DEID_ACT_KEEP : DEID_ACT_EMPTY, vr);
}

/* The table lists what must go, so what the dictionary knows besides may stay; but names, dates,
 * instances, locators and free text are not left to the table's being complete. */
static struct deid_rule
unlisted_rule(const struct deid_profile *profile, uint32_t tag, uint16_t vr)
{
	struct deid_rule made = rule(DEID_ACT_KEEP, vr);

	switch (vr) {
	case VR_PN:
		return rule(DEID_ACT_DUMMY, vr);
	case VR_UI:
		return rule(names_a_class(tag) || (profile->options & DEID_UIDS) != 0
			? DEID_ACT_KEEP
			: DEID_ACT_UID,
		    vr);
	case VR_DA:
	case VR_DT:
	case VR_TM:
		return unlisted_date(profile, vr);
	case VR_AS:
		return rule((profile->options & DEID_PATIENT_CHARACTERISTICS) != 0 ? DEID_ACT_AGE
										   : DEID_ACT_EMPTY,
		    vr);
	case DCM_VR('U', 'R'):
		return rule(
		    tag == 0x0008010e || tag == 0x00080120 ? DEID_ACT_KEEP : DEID_ACT_REMOVE, vr);
	case DCM_VR('L', 'T'):
	case DCM_VR('S', 'T'):
	case DCM_VR('U', 'T'):
		return cleaned(vr, DEID_ACT_EMPTY);
	case DCM_VR('L', 'O'):
	case DCM_VR('S', 'H'):
	case DCM_VR('U', 'C'):
		made.loose = true;
		made.fallback = tag == 0x00080104 ? DEID_ACT_DUMMY : DEID_ACT_EMPTY;
		return made;
	default:
		return made;
	}
}

/* Commands and file meta (the caller's business), DICOMDIR records, air-travel security; curves and
 * overlays with all that describes them, as an overlay plane without its data is not valid. */
static bool
is_dropped_group(uint32_t tag)
{
	uint16_t group = DCM_GROUP(tag);

	return group < 8 || group == 0x4010 || (group & 0xff01) == 0x5000 ||
	    (group & 0xff01) == 0x6000;
}

static struct deid_rule
make_rule(const struct deid_profile *profile, uint32_t tag, uint16_t written)
{
	const struct dcm_entry *entry;
	const struct deid_row *row;
	uint16_t vr = written;

	if (is_dropped_group(tag) || (tag & 0xffff) == 0)
		return rule(DEID_ACT_REMOVE, written);
	if (DCM_IS_PRIVATE(tag))
		return rule(DEID_ACT_PRIVATE, written);
	if (tag == DCM_TAG(0x0010, 0x0010) || tag == DCM_TAG(0x0010, 0x0020))
		return rule(written == VR_SQ ? DEID_ACT_REMOVE : DEID_ACT_NAME, written);
	entry = dcm_dict_find(tag);
	row = deid_row_find(tag);
	if (entry == NULL && row == NULL)
		return rule(DEID_ACT_REMOVE, written);
	if (entry != NULL && (vr == VR_UN || !dcm_vr_known(vr)))
		vr = entry->vr;
	/* A sequence that is none, and the reverse, is something we do not understand. */
	if (entry != NULL && (entry->vr == VR_SQ) != (written == VR_SQ))
		return rule(entry->vr == VR_SQ ? DEID_ACT_EMPTY : DEID_ACT_REMOVE, vr);
	/* What the dictionary has as a name stays one, whatever VR was written. */
	if (entry != NULL && row == NULL && (entry->vr == VR_PN || entry->vr == VR_UI))
		vr = entry->vr;
	return row != NULL ? listed_rule(profile, row, vr) : unlisted_rule(profile, tag, vr);
}

struct deid_rule
deid_rule_get(struct deid_profile *profile, uint32_t tag, uint16_t vr)
{
	struct deid_slot *slot = &profile->slots[(tag * 2654435761u) >> 20 & (DEID_SLOTS - 1)];

	if (slot->tag != tag || slot->vr != vr) {
		slot->rule = make_rule(profile, tag, vr);
		slot->tag = tag;
		slot->vr = vr;
	}
	return slot->rule;
}

struct deid_rule
deid_rule_safe(const struct deid_profile *profile, uint16_t vr)
{
	struct deid_rule made = unlisted_rule(profile, 0, vr);

	if (made.act == DEID_ACT_CLEAN)
		made.act = DEID_ACT_REMOVE;
	return made;
}

/* ---- making it -------------------------------------------------------------------------- */

static int
check(const struct deid_config *config, struct cairn_error *err)
{
	if (config->uid_key == NULL || config->project == NULL)
		return cairn_error_set(
		    err, CAIRN_EINVAL, "a de-identification profile needs a UID key and a project");
	if (config->options >> OPTION_COUNT != 0)
		return cairn_error_set(err, CAIRN_EINVAL, "unknown de-identification option");
	if ((config->options & DATES) == DATES)
		return cairn_error_set(err, CAIRN_EINVAL,
		    "retain-longitudinal-full-dates and retain-longitudinal-modified-dates exclude "
		    "each other: choose one");
	return 0;
}

int
deid_profile_new(
    struct deid_profile **ret, const struct deid_config *config, struct cairn_error *err)
{
	struct deid_profile *profile;
	int code = check(config, err);

	if (code != 0)
		return code;
	profile = calloc(1, sizeof *profile);
	if (profile == NULL)
		return cairn_error_set(err, CAIRN_ENOMEM, "out of memory");
	profile->options = config->options;
	buf_init(&profile->scratch, DEID_SCRATCH_MAX);
	code = deid_safe_list_make(
	    &profile->safe, config->safe_private, config->safe_private_count, err);
	if (code == 0)
		code = deid_uids_new(&profile->uids, config->uid_key, config->project, err);
	if (code != 0) {
		deid_profile_free(profile);
		return code;
	}
	*ret = profile;
	return 0;
}

void
deid_profile_free(struct deid_profile *profile)
{
	if (profile == NULL)
		return;
	deid_uids_free(profile->uids);
	deid_safe_list_fini(&profile->safe);
	buf_fini(&profile->scratch);
	free(profile);
}

int
deid_uid(struct deid_profile *profile, const char *uid, char ret[DCM_UID_MAX + 1],
    struct cairn_error *err)
{
	size_t length = strlen(uid);
	char text[DEID_UID_TEXT_MAX];
	int code;

	if (length == 0)
		return cairn_error_set(err, CAIRN_EINVAL, "an empty UID has no successor");
	if (length <= DCM_UID_MAX &&
	    ((profile->options & DEID_UIDS) != 0 ||
		deid_uid_is_well_known((const uint8_t *)uid, length))) {
		memcpy(ret, uid, length + 1);
		return 0;
	}
	code = deid_uids_map(profile->uids, (const uint8_t *)uid, length, text);
	if (code != 0)
		return cairn_error_set(err, code, "OpenSSL's HMAC failed");
	memcpy(ret, text, sizeof text);
	return 0;
}
