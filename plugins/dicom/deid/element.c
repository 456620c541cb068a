/* SPDX-License-Identifier: Apache-2.0 */
#include "deid/element.h"

#include <string.h>

#include "deid/clean.h"
#include "deid/dates.h"

#define VR_DT DCM_VR('D', 'T')

static const char removed[] = "REMOVED";

/* An empty value hides nothing, and blanks are as empty. */
static bool
is_blank(uint16_t vr, const uint8_t *value, size_t length)
{
	if (length == 0)
		return true;
	if (!dcm_vr_is_text(vr))
		return false;
	for (size_t i = 0; i < length; i++)
		if (value[i] != ' ' && value[i] != 0)
			return false;
	return true;
}

static const char *
dummy_text(uint16_t vr)
{
	switch (vr) {
	case DCM_VR('A', 'S'):
		return "000Y";
	case DCM_VR('D', 'A'):
		return "19000101";
	case DCM_VR('D', 'T'):
		return "19000101000000";
	case DCM_VR('T', 'M'):
		return "000000";
	case DCM_VR('D', 'S'):
	case DCM_VR('I', 'S'):
		return "0";
	default:
		return removed;
	}
}

/* A value that the VR allows and that says nothing: zero for numbers and bytes. */
static int
write_dummy(struct deid_edit *edit, uint32_t tag, uint16_t vr)
{
	static const uint8_t zeros[8];
	size_t unit = dcm_vr_unit(vr);

	if (dcm_vr_is_text(vr))
		return dcm_put_text(&edit->writer, tag, vr, dummy_text(vr));
	if (vr == DCM_VR('A', 'T'))
		unit = 4;
	return dcm_put_bytes(&edit->writer, tag, vr, zeros, unit < 2 ? 2 : unit);
}

static int
write_scratch(struct deid_edit *edit, uint32_t tag, uint16_t vr)
{
	const struct buf *scratch = &edit->profile->scratch;

	return dcm_put_bytes(&edit->writer, tag, vr, scratch->data, scratch->length);
}

static int
write_fallback(struct deid_edit *edit, uint8_t act, uint32_t tag, uint16_t vr)
{
	if (act == DEID_ACT_REMOVE)
		return 0;
	if (act == DEID_ACT_DUMMY)
		return write_dummy(edit, tag, vr);
	return dcm_put_bytes(&edit->writer, tag, vr, "", 0);
}

/* ---- UIDs ------------------------------------------------------------------------------- */

static int
append_uid(struct deid_profile *profile, const uint8_t *at, const uint8_t *end)
{
	char text[DEID_UID_TEXT_MAX];
	int code;

	while (at < end && (*at == ' ' || *at == 0))
		at++;
	while (end > at && (end[-1] == ' ' || end[-1] == 0))
		end--;
	if (at == end)
		return 0;
	if (deid_uid_is_well_known(at, (size_t)(end - at)))
		return buf_append(&profile->scratch, at, (size_t)(end - at));
	code = deid_uids_map(profile->uids, at, (size_t)(end - at), text);
	return code != 0 ? code : buf_append_text(&profile->scratch, text);
}

static int
write_uids(struct deid_edit *edit, struct deid_rule rule, uint32_t tag, const uint8_t *value,
    size_t length)
{
	const uint8_t *end = value + length;
	struct buf *scratch = &edit->profile->scratch;
	int code;

	buf_clear(scratch);
	for (;;) {
		const uint8_t *stop = memchr(value, '\\', (size_t)(end - value));

		code = append_uid(edit->profile, value, stop == NULL ? end : stop);
		if (code != 0 || stop == NULL)
			break;
		code = buf_append(scratch, "\\", 1);
		if (code != 0)
			break;
		value = stop + 1;
	}
	return code != 0 ? code : write_scratch(edit, tag, rule.vr);
}

/* ---- dates, ages, texts ----------------------------------------------------------------- */

static int
write_shifted(struct deid_edit *edit, struct deid_rule rule, uint32_t tag, const uint8_t *value,
    size_t length)
{
	int code;

	buf_clear(&edit->profile->scratch);
	code = deid_dates_shift(&edit->profile->scratch, value, length, rule.vr == VR_DT,
	    edit->patient->date_shift_days);
	if (code == CAIRN_EINVAL)
		return write_fallback(edit, rule.fallback, tag, rule.vr);
	return code != 0 ? code : write_scratch(edit, tag, rule.vr);
}

static int
write_age(struct deid_edit *edit, uint32_t tag, const uint8_t *value, size_t length)
{
	char text[5];

	while (length > 0 && (value[length - 1] == ' ' || value[length - 1] == 0))
		length--;
	if (!deid_age_cap(value, length, text))
		return 0;
	return dcm_put_text(&edit->writer, tag, DCM_VR('A', 'S'), text);
}

static int
write_clean(struct deid_edit *edit, struct deid_rule rule, uint32_t tag, const uint8_t *value,
    size_t length)
{
	bool several = rule.vr != DCM_VR('L', 'T') && rule.vr != DCM_VR('S', 'T') &&
	    rule.vr != DCM_VR('U', 'T');
	int code;

	buf_clear(&edit->profile->scratch);
	code = deid_clean(&edit->profile->scratch, value, length, several);
	if (code == 0 && edit->profile->scratch.length == 0)
		return write_fallback(edit, rule.fallback, tag, rule.vr);
	return code != 0 ? code : write_scratch(edit, tag, rule.vr);
}

int
deid_element_write(struct deid_edit *edit, struct deid_rule rule, uint32_t tag,
    const uint8_t *value, size_t length, bool *ret_keep)
{
	if (rule.act != DEID_ACT_REMOVE && is_blank(rule.vr, value, length)) {
		*ret_keep = true;
		return 0;
	}
	switch ((enum deid_act)rule.act) {
	case DEID_ACT_EMPTY:
		return dcm_put_bytes(&edit->writer, tag, rule.vr, "", 0);
	case DEID_ACT_DUMMY:
		return write_dummy(edit, tag, rule.vr);
	case DEID_ACT_UID:
		return write_uids(edit, rule, tag, value, length);
	case DEID_ACT_SHIFT:
		return write_shifted(edit, rule, tag, value, length);
	case DEID_ACT_AGE:
		return write_age(edit, tag, value, length);
	case DEID_ACT_CLEAN:
		return write_clean(edit, rule, tag, value, length);
	case DEID_ACT_NAME:
		return dcm_put_text(&edit->writer, tag, rule.vr, edit->patient->pseudonym);
	case DEID_ACT_REMOVE:
	case DEID_ACT_KEEP:
	case DEID_ACT_PRIVATE:
		break;
	}
	return 0;
}

/* ---- sequences -------------------------------------------------------------------------- */

static int
put_code(struct dcm_writer *w, const char *value, const char *scheme, const char *meaning)
{
	int code = dcm_put_item_begin(w);

	if (code == 0)
		code = dcm_put_text(w, 0x00080100, DCM_VR('S', 'H'), value);
	if (code == 0)
		code = dcm_put_text(w, 0x00080102, DCM_VR('S', 'H'), scheme);
	if (code == 0)
		code = dcm_put_text(w, 0x00080104, DCM_VR('L', 'O'), meaning);
	return code != 0 ? code : dcm_put_item_end(w);
}

/* One text item: Comment = REMOVED (PS3.3 C.17.3). */
static int
put_content_item(struct dcm_writer *w)
{
	int code = dcm_put_text(w, 0x0040a010, DCM_VR('C', 'S'), "CONTAINS");

	if (code == 0)
		code = dcm_put_text(w, 0x0040a040, DCM_VR('C', 'S'), "TEXT");
	if (code == 0)
		code = dcm_put_sequence_begin(w, 0x0040a043);
	if (code == 0)
		code = put_code(w, "121106", "DCM", "Comment");
	if (code == 0)
		code = dcm_put_sequence_end(w);
	return code != 0 ? code : dcm_put_text(w, 0x0040a160, DCM_VR('U', 'T'), removed);
}

static int
put_verifier(struct dcm_writer *w)
{
	int code = dcm_put_text(w, 0x0040a027, DCM_VR('L', 'O'), removed);

	if (code == 0)
		code = dcm_put_text(w, 0x0040a030, VR_DT, dummy_text(VR_DT));
	if (code == 0)
		code = dcm_put_text(w, 0x0040a075, DCM_VR('P', 'N'), removed);
	return code;
}

static int
put_dummy_item(struct deid_edit *edit, uint32_t tag)
{
	struct dcm_writer *w = &edit->writer;
	int code;

	if (tag == DCM_TAG(0x0040, 0x1101)) /* Person Identification Code Sequence */
		return put_code(w, removed, "99CAIRN", removed);
	code = dcm_put_item_begin(w);
	if (code != 0)
		return code;
	if (tag == DCM_TAG(0x0040, 0xa730)) /* Content Sequence */
		code = put_content_item(w);
	else if (tag == DCM_TAG(0x0040, 0xa073)) /* Verifying Observer Sequence */
		code = put_verifier(w);
	else if (tag == DCM_TAG(0x0034, 0x0001)) /* Flow Identifier Sequence */
		code = dcm_put_bytes(w, 0x00340002, DCM_VR('O', 'B'), "\0", 2);
	else if (tag == DCM_TAG(0x0070, 0x0001)) /* Graphic Annotation Sequence */
		code = dcm_put_text(w, 0x00700002, DCM_VR('C', 'S'), removed);
	return code != 0 ? code : dcm_put_item_end(w);
}

int
deid_sequence_write(struct deid_edit *edit, enum deid_act act, uint32_t tag)
{
	int code = dcm_put_sequence_begin(&edit->writer, tag);

	if (code == 0 && act == DEID_ACT_DUMMY)
		code = put_dummy_item(edit, tag);
	return code != 0 ? code : dcm_put_sequence_end(&edit->writer);
}

/* ---- what is added ---------------------------------------------------------------------- */

/* CID 7050 (PS3.16); option 0 is the Basic Profile itself. */
static const struct {
	unsigned option;
	const char *value;
	const char *meaning;
} methods[] = {
    {0, "113100", "Basic Application Confidentiality Profile"},
    {DEID_CLEAN_GRAPHICS, "113103", "Clean Graphics Option"},
    {DEID_CLEAN_STRUCTURED, "113104", "Clean Structured Content Option"},
    {DEID_CLEAN_DESCRIPTORS, "113105", "Clean Descriptors Option"},
    {DEID_FULL_DATES, "113106", "Retain Longitudinal Temporal Information Full Dates Option"},
    {DEID_MODIFIED_DATES, "113107",
	"Retain Longitudinal Temporal Information Modified Dates Option"},
    {DEID_PATIENT_CHARACTERISTICS, "113108", "Retain Patient Characteristics Option"},
    {DEID_DEVICE_IDENTITY, "113109", "Retain Device Identity Option"},
    {DEID_UIDS, "113110", "Retain UIDs Option"},
    {DEID_SAFE_PRIVATE, "113111", "Retain Safe Private Option"},
    {DEID_INSTITUTION_IDENTITY, "113112", "Retain Institution Identity Option"},
};

static int
put_methods(struct deid_edit *edit)
{
	unsigned options = edit->profile->options;
	int code = dcm_put_sequence_begin(&edit->writer, 0x00120064);

	for (size_t i = 0; i < sizeof methods / sizeof methods[0] && code == 0; i++)
		if (methods[i].option == 0 || (methods[i].option & options) != 0)
			code = put_code(&edit->writer, methods[i].value, "DCM", methods[i].meaning);
	return code != 0 ? code : dcm_put_sequence_end(&edit->writer);
}

static const char *
temporal(unsigned options)
{
	if ((options & DEID_FULL_DATES) != 0)
		return "UNMODIFIED";
	return (options & DEID_MODIFIED_DATES) != 0 ? "MODIFIED" : "REMOVED";
}

static const uint32_t added[] = {
    0x00100010, 0x00100020, 0x00120062, 0x00120063, 0x00120064, 0x00280303};

#define ADDED_COUNT (sizeof added / sizeof added[0])

uint32_t
deid_added_tag(size_t index)
{
	return index < ADDED_COUNT ? added[index] : UINT32_MAX;
}

bool
deid_is_added(uint32_t tag)
{
	for (size_t i = 0; i < ADDED_COUNT; i++)
		if (added[i] == tag)
			return true;
	return false;
}

int
deid_added_write(struct deid_edit *edit, size_t index)
{
	struct dcm_writer *w = &edit->writer;
	uint32_t tag = deid_added_tag(index);

	switch (tag) {
	case DCM_TAG(0x0010, 0x0010):
		return dcm_put_text(w, tag, DCM_VR('P', 'N'), edit->patient->pseudonym);
	case DCM_TAG(0x0010, 0x0020):
		return dcm_put_text(w, tag, DCM_VR('L', 'O'), edit->patient->pseudonym);
	case DCM_TAG(0x0012, 0x0062):
		return dcm_put_text(w, tag, DCM_VR('C', 'S'), "YES");
	case DCM_TAG(0x0012, 0x0063):
		return dcm_put_text(w, tag, DCM_VR('L', 'O'),
		    "Basic Application Confidentiality Profile, PS3.15 2024b\\Cairn");
	case DCM_TAG(0x0012, 0x0064):
		return put_methods(edit);
	default:
		return dcm_put_text(w, tag, DCM_VR('C', 'S'), temporal(edit->profile->options));
	}
}
