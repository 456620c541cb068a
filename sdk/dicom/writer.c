/* SPDX-License-Identifier: Apache-2.0 */
#include "dicom/writer.h"

#include <string.h>

#include <cairn/error.h>

#include "dicom/reader.h"

#define TAG_ITEM 0xfffee000u
#define TAG_ITEM_END 0xfffee00du
#define TAG_SEQUENCE_END 0xfffee0ddu

void
dcm_writer_init(struct dcm_writer *writer, struct buf *out, const struct dcm_syntax *syntax)
{
	*writer = (struct dcm_writer){out, syntax->explicit_vr, syntax->big_endian};
}

static void
set_u16(uint8_t *at, uint16_t value, bool big_endian)
{
	at[big_endian ? 1 : 0] = (uint8_t)(value & 0xff);
	at[big_endian ? 0 : 1] = (uint8_t)(value >> 8);
}

static void
set_u32(uint8_t *at, uint32_t value, bool big_endian)
{
	set_u16(at + (big_endian ? 2 : 0), (uint16_t)(value & 0xffff), big_endian);
	set_u16(at + (big_endian ? 0 : 2), (uint16_t)(value >> 16), big_endian);
}

/* Makes the header in `at` (12 bytes) and returns its size. */
static size_t
make_header(const struct dcm_writer *w, uint8_t *at, uint32_t tag, uint16_t vr, uint32_t length)
{
	set_u16(at, DCM_GROUP(tag), w->big_endian);
	set_u16(at + 2, (uint16_t)(tag & 0xffff), w->big_endian);
	if (!w->explicit_vr || DCM_GROUP(tag) == 0xfffe) {
		set_u32(at + 4, length, w->big_endian);
		return 8;
	}
	if (!dcm_vr_is_long(vr) && length > 0xffff)
		vr = DCM_VR('U', 'N');
	at[4] = (uint8_t)(vr >> 8);
	at[5] = (uint8_t)(vr & 0xff);
	if (!dcm_vr_is_long(vr)) {
		set_u16(at + 6, (uint16_t)length, w->big_endian);
		return 8;
	}
	set_u16(at + 6, 0, false);
	set_u32(at + 8, length, w->big_endian);
	return 12;
}

int
dcm_put_header(struct dcm_writer *w, uint32_t tag, uint16_t vr, uint32_t length)
{
	uint8_t header[12];

	return buf_append(w->out, header, make_header(w, header, tag, vr, length));
}

/* Header, value and padding, or nothing at all. */
int
dcm_put_bytes(struct dcm_writer *w, uint32_t tag, uint16_t vr, const void *value, size_t length)
{
	uint8_t pad = dcm_vr_is_text(vr) && vr != DCM_VR('U', 'I') ? ' ' : 0;
	size_t padded, odd = length & 1;
	uint8_t header[12];
	size_t size;
	int code;

	if (__builtin_add_overflow(length, odd, &padded) || padded >= DCM_UNDEFINED)
		return CAIRN_ELIMIT;
	size = make_header(w, header, tag, vr, (uint32_t)padded);
	code = buf_reserve(w->out, size + padded);
	if (code != 0)
		return code;
	(void)buf_append(w->out, header, size);
	(void)buf_append(w->out, value, length);
	return buf_append(w->out, &pad, odd);
}

int
dcm_put_text(struct dcm_writer *w, uint32_t tag, uint16_t vr, const char *text)
{
	return dcm_put_bytes(w, tag, vr, text, strlen(text));
}

int
dcm_put_u16(struct dcm_writer *w, uint32_t tag, uint16_t vr, uint16_t value)
{
	uint8_t bytes[2];

	set_u16(bytes, value, w->big_endian);
	return dcm_put_bytes(w, tag, vr, bytes, sizeof bytes);
}

/* An AT value is two 16-bit numbers, group first in either byte order. */
int
dcm_put_u32(struct dcm_writer *w, uint32_t tag, uint16_t vr, uint32_t value)
{
	uint8_t bytes[4];

	if (vr == DCM_VR('A', 'T')) {
		set_u16(bytes, DCM_GROUP(value), w->big_endian);
		set_u16(bytes + 2, (uint16_t)(value & 0xffff), w->big_endian);
	} else {
		set_u32(bytes, value, w->big_endian);
	}
	return dcm_put_bytes(w, tag, vr, bytes, sizeof bytes);
}

int
dcm_put_sequence_begin(struct dcm_writer *w, uint32_t tag)
{
	return dcm_put_header(w, tag, DCM_VR('S', 'Q'), DCM_UNDEFINED);
}

int
dcm_put_item_begin(struct dcm_writer *w)
{
	return dcm_put_header(w, TAG_ITEM, 0, DCM_UNDEFINED);
}

int
dcm_put_item_end(struct dcm_writer *w)
{
	return dcm_put_header(w, TAG_ITEM_END, 0, 0);
}

int
dcm_put_sequence_end(struct dcm_writer *w)
{
	return dcm_put_header(w, TAG_SEQUENCE_END, 0, 0);
}

int
dcm_put_fragment(struct dcm_writer *w, const void *value, size_t length)
{
	return dcm_put_bytes(w, TAG_ITEM, 0, value, length);
}

void
dcm_swap(uint8_t *value, size_t length, size_t unit)
{
	if (unit < 2)
		return;
	for (size_t at = 0; length - at >= unit; at += unit) {
		for (size_t i = 0; i < unit / 2; i++) {
			uint8_t byte = value[at + i];

			value[at + i] = value[at + unit - 1 - i];
			value[at + unit - 1 - i] = byte;
		}
	}
}

/* Group lengths are left out: retired (PS3.5 7.2), and wrong once a sequence is written anew. */
static int
put_element(struct dcm_writer *w, const uint8_t *data, const struct dcm_token *token)
{
	size_t padded = (size_t)token->length + (token->length & 1);
	int code;

	if ((token->tag & 0xffffu) == 0)
		return 0;
	code = dcm_put_bytes(w, token->tag, token->vr, data + token->value_offset, token->length);
	if (code == 0 && token->big_endian != w->big_endian)
		dcm_swap(
		    w->out->data + w->out->length - padded, token->length, dcm_vr_unit(token->vr));
	return code;
}

int
dcm_put_token(struct dcm_writer *w, const uint8_t *data, const struct dcm_token *token)
{
	bool fragments = token->vr != DCM_VR('S', 'Q');

	switch (token->kind) {
	case DCM_ELEMENT:
		return put_element(w, data, token);
	case DCM_SEQUENCE_BEGIN:
		return dcm_put_header(w, token->tag, token->vr, DCM_UNDEFINED);
	case DCM_ITEM_BEGIN:
		return fragments ? dcm_put_fragment(w, data + token->value_offset, token->length)
				 : dcm_put_item_begin(w);
	case DCM_ITEM_END:
		return fragments ? 0 : dcm_put_item_end(w);
	case DCM_SEQUENCE_END:
		return dcm_put_sequence_end(w);
	case DCM_MORE:
	case DCM_PIXELS:
	case DCM_END:
		break;
	}
	return CAIRN_EINVAL;
}
