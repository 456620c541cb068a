/* SPDX-License-Identifier: Apache-2.0 */
/* One pass over the original for what is needed before it is rewritten. */
#include <string.h>

#include "deid/deid.h"
#include "deid/element.h"

#define FIELD(tag, member)                                                                     \
	{                                                                                      \
		tag, offsetof(struct deid_scan, member), sizeof((struct deid_scan *)0)->member \
	}

/* In the order of their tags. */
static const struct field {
	uint32_t tag;
	size_t offset;
	size_t size;
} fields[] = {
    FIELD(0x00080008, image_type),
    FIELD(0x00080016, sop_class),
    FIELD(0x00080018, sop_instance),
    FIELD(0x00080020, study_date),
    FIELD(0x00080050, accession),
    FIELD(0x00080060, modality),
    FIELD(0x00080064, conversion),
    FIELD(0x00080070, manufacturer),
    FIELD(0x00081090, model),
    FIELD(0x00100020, patient_id),
    FIELD(0x00100021, issuer),
    FIELD(0x00100030, birth_date),
    FIELD(0x00100040, sex),
    FIELD(0x00101010, age),
    FIELD(0x00180015, body_part),
    FIELD(0x00180050, slice_thickness),
    FIELD(0x0020000d, study),
    FIELD(0x0020000e, series),
    FIELD(0x00280004, photometric),
    FIELD(0x00280301, burned_in),
    FIELD(0x00280302, recognizable),
};

#define FIELD_COUNT (sizeof fields / sizeof fields[0])

static void
take_text(const uint8_t *data, const struct dcm_token *token, char *ret, size_t size)
{
	if (!dcm_value_text(data, token, ret, size))
		ret[0] = 0;
}

static void
top_level(struct deid_scan *scan, const uint8_t *data, const struct dcm_token *token)
{
	size_t low = 0, high = FIELD_COUNT;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (fields[middle].tag < token->tag)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < FIELD_COUNT && fields[low].tag == token->tag)
		take_text(data, token, (char *)scan + fields[low].offset, fields[low].size);
	else if (token->tag == DCM_TAG(0x0042, 0x0011))
		scan->encapsulated_document = token->length > 0;
	else if ((token->tag & 0xff01ffffu) == 0x60000100u && token->length >= 2)
		/* Overlay Bits Allocated: more than one bit means the plane lies in the pixels. */
		scan->overlay_in_pixels |=
		    dcm_read_u16(data + token->value_offset, token->big_endian) > 1;
}

/* Whose number the accession is (PS3.3 10.14), and what else the patient is called (C.2.3). */
static bool
identifying(
    struct deid_scan *scan, const uint8_t *data, const struct dcm_token *token, uint32_t sequence)
{
	if (sequence == DCM_TAG(0x0008, 0x0051) && scan->accession_issuer[0] == 0 &&
	    (token->tag == DCM_TAG(0x0040, 0x0031) || token->tag == DCM_TAG(0x0040, 0x0032)))
		take_text(data, token, scan->accession_issuer, sizeof scan->accession_issuer);
	else if (sequence == DCM_TAG(0x0010, 0x1002) && token->tag == DCM_TAG(0x0010, 0x0020) &&
	    scan->other_ids++ == 0)
		take_text(data, token, scan->other_id, sizeof scan->other_id);
	else if (sequence == DCM_TAG(0x0010, 0x1002) && token->tag == DCM_TAG(0x0010, 0x0021) &&
	    scan->other_ids == 1)
		take_text(data, token, scan->other_issuer, sizeof scan->other_issuer);
	else
		return false;
	return true;
}

/* Multi-frame objects have these in their functional groups (PS3.3 C.7.6.16); the first counts. */
static void
nested(struct deid_scan *scan, const uint8_t *data, const struct dcm_token *token)
{
	uint32_t sequence = scan->reader.levels[scan->reader.depth].tag;

	if (token->depth == 1 && identifying(scan, data, token, sequence))
		return;
	if (sequence == DCM_TAG(0x0008, 0x2218) && token->tag == DCM_TAG(0x0008, 0x0104) &&
	    scan->region[0] == 0)
		take_text(data, token, scan->region, sizeof scan->region);
	else if (sequence == DCM_TAG(0x0028, 0x9110) && token->tag == DCM_TAG(0x0018, 0x0050) &&
	    scan->slice_thickness[0] == 0)
		take_text(data, token, scan->slice_thickness, sizeof scan->slice_thickness);
}

void
deid_scan_begin(struct deid_scan *scan, const struct dcm_syntax *syntax)
{
	memset(scan, 0, sizeof *scan);
	scan->announced = syntax;
	dcm_reader_init(&scan->reader, syntax, 0);
}

int
deid_scan_more(
    struct deid_scan *scan, const uint8_t *data, size_t length, bool eof, struct cairn_error *err)
{
	struct dcm_token token;
	int code;

	for (;;) {
		code = dcm_reader_next(&scan->reader, data, length, eof, &token, err);
		if (code != 0)
			return code;
		if (token.kind == DCM_MORE)
			return CAIRN_EAGAIN;
		if (token.kind == DCM_PIXELS || token.kind == DCM_END)
			break;
		if (token.kind == DCM_ELEMENT && token.depth == 0)
			top_level(scan, data, &token);
		else if (token.kind == DCM_ELEMENT)
			nested(scan, data, &token);
	}
	deid_end_set(&scan->end, &token, scan->announced, &scan->reader, length);
	return 0;
}

int
deid_scan(const struct deid_input *input, struct deid_scan *ret, struct cairn_error *err)
{
	deid_scan_begin(ret, input->syntax);
	return deid_scan_more(ret, input->data, input->length, true, err);
}
