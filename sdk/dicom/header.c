/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One element's tag, VR and length (PS3.5 7.1), and the few ways in which real files deviate there.
 * The first element of an item or data set tells whether its encoding is the announced one: two
 * capital letters stand where explicit VR has its VR, and an implicit length of two such bytes
 * (16,705 and more) is one that no first element has.
 */
#include "dicom/reader_private.h"

uint16_t
dcm_read_u16(const uint8_t *at, bool big_endian)
{
	if (big_endian)
		return (uint16_t)(at[0] << 8 | at[1]);
	return (uint16_t)(at[1] << 8 | at[0]);
}

uint32_t
dcm_read_u32(const uint8_t *at, bool big_endian)
{
	if (big_endian)
		return (uint32_t)dcm_read_u16(at, true) << 16 | dcm_read_u16(at + 2, true);
	return (uint32_t)dcm_read_u16(at + 2, false) << 16 | dcm_read_u16(at, false);
}

/* Whatever the dictionary allows, pixels and overlays in implicit VR are OW (PS3.5 A.1). */
static uint16_t
implicit_vr_of(uint32_t tag)
{
	const struct dcm_entry *entry = dcm_dict_find(tag);

	if (entry == NULL)
		return DCM_IS_PRIVATE(tag) && (tag & 0xffffu) >= 0x10 && (tag & 0xffffu) <= 0xff
		    ? DCM_VR('L', 'O')
		    : DCM_VR('U', 'N');
	if (tag == DCM_TAG(0x7fe0, 0x0010) || (tag & 0xff00ffffu) == 0x60003000u)
		return DCM_VR('O', 'W');
	return entry->vr;
}

static bool
is_capital(uint8_t c)
{
	return c >= 'A' && c <= 'Z';
}

static bool
is_filler(const uint8_t *vr)
{
	return (vr[0] == '?' && vr[1] == '?') || (vr[0] == '-' && vr[1] == '-');
}

/* Explicit VR was announced: do the bytes only make sense as implicit VR? */
static bool
must_be_implicit(const struct dcm_reader *r, const struct dcm_token *t, const uint8_t *at)
{
	const struct dcm_level *top = &r->levels[r->depth];
	uint32_t length = dcm_read_u32(at + 4, false);

	if (r->big_endian || (is_capital(at[4]) && is_capital(at[5])) || is_filler(at + 4))
		return false;
	if (dcm_dict_find(t->tag) == NULL && !DCM_IS_PRIVATE(t->tag))
		return false;
	return length == DCM_UNDEFINED || length <= top->limit - t->offset - 8;
}

/* Implicit VR was announced: does the element carry the very VR that the dictionary gives it? */
static bool
must_be_explicit(const struct dcm_token *t, const uint8_t *at)
{
	const struct dcm_entry *entry = dcm_dict_find(t->tag);

	return is_capital(at[4]) && is_capital(at[5]) && entry != NULL &&
	    entry->vr == DCM_VR(at[4], at[5]);
}

static void
check_encoding(struct dcm_reader *r, const struct dcm_token *t, const uint8_t *at)
{
	struct dcm_level *top = &r->levels[r->depth];

	if (r->explicit_vr && !top->implicit_vr) {
		if (!must_be_implicit(r, t, at))
			return;
		if (r->depth == 0)
			r->explicit_vr = false;
		else
			top->implicit_vr = true;
	} else if (r->depth == 0 && must_be_explicit(t, at)) {
		r->explicit_vr = true;
	}
}

static int
explicit_header(const struct dcm_view *v, struct dcm_token *t, const uint8_t *at)
{
	int code;

	t->vr = DCM_VR(at[4], at[5]);
	if (is_filler(at + 4)) {
		t->vr = DCM_VR('U', 'N');
	} else if (!is_capital(at[4]) || !is_capital(at[5])) {
		return dcm_reader_refuse(v, CAIRN_ECORRUPT, t,
		    "expected a VR of two capital letters, found bytes %02x %02x", at[4], at[5]);
	} else if (dcm_vr_is_long(t->vr)) {
		code = dcm_reader_need(v, t, 12);
		if (code != 0 || t->kind == DCM_MORE)
			return code;
		if (!dcm_vr_known(t->vr) && dcm_read_u16(at + 6, false) != 0)
			return dcm_reader_refuse(v, CAIRN_ECORRUPT, t,
			    "VR %c%c is unknown, and its length is not of 32 bits", at[4], at[5]);
		t->length = dcm_read_u32(at + 8, t->big_endian);
		t->value_offset = t->offset + 12;
		return 0;
	}
	t->length = dcm_read_u16(at + 6, t->big_endian);
	t->value_offset = t->offset + 8;
	return 0;
}

int
dcm_reader_header(const struct dcm_view *v, struct dcm_token *t)
{
	struct dcm_reader *r = v->reader;
	struct dcm_level *top = &r->levels[r->depth];
	const uint8_t *at;
	int code = dcm_reader_need(v, t, 8);

	if (code != 0 || t->kind == DCM_MORE)
		return code;
	at = v->data + t->offset;
	t->tag =
	    (uint32_t)dcm_read_u16(at, t->big_endian) << 16 | dcm_read_u16(at + 2, t->big_endian);
	if (DCM_GROUP(t->tag) != 0xfffe && top->is_item) {
		if (top->last_tag == 0)
			check_encoding(r, t, at);
		if (r->explicit_vr && !top->implicit_vr)
			return explicit_header(v, t, at);
		t->vr = implicit_vr_of(t->tag);
	}
	t->length = dcm_read_u32(at + 4, t->big_endian);
	t->value_offset = t->offset + 8;
	return 0;
}
